#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# A registry on three nats-servers, and twelve nodes: leaders are killed and come back, a server and nodes are cut off,
# two of three die at once. Nobody loses a peer meanwhile, and when all is well again all see the same within a minute.
. "$(dirname "$0")/_init.sh"
. "$(dirname "$0")/_nats.sh"
need nats-server curl jq "$FLEETNODE"

NODES=12
switch s1 s2 s3 n1 n2 n3
nats_cluster
NATS_URLS='nats://10.8.0.1:4222 nats://10.8.0.2:4222 nats://10.8.0.3:4222'
fleetnodes n1 1 4
fleetnodes n2 5 4
fleetnodes n3 9 4
check_within 60 "all twelve see each other" agree $NODES
check "the bucket has a copy at each server" same 3 "$(nats_stream s1 .config.num_replicas)"
check "and one state of each key" same 1 "$(nats_stream s1 .config.max_msgs_per_subject)"

# settles WHAT: each says something new, and all know it within a minute.
settles() {
  local began=$SECONDS
  say_again
  check_within 60 "$1" agree $NODES
  echo "after $((SECONDS - began)) s"
  check "and nobody has lost anybody" see_all $NODES
}
settles "what all say at once is seen by all"

for round in 1 2 3; do
  leader=$(nats_leader s1 s2 s3)
  echo "round $round: $leader leads, and is killed"
  stop_nats "$leader" KILL
  settles "its leader killed, all see what all say"
  say_again
  start_nats "$leader"
  settles "and when it is back"
done

leader=$(nats_leader s1 s2 s3)
for it in s1 s2 s3; do [ "$it" = "$leader" ] || other=$it; done
echo "$leader and $other are killed: no majority"
stop_nats "$leader" KILL
say_again
stop_nats "$other" KILL
sleep 10 # nodes try, and say why not
down() { grep -q '^down' "$LAB"/fleet/state.*; }
check_within 30 "that is said" down
check "nobody has lost anybody" see_all $NODES
start_nats "$leader"
start_nats "$other"
settles "both are back"

leader=$(nats_leader s1 s2 s3)
echo "$leader is cut off, and nodes that are connected to it with it in vain"
unplug "$leader"
sleep 5
settles "without it"
plug "$leader"
settles "and with it again"

echo "n1 is cut off"
unplug n1
say_again
sleep 20
check "nobody has lost anybody" see_all $NODES
plug n1
settles "n1 is back"
