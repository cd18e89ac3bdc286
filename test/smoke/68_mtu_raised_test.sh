#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# The underlay's MTU is raised while the daemon runs: its packet buffers are those of the start, so no link
# is said to carry more than they hold, and nothing larger is probed, which would be taken for a black hole.
#
#   a --(1500, then 9000)-- b
. "$(dirname "$0")/_init.sh"
need "$XYLEMD" "$XYLEM" jq

add_node a b
join a b
make_key a b
configure a <<<"peers = ( $(peer_text b "${LAB_KEY[b]}" 'endpoint = "[fd09:1::2]:51820";') );"
configure b <<<"peers = ( $(peer_text a "${LAB_KEY[a]}") );"
start_node b
start_node a
check_within 20 "a pings b" pings a "${LAB_ADDR[b]}"
sizes() { # IN_ALL WHOLE, by probing
  pings a "${LAB_ADDR[b]}"
  same "$1 $2 probed" "$(peer a b mtu) $(peer a b unfragmented) $(peer a b mtu_from)"
}
check_within 30 "the path is confirmed: 1420" sizes 1420 1420
ip -n a link set to-b mtu 9000
ip -n b link set to-a mtu 9000
check_within 60 "it carries as much as a packet buffer holds: 1500" sizes 1500 1500
check "what xylem0 takes passes" pings a "${LAB_ADDR[b]}" -s 1376
check_not "nobody took it for a black hole" grep -q 'the path carries .* bytes whole, less than' "$LAB/a.log"
