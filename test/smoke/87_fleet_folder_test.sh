#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Nodes that know each other by a folder of records alone: they come, one moves, one leaves; an agent that is killed
# changes no link, and a daemon that is started again has its peers again.
. "$(dirname "$0")/_init.sh"
. "$(dirname "$0")/_fleet.sh"
need jq

star a b c
make_key a b c
for node in a b c; do
  echo "node_info = { name = \"$node\"; }; suite = \"chacha\";" | configure $node # so that no session is changed for another suite
  start_node $node
done
mkdir "$LAB/fleet.d"
echo "fleet = { folder = \"$LAB/fleet.d\"; lifetime = 600; };" >"$LAB/fleet.conf"
check "the config is right" "$FLEET" --check -c "$LAB/fleet.conf"
for node in a b c; do start_fleet $node; done

# --- they come
files() { find "$LAB/fleet.d" -name '*.json' | wc -l; }
three() { [ "$(files)" = 3 ]; }
check_within 20 "each has its file" three
linked() { # NODE OTHER...: its links to these are up
  local node=$1 other
  shift
  for other in "$@"; do peer_up "$node" "$other"; done
}
check_within 20 "a has links to both" linked a b c
check_within 20 "and they to each other" linked b a c
check_within 20 "a pings c" pings a "${LAB_ADDR[c]}"
check "whose peers they are" same '["registry","registry"]' "$(show a peers | jq -c '[.peers[].source]')"
check "why" fleet_is a '[.nodes[].linked] == ["ring", "ring"] and .records == 2'
known() { fleet_is a '.up == 2 and ([.nodes[].rtt_us] | all)'; }
check_within 20 "how far they are" known
for what in "show fleet" "fleet info" "fleet list"; do
  # shellcheck disable=SC2086  # words
  check "xylem $what fits 80 columns" test "$(xylem $what -n a | wc -L)" -le 80
done
xylem show fleet -n a
check "their names are there" grep -q '^b ' <(xylem fleet list -n a)
check "our record is what the folder has" cmp <(xylem fleet info --record -n a | tr -d '\n') "$(grep -l '"name":"a"' "$LAB"/fleet.d/*.json)"

# --- what editors leave, and what is no record
echo '{"v":1' >"$LAB/fleet.d/half.json"
echo '{}' >"$LAB/fleet.d/.x.json"
jq -c '.epoch += 1' "$(grep -l '"name":"c"' "$LAB"/fleet.d/*.json)" >"$LAB/fleet.d/forged.json"
refused() { fleet_is a '[.refusals[].reason] == ["forged"] and .records == 2'; }
check_within 10 "a forged record is refused, and said" refused
rm "$LAB"/fleet.d/{half,forged,.x}.json

# --- an agent that is killed changes nothing
starts() { show a sessions | jq -c '[.sessions[] | [.peer, .index]] | sort'; }
was=$(starts)
kill -KILL "${FLEET_PID[a]}"
wait_for 5 gone "${FLEET_PID[a]}"
check "the agent is away" grep -q 'no xylem-fleet answers' <(xylem show fleet -n a 2>&1)

# --- one moves, while a's agent is away
in_node b ip addr del 10.9.2.1/24 dev to-router
in_node b ip addr add 10.9.2.77/24 dev to-router
in_node b ip route replace default via 10.9.2.2
moved() { grep -q '10.9.2.77' "$LAB"/fleet.d/*.json && ! grep -q '10\.9\.2\.1:' "$LAB"/fleet.d/*.json; }
check_within 20 "b's record says where it is now" moved
check "links of a are as they were" linked a b c
check "to c in the same session" same "$(jq -c 'map(select(.[0] == "c"))' <<<"$was")" "$(starts | jq -c 'map(select(.[0] == "c"))')"
start_fleet a
follows() { show a peers | jq -e '.peers[] | select(.name == "b") | .endpoints | index("10.9.2.77:51820")'; }
check_within 20 "a's agent is back, and knows it" follows
check_within 20 "a reaches b there" pings a "${LAB_ADDR[b]}"

# --- a daemon that is started again
stop_node a KILL
start_node a
check_within 20 "a has its peers again" linked a b c

# --- one leaves
check "c leaves" xylem fleet leave -n c
check_within 10 "its agent has ended" gone "${FLEET_PID[c]}"
end_fleet c
left() { fleet_is a '[.nodes[].name] == ["b"]' && [ "$(show a peers | jq -c '[.peers[] | select(.source == "registry") | .name]')" = '["b"]' ]; }
check_within 10 "a has b alone" left
check "c has nobody" same 0 "$(show c peers | jq '[.peers[] | select(.source == "registry")] | length')"

# --- other configs, and ends
kill -HUP "${FLEET_PID[a]}"
check_within 10 "a's agent reads its config again" grep -q 'fleet.conf is in force' "$LAB/a.fleet.log"
check_within 10 "and goes on" fleet_is a '.records == 1 and .wanted == 1'
for node in a b; do end_fleet $node; done
check "the link stays" linked a b

# --- one leaves while an agent is away
start_fleet b
check "b leaves" xylem fleet leave -n b
check_within 10 "its agent has ended" gone "${FLEET_PID[b]}"
end_fleet b
check "a's daemon has it still" same 1 "$(show a peers | jq '[.peers[] | select(.source == "registry")] | length')"
start_fleet a
nobody() { ! show a peers | jq -e '.peers[] | select(.source == "registry" or .source == "open")' && [ "$(hello a)" = '[0,0]' ]; }
hello() { # NODE
  /usr/bin/python3 "$TOP/test/smoke/_control.py" "${XDG_RUNTIME_DIR:-/run}/xylem/$LAB_PREFIX$1/control" /xylem/fleet_hello "" |
    jq -c '[.peers, .admitted]'
}
check_within 20 "a lets it go once its agent is back" nobody
kill -HUP "${FLEET_PID[a]}" # an end that comes amid a reload is one
end_fleet a
