#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Fifty nodes start at once and want a network each out of 64, with three nats-servers of which the leader is killed
# while they draw: never do two hold the same. Then some leave, others come, one asks for another size.
. "$(dirname "$0")/_init.sh"
. "$(dirname "$0")/_nats.sh"
need nats-server curl jq "$FLEETNODE"

NODES=50
switch s1 s2 s3 n1 n2
nats_cluster
NATS_URLS='nats://10.8.0.1:4222 nats://10.8.0.2:4222 nats://10.8.0.3:4222'

held() { cat "$LAB"/fleet/claim.* 2>/dev/null | grep -v '^-'; }
twice() { held | sort | uniq -d; }
# Nobody holds what another does, at any moment of these seconds, or until the command succeeds.
never_twice() { # SECONDS COMMAND...
  local deadline=$((SECONDS + $1)) both
  shift
  until "$@"; do
    [ $SECONDS -le $deadline ] || return 1
    both=$(twice)
    [ -z "$both" ] || {
      grep -l -F "$both" "$LAB"/fleet/claim.*
      echo "held twice: $both"
      return 1
    }
    sleep 0.1
  done
  [ -z "$(twice)" ]
}
all_hold() { [ "$(held | wc -l)" -ge "$1" ]; }

fleetnodes n1 1 1 # the bucket is made, and has a leader
check_within 60 "the bucket is there" agree 1
first=${FLEET_PIDS[0]}
for ((i = 0; i < 5; i++)); do
  fleetnodes n$((i % 2 + 1)) $((101 + 10 * i)) 10 -c 10.9.0.0/16 -p 22 -r
done
half() { all_hold 10; }
check "some have drawn" never_twice 60 half
leader=$(nats_leader s1 s2 s3)
echo "$leader leads, and is killed"
stop_nats "$leader" KILL
sleep 2
start_nats "$leader"
began=$SECONDS
check "all fifty hold one, and never two the same" never_twice 180 all_hold $NODES
echo "after $((SECONDS - began)) s"
check "as all are one size of one network" same 50 "$(held | grep -cE '^10\.9\.[0-9]+\.0/22$')"
idle() { false; }
! never_twice 15 idle || fail "never"
check "and nobody holds another's for as long as it goes on" same "" "$(twice)"

stop_nats s1 KILL
stop_nats s2 KILL # no majority, for longer than it takes to try
sleep 12
check "without the registry all hold what they have" all_hold $NODES
start_nats s1
start_nats s2
check_within 60 "with it again, too" nats_leader s1 s2 s3

# Ten leave, and ten others come: fourteen were free.
kill -USR2 "${FLEET_PIDS[1]}"
left() { [ "$(find "$LAB/fleet" -name 'left.*' | wc -l)" = 10 ]; }
check_within 60 "ten leave" left
fleetnodes n1 201 20 -c 10.9.0.0/16 -p 22 -r
check "twenty come: all hold one" never_twice 120 all_hold 60
fleetnodes n2 301 1 -c 10.9.0.0/16 -p 24
refused() { grep -q 'the registry gives out /22 of 10.9.0.0/16, and here /24' "$LAB/fleet/claim.301"; }
check_within 60 "who wants another size is told what there is" refused
holds() { taken=$(grep -xE '10\.9\.[0-9]+\.0/22' "$LAB/fleet/claim.201"); }
check_within 60 "the first of them holds one" holds
fleetnodes n2 302 1 -c 10.9.0.0/16 -p 22 -w "$taken"
refused() { grep -q "$taken is the node .*'s: another is drawn with retry" "$LAB/fleet/claim.302"; }
check_within 60 "and who wants another's, whose it is" refused
kill "$first"
