#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# What an operator sees: tables of 80 columns, what of them was asked for, why a known route is not used, what
# changed; and rates, with keys, over a restart.
#
#   a -- r -- b, which announces networks that a does not accept
. "$(dirname "$0")/_init.sh"
. "$(dirname "$0")/_mesh.sh"
need "$XYLEMD" "$XYLEM" jq /usr/bin/python3

mesh_link a r
mesh_link r b
EXTRA_a="routing = { announce = [ \"10.1.0.0/16\" ]; accept = ( { key = \"${LAB_KEY[b]}\"; prefix = \"10.3.0.0/16\"; } ); };"
EXTRA_b='routing = { announce = [ "10.2.0.0/16", "10.2.5.0/24", "10.3.0.0/16" ]; };
  node_info = { name = "node-b"; neighbours = true; version = true; };'
EXTRA_r='node_info = { neighbours = true; };'
mesh_start
table() { in_node a "$XYLEM" "$@" -n "${LAB_PREFIX}a"; } # COMMAND...
is() { # EXPECTED COMMAND...
  same "$1" "$("${@:2}")"
}
check_within 60 "all reach each other" all_reach a r b
check_within 20 "a has b's network" is 1 table show routes --within 10.3.0.0/16 --count

# --- what is asked for
first_words() { table "$@" | awk 'NR > 1 && /^[^ ]/ { print $1 }' | paste -sd' '; }
check "routes in a prefix" is "10.1.0.0/16 10.3.0.0/16" first_words show routes --within 10.0.0.0/8
check "by peer: b's net, b's network, r's" is 3 table show routes --peer r --count
check "by its key" is 3 table show routes --peer "${LAB_KEY[r]}" --count
check "by both" is "10.3.0.0/16" first_words show routes --peer "${LAB_ADDR[r]}" --within 0.0.0.0/0
check "peers" is r first_words show peers --peer r
check "of nobody" is 0 table show peers --within 10.0.0.0/8 --count
check "sessions: the link's, and end to end by it" at_least 1 "$(table show sessions --peer r --count)"
check "neighbours" is 1 table show neighbours --count
check "gateways" is "10.2.0.0/16 10.2.5.0/24" first_words show gateways --peer r --within 10.2.0.0/16
check "who is nobody" grep -q 'no peer "rr"; did you mean r?' <<<"$(table show routes --peer rr 2>&1)"
check "filters are whole in JSON, too" is '["10.3.0.0/16"] null' \
  sh -c "$XYLEM show routes --within 10.3.0.0/16 --json -n ${LAB_PREFIX}a | jq -cr '\"\\([.routes[].prefix]) \\(.next)\"'"
widths() { for what in node peers workers graph drops ports routes sessions neighbours routing gateways policy config tree; do table show $what; done |
  awk 'length > 80 { print }'; }
check "nothing is wider than 80 columns" same "" "$(widths)"
table show tree >/dev/null
check "nodes are named as they call themselves" grep -q '^10.3.0.0/16 .* node-b ' <<<"$(table show routes)"
sed -i 's/name = "node-b"/name = "r"/' "$LAB/b.conf"
kill -HUP "${LAB_PID[b]}"
calls_itself_r() { grep -q " r .* answers" <<<"$(table show tree)" && [ "$(show a tree | jq -r '[.nodes[] | select(.name == "r")] | length')" = 1 ]; }
check_within 20 "b calls itself as our peer" calls_itself_r
check "it is not named so here" is null sh -c "$XYLEM show routes --within 10.3.0.0/16 --json -n ${LAB_PREFIX}a | jq -r '.routes[0].node'"

# --- known, and not used
route() { table show route "$1" 2>&1 || true; }
check "what is not accepted is told" grep -q '^10.2.5.0/24 .* not accepted' <<<"$(route 10.2.5.9)"
check "so is what lies around it" grep -q '^10.2.0.0/16 .* not accepted' <<<"$(route 10.2.5.9)"
check "and that packets are dropped" grep -q 'dropped as no_route; what is known of it is not used' <<<"$(route 10.2.5.9)"
check "not beside what is used" is '[]' sh -c "$XYLEM show route 10.3.0.1 --json -n ${LAB_PREFIX}a | jq -c .unused"

# --- again and again
table show peers -w 0.2 >"$LAB/watch" 2>&1 &
watch=$!
LAB_PIDS+=("$watch")
check_within 10 "the first picture" grep -q '^r ' "$LAB/watch"
check "traffic off is set" table set peer r traffic off
marked() { grep -q 'traffic off\*' "$LAB/watch"; }
check_within 10 "what changed is marked" marked
check "there is a clock" grep -qE '^20[0-9-]{8} [0-9:]{8}  peers of .*a, every 0.2 s$' "$LAB/watch"
check "traffic on" table set peer r traffic on

# --- live rates
table top -d 0.2 >"$LAB/top" 2>&1 &
top=$!
LAB_PIDS+=("$top")
check_within 20 "a reaches b" pings a "${LAB_ADDR[b]}"
spawn a /dev/null ping -n -i 0.01 "${LAB_ADDR[b]}"
pinger=$LAB_SPAWNED
busy() { awk '/^r +up .*bit\/s/ && $0 ~ /[1-9][0-9]*\/s/ { found = 1 } END { exit !found }' "$LAB/top"; }
check_within 20 "the peer's rates are there" busy
check "and the worker's" grep -qE '^ +0 +[0-9]+ % ' "$LAB/top"
ends() { # COMMAND...: by itself
  timeout 20 "$@" >"$LAB/out" 2>&1
}
check "so many pictures" ends "$XYLEM" top -n 3 -d 0.1 -n "${LAB_PREFIX}a"
check "they were three" is 3 grep -c '^PEER ' "$LAB/out"
end_process "$pinger" || true
stop_node a
lost() { grep -q 'no daemon answers' "$LAB/top"; }
check_within 20 "that it is gone is said" lost
start_node a
back() { grep -q 'the daemon was restarted; seen at' "$LAB/top"; }
check_within 20 "and that it came back" back
check "watching, too, goes on" sh -c "kill -0 $watch && kill -0 $top"
kill "$watch" "$top"

# --- on a terminal: keys, another size, the pager
terminal() { timeout 60 /usr/bin/python3 "$TOP/test/smoke/_terminal.py" "$1" "$XYLEM" "${LAB_PREFIX}a"; }
check "top: keys sort, a size is taken, q ends it, the terminal is as it was" terminal top
check "a long list goes through the pager, and none is there without less" terminal pager
check "colour, and no pager where it fits" terminal colour
