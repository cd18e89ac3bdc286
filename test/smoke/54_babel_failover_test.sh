#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Two relays between two hosts: flows are spread over both where they are alike, each in order, and a
# running TCP flow goes on over the other when the better one is killed.
#
#       r1
#      /  \
#     a    b
#      \  /
#       r2
. "$(dirname "$0")/_init.sh"
. "$(dirname "$0")/_mesh.sh"
. "$(dirname "$0")/_babel.sh"
need "$XYLEMD" "$XYLEM" jq iperf3

mesh_link a r1
mesh_link a r2
mesh_link r1 b
mesh_link r2 b
mesh_start

hops() { route_to "$1" "$2" 'peers | sort | join(" ")'; }
spread() { [ "$(hops "$1" "$2")" = "r1 r2" ]; }
carried() { show "$1" peers | jq -r '[.peers[].tx_packets] | add'; } # RELAY

check_within 60 "all reach each other" all_reach "${MESH[@]}"
check_within 60 "both relays are as good: a spreads over them" spread a b
check_within 60 "so does b" spread b a
before1=$(carried r1) before2=$(carried r2)
# From b to a: the receiving end is the one that tells of order.
check "a flow of datagrams passes" flow a b "${LAB_ADDR[b]}" 3 -R -u -b 50M -l 1000
check "all of it in order" same 0 "$(flow_result '[.end.streams[].udp.out_of_order] | add')"
moved1=$(($(carried r1) - before1)) moved2=$(($(carried r2) - before2))
echo "datagrams: $(flow_result .end.sum.packets), lost $(flow_result .end.sum.lost_packets); by r1 $moved1, by r2 $moved2 packets"
check "over one relay, not both" test $((moved1 > 10 * moved2)) != $((moved2 > 10 * moved1))
before1=$(carried r1) before2=$(carried r2)
check "sixteen flows at a time pass" flow a b "${LAB_ADDR[b]}" 3 -R -u -b 3M -l 1000 -P 16
check "each in order" same 0 "$(flow_result '[.end.streams[].udp.out_of_order] | add')"
moved1=$(($(carried r1) - before1)) moved2=$(($(carried r2) - before2))
echo "sixteen flows: by r1 $moved1, by r2 $moved2 packets"
check "over both relays" test $moved1 -gt 100 -a $moved2 -gt 100

# r2 becomes the worse one.
sed -i '/name = "r2"/s/name = "r2";/name = "r2"; cost = 200;/' "$LAB/a.conf" "$LAB/b.conf"
kill -HUP "${LAB_PID[a]}" "${LAB_PID[b]}"
only() { [ "$(hops a b)" = "$1" ] && [ "$(hops b a)" = "$1" ]; }
check_within 60 "the other costs more: r1 alone" only r1
start_flow a b "${LAB_ADDR[b]}" 40 -i 0.1
flowing() { [ "$(peer b r1 rx_bytes)" -gt 20000000 ]; }
check_within 30 "a TCP flow runs over r1" flowing
stop_node r1 KILL
check_within 60 "r1 is killed: r2 alone" only r2
# Not by Hellos: two of three would have to be missing, and then the neighbour is not asked any more.
for node in a b; do
  check "$node asked r1, and found it silent before its Hellos were missed" \
    same "1 silent" "$(neighbour $node r1 '| "\(.silences) \(.state)"')"
  echo "$node: $(neighbour $node r1 probes) probes"
done
end_flow || fail "the flow goes on"
echo "ok - $TEST: the flow goes on"
# The longest time without a byte, as the sender saw it, and what came after.
jq -r '[.intervals[].sum] as $i
  | reduce $i[] as $s ({gap: 0, most: 0, after: 0};
      if $s.bytes == 0 then .gap += $s.seconds else .gap = 0 end
      | if .gap > .most then .most = .gap | .after = 0 else .after += $s.bytes end)
  | "\(.most) \(.after)"' "$LAB/flow.json" >"$LAB/gap"
read -r gap after <"$LAB/gap"
echo "the flow stood still for $gap s; after it $after bytes"
check "it moved again" at_least 1000000 "${after%.*}"
# Without probes it is 13 to 17 s.
check "within 10 seconds" test "${gap%.*}" -lt 10
