#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# What goes wrong in an operator's hands: broken configs at a reload, routes that the host has
# already, a key file exchanged, the interface deleted, few descriptors, SIGKILL in a loop. Traffic
# goes on where it can, the log says what happened, and nothing is left behind.
#
#   a (Xylem) ---- r (Xylem) ---- b (Xylem)
. "$(dirname "$0")/_init.sh"
need "$XYLEMD" "$XYLEM"
relay_lab
check_within 20 "a pings b" pings a "${LAB_ADDR[b]}"

logged() { grep -qE "$2" "$LAB/$1.log"; }
reload() { kill -HUP "${LAB_PID[$1]}"; }
cp "$LAB/r.conf" "$LAB/good"

: >"$LAB/r.conf"
reload r
check_within 5 "an empty config is refused" logged r 'r.conf: is empty'
rm "$LAB/r.conf"
mkfifo "$LAB/r.conf"
reload r
check_within 5 "and a FIFO for a config" eval "[ \$(grep -c 'r.conf: is empty' '$LAB/r.log') -eq 2 ]"
rm "$LAB/r.conf"
mkdir "$LAB/r.conf"
reload r
check_within 5 "and a folder" logged r 'Is a directory'
rmdir "$LAB/r.conf"
head -c 3000 /dev/urandom >"$LAB/r.conf"
reload r
check_within 5 "and noise" eval "[ \$(grep -c 'stays in force' '$LAB/r.log') -eq 4 ]"
check "the links carry on" pings a "${LAB_ADDR[b]}"

# Wire 1 is r's way to a; a route of ours for the same prefix must not take its place.
{ cat "$LAB/good"; echo 'routes = ( { prefix = "10.9.1.0/24"; peer = "b"; }, { prefix = "10.77.0.0/16"; peer = "b"; } );'; } >"$LAB/r.conf"
reload r
check_within 5 "a route that the host has is left alone" logged r '10.9.1.0/24: there is one already'
wire() { ip -n r route show 10.9.1.0/24; }
check "it leads where it led" grep -q to-a <<<"$(wire)"
check_within 5 "a route that it has not is made" eval "ip -n r route show 10.77.0.0/16 | grep -q xylem0"
check "the links carry on" pings a "${LAB_ADDR[b]}"
cp "$LAB/good" "$LAB/r.conf"
reload r
check_within 5 "ours goes" eval "! ip -n r route show 10.77.0.0/16 | grep -q xylem0"
check "the host's stays" grep -q to-a <<<"$(wire)"

warned() { show r node | jq -r '.warnings[]' | grep -F "$1"; }
{ cat "$LAB/good"; echo 'discovery = { interfaces = [ "eth77", "to-a" ]; };'; } >"$LAB/r.conf"
reload r
check_within 10 "an interface for discovery that is not there is shown" warned 'eth77 is not in use'
check_within 10 "and one that is there is not" eval "! warned 'to-a is not'"
cp "$LAB/good" "$LAB/r.conf"
reload r
check_within 10 "no more when it is not wanted" eval "! warned 'eth77'"

mv "$LAB/r.key" "$LAB/old.key"
xylem genkey "$LAB/r.key" >/dev/null
reload r
check_within 5 "another key in the key file is told" logged r 'holds another key now'
mv "$LAB/old.key" "$LAB/r.key"

ip -n r link del xylem0
check_within 5 "an interface that was deleted is told" logged r 'xylem0: somebody deleted'
check_within 10 "and made anew" ip -n r link show dev xylem0
check "r relays still" pings a "${LAB_ADDR[b]}"

few() { (ulimit -n "$1" && timeout 5 "$XYLEMD" -c "$LAB/few.conf" -n few --no-tun) >"$LAB/few.log" 2>&1; }
make_key few
configure few <<<'listen = 0;'
for n in 16 64; do
  check_not "$n descriptors are too few" few $n
  check "and it says so" grep -q 'LimitNOFILE' "$LAB/few.log"
done

# As many workers, and sockets for them, as the config allows.
most() {
  local pid
  prlimit --nofile=1024: "$XYLEMD" -c "$LAB/most.conf" -n most --no-tun >"$LAB/most.log" 2>&1 &
  pid=$!
  wait_for 60 grep -q 'ready: most' "$LAB/most.log" || cat "$LAB/most.log"
  end_process $pid
}
make_key most
configure most <<END
workers = { count = 64; };
ports = ( $(printf '{ port = %d; },' {52001..52015}) { port = 52016; } );
END
check "64 workers on 16 ports start, and end" most

stop_node r
kill_loop() {
  local pause
  for pause in 0.02 0.1 0.2 0.4; do
    spawn r "$LAB/r.log" "$XYLEMD" -c "$LAB/r.conf" -n r
    sleep $pause
    kill -KILL "$LAB_SPAWNED"
    wait "$LAB_SPAWNED" 2>/dev/null || true # until its last thread is gone
  done
}
check "r is killed as it starts, again and again" kill_loop
check_not "no interface is left" ip -n r link show xylem0
start_node r
check_within 20 "and carries traffic after it" pings a "${LAB_ADDR[b]}"
stop_node r
check "at its end nothing is left in /run" same "" "$(find /run/dpdk/xylem-r /run/xylem/r/* 2>/dev/null || true)"
