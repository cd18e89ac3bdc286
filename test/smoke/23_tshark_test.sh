#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# tshark's dissector takes our handshakes for WireGuard's: types, lengths, mac1 to the right
# receiver, and, given the receiver's key, our static key and a timestamp inside.
#
#   a (Xylem) ---- p (wireguard-go)
. "$(dirname "$0")/_init.sh"
need "$XYLEMD" "$XYLEM" wireguard-go wg tshark tcpdump

add_node a p
join a p
make_key a
make_wg_key p
leaf=${LAB_NET[a]}::5
configure a <<<"peers = ( $(leaf_text p "endpoint = \"10.9.1.2:51820\"; allowed = [ \"$leaf/128\" ];") );"
start_wg p 51820 <<<"$(wg_peer a)"
wg_addr p "$leaf/128" 200::/7
capture a to-p udp
start_node a
check_within 20 "a pings p" pings a "$leaf"
end_capture a to-p

cat >"$LAB/keys" <<END
LOCAL_STATIC_PRIVATE_KEY = $(cat "$LAB/p.wgkey")
REMOTE_STATIC_PUBLIC_KEY = ${LAB_KEY[a]}
END
dissect() { # FILTER FIELD...
  local filter=$1 field fields=()
  shift
  for field in "$@"; do fields+=(-e "$field"); done
  tshark -n -r "$LAB/a-to-p.pcap" -o "wg.keylog_file:$LAB/keys" -d udp.port==51820,wg -Y "$filter" -T fields "${fields[@]}" 2>/dev/null
}
check "an initiation, 148 bytes" same 156 "$(dissect 'wg.type == 1' udp.length | head -n 1)"
check "a response, 92 bytes" same 100 "$(dissect 'wg.type == 2' udp.length | head -n 1)"
check "transport data" at_least 1 "$(dissect 'wg.type == 4' wg.counter | wc -l)"
check "our static key is in the initiation" same "${LAB_KEY[a]}" "$(dissect 'wg.type == 1' wg.static | head -n 1)"
check "and a timestamp" grep -q . <<<"$(dissect 'wg.type == 1' wg.timestamp.value)"
check "nothing that tshark calls malformed" same '' "$(dissect '_ws.malformed || (udp.port == 51820 && !wg)' frame.number)"
