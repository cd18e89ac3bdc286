#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Static routes that name a key, and no Babel: nothing tells a that b has started anew. b, who is sent what is sealed
# in a session of before, asks a itself; else a would find out after WireGuard's fifteen seconds.
#
#   a ---- r ---- b
. "$(dirname "$0")/_init.sh"
. "$(dirname "$0")/_mesh.sh"
need "$XYLEMD" "$XYLEM" jq

silent='babel = "no";'
mesh_link a r "$silent" "$silent"
mesh_link b r "$silent" "$silent"
beyond() { echo "routes = ( { prefix = \"${LAB_NET[$1]}::/64\"; peer = \"r\"; key = \"${LAB_KEY[$1]}\"; } );"; }
export EXTRA_a EXTRA_b
EXTRA_a=$(beyond b) EXTRA_b=$(beyond a)
mesh_start
check_within 30 "a and r are linked" peer_up r a
check_within 30 "b and r, too" peer_up r b
sessions() { show "$1" sessions | jq '[.sessions[] | select(.kind == "end to end" and .use != null)] | length'; }
check "neither has a session with the other yet" same "0 0" "$(sessions a) $(sessions b)"

spawn a "$LAB/ping" ping -n -D -i 0.1 "${LAB_ADDR[b]}"
answers() { grep -c 'bytes from' "$LAB/ping" || true; }
check_within 20 "a is answered" eval '[ $(answers) -gt 10 ]'
check "by what was sealed for it" same 1 "$(sessions a)"

back() { # WHAT SIGNAL
  local lines up at
  stop_node b "$2"
  lines=$(answers)
  start_node b
  check_within 30 "$1: r and b are linked" peer_up r b
  up=$(date +%s.%N)
  check_within 20 "$1: a is answered again" eval "[ \$(answers) -gt $((lines + 1)) ]"
  at=$(grep 'bytes from' "$LAB/ping" | sed -n "$((lines + 1))s/^\[\([0-9.]*\)\].*/\1/p")
  echo "$1: answered $(jq -nr "$at - $up | . * 10 | round / 10") s after b's link was seen up"
  check "$1: within 8 seconds" jq -ne "$at - $up < 8"
  check "$1: b has asked" test "$(show b sessions | jq '[.sessions[] | select(.kind == "end to end")] | length')" -gt 0
}
back "restarted" TERM
back "killed" KILL
