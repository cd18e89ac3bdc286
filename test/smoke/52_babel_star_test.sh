#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# A star: a hub that knows its neighbours and is told of no other, killed and started again.
#
#   a  b  c
#    \ | /
#      h
#     / \
#    d   e
. "$(dirname "$0")/_init.sh"
. "$(dirname "$0")/_mesh.sh"
need "$XYLEMD" "$XYLEM" jq

ends=(a b c d e)
for end in "${ends[@]}"; do mesh_link "$end" h; done
mesh_start

check_within 60 "all of a star reach each other" all_reach "${MESH[@]}"
check_within 30 "an end goes by the hub" goes_by a e h
check "each end has all others" same 5 "$(show a routes | jq '[.routes[] | select(.source == "learned" and .kind == "peer")] | length')"

stop_node e
no_way() { [[ "$(route_to "$1" "$2" kind)" =~ ^(reject)?$ ]]; }
check_within 60 "an end that left is gone for the others" no_way a e
check "the others do not notice" all_reach a b c d h
start_node e
check_within 60 "it is back" pings a "${LAB_ADDR[e]}"

stop_node h KILL
cut_off() { no_way a b && no_way d e; }
check_within 120 "without the hub nobody has a way" cut_off
refused() { { pings "$@" || true; } | grep -q '+1 errors'; }
check_within 10 "and the kernel is told so" refused a "${LAB_ADDR[b]}"
start_node h
check_within 60 "the hub is back, and all reach each other" all_reach "${MESH[@]}"
