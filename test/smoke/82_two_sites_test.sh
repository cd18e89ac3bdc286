#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Two sites, each with a babeld network behind its gateway, joined by the mesh. Nobody set `tag`: they hear
# of each other all the same; where equal tags keep a network from one, `show route` says so.
#
#   p (babeld, 10.2.1.1) ---- r (gateway) ---- s (gateway) ---- q (babeld, 10.3.1.1)
. "$(dirname "$0")/_init.sh"
. "$TOP/test/smoke/_babel.sh"
need "$XYLEMD" "$XYLEM" wireguard-go wg babeld jq

add_node p r s q
join p r
join r s
join s q
make_key r s
make_wg_key p q
gateway() { # NODE OTHER LEAF IN OUT MORE MORE-OF-PEER
  configure "$1" <<END
host = { allow = "all"; addresses = [ "$6/32" ]; };
routing = { accept = ( { key = "${LAB_KEY[$2]}"; prefix = "$5"; } ); };
peers = ( $(peer_text "$2" "${LAB_KEY[$2]}" "${8:-}"),
  $(leaf_text "$3" "allowed = [ \"${LAB_NET[$1]}::5/128\" ]; babel = \"yes\"; $7
    accept = [ \"$4\" ]; announce = [ \"200::/7\", \"$5\" ];") );
END
}
at_r() { gateway r s p 10.2.0.0/16 10.3.0.0/16 10.1.0.1 "$1"; }
at_s() { gateway s r q 10.3.0.0/16 10.2.0.0/16 10.1.0.2 "$1" 'endpoint = "10.9.2.1:51820";'; }
at_r ''
at_s ''
start_node r
start_node s
tunnel p r 10.9.1.2:51820 "${LAB_NET[r]}::5"
tunnel q s 10.9.3.1:51820 "${LAB_NET[s]}::5"
add_net p 10.2.1.1/32
add_net q 10.3.1.1/32
start_babeld p 02:00:00:00:00:00:00:01 10.2.1.1/32
start_babeld q 02:00:00:00:00:00:00:02 10.3.1.1/32
check_within 60 "p's router is told of q's network" kernel_has p 10.3.1.1/32
check_within 60 "q's router is told of p's network" kernel_has q 10.2.1.1/32
check_within 20 "p pings q" pings p 10.3.1.1 -I 10.2.1.1
tag_of() { show "$1" route "$2" | jq '[.babel[].tag // empty][0]'; }
check "each site has a tag of its own" [ "$(tag_of r 10.3.1.1/32)" != "$(tag_of s 10.2.1.1/32)" ]
check "and nothing is held back" [ "$(show r route 10.3.1.1/32 | jq '.not_announced | length')" = 0 ]

# The slip: one number for both, as if they were one network.
at_r 'tag = 7;'
at_s 'tag = 7;'
kill -HUP "${LAB_PID[r]}" "${LAB_PID[s]}"
held() { [ "$(show r route 10.3.1.1/32 | jq -r '.not_announced[] | .peer')" = p ]; }
check_within 60 "with one tag for both, r says whom it does not tell of q's network" held
check "and why" grep -q 'two networks need two tags' <<<"$("$XYLEM" show route 10.3.1.1/32 -n "${LAB_PREFIX}r")"
