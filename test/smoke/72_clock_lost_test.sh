#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# A router without a battery clock reboots: its clock is a day in the past, its state folder was on a
# tmpfs, and its provider gave it another address. The peer refuses its time stamps, says so, and asks it
# in turn.
#
#   a (clock back, state lost, new address) ---- r
. "$(dirname "$0")/_init.sh"
need "$XYLEMD" "$XYLEM"
export XYLEM_TEST_TIMERS="rekey_timeout=2,keepalive=3"

add_node a r
join a r
make_key a r
configure r <<<"peers = ( $(peer_text a "${LAB_KEY[a]}") );"
configure a <<<"peers = ( $(peer_text r "${LAB_KEY[r]}" 'endpoint = "10.9.1.2:51820";') );"
start_node r
start_node a
check_within 20 "a pings r" pings a "${LAB_ADDR[r]}"
stop_node a
rm -rf "$LAB/a.state"
ip -n a addr del 10.9.1.1/24 dev to-r
ip -n a addr add 10.9.1.3/24 dev to-r
XYLEM_TEST_CLOCK=-86400 start_node a
check_within 20 "r says whose handshakes it refuses, and why" grep -q \
  'peer a: its handshake from 10.9.1.3:51820 is refused: the time stamp, .* its clock was set back' "$LAB/r.log"
check_within 40 "a reaches r all the same: r has asked it" pings a "${LAB_ADDR[r]}"
check "at its new address" same 10.9.1.3:51820 "$(peer r a endpoint)"
check_within 10 "a is told of its clock" grep -q 'peer r: its time stamps say .*, our clock' "$LAB/a.log"
check "the trouble is over" same null "$(peer r a trouble)"
