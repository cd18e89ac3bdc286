#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Two nodes beyond a relay that both begin at once hear each other; and when one of them is started again, or killed
# before, the other finds it without being told, while it goes on sending.
#
#   a ---- r ---- b
. "$(dirname "$0")/_init.sh"
. "$(dirname "$0")/_mesh.sh"
need "$XYLEMD" "$XYLEM" jq

mesh_link a r
mesh_link b r
mesh_start
known() { [ "$(route_to "$1" "$2" source)" = learned ]; }
check_within 60 "a knows b" known a b
check_within 60 "b knows a" known b a
sessions() { show "$1" sessions | jq '[.sessions[] | select(.kind == "end to end" and .use != null)] | length'; }
check "neither has a session with the other yet" same "0 0" "$(sessions a) $(sessions b)"

# Both have something to say at the same time.
spawn a "$LAB/a.ping" ping -n -D -i 0.1 "${LAB_ADDR[b]}"
spawn b "$LAB/b.ping" ping -n -D -i 0.1 "${LAB_ADDR[a]}"
answers() { grep -c 'bytes from' "$LAB/$1.ping" || true; }
check_within 20 "a is answered" eval '[ $(answers a) -gt 10 ]'
check_within 20 "b, too" eval '[ $(answers b) -gt 10 ]'
# Where both handshakes cross, each may send by its own, as WireGuard has it; but no third is made.
few() { [ "$(sessions a)" -le 2 ] && [ "$(sessions b)" -le 2 ]; }
check "no more than a session of each" few
first=$(grep -o 'icmp_seq=[0-9]*' "$LAB/a.ping" | head -n 1)
echo "the first answer to a: ${first#icmp_seq=}, of ten a second"

# b says nothing of itself from now on: that would tell a.
end_process "$LAB_SPAWNED" || true
# From when b is asked to start until a is answered again, and since the link from r to b is up.
old() { # a's session is, so that its age is no reason not to ask again (WireGuard asks once in 5 seconds)
  [ "$(show a sessions | jq '[.sessions[] | select(.kind == "end to end" and .use == "current") | .age] | max > 6')" = true ]
}
back() { # WHAT SIGNAL
  local lines began up at
  wait_for 20 old
  stop_node b "$2"
  lines=$(answers a)
  began=$(date +%s.%N)
  start_node b
  check_within 30 "$1: r and b are linked" peer_up r b
  up=$(date +%s.%N)
  check_within 15 "$1: a finds b again" eval "[ \$(answers a) -gt $lines ]"
  at=$(grep 'bytes from' "$LAB/a.ping" | sed -n "$((lines + 1))s/^\[\([0-9.]*\)\].*/\1/p")
  jq -nr "\"$1: answered \($at - $began | . * 10 | round / 10) s after b's start, \($at - $up | . * 10 | round / 10) s after its link was seen up\""
}
back "restarted" TERM
back "killed" KILL
back "killed again at once" KILL
