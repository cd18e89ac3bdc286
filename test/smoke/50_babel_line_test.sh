#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# A line: every node reaches every other, each told of its neighbours alone. At its end is a stub, which
# keeps no table and asks its relay for what it needs.
#
#   a ---- b ---- c ---- d ---- s (stub)
. "$(dirname "$0")/_init.sh"
. "$(dirname "$0")/_mesh.sh"
need "$XYLEMD" "$XYLEM" jq

export EXTRA_s='routing = { stub = true; };'
mesh_link a b
mesh_link b c
mesh_link c d
mesh_link d s 'stub = true;' 'relay = true;'
mesh_start

learned() { # NODE: the mesh's /64s that it has learned and can reach
  show "$1" routes | jq -r '.routes[] | select(.source == "learned" and .kind == "peer") | .prefix'
}
knows_just() { # NODE OTHER...
  local node=$1 other
  shift
  same "$(for other in "$@"; do echo "${LAB_NET[$other]}::/64"; done | sort)" "$(learned "$node" | sort)"
}

check_within 60 "all of a line reach each other" all_reach a b c d
check_within 30 "by their neighbours" goes_by a d b
check_within 30 "with the metric of three links" metric_is a d 288
asks() { [ "$(show s routes | jq -r '.routes[] | select(.prefix == "200::/7") | .kind')" = ask ]; }
check_within 60 "the stub has one route to all of the mesh" asks
check "and none to any node beyond its relay" knows_just s d
check_within 30 "the stub reaches a" pings s "${LAB_ADDR[a]}"
check "a reaches the stub" pings a "${LAB_ADDR[s]}"
check_within 10 "it has that one route more" knows_just s a d
check_within 30 "c reaches the stub, which asks for the way back" pings c "${LAB_ADDR[s]}"
check_within 10 "and one more for it" knows_just s a c d
check "d has them all" knows_just d a b c s
check_not "what nobody has is not reached" pings s 2ff::1
check "the packet was answered for, not lost in waiting" same 0 "$(drops s no_answer)"

stop_node a
lost() { ! learned s | grep -qF "${LAB_NET[a]}::/64"; }
check_within 90 "the stub hears that a is gone" lost
start_node a
check_within 60 "and reaches it again when it is back" pings s "${LAB_ADDR[a]}"
