#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# A narrow link in the middle of the underlay: its router's ICMP errors reach a's sockets, a's links
# adapt, and those who send through a are told. The same with a on AF_XDP, where the kernel sent
# nothing of what the errors are about. A forged error does not take a link below the 1352 bytes inside
# that it carries in any case. No routes are exchanged, so nothing is probed.
#
#   c -- a -- x --(1450)-- y -- r   (a to r over IPv4)
#                            -- s   (a to s over IPv6)
. "$(dirname "$0")/_init.sh"
need "$XYLEMD" "$XYLEM" iperf3 jq /usr/bin/python3

add_node c a x y r s
join c a
join a x
join x y 1450
join y r
join y s
for node in x y; do
  in_node $node sysctl -q net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1
done
way() { # NODE GATEWAY4 GATEWAY6
  ip -n "$LAB_PREFIX$1" route add default via "$2"
  ip -n "$LAB_PREFIX$1" route add default via "$3"
}
way a 10.9.2.2 fd09:2::2
way x 10.9.3.2 fd09:3::2
for net in "10.9.2.0/24 via 10.9.3.1" "fd09:2::/64 via fd09:3::1"; do
  # shellcheck disable=SC2086  # words
  ip -n "${LAB_PREFIX}y" route add $net
done
way r 10.9.4.1 fd09:4::1
way s 10.9.5.1 fd09:5::1
make_key c a r s

to_a() { # NODE ENDPOINT OTHER...: a leaf of the tree, everything goes to a
  local far routes=''
  for far in "${@:3}"; do routes+=", $(beyond "$far" a)"; done
  configure "$1" <<END
peers = ( $(peer_text a "${LAB_KEY[a]}" "endpoint = \"$2:51820\"; babel = \"no\";") );
routes = ( { prefix = "200::/7"; peer = "a"; }$routes );
host = { allow = "all"; mtu = 1344; };
END
}
to_a c 10.9.1.2 r s
to_a r 10.9.2.1 c
to_a s "[fd09:2::1]" c
config_a() { # PORTS
  configure a <<END
$1
peers = ( $(peer_text c "${LAB_KEY[c]}" 'babel = "no";'),
  $(peer_text r "${LAB_KEY[r]}" 'babel = "no"; endpoint = "10.9.4.2:51820";'),
  $(peer_text s "${LAB_KEY[s]}" 'babel = "no"; endpoint = "[fd09:5::2]:51820";') );
host = { allow = "all"; mtu = 1420; };
END
}
# What ICMP told the kernel; else the second round would begin with it.
forget() {
  ip -n "${LAB_PREFIX}$1" route flush cache
  ip -n "${LAB_PREFIX}$1" -6 route flush cache
}

told() { # PEER MTU: a ping of full size from c is answered with this path MTU, by a
  local out
  out=$(in_node c ping -n -c 1 -W 1 -M 'do' -s $((1344 - 48)) "${LAB_ADDR[$1]}" 2>&1) || true
  grep -E "mtu ?[=:] ?$2" <<<"$out"
}
carries() { same "$2" "$(peer a "$1" mtu)"; }
# A router's "fragmentation needed: 600" about a datagram from a to r that nobody sent.
forge() {
  in_node x /usr/bin/python3 - <<'END'
import socket, struct
def checksum(b):
    s = sum(struct.unpack("!%dH" % (len(b) // 2), b))
    s = (s >> 16) + (s & 0xffff)
    return ~((s >> 16) + s) & 0xffff
a, r = socket.inet_aton("10.9.2.1"), socket.inet_aton("10.9.4.2")
ip = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 1400, 1, 0x4000, 63, 17, 0, a, r)
quote = ip[:10] + struct.pack("!H", checksum(ip)) + ip[12:] + struct.pack("!4H", 51820, 51820, 1380, 0)
icmp = struct.pack("!BBHHH", 3, 4, 0, 0, 600) + quote
icmp = icmp[:2] + struct.pack("!H", checksum(icmp)) + icmp[4:]
socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP).sendto(icmp, ("10.9.2.1", 0))
END
}
forged_to() { forge && carries r "$1"; }

round() { # WHAT
  for node in c a r s; do forget $node; done
  start_node a
  for node in c r s; do start_node $node; done # they know of no path
  for peer in c r s; do check_within 40 "$1: a and $peer are linked" peer_up a $peer; done
  check_within 20 "$1: c pings r" pings c "${LAB_ADDR[r]}"
  check_within 20 "$1: c pings s" pings c "${LAB_ADDR[s]}"
  check "$1: nobody knows of the narrow link: 1440 to r" carries r 1440
  check "$1: 1420 to s" carries s 1420
  # 1450 - 60 and 1450 - 80, and end to end 72 less
  check_within 20 "$1: c is told of 1318 to r" told r 1318
  check_within 20 "$1: and of 1298 to s" told s 1298
  check "$1: a's link to r carries 1390" carries r 1390
  check "$1: that to s 1370" carries s 1370
  for peer in r s; do
    forget c
    check "$1: TCP from c to $peer goes on" flow c $peer "${LAB_ADDR[$peer]}" 2
    check "$1: and moves" at_least 1000000 "$(flow_result .end.sum_received.bytes)"
    check "$1: TCP from $peer to c, too" flow $peer c "${LAB_ADDR[c]}" 2
    check "$1: and moves" at_least 1000000 "$(flow_result .end.sum_received.bytes)"
  done
  check_within 20 "$1: a forged 600 leaves room for 1352" forged_to 1352
  check "$1: c still pings r" pings c "${LAB_ADDR[r]}"
  check_accounts
}

config_a ""
round sockets
for node in c r s; do stop_node $node; done

# What ICMP told expires: here after 5 seconds in place of 10 minutes. It is looked at twice a minute.
forget a
in_node a sysctl -q net.ipv4.route.mtu_expires=5
forge
check_within 60 "it expires: 1440 to r" carries r 1440
in_node a sysctl -q net.ipv4.route.mtu_expires=600
stop_node a

if [ "$XY_LAB_INSIDE" -eq 0 ]; then
  card() { echo "{ driver = \"af_xdp\"; interface = \"$1\"; }"; }
  config_a "ports = ( $(card to-c), $(card to-x) );"
  round AF_XDP
  check "a sent by AF_XDP" test "$(show a ports | jq '[.ports[].steered.ours] | add')" -gt 1000
fi
