#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# AF_XDP while the underlay changes: the relay's neighbour gets another hardware address, the way
# moves to another router, addresses change, interfaces flap and go. Each time traffic goes on, and by
# AF_XDP again; while a card is gone, by a socket port.
#
#   a --- r === s (a router, two wires) --- b          a, r, b: Xylem; r's ports are on its wire to a,
#                                                       on the first to s, and a socket
. "$(dirname "$0")/_init.sh"
need "$XYLEMD" "$XYLEM" jq
[ "$XY_LAB_INSIDE" -eq 0 ] || skip "AF_XDP needs root"

add_node a r s b
join a r            # 10.9.1.0/24
join r s            # 10.9.2.0/24
join s b            # 10.9.3.0/24
add_second() { # 10.9.4.0/24
  ip -n "${LAB_PREFIX}r" link add to-s2 type veth peer name to-r2 netns "${LAB_PREFIX}s"
  set_wire r to-s2 10.9.4.1/24 fd09:4::1/64
  set_wire s to-r2 10.9.4.2/24 fd09:4::2/64
}
add_second
in_node s sysctl -qw net.ipv4.ip_forward=1
ip -n "${LAB_PREFIX}b" route add default via 10.9.3.1
ip -n "${LAB_PREFIX}r" route add default via 10.9.2.2
make_key a r b
card() { echo "{ driver = \"af_xdp\"; interface = \"$1\"; }"; }
configure r <<END
ports = ( $(card to-a), $(card to-s), { port = 51821; } );
peers = ( $(peer_text a "${LAB_KEY[a]}"), $(peer_text b "${LAB_KEY[b]}" 'endpoint = "10.9.3.2:51820";') );
END
configure a <<END
ports = ( $(card to-r) );
peers = ( $(peer_text r "${LAB_KEY[r]}" 'endpoint = "10.9.1.2:51820";') );
routes = ( { prefix = "200::/7"; peer = "r"; } );
END
configure b <<END
peers = ( $(peer_text r "${LAB_KEY[r]}" 'keepalive = 2;') );
routes = ( { prefix = "200::/7"; peer = "r"; } );
END
for node in r a b; do start_node $node; done
check_within 20 "a pings b through r, s forwards" pings a "${LAB_ADDR[b]}"

r_ip() { ip -n "${LAB_PREFIX}r" "$@"; }
s_ip() { ip -n "${LAB_PREFIX}s" "$@"; }
sends_by_card() { # NODE: while ten packets and their answers pass
  local before
  before=$(kernel_udp "$1")
  in_node a ping -n -q -c 10 -i 0.02 -W 2 "${LAB_ADDR[b]}" >/dev/null
  [ $(($(kernel_udp "$1") - before)) -le 5 ]
}
by_card() { sends_by_card r; }
check_within 10 "r sends by its cards, not by its kernel" by_card
check_not "b, on sockets, by its kernel" sends_by_card b

start_flow a b "${LAB_ADDR[b]}" 8 -u -b 2M -l 1000
s_ip link set to-r down
s_ip link set to-r address 02:00:00:00:aa:01 up
check_within 20 "the router has another hardware address" pings a "${LAB_ADDR[b]}"
check_within 20 "r sends there by its card" by_card

s_ip addr add 10.9.2.77/24 dev to-r
r_ip route replace default via 10.9.2.77
check_within 20 "the default route leads elsewhere" pings a "${LAB_ADDR[b]}"
check_within 20 "r follows by its card" by_card
code=0
end_flow || code=$?
check "a flow went on all the while" same 0 "$code"
flow_result '.end.sum | "\(.packets) datagrams through both changes, \(.lost_packets) lost"'
s_ip addr del 10.9.2.77/24 dev to-r
r_ip route replace default via 10.9.2.2

r_ip addr del 10.9.2.1/24 dev to-s
r_ip addr add 10.9.2.9/24 dev to-s
r_ip route replace default via 10.9.2.2
check_within 30 "r has another address" pings a "${LAB_ADDR[b]}"
there() { [[ $(peer b r endpoint) == 10.9.2.9:* ]]; }
check_within 20 "b sees it there" there
check_within 20 "and by its card" by_card

before=$(show r ports | jq '[.ports[].steered.ours] | add')
for _ in 1 2 3; do
  r_ip link set to-s down
  sleep 0.3
  r_ip link set to-s up
  r_ip route replace default via 10.9.2.2
  check_within 30 "after a flap it goes on" pings a "${LAB_ADDR[b]}"
done
check_within 20 "by its card" by_card
check "what comes still comes by AF_XDP" at_least $((before + 10)) "$(show r ports | jq '[.ports[].steered.ours] | add')"

r_ip link del to-s
waits() { [ "$(show r ports | jq '.ports | length')" = 2 ]; }
check_within 10 "the interface is gone, and its port" waits
check "r says so" grep -q 'to-s: the interface is gone' "$LAB/r.log"
check "the other port goes on" pings a "${LAB_ADDR[r]}"
check_not "b is out of reach" pings a "${LAB_ADDR[b]}"
by_socket() { show r ports | jq '[.ports[] | select(.driver == "socket") | .tx_packets] | add'; }
before=$(by_socket)
r_ip route replace default via 10.9.4.2
check_within 30 "by the second wire, which has no card, a pings b" pings a "${LAB_ADDR[b]}"
check "and ten times more" pings a "${LAB_ADDR[b]}" -c 10 -i 0.02
check "by the socket port" at_least $((before + 11)) "$(by_socket)"
there() { [[ $(peer b r endpoint) == 10.9.4.1:51821 ]]; }
check_within 20 "b sees r at the socket's port" there
r_ip link add to-s mtu 1500 type veth peer name to-r mtu 1500 netns "${LAB_PREFIX}s"
set_wire r to-s 10.9.2.1/24 fd09:2::1/64
set_wire s to-r 10.9.2.2/24 fd09:2::2/64
r_ip route replace default via 10.9.2.2
back() { [ "$(show r ports | jq '.ports | length')" = 3 ]; }
check_within 10 "it comes back, and its port" back
check_within 40 "and traffic" pings a "${LAB_ADDR[b]}"
check_within 20 "by its card" by_card
check_accounts
