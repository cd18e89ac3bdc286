#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# xylemd --autoconf, with no other argument, config or key: three nodes on one bridge find each other.
# Then discovery by the config: a known key without an endpoint, a stranger to a closed node, and an
# interface that comes late.
#
#   a   b   c         d
#   |   |   |  (net)  |       net: a bridge
. "$(dirname "$0")/_init.sh"
need "$XYLEMD" "$XYLEM"

add_node net a b c d e
ip -n net link add lan type bridge mcast_snooping 0
ip -n net link set lan up
plug() { # NODE
  ip -n "$1" link add eth0 type veth peer name "to-$1" netns net
  ip -n net link set "to-$1" master lan up
  ip -n "$1" link set eth0 up
}
for node in a b c d; do plug $node; done

# Each with a /run, /var/lib and /etc of its own: they all have the same name.
autoconf() { # NODE
  spawn "$1" "$LAB/$1.log" unshare --mount sh -c "
    mount -t tmpfs tmpfs /run && mount -t tmpfs tmpfs /var/lib &&
    { [ ! -d /etc/xylem ] || mount -t tmpfs tmpfs /etc/xylem; } && exec $XYLEMD --autoconf"
  LAB_PID[$1]=$LAB_SPAWNED
}
there() { nsenter --mount="/proc/${LAB_PID[$1]}/ns/mnt" "$XYLEM" show "${@:2}" --json; }
address() { there "$1" node | jq -r .address; }
for node in a b c; do autoconf $node; done
for node in a b c; do check_within 30 "$node runs" there $node node; done
peers_up() { [ "$(there "$1" peers | jq '[.peers[] | select(.state == "up" and .peering == "open")] | length')" = "$2" ]; }
for node in a b c; do check_within 60 "$node is linked with the two others" peers_up $node 2; done
for from in a b c; do
  for to in a b c; do
    [ $from = $to ] || check_within 20 "$from pings $to" pings $from "$(address $to)"
  done
done
check "a says where it looks" same '["eth0"]' "$(there a node | jq -c .discovery)"
check "and to whom it is open" same "open to the LAN" "$(there a node | jq -r .peering)"
check "its key is its own" same 600 "$(nsenter --mount="/proc/${LAB_PID[a]}/ns/mnt" stat -c %a /var/lib/xylem/xylem/key)"
# e is behind b: not on a's networks, and no neighbour
join e b
ip -n a addr add 10.8.0.1/24 dev eth0
ip -n b addr add 10.8.0.2/24 dev eth0
ip -n e route add 10.8.0.0/24 via 10.9.1.2
ip -n a route add 10.9.1.0/24 via 10.8.0.2
in_node b sh -c 'echo 1 >/proc/sys/net/ipv4/ip_forward'
check_within 10 "e's datagrams reach a" pings e 10.8.0.1
make_key e
configure e <<END
peers = ( { name = "a"; endpoint = "10.8.0.1:51820"; } );
END
start_node e
strange() { [ "$(there a drops | jq -r '.drops[] | select(.reason == "join_closed") | .packets')" -ge 2 ]; }
check_within 30 "to a it is a stranger, and gets no answer" strange
check "so it has no key of a" same asking "$(show e node | jq -r '.joining[0].state')"
check "a has two peers as before" peers_up a 2
stop_node e

# d is closed, and knows the key of f, which has no endpoint in any config
add_node f
make_key d f
configure d <<END
discovery = { interfaces = [ "eth0", "later0" ]; };
peers = ( $(peer_text f "${LAB_KEY[f]}") );
END
configure f <<END
discovery = { interfaces = [ "eth0" ]; };
peers = ( $(peer_text d "${LAB_KEY[d]}") );
END
start_node d
start_node f
check "f waits for its interface" same '[]' "$(show f node | jq -c .discovery)"
plug f
check_within 60 "d and f, without an endpoint, find each other by their keys" peer_up d f
check_within 20 "d pings f" pings d "${LAB_ADDR[f]}"
heard() { [ "$(drops d beacon_nobody)" -ge 1 ]; }
check_within 30 "d hears the others, and leaves them" heard
check "d has one peer" same 1 "$(show d peers | jq '.peers | length')"
ip -n f link set eth0 down
off() { [ "$(show f node | jq -c .discovery)" = '[]' ]; }
check_within 30 "an interface that goes down is left" off
ip -n f link set eth0 up
back() { [ "$(show f node | jq -c .discovery)" = '["eth0"]' ]; }
check_within 30 "and taken up again" back

for node in a b c; do
  balanced_there() { [ "$(there "$1" workers | jq -r '[.workers[].balance] | unique | join(",")')" = 0 ]; }
  check_within 10 "every packet of $node is accounted for" balanced_there $node
done
