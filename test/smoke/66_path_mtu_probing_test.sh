#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# A line of 1400 in the middle of the underlay whose routers tell nobody (ICMP filtered): probing finds
# it, TCP runs, packets up to 1352 pass in fragments. A leaf, which is not probed, is set by hand. A
# network that loses fragments is found out, and said.
#
#   a -- x --(1400)-- y -- r, and p (wireguard-go), a leaf of a, beside r
. "$(dirname "$0")/_init.sh"
need "$XYLEMD" "$XYLEM" wireguard-go wg iperf3 jq nft

add_node a x y r p
join a x
join x y 1400
join y r
join y p
make_key a r
make_wg_key p
for n in x y; do
  in_node $n sysctl -q net.ipv4.ip_forward=1
  in_node $n nft 'add table ip t; add chain ip t o { type filter hook output priority 0; }; add rule ip t o icmp type destination-unreachable drop'
done
route() { ip -n "$LAB_PREFIX$1" route add "$2" via "$3"; }
route a default 10.9.1.2
route x 10.9.3.0/24 10.9.2.2
route x 10.9.4.0/24 10.9.2.2
route y 10.9.1.0/24 10.9.2.1
route r default 10.9.3.1
route p 10.9.0.0/16 10.9.4.1
line() { # MTU of the middle
  ip -n "${LAB_PREFIX}x" link set to-y mtu "$1"
  ip -n "${LAB_PREFIX}y" link set to-x mtu "$1"
}
line 1500
leaf=${LAB_NET[a]}::5
config() { # SETTING of the leaf
  configure a <<END
peers = ( $(peer_text r "${LAB_KEY[r]}" 'endpoint = "10.9.3.2:51820";'),
  $(leaf_text p "allowed = [ \"$leaf/128\" ]; $1") );
END
}
config ""
configure r <<END
peers = ( $(peer_text a "${LAB_KEY[a]}") );
END
start_node r
start_node a
sizes() { # MTU FROM FRAGMENTS, of a's link to r
  same "$1 $2 $3" "$(peer a r mtu) $(peer a r mtu_from) $(peer a r fragments)"
}
check_within 20 "a pings r" pings a "${LAB_ADDR[r]}"
check_within 20 "what an ordinary path carries is confirmed: 1440" sizes 1440 probed no

line 1400
whole() { # NODE PEER: the search has come to its end
  pings "$1" "${LAB_ADDR[$2]}"
  same "probed 1340" "$(peer "$1" "$2" mtu_from) $(peer "$1" "$2" unfragmented)"
}
# The confirmation comes with traffic, every ten seconds, and then the search.
traffic() { pings a "${LAB_ADDR[r]}"; sizes "$@"; }
check_within 90 "the line is narrow: 1352, in fragments above" traffic 1352 probed yes
check_within 60 "1340 go whole" whole a r
check "and the log says so" grep -q 'peer r: the path carries .* bytes whole, less than the 1500' "$LAB/a.log"
check_within 10 "1344 bytes pass" pings a "${LAB_ADDR[r]}" -M 'do' -s 1296
check_within 10 "and 1352" pings a "${LAB_ADDR[r]}" -s 1304
check "TCP a -> r" flow a r "${LAB_ADDR[r]}" 3
check "moves" at_least 1000000 "$(flow_result .end.sum_received.bytes)"
check_within 90 "r has found it, too" whole r a
check "TCP r -> a" flow r a "${LAB_ADDR[a]}" 3
check "moves" at_least 1000000 "$(flow_result .end.sum_received.bytes)"

# Fragments are lost as well: then the link is as large as what goes whole, and that is said.
in_node y nft 'add chain ip t f { type filter hook prerouting priority -450; }; add rule ip t f ip frag-off & 0x3fff != 0 drop'
stop_node a
start_node a
check_within 120 "fragments are lost: 1340" traffic 1340 probed lost
check "and the log says what to do" grep -q 'peer r: fragments do not arrive' "$LAB/a.log"
in_node y nft delete chain ip t f

# A leaf is not probed; its link is set by hand.
start_wg p 0 <<<"$(wg_peer a 'Endpoint = 10.9.1.1:51820' 'PersistentKeepalive = 5')"
in_node p ip link set wg-p mtu 1280
wg_addr p "$leaf/128" 200::/7
check_within 20 "p pings a" pings p "${LAB_ADDR[a]}"
check "nobody knows of the narrow line: 1440 to the leaf" same "1440 interface" "$(peer a p mtu) $(peer a p mtu_from)"
by_hand() { same "1340 config" "$(peer a p mtu) $(peer a p mtu_from)"; }
config "mtu = 1340;"
kill -HUP "${LAB_PID[a]}"
check_within 10 "by hand: 1340" by_hand
check_within 10 "1340 bytes to the leaf" pings a "$leaf" -M 'do' -s 1292
check_accounts
