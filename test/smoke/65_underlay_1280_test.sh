#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# An underlay of 1280 (a tunnel broker, a mobile line, another overlay) carries links of full size: 1352
# inside between nodes, 1280 to a leaf, in fragments, over either family, by sockets and by AF_XDP.
# Larger ones are answered with the true size.
#
#   a --(1280)-- r --(1280)-- p (wireguard-go, 1280)
. "$(dirname "$0")/_init.sh"
need "$XYLEMD" "$XYLEM" wireguard-go wg iperf3 jq

add_node a r p
join a r 1280
join p r 1280
make_key a r
make_wg_key p
leaf=${LAB_NET[r]}::5
card() { echo "ports = ( { driver = \"af_xdp\"; interface = \"$1\"; } );"; }
config() { # FAMILY PORTS-OF-A
  local ep=10.9.1.2:51820
  [ "$1" = 4 ] || ep="[fd09:1::2]:51820"
  configure a <<END
$2
peers = ( $(peer_text r "${LAB_KEY[r]}" "endpoint = \"$ep\";") );
host = { allow = "all"; mtu = 1420; };
END
}
configure r <<END
peers = ( $(peer_text a "${LAB_KEY[a]}"), $(leaf_text p "allowed = [ \"$leaf/128\" ];") );
END
told() { # of the true size, by a itself
  local out
  out=$(in_node a ping -n -c 1 -W 1 -M 'do' -s $((1400 - 48)) "${LAB_ADDR[r]}" 2>&1) || true
  grep -E "mtu ?[=:] ?1352" <<<"$out"
}
probed() { same probed "$(peer a r mtu_from)"; }
port() { show "$1" ports | jq "[.ports[].$2] | add"; }
forget() {
  ip -n "${LAB_PREFIX}a" route flush cache
  ip -n "${LAB_PREFIX}a" -6 route flush cache
}

round() { # WHAT FAMILY PORTS-OF-A
  local inside=$((1280 - ($2 == 4 ? 60 : 80)))
  forget
  config "$2" "$3"
  start_node a
  check_within 20 "$1: a pings r" pings a "${LAB_ADDR[r]}"
  check "$1: the link carries 1352" same 1352 "$(peer a r mtu)"
  check_within 20 "$1: and probing confirms what goes whole" probed
  check "$1: in fragments" same yes "$(peer a r fragments)"
  check "$1: above what goes whole" same "$inside" "$(peer a r unfragmented)"
  for size in $((inside - 1)) "$inside" $((inside + 1)) 1280 1337 1352; do
    check_within 5 "$1: $size bytes pass" pings a "${LAB_ADDR[r]}" -M 'do' -s $((size - 48))
  done
  check "$1: a sent fragments" at_least 3 "$(port a tx_fragmented)"
  check "$1: and got some" at_least 3 "$(port a rx_fragmented)"
  check_within 10 "$1: larger ones are told 1352" told
  check "$1: TCP" flow a r "${LAB_ADDR[r]}" 2
  check "$1: moves" at_least 1000000 "$(flow_result .end.sum_received.bytes)"
  check "$1: and the other way" flow a r "${LAB_ADDR[r]}" 2 -R
  check "$1: moves" at_least 1000000 "$(flow_result .end.sum_received.bytes)"
  check "$1: nothing failed to be sent" same 0 "$(($(drops a underlay_mtu) + $(drops r underlay_mtu)))"
  check_accounts
}
start_node r
round "sockets, IPv4" 4 ""
stop_node a
round "sockets, IPv6" 6 ""

start_wg p 0 <<<"$(wg_peer r 'Endpoint = 10.9.2.2:51820' 'PersistentKeepalive = 5')"
in_node p ip link set wg-p mtu 1280
wg_addr p "$leaf/128" 200::/7
check_within 20 "p pings r" pings p "${LAB_ADDR[r]}"
check "the leaf's link carries 1280" same 1280 "$(peer r p mtu)"
check_within 5 "1280 bytes from p to r and back" pings p "${LAB_ADDR[r]}" -M 'do' -s 1232
check_within 5 "and from r to p" pings r "$leaf" -M 'do' -s 1232
stop_node a

if [ "$XY_LAB_INSIDE" -eq 0 ]; then
  round "AF_XDP, IPv4" 4 "$(card to-r)"
  check "fragments passed the card's program" at_least 3 "$(show a ports | jq '[.ports[].steered.fragment] | add')"
  check "what is whole went by the card" at_least 1 "$(show a ports | jq '[.ports[].steered.ours] | add')"
  stop_node a
  round "AF_XDP, IPv6" 6 "$(card to-r)"
fi
