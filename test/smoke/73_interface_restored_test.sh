#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Somebody else's hands on xylem0: set down and up, addresses and routes flushed, MTU changed, IPv6
# switched off and on, renamed, deleted. What is ours comes back by itself, or what is wrong is said;
# with one who takes it away for ever nobody fights.
#
#   a ---- b
. "$(dirname "$0")/_init.sh"
need "$XYLEMD" "$XYLEM" jq

add_node a b
join a b
make_key a b
configure a <<END
host = { addresses = [ "10.1.0.1/24" ]; };
peers = ( $(peer_text b "${LAB_KEY[b]}" 'endpoint = "[fd09:1::2]:51820";') );
routes = ( { prefix = "2001:db8:5::/48"; peer = "b"; }, { prefix = "10.77.0.0/16"; peer = "b"; },
           { prefix = "10.78.0.0/16"; peer = "b"; } );
END
configure b <<<"peers = ( $(peer_text a "${LAB_KEY[a]}") );"
ip -n a route add 10.78.0.0/16 dev to-b # stands where ours is to go
start_node b
start_node a

dev=xylem0
has() { # PATTERN: among addresses and routes
  grep -q "$1" <<<"$(ip -n a addr show dev $dev && ip -n a route show dev $dev && ip -n a -6 route show dev $dev)"
}
all_there() {
  has " ${LAB_ADDR[a]}/64" && has ' 10.1.0.1/24' && has '^10.77.0.0/16 proto 120' &&
    has '^2001:db8:5::/48 proto 120' && has '^200::/7 proto 120'
}
logged() { grep -q "$1" "$LAB/a.log"; }
warned() { grep -q "$1" <<<"$(show a node | jq -r '.warnings[]')"; }
quiet() { [ "$(show a node | jq '.warnings | length')" = 0 ]; }
fresh() { # the next is the first time again
  stop_node a
  start_node a
  check_within 20 "a restart works" works
}
mtu_is() { same "$1" "$(ip -n a -j link show dev $dev | jq '.[0].mtu')"; }
works() { all_there && pings a "${LAB_ADDR[b]}"; }

check_within 20 "addresses and routes are there, and work" works
check_not "where another's route stands it stays" has 10.78.0.0
ip -n a route del 10.78.0.0/16 dev to-b
check_within 10 "when that goes ours comes" has '^10.78.0.0/16 proto 120'

ip -n a route replace 10.78.0.0/16 dev to-b
check_within 10 "one that is put in the place of ours is told of" logged 'put another route for 10.78.0.0/16 in the place of ours'
ip -n a route del 10.78.0.0/16 dev to-b
check_within 10 "when that goes ours comes back" has '^10.78.0.0/16 proto 120'

ip -n a link set $dev down
check_within 10 "an interface that is set down is told of" logged 'xylem0: somebody set the interface down'
check_within 10 "and shown" warned 'ip link set xylem0 up'
check "and stays down" same "" "$(ip -n a link show dev $dev up)"
ip -n a link set $dev up
check_within 10 "up again it has all that it had" works
ip -n a link set $dev down
ip -n a link set $dev up
check_within 10 "down and up in one moment, too" works

check "with no warning left" quiet
fresh

ip -n a addr flush dev $dev
check_within 10 "addresses that were flushed are restored" works
check "and that is told" logged "address ${LAB_ADDR[a]}/64 was missing; restored"
ip -n a -6 route flush dev $dev
ip -n a route flush dev $dev proto 120
check_within 20 "routes that were flushed are restored" works
check "and that is told" logged 'the kernel lacked . routes of ours, and has them now'
ip -n a link set $dev mtu 1000 # too small for IPv6: its addresses go
check_within 30 "the MTU is restored" mtu_is 1344
check_within 30 "with all that went by it" works
in_node a sysctl -qw net.ipv6.conf.$dev.disable_ipv6=1
check_within 30 "IPv6 that is switched off is told of" logged 'IPv6 is switched off'
check_within 10 "and shown" warned 'IPv6 is switched off'
ip -n a link set $dev down
ip -n a link set $dev up
check_within 30 "IPv4's routes come back all the same" has '^10.77.0.0/16 proto 120'
in_node a sysctl -qw net.ipv6.conf.$dev.disable_ipv6=0
check_within 30 "switched on again it has all that it had" works
check "with no warning left" quiet
fresh

ip -n a link set $dev down
ip -n a link set $dev name mesh7
dev=mesh7
ip -n a link set $dev up
check_within 60 "under another name, too" works
check "which is shown" same mesh7 "$(show a node | jq -r .interface)"
ip -n a link del $dev
dev=xylem0
check_within 60 "an interface that was deleted is made anew" works
check "and that is told" logged 'mesh7: somebody deleted the interface; it is made anew'

fresh

# One who flushes for ever.
lines() { grep -c 'was missing; restored' "$LAB/a.log" || true; }
(while :; do
  ip -n a addr flush dev $dev
  sleep 0.1
done) >/dev/null 2>&1 &
flusher=$!
LAB_PIDS+=("$flusher")
check_within 60 "that somebody never stops is told" logged 'again and again'
check_within 10 "and shown" warned 'again and again'
check "it was not restored as often as it was taken away" test "$(lines)" -le 40
kill "$flusher"
check_within 90 "when he stops all is there" all_there
check "and works" pings a "${LAB_ADDR[b]}"
