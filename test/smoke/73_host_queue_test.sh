#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# What this host sends faster than the workers take, the kernel drops before any of them sees it: that
# is counted, and said.
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
host() { show a ports | jq ".hosts[0].$1"; }
warned() { grep -q 'drops packets of this host' <<<"$(show a node | jq -r '.warnings[]')"; }
send() { # DATAGRAMS
  in_node a python3 - "$1" "${LAB_ADDR[b]}" <<'END'
import socket, sys
s = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
for i in range(int(sys.argv[1])):
    s.sendto(b"x" * 100, (sys.argv[2], 9))
END
}

check_within 20 "a pings b" pings a "${LAB_ADDR[b]}"
check "there is a row for the host interface" same '"xylem0"' "$(host host)"
check "that has room" same 0 "$(host rx_missed)"
check_not "and no warning" warned
kill -STOP "${LAB_PID[a]}" # nobody takes anything
send 3000
kill -CONT "${LAB_PID[a]}"
check_within 20 "what had no room is counted" eval '[ "$(host rx_missed)" -ge 2000 ]'
check "as the kernel has it" same "$(ip -n a -s -j link show dev xylem0 | jq '.[0].stats64.tx.dropped')" "$(host rx_missed)"
check_within 20 "that is logged" grep -q 'xylem0: the kernel dropped' "$LAB/a.log"
check "and shown as a warning" warned
check "the table has it" grep -q '^xylem0 ' <<<"$(xylem show ports -n a)"
stop_node b
stop_node a
start_node a --no-tun
check "--no-tun has no such row" same 0 "$(show a ports | jq '.hosts | length')"
