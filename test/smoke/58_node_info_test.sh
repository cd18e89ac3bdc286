#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# What nodes tell each other: show tree, show path and trace along a line, who is silent is drawn as
# such, and a flood of requests is limited.
#
#   a -- b -- c -- d -- e (a stub, at the end)
. "$(dirname "$0")/_init.sh"
need "$XYLEMD" "$XYLEM" jq /usr/bin/python3

add_node a b c d e
join a b
join b c
join c d
join d e
make_key a b c d e

told() { echo "node_info = { name = \"$1\"; neighbours = true; version = true; };"; }
conf_a() {
  configure a <<END
peers = ( $(peer_text b "${LAB_KEY[b]}" 'endpoint = "10.9.1.2:51820";') );
routes = ( { prefix = "200::/7"; peer = "b"; } );
END
}
conf_b() {
  configure b <<END
peers = ( $(peer_text a "${LAB_KEY[a]}"),
  $(peer_text c "${LAB_KEY[c]}" 'endpoint = "10.9.2.2:51820";') );
$(told node-b)
END
}
conf_c() { # LINE
  configure c <<END
peers = ( $(peer_text b "${LAB_KEY[b]}"),
  $(peer_text d "${LAB_KEY[d]}" 'endpoint = "10.9.3.2:51820";') );
$1
END
}
conf_d() { # LINE
  configure d <<END
peers = ( $(peer_text c "${LAB_KEY[c]}"), $(peer_text e "${LAB_KEY[e]}" 'stub = true;') );
$1
END
}
conf_a
conf_b
conf_c "$(told node-c)"
conf_d "$(told node-d)"
for node in a b c d; do start_node $node; done
check_within 40 "a reaches d" pings a "${LAB_ADDR[d]}"

names() { # addresses on stdin become the nodes' letters
  local text node
  text=$(cat)
  for node in a b c d e; do text=${text//${LAB_ADDR[$node]}/$node}; done
  echo "$text"
}
tree() { show "$1" tree | jq -r "$2" | names | paste -sd' '; }
walk() { show a "$1" "${LAB_ADDR[$2]}" | jq -r "$3" | names | paste -sd' '; }
trace() { { xylem trace "${LAB_ADDR[$2]}" --json -n "$LAB_PREFIX$1" || true; } | jq -r "$3" | names | paste -sd' '; }
links() { show "$1" tree | jq -r '.links[] | "\(.from)-\(.to)"' | names | sort | paste -sd' '; }
parents() { show "$1" tree | jq -r '.nodes[] | "\(.address):\(.parent // "-")"' | names | sort | paste -sd' '; }
is() { # EXPECTED COMMAND...
  local expected=$1
  shift
  same "$expected" "$("$@")"
}

check_within 20 "a's tree has the whole line" is "a:- b:a c:b d:c" parents a
check "our peer is under its name in our config, too" is "null b null null" tree a '.nodes[].peer'
check "each node is under its own name" is "null node-b node-c node-d" tree a '.nodes[].name'
check "each node answers" is answered tree a '[.nodes[].state] | unique[]'
check "with the cost of each link, and its round-trip time" is "96 true" \
  tree a '([.links[].cost] | unique[]), ([.links[].rtt_us > 0] | all)'
check "the links are told from both ends" is "a-b b-a b-c c-b c-d d-c" links a
check "from the middle the tree has two branches" is "a:b b:- c:b d:c" parents b

check "trace shows each hop" is "b:node-b c:node-c d:node-d" trace a d '.hops[] | "\(.address):\(.name)"'
check "and that it was reached" is "true reached" trace a d '"\(.done) \(.end)"'
check "each hop with a round-trip time" is true trace a d '[.hops[].rtt_us > 0] | all'
check "the metric falls on the way" is "192 96 null" trace a d '.hops[].metric'
check "path shows our route, as Babel has it" is "b learned ${LAB_NET[d]}::/64 288 ${LAB_KEY[d]}" \
  walk path d '.route | "\(.next_hop) \(.source) \(.prefix) \(.metric) \(.origin)"'
check "and the nodes on the way" is "b c d" walk path d '.hops[].address'
by() { { xylem trace "$1" --json -n "${LAB_PREFIX}a" || true; } | jq -r '"\(.hops[-1].address) \(.end)"' | names; } # NAME OR KEY
check "a peer is traced by its name" is "b reached" by b
check "a node by what it calls itself" is "d reached" by node-d
check "and by its key" is "d reached" by "${LAB_KEY[d]}"
check "its route is shown by its name, too" is "${LAB_NET[d]}::/64" sh -c "$XYLEM show route node-d --json -n ${LAB_PREFIX}a | jq -r .match"
check "who is nobody is said" grep -q '"node-x" is no address, no key, no peer' <<<"$(xylem trace node-x -n "${LAB_PREFIX}a" 2>&1)"
LAB_ADDR+=([nobody]=2ff::1)
check_not "an address that nobody has is not reached" xylem trace 2ff::1 -n "${LAB_PREFIX}a"
check "and b says that it has no route" is "b:none no route" trace a nobody '"\(.hops[-1].address):\(.hops[-1].route) \(.end)"'

# Silent by config.
conf_d 'node_info = { enabled = false; };'
kill -HUP "${LAB_PID[d]}"
check_within 20 "a node that does not answer is drawn as silent" is "d:silent" tree a '.nodes[] | select(.state != "answered") | "\(.address):\(.state)"'
drawn() { xylem show tree -v -n "${LAB_PREFIX}a" | names | grep -qE "^        .-- d +- +96 +- +- +no answer"; }
brief() { xylem show tree -n "${LAB_PREFIX}a" | awk 'length > 80 { bad = 1 } /^        .-- '"${LAB_NET[d]}"'::\/64 .* no answer/ { ok = 1 } END { exit bad || !ok }'; }
check "the tree is drawn with it at its place" drawn
check "in 80 columns, too" brief
check "so it is by trace" is "b:answered c:answered d:silent no answer" trace a d '(.hops[] | "\(.address):\(.state)"), .end'
conf_d "$(told node-d)"
kill -HUP "${LAB_PID[d]}"
conf_c 'node_info = { enabled = false; };'
kill -HUP "${LAB_PID[c]}"
check_within 20 "behind a silent node the destination still answers" \
  is "b:answered c:silent d:answered reached" trace a d '(.hops[] | "\(.address):\(.state)"), .end'
check "with the gap marked" is "false false true" trace a d '.hops[].after_gap'
check "its neighbours are not found" is "a b c" tree a '.nodes[].address'

# What is not told.
conf_c 'node_info = { };'
kill -HUP "${LAB_PID[c]}"
check_within 20 "a node tells no more than its config allows" is "c answered null null null" \
  tree a '.nodes[2] | "\(.address) \(.state) \(.name) \(.version) \(.neighbours)"'
check "but its way on, as traceroute would" is "b c d" trace a d '.hops[].address'

# A flood, from a program on a.
before=$(drops d ni_limited)
in_node a /usr/bin/python3 - "${LAB_ADDR[a]}" "${LAB_ADDR[d]}" <<'END'
import socket, sys, time
s = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
s.bind((sys.argv[1], 6698))
for n in range(1000):
    s.sendto(bytes([1, 1, 0, 0]) + n.to_bytes(16, "big") + bytes(1212), (sys.argv[2], 6698))
    time.sleep(0.0005)
END
limited() { at_least $((before + 800)) "$(drops d ni_limited)"; }
check_within 10 "a flood of requests is limited and counted" limited
check "its replies are nothing that a asked for" test "$(drops a ni_unasked)" -gt 0
check_within 20 "a is answered again" is "reached" trace a d '.end'

# A stub has no table: it asks for the way when there is a packet.
configure e <<END
peers = ( $(peer_text d "${LAB_KEY[d]}" 'endpoint = "10.9.4.1:51820"; relay = true;') );
routing = { stub = true; };
END
start_node e
check_within 40 "a stub traces the way, too" is "d c b a" trace e a '.hops[].address'
