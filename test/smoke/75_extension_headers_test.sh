#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# A host whose sockets put IPv6 extension headers before TCP and UDP: what the kernel hands to xylem0 in
# segments of up to 64 KB is cut right, and nothing of it is bad.
#
#   a ---- b
. "$(dirname "$0")/_init.sh"
need "$XYLEMD" "$XYLEM" jq python3

add_node a b
join a b
make_key a b
configure a <<<"peers = ( $(peer_text b "${LAB_KEY[b]}" 'endpoint = "[fd09:1::2]:51820";') );"
configure b <<<"peers = ( $(peer_text a "${LAB_KEY[a]}") );"
start_node b
start_node a
check_within 20 "a pings b" pings a "${LAB_ADDR[b]}"

cat >"$LAB/talk.py" <<'END'
import socket, struct, sys
ROUNDS, BLOCK = 64, 65536
DST, GSO = 59, 103
pad = bytes([0, 0, 1, 4, 0, 0, 0, 0])  # destination options: PadN
def block(i):
    return struct.pack(">I", i) * (BLOCK // 4)
role, kind, at = sys.argv[1:4]
stream = kind.startswith("tcp")
s = socket.socket(socket.AF_INET6, socket.SOCK_STREAM if stream else socket.SOCK_DGRAM)
if role == "listen":
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.bind((at, 7000))
    s.settimeout(60)
    if stream:
        s.listen()
        c, _ = s.accept()
        c.settimeout(60)
        for i in range(ROUNDS):
            got = b""
            while len(got) < BLOCK:
                more = c.recv(BLOCK - len(got))
                if not more:
                    sys.exit("ends early")
                got += more
            if got != block(i):
                sys.exit("block %d differs" % i)
        c.send(b"whole")
    else:
        got, peer = s.recvfrom(2000)
        while got != block(1)[:1000]:
            got, peer = s.recvfrom(2000)
        s.sendto(b"whole", peer)
    sys.exit(0)
s.setsockopt(socket.IPPROTO_IPV6, DST, pad)
s.settimeout(1 if not stream else 60)
s.connect((at, 7000))
for i in range(ROUNDS if stream else 10):
    if stream:
        s.sendall(block(i))
        continue
    try:  # a lost datagram is sent again
        s.sendmsg([block(1)[:8000]], [(socket.SOL_UDP, GSO, struct.pack("H", 1000))])
    except OSError as e:
        print("this kernel sends no segments with options:", e)
        sys.exit(77)
    try:
        if s.recv(10) == b"whole":
            sys.exit(0)
    except socket.timeout:
        pass
sys.exit(0 if stream and s.recv(10) == b"whole" else "no answer")
END
talk() { # KIND
  local code=0
  spawn b "$LAB/talk-b.log" python3 "$LAB/talk.py" listen "$1" "${LAB_ADDR[b]}"
  wait_for 20 bound "$1"
  in_node a timeout 90 python3 "$LAB/talk.py" call "$1" "${LAB_ADDR[b]}" || code=$?
  end_process "$LAB_SPAWNED" || true
  [ "$code" != 77 ] || code=0
  return "$code"
}
bound() {
  local how=-Hlun
  [ "$1" != tcp ] || how=-Hltn
  in_node b ss "$how" "sport = :7000" | grep -q .
}
check "TCP behind destination options arrives whole" talk tcp
check "in large segments: packets were cut" test "$(show a workers | jq '[.workers[].split] | add')" -gt 500
check "UDP segments behind destination options arrive whole" talk udp
check "nothing of it was bad" same 0 "$(drops a host_bad)"
