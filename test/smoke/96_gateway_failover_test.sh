#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Two gateways announce one network; a node that accepts both of them uses the better one, each packet sealed for it.
# That one is killed, and a flow goes on by the other; it comes back, and is the better one again. The relay between
# accepts nothing, and a stranger's 10.0.0.0/8 and a better-looking 10.2.0.0/24 are used by nobody.
#
#          +-- g (10.2.0.0/24)
#   u -- r +-- h (10.2.0.0/24, costs more)
#          +-- s (10.0.0.0/8 and 10.2.0.0/24: whom nobody accepts)
. "$(dirname "$0")/_init.sh"
. "$(dirname "$0")/_mesh.sh"
need "$XYLEMD" "$XYLEM" jq

make_key u g h s
export EXTRA_u="host = { allow = \"all\"; addresses = [ \"10.1.0.1/32\" ]; };
routing = { announce = [ \"10.1.0.1/32\" ]; accept = ( { key = \"${LAB_KEY[g]}\"; prefix = \"10.2.0.0/24\"; },
  { key = \"${LAB_KEY[h]}\"; prefix = \"10.2.0.0/24\"; } ); };"
gateway="host = { allow = \"all\"; addresses = [ \"10.2.0.1/32\" ]; };
routing = { announce = [ \"10.2.0.0/24\" ]; accept = ( { key = \"${LAB_KEY[u]}\"; prefix = \"10.1.0.1/32\"; } ); };"
export EXTRA_g="$gateway" EXTRA_h="$gateway"
export EXTRA_s="host = { allow = \"all\"; addresses = [ \"10.2.0.1/32\", \"10.7.0.1/32\" ]; };
routing = { announce = [ \"10.0.0.0/8\", \"10.2.0.0/24\", \"10.2.0.1/32\" ]; };"
mesh_link u r
mesh_link g r
mesh_link h r "cost = 300;" "cost = 300;"
mesh_link s r
mesh_start

by() { # GATEWAY: whose route u uses for the network
  [ "$(show u routes | jq -r '[.routes[] | select(.prefix == "10.2.0.0/24" and .source == "learned") | .origin] | join(",")')" = "${LAB_KEY[$1]}" ]
}
far() { # GATEWAY: u has carried packets to it, end to end
  show u sessions | jq -r "[.sessions[] | select(.kind == \"end to end\" and .address == \"${LAB_ADDR[$1]}\") | .rx_bytes] | add // 0"
}
check_within 60 "all reach each other" all_reach u g h s
check_within 60 "u uses the better gateway" by g
check_within 20 "u pings the network" pings u 10.2.0.1 -I 10.1.0.1
spawn u "$LAB/ping" ping -n -D -i 0.1 -I 10.1.0.1 10.2.0.1
answers() { grep -c 'bytes from' "$LAB/ping" || true; }
goes_on() {
  local lines
  lines=$(answers)
  wait_for 30 eval "[ \$(answers) -gt $((lines + 20)) ]"
}
check "a flow goes" goes_on
check "which the better gateway answers" at_least 2000 "$(far g)"
check "and not the other" same 0 "$(far h | awk '{ print ($1 > 1500) }')"

of() { # NAME TEXT: what u says of that gateway: whether it is used, by whom, and why not
  [ "$(show u gateways 10.2.0.0/24 |
    jq -r ".gateways[] | select(.prefix == \"10.2.0.0/24\" and .address == \"${LAB_ADDR[$1]}\") | \"\(.used) by \(.via): \(.why_not)\"")" = "$2" ]
}
check_within 30 "show gateways: the better one is used" of g "true by r: null"
check_within 30 "the other is not, for it is further" of h "false by r: further than ${LAB_KEY[g]:0:8}..."
check_within 30 "nor is the stranger's" of s "false by r: not accepted: routing.accept does not name it"

nowhere() { # NODE PREFIX: it does not use it
  [ "$(show "$1" routes | jq "[.routes[] | select(.prefix == \"$2\" and .source == \"learned\" and .kind != \"reject\")] | length")" = 0 ]
}
for prefix in 10.0.0.0/8 10.2.0.1/32; do
  heard() { show u route $prefix | jq -e '.babel | length > 0'; }
  check_within 30 "u has heard of the stranger's $prefix" heard
  for node in u r g h; do check "$node does not use $prefix" nowhere $node $prefix; done
done
check "nor does the relay anything of 10.2.0.0/24" nowhere r 10.2.0.0/24
check "nor of u's" nowhere r 10.1.0.1/32
check_not "what only the stranger has is not reached" pings u 10.7.0.1 -I 10.1.0.1

lines=$(answers)
stop_node g KILL
check_within 60 "the better one is killed: u uses the other" by h
check "the flow goes on" goes_on
# The longest time without an answer, of those behind the kill.
gap=$(sed -n 's/^\[\([0-9.]*\)\] .*bytes from.*/\1/p' "$LAB/ping" | tail -n "+$lines" |
  awk 'NR > 1 && $1 - last > most { most = $1 - last } { last = $1 } END { printf "%.1f\n", most }')
echo "the flow stood still for $gap s"
check "within 20 seconds" test "${gap%.*}" -lt 20
check "the other gateway answers it" at_least 1000 "$(far h)"
start_node g
check_within 60 "it comes back, and is the better one" by g
check "the flow goes on" goes_on
check "nobody refused anything of it as not its own" same "0 0 0" "$(for node in u r h; do drops $node source_not_allowed; done | xargs)"
