#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# By the control socket of a running node: peers come and go, a config is read, many ask at once, a node is drained,
# and all of it survives a restart, or it is said what does not.
#
#       r1
#      /  \
#     a    b
#      \  /
#       r2 (dearer)
. "$(dirname "$0")/_init.sh"
. "$(dirname "$0")/_mesh.sh"
. "$(dirname "$0")/_steer.sh"
need "$XYLEMD" "$XYLEM" jq

mesh_link a r1
mesh_link a r2 "cost = 200;" "cost = 200;"
mesh_link r1 b
mesh_link r2 b
EXTRA_r1='log = { level = "debug"; };'
mesh_start

check_within 60 "a goes by r1" goes_by a b r1

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
asked=()
for i in 1 2 3 4 5 6; do
  steer a reload >"$LAB/reload$i" 2>&1 &
  asked+=($!)
  steer a set peer r1 cost $((i + 100)) >"$LAB/set$i" 2>&1 &
  asked+=($!)
done
wait "${asked[@]}" || true
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
stop_node r1
start_node r1
check "after a restart it is drained" sh -c "'$XYLEM' show node -n ${LAB_PREFIX}r1 | grep -q drained"
check_within 20 "and up" peer_up r1 a
check "and left" goes_by a b r2
check "no more" told 'drained no more' 0 r1 drain off
check_within 20 "they come back" goes_by a b r1

# --- the state file is not to be written, or broken
state=$(show a node | jq -r .state_folder)
mkdir "$state/runtime.conf.new"
check "what cannot be kept is in force, and said" told 'it is in force, but' 0 a set peer r1 cost 150
check "with why" grep -q 'Is a directory' "$SAID"
warned() { show a node | jq -e '.warnings | any(test("lost at a restart"))'; }
check "as a warning, too" warned
rmdir "$state/runtime.conf.new"
check_within 25 "it is tried again" sh -c "grep -q 'cost = 150' '$state/runtime.conf'"
stop_node a
echo 'peers = ( { nonsense' >"$state/runtime.conf"
start_node a
check "a broken file is said" sh -c "'$XYLEM' show node -n ${LAB_PREFIX}a | grep -q 'before the start is not in force'"
check "and put aside" test -s "$state/runtime.conf.lost"
# One that cannot be read, and may be good, stays where it is, and is read when it can be.
stop_node a
printf 'drained = true;\n' >"$LAB/kept"
ln -s "$LAB/nowhere" "$state/runtime.conf"
start_node a
check "one that cannot be read is said" sh -c "'$XYLEM' show node -n ${LAB_PREFIX}a | grep -q 'read again every'"
check "what is set meanwhile does not take its place" told 'it is in force, but' 0 a set peer r1 cost 150
check "it stays" test -L "$state/runtime.conf"
rm "$state/runtime.conf"
install -m 600 "$LAB/kept" "$state/runtime.conf"
check_within 25 "it is in force when it can be read" sh -c "'$XYLEM' show node -n ${LAB_PREFIX}a | grep -q 'drained: no traffic'"
check_within 10 "and its neighbour has heard so" sh -c "'$XYLEM' show neighbours -n ${LAB_PREFIX}r2 | grep -q 'says goodbye\|goodbye\|left'"
