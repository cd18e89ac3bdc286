#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# A node behind a NAT has in its record where its peers see it, once two say the same; where the NAT makes a port for each
# peer it has not, and says so.
#
#   n (192.168.0.2) --- nat (1.2.3.1) --- switch --- p, q (1.2.3.2, 1.2.3.3)
. "$(dirname "$0")/_init.sh"
. "$(dirname "$0")/_fleet.sh"
need jq nft

add_node n nat switch p q
ip -n "${LAB_PREFIX}switch" link add bridge0 type bridge
ip -n "${LAB_PREFIX}switch" link set bridge0 up
plugged() { # NODE ADDRESS
  ip -n "${LAB_PREFIX}switch" link add "p-$1" type veth peer name out netns "$LAB_PREFIX$1"
  ip -n "${LAB_PREFIX}switch" link set "p-$1" master bridge0 up
  ip -n "$LAB_PREFIX$1" addr add "$2/24" dev out
  ip -n "$LAB_PREFIX$1" link set out up
}
plugged nat 1.2.3.1
plugged p 1.2.3.2
plugged q 1.2.3.3
ip -n "${LAB_PREFIX}nat" link add in type veth peer name out netns "${LAB_PREFIX}n"
ip -n "${LAB_PREFIX}nat" addr add 192.168.0.1/24 dev in
ip -n "${LAB_PREFIX}nat" link set in up
ip -n "${LAB_PREFIX}n" addr add 192.168.0.2/24 dev out
ip -n "${LAB_PREFIX}n" link set out up
in_node n ip route add default via 192.168.0.1
in_node nat sysctl -qw net.ipv4.ip_forward=1
nat_as() { # RULES: of what goes out by udp
  in_node nat nft -f - <<END
table ip nat {
  chain out {
    type nat hook postrouting priority srcnat;
$1
  }
}
END
}
nat_as 'oifname "out" ip protocol udp snat to 1.2.3.1:7000'
make_key n p q
mkdir "$LAB/fleet.d"
echo "fleet = { folder = \"$LAB/fleet.d\"; lifetime = 600; };" >"$LAB/fleet.conf"
for node in p q n; do
  echo "node_info = { name = \"$node\"; };" | configure $node
  start_node $node
  start_fleet $node
done
linked() { peer_up n p && peer_up n q; }
check_within 40 "n reaches both" linked

endpoints() { fleet "$1" | jq -r '.endpoints[]'; } # NODE: in its record
has() { endpoints "$1" | grep -qxF "$2"; }
check_within 60 "they see it at one port of the NAT: that is in its record" has n '1.2.3.1:7000 seen'
check "beside its own address" has n '192.168.0.2:51820 own'
check "that is said" grep -qF 'one port for all peers, who see it at 1.2.3.1:7000' "$LAB/n.log"
others() { fleet p | jq -e '.nodes[] | select(.name == "n") | .endpoints | index("1.2.3.1:7000 seen")'; }
check_within 30 "others read it" others
check "who is behind no NAT is seen at his own address, and nowhere else" same "1.2.3.2:51820 own" "$(endpoints p)"

# --- another NAT, with a port for each
stop_node n
end_fleet n
in_node nat nft delete table ip nat
ip -n "${LAB_PREFIX}n" addr flush dev out # what the NAT knows of before would go on
ip -n "${LAB_PREFIX}n" addr add 192.168.0.3/24 dev out
in_node n ip route replace default via 192.168.0.1
nat_as 'oifname "out" ip protocol udp ip daddr 1.2.3.2 snat to 1.2.3.1:7002
        oifname "out" ip protocol udp ip daddr 1.2.3.3 snat to 1.2.3.1:7003'
start_node n
start_fleet n
check_within 60 "by ports that differ, it is linked as well" linked
at() { show "$1" peers | jq -r '.peers[] | select(.name == "n") | .endpoint'; }
echo "n is at $(at p) for p, at $(at q) for q"
apart() { grep -qF 'gives this node another port for each peer' "$LAB/n.log"; }
check_within 60 "which is said" apart
check "and is not in its record" same "192.168.0.3:51820 own" "$(endpoints n)"
