#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# A wire between a relay and b goes silent, with its carrier there and no error told, under a flow that is sealed from a
# to b. It goes on by the other relay, in the same session; and back when the wire is heard again.
#
#       p
#     /   \      p is the better way; p to b falls silent
#   a       b
#     \   /
#       q
. "$(dirname "$0")/_init.sh"
. "$(dirname "$0")/_mesh.sh"
need "$XYLEMD" "$XYLEM" jq nft

export EXTRA_a='suite = "chacha";' EXTRA_b='suite = "chacha";' # no session is changed for another suite
mesh_link a p
mesh_link p b
mesh_link a q "cost = 300;" "cost = 300;"
mesh_link q b "cost = 300;" "cost = 300;"
mesh_start
both_by() { goes_by a b "$1" && goes_by b a "$1"; }
check_within 60 "a and b speak by p" both_by p
check_within 20 "a pings b" pings a "${LAB_ADDR[b]}"
knows_both() { [ "$(show "$1" route "${LAB_NET[$2]}::/64" | jq '.babel | length')" = 2 ]; }
check_within 30 "a knows the way by q, too" knows_both a b
check_within 30 "b, too" knows_both b a

index() { # of what a seals for b in
  show a sessions | jq -r --arg b "${LAB_ADDR[b]}" \
    '[.sessions[] | select(.kind == "end to end" and .address == $b and .use == "current") | .index] | join(",")'
}
spawn a "$LAB/ping" ping -n -D -i 0.1 "${LAB_ADDR[b]}"
answers() { grep -c 'bytes from' "$LAB/ping" || true; }
goes_on() {
  local lines
  lines=$(answers)
  wait_for 40 eval "[ \$(answers) -gt $((lines + 10)) ]"
}
check "the flow goes" goes_on
before=$(index)
check "sealed for b" test -n "$before"

deafen() { # NODE INTERFACE: it hears nothing there, and says so to nobody
  in_node "$1" nft "add table inet cut; add chain inet cut in { type filter hook prerouting priority -400; };
    add rule inet cut in iifname \"$2\" drop;"
}
lines=$(answers)
deafen p to-b
deafen b to-p
check_within 60 "the wire is silent: a and b speak by q" both_by q
carrier() { ip -n "$LAB_PREFIX$1" -j link show "$2" | jq -e '.[0].flags | index("LOWER_UP")' >/dev/null; }
check "the carrier is there" eval "carrier p to-b && carrier b to-p"
check "the flow goes on" goes_on
gap=$(sed -n 's/^\[\([0-9.]*\)\] .*bytes from.*/\1/p' "$LAB/ping" | tail -n "+$lines" |
  awk 'NR > 1 && $1 - last > most { most = $1 - last } { last = $1 } END { printf "%.1f\n", most }')
echo "the flow stood still for $gap s"
check "within 25 seconds" test "${gap%.*}" -lt 25
same_session() { # after ten seconds without an answer WireGuard asks for another
  [ "${gap%.*}" -ge 10 ] || check "in the session of before" same "$before" "$(index)"
}
same_session

in_node p nft delete table inet cut
in_node b nft delete table inet cut
check_within 60 "the wire is heard again: by p" both_by p
check "the flow goes on" goes_on
same_session
