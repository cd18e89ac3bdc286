#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Two nodes of two workers each, one session between them: both workers of both nodes carry it, by lanes of their own, and
# none hands packets over; flows stay in order; a device beside them has WireGuard. When one of them comes back with one
# lane, it is sent in that alone.
#
#   p (wireguard-go, leaf of a) ---- a (2 workers) ---- b (2 workers)
. "$(dirname "$0")/_init.sh"
need "$XYLEMD" "$XYLEM" jq wireguard-go wg iperf3
[ "$(nproc)" -ge 2 ] || skip "one CPU only"

add_node a b p
join a b
join p a
make_key a b
make_wg_key p
leaf_a=${LAB_NET[a]}::5
both() { # [LANES of a]
  configure a <<END
workers = { count = 2; lanes = ${1:-64}; };
peers = ( $(peer_text b "${LAB_KEY[b]}" 'endpoint = "10.9.1.2:51820";'), $(leaf_text p "allowed = [ \"$leaf_a/128\" ];") );
routes = ( { prefix = "${LAB_NET[b]}::/64"; peer = "b"; } );
END
}
both
configure b <<END
workers = { count = 2; };
peers = ( $(peer_text a "${LAB_KEY[a]}") );
routes = ( { prefix = "${LAB_NET[a]}::/64"; peer = "a"; } );
END
start_node b
start_node a
start_wg p 0 <<<"$(wg_peer a 'AllowedIPs = 200::/7' 'Endpoint = 10.9.2.2:51820')"
wg_addr p "$leaf_a/128" 200::/7
check_within 20 "a reaches b" pings a "${LAB_ADDR[b]}"
check_within 20 "the leaf reaches a" pings p "${LAB_ADDR[a]}"

current() { show "$1" sessions | jq -r --arg p "$2" ".sessions[] | select(.use == \"current\" and .peer == \$p) | $3"; }
lanes() { echo "$(current a b .lanes) $(current b a .lanes)"; }
lanes_are() { [ "$(lanes)" = "$1" ]; }
received() { show "$1" workers | jq -c '[.workers[].rx]'; }
check "little goes in one lane" same "1 1" "$(lanes)"
# Enough, both ways.
stir() { in_node a ping -n -q -i 0.002 -c 600 -W 1 "${LAB_ADDR[b]}" >/dev/null; }
check "600 echoes" stir
check_within 20 "both send in two lanes" lanes_are "2 2"
check "and say so" same "in use in use" "$(current a b .lanes_why) $(current b a .lanes_why)"
check "the leaf has WireGuard's one" same "1 WireGuard" "$(current a p .lanes) $(current a p .lanes_why)"

handed() { echo "$(current a b .handed_over) $(current b a .handed_over)"; }
before_a=$(received a) before_b=$(received b) before=$(handed)
in_order() {
  flow a b "${LAB_ADDR[b]}" 4 -u -b 500K -l 500 -P 12
  flow_result '.end.sum | "\(.packets) datagrams in 12 flows, \(.lost_packets) lost"'
  flow_result '[.end.streams[].udp.out_of_order] | add'
  same "0 true" "$(flow_result '[.end.streams[].udp.out_of_order] | add') $(flow_result '.end.sum.lost_percent < 5')"
}
check "twelve flows in order, and what is lost is a busy host's" in_order
check "TCP runs, too" flow a b "${LAB_ADDR[b]}" 2 -P 4
least() { jq -n --argjson a "$1" --argjson b "$2" '[range($a | length) | $b[.] - $a[.]] | min'; }
check "both workers of b received" at_least 200 "$(least "$before_b" "$(received b)")"
check "and both of a" at_least 200 "$(least "$before_a" "$(received a)")"
check "and none handed over" same "$before" "$(handed)"
check "nothing is taken for a forgery, a replay, or of a lane unknown" same "0 0 0 0 0 0" \
  "$(drops a bad_tag) $(drops b bad_tag) $(drops a replay) $(drops b replay) $(drops a unknown_lane) $(drops b unknown_lane)"
check_within 10 "the leaf still reaches b over a's" pings p "${LAB_ADDR[a]}"
check_accounts

# a comes back with one lane: what it was told, and told, before is void.
stop_node a
both 1
start_node a
check_within 30 "a reaches b again" pings a "${LAB_ADDR[b]}"
check "600 echoes more" stir
settled() { [ "$(current b a .lanes_why)" = "one there" ]; }
check_within 20 "b learns that a takes one" settled
check "and no packet was of an unknown lane" same "0 0" "$(drops a unknown_lane) $(drops a replay)"
