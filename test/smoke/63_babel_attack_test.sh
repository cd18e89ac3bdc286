#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# A mesh peer with a good link that lies: it forges, claims what is another's, replays across a restart
# and a withdrawal, wraps seqnos, floods. What others say to each other goes on meanwhile, their routes
# stay, and each refusal is counted under its name.
#
#   a (Xylem) ---- r (Xylem) ---- b (Xylem)
#                  |    +-------- s (meshpeer, a stranger: r's peering is open)
#                  +------------- m (meshpeer, a peer that may bring 16 origins)
. "$(dirname "$0")/_init.sh"
. "$TOP/test/smoke/_babel.sh"
need "$XYLEMD" "$XYLEM" "$MESHPEER" iperf3

add_node a r b m s
join a r
join r b
join m r
join s r
make_key a r b m s
mesh=fd77:1::/64
accept="accept = ( { key = \"${LAB_KEY[b]}\"; prefix = \"$mesh\"; } );"
configure r <<END
peering = "open";
routing = { $accept };
peers = ( $(peer_text a "${LAB_KEY[a]}"), $(peer_text b "${LAB_KEY[b]}"), $(peer_text m "${LAB_KEY[m]}" 'max_origins = 16;') );
END
configure a <<END
routing = { $accept };
peers = ( $(peer_text r "${LAB_KEY[r]}" 'endpoint = "10.9.1.2:51820"; keepalive = 5;') );
END
b_config() { # what it announces besides its /64
  configure b <<END
routing = { announce = [ $1 ]; };
peers = ( $(peer_text r "${LAB_KEY[r]}" 'endpoint = "10.9.2.1:51820"; keepalive = 5;') );
END
}
b_config "\"$mesh\""
start_node r
start_node a
start_node b
b=${LAB_NET[b]}::/64
check_within 60 "a learns b" via a "$b" r
check_within 60 "r learns b's other prefix" via r $mesh b
check_within 20 "a pings b" pings a "${LAB_ADDR[b]}"
start_flow a b "${LAB_ADDR[b]}" 600

# attack NAME [ARGUMENT...]: for some seconds; the flow goes on and the route stays.
attack() {
  local name=$1 before
  shift
  before=$(peer r b tx_bytes)
  start_meshpeer m r 10.9.3.2:51820 --attack "$name" --victim "$b" --metric 0 --hold 8 "$@"
  wait "$LAB_SPAWNED" || fail "$name: meshpeer failed"
  jq -c 'select(.event == "attack")' "$LAB/m.json"
  check_within 20 "$name: the flow goes on" eval "[ \$(peer r b tx_bytes) -gt $((before + 1000000)) ]"
  check "$name: a goes to b by r, and r straight to b" eval 'via a "$b" r && via r "$b" b'
}
counted() { # REASON...
  local reason
  for reason in "$@"; do check "and counted as $reason" at_least 1 "$(refused r m "$reason")"; done
}
attack forge
counted bad_signature unsigned
attack claim
counted not_owner bad_key
attack grind
counted bad_router_id
attack requests --every 20
counted request_limit
attack malformed
counted malformed packet
attack prefixes
counted origin_limit route_limit
check "m has not brought more than it may" test "$(neighbour r m origins)" -le 16
seqno=$(entry r "$b" b seqno)
attack wrap
check "b's seqno has not jumped" test $((($(entry r "$b" b seqno) - seqno + 65536) % 65536)) -lt 20

start_meshpeer m r 10.9.3.2:51820 --silent --record "$LAB/claims"
check_within 30 "m hears what b signed" told m "$b"
check_within 30 "and its other prefix" told m $mesh
stop_meshpeer m
old=$(refused r m old_epoch)
b_config ''
kill -HUP "${LAB_PID[b]}"
check_within 60 "b withdraws its other prefix" no_way r $mesh
attack replay --claims "$LAB/claims"
check "what was withdrawn stays so" no_way r $mesh
check "for a, too" no_way a $mesh
check "and counted as old_epoch" at_least $((old + 1)) "$(refused r m old_epoch)"
check_not "the flow has run all the while" gone "$LAB_FLOW"

# A stranger has a link, too, and brings no more than a stranger may.
start_meshpeer s r 10.9.4.2:51820 --attack prefixes --hold 8
wait "$LAB_SPAWNED" || fail "s: meshpeer failed"
stranger=$(show r neighbours | jq -r '[.neighbours[].peer] - ["a", "b", "m"] | .[0]')
check "r counts the stranger's" at_least 1 "$(refused r "$stranger" origin_limit)"
check "a goes to b by r" via a "$b" r
kill "$LAB_FLOW" 2>/dev/null || true
wait "$LAB_FLOW" 2>/dev/null || true
show r node | jq -r '"loop lag p99 \(.loop_lag_p99_us) us, max \(.loop_lag_max_us) us"'
show r node | jq -c .longest_work_cpu_us
