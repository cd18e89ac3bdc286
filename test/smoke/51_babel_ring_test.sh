#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# A ring: everybody goes the shorter way round, all the other way when a wire is cut, and back when it is
# mended.
#
#   a -- b -- c
#   |         |
#   f -- e -- d
. "$(dirname "$0")/_init.sh"
. "$(dirname "$0")/_mesh.sh"
need "$XYLEMD" "$XYLEM" jq

mesh_link a b
mesh_link b c
mesh_link c d
mesh_link d e
mesh_link e f
mesh_link f a
mesh_start

check_within 60 "all of a ring reach each other" all_reach "${MESH[@]}"
check_within 30 "the short way: a to c by b" goes_by a c b
check_within 30 "and a to e by f" goes_by a e f
check_within 30 "two links" metric_is a c 192
check_within 30 "as far as it gets: three" metric_is a d 288
cut a b
check_within 90 "a wire is cut, and all still reach each other" all_reach "${MESH[@]}"
check_within 30 "a to b the long way round" goes_by a b f
check_within 30 "of five links" metric_is a b 480
check "nothing was sent in circles" same 0 "$(for n in "${MESH[@]}"; do drops "$n" hop_limit; done | paste -sd+ | bc)"
mend a b
check_within 90 "mended: a to b at once" goes_by a b b
check_within 30 "a to c by b again" goes_by a c b
check "all reach each other" all_reach "${MESH[@]}"
