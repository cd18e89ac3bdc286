#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Nodes beyond relays: a session with each, made by the first packet and shown; a network behind one is
# sealed for it, though no relay accepts it; it is found again when it has lost all, and its session ends
# when nothing is sent any more.
#
#   a ---- r ---- s ---- g (10.99.0.0/16)
. "$(dirname "$0")/_init.sh"
. "$(dirname "$0")/_mesh.sh"
need "$XYLEMD" "$XYLEM" jq

mesh_link a r
mesh_link r s
mesh_link s g
export EXTRA_a="host = { allow = \"all\"; addresses = [ \"10.98.0.1/32\" ]; };
  routing = { announce = [ \"10.98.0.1/32\" ]; accept = ( { key = \"${LAB_KEY[g]}\"; prefix = \"10.99.0.0/16\"; } ); };"
export EXTRA_g="host = { allow = \"all\"; addresses = [ \"10.99.0.1/32\" ]; };
  routing = { announce = [ \"10.99.0.0/16\" ]; accept = ( { key = \"${LAB_KEY[a]}\"; prefix = \"10.98.0.1/32\"; } ); };"
export XYLEM_TEST_TIMERS=rekey_after=10,reject_after=20
mesh_start

far() { # NODE OTHER FIELD: of the session that is sent in
  show "$1" sessions | jq -r --arg a "${LAB_ADDR[$2]}" \
    "[.sessions[] | select(.kind == \"end to end\" and .address == \$a and .use == \"current\")][0].$3"
}
is_far() { [ "$(far "$1" "$2" "$3")" = "$4" ]; }

check_within 60 "a reaches g" pings a "${LAB_ADDR[g]}"
check "in a session with it" is_far a g state up
check "over r" is_far a g path r
check "and the other way" is_far g a path s
check "the relays have none with either" same null,null "$(far r g state),$(far s a state)"

maps() { pings a 10.99.0.1 -I 10.98.0.1; }
check_within 30 "a reaches the network behind g, which no relay accepts" maps
check "by the same session" same 1 "$(show a sessions | jq '[.sessions[] | select(.kind == "end to end" and .use == "current")] | length')"

# What was answered, in a second each: it has lost all its keys.
kill -9 "${LAB_PID[g]}"
wait "${LAB_PID[g]}" 2>/dev/null || true
start_node g
began=$(date +%s%N)
check_within 40 "g, killed and started, is found again" pings a "${LAB_ADDR[g]}"
echo "found again in $(($(date +%s%N) / 1000000 - began / 1000000)) ms"
check_within 30 "with its network" maps

# The route holds its place, and not its session.
ended() { [ "$(show a sessions | jq -r --arg a "${LAB_ADDR[g]}" '[.sessions[] | select(.address == $a) | .state] | join(",")')" = idle ]; }
check_within 60 "a session that carries nothing ends, and g, which a route names, stays" ended
sed -i 's/accept = .*/};/' "$LAB/a.conf"
kill -HUP "${LAB_PID[a]}"
forgotten() { [ "$(show a node | jq .far_nodes)" = 0 ]; }
check_within 60 "nothing names it any more: it is forgotten" forgotten
check_within 20 "and met again" pings a "${LAB_ADDR[g]}"
