#!/usr/bin/env bash
. "$(dirname "$0")/_init.sh"
MESHPEER=$BUILD/test/tools/meshpeer
add_node a b
join a b
make_key a b
sleep 2
for t in forge claim; do
rm -f $LAB/b.log
LAB_PIDS=(); spawn b "$LAB/b.log" timeout 100 "$MESHPEER" --key "$LAB/b.key" --interface to-a --epoch 1700000100 --open --record $LAB/b.rec
pid=$LAB_SPAWNED
in_node a timeout 100 "$MESHPEER" --key "$LAB/a.key" --interface to-b --attack $t --victim "${LAB_NET[b]}::/64" --hold 8 --claims /tmp/feeds/cache --record $LAB/rec
end_process $pid || echo code $?
cat $LAB/b.log
done
