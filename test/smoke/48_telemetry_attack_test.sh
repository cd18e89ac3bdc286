#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Clients of the telemetry socket that ask for nonsense, never read, come in crowds or go half-way:
# others are answered meanwhile, and packets flow. A daemon that is stuck is told from one that is
# not there.
#
#   a (Xylem) ---- b (Xylem)
. "$(dirname "$0")/_init.sh"
need "$XYLEMD" "$XYLEM" /usr/bin/python3

add_node a b
join a b
make_key a b
configure a <<<"peers = ( $(peer_text b "${LAB_KEY[b]}" 'endpoint = "10.9.1.2:51820";') );"
configure b <<<"peers = ( $(peer_text a "${LAB_KEY[a]}") );"
start_node b
start_node a
check_within 20 "a pings b" pings a "${LAB_ADDR[b]}"

ask() { timeout 20 "$TOP/test/smoke/_attack.py" telemetry "$1" /run/xylem/b/telemetry; }
rss() { show b node | jq .rss_bytes; }
before=$(rss)
for kind in garbage half slow churn; do
  check "clients: $kind" ask $kind
  check "others are answered" show b node
  check "packets flow" pings a "${LAB_ADDR[b]}"
done
check "those who had to go for others are counted" at_least 1 "$(show b node | jq .telemetry_clients_ended)"
check "memory is bounded" at_least "$(rss)" $((before + 16 * 1048576))
show b node | jq -r '"lag p99 \(.loop_lag_p99_us) us, max \(.loop_lag_max_us) us"'

refused() { # WORD COMMAND...
  local word=$1 code=0
  shift
  timeout 40 "$@" >"$LAB/refused" 2>&1 || code=$?
  cat "$LAB/refused"
  [ $code -eq 1 ] && grep -q "$word" "$LAB/refused"
}
kill -STOP "${LAB_PID[b]}"
check "a stuck daemon is told" refused 'timed out' "$XYLEM" show node -n b
kill -CONT "${LAB_PID[b]}"
check "and answers when it goes on" show b node
check "one that is not there is told" refused 'no daemon answers' "$XYLEM" show node -n nobody
