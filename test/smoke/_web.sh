# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash disable=SC2034,SC2154
# xylem-web beside a node of the lab. Sourced after _init.sh.

WEB=$BUILD/xylem-web
[ -x "$WEB" ] || skip "built without xylem-web (libmicrohttpd)"
declare -A WEB_PID=()

# start_web NODE [ARGUMENT...]: with $LAB/NODE.web.conf where that is there; waits until it answers.
start_web() {
  local node=$1
  shift
  [ ! -e "$LAB/$node.web.conf" ] || set -- -c "$LAB/$node.web.conf" "$@"
  spawn "$node" "$LAB/$node.web.log" "$WEB" -n "$LAB_PREFIX$node" --user root "$@"
  WEB_PID[$node]=$LAB_SPAWNED
  wait_for 10 web "$node" / -o "$LAB/web.out" || {
    cat "$LAB/$node.web.log"
    return 1
  }
}
# web NODE PATH [OPTION OF curl...]
web() {
  local node=$1 path=$2
  shift 2
  in_node "$node" curl -sSk --max-time 20 "$@" "${WEB_SCHEME:-http}://127.0.0.1:8989$path"
}
api() { # NODE NAME [OPTION OF curl...]
  local node=$1 name=$2
  shift 2
  web "$node" "/api/v1/$name" "$@"
}
# public NODE NAME [OPTION OF curl...]: on the address for everybody
public() {
  local node=$1 name=$2
  shift 2
  in_node "$node" curl -sS --max-time 20 "$@" "http://127.0.0.1:8990/api/v1/$name"
}
# status NODE PATH [OPTION OF curl...]: the number; the body is in $LAB/web.out.
status() {
  web "$@" -o "$LAB/web.out" -w '%{http_code}'
}
# answers STATUS [TEXT] NODE PATH [OPTION...]: it does, with TEXT in the body.
answers() {
  local wanted=$1 text=$2 got
  shift 2
  got=$(status "$@")
  [ "$got" = "$wanted" ] && grep -qF -- "$text" "$LAB/web.out" && return
  echo "$got instead of $wanted with \"$text\":"
  cat "$LAB/web.out"
  return 1
}
