#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Packets of full size, each length modulo 16, without one fragment in the underlay: padding stops
# at the link's MTU. 1420 inside IPv6 at 1500 is WireGuard's default.
#
#   p (wireguard-go, 1420) --(IPv6, 1500)-- r (gateway) --(IPv6, 1500)-- q (wireguard-go, 1420)
#                                           r --(IPv6, 1500)-- a (Xylem)
. "$(dirname "$0")/_init.sh"
need "$XYLEMD" "$XYLEM" wireguard-go wg

add_node p r q a
join p r
join r q
join r a
make_key r a
make_wg_key p q
net=${LAB_NET[r]}
configure r <<END
peers = ( $(peer_text a "${LAB_KEY[a]}"),
  $(leaf_text p "allowed = [ \"$net::5/128\" ];"), $(leaf_text q "allowed = [ \"$net::6/128\" ];") );
END
configure a <<END
peers = ( $(peer_text r "${LAB_KEY[r]}" 'endpoint = "[fd09:3::1]:51820";') );
routes = ( { prefix = "200::/7"; peer = "r"; } );
host = { allow = "all"; mtu = 1420; };
END
start_node r
start_node a
start_wg p 0 <<<"$(wg_peer r 'Endpoint = [fd09:1::2]:51820')"
start_wg q 0 <<<"$(wg_peer r 'Endpoint = [fd09:2::1]:51820' 'PersistentKeepalive = 5')"
wg_addr p "$net::5/128" 200::/7
wg_addr q "$net::6/128" 200::/7
check_within 20 "q is up" peer_up r q
check_within 20 "p pings q" pings p "$net::6"
check_within 20 "p pings a" pings p "${LAB_ADDR[a]}"
check "wireguard-go's interface carries 1420" same 1420 "$(in_node p cat /proc/sys/net/ipv6/conf/wg-p/mtu)"

sizes() { # NODE ADDRESS: packets of 1405 to 1420 bytes (48 of them are headers)
  local size
  for size in $(seq 1405 1420); do
    pings "$1" "$2" -M 'do' -s $((size - 48)) || {
      echo "$size bytes did not pass"
      return 1
    }
  done
}
check "1405 to 1420 bytes from leaf to leaf" sizes p "$net::6"
check "1405 to 1420 bytes from leaf to node" sizes p "${LAB_ADDR[a]}"
check "1405 to 1420 bytes from node to leaf" sizes a "$net::5"

fragments() { in_node "$1" awk '$1 ~ /^(Ip6FragCreates|Ip6FragFails|Ip6ReasmReqds)$/ { n += $2 } END { print n + 0 }' /proc/net/snmp6; }
for node in p r q a; do
  check "no fragment at $node" same 0 "$(fragments "$node")"
done
