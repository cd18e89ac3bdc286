#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Checksums of what a card sends over IPv4: a stateless NAT64 drops UDP that has none (RFC 7915, section
# 4.5; tayga does), so a link through it comes up only where they are made. Frames whose IPv4 header was
# damaged on their way are drops with a name.
#
#   c --(IPv6)-- n (tayga) --(IPv4)-- r (AF_XDP)
. "$(dirname "$0")/_init.sh"
need "$XYLEMD" "$XYLEM" jq tayga tcpdump /usr/bin/python3
[ "$XY_LAB_INSIDE" -eq 0 ] || skip "AF_XDP needs root"

add_node c n r
join c n
join n r
make_key c r
in_node n sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1
mkdir "$LAB/tayga"
cat >"$LAB/tayga.conf" <<END
tun-device nat64
ipv4-addr 192.168.255.1
prefix fd64::/96
dynamic-pool 192.168.255.0/24
data-dir $LAB/tayga
END
in_node n tayga -c "$LAB/tayga.conf" --mktun >/dev/null
in_node n ip link set nat64 up
in_node n ip addr add 10.9.2.77/32 dev nat64
in_node n ip addr add fd09:77::1/128 dev nat64
in_node n ip route add 192.168.255.0/24 dev nat64
in_node n ip route add fd64::/96 dev nat64
spawn n "$LAB/tayga.log" tayga -c "$LAB/tayga.conf" --nodetach
in_node c ip route add fd64::/96 via fd09:1::2
in_node r ip route add 192.168.255.0/24 via 10.9.2.1
check_within 10 "the kernels reach each other through the NAT64" pings c fd64::10.9.2.2

card() { # SETTING...: r's config
  configure r <<END
ports = ( { driver = "af_xdp"; interface = "to-n"; $* } );
peers = ( $(peer_text c "${LAB_KEY[c]}") );
END
}
card
configure c <<END
peers = ( $(peer_text r "${LAB_KEY[r]}" 'endpoint = "[fd64::a09:202]:51820";') );
END
capture n to-r udp port 51820 and src host 10.9.2.2
start_node r
start_node c
check_within 40 "a link through the NAT64 comes up" peer_up c r
check_within 20 "c pings r" pings c "${LAB_ADDR[r]}"
check "r took it by AF_XDP" at_least 1 "$(show r ports | jq '.ports[0].steered.ours')"
end_capture n to-r
sums() { tcpdump -vv -n -r "$LAB/n-to-r.pcap" 2>/dev/null | grep -oE '\[(no cksum|udp sum ok|bad udp cksum)' | sort -u; }
check "each datagram of r's has a checksum that is right" same "[udp sum ok" "$(sums)"

# Frames for r with an IPv4 header that was damaged: the time to live is another than what was summed.
damaged() { # COUNT
  in_node n /usr/bin/python3 - to-r "$(in_node r ip -j link show dev to-n | jq -r ".[0].address")" "$1" <<'END'
import socket, struct, sys
name, mac, count = sys.argv[1], bytes.fromhex(sys.argv[2].replace(":", "")), int(sys.argv[3])
ip = bytearray(struct.pack("!BBHHHBBH4s4s", 0x45, 0, 60, 0, 0, 64, 17, 0, socket.inet_aton("10.9.2.1"), socket.inet_aton("10.9.2.2")))
s = sum(struct.unpack("!10H", ip)); s = (s & 0xffff) + (s >> 16)
struct.pack_into("!H", ip, 10, ~s & 0xffff)
ip[8] = 63
udp = struct.pack("!HHHH", 4000, 51820, 40, 0) + b"\x04\0\0\0" + bytes(28)
raw = socket.socket(socket.AF_PACKET, socket.SOCK_RAW); raw.bind((name, 0))
for _ in range(count):
    raw.send(mac + bytes(6) + b"\x08\0" + ip + udp)
END
}
before=$(drops r bad_header_sum)
check "damaged frames are sent" damaged 5
dropped() { same $((before + 5)) "$(drops r bad_header_sum)"; }
check_within 10 "r drops them by name" dropped
check "and goes on" pings c "${LAB_ADDR[r]}"

# Without checksums there is no way through, as the option says.
check_accounts
stop_node r
card 'checksum = "none";'
start_node r
restarted() { [ "$(show r ports | jq '.ports[0].tx_packets')" -ge 1 ]; }
check_within 40 "r answers without checksums" restarted
check_not "and nothing comes through" pings c "${LAB_ADDR[r]}"
