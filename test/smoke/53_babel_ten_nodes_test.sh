#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Ten nodes that are told of at most two others each: every node reaches every other over the shortest
# path, and still does when two of them are killed at once.
#
#   a -- b -- c -- d -- e
#   |     \   |   /     |
#   f -- g -- h -- i -- j
. "$(dirname "$0")/_init.sh"
. "$(dirname "$0")/_mesh.sh"
need "$XYLEMD" "$XYLEM" jq

mesh_link a b
mesh_link b c
mesh_link c d
mesh_link d e
mesh_link a f
mesh_link f g
mesh_link g h
mesh_link h i
mesh_link i j
mesh_link e j
mesh_link h b
mesh_link c h
mesh_link d h
mesh_start

began=$SECONDS
check_within 90 "all of ten reach each other" all_reach "${MESH[@]}"
echo "after $((SECONDS - began)) s, with 90 pings"
check_within 30 "a to j over four links" metric_is a j 384
check_within 30 "f to e likewise" metric_is f e 384
check_within 30 "b to i by h" goes_by b i h
full() { [ "$(show "$1" routes | jq '[.routes[] | select(.source == "learned" and .kind == "peer")] | length')" = 9 ]; }
for node in "${MESH[@]}"; do check_within 20 "$node has a route to each of the others" full "$node"; done

stop_node h KILL # the best relay, and another
stop_node e KILL
began=$SECONDS
check_within 120 "two are killed, and the others reach each other" all_reach a b c d f g
echo "after $((SECONDS - began)) s"
check_not "whom nobody is left to lead to is not reached" pings a "${LAB_ADDR[i]}"
check_within 60 "but i and j reach each other" all_reach i j
check_within 60 "nobody goes by the dead: g to d over five links" metric_is g d 480
start_node e
check_within 90 "one is back: all but the other reach each other" all_reach a b c d e f g i j
