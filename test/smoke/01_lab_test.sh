#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# The lab itself: two wireguard-go over a wire. What fails here is not Xylem's fault.
#
#   a ---- b
. "$(dirname "$0")/_init.sh"
need wireguard-go wg iperf3 jq

add_node a b
join a b
make_wg_key a b
start_wg a 0 <<END
[Peer]
PublicKey = ${LAB_WG_KEY[b]}
AllowedIPs = 2f0::b/128
Endpoint = 10.9.1.2:51820
END
start_wg b 51820 <<END
[Peer]
PublicKey = ${LAB_WG_KEY[a]}
AllowedIPs = 2f0::a/128
END
wg_addr a 2f0::a/128 2f0::b/128
wg_addr b 2f0::b/128 2f0::a/128

check "the wire carries IPv4" pings a 10.9.1.2
check "the wire carries IPv6" pings a fd09:1::2
check_within 15 "wireguard-go talks to wireguard-go" pings a 2f0::b
check "iperf3 runs" flow a b 2f0::b 1
check "and moved something" at_least 1 "$(flow_result '.end.sum_received.bytes')"
check_not "what is not routed does not answer" pings a 2f0::c
