#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# What docs/ says of a running node: the picture has the graph's nodes and edges, and each drop reason
# that the node knows has its row.
. "$(dirname "$0")/_init.sh"
need "$XYLEMD" "$XYLEM" jq wg /usr/bin/python3

add_node n
make_key n
configure n <<<''
start_node n
in_picture() {
  local node missing=0
  for node in $(show n graph | jq -r '.nodes[].node' | sort -u | grep -v '^drop_'); do
    grep -q ">$node<" "$TOP/docs/graph.svg" || {
      echo "docs/graph.svg lacks $node"
      missing=1
    }
  done
  return $missing
}
# Reasons for dropping are one box in the picture.
same_edges() {
  diff <("$TOP/test/smoke/_edges.py" "$TOP/docs/graph.svg" | sort -u) \
    <(xylem show graph --dot -n n | sed -nE 's/^ *"([a-z0-9_]+)" -> "([a-z0-9_]+)";$/\1 \2/p' | grep -v ' drop_' | sort -u)
}
in_table() {
  diff <(show n drops | jq -r '.drops[].reason' | sort) \
    <(sed -nE 's/^\| ([a-z0-9_]+) \| .*/\1/p' "$TOP/docs/drops.md" | grep -vx reason | sort)
}
check "docs/graph.svg shows each node of the graph" in_picture
check "and its arrows are the graph's edges" same_edges
check "docs/drops.md lists each drop reason" in_table
check "show graph --dot is a digraph" grep -q '^digraph' <<<"$(xylem show graph --dot -n n)"
check "the example config is what genconf prints" diff <(xylem genconf) "$TOP/config/xylem.conf.example"

# README's sample: its keys are nobody's, and that is said; with others in their place it is taken.
sample() { sed -n '/^    peers = ($/,/^    );$/p' "$TOP/README.md"; }
tries() { # FILE
  "$XYLEMD" --check -n sample -c "$1" >"$LAB/check" 2>&1
}
{ echo "key_file = \"$LAB/n.key\";" && sample; } >"$LAB/sample.conf"
chmod 600 "$LAB/sample.conf"
check_not "README's sample is refused as it is" tries "$LAB/sample.conf"
check "both of its keys" same 2 "$(grep -c "key: is the example's, which nobody has; write the peer's" "$LAB/check")"
check "and nothing else" same 2 "$(grep -c 'sample.conf:' "$LAB/check")"
make_key relay phone
sed -i "s|ReplaceThisExampleByTheRelays[^\"]*|${LAB_KEY[relay]}|; s|ReplaceThisExampleByThePhones[^\"]*|${LAB_KEY[phone]}|" "$LAB/sample.conf"
check "with a relay's and a phone's it is taken" tries "$LAB/sample.conf"

# A wg-quick file becomes a config that is taken; what of it is not is said with its line.
key=$(wg genkey) psk=$(wg genpsk)
cat >"$LAB/wg0.conf" <<END
[Interface]
PrivateKey = $key
Address = 10.8.0.1/24
ListenPort = 51833
PostUp = iptables -A FORWARD -j ACCEPT
# phone
[Peer]
PublicKey = $(wg pubkey <<<"$(wg genkey)")
PresharedKey = $psk
AllowedIPs = 10.8.0.2/32
[Peer]
PublicKey = ${LAB_KEY[relay]}
AllowedIPs = 200::/7
Endpoint = 192.0.2.1:51820
END
chmod 600 "$LAB/wg0.conf"
says=$(xylem import "$LAB/wg0.conf" --key-file "$LAB/n.key" --write "$LAB/made.conf" 2>&1)
check "made: a leaf and a node" grep -q 'leaves: 1, nodes: 1' <<<"$says"
check "what is not carried over" grep -q 'wg0.conf:5: PostUp: is not carried over' <<<"$says"
check "what the phone has to change" grep -qF "wg0.conf:2: PrivateKey: is not carried over: a WireGuard key cannot sign. Devices keep theirs, and need PublicKey = ${LAB_KEY[n]}" <<<"$says"
check_not "no secret is said" grep -qF -e "$key" -e "$psk" <<<"$says"
check "the file is closed to others" same 600 "$(stat -c %a "$LAB/made.conf")"
check_not "it is not overwritten" xylem import "$LAB/wg0.conf" --write "$LAB/made.conf"
check "the config is taken" tries "$LAB/made.conf"
check "with the phone's secret" grep -qF "psk = \"$psk\"" "$LAB/made.conf"
check "and of standard input as well" grep -q 'listen = 51833;' <<<"$(xylem import - <"$LAB/wg0.conf" 2>/dev/null)"
