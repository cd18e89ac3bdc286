#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# xylem-web ends well and takes a new config, whatever is under way.
. "$(dirname "$0")/_init.sh"
. "$(dirname "$0")/_mesh.sh"
. "$(dirname "$0")/_web.sh"
need curl jq python3

mesh_link a b
mesh_start
start_web a
clients() { in_node a /usr/bin/python3 "$TOP/test/smoke/_web_clients.py" "$1" 127.0.0.1 8989 "${@:2}"; }

# --- its end is a good one, whatever is under way: a diagnosis and a scrape of a daemon that hangs, or one that rests, and a
# hundred requests that come in the same moment
ends_well() {
  local code=0
  end_process "${WEB_PID[a]}" || code=$?
  check "it ends well $1" same 0 $code
}
ask_meanwhile() { # NAME PATH
  web a "$2" -o /dev/null -w '%{http_code}' >"$LAB/$1.status" &
  meanwhile+=($!)
}
meanwhile=()
kill -STOP "${LAB_PID[a]}"
ask_meanwhile diagnosis /api/v1/diagnosis
ask_meanwhile metrics /metrics
sleep 0.7
ends_well "while it asks"
kill -CONT "${LAB_PID[a]}"
wait "${meanwhile[@]}"
check "who waits is told" same "503 503" "$(cat "$LAB/diagnosis.status") $(cat "$LAB/metrics.status")"
start_web a
ask_meanwhile rests /api/v1/diagnosis
sleep 0.5
kill -STOP "${WEB_PID[a]}"
clients burst 100 >"$LAB/burst" &
burst=$!
wait_for 10 grep -q sent "$LAB/burst"
kill -TERM "${WEB_PID[a]}"
kill -CONT "${WEB_PID[a]}"
ends_well "with a hundred who ask"
wait "$burst" "${meanwhile[-1]}"
check "who was heard yet is told ($(tail -n 1 "$LAB/burst"))" grep -q '503:' "$LAB/burst"
