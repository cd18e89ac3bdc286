#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Keys change every 3 seconds, those of the links and those from end to end, while datagrams flow over a relay; not
# one is lost. One end has the role of who begins, then the other.
#
#   a --(IPv4)-- r --(IPv6)-- b, each a Xylem node
. "$(dirname "$0")/_init.sh"
need "$XYLEMD" "$XYLEM" iperf3 jq
export XYLEM_TEST_TIMERS="rekey_after=3,reject_after=9"

relay_lab
check_within 20 "a pings b" pings a "${LAB_ADDR[b]}"
dropped() { # for want of a session, at r, a, b
  local node
  for node in r a b; do
    show $node drops | jq '[.drops[] | select(.reason | IN("session_expired", "no_session", "hold_full")) | .packets] | add'
  done | xargs
}
session() { # NODE FIELD: of the current one with the other end
  show "$1" sessions | jq -r "[.sessions[] | select(.kind == \"end to end\" and .use == \"current\") | .$2] | first"
}
# As many a second as a receiver's socket holds while others have the CPU.
lossless() { # FROM TO [ARGUMENT...]
  flow "$1" "$2" "${LAB_ADDR[$2]}" 8 -u -b 1600K -l 500 "${@:3}"
  flow_result '.end.sum | "\(.packets) datagrams, \(.lost_packets) lost"'
  same 0 "$(flow_result '.end.sum.lost_packets')"
  at_least 1600 "$(flow_result '.end.sum.packets')"
}
round() { # FROM TO
  local first
  first=$(session a index)
  echo "the current session of a: $first, as $(session a role)"
  check "no loss from $1 to $2" lossless "$1" "$2"
  check_not "the session is another one" same "$first" "$(session a index)"
}
before=$(dropped)
round a b
round b a
check "nothing is dropped for want of a session" same "$before" "$(dropped)"
# Who is asked to begin is who has something to send, and then who began stays it.
stop_node a
start_node a
check_within 20 "b pings a" pings b "${LAB_ADDR[a]}"
echo "then, as $(session a role)"
round b a
