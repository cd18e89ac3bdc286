#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# The three servers of docs/fleet.md, by its own text: configs of servers and agents stand there, but for paths, and for
# creds, which want an operator's tools. The bucket is as the doc would make it by hand; two nodes meet, each has a part of
# the IPv4 network that the doc names, and goes on without the server that leads.
. "$(dirname "$0")/_init.sh"
. "$(dirname "$0")/_fleet.sh"
. "$(dirname "$0")/_nats.sh"
need nats-server curl jq openssl
doc=$(realpath "$(dirname "$0")/../../docs/fleet.md")
NATS_URLS=tls://nats1.example:4222

block() { # HEADING N: the Nth block of text below it
  awk -v heading="## $1" -v wanted="$2" '/^## / { here = $0 == heading }
    here && /^    / { n += !inside; inside = 1; if (n == wanted) print substr($0, 5); next }
    { inside = 0 }' "$doc"
}

# --- servers, and who they are
switch s1 s2 s3 a b
for n in 1 2 3; do echo "10.8.0.$n nats$n.example"; done | cat /etc/hosts - >"$LAB/hosts"
mount --bind "$LAB/hosts" /etc/hosts
mkdir -p "$LAB/nats" "$LAB/xylem"
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$LAB/ca.key" -out "$LAB/xylem/nats-ca.pem" \
  -subj /CN=ca -days 2 2>/dev/null
for n in 1 2 3; do
  openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$LAB/nats/nats$n.key" -out "$LAB/request.pem" \
    -subj "/CN=nats$n" 2>/dev/null
  openssl x509 -req -in "$LAB/request.pem" -CA "$LAB/xylem/nats-ca.pem" -CAkey "$LAB/ca.key" -CAcreateserial -days 2 \
    -extfile <(echo "subjectAltName=DNS:nats$n.example") -out "$LAB/nats/nats$n.pem" 2>/dev/null
  block "Three servers of NATS" 1 | sed -e "/server_name\|cert_file/s/nats1/nats$n/g" -e "s|/etc/nats/|$LAB/nats/|g" \
    -e "s|/var/lib/nats|$LAB/js$n|" >"$LAB/s$n.nats"
  check "the doc has a config of server $n" grep -q "server_name: nats$n" "$LAB/s$n.nats"
  echo 'http: "127.0.0.1:8222"' >>"$LAB/s$n.nats" # to be looked at
  start_nats "s$n"
done
for it in s1 s2 s3; do check_within 30 "$it is up" nats_up $it; done

# --- nodes
read -r cidr length < <(sed -n 's/.*IPv4 works as well (`\([0-9./]*\)`, \([0-9]*\)).*/\1 \2/p' "$doc")
make_key a b
for node in a b; do
  printf '%s\n' "node_info = { name = \"$node\"; };" "routing = { claims = [ \"$cidr\" ]; };" | configure $node
  start_node $node
  block "Three servers of NATS" 2 | sed -e '/^ *creds = /d' -e "s|/etc/xylem/|$LAB/xylem/|g" -e '$d' >"$LAB/$node.fleet.conf"
  echo "  cidr = \"$cidr\"; prefix = $length; };" >>"$LAB/$node.fleet.conf"
  check "the doc's config of $node's agent is right" "$FLEET" --check -c "$LAB/$node.fleet.conf"
  start_fleet $node --state "$LAB/$node.state"
done
both_up() { peer_up a b && peer_up b a; }
check_within 60 "they meet" both_up
check "by all three servers" same 3 "$(grep -o 'tls://nats[123]\.example:4222' "$LAB/a.fleet.conf" | sort -u | wc -l)"

# --- the bucket
made=$(grep -m1 '^ *nats kv add xylem ' "$doc")
option() { sed -n "s/.*--$1 \([0-9]*\).*/\1/p" <<<"$made"; }
check "it keeps what the doc's command says" same "$(option history) $(option replicas) $(option max-value-size) $(($(option ttl) * 3600))" \
  "$(nats_stream s1 '.config | "\(.max_msgs_per_subject) \(.num_replicas) \(.max_msg_size) \(.max_age / 1000000000)"')"

# --- IPv4 claims
claim_of() { fleet "$1" | jq -er .claim; }
holds() { claim_of "$1" | grep -qE "^${cidr%%.*}\.[0-9.]+/$length$"; }
check_within 30 "a has a part of $cidr" holds a
check_within 30 "b, too" holds b
check "another than a's" test "$(claim_of a)" != "$(claim_of b)"
network=$(claim_of b)
first=$(awk -F'[./]' '{ print $1 "." $2 "." $3 "." $4 + 1 }' <<<"$network")
check "the host has its first address" grep -qF "inet $first/32" <(in_node b ip -4 addr show dev xylem0)
pings4() { in_node a ping -c1 -W1 "$first"; }
check_within 30 "a reaches it" pings4
said() { fleet a | jq -e --arg claim "$network" '.nodes[] | select(.name == "b") | .claim == $claim'; }
check "as b's record says" said

# --- without the server that leads
leader=$(nats_leader s1 s2 s3)
echo "$leader leads"
stop_nats "${leader/nats/s}" KILL
check_within 10 "the network goes on" pings4
in_node b ip addr add 10.8.0.77/24 dev eth
knows() { show a peers | jq -e '.peers[] | select(.name == "b") | .endpoints | index("10.8.0.77:51820")'; }
check_within 60 "what b says is heard by the two that are left" knows
check "they are linked as before" both_up
check_within 20 "b leaves" xylem fleet leave -n b
gone4() { ! pings4; }
check_within 30 "and its network with it" gone4
end_fleet a
