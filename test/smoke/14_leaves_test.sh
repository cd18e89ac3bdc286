#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Two stock WireGuard devices talk through their gateway, in IPv6 and IPv4, and none of them may
# send from an address that is not its own, not even one whose `allowed` says ::/0: that is all but
# the mesh.
#
#   p (wireguard-go) --(IPv4)-- r (gateway) --(IPv6)-- q (wireguard-go)
. "$(dirname "$0")/_init.sh"
need "$XYLEMD" "$XYLEM" wireguard-go wg iperf3

add_node p r q
join p r
join r q
make_key r
make_wg_key p q
net=${LAB_NET[r]}
configure r <<END
host = { allow = "all"; addresses = [ "10.1.0.1/24" ]; };
peers = ( $(leaf_text p "allowed = [ \"$net::5/128\", \"10.1.0.5/32\", \"::/0\" ];"),
  $(leaf_text q "allowed = [ \"$net::6/128\", \"10.1.0.6/32\" ];") );
END
start_node r
start_wg p 0 <<<"$(wg_peer r 'Endpoint = 10.9.1.2:51820')"
start_wg q 0 <<<"$(wg_peer r 'Endpoint = [fd09:2::1]:51820' 'PersistentKeepalive = 5')"
wg_addr p "$net::5/128" 200::/7
wg_addr p 10.1.0.5/32 10.1.0.0/24
wg_addr q "$net::6/128" 200::/7
wg_addr q 10.1.0.6/32 10.1.0.0/24

check_within 20 "the gateway knows q" peer_up r q
check_within 20 "p pings q" pings p "$net::6"
check "q pings p" pings q "$net::5"
check "p pings q over IPv4" pings p 10.1.0.6
check "p pings the gateway over IPv4" pings p 10.1.0.1
check "iperf3 runs from p to q" flow p q "$net::6" 2
check "iperf3 runs from q to p over IPv4" flow q p 10.1.0.5 2

before=$(drops r source_not_allowed)
ip -n p addr add "$net::66/128" dev wg-p nodad
check_not "p gets no answer as another address" pings p "$net::6" -I "$net::66"
check "the gateway counts it as source_not_allowed" at_least $((before + 1)) "$(drops r source_not_allowed)"
ip -n p addr add "$net::6/128" dev lo nodad
ip -n p route add "${LAB_ADDR[r]}/128" dev wg-p
before=$(drops r source_not_allowed)
check_not "nor as the other leaf" pings p "${LAB_ADDR[r]}" -I "$net::6"
check "which is counted, too" at_least $((before + 1)) "$(drops r source_not_allowed)"
ip -n p addr del "$net::6/128" dev lo

before=$(drops r spoofed)
ip -n p addr add "${LAB_ADDR[r]}/128" dev lo nodad
check_not "nor as the gateway itself" pings p "$net::6" -I "${LAB_ADDR[r]}"
check "which is counted as spoofed" at_least $((before + 1)) "$(drops r spoofed)"
ip -n p addr del "${LAB_ADDR[r]}/128" dev lo

before=$(drops r source_not_allowed)
ip -n p addr add 27f:b2c5:a944:4dad::7/128 dev lo nodad
check_not "nor as a node elsewhere" pings p "$net::6" -I 27f:b2c5:a944:4dad::7
check "which is counted, too" at_least $((before + 1)) "$(drops r source_not_allowed)"
