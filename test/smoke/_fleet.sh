# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash disable=SC2034,SC2154
# xylem-fleet beside nodes of the lab. Sourced after _init.sh.

FLEET=$BUILD/xylem-fleet
[ -x "$FLEET" ] || skip "built without xylem-fleet"
declare -A FLEET_PID=()

# start_fleet NODE [ARGUMENT...]: with $LAB/NODE.fleet.conf, or $LAB/fleet.conf for all; waits until it answers.
start_fleet() {
  local node=$1 conf=$LAB/$1.fleet.conf
  shift
  [ -e "$conf" ] || conf=$LAB/fleet.conf
  spawn "$node" "$LAB/$node.fleet.log" "$FLEET" -n "$LAB_PREFIX$node" -c "$conf" --user root "$@"
  FLEET_PID[$node]=$LAB_SPAWNED
  wait_for 10 fleet "$node" || {
    cat "$LAB/$node.fleet.log"
    return 1
  }
}
# end_fleet NODE: its agent ends when it is told to, or has, with exit code 0 (a sanitizer's findings count).
end_fleet() {
  local code=0
  end_process "${FLEET_PID[$1]}" || code=$?
  [ $code -eq 0 ] || {
    tail -n 40 "$LAB/$1.fleet.log"
    fail "the agent of $1 ends well (exit code $code)"
  }
  echo "ok - $TEST: the agent of $1 ends well"
}
fleet() { # NODE: what its agent knows, as JSON
  xylem show fleet --json -n "$LAB_PREFIX$1"
}
fleet_is() { # NODE JQ: a condition holds of it
  fleet "$1" | jq -e "$2"
}
# star NODE...: each can reach each, over a router in the middle: node N (from 1) is 10.9.N.1.
star() {
  local node n
  add_node router "$@"
  in_node router sysctl -qw net.ipv4.ip_forward=1
  for node in "$@"; do
    join "$node" router
    n=$LAB_LINKS
    in_node "$node" ip route add default via "10.9.$n.2"
  done
}
