#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# A node that cannot say that it leaves stays, is told so in time, and may leave later; and an agent that is ended amid
# a reload ends.
. "$(dirname "$0")/_init.sh"
. "$(dirname "$0")/_fleet.sh"
need jq

star a b
make_key a b
for node in a b; do
  echo "node_info = { name = \"$node\"; };" | configure $node
  start_node $node
done
mkdir "$LAB/fleet.d"
echo "fleet = { folder = \"$LAB/fleet.d\"; lifetime = 600; };" >"$LAB/fleet.conf"
for node in a b; do start_fleet $node; done
check_within 20 "they have a link" peer_up a b

mv "$LAB/fleet.d" "$LAB/away.d"
began=$SECONDS
check "a cannot leave where the folder is away" grep -q 'not left: .*No such file' <(xylem fleet leave -n a 2>&1)
check "which it is told in time" test $((SECONDS - began)) -lt 29
mv "$LAB/away.d" "$LAB/fleet.d"
lives() { jq -s -e 'any(.[]; .name == "a" and .ended != true)' "$LAB"/fleet.d/*.json && ! grep -l '"ended":true' "$LAB"/fleet.d/*.json; }
check_within 45 "a's record says that it is here" lives
check "the link stays" peer_up a b
check "a leaves" xylem fleet leave -n a
check_within 10 "its agent has ended" gone "${FLEET_PID[a]}"
end_fleet a

for pause in 0 0.01 0.03; do
  start_fleet a
  kill -HUP "${FLEET_PID[a]}"
  sleep $pause
  end_fleet a
done
end_fleet b
