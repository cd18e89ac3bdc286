#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# A running node is changed by its control socket: a link is left by a flow and taken again, peers come and
# go, a config is read, a node is drained; bad input changes nothing, and is answered in words.
#
#       r1
#      /  \
#     a    b
#      \  /
#       r2 (dearer)
. "$(dirname "$0")/_init.sh"
. "$(dirname "$0")/_mesh.sh"
need "$XYLEMD" "$XYLEM" jq

mesh_link a r1
mesh_link a r2 "cost = 200;" "cost = 200;"
mesh_link r1 b
mesh_link r2 b
EXTRA_r1='log = { level = "debug"; };'
mesh_start

steer() { "$XYLEM" "${@:2}" -n "$LAB_PREFIX$1"; } # NODE COMMAND...
SAID=$LAB/said
# told WORDS CODE NODE COMMAND...: exit code and what is said, which fits a terminal.
told() {
  local words=$1 want=$2 code=0
  steer "${@:3}" >"$SAID" 2>&1 || code=$?
  [ "$code" = "$want" ] && grep -qF -- "$words" "$SAID" && return
  echo "exit code $code instead of $want, or not \"$words\":"
  cat "$SAID"
  return 1
}
logged() { grep -qF -- "$2" "$LAB/$1.log"; }

check_within 60 "all reach each other" all_reach a b r1
check_within 20 "a goes by r1" goes_by a b r1
check_within 20 "b goes by r1" goes_by b a r1

# --- traffic off and on
check "off" told 'r1: traffic off, cost 96' 0 a set peer r1 traffic off
check_within 10 "a's flow goes the other way" goes_by a b r2
check_within 10 "and b's, since r1 may not bring it any more" goes_by b a r2
check "it arrives" pings a "${LAB_ADDR[b]}"
check "and named" same "traffic off" "$(peer a r1 state)"
check_within 10 "a itself reaches r1 by the other way" pings a "${LAB_ADDR[r1]}"
check "the session is there" test "$(peer a r1 sessions)" -gt 0
check "who did it is logged" grep -qE "control: .*\(uid $(id -u), pid [0-9]+\): peer r1: traffic off" "$LAB/a.log"
check "by key, on" told 'r1: traffic on' 0 a set peer "${LAB_KEY[r1]}" traffic on
check_within 10 "it is back" goes_by a b r1
check_within 10 "so is b's" goes_by b a r1
check "by address, a cost" told 'r1: traffic on, cost 900' 0 a set peer "${LAB_ADDR[r1]}" cost 900
check_within 10 "the dear way is left" goes_by a b r2
check "and the config's again" told 'cost 96' 0 a set peer r1 cost default
check_within 10 "it is back again" goes_by a b r1

# --- bad input
lines=$(show a peers | jq -c '[.peers[] | {name, key}]')
check "no such peer" told 'no peer "r11"; did you mean r1?' 1 a set peer r11 traffic off
check "traffic is on or off" told 'write on or off' 2 a set peer r1 traffic false
check "a cost is a number" told 'write a number' 2 a set peer r1 cost cheap
check "in a range" told 'write 1 to 65534' 1 a set peer r1 cost 0
check "no such setting" told 'there is traffic and cost' 2 a set peer r1 colour red
check "a key that is none" told 'key: ' 1 a peer add c --key notakey
check "no key" told 'needs --key' 2 a peer add c
check "an endpoint without a port" told 'endpoints' 1 a peer add c --key "$(wg genkey | wg pubkey)" --endpoint 10.0.0.1
check "a name that is none" told 'name: ' 1 a peer add 'c;d' --key "$(wg genkey | wg pubkey)"
check "a name that is there" told 'there is a peer r1 already, in the config' 1 a peer add r1 --key "$(wg genkey | wg pubkey)"
check "a key that is there" told "is r1's already" 1 a peer add c --key "${LAB_KEY[r1]}"
check "our own key" told 'this is our own key' 1 a peer add c --key "${LAB_KEY[a]}"
check "who stands in the config stays" told 'it stands in the config' 1 a peer remove r1
check "a level that is none" told 'write error, warn, info or debug' 1 a log level loud
check "drain what" told 'write: xylem drain' 2 a drain on
check "reload what" told 'takes no argument' 2 a reload now
check "the telemetry socket changes nothing" sh -c "! printf '' | $XYLEM show set -n ${LAB_PREFIX}a"
check "nothing has changed" same "$lines" "$(show a peers | jq -c '[.peers[] | {name, key}]')"
check "what was refused is logged" logged a '/xylem/peer_remove refused: peer r1: it stands in the config'

# --- a peer comes and goes
add_node c
make_key c
join c a
configure c <<<"peers = ( $(peer_text a "${LAB_KEY[a]}" 'endpoint = "10.9.5.2:51820";') );"
start_node c
check "added" told 'c: added' 0 a peer add c --key "${LAB_KEY[c]}" --endpoint 10.9.5.1:51820
check "twice is refused" told 'already, added at run time' 1 a peer add c --key "${LAB_KEY[c]}"
check_within 30 "it is reached at once" pings a "${LAB_ADDR[c]}"
before=$(show a sessions | jq -c '[.sessions[] | select(.peer == "c") | .index] | sort')
check "reset" told 'another begins' 0 a peer reset c
anew() { [ "$(show a sessions | jq -c '[.sessions[] | select(.peer == "c") | .index] | sort')" != "$before" ]; }
check_within 20 "it has a new session" anew
check_within 20 "and is reached" pings a "${LAB_ADDR[c]}"

# --- reload
configure a <<<"peers = ( ${MESH_PEERS[a]}, { name = \"x\" } ); listen = 70000; log = { level = \"loud\"; };"
check "a broken file is refused with all of its errors" told 'refused; the old config stays' 1 a reload
check "each with its line" test "$(grep -c 'a.conf:' "$SAID")" -ge 3
configure a <<<"peers = ( ${MESH_PEERS[a]} );"
steer a set peer r1 traffic off >/dev/null
check "a good one is in force" told 'is in force, peers: 3' 0 a reload
check "what was set lies over it" same "traffic off" "$(peer a r1 state)"
check "what was added is there" peer_up a c
# Many at once: all are answered.
for i in 1 2 3 4 5 6; do
  steer a reload >"$LAB/reload$i" 2>&1 &
  steer a set peer r1 cost $((i + 100)) >"$LAB/set$i" 2>&1 &
done
wait $(jobs -p | grep -v -e "${LAB_PID[a]}" -e "${LAB_PID[b]}" -e "${LAB_PID[c]}" -e "${LAB_PID[r1]}" -e "${LAB_PID[r2]}") 2>/dev/null || true
check "reloads and changes at once are all taken" same "12" "$(grep -lE 'in force|traffic off, cost 10[1-6]' "$LAB"/reload? "$LAB"/set? | wc -l)"

# --- a restart keeps it
stop_node a
start_node a
check_within 30 "the peer is there after a restart" pings a "${LAB_ADDR[c]}"
check "and what was set" told 'traffic on' 0 a set peer r1 traffic on
check "removed" told 'c: removed' 0 a peer remove c
names_are() { same "$1" "$(show a peers | jq -r '[.peers[].name] | sort | join(",")')"; }
check_within 10 "it is gone" names_are r1,r2

# --- drain
check_within 20 "a goes by r1" goes_by a b r1 || steer a set peer r1 cost default
steer a set peer r1 cost default >/dev/null
check_within 20 "a goes by r1" goes_by a b r1
check "drained" told 'drained: traffic of others' 0 r1 drain
check_within 10 "others leave it" goes_by a b r2
check "its operator is told" sh -c "'$XYLEM' show node -n ${LAB_PREFIX}r1 | grep -q drained"
check "again is no fault" told 'drained already' 0 r1 drain
check "no more" told 'drained no more' 0 r1 drain off
check_within 20 "they come back" goes_by a b r1

# --- log
check "level" told 'log level error' 0 a log level error
check "of the config" told 'log level info' 0 a log level default

# --- who may
check "the socket is root's alone" same 600 "$(stat -c %a "$(dirname "$(find /run "${XDG_RUNTIME_DIR:-/run}" /tmp -path "*${LAB_PREFIX}a/control" 2>/dev/null | head -1)")/control")"

# --- the state file is broken, or not to be written
state=$(show a node | jq -r .state_folder)
stop_node a
echo 'peers = ( { nonsense' >"$state/runtime.conf"
start_node a
check "a broken file is said" sh -c "'$XYLEM' show node -n ${LAB_PREFIX}a | grep -q 'before the start is not in force'"
check "and put aside" test -s "$state/runtime.conf.lost"
