#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Two daemons on one machine, told apart by -n; a third with a name, port or interface that is taken
# is refused with the reason.
. "$(dirname "$0")/_init.sh"
need "$XYLEMD" "$XYLEM"

add_node m
make_key one two three
configure one <<END
listen = 51821; host = { name = "xylem1"; };
peers = ( $(peer_text two "${LAB_KEY[two]}" 'endpoint = "127.0.0.1:51822";') );
END
configure two <<END
listen = 51822; host = { name = "xylem2"; };
peers = ( $(peer_text one "${LAB_KEY[one]}") );
END
start_here() { # NAME [ARGUMENT...]
  spawn m "$LAB/$1.log" "$XYLEMD" -c "$LAB/$1.conf" -n "$1"
  LAB_PID[$1]=$LAB_SPAWNED LAB_DAEMONS+=("$1")
}
start_here one
start_here two
check_within 30 "the first answers" show one node
check_within 30 "the second answers" show two node
check_within 20 "they hold a link" peer_up one two
check "each has its interface" ip -n m link show xylem1
check "under its own name" ip -n m link show xylem2

refused() { # WORD COMMAND...: ends by itself with exit code 1 and a text that has the word
  local word=$1 code=0
  shift
  timeout 20 nsenter --net=/run/netns/m "$XYLEMD" "$@" >"$LAB/refused" 2>&1 || code=$?
  cat "$LAB/refused"
  [ "$code" -eq 1 ] && grep -qiE "$word" "$LAB/refused"
}
configure three <<<'listen = 51823; host = { name = "xylem3"; };'
check "a name that is taken is refused" refused 'one.*running|running.*one' -c "$LAB/three.conf" -n one
configure three <<<'listen = 51821; host = { name = "xylem3"; };'
check "a port that is taken is refused" refused '51821' -c "$LAB/three.conf" -n three
configure three <<<'listen = 51823; host = { name = "xylem1"; };'
check "an interface that is taken is refused" refused 'xylem1' -c "$LAB/three.conf" -n three
check "the first goes on" show one node
check "the second goes on" peer_up two one
