#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# How large a packet may be between two nodes beyond a relay, by the MTU of the wires: what the arithmetic says goes
# without a fragment anywhere, one byte more is told its size; 1280 goes in any case, below in fragments outside;
# and TCP moves, between the nodes and between leaves whose interfaces carry 1420.
#
#   p (wireguard-go, leaf of a) -- a --(IPv4)-- r --(IPv6)-- b -- q (wireguard-go, leaf of b)
. "$(dirname "$0")/_init.sh"
need "$XYLEMD" "$XYLEM" iperf3 jq wireguard-go wg

make_key a b
make_wg_key p q
leaf_p=${LAB_NET[a]}::5 leaf_q=${LAB_NET[b]}::5
relay_lab 9000 9000
add_node p q
join p a
join q b
leaf_to() { # NODE GATEWAY LEAF WIRE
  start_wg "$1" 51820 < <(wg_peer "$2" "Endpoint = 10.9.$4.2:51820" "PersistentKeepalive = 1")
  wg_addr "$1" "$3/128" 200::/7
}
gateway() { # NODE LEAF ENDPOINT: whom it asks for a session itself, after its own restart
  sed -i "s|^peers = ( \(.*\) );|peers = ( \1, $(leaf_text "$2" "endpoint = \"$3:51820\"; allowed = [ \"${LAB_NET[$1]}::5/128\" ];") );|" "$LAB/$1.conf"
}
gateway a p 10.9.3.1
gateway b q 10.9.4.1
leaf_to p a "$leaf_p" 3
leaf_to q b "$leaf_q" 4

# That kernels and daemons made so far, on the way to b; b's kernel may cut its answer, for b's own interface.
fragments() {
  local node
  for node in a r; do
    in_node $node cat /proc/net/snmp /proc/net/snmp6 | awk '/^Ip: [0-9]/ { n += $20 } /^Ip6FragCreates/ { n += $2 } END { print n + 0 }'
    show $node ports | jq '[.ports[].tx_fragmented // 0] | add'
  done | awk '{ n += $1 } END { print n }'
}
passes() { pings a "${LAB_ADDR[b]}" -M 'do' -s $(($1 - 48)); }
told() { # SIZE MTU: one that is larger is answered with it
  local out
  out=$(in_node a ping -n -c 1 -W 1 -M 'do' -s $(($1 - 48)) "${LAB_ADDR[b]}" 2>&1) || true
  grep -E "mtu ?[=:] ?$2" <<<"$out"
}
moves() { # FROM TO ADDRESS
  flow "$1" "$2" "$3" 1 && at_least 200000 "$(flow_result .end.sum_received.bytes)"
}

# at WIRE-MTU TUN-MTU-OF-A LARGEST
at() {
  local wire=$1 tun=$2 largest=$3 node before
  for node in a r b; do [ -z "${LAB_PID[$node]}" ] || stop_node $node; done
  for node in to-r:a to-a:r to-b:r to-r:b; do ip -n "$LAB_PREFIX${node#*:}" link set "${node%:*}" mtu "$wire"; done
  for node in to-p:a to-a:p to-q:b to-b:q; do
    ip -n "$LAB_PREFIX${node#*:}" link set "${node%:*}" mtu $((wire < 1500 ? 1500 : wire))
  done
  for node in a r b; do
    ip -n "$LAB_PREFIX$node" route flush cache
    ip -n "$LAB_PREFIX$node" -6 route flush cache
    start_node $node
  done
  check_within 30 "$wire: a pings b" pings a "${LAB_ADDR[b]}"
  check_within 20 "$wire: a's interface carries $tun" eval "[ \$(show a node | jq .mtu) = $tun ]"
  check_within 30 "$wire: $largest bytes pass whole" passes "$largest"
  before=$(fragments)
  check "$wire: and again" passes "$largest"
  if [ "$wire" -ge 1500 ]; then
    check "$wire: in no fragment" same "$before" "$(fragments)"
    check "$wire: one more is told $largest" told $((largest + 1)) "$largest"
  else
    check "$wire: in fragments outside" test "$(fragments)" -gt "$before"
  fi
  check "$wire: TCP moves from a to b" moves a b "${LAB_ADDR[b]}"
  check "$wire: and back" moves b a "${LAB_ADDR[a]}"
  check_within 20 "$wire: leaf p is there" pings a "$leaf_p"
  check_within 20 "$wire: leaf q is there" pings b "$leaf_q"
  check_within 20 "$wire: leaves reach each other" pings p "$leaf_q"
  check "$wire: TCP moves from leaf to leaf" moves p q "$leaf_q"
  check "$wire: and back" moves q p "$leaf_p"
}
# Wire, less 60 and 72: rounded down to 16, a's interface; wire, less 80 (r to b is by IPv6) and 72: the path.
at 9000 8864 8848
at 1500 1360 1348
at 1400 1280 1280
at 1280 1280 1280
