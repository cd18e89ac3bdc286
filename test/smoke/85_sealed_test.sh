#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Sealed end to end: what two nodes say is nowhere in the memory of the relays between, which accept nothing;
# networks behind gateways are reached over them, by IPv4, too; traceroute, sizes and hop counts are as ever.
#
#   p (wireguard-go, leaf of a) -- a ---- r ---- s ---- b -- q (wireguard-go, leaf of b)
. "$(dirname "$0")/_init.sh"
. "$(dirname "$0")/_mesh.sh"
need "$XYLEMD" "$XYLEM" jq wireguard-go wg traceroute python3

make_key a b
add_node p q
make_wg_key p q
leaf_a=${LAB_NET[a]}::5 leaf_b=${LAB_NET[b]}::5
export EXTRA_a="host = { allow = \"all\"; addresses = [ \"10.1.0.1/32\" ]; };
routing = { announce = [ \"10.1.0.0/24\" ]; accept = ( { key = \"${LAB_KEY[b]}\"; prefix = \"10.2.0.0/24\"; } ); };"
export EXTRA_b="host = { allow = \"all\"; addresses = [ \"10.2.0.1/32\" ]; };
routing = { announce = [ \"10.2.0.0/24\" ]; accept = ( { key = \"${LAB_KEY[a]}\"; prefix = \"10.1.0.0/24\"; } ); };"
mesh_link a r
mesh_link r s
mesh_link s b
MESH_PEERS[a]+=", $(leaf_text p "allowed = [ \"$leaf_a/128\", \"10.1.0.5/32\" ];")"
MESH_PEERS[b]+=", $(leaf_text q "allowed = [ \"$leaf_b/128\", \"10.2.0.5/32\" ];")"
mesh_start
join p a
n=$LAB_LINKS
start_wg p 0 < <(wg_peer a "AllowedIPs = 10.2.0.0/24" "Endpoint = 10.9.$n.2:51820" "PersistentKeepalive = 1")
wg_addr p "$leaf_a/128" 200::/7
wg_addr p 10.1.0.5/32 10.2.0.0/24 10.1.0.0/24
join q b
n=$LAB_LINKS
start_wg q 0 < <(wg_peer b "AllowedIPs = 10.1.0.0/24, 10.2.0.0/24" "Endpoint = 10.9.$n.2:51820" "PersistentKeepalive = 1")
wg_addr q "$leaf_b/128" 200::/7
wg_addr q 10.2.0.5/32 10.1.0.0/24 10.2.0.0/24

check_within 60 "all nodes reach each other" all_reach a r s b
check_within 30 "a's leaf reaches node b, three hops away" pings p "${LAB_ADDR[b]}"
check_within 30 "the leaves of two gateways reach each other" pings p "$leaf_b"
check "and back" pings q "$leaf_a"
check_within 30 "IPv4 between the gateways' hosts" pings a 10.2.0.1 -I 10.1.0.1
check_within 30 "IPv4 between their leaves" pings p 10.2.0.5
same_none() { same 0 "$(show "$1" routes | jq '[.routes[] | select(.source == "learned" and .kind != "reject" and (.prefix | startswith("10.")))] | length')"; }
check "r uses none of these networks" same_none r
check "nor s" same_none s

# --- what a relay has in its hands

text=$(known_text)
says p "${LAB_ADDR[b]}" "$text"
check_within 20 "b, where it is opened, has it in memory" has_text b "$text"
before=$(show r peers | jq '[.peers[].rx_packets] | add')
sleep 1
check "r has carried it" at_least $((before + 40)) "$(show r peers | jq '[.peers[].rx_packets] | add')"
check_not "and has nothing of it in all its memory" has_text r "$text"
check_not "nor has s" has_text s "$text"
kill "$LAB_SAYS"

# --- as ever

check "traceroute from p: a, r, s, then b" same "${LAB_ADDR[a]} ${LAB_ADDR[r]} ${LAB_ADDR[s]} ${LAB_ADDR[b]}" \
  "$(in_node p traceroute -6 -I -n -q 3 -w 2 -m 8 "${LAB_ADDR[b]}" 2>/dev/null | awk '/^ *[0-9]/ { for (i = 2; i <= NF; i++) if ($i ~ /:/) { print $i; break } }' | xargs)"
passes() { pings p "${LAB_ADDR[b]}" -M 'do' -s $(($1 - 48)); }
check "1344 bytes pass whole" passes 1344
check "no relay has refused what is between nodes" same 0,0 "$(drops r not_sealed),$(drops s not_sealed)"
ends() { show "$1" sessions | jq -r '[.sessions[] | select(.kind == "end to end" and .state == "up") | .address] | unique | join(",")'; }
check "a has a session with b, end to end" grep -qF "${LAB_ADDR[b]}" <<<"$(ends a)"
