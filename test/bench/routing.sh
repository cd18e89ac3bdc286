#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# shellcheck disable=SC2034  # _lab.sh reads what is set for it
# A full table from one neighbour, beside other routers': scripts/bench routing [--short] [--json].
#
#   F (meshpeer) ---- R (xylemd, babeld or bird)        two namespaces, veth
#
# F feeds R a table over Babel and watches R until it has all of it; then it keeps the link and says
# nothing but what the protocol demands. Xylem is fed inside its WireGuard link: signed, each /64 by
# its own key, as mesh nodes do; and unsigned, as a leaf that speaks plain Babel, which is what
# babeld and BIRD are fed, too, by the same program on the same veth; and because they are seldom fed
# by such, each is fed by its like as well (from its own table of static routes). Nothing is pinned.
# A check fails when a route is missing; what takes longer than LIMIT seconds is said to and not
# waited for. ONLY='a|b' in the environment measures some of the systems; REST is how many seconds of
# rest are looked at.
. "$(dirname "$0")/_init.sh"

MESHPEER=$BUILD/test/tools/meshpeer
CACHE=${CACHE:-/tmp/xylem-bench-claims.$(id -u)} # signing 100,000 claims takes a while: kept
ours='1000 10000 40000 100000' theirs='1000 10000 40000' alike='1000 10000 40000' limit=${LIMIT:-600} rest=${REST:-60} idle=10
[ -z "$short" ] || ours='1000 10000' theirs='1000' alike='' limit=${LIMIT:-60} rest=${REST:-5} idle=2

# --- the systems: NAME_up N brings R up for N routes and sets ROUTER (its process), FEED (how
# meshpeer reaches it) and WATCH (where it sees R's routes)

xylem_up() { # KIND N
  make_key F R
  configure R <<END
max_routes = $(($2 + 1000));
peers = ( { name = "F"; key = "${LAB_KEY[F]}"; $(xylem_peer "$1") } );
log = { level = "warn"; };
END
  xylem_start R || return 1
  ROUTER=${LAB_PID[R]}
  FEED=(--peer "${LAB_KEY[R]}" --endpoint 10.9.1.2:51820)
  WATCH=(--node /run/xylem/R/telemetry)
}
xylem_peer() { # KIND
  if [ "$1" = signed ]; then
    echo 'max_origins = 200000;'
  else
    echo 'leaf = true; allowed = [ "fdfe:ee00::5/128" ]; babel = "yes"; accept = [ "fdfe:ed00::/32" ];'
  fi
}
signed_up() { xylem_up signed "$1" && FEED+=(--signed "$1" --cache "$CACHE"); }
unsigned_up() { xylem_up unsigned "$1" && FEED+=(--plain --unsigned "$1"); }

plain_up() { # N COMMAND...: a router on the veth
  local n=$1
  shift
  make_key F
  in_node R sysctl -qw net.ipv6.conf.all.forwarding=1 net.ipv6.route.max_size=2147483647
  spawn R "$LAB/router.log" "$@"
  ROUTER=$LAB_SPAWNED
  LAB_PID[R]=$ROUTER
  FEED=(--interface to-R --plain --unsigned "$n")
  FIB=/proc/$ROUTER/net/rt6_stats
  WATCH=(--fib "$FIB")
  wait_for 10 speaks_babel R || {
    tail -n 5 "$LAB/router.log" >&2
    return 1
  }
}
speaks_babel() { in_node "$1" ss -Hlun 'sport = :6696' | grep -q .; }
babeld_on() { # NODE INTERFACE RULE
  COMMAND=(babeld -I "$LAB/$1.pid" -S "$LAB/$1.state" -C "$3" -C 'redistribute local deny' "$2")
}
babeld_up() { babeld_on R to-F 'redistribute deny' && plain_up "$1" "${COMMAND[@]}"; }
bird_on() { # NODE INTERFACE ROUTER-ID EXPORT STATIC-ROUTES
  cat >"$LAB/$1.conf" <<END
router id $3;
log stderr { fatal, error };
protocol device {}
protocol kernel { ipv6 { export where proto = "bb"; import none; }; }
protocol static { ipv6; $5 }
protocol babel bb { interface "$2" { type wired; }; ipv6 { import all; export $4; }; }
END
  COMMAND=(bird -f -c "$LAB/$1.conf" -s "$LAB/$1.ctl")
}
bird_up() { bird_on R to-F 10.9.9.9 none '' && plain_up "$1" "${COMMAND[@]}"; }
# The same, fed by its like: NAME_feed N starts that at F.
babeld-babeld_up() { babeld_up "$1"; }
bird-bird_up() { bird_up "$1"; }
table_text() { # N FORMAT: a line for each of meshpeer's plain prefixes
  seq 0 $(($1 - 1)) | awk -v format="$2\n" '{ printf format, int($1 / 65536), $1 % 65536 }'
}
babeld-babeld_feed() {
  table_text "$1" 'route add unreachable fdfe:ed00:%x:%x::/64 proto static' | ip -n F -6 -batch -
  in_node F sysctl -qw net.ipv6.conf.all.forwarding=1
  babeld_on F to-R 'redistribute ip fdfe:ed00::/32 allow'
  spawn F "$LAB/feeder.log" "${COMMAND[@]}"
}
bird-bird_feed() {
  bird_on F to-R 10.9.9.8 'where source = RTS_STATIC' "$(table_text "$1" 'route fdfe:ed00:%x:%x::/64 unreachable;')"
  spawn F "$LAB/feeder.log" "${COMMAND[@]}"
}

# NAME|LABEL|PROGRAM|SIZES
systems="signed|Xylem, signed|xylemd|$ours
unsigned|Xylem, unsigned|xylemd|$ours
babeld|babeld|babeld|$theirs
babeld-babeld|babeld, fed by babeld|babeld|$alike
bird|BIRD|bird|$theirs
bird-bird|BIRD, fed by BIRD|bird|$alike"

# --- measuring one

cpu_ns() { cat /proc/"$1"/task/*/schedstat | awk '{ n += $1 } END { printf "%.0f\n", n }'; }
rss() { awk '/^VmRSS/ { print $2 * 1024 }' "/proc/$1/status"; }
# cpu_ms_per_minute PID SECONDS: what it takes while nothing happens.
cpu_ms_per_minute() {
  local from began
  from=$(cpu_ns "$1") began=$(date +%s%N)
  sleep "$2"
  echo $((($(cpu_ns "$1") - from) * 60000 / ($(date +%s%N) - began)))
}
# Acknowledgements, and what is told onwards a little later: until two seconds take less than 10 ms.
settle() { # PID
  local i from
  for ((i = 0; i < 20; i++)); do
    from=$(cpu_ns "$1")
    sleep 2
    [ $(($(cpu_ns "$1") - from)) -gt 10000000 ] || return 0
  done
}
event() { jq -c --arg event "$1" 'select(.event == $event)' "$LAB/feed.json"; }
has_event() { [ -n "$(event "$1")" ]; }
over() { has_event reached || has_event gave_up || gone "$FEEDER"; }

feed_by_meshpeer() { # N
  spawn F "$LAB/feed.json" "$MESHPEER" --key "$LAB/F.key" "${FEED[@]}" "${WATCH[@]}" --want "$1" \
    --limit "$limit" --hold $((rest + 90))
  FEEDER=$LAB_SPAWNED
  wait_for $((limit + 60)) over || true
}
fib_entries() {
  local n
  read -r _ _ _ n _ <"$FIB"
  echo $((16#$n))
}
# Says what meshpeer would: from the first route to the last.
feed_by_its_like() { # NAME N
  local base first='' now ms
  base=$(fib_entries)
  "$1_feed" "$2"
  SECONDS_END=$((SECONDS + limit))
  while now=$(fib_entries) ms=$(date +%s%3N) && [ $((now - base)) -lt "$2" ] && [ $SECONDS -lt $SECONDS_END ]; do
    [ "$now" = "$base" ] || [ -n "$first" ] || first=$ms
    sleep 0.02
  done
  jq -nc --argjson routes $((now - base)) --argjson want "$2" --argjson ms $((ms - ${first:-$ms})) \
    '{event: (if $routes >= $want then "reached" else "gave_up" end), routes: $routes, seconds: ($ms / 1000)}' \
    >"$LAB/feed.json"
}

loop_lag() { # PROGRAM
  if [ "$1" = xylemd ]; then
    show R node | jq -c '{lag_p99_ms: (.loop_lag_p99_us / 1000), lag_max_ms: (.loop_lag_max_us / 1000)}'
  else
    echo '{}'
  fi
}

measure() { # NAME LABEL PROGRAM N
  local before memory cpu at_rest=null reached
  before=$(cpu_ms_per_minute "$ROUTER" "$idle")
  memory=$(rss "$ROUTER") cpu=$(cpu_ns "$ROUTER")
  rm -f "$LAB/feed.json"
  case $1 in
  *-*) feed_by_its_like "$1" "$4" ;;
  *) feed_by_meshpeer "$4" ;;
  esac
  cpu=$(($(cpu_ns "$ROUTER") - cpu)) memory=$(($(rss "$ROUTER") - memory))
  reached=$(event reached)
  if [ -n "$reached" ]; then
    settle "$ROUTER"
    at_rest=$(cpu_ms_per_minute "$ROUTER" "$rest")
  fi
  jq -n --arg name "$1" --arg title "$2" --arg version "$(version_of "$3")" --argjson n "$4" --argjson limit "$limit" \
    --argjson reached "${reached:-null}" --argjson gave_up "$(event gave_up | grep . || echo null)" \
    --argjson lag "$(loop_lag "$3")" --argjson cpu "$cpu" --argjson memory "$memory" --argjson idle "$before" --argjson rest "$at_rest" \
    '{name: $name, label: $title, version: $version, routes: $n, limit_s: $limit, reached: ($reached != null),
      seconds: $reached.seconds, arrived: ($reached // $gave_up).routes, bytes_in: $reached.bytes_sent,
      bytes_out: $reached.bytes_received, bytes_per_route: (if $reached.bytes_sent then $reached.bytes_sent / $n else null end),
      memory_per_route: ($memory / $n), load_cpu_s: ($cpu / 1e9), idle_cpu_ms_per_minute: $idle,
      rest_cpu_ms_per_minute: $rest} + $lag' >>"$LAB/rows.json"
  [ -n "$reached" ]
}

one() { # NAME LABEL PROGRAM N
  if [ "$3" != xylemd ] && ! command -v "$3" >/dev/null; then
    note "    $2: $3 is not on PATH"
    return 0
  fi
  note "==> $2, $4 routes"
  add_node F R
  join F R
  if ! "$1_up" "$4"; then
    note "not ok - $2: it did not come up"
    failed=1
  elif ! measure "$@"; then
    if [ "$3" = xylemd ] || ! has_event gave_up; then
      note "not ok - $2: $4 routes did not arrive in $limit s"
      tail -n 3 "$LAB/feed.json" >&2
      failed=1
    else
      note "    not all in $limit s"
    fi
  fi
  bring_down
  ip netns del F
  ip netns del R
  LAB_NODES=() LAB_LINKS=0
}

# --- the report

table() {
  jq -r -s "$JQ_CELL"'
    . as $rows | def of($name; $n): ($rows[] | select(.name == $name and .routes == $n) | .seconds) // null;
    ["system", "version", "routes", "seconds", "bytes in", "per route", "bytes out", "memory/route", "CPU-s",
     "idle ms/min", "at rest ms/min", "lag p99 ms", "max ms"],
    (.[] | [.label, .version, (.routes | tostring),
     (if .reached then cell(.seconds) + ratio(.seconds; of("babeld"; .routes)) else "> \(.limit_s)" end),
     cell(.bytes_in), cell(.bytes_per_route), cell(.bytes_out), cell(.memory_per_route), cell(.load_cpu_s),
     cell(.idle_cpu_ms_per_minute), cell(.rest_cpu_ms_per_minute), cell(.lag_p99_ms), cell(.lag_max_ms)])
    | @tsv' "$LAB/rows.json" | column -t -s $'\t'
}
# Aims, told and not enforced: figures belong to the machine.
aims() {
  jq -r -s '
    . as $rows | def of($name; $n): ($rows[] | select(.name == $name and .routes == $n) | .seconds) // null;
    def verdict($ok): if $ok then "pass" else "over" end;
    ("babeld", "babeld-babeld" | of(.; 10000) as $b | of("unsigned"; 10000) as $x | select($b != null and $x != null)
     | "\(verdict($x * 10 <= $b)): unsigned at 10000 in \($x) s, \(.) in \($b) s, a tenth wanted"),
    (("signed", "unsigned") as $k | of($k; 10000) as $x | of($k; 100000) as $y | select($x != null and $y != null)
     | "\(verdict($y <= $x * 15)): \($k) at 100000 takes \($y / $x * 10 | round / 10) times what 10000 takes, 10 is linear")
    ' "$LAB/rows.json"
}

machine "nothing pinned; feeder, router and the kernel share all CPUs"
: >"$LAB/rows.json"
[ -z "${ONLY:-}" ] || systems=$(grep -E "^($ONLY)\|" <<<"$systems")
while IFS='|' read -r name label program sizes; do
  for n in $sizes; do one "$name" "$label" "$program" "$n" </dev/null; done
done <<<"$systems"

if [ -n "$json" ]; then
  report_json
else
  machine_text
  table
  aims
  cat <<'END'
seconds: from the first Update (fed by its like: from the first route) to the last route in force (Xylem's tables; the
kernel's for babeld and BIRD); xN: that many times babeld's. bytes: Babel payloads into and out of the router until then.
memory: growth of the process. CPU-s: user and system time of its process meanwhile; idle and at rest: milliseconds of it
in a minute, before the table came and while it stands, once what followed is over. lag: of the control plane's loop, since its start.
END
fi
exit $failed
