#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Two nodes that know each other by one nats-server alone: it is killed and comes back, they stay linked, and what one of
# them says afterwards the other hears. A server that is not whom the config means is said by name.
. "$(dirname "$0")/_init.sh"
. "$(dirname "$0")/_fleet.sh"
. "$(dirname "$0")/_nats.sh"
need nats-server curl jq openssl

star a b
make_key a b
in_node router ip addr add 10.8.0.1/32 dev lo
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$LAB/tls.key" -out "$LAB/ca.pem" \
  -subj /CN=test -addext subjectAltName=IP:10.8.0.1 -days 2 2>/dev/null
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$LAB/other.key" -out "$LAB/other.pem" \
  -subj /CN=other -days 2 2>/dev/null
nats_config router "tls { cert_file: \"$LAB/ca.pem\", key_file: \"$LAB/tls.key\" }"
start_nats router
for node in a b; do
  printf '%s\n' "node_info = { name = \"$node\"; };" 'routing = { claims = [ "fd10::/16" ]; };' | configure $node
  start_node $node
done
fleet_config() { # CA CLAIM
  echo "fleet = { nats = ( \"tls://10.8.0.1:4222\" ); bucket = \"xylem\"; tls = { ca = \"$LAB/$1.pem\"; };"
  echo "  lifetime = 600; ${2:-} };"
}
claim='cidr = "fd10::/16"; prefix = 48; retry = true;'
fleet_config other >"$LAB/a.fleet.conf"
fleet_config ca "$claim" >"$LAB/b.fleet.conf"
check "the config is right" "$FLEET" --check -c "$LAB/b.fleet.conf"
start_fleet a --state "$LAB/a.state"
start_fleet b
says() { fleet "$1" | jq -r .. | grep -F "$2"; }
check_within 15 "a server that our CA does not vouch for is said" says a "10.8.0.1:4222: its certificate is not believed by $LAB/other.pem"
end_process "${FLEET_PID[a]}" || true
fleet_config ca "$claim" >"$LAB/a.fleet.conf"
start_fleet a --state "$LAB/a.state"
both_up() { peer_up a b && peer_up b a; }
check_within 30 "they meet" both_up
check_within 10 "a pings b" pings a "${LAB_ADDR[b]}"
check "as peers of the registry" same registry "$(peer a b source)"
claim_of() { fleet "$1" | jq -er .claim; }
holds() { claim_of "$1" | grep -q '^fd10:.*/48$'; }
check_within 20 "a has a network" holds a
check_within 20 "b, too" holds b
check_within 20 "and a reaches b's" pings a "$(claim_of b | sed 's|/48|1|')"
check "another than its own" test "$(claim_of a)" != "$(claim_of b)"

stop_nats router KILL
away() { fleet_is "$1" '.source_state == "down"'; }
check_within 20 "the server is killed, and that is said" away a
check "they are linked as before" both_up
network=$(claim_of a)
has_network() { [ "$(claim_of a)" = "$network" ] && [[ $(in_node a ip -6 addr show dev xylem0) == *"${network%/48}1/128"* ]]; }
kept() { jq -e --arg claim "$network" '.claim == $claim' "$LAB"/a.state/own; }
end_fleet a
start_fleet a --state "$LAB/a.state"
check_within 10 "an agent that starts meanwhile keeps the network" has_network
check "on the disk, too" kept
check "and since when b has what it claims" grep -qE "^[^ ]+ $(claim_of b)( [1-9][0-9]+){3} 1$" "$LAB/a.state/claims"
in_node b ip addr add 10.9.2.77/24 dev to-router
start_nats router
knows() { show a peers | jq -e '.peers[] | select(.name == "b") | .endpoints | index("10.9.2.77:51820")'; }
check_within 40 "it is back, and a hears where b is now" knows
check "they are linked as before" both_up
check_within 20 "its network is the same" has_network
check_not "and was never taken away" grep -F 'is not announced any more' "$LAB/a.log"
check_within 10 "b leaves" xylem fleet leave -n b
alone() { [ "$(show a peers | jq '.peers | length')" = 0 ]; }
check_within 15 "and a is alone" alone
