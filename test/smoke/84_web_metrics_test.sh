#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# /metrics: clean by promtool, each series once, the values of xylem show; as a real Prometheus scrapes it, with our rules
# and each question of our dashboard; what has no series; one scrape for all who ask at once; and the daemon's end.
#
#   a --- b        a also has a peer `ghost`, who is nobody
. "$(dirname "$0")/_init.sh"
. "$(dirname "$0")/_mesh.sh"
. "$(dirname "$0")/_web.sh"
[ ! -x "$BUILD/xylem-fleet" ] || . "$(dirname "$0")/_fleet.sh"
unset XYLEM_TEST_NO_RTT # round trips are what is looked at
need curl jq promtool prometheus
tree=$(realpath "$(dirname "$0")/../..")

mesh_link a b
make_key ghost
# shellcheck disable=SC2154  # a name
MESH_PEERS[a]+=", $(peer_text ghost "${LAB_KEY[ghost]}" 'endpoint = "10.9.1.9:51820";')"
# Something to count of each kind. configure would let all in.
EXTRA_a='host = { allow = [ "tcp/22" ]; };'
MESH=(b a) # who is asked is there first
mesh_start
fleet_rules='xylem_fleet_'
if [ -x "$BUILD/xylem-fleet" ]; then
  fleet_rules='^$'
  echo "fleet = { folder = \"$LAB/fleet.d\"; };" >"$LAB/a.fleet.conf"
  mkdir "$LAB/fleet.d"
  echo rubbish >"$LAB/fleet.d/x.json"
  start_fleet a --state "$LAB/fleet.state"
  check_within 10 "its agent has read the folder" fleet_is a '.source_state == "up" and .outcomes.malformed == 1'
fi
start_web a
start_web b
check_within 30 "a reaches b" pings a "${LAB_ADDR[b]}"
check_within 20 "routing, too" sh -c "'$XYLEM' show neighbours --json -n ${LAB_PREFIX}a | jq -e '.neighbours[] | select(.peer == \"b\") | .state == \"up\" and .rtt_us != null'"

# --- as text
metrics() { web "$1" /metrics "${@:2}"; } # NODE [OPTION OF curl...]
value() {                                 # SERIES: a's
  sed -n "s/^$1 //p" "$LAB/metrics"
}
metrics a -D "$LAB/head" >"$LAB/metrics"
check "its type" grep -qi '^content-type: text/plain; version=0.0.4' "$LAB/head"
check "clean, says promtool" same "" "$(promtool check metrics <"$LAB/metrics" 2>&1)"
once() { same "" "$(grep -v '^#' "$1" | sed 's/ [^ ]*$//' | sort | uniq -d)"; } # FILE
check "each series is there once" once "$LAB/metrics"
check "and each has a type" same "" "$(comm -23 <(grep -v '^#' "$LAB/metrics" | sed 's/[{ ].*//' | sort -u) <(sed -n 's/^# TYPE \([^ ]*\) .*/\1/p' "$LAB/metrics" | sort))"
check "the daemon is up" same 1 "$(value xylem_daemon_up)"
check "peers" same "2 1" "$(value xylem_node_peers) $(value xylem_node_peers_up)"
check "who is up" same "1 0" "$(value 'xylem_peer_up{peer="b"}') $(value 'xylem_peer_up{peer="ghost"}')"
check "in which state" same 1 "$(value 'xylem_peer_state{peer="b",state="up"}')"
check "what it is" grep -qx "xylem_peer_info{peer=\"b\",address=\"${LAB_ADDR[b]}\",kind=\"mesh\",peering=\"configured\"} 1" "$LAB/metrics"
check "what came from it" at_least 1 "$(value 'xylem_peer_rx_packets_total{peer="b"}')"
rtt=$(show a neighbours | jq '[.neighbours[] | select(.peer == "b") | .rtt_us / 1000000][0]')
check "round trips are in seconds" jq -en "$(value 'xylem_neighbour_rtt_seconds{peer="b"}') < 10 * $rtt + 0.1"
check "what may be reached, by rule" grep -q '^xylem_policy_rule_packets_total{rule="[0-9]*",what="tcp/22",from="all",does="accept"} ' "$LAB/metrics"
check "nobody is left out" same "0 0 0" "$(value 'xylem_peers_left_out{why="limit"}') $(value 'xylem_peers_left_out{why="open"}') $(value xylem_rows_left_out)"
check "all that rules and dashboard ask for is there" same "" "$(comm -23 \
  <(grep -ohE '\bxylem_[a-z0-9_]+' "$tree/config/grafana/xylem.json" "$tree/config/prometheus/xylem.rules.yml" | grep -v "$fleet_rules" | sort -u) \
  <({ cat "$LAB/metrics" && metrics b; } | sed -n 's/^\(xylem_[a-z0-9_]*\).*/\1/p' | sort -u))"
if [ "$fleet_rules" = '^$' ]; then
  check "what its agent counts" same "1 1 1 0" "$(value xylem_fleet_source_up) $(value 'xylem_fleet_outcomes_total{outcome="malformed"}') $(value 'xylem_fleet_refused{outcome="malformed"}') $(value xylem_fleet_records)"
  check "b has none" same "" "$(metrics b | grep '^xylem_fleet' || true)"
  kill -STOP "${FLEET_PID[a]}"
  sleep 1.1 # no answer is shared for longer
  check "of an agent that hangs nothing is told, and all else is" same "1 " "$(metrics a | sed -n 's/^xylem_daemon_up //p') $(metrics a | grep '^xylem_fleet' || true)"
  kill -CONT "${FLEET_PID[a]}"
  back() { metrics a | grep -qx 'xylem_fleet_source_up 1'; }
  check_within 20 "it is told again" back
fi
check "only read" same 405 "$(status a /metrics -X POST)"

# --- who comes at once has the same answer
for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16; do
  metrics a -H 'Accept: application/openmetrics-text; version=1.0.0' -D "$LAB/head.$i" >"$LAB/metrics.$i" &
  many[i]=$!
done
wait "${many[@]}"
check "of all sixteen" same 16 "$(grep -lx '# EOF' "$LAB"/metrics.[0-9]* | wc -l)"
check "in a scrape or two" at_least "$(cat "$LAB"/metrics.[0-9]* | grep '^xylem_scrape_seconds' | sort -u | wc -l)" 3
check "as OpenMetrics" grep -qi '^content-type: application/openmetrics-text; version=1.0.0' "$LAB/head.1"
if /usr/bin/python3 -c 'import prometheus_client' 2>/dev/null; then
  check "so that a strict reader takes it" /usr/bin/python3 -c 'import sys
from prometheus_client.openmetrics.parser import text_string_to_metric_families as read
assert len(list(read(sys.stdin.read()))) > 100' <"$LAB/metrics.1"
fi
check "which has counters without their end, and units" grep -qx '# UNIT xylem_peer_rx_bytes bytes' "$LAB/metrics.1"

# --- a real Prometheus
cat >"$LAB/prometheus.yml" <<YML
global: { scrape_interval: 1s, evaluation_interval: 1s }
rule_files: [ "$tree/config/prometheus/xylem.rules.yml" ]
scrape_configs: [ { job_name: xylem, static_configs: [ { targets: [ "127.0.0.1:8989" ] } ] } ]
YML
check "its config is right, with our rules" promtool check config "$LAB/prometheus.yml"
spawn a "$LAB/prometheus.log" prometheus --config.file "$LAB/prometheus.yml" --storage.tsdb.path "$LAB/tsdb" --web.listen-address 127.0.0.1:9090
ask() { in_node a curl -sS --max-time 10 -G "http://127.0.0.1:9090/api/v1/$1" "${@:2}"; }                  # WHAT [OPTION...]
has() { ask query --data-urlencode "query=$1" | jq -e "$2" >/dev/null; }                                    # QUERY FILTER
check_within 30 "it scrapes" has 'up{job="xylem"}' '.data.result[0].value[1] == "1"'
check "without a fault" same "" "$(ask targets | jq -r '.data.activeTargets[0].lastError')"
check_within 10 "it sees the peer, by name" has 'xylem_peer_up{peer="b"}' '.data.result[0] | .value[1] == "1" and .metric == {__name__: "xylem_peer_up", instance: "127.0.0.1:8989", job: "xylem", peer: "b"}'
check "as many series as were told" same "$(metrics a | grep -vc '^#')" "$(ask query --data-urlencode 'query=count({__name__=~"xylem_.+"})' | jq -r '.data.result[0].value[1]')"
check_within 10 "its rules are well" has 'vector(1)' '.status == "success"'
check_within 15 "each of them" sh -c "nsenter --net=/run/netns/${LAB_PREFIX}a curl -sS http://127.0.0.1:9090/api/v1/rules | jq -e '[.data.groups[].rules[]] | length > 20 and all(.health == \"ok\")'"
# All at once, as curl reads them from a file.
jq -r '[.panels[] | .targets[]?.expr][] | gsub("\\$instance"; "127.0.0.1:8989") | gsub("\\$__rate_interval"; "5s") |
  "url = http://127.0.0.1:9090/api/v1/query\nsilent\nget\ndata-urlencode = \("query=" + . | tojson)\nnext"' \
  "$tree/config/grafana/xylem.json" | sed '$d' >"$LAB/questions"
in_node a curl -K "$LAB/questions" >"$LAB/answers"
check "each question of the dashboard is one" same "$(grep -c '^url' "$LAB/questions") []" "$(jq -cs '"\(length) \([.[] | select(.status != "success")])"' -r "$LAB/answers")"
check_within 30 "ghost is somebody to be called for" has 'ALERTS{alertname=~"XylemPeerNoHandshake|XylemPeerDown"}' '.data.result[0].metric.peer == "ghost"'

# --- the daemon's end
stop_node a KILL
check_within 20 "is seen" has xylem_daemon_up '.data.result[0].value[1] == "0"'
check "and nothing else is told" same "xylem_build_info xylem_daemon_up" "$(metrics a | sed -n 's/^\(xylem_[a-z_]*\).*/\1/p' | sort | paste -sd' ')"
start_node a
check_within 20 "its return, too" has xylem_daemon_up '.data.result[0].value[1] == "1"'

# --- who wants less
end_process "${WEB_PID[a]}" || true
token() { printf '{ name = "%s"; hash = "%s"; scopes = [ "%s" ]; }' "$1" "$(printf %s "$1-0123456789abcdef" | sha256sum | head -c 64)" "$1"; } # SCOPE
bearer() { echo "Authorization: Bearer $1-0123456789abcdef"; } # SCOPE
cat >"$LAB/a.web.conf" <<<"public = \"127.0.0.1:8990\"; metrics = { peers = false; public = true; }; tokens = ( $(token metrics), $(token read) );"
chmod 600 "$LAB/a.web.conf"
start_web a
check "a token is wanted" answers 401 metrics a /metrics
check "that may do this" answers 403 scopes a /metrics -H "$(bearer read)"
metrics a -H "$(bearer metrics)" >"$LAB/metrics"
many_of() { grep -cE "$1" "$2" || true; } # REGEX FILE
check "no peer has series" same "0 2" "$(many_of '^xylem_(peer|neighbour|joining)_' "$LAB/metrics") $(value 'xylem_peers_left_out{why="off"}')"
in_node a curl -sS http://127.0.0.1:8990/metrics >"$LAB/public"
check "everybody is told less" same "0 1" "$(many_of '^xylem_(drop|policy|port|config|kernel|node_warn|node_refused)' "$LAB/public") $(sed -n 's/^xylem_daemon_up //p' "$LAB/public")"
finish
