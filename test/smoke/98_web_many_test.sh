#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# xylem-web beside a node with 10,000 peers and 100,000 routes: its memory is bounded, an answer is there within a second,
# the daemon is asked a bounded number of pages a second, and who does not read is cut.
. "$(dirname "$0")/_init.sh"
. "$(dirname "$0")/_web.sh"
need "$XYLEMD" "$XYLEM" curl jq python3
PEERS=10000 ROUTES=100000

add_node a
make_key a
{
  echo "max_peers = $PEERS; max_routes = $((ROUTES + PEERS + 1000)); max_sessions = 65536;"
  echo "peers = ( $(many_peers_text $PEERS) );"
  awk -v n=$ROUTES 'BEGIN {
    printf "routes = ( "
    for (i = 0; i < n; i++) printf "%s{ prefix = \"2001:db8:%x:%x::/64\"; peer = \"p%d\"; }\n", i ? "," : "", int(i / 65536), i % 65536, i % 50
    print ");"
  }'
} | configure a
start_node a --no-tun >"$LAB/slow" || check_within 200 "the node is up" show a node
start_web a
rss() { awk '/^VmRSS/ { print $2 }' "/proc/${WEB_PID[a]}/status"; }
cpu() { awk '{ print $14 + $15 }' "/proc/${LAB_PID[a]}/stat"; } # of the daemon, in hundredths of a second

clients() { in_node a /usr/bin/python3 "$TOP/test/smoke/_web_clients.py" "$1" 127.0.0.1 8989 "${@:2}"; }
clients events 20 100 >"$LAB/events" &
listen=$!
clients deaf 30 60 >"$LAB/deaf" &
deaf=$!
all_seen() {
  (api a events -N --max-time 3 || true) 2>/dev/null | sed -n 's/^data: \({"time".*\)/\1/p' | head -n 1 >"$LAB/tick"
  [ -s "$LAB/tick" ] && jq -e ".peers.total == $PEERS and .peers.cut and (.peers.rows | length) == 200" "$LAB/tick"
}
check_within 150 "all peers are seen, some rows of them told" all_seen
check "in a bounded tick ($(wc -c <"$LAB/tick") bytes)" test "$(wc -c <"$LAB/tick")" -lt 200000

# --- all of both tables, page by page, by somebody who takes what he gets
clients pages peers >"$LAB/peers" &
clients pages routes >"$LAB/routes"
wait $!
read -r many seconds <"$LAB/peers"
check "all peers, page by page, in $seconds s" same $PEERS "$many"
read -r many seconds <"$LAB/routes"
check "all routes, in $seconds s" test "$many" -ge $((ROUTES + PEERS))
check "at a bounded rate, so that the daemon has time left" test "$seconds" -ge $((ROUTES / 64 / 110))
slowest=0
for name in node peers routes access openapi.json 'routes?cursor=2001:db8:1:5::/64' peers/p9999; do
  ms=$(api a "$name" -o /dev/null -w '%{time_total}' | awk '{ printf "%d", $1 * 1000 }')
  echo "  $name: $ms ms"
  case $name in peers/*) ;; *) [ "$ms" -le $slowest ] || slowest=$ms ;; esac
done
check "each answer is there soon ($slowest ms)" test $slowest -lt 1000
before=$(cpu)
sleep 5
after=$(cpu)
check "the daemon has time left ($(((after - before) / 5)) hundredths of a second in each)" test $(((after - before) / 5)) -lt 60
wait "$deaf" "$listen"
check "who does not read is cut" same 0 "$(cat "$LAB/deaf")"
check "who does, hears" grep -q '^heard 20$' "$LAB/events"
check "memory is bounded ($(rss) KB)" test "$(rss)" -lt 60000
