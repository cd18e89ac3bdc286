#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Peers with keys of ours that send what they must not: forged sources, scopes that do not travel,
# malformed headers, storms of ICMP errors, their own datagrams again and in disorder. Nothing of it
# reaches another peer, and the others' traffic goes on.
#
#   p (wireguard-go, hostile leaf) ---- a (Xylem) ---- b (Xylem)
#   m (wireguard-go, hostile mesh peer) --- a
. "$(dirname "$0")/_init.sh"
need "$XYLEMD" "$XYLEM" wireguard-go wg tcpdump /usr/bin/python3

add_node p m a b
join p a
join m a
join a b
make_key a b
make_wg_key p m
leaf=${LAB_NET[a]}::5
mesh=$(xylem inspect "${LAB_WG_KEY[m]}" --json | jq -r .address)
configure a <<END
host = { allow = "all"; addresses = [ "10.1.0.1/24" ]; };
peers = ( $(peer_text b "${LAB_KEY[b]}" 'endpoint = "10.9.3.2:51820";'), $(peer_text m "${LAB_WG_KEY[m]}"),
  $(leaf_text p "allowed = [ \"$leaf/128\", \"10.1.0.5/32\" ];") );
routes = ( { prefix = "10.1.0.9/32"; peer = "b"; } );
END
configure b <<END
host = { allow = "all"; addresses = [ "10.1.0.9/32" ]; };
peers = ( $(peer_text a "${LAB_KEY[a]}") );
routes = ( { prefix = "200::/7"; peer = "a"; }, { prefix = "10.1.0.0/24"; peer = "a"; } );
END
start_node b
start_node a
all_of() { # WIRE: a peer section for a, everything allowed
  printf '%s\n' "[Peer]" "PublicKey = ${LAB_KEY[a]}" "AllowedIPs = ::/0, 0.0.0.0/0" "Endpoint = 10.9.$1.2:51820"
}
start_wg p 0 <<<"$(all_of 1)"
start_wg m 0 <<<"$(all_of 2)"
wg_addr p "$leaf/128" 200::/7
wg_addr m "$mesh/128" 200::/7
check_within 20 "the leaf pings b" pings p "${LAB_ADDR[b]}"
check_within 20 "the mesh peer pings a" pings m "${LAB_ADDR[a]}"
check_not "but not b, through a, unsealed" pings m "${LAB_ADDR[b]}"
check "which is counted as not_sealed" at_least 1 "$(drops a not_sealed)"
check_within 20 "a pings b" pings a "${LAB_ADDR[b]}"

attack() { in_node "$1" "$TOP/test/smoke/_attack.py" "${@:2}"; }
capture b xylem0 'ip6 or ip'
spawn a "$LAB/ping" ping -n -i 0.05 "${LAB_ADDR[b]}"
answered() { grep -c 'bytes from' "$LAB/ping" || true; }
told() {
  show a drops | jq -c '[.drops[] | select(.packets > 0) | {(.reason): .packets}] | add'
}
attack p inner wg-p "$leaf" "${LAB_ADDR[b]}" "${LAB_ADDR[a]}" "${LAB_NET[a]}::9"
told
for reason in bad_inner source_not_allowed spoofed not_forwarded hop_limit; do
  check "the leaf's are counted as $reason" at_least 1 "$(drops a $reason)"
done
spoofed=$(drops a spoofed)
attack m inner wg-m "$mesh" "${LAB_ADDR[b]}" "${LAB_ADDR[a]}" "$leaf"
told
check "the mesh peer's are counted as spoofed" at_least $((spoofed + 1)) "$(drops a spoofed)"
replayed=$(drops a replay)
spawn p "$LAB/flood" ping -n -q -i 0.01 "${LAB_ADDR[b]}"
attack p replay to-a to-a 3
told
check "what is sent again is counted as replay" at_least $((replayed + 1)) "$(drops a replay)"
lines=$(answered)
check_within 5 "a's pings of b go on" eval "at_least $((lines + 20)) \$(answered)"
ping_lost() { jq -n "$(grep -o 'icmp_seq=[0-9]*' "$LAB/ping" | tail -1 | cut -d= -f2) - $(answered)"; }
echo "a's pings of b: $(answered) answered, $(ping_lost) lost"
check "the leaf pings b still" pings p "${LAB_ADDR[b]}"
end_capture b xylem0
seen() { tcpdump -n -r "$LAB/b-xylem0.pcap" "$@" 2>/dev/null | head -n 5; }
check "b saw no source or target of a scope that does not travel" same "" \
  "$(seen 'ip6 multicast or ip multicast or net fe80::/10 or net 169.254.0.0/16 or net 127.0.0.0/8 or host ::1 or host 0.0.0.0')"
check "nor one of a's /64 but those two" same "" \
  "$(seen "src net ${LAB_NET[a]}::/64 and not src host $leaf and not src host ${LAB_ADDR[a]}")"
