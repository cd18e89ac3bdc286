#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# A node gives addresses of its own /64 to the machines of its LAN; a leaf has one of it, too. All of
# them reach each other, and a node elsewhere reaches them.
#
#   l ---- r ---- b        l: a plain machine on r's LAN; p: r's leaf (wireguard-go)
#          |
#          p
. "$(dirname "$0")/_init.sh"
need "$XYLEMD" "$XYLEM" jq wg wireguard-go

add_node l r b p
join l r
join r b
join p r
make_key r b
make_wg_key p
net=${LAB_NET[r]} leaf=${LAB_NET[r]}:7::5
configure r <<END
peers = ( $(peer_text b "${LAB_KEY[b]}"), $(leaf_text p "allowed = [ \"$leaf/128\" ];") );
END
configure b <<<"peers = ( $(peer_text r "${LAB_KEY[r]}" 'endpoint = "10.9.2.1:51820";') );"
in_node r sysctl -qw net.ipv6.conf.all.forwarding=1
start_node r
start_node b
ip -n r addr add "$net::1:1/64" dev to-l nodad
ip -n l addr add "$net::1:9/64" dev to-r nodad
ip -n l route add 200::/7 via "$net::1:1"
start_wg p 51820 <<<"$(wg_peer r "Endpoint = 10.9.3.2:51820" "PersistentKeepalive = 1")"
wg_addr p "$leaf/128" 200::/7

check_within 20 "b reaches r" pings b "${LAB_ADDR[r]}"
check_within 10 "r reaches its LAN's machine" pings r "$net::1:9"
check_within 10 "b reaches it, too" pings b "$net::1:9"
check_within 10 "and it reaches b" pings l "${LAB_ADDR[b]}"
check_within 20 "r reaches its leaf, in the same /64" pings r "$leaf"
check_within 10 "so does b" pings b "$leaf"
# On its LAN a machine looks for all of the /64 there: r answers for the leaf.
in_node r sysctl -qw net.ipv6.conf.to-l.proxy_ndp=1
ip -n r neigh add proxy "$leaf" dev to-l
check_within 10 "so does the LAN's machine" pings l "$leaf"

stop_node r
ip -n r link show dev to-l >/dev/null
start_node r
check_within 20 "when the LAN has its addresses before the start, too: r reaches it" pings r "$net::1:9"
check_within 20 "and b" pings b "$net::1:9"
check_within 20 "and the leaf" pings b "$leaf"
