#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# A stub keeps no table: what it sends to a node beyond its relay is sealed for that node all the same,
# with the key that its question was answered with, and so is what comes the other way.
#
#   a (a stub) ---- r ---- b
. "$(dirname "$0")/_init.sh"
need "$XYLEMD" "$XYLEM" jq

make_key a r b
add_node a r b
join a r
join r b
configure a <<END
peers = ( $(peer_text r "${LAB_KEY[r]}" 'endpoint = "10.9.1.2:51820"; relay = true;') );
routing = { stub = true; };
END
configure r <<END
peers = ( $(peer_text a "${LAB_KEY[a]}" 'stub = true;'), $(peer_text b "${LAB_KEY[b]}") );
END
configure b <<<"peers = ( $(peer_text r "${LAB_KEY[r]}" 'endpoint = "10.9.2.1:51820";') );"
start_node a
start_node r
start_node b
ends() { show "$1" sessions | jq -r '[.sessions[] | select(.kind == "end to end" and .state == "up") | .address] | unique | join(",")'; }
end_is() { same "$2" "$(ends "$1")"; }

check_within 40 "the stub reaches b" pings a "${LAB_ADDR[b]}"
check "sealed for b" end_is a "${LAB_ADDR[b]}"
check "which has a session with the stub" end_is b "${LAB_ADDR[a]}"
check "the relay has none of the two" end_is r ""
check "b reaches the stub" pings b "${LAB_ADDR[a]}"
stop_node a
start_node a
check_within 40 "b reaches the stub when that has started anew" pings b "${LAB_ADDR[a]}"
check "and the stub b" pings a "${LAB_ADDR[b]}"
check "the relay refused nothing of what is between them" same 0 "$(drops r not_sealed)"
