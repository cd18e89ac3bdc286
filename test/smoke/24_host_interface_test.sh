#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# xylem0 has address, MTU and route after the start; nothing of it is left after SIGTERM, nor after
# SIGKILL, and a restart works.
#
#   a ---- b
. "$(dirname "$0")/_init.sh"
need "$XYLEMD" "$XYLEM" jq

add_node a b
join a b
make_key a b
configure a <<END
host = { allow = "all"; addresses = [ "10.1.0.1/24" ]; };
peers = ( $(peer_text b "${LAB_KEY[b]}" 'endpoint = "[fd09:1::2]:51820";') );
END
configure b <<<"peers = ( $(peer_text a "${LAB_KEY[a]}") );"

addresses() { ip -n a -j addr show dev xylem0 | jq -r '.[0].addr_info[].local'; }
mtu() { ip -n a -j link show dev xylem0 | jq '.[0].mtu'; }
same_mtu() { same "$1" "$(mtu)"; }
interface_is_there() {
  addresses | grep -qx "${LAB_ADDR[a]}" && addresses | grep -qx 10.1.0.1 &&
    ip -n a -6 route show 200::/7 dev xylem0 | grep -q . && ip -n a link show dev xylem0 up | grep -q .
}
nothing_is_left() {
  ! ip -n a link show dev xylem0 2>/dev/null && ! ip -n a -6 route show table all | grep -i xylem &&
    ! ip -n a -6 route show 200::/7 | grep .
}
start_node b
start_node a
check_within 10 "address, more addresses, route and link are there" interface_is_there
# 1500 - 80 for a link inside IPv6 - 72 for end to end, rounded down to 16.
check_within 10 "the MTU is the smallest underlay's: 1344" same_mtu 1344
check "and the node says so" same 1344 "$(show a node | jq .mtu)"
check_within 20 "a pings b" pings a "${LAB_ADDR[b]}"

pid=${LAB_PID[a]}
code=0
kill -TERM "$pid"
check_within 5 "SIGTERM ends it soon" gone "$pid"
wait "$pid" || code=$?
LAB_PID[a]=
check "with exit code 0" same 0 "$code"
check "and leaves nothing" nothing_is_left
check_not "not even its folders in /run" ls -d /run/xylem/a /run/dpdk/xylem-a

start_node a
check_within 10 "a restart works" interface_is_there
stop_node a KILL
check "SIGKILL leaves nothing" nothing_is_left
start_node a
check_within 10 "a restart after SIGKILL works" interface_is_there
check_within 20 "and a pings b" pings a "${LAB_ADDR[b]}"
stop_node a
start_node a --no-tun
check "--no-tun makes no interface" nothing_is_left
check_within 20 "and holds its links" peer_up a b
