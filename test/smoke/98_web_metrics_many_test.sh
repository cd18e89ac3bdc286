#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# /metrics of a node with 10,000 peers: 2048 of them have series, memory is bounded however many scrape, and a daemon that
# hangs is told of before Prometheus gives up.
. "$(dirname "$0")/_init.sh"
. "$(dirname "$0")/_web.sh"
need curl jq promtool

add_node a
make_key a
configure a <<<"max_peers = 16384; peers = ( $(many_peers_text 10000) );"
start_node a
echo 'public = "127.0.0.1:8990"; metrics = { public = true; };' >"$LAB/a.web.conf"
start_web a
metrics() { web a /metrics "$@"; } # [OPTION OF curl...]
value() { sed -n "s/^$1 //p" "$LAB/metrics"; }
series() { grep -c "^$1{" "$LAB/metrics" || true; }
whole() { # on a busy machine a scrape that takes too long is cut
  metrics >"$LAB/metrics" && [ "$(series xylem_peer_up) $(series xylem_peer_state) $(series xylem_neighbour_up)" = "2048 2048 2048" ]
}
check_within 30 "as many have series as may" whole
check "of all" same 10000 "$(value xylem_node_peers)"
check "and the others are counted" same 7952 "$(value 'xylem_peers_left_out{why="limit"}')"
check "each series is there once" same "" "$(grep -v '^#' "$LAB/metrics" | sed 's/ [^ ]*$//' | sort | uniq -d)"
check "clean, says promtool" same "" "$(promtool check metrics <"$LAB/metrics" 2>&1)"

# --- 45 at once, of 3 MB each, which is one text
many=()
for ((i = 0; i < 45; i++)); do
  metrics -o /dev/null -w '%{http_code}\n' >"$LAB/code.$i" &
  many+=($!)
done
wait "${many[@]}"
check "all are answered" same 200 "$(cat "$LAB"/code.* | sort -u)"

# --- everybody's, who do not read, and come with every new text: how many texts that takes is for the
# machine to say, since a scrape that lasts longer than its wait makes fewer
late() { [ "$(in_node a curl -sS -o /dev/null -w '%{http_code}' http://127.0.0.1:8990/metrics)" = 503 ]; }
deaf() {
  in_node a /usr/bin/python3 "$TOP/test/smoke/_web_clients.py" deaf 127.0.0.1 8990 3 40 /metrics >>"$LAB/deaf" &
  sleep 1.2
  late
}
check_within 36 "are told to come later" deaf
check_within 20 "and keep nobody else's" whole
rss=$(awk '/^VmHWM/ { print $2 }' "/proc/${WEB_PID[a]}/status")
echo "xylem-web took $rss kB at most"
check "in bounded memory" test "$rss" -lt 131072

# --- a daemon that hangs
kill -STOP "${LAB_PID[a]}"
sleep 1.1
metrics -w 'took %{time_total}\n' >"$LAB/metrics"
check "it is down, as far as can be told" same 0 "$(value xylem_daemon_up)"
check "before Prometheus gives up" awk '/^took/ { exit !($2 < 10) }' "$LAB/metrics"
kill -CONT "${LAB_PID[a]}"
up() { metrics >"$LAB/metrics" && [ "$(value xylem_daemon_up)" = 1 ]; }
check_within 90 "and up again, when a minute is over" up
finish
