#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Cipher suites: nodes that demand AES-256-GCM have it on their link and end to end, and carry what they should;
# a wireguard-go device beside has WireGuard's own; a node that says "chacha" is not spoken with, and both say why;
# "auto" comes to the same on both ends; a reload changes it while data flows.
#
#   p (wireguard-go, leaf of a) -- a ---- r ---- b
. "$(dirname "$0")/_init.sh"
. "$(dirname "$0")/_mesh.sh"
need "$XYLEMD" "$XYLEM" jq wireguard-go wg iperf3
grep -qw aes /proc/cpuinfo || skip "this CPU has no AES-NI"

make_key a b
add_node p
make_wg_key p
leaf_a=${LAB_NET[a]}::5
export EXTRA_a='suite = "aes";' EXTRA_r='suite = "aes";' EXTRA_b='suite = "aes";'
mesh_link a r
mesh_link r b
MESH_PEERS[a]+=", $(leaf_text p "allowed = [ \"$leaf_a/128\" ];")"
mesh_start
join p a
n=$LAB_LINKS
start_wg p 0 < <(wg_peer a "AllowedIPs = 200::/7" "Endpoint = 10.9.$n.2:51820" "PersistentKeepalive = 1")
wg_addr p "$leaf_a/128" 200::/7

suites() { # NODE KIND [PEER]: of sessions that data goes in
  show "$1" sessions | jq -r --arg k "$2" --arg p "${3-}" \
    '[.sessions[] | select(.kind == $k and .use == "current" and ($p == "" or .peer == $p)) | .suite] | unique | join(",")'
}
check_within 30 "all nodes reach each other" all_reach a r b
check_within 30 "the leaf reaches b" pings p "${LAB_ADDR[b]}"
check "a's link with r is in AES-256-GCM" same AES-256-GCM "$(suites a link r)"
check "r's with b, too" same AES-256-GCM "$(suites r link b)"
check "and a's session with b, end to end" same AES-256-GCM "$(suites a 'end to end')"
check "the leaf's is WireGuard's own" same ChaCha20-Poly1305 "$(suites a link p)"
check "show node says what is chosen" grep -q AES-256-GCM <<<"$(show a node | jq -r .suite)"
check "TCP runs from a to b" flow a b "${LAB_ADDR[b]}" 2
check "no packet was refused" same 0,0,0 "$(drops a bad_tag),$(drops r bad_tag),$(drops b bad_tag)"

# --- while data flows

says() { # SUITE NODE...
  local how=$1 n
  shift
  for n in "$@"; do
    sed -i "s/suite = \"[a-z]*\";/suite = \"$how\";/" "$LAB/$n.conf"
    xylem reload -n "$LAB_PREFIX$n" >/dev/null || return 1
  done
}
reset_link() { xylem peer reset b -n "${LAB_PREFIX}r" >/dev/null; }
start_flow a b "${LAB_ADDR[b]}" 4 -u -b 2M -l 1000
check "a reload to auto on all" says auto a r b
end_flow
same_suite() { [ -n "$(suites a link r)" ] && [ "$(suites a link r)" = "$(suites r link a)" ]; }
check "both ends of a link are in one suite" same_suite
check "the flow was not cut" jq -e '.end.sum.lost_percent < 50' "$LAB/flow.json"
in_aes() { [ "$(suites r link b)" = AES-256-GCM ]; }
if [[ $(show r node | jq -r .suite) == "auto: AES"* ]]; then
  reset_link
  check_within 30 "a session begins in WireGuard's own, and goes on in AES" in_aes
fi
echo "auto chooses here: $(show a node | jq -r .suite)"

check "b is told to refuse AES" says chacha b
check "and r to demand it" says aes r
reset_link
refused() { [ "$(drops b hs_suite)" -gt 0 ]; }
check_within 30 "b counts what it refuses" refused
check "and names it" grep -q "refused.*cipher suite" "$LAB/b.log"
check_not "they have no session" pings r "${LAB_ADDR[b]}" -W 1
check "b takes it again" says auto b
check_within 30 "and they have a session in it" in_aes
