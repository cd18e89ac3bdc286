#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# The relay's cards are DPDK's: af_packet towards a, a TAP towards b, each with its twin in the kernel,
# where the addresses, ARP and ND are.
#
#   a --(to-r, to-a: af_packet, twin xa)-- r --(TAP xt, moved to b; twin xb)-- b
. "$(dirname "$0")/_init.sh"
need "$XYLEMD" "$XYLEM" iperf3 jq
[ "$XY_LAB_INSIDE" -eq 0 ] || skip "af_packet needs root"

add_node a r b
ip -n "${LAB_PREFIX}a" link add to-r type veth peer name to-a netns "${LAB_PREFIX}r"
set_wire a to-r 10.9.1.1/24 fd09:1::1/64
# The sums of what a's kernel sends are left to a card that is not there.
in_node a ethtool -K to-r tx off >/dev/null
# The device's own interface is no way into r's kernel: what comes by it is DPDK's.
in_node r sysctl -qw net.ipv6.conf.to-a.disable_ipv6=1 net.ipv4.conf.to-a.arp_ignore=8 net.ipv4.conf.to-a.rp_filter=1
ip -n "${LAB_PREFIX}r" link set to-a up
make_key a r b
configure r <<END
ports = (
  { driver = "dpdk"; device = "net_af_packet0,iface=to-a"; interface = "xa"; },
  { driver = "dpdk"; device = "net_tap0,iface=xt"; interface = "xb"; }
);
peers = ( $(peer_text a "${LAB_KEY[a]}"), $(peer_text b "${LAB_KEY[b]}") );
END
configure a <<END
peers = ( $(peer_text r "${LAB_KEY[r]}" 'endpoint = "10.9.1.2:51820";') );
routes = ( { prefix = "200::/7"; peer = "r"; } );
END
configure b <<END
peers = ( $(peer_text r "${LAB_KEY[r]}" 'endpoint = "10.9.2.1:51820";') );
routes = ( { prefix = "200::/7"; peer = "r"; } );
END
start_node r
set_wire r xa 10.9.1.2/24 fd09:1::2/64
set_wire r xb 10.9.2.1/24 fd09:2::1/64
ip -n "${LAB_PREFIX}r" link set xt netns "${LAB_PREFIX}b"
ip -n "${LAB_PREFIX}b" link set xt address 02:00:00:00:0b:02
set_wire b xt 10.9.2.2/24 fd09:2::2/64
check_within 10 "a reaches r's kernel through the twin" pings a 10.9.1.2
check_within 10 "r's kernel reaches b through the twin" pings r 10.9.2.2
check_within 10 "in IPv6, too" pings b fd09:2::1
start_node a
start_node b
check_within 30 "a pings b through r" pings a "${LAB_ADDR[b]}"
check "iperf3 runs from a to b" flow a b "${LAB_ADDR[b]}" 2
echo "TCP through af_packet and TAP: $(flow_result '.end.sum_received.bits_per_second / 1e6 | floor') Mbit/s"
check "they have no descriptor: an idle worker naps" same "polled, naps of 100 us" \
  "$(show r ports | jq -r '[.ports[].idle] | unique | join(",")')"
check "r shows its devices" same "net_af_packet xa,net_tap, checksums xb" \
  "$(show r ports | jq -r '[.ports[] | "\(.mode) \(.interface)"] | join(",")')"
check_accounts
ip -n "${LAB_PREFIX}r" link del xb
said() { grep -q 'xb: somebody deleted the TAP that stands for net_tap0' "$LAB/r.log"; }
check_within 10 "a twin that somebody deletes is said" said
check "the other card goes on" pings a "${LAB_ADDR[r]}"
stop_node r
check_not "the twins went with r" ip -n "${LAB_PREFIX}r" link show xa
