#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# A peer whose endpoint is a name: found late, then at another address; and datagrams that carry a
# firewall mark go by the routes for it.
#
#   a ---- r (two wires: 10.9.1.0/24 and 10.9.2.0/24)
. "$(dirname "$0")/_init.sh"
need "$XYLEMD" "$XYLEM"

add_node a r
join a r
set_second() { # a second wire between the same two
  ip -n a link add second type veth peer name second netns r
  set_wire a second 10.9.2.1/24 fd09:2::1/64
  set_wire r second 10.9.2.2/24 fd09:2::2/64
}
set_second
make_key a r
: >"$LAB/hosts"
mount --bind "$LAB/hosts" /etc/hosts
name_is() { echo "$1 relay.test" >"$LAB/hosts"; }

configure r <<END
peers = ( $(peer_text a "${LAB_KEY[a]}") );
END
configure a <<END
peers = ( $(peer_text r "${LAB_KEY[r]}" 'endpoint = "relay.test:51820"; keepalive = 1;') );
END
export XYLEM_TEST_TIMERS=rekey_timeout=1,rekey_attempt=4,rekey_after=3,reject_after=6,keepalive=1
start_node r
start_node a
check "a name that nobody knows yet stops nothing" show a node
check_not "no link meanwhile" peer_up a r
unresolved() { [ "$(peer a r state) $(peer a r endpoint) $(peer a r unresolved)" = "unresolved relay.test:51820 relay.test:51820" ]; }
check_within 20 "the state says so, with the name" unresolved
check_within 20 "and so does the log" grep -q 'peer r: endpoint relay.test:51820: the name does not resolve' "$LAB/a.log"
name_is 10.9.1.2
check_within 60 "the name is asked for again, and the link comes up" peer_up a r
at() { [[ $(peer a r endpoint) == "$1:51820" ]] && pings a "${LAB_ADDR[r]}"; }
check_within 10 "at its address" at 10.9.1.2
check "which the log says, too" grep -q 'peer r: endpoint relay.test:51820: the name resolves now' "$LAB/a.log"
check "the state has no name left" same null "$(peer a r unresolved)"

name_is 10.9.2.2
ip -n r addr del 10.9.1.2/24 dev to-a
check_within 60 "the address fails: the name's new one is found" at 10.9.2.2

# Only packets with our mark have a way to 198.51.100.2.
stop_node a
ip -n r addr add 198.51.100.2/32 dev lo
ip -n a rule add fwmark 7 table 77
ip -n a route add 198.51.100.2/32 via 10.9.2.2 table 77
check_not "without a mark there is no way" in_node a ping -c 1 -W 1 198.51.100.2
configure a <<END
fwmark = 7;
peers = ( $(peer_text r "${LAB_KEY[r]}" 'endpoint = "198.51.100.2:51820";') );
END
start_node a
check_within 30 "datagrams with fwmark 7 find it" at 198.51.100.2
