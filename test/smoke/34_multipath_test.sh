#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Two routers lead from the relay to b, in IPv4 and IPv6. Each of them dies in turn, on a LAN (its
# neighbour entry fails) or with its wire (the link goes down): traffic goes on by the other, and by
# the first when that one dies after it. Multipath routes and groups of nexthop objects; r on
# sockets, then on AF_XDP.
#
#   a ---- r ==(near, a LAN; or a wire to each)== m1, m2 ==(far, a LAN)== b
. "$(dirname "$0")/_init.sh"
need "$XYLEMD" "$XYLEM" jq

# Seconds until traffic goes on: a dead neighbour is doubted, asked and given up meanwhile, and what
# came and went often, as b does here, is held back for up to a minute.
WAIT=90

sysctls() { # NODE NAME=VALUE...
  local node=$1
  shift
  in_node "$node" sysctl -qw "$@"
}
# A node's neighbours on an interface are doubted after seconds instead of half a minute.
impatient() { # NODE INTERFACE
  local family
  for family in ipv4 ipv6; do
    sysctls "$1" "net.$family.neigh.$2.base_reachable_time_ms=1000" \
      "net.$family.neigh.$2.delay_first_probe_time=1" "net.$family.neigh.$2.retrans_time_ms=200"
  done
}

# --- the lab

add_node a r m1 m2 b s
join a r
join r m1
join r m2
lan() { # LAN NUMBER NODE...: a switch in s; their interfaces are called as the LAN
  local lan=$1 number=$2 host=0 node
  shift 2
  ip -n "${LAB_PREFIX}s" link add "$lan" type bridge mcast_snooping 0
  ip -n "${LAB_PREFIX}s" link set "$lan" up
  for node in "$@"; do
    host=$((host + 1))
    ip -n "$LAB_PREFIX$node" link add "$lan" type veth peer name "$lan-$node" netns "${LAB_PREFIX}s"
    ip -n "${LAB_PREFIX}s" link set "$lan-$node" master "$lan" up
    set_wire "$node" "$lan" "10.9.$number.$host/24" "fd09:$number::$host/64"
  done
}
lan near 8 m1 m2 r
lan far 9 m1 m2 b
for m in m1 m2; do
  sysctls $m net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1 net.ipv6.conf.to-r.keep_addr_on_down=1
  ip -n "$LAB_PREFIX$m" route add 10.50.0.2 via 10.9.9.3
  ip -n "$LAB_PREFIX$m" -6 route add fd50::2 via fd09:9::3
done
for interface in near to-m1 to-m2; do impatient r $interface; done
impatient b far
# b has one address, by both routers. It answers to r's LAN by both, and to each wire of r by the
# router that has it.
ip -n "${LAB_PREFIX}b" addr add 10.50.0.2/32 dev lo
ip -n "${LAB_PREFIX}b" addr add fd50::2/128 dev lo nodad
b_ip() { ip -n "${LAB_PREFIX}b" "$@"; }
b_ip route add 10.9.8.0/24 nexthop via 10.9.9.1 nexthop via 10.9.9.2
b_ip -6 route add fd09:8::/64 nexthop via fd09:9::1 nexthop via fd09:9::2
for n in 1 2; do
  b_ip route add 10.9.$((n + 1)).0/24 via 10.9.9.$n
  b_ip -6 route add fd09:$((n + 1))::/64 via fd09:9::$n
done
sysctls b net.ipv4.fib_multipath_use_neigh=1

# --- r's routes to b

declare -A b_at=([4]=10.50.0.2 [6]=fd50::2)
r_ip() { ip -n "${LAB_PREFIX}r" "$@"; }
by() { # FAMILY near|wire 1|2: one of the routers, as r sees it, in `hop`
  local net=8 host=$3 interface=near
  [ "$2" = near ] || net=$(($3 + 1)) host=2 interface=to-m$3
  if [ "$1" = 4 ]; then hop=(via "10.9.$net.$host" dev "$interface"); else hop=(via "fd09:$net::$host" dev "$interface"); fi
}
route_plain() { # FAMILY near|wire
  local first
  by "$1" "$2" 1
  first=("${hop[@]}")
  by "$1" "$2" 2
  r_ip "-$1" route add "${b_at[$1]}" nexthop "${first[@]}" nexthop "${hop[@]}"
}
route_group() {
  local n
  for n in 1 2; do
    by "$1" "$2" $n
    r_ip "-$1" nexthop replace id $n "${hop[@]}"
  done
  r_ip nexthop replace id 3 group 1/2
  r_ip "-$1" route replace "${b_at[$1]}" nhid 3
}
route_none() { # FAMILY
  r_ip "-$1" route del "${b_at[$1]}" 2>/dev/null || true
  r_ip nexthop flush >/dev/null 2>&1 || true
}

# --- a router dies, and comes back

power() { # 1|2 near|wire up|down
  if [ "$2" = wire ]; then
    ip -n "${LAB_PREFIX}m$1" link set to-r "$3"
  else
    ip -n "${LAB_PREFIX}s" link set "near-m$1" "$3"
    ip -n "${LAB_PREFIX}s" link set "far-m$1" "$3"
  fi
}
# b's kernel, and r's when it is the kernel that chooses, do not ask again for a next hop that failed
# while another answers: a ping does.
is_back() { # 1|2 near|wire
  pings b 10.9.9.$1 && pings b fd09:9::$1 || return 1
  [ "$driver" = sockets ] || return 0
  [ "$2" = near ] || return 0
  pings r 10.9.8.$1 && pings r fd09:8::$1
}
# One ping may be lost to a choice that is about to change: five must pass.
goes_on() { in_node a ping -n -q -c 5 -i 0.2 -W 1 "${LAB_ADDR[b]}" | grep -q ' 5 received'; }
# The other one may have failed to answer for a moment, too, on a busy machine: see is_back.
goes_on_without() { # 1|2 near|wire
  is_back $((3 - $1)) "$2" || true
  goes_on
}
die_in_turn() { # FAMILY near|wire plain|group WHAT
  local n
  for n in 1 2; do
    power $n "$2" down
    check_within $WAIT "$4: without m$n traffic goes on" goes_on_without $n "$2"
    power $n "$2" up
    wait_for $WAIT is_back $n "$2" || fail "$4: m$n is back"
    # A nexthop object is gone with its link.
    [ "$2$3" != wiregroup ] || route_group "$1" wire
  done
}

# --- the runs

run() { # sockets|af_xdp PORTS
  local driver=$1 family where routes what
  for family in 4 6; do
    local at=${b_at[$family]}
    [ $family = 4 ] || at="[$at]"
    configure r <<END
$2
peers = ( $(peer_text a "${LAB_KEY[a]}"),
  $(peer_text b "${LAB_KEY[b]}" "endpoint = \"$at:51820\"; keepalive = 1;") );
END
    for where in near wire; do
      for routes in plain group; do
        what="$1, IPv$family, $where, $routes"
        route_$routes $family $where
        # Both begin anew: to who saw b come and go a dozen times, it is held back for a minute each time.
        start_node r
        start_node a
        check_within $WAIT "$what: a pings b" goes_on
        die_in_turn $family $where $routes "$what"
        [ "$driver" = sockets ] || check_within 20 "$what: r sends by its cards" by_card
        check_accounts
        stop_node a
        stop_node r
        route_none $family
      done
    done
  done
}
by_card() { # ten packets and their answers leave r's kernel out
  local before
  before=$(kernel_udp r)
  in_node a ping -n -q -c 10 -i 0.02 -W 2 "${LAB_ADDR[b]}" >/dev/null
  [ $(($(kernel_udp r) - before)) -le 5 ]
}

make_key a r b
configure a <<END
peers = ( $(peer_text r "${LAB_KEY[r]}" 'endpoint = "10.9.1.2:51820"; keepalive = 1;') );
END
configure b <<<"peers = ( $(peer_text r "${LAB_KEY[r]}") );"
start_node b
# The kernel chooses for sockets; it looks at neighbours when it is told to.
sysctls r net.ipv4.fib_multipath_use_neigh=1
run sockets ""
[ "$XY_LAB_INSIDE" -eq 0 ] || exit 0 # AF_XDP needs root
sysctls r net.ipv4.fib_multipath_use_neigh=0
card() { echo "{ driver = \"af_xdp\"; interface = \"$1\"; }"; }
run af_xdp "ports = ( $(card to-a), $(card near), $(card to-m1), $(card to-m2) );"
