#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# A leaf and a node change their address while packets flow; the relay follows them.
#
#   p (wireguard-go) ---- r (gateway) ---- a (Xylem)
. "$(dirname "$0")/_init.sh"
need "$XYLEMD" "$XYLEM" wireguard-go wg

add_node p r a
join p r
join r a
make_key r a
make_wg_key p
leaf=${LAB_NET[r]}::5
configure r <<END
peers = ( $(peer_text a "${LAB_KEY[a]}"), $(leaf_text p "allowed = [ \"$leaf/128\" ];") );
END
configure a <<END
peers = ( $(peer_text r "${LAB_KEY[r]}" 'endpoint = "10.9.2.1:51820";') );
routes = ( { prefix = "200::/7"; peer = "r"; } );
END
start_node r
start_node a
start_wg p 0 <<<"$(wg_peer r 'Endpoint = 10.9.1.2:51820')"
wg_addr p "$leaf/128" 200::/7
check_within 20 "p pings a" pings p "${LAB_ADDR[a]}"
check "the relay knows p's first address" grep -q '^10.9.1.1:' <<<"$(peer r p endpoint)"

sessions() { show r sessions | jq -r "[.sessions[] | select(.peer == \"$1\") | .index] | sort | join(\",\")"; }
before=$(sessions p) started=$(peer r p rx_packets)
spawn p "$LAB/ping" ping -n -i 0.1 -c 80 "${LAB_ADDR[a]}"
pinging=$LAB_SPAWNED
flows() { at_least $((started + 10)) "$(peer r p rx_packets)"; }
check_within 10 "packets flow" flows
ip -n p addr del 10.9.1.1/24 dev to-r
ip -n p addr add 10.9.1.77/24 dev to-r
# wireguard-go keeps its old source address until its socket is bound anew, which is what the apps
# on phones do when the network changes.
in_node p wg set wg-p listen-port 40001
moved() { [ "$(peer r p endpoint)" = 10.9.1.77:40001 ]; }
check_within 10 "the relay follows p to its new address" moved
wait $pinging || true
check "the flow went on" at_least 60 "$(grep -c 'bytes from' "$LAB/ping")"
check "without a new session" same "$before" "$(sessions p)"
check "r reaches p there" pings r "$leaf"

check "r reaches a" pings r "${LAB_ADDR[a]}"
ip -n a addr del 10.9.2.2/24 dev to-r
ip -n a addr add 10.9.2.99/24 dev to-r
a_moved() { pings a "${LAB_ADDR[r]}" && [[ $(peer r a endpoint) == 10.9.2.99:51820 ]]; }
check_within 20 "a Xylem node roams, too" a_moved
check "r reaches a there" pings r "${LAB_ADDR[a]}"
