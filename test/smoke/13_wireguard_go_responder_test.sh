#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# The gateway begins: wireguard-go does not know where it is.
#
#   r (gateway) ---- p (wireguard-go, listening)
. "$(dirname "$0")/_init.sh"
need "$XYLEMD" "$XYLEM" wireguard-go wg iperf3

add_node r p
join r p
make_key r
make_wg_key p
leaf=${LAB_NET[r]}::5
configure r <<<"peers = ( $(leaf_text p "endpoint = \"10.9.1.2:51821\"; allowed = [ \"$leaf/128\" ];") );"
start_wg p 51821 <<<"$(wg_peer r)"
wg_addr p "$leaf/128" 200::/7
start_node r

check_within 20 "the gateway pings wireguard-go" pings r "$leaf"
check "wireguard-go answers from its side" pings p "${LAB_ADDR[r]}"
check "the gateway was the initiator" same initiator \
  "$(show r sessions | jq -r '[.sessions[] | select(.peer == "p" and .use == "current") | .role] | first')"
check "iperf3 runs to the leaf" flow r p "$leaf" 2
check "iperf3 runs from the leaf" flow p r "${LAB_ADDR[r]}" 2
