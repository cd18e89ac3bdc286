#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# shellcheck disable=SC2034  # _lab.sh reads what is set for it
# A config of many peers or routes: scripts/bench reload [--short] [--json].
#
#   R (xylemd)        one namespace, no wire: nobody is there to answer
#
# Twice per size: R starts with all of it; and R starts with nothing, and gets all of it by a reload,
# loses it by another, and so again. What the control thread worked on in one turn at most is its CPU
# time, so that a busy machine does not count; it is told since the start, so the removal's is at most
# what stands there. A hypervisor's pauses do count: so all of it is loaded by three starts, of which the
# least of the longest turns is what the work takes, and beside it stands the longest step that a loop that
# does nothing saw in as many seconds. Memory: after each reload that adds all.
# A check fails when a reload is refused, or when memory grows from reload to reload. ONLY='a|b' in the
# environment measures some.
. "$(dirname "$0")/_init.sh"

cases='peers|10000
peers|60000
routes|100000' rounds=3 starts=3
[ -z "$short" ] || cases='peers|10000
routes|20000'

routes_text() { # N
  seq 0 $(($1 - 1)) | awk '{ printf ", { prefix = \"fdfe:ed00:%x:%x::/64\"; peer = \"p0\"; }\n", int($1 / 65536), $1 % 65536 }'
}
write_config() { # WHAT N HOW-MANY: of N for which there is room
  local most=16
  [ "$1" = routes ] || most=$(($2 + 16))
  {
    echo "tun = false; log = { level = \"warn\"; };"
    echo "max_peers = $most; max_sessions = $((most + 4096)); max_routes = $(($2 + 1000));"
    if [ "$1" = peers ]; then
      echo "peers = ("
      many_peers_text "$3"
      echo ");"
    else
      echo "peers = ("
      many_peers_text 1
      echo '); routes = ( { prefix = "fdfe:ee00::/32"; peer = "p0"; }'
      routes_text "$3"
      echo ");"
    fi
  } | configure R
}

rss() { awk '/^VmRSS/ { print $2 * 1024 }' "/proc/${LAB_PID[R]}/status"; }
reloads_are() { show R node | jq -e --argjson n "$1" '.reloads == $n and .reloads_refused == 0'; }
reload() { # COUNT
  kill -HUP "${LAB_PID[R]}"
  wait_for 300 reloads_are "$1"
}
start() { # a config of sixty thousand peers is read for a while
  spawn R "$LAB/R.log" "$XYLEMD" -c "$LAB/R.conf" -n R
  LAB_PID[R]=$LAB_SPAWNED
  wait_for 300 answers_or_gone R && show R node >/dev/null 2>&1
}
turn() { show R node | jq -c '{turn_ms: (.longest_turn_cpu_us / 1000), by_work_us: .longest_work_cpu_us}'; }

# All of it by a reload and gone by another, so often; turns of the first: $LAB/turns.
churn() { # WHAT N ROUNDS
  local i empty added removed
  write_config "$1" "$2" 0
  start || return 1
  empty=$(turn)
  for ((i = 0; i < $3; i++)); do
    write_config "$1" "$2" "$2"
    reload $((2 * i + 1)) || return 1
    [ $i -gt 0 ] || added=$(turn)
    settle R
    rss >>"$LAB/rss"
    write_config "$1" "$2" 0
    reload $((2 * i + 2)) || return 1
    settle R
    [ $i -gt 0 ] || removed=$(turn)
  done
  jq -nc --argjson empty "$empty" --argjson added "$added" --argjson removed "$removed" \
    '{empty: $empty, added: $added, removed: $removed}' >>"$LAB/turns"
  bring_down
}

measure() { # WHAT N
  local start start_rss first last i seconds gap
  : >"$LAB/turns"
  : >"$LAB/rss"
  write_config "$1" "$2" "$2"
  start || return 1
  start=$(cpu_ns "${LAB_PID[R]}")
  settle R
  start_rss=$(rss)
  bring_down
  seconds=$SECONDS
  churn "$1" "$2" "$rounds" || return 1
  first=$(head -n 1 "$LAB/rss")
  last=$(tail -n 1 "$LAB/rss")
  for ((i = 1; i < starts; i++)); do churn "$1" "$2" 1 || return 1; done
  gap=$("$BUILD/test/bench/bench_load" gap $((SECONDS - seconds + 1)))
  jq -s --arg what "$1" --argjson n "$2" --argjson start "$start" --argjson rss "$start_rss" --argjson gap "$gap" \
    --argjson first "$first" --argjson last "$last" \
    'def least(f): [.[] | f | .turn_ms] | min;
     def work(f): [.[] | f] | min_by(.turn_ms) | .by_work_us;
     {what: $what, n: $n, start_cpu_s: ($start / 1e9), rss_mb: ($rss / 1e6), empty_turn_ms: least(.empty),
      add_turn_ms: least(.added), both_turn_ms: least(.removed), worst_turn_ms: ([.[] | .removed.turn_ms] | max),
      machine_gap_ms: ($gap / 1000), rss_after_first_mb: ($first / 1e6), rss_after_last_mb: ($last / 1e6),
      add_by_work_us: work(.added), both_by_work_us: work(.removed)}' "$LAB/turns" >>"$LAB/rows.json"
  [ $((last)) -le $((first + first / 4)) ] || {
    note "not ok - $1, $2: $last bytes after reload $rounds, $first after the first"
    return 1
  }
}

table() {
  jq -r -s "$JQ_CELL"'
    ["what", "how many", "start CPU-s", "RSS MB", "longest turn ms: empty", "all added", "and removed", "of the worst start", "the machine alone", "RSS MB after 1", "after last"],
    (.[] | [.what, (.n | tostring), cell(.start_cpu_s), cell(.rss_mb), cell(.empty_turn_ms), cell(.add_turn_ms), cell(.both_turn_ms),
      cell(.worst_turn_ms), cell(.machine_gap_ms),
      cell(.rss_after_first_mb), cell(.rss_after_last_mb)]) | @tsv' "$LAB/rows.json" | column -t -s $'\t'
}

machine "nothing pinned"
: >"$LAB/rows.json"
[ -z "${ONLY:-}" ] || cases=$(grep -E "^($ONLY)" <<<"$cases")
add_node R
make_key R
while IFS='|' read -r what n; do
  note "==> $n $what"
  measure "$what" "$n" </dev/null || {
    note "not ok - $n $what"
    tail -n 3 "$LAB/R.log" >&2
    failed=1
    bring_down
  }
done <<<"$cases"

if [ -n "$json" ]; then
  report_json
else
  machine_text
  table
  jq -r '"\(.n) \(.what), longest work in us: all added \(.add_by_work_us | tojson)", "    and removed \(.both_by_work_us | tojson)"' \
    "$LAB/rows.json"
fi
exit $failed
