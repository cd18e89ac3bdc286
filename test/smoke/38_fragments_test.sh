#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# IPv4 datagrams that may be fragmented pass a narrow link between gateways, both ways: the gateway
# before it cuts them, the device at the other end puts them together. Those that may not are
# answered.
#
#   p (wireguard-go, 1420) --(1500)-- r (gateway) --(1450)-- s (gateway) --(1500)-- q (1420)
. "$(dirname "$0")/_init.sh"
need "$XYLEMD" "$XYLEM" wireguard-go wg tcpdump /usr/bin/python3

add_node p r s q
join p r
join r s 1450
join s q
make_key r s
make_wg_key p q
configure r <<END
host = { allow = "all"; addresses = [ "10.1.1.1/32" ]; };
peers = ( $(leaf_text p 'allowed = [ "10.1.1.5/32" ];'), $(peer_text s "${LAB_KEY[s]}") );
routes = ( { prefix = "10.1.2.0/24"; peer = "s"; } );
END
configure s <<END
host = { allow = "all"; addresses = [ "10.1.2.1/32" ]; };
peers = ( $(leaf_text q 'allowed = [ "10.1.2.6/32" ];'),
  $(peer_text r "${LAB_KEY[r]}" 'endpoint = "10.9.2.1:51820";') );
routes = ( { prefix = "10.1.1.0/24"; peer = "r"; } );
END
start_node r
start_node s
device() { # NODE ADDRESS GATEWAY ENDPOINT
  start_wg "$1" 0 <<END
[Peer]
PublicKey = ${LAB_KEY[$3]}
AllowedIPs = 10.1.0.0/16
Endpoint = $4:51820
PersistentKeepalive = 5
END
  wg_addr "$1" "$2/32" 10.1.0.0/16
}
device p 10.1.1.5 r 10.9.1.2
device q 10.1.2.6 s 10.9.3.1
check_within 20 "r and s are linked" peer_up r s
check "the link between them carries 1390" same 1390 "$(peer r s mtu)"
check_within 20 "p pings q" pings p 10.1.2.6

cat >"$LAB/echo.py" <<'END'
# echo.py ADDRESS: answers what comes to port 4000, and says so.
import socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.setsockopt(socket.IPPROTO_IP, 10, 0)  # IP_MTU_DISCOVER: IP_PMTUDISC_DONT, no DF
s.bind((sys.argv[1], 4000))
print("ready", flush=True)
while True:
    s.sendto(*s.recvfrom(65535))
END
cat >"$LAB/ask.py" <<'END'
# ask.py ADDRESS: datagrams of many sizes there and back, none with DF; each must come back as it was.
import os, socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.setsockopt(socket.IPPROTO_IP, 10, 0)
s.settimeout(2)
s.connect((sys.argv[1], 4000))
for size in list(range(1355, 1375)) + [1392, 1400, 2000, 4000, 8192]:
    data, answer = os.urandom(size), None
    for attempt in range(5):
        s.send(data)
        try:
            while answer != data:
                answer = s.recv(65535)
            break
        except socket.timeout:
            pass
    if answer != data:
        sys.exit("%d bytes did not come back" % size)
END
spawn q "$LAB/echo-q" /usr/bin/python3 "$LAB/echo.py" 10.1.2.6
spawn p "$LAB/echo-p" /usr/bin/python3 "$LAB/echo.py" 10.1.1.5
for node in p q; do wait_for 20 grep -q ready "$LAB/echo-$node"; done

# Each gateway's own: how many packets became more.
cut() { show "$1" workers | jq '[.workers[].split] | add'; }
capture q wg-q ip src 10.1.1.5
r_before=$(cut r) s_before=$(cut s)
check "UDP of up to 8 KB without DF, from p to q and back" in_node p timeout 120 /usr/bin/python3 "$LAB/ask.py" 10.1.2.6
check "UDP of up to 8 KB without DF, from q to p and back" in_node q timeout 120 /usr/bin/python3 "$LAB/ask.py" 10.1.1.5
check "a ping of 8 KB without DF" pings p 10.1.2.6 -M dont -s 8000
check "and the other way" pings q 10.1.1.5 -M dont -s 8000
check "none was too big" same 0 "$(($(drops r too_big) + $(drops s too_big)))"
check "r cut packets" at_least $((r_before + 20)) "$(cut r)"
check "s cut packets" at_least $((s_before + 20)) "$(cut s)"
end_capture q wg-q
larger() { tcpdump -n -r "$LAB/q-wg-q.pcap" 'ip[2:2] > 1390' 2>/dev/null | wc -l; }
pieces() { tcpdump -n -r "$LAB/q-wg-q.pcap" 'ip[6:2] & 0x1fff > 0' 2>/dev/null | wc -l; }
check "q got fragments" at_least 20 "$(pieces)"
check "none larger than the narrow link carries" same 0 "$(larger)"
check "and put together what it got" at_least 1 \
  "$(in_node q nstat -asz IpReasmOKs | awk '/IpReasmOKs/ { print $2 }')"
# The underlay carried whole datagrams.
for node in r s; do
  check "no fragment in $node's underlay" same 0 \
    "$(in_node $node nstat -asz IpFragCreates IpReasmReqds | awk '/^Ip/ { n += $2 } END { print n + 0 }')"
done

before=$(drops r too_big)
told() {
  local out
  out=$(in_node p ping -n -c 1 -W 1 -M 'do' -s 1390 10.1.2.6 2>&1) || true
  grep -E 'mtu ?[=:] ?1390' <<<"$out"
}
check_within 10 "with DF, p is told of 1390" told
check "and r counts it" at_least $((before + 1)) "$(drops r too_big)"
check "1390 bytes with DF pass" pings p 10.1.2.6 -M 'do' -s 1362
