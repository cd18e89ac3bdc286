#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Who lies: of each reason the peers whose packets were dropped, with how many, and the last one's source and
# destination, by name; a flood of one, or of strangers, leaves the others' as they are.
#
#   a ---\
#         r
#   c ---/
. "$(dirname "$0")/_init.sh"
. "$(dirname "$0")/_mesh.sh"
need "$XYLEMD" "$XYLEM" jq python3

mesh_link a r
mesh_link c r
mesh_start
check_within 30 "they reach each other" all_reach a r c

of() { show r drops "$1" | jq -e "$2" >/dev/null; } # REASON CONDITION
all_of() { show r drops "$1" | jq -r --argjson all "$(drops r "$1")" '.packets == $all and .packets == ([.owners[].packets] | add) + .others'; }

# --- a little of a, and a flood of c, in names that are not theirs
lie() { # NODE TO COUNT: from an address of the other one's /64
  local net=${LAB_NET[$2]}
  ip -n "$LAB_PREFIX$1" addr replace "$net::5:1/128" dev xylem0 nodad
  in_node "$1" ping -6 -q -c "$3" -i 0.002 -W 1 -I "$net::5:1" "${LAB_ADDR[r]}" >/dev/null 2>&1 || true
}
lie a c 3
check_within 10 "a is known to spoof" of spoofed '.owners[0] | .peer == "a" and .packets == 3 and .certain'
check "in whose name, to whom" of spoofed ".last | .peer == \"a\" and .source == \"${LAB_NET[c]}::5:1\" and .source_node == \"c\" and .destination_node == \"this node\" and .inside and .last < 60"
lie c a 400
check_within 10 "c, too, and more" of spoofed '.owners | length == 2 and .[0].peer == "c" and .[0].packets == 400 and .[1].peer == "a" and .[1].packets == 3'
check "the last one is c's" of spoofed ".last | .peer == \"c\" and .source_node == \"a\""
check "a's is as it was" of spoofed ".owners[1].source == \"${LAB_NET[c]}::5:1\""
check "all are somebody's" same true "$(all_of spoofed)"

# --- strangers
in_node a python3 - <<'PY'
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(("10.9.1.1", 7777))
for _ in range(500):
    s.sendto(b"\x60" * 60, ("10.9.1.2", 51820))
s.sendto(b"\x01\x00\x00\x00" + b"\x60" * 144, ("10.9.1.2", 51820)) # for no key
s.close()
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(("10.9.1.1", 7778))
s.sendto(b"\x01\x00\x00\x00" + b"\x61" * 144, ("10.9.1.2", 51820))
PY
check_within 10 "noise is a stranger's, by its address" of not_wireguard '.last | .peer == "(a stranger)" and .source == "10.9.1.1:7777" and (.certain or .inside | not)'
check_within 10 "a handshake for another key is a stranger's, too" of hs_bad_mac '.packets == 2 and .others == 0 and (.owners | length == 1) and (.last | .peer == "(a stranger)" and .source == "10.9.1.1:7778" and .last < 60 and (.certain or .inside | not))'
in_node a python3 - "${LAB_ADDR[a]}" "${LAB_ADDR[r]}" <<'PY'
import socket, sys
s = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
s.bind((sys.argv[1], 6698))
s.sendto(b"\xff" * 30, (sys.argv[2], 6698))
PY
check_within 10 "node info that is none, by the node's address" of ni_malformed ".last | .source == \"${LAB_ADDR[a]}\" and .source_node == \"a\" and .inside and (.certain | not)"
check "and changes nothing of the others" of spoofed '.owners | length == 2 and .[1].packets == 3'

# --- for people
words() { in_node r "$XYLEM" show drops "$@" -n "${LAB_PREFIX}r"; }
check "a table" grep -qE '^c +400 ' <<<"$(words spoofed)"
check "with the meaning" grep -q 'source that is ours' <<<"$(words spoofed)"
check "a reason without any" of bad_tag '.packets == 0 and .last == null and .owners == []'
check "a reason of the control plane without any" of hs_flood '.reason == "hs_flood" and .last == null and .owners == []'
check "and with some" grep -qF '10.9.1.1:7778' <<<"$(words hs_bad_mac)"
refused() { local out; out=$("$XYLEM" show drops "$1" -n "${LAB_PREFIX}r" 2>&1) && return 1; grep -qF "$2" <<<"$out"; }
check "a slip" refused spoofd 'there is no reason "spoofd"; did you mean spoofed?'
check "the kernel's, if there are any" grep -qE "^(the kernel's: all 4 are 0|xylem0|port 0)" <<<"$(words)"
check "the kernel's beside" jq -e '[.kernel[] | select(.place == "xylem0" or .place == "port 0") | .counter] == ["rx_missed","tx_errors","rx_missed","tx_errors"]' <<<"$(show r drops)"

# --- who goes takes his with him
make_key d e
configure r <<<"peers = ( $(peer_text c "${LAB_KEY[c]}"),
  $(peer_text d "${LAB_KEY[d]}" 'endpoint = "10.9.1.99:51820"; keepalive = 5;'),
  $(peer_text e "${LAB_KEY[e]}" 'endpoint = "nosuch.invalid:51820"; keepalive = 5;') );"
kill -HUP "${LAB_PID[r]}"
check_within 20 "a is gone" of spoofed '.owners | length == 1 and .[0].peer == "c"'

# --- what stands against whom
warned() { show r node | jq -e --arg text "$1" '.warnings | any(contains($text))' >/dev/null; }
check_within 30 "who was never there is a warning" warned "peer d was never up: "
check_within 30 "and a name without an address" warned "peer e has the endpoint nosuch.invalid:51820, a name without an address"
check_not "not who is up" warned "peer c"
check "and is counted on" of spoofed '.packets == 403 and .others == 3'
finish
