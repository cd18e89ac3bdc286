#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Packets of a running relay are captured: of a link, before and after opening, of a port, what is dropped and why,
# of the host. tshark reads it. Bad input is answered in words, a client that is killed keeps nothing, and traffic
# goes on meanwhile.
. "$(dirname "$0")/_init.sh"
. "$(dirname "$0")/_mesh.sh"
. "$(dirname "$0")/_steer.sh"
need "$XYLEMD" "$XYLEM" jq tshark

mesh_link a r
mesh_link r b
mesh_start
check_within 60 "all reach each other" all_reach a b r

FILE=$LAB/r.pcapng
# No capture waits for ever.
steer() { in_node "$1" timeout 20 "$XYLEM" "${@:2}" -n "$LAB_PREFIX$1"; }
ping_on() { in_node a ping -6 -q -i 0.1 -s 200 "${LAB_ADDR[b]}" >/dev/null 2>&1 & pinger=$!; }
ping_off() { kill "$pinger"; wait "$pinger" 2>/dev/null || true; }
dissect() { tshark -n -r "$FILE" "$@" 2>"$LAB/tshark.log"; }
interfaces() { dissect -T fields -e frame.interface_name | sort -u | paste -sd, -; }
comments() { dissect -T fields -e frame.comment | sort -u | paste -sd, -; }
none() { [ -z "$(dissect -Y "$1")" ]; }
some() { [ -n "$(dissect -Y "$1")" ]; }

ping_on
check "as lines" told 'links in (peer a): ' 0 r capture a -c 40 --opened
check "they say what is sealed" grep -qE "^[0-9:.]{15} links (in|out) \(peer a\): ${LAB_ADDR[a]} > ${LAB_ADDR[b]}, sealed end to end, [0-9]+ bytes$" "$SAID"
check "and how many it were" grep -qF "40 packets, 0 lost" "$SAID"

check "opened, into a file" told "10 packets, 0 lost" 0 r capture a --opened -c 10 -w "$FILE"
check "that is its owner's alone" same 600 "$(stat -c %a "$FILE")"
check "at the links" same links "$(interfaces)"
check "of that peer" same "peer a" "$(comments)"
check "are packets of the mesh" none '!ipv6'
check "in both directions" some 'frame.p2p_dir == 1 || ipv6'

check "sealed" told "10 packets" 0 r capture a --sealed -c 10 -w "$FILE"
check "at the port" same "port 0" "$(interfaces)"
check "are WireGuard's" none '!(udp.port == 51820)'
check "and nothing is malformed" none '_ws.malformed || udp.checksum.status == "Bad" || ip.checksum.status == "Bad"'
check "a port's, of all peers" told "10 packets" 0 r capture port 0 -c 10 -w "$FILE"
check "are a's and b's" grep -qE "peer a,peer b" <(comments)

steer r capture --opened -c 5 -w - 2>/dev/null >"$LAB/piped"
check "into a pipe" same 5 "$(tshark -n -r "$LAB/piped" 2>/dev/null | wc -l)"
check "nothing of the host passes here" grep -qF "0 packets" <(in_node r timeout -s INT 2 "$XYLEM" capture --host -w /dev/null -n "${LAB_PREFIX}r" 2>&1)
ping_off
in_node a ping -6 -q -i 0.1 "${LAB_ADDR[r]}" >/dev/null 2>&1 & pinger=$!
check "the host's" told "host to_host" 0 r capture --host -c 4
ping_off

# --- what is dropped
in_node a ip -6 route add fd00:1::/32 dev xylem0
in_node a ping -6 -q -i 0.2 fd00:1::1 >/dev/null 2>&1 & pinger=$!
check "by its reason" told "drops drop (drop no_route)" 0 a capture drop no_route -c 2
check "into a file" told "3 packets" 0 a capture drop -c 3 -w "$FILE"
check "with the reason" grep -qF "drop no_route" <(comments)
ping_off

# --- one at a time, and it ends with who began it
ping_on
spawn r "$LAB/first" "$XYLEM" capture -n "${LAB_PREFIX}r" -w /dev/null
first=$LAB_SPAWNED
check_within 10 "another is refused, with whose it is" told "(uid $(id -u), pid $first) captures already" 1 r capture -c 1
kill -KILL $first
wait "$first" 2>/dev/null || true
check_within 20 "killed, it is over soon" told "1 packets" 0 r capture -c 1
check "said in the log" logged r "nobody asked for its packets any more"
ping_off
check "all is accounted for" same 0 "$(show r workers | jq '[.workers[].balance] | add')"

# --- who reads it may rest, and the file is its owner's alone
in_node a ping -6 -q -i 0.01 -s 1200 "${LAB_ADDR[b]}" >/dev/null 2>&1 & pinger=$!
spawn r "$LAB/slow" bash -c "$XYLEM capture --sealed -n ${LAB_PREFIX}r -w - 2>$LAB/slow.err | (sleep 9; cat >$LAB/slow.pcapng)"
sleep 8
check "it goes on" told "captures already" 1 r capture -c 1
kill -TERM "$(pgrep -f "capture --sealed -n ${LAB_PREFIX}r -w -$")"
check_within 10 "and ends when it is told" grep -qF " packets, " "$LAB/slow.err"
ping_off
: >"$LAB/open.pcapng"
chmod 644 "$LAB/open.pcapng"
ln -s "$LAB/open.pcapng" "$LAB/link.pcapng"
check "a link is not followed" told 'is a symbolic link' 1 r capture -w "$LAB/link.pcapng"
ping_on
check "a file that was there" told "2 packets" 0 r capture -c 2 -w "$LAB/open.pcapng"
check "is not others' to read" same 600 "$(stat -c %a "$LAB/open.pcapng")"
ping_off

# --- bad input
check "no such peer" told 'no peer "rr"' 1 r capture rr
check "no such reason" told 'no packet is dropped as spooofed; did you mean spoofed' 1 r capture drop spooofed
check "no such port" told 'no port 9' 1 r capture port 9
check "a port is a number" told 'write a number' 2 r capture port eth0
check "which port" told 'capture port: which one?' 2 r capture port
check "a count is one or more" told 'write a number of packets' 2 r capture -c 0
check "two peers" told 'one peer at a time' 2 r capture a b
check "no such folder" told 'No such file' 1 r capture -w "$LAB/none/file"
check "after that it is free" told '' 0 r capture a --sealed -c 1
