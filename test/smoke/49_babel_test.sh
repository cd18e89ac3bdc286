#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Routes that nobody wrote: each node knows its neighbours alone, and reaches everyone. Restarts with
# and without what was remembered; networks behind nodes, used by who accepts them and nobody else.
#
#   a --(IPv4)-- r --(IPv6)-- b
. "$(dirname "$0")/_init.sh"
need "$XYLEMD" "$XYLEM" jq

# learned NODE PREFIX FIELD: one value of a learned route.
learned() {
  show "$1" routes | jq -r --arg prefix "$2" \
    '.routes[] | select(.source == "learned" and .prefix == $prefix) | '".$3"
}
is_learned() { # NODE TO NEXT-HOP
  [ "$(learned "$1" "${LAB_NET[$2]}::/64" peer)" = "$3" ]
}
refused() { # NODE PEER REASON
  show "$1" neighbours | jq -r --arg peer "$2" ".neighbours[] | select(.peer == \$peer) | .refusals.$3"
}

add_node a r b
join a r
join r b
make_key a r b
configure r <<END
peers = ( $(peer_text a "${LAB_KEY[a]}"), $(peer_text b "${LAB_KEY[b]}") );
host = { allow = "all"; addresses = [ "10.7.0.1/32" ]; };
routing = { announce = [ "10.7.0.0/16" ];
            accept = ( { key = "${LAB_KEY[a]}"; prefix = "10.8.0.0/16"; } ); };
END
configure a <<END
peers = ( $(peer_text r "${LAB_KEY[r]}" 'endpoint = "10.9.1.2:51820";') );
host = { allow = "all"; addresses = [ "10.8.0.1/32" ]; };
routing = { announce = [ "10.8.0.0/16" ];
            accept = ( { key = "${LAB_KEY[r]}"; prefix = "10.7.0.0/16"; } ); };
END
# b announces what is r's, and what nobody accepts.
configure b <<END
peers = ( $(peer_text r "${LAB_KEY[r]}" 'endpoint = "[fd09:2::1]:51820";') );
routing = { announce = [ "10.6.0.0/16", "10.7.0.0/16" ]; };
END
start_node r
start_node a
start_node b

check_within 30 "a reaches b, which it was never told of" pings a "${LAB_ADDR[b]}"
check "b reaches a" pings b "${LAB_ADDR[a]}"
check_within 20 "a's way to b is by r" is_learned a b r
check "b is told to be its origin" same "${LAB_KEY[b]}" "$(learned a "${LAB_NET[b]}::/64" origin)"
check "with a metric of two links" at_least 192 "$(learned a "${LAB_NET[b]}::/64" metric)"
check "an address finds its route" same "${LAB_NET[b]}::/64" \
  "$(show a route "${LAB_ADDR[b]}" | jq -r .prefix)"
check "tables print" test -n "$(xylem show neighbours -n r)" -a -n "$(xylem show route "${LAB_ADDR[b]}" -n a)" \
  -a -n "$(xylem show routing -n a)"
check_not "what is no prefix has no route" show a route nonsense

check_within 30 "a uses the network behind r" pings a 10.7.0.1
check "it is the kernel's route" test -n "$(ip -n a route show 10.7.0.0/16 dev xylem0)"
check "r's, though b announces it too" same "${LAB_KEY[r]}" "$(learned a 10.7.0.0/16 origin)"
knows() { [ "$(show "$1" route "$2" | jq '.babel | length')" -ge 1 ]; }
check_within 20 "a knows of b's network" knows a 10.6.0.0/16
check "and does not use it" test -z "$(learned a 10.6.0.0/16 peer)" -a -z "$(ip -n a route show 10.6.0.0/16)"
check "show route says why" test -n "$(show a route 10.6.0.0/16 | jq -r '.babel[] | select(.selected and (.used | not)) | .state')"

stop_node r KILL
start_node r
check_within 60 "the relay was killed, and is back" pings a "${LAB_ADDR[b]}"
check_within 60 "its network, too" pings a 10.7.0.1

epoch() { show "$1" routing | jq .epoch; }
before=$(epoch a)
stop_node a KILL
start_node a
check_within 60 "an end was killed, and is back" pings b "${LAB_ADDR[a]}"
check "its epoch rose" at_least $((before + 1)) "$(epoch a)"

# Nothing is remembered and the clock is a day behind: the network tells it what it announced.
before=$(epoch a)
stop_node a KILL
rm -rf "$LAB/a.state"
XYLEM_TEST_CLOCK=-86400 start_node a
check_within 90 "an end has lost its memory, and is back" pings b "${LAB_ADDR[a]}"
check_within 60 "above the epoch that the network knew" at_least "$before" "$(epoch a)"
check "and its way back" pings a "${LAB_ADDR[b]}"
check "nobody took another's word for it" same 0 "$(refused r a not_owner)"

stop_node b
has_no_way() { [ "$(learned "$1" "$2" kind)" != peer ]; } # none, or held as unreachable
check_within 60 "a node that ended is out of reach" has_no_way a "${LAB_NET[b]}::/64"
sed -i 's|"10.7.0.0/16" \]|"10.5.0.0/16" ]|' "$LAB/r.conf"
kill -HUP "${LAB_PID[r]}"
check_within 30 "a network that is withdrawn at a reload is out of reach" has_no_way a 10.7.0.0/16
no_kernel_route() { [ -z "$(ip -n "$1" route show "$2")" ]; }
check_within 10 "and leaves the kernel's table" no_kernel_route a 10.7.0.0/16
check "the link was not cut for it" peer_up a r
