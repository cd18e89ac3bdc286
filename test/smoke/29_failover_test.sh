#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# A peer with several endpoints: one that does not answer is passed over, and when the one in use
# goes silent the next is tried.
#
#   a ==(two wires)== r
. "$(dirname "$0")/_init.sh"
need "$XYLEMD" "$XYLEM"
export XYLEM_TEST_TIMERS="rekey_timeout=1,keepalive=2"

add_node a r
join a r
# The second wire goes between the same two, by other names.
ip -n a link add wire2 type veth peer name wire2 netns r
set_wire a wire2 10.9.2.1/24 fd09:2::1/64
set_wire r wire2 10.9.2.2/24 fd09:2::2/64
make_key a r
configure r <<<"peers = ( $(peer_text a "${LAB_KEY[a]}") );"
configure a <<END
peers = ( $(peer_text r "${LAB_KEY[r]}" \
  'endpoints = [ "10.9.1.99:51820", "10.9.1.2:51820", "[fd09:2::2]:51820" ]; keepalive = 1;') );
END
start_node r
start_node a
check_within 40 "the endpoint that does not answer is passed over" pings a "${LAB_ADDR[r]}"
in_use=$(peer a r endpoint)
echo "in use: $in_use"
case $in_use in
10.9.1.2:*) cut=to-r other='[fd09:2::2]:51820' ;;
*) cut=wire2 other=10.9.1.2:51820 ;;
esac
ip -n a link set $cut down
check_within 60 "the next one is taken when it goes silent" pings a "${LAB_ADDR[r]}"
check "it is the other one" same "$other" "$(peer a r endpoint)"
