#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Twenty nodes whose only word of each other is a bucket of NATS: they join, some move, some leave, the server is away for
# a while; and somebody who may write the bucket puts into it what is forged, old, expired, too large, foreign.
. "$(dirname "$0")/_init.sh"
. "$(dirname "$0")/_fleet.sh"
. "$(dirname "$0")/_nats.sh"
need nats-server curl jq "$BUILD/test/tools/natskv"

NODES=()
for ((i = 1; i <= 20; i++)); do NODES+=("f$i"); done
switch hub "${NODES[@]}" # hub is 10.8.0.1, fN is 10.8.0.N+1
NATS_URLS='nats://10.8.0.1:4222'
nats_config hub
start_nats hub
make_key "${NODES[@]}"
echo 'fleet = { nats = ( "nats://10.8.0.1:4222" ); lifetime = 600; links = 3; };' >"$LAB/fleet.conf"
for node in "${NODES[@]}"; do
  echo "node_info = { name = \"$node\"; };" | configure "$node"
  start_node "$node"
done
for node in "${NODES[@]}"; do start_fleet "$node"; done

knows() { fleet_is "$1" "[.nodes[].name] | length == $2"; } # NODE N
all_know() { # N NODE...
  local n=$1 it
  shift
  for it; do knows "$it" "$n" || return; done
}
reaches() { # NODE OTHER...
  local from=$1 it
  shift
  for it; do pings "$from" "${LAB_ADDR[$it]}" || return; done
}
up() { show "$1" peers | jq '[.peers[] | select(.state == "up")] | length'; }
began=$SECONDS
check_within 120 "all twenty know each other" all_know 19 "${NODES[@]}"
check_within 120 "f1 reaches all" reaches f1 "${NODES[@]:1}"
check_within 120 "f13 reaches all" reaches f13 "${NODES[@]:0:12}" "${NODES[@]:13}"
echo "after $((SECONDS - began)) s; links that are up: $(for it in "${NODES[@]}"; do up "$it"; done | sort -n | tr '\n' ' ')"
few() { [ "$(for it in "${NODES[@]}"; do up "$it"; done | sort -n | tail -n 1)" -lt 19 ]; }
check_within 60 "nobody has links to all" few

# --- three move
for i in 2 7 11; do
  in_node "f$i" ip addr del "10.8.0.$((i + 1))/24" dev eth
  in_node "f$i" ip addr add "10.8.0.$((i + 200))/24" dev eth
done
moved() {
  local i
  for i in 2 7 11; do kv hub get "node.$(hex "f$i")" | grep -q "10.8.0.$((i + 200)):51820" || return; done
}
hex() { /usr/bin/python3 -c 'import ipaddress, sys; print(ipaddress.ip_address(sys.argv[1]).packed.hex())' "${LAB_ADDR[$1]}"; }
check_within 60 "three are elsewhere, and their records say so" moved
check_within 120 "and f1 reaches all" reaches f1 "${NODES[@]:1}"

# --- the server is away, and what is said meanwhile is heard after it
stop_nats hub KILL
in_node f5 ip addr add 10.8.0.205/24 dev eth
sleep 10
check "f1 has its links" at_least 3 "$(up f1)"
check_within 60 "and reaches all" reaches f1 "${NODES[@]:1}"
start_nats hub
hears() { fleet_is f1 '.source_state == "up" and .records == 19' && kv hub get "node.$(hex f5)" | grep -q '10.8.0.205:51820'; }
check_within 60 "it is back" hears

# --- somebody who may write the bucket
record() { kv hub get "node.$(hex "$1")"; }
old=$(record f3)
in_node f3 ip addr add 10.8.0.203/24 dev eth
newer() { [ "$(record f3 | jq .epoch)" -gt "$(jq .epoch <<<"$old")" ]; }
check_within 60 "f3 has said something new" newer
refusals() { fleet "$1" | jq '[.refusals[]] | length'; }
mends() { record "$1" | jq -e --arg a "${LAB_ADDR[$1]}" '.address == $a' && ! record "$1" | grep -qF "$2"; } # NODE TEXT
kv hub put "node.$(hex f3)" <<<"$old"
again() { [ "$(record f3)" != "$old" ]; }
check_within 30 "an old record that is played back is not what stands in the end" again
record f4 | jq -c '.endpoints = [{at: "10.8.0.66:51820", from: "own"}] | .epoch += 1000' | kv hub put "node.$(hex f4)"
check_within 30 "a forged one neither" mends f4 10.8.0.66
record f6 | kv hub put "node.$(hex f4)"
check_within 30 "nor another's" mends f4 "${LAB_ADDR[f6]}"
head -c 5000 /dev/zero | tr '\0' x >"$LAB/large"
! kv hub put "node.$(hex f4)" <"$LAB/large" || check_within 30 "nor one that is too large" mends f4 xxxx
kv hub delete "node.$(hex f8)"
there() { record f8 | jq -e .epoch; }
check_within 30 "what is deleted is there again" there
for ((i = 0; i < 50; i++)); do
  printf '{"v":1,"name":"evil%d"}' $i | kv hub put "node.$(printf %032x $i)"
  echo x | kv hub put "foreign.$i"
done
said() { fleet_is f1 '.unread > 0 or ([.refusals[]] | length) > 0'; }
check_within 30 "what is no record is counted" said
check "all know those that are nodes" all_know 19 "${NODES[@]}"
check_within 60 "f1 reaches all" reaches f1 "${NODES[@]:1}"
check "and has no link to any other" same '[]' "$(show f1 peers | jq -c '[.peers[].name | select(test("evil"))]')"

# --- five leave
for i in 16 17 18 19 20; do xylem fleet leave -n "f$i" || fail "f$i leaves"; done
check_within 60 "fifteen know each other alone" all_know 14 "${NODES[@]:0:15}"
gone() { ! show f1 peers | jq -r '.peers[].name' | grep -qE '^f(16|17|18|19|20)$'; }
check_within 30 "f1 has none of those who left" gone
check_within 60 "and reaches the others" reaches f1 "${NODES[@]:1:14}"
