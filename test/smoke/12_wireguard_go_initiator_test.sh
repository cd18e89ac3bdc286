#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# A stock WireGuard device behind a gateway begins: only it knows where the other one is.
#
#   p (wireguard-go) ---- r (gateway) ---- b (Xylem)
. "$(dirname "$0")/_init.sh"
need "$XYLEMD" "$XYLEM" wireguard-go wg iperf3

add_node p r b
join p r
join r b
make_key r b
make_wg_key p
psk=$(wg genpsk)
leaf=${LAB_NET[r]}::5
configure r <<END
peers = ( $(peer_text b "${LAB_KEY[b]}"),
  $(leaf_text p "psk = \"$psk\"; allowed = [ \"$leaf/128\" ];") );
END
configure b <<END
peers = ( $(peer_text r "${LAB_KEY[r]}" 'endpoint = "10.9.2.1:51820";') );
routes = ( { prefix = "200::/7"; peer = "r"; } );
END
start_node r
start_node b
start_wg p 0 <<<"$(wg_peer r "PresharedKey = $psk" 'Endpoint = 10.9.1.2:51820')"
wg_addr p "$leaf/128" 200::/7

check_within 20 "wireguard-go pings the gateway" pings p "${LAB_ADDR[r]}"
check_within 20 "and what lies behind it" pings p "${LAB_ADDR[b]}"
check "b pings the leaf" pings b "$leaf"
check "the gateway shows a leaf that is up" same leaf,up "$(peer r p kind),$(peer r p state)"
check "the gateway answered its handshake" grep -qx responder \
  <<<"$(show r sessions | jq -r '.sessions[] | select(.peer == "p") | .role')"
check "wireguard-go saw a handshake" at_least 1 "$(in_node p wg show wg-p latest-handshakes | awk '{ print $2 }')"
check "iperf3 runs from the leaf" flow p b "${LAB_ADDR[b]}" 2
check "iperf3 runs to the leaf" flow b p "$leaf" 2
