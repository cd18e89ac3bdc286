#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# shellcheck disable=SC2034  # _lab.sh reads what is set for it
# Handshakes answered: scripts/bench handshakes [--short] [--json].
#
#   F (bench_handshakes) ---- R (xylemd, wireguard-go)        two namespaces, veth
#
# First in memory, beside bare X25519. Then R is asked by many peers, each from an address of its own,
# with 64 handshakes under way at once; told is R's CPU for one. Last, R (Xylem) carries data from one
# peer to another at a given rate while the others rekey, none, as 10,000 do, and ten times of that, and
# while a table of 10,000 signed routes comes and goes: what is lost, and what R's CPU takes more. Nothing
# is pinned.
# ONLY='xylem|wireguard-go|data' in the environment measures some of it.
. "$(dirname "$0")/_init.sh"

FLOOD=$BUILD/test/bench/bench_handshakes MESHPEER=$BUILD/test/tools/meshpeer
CACHE=${CACHE:-/tmp/xylem-bench-claims.$(id -u)} # signing takes a while: kept
table=10000
peers=2000 seconds=6 data_peers=10000 data_rate=20000 data_seconds=10
[ -z "$short" ] || peers=500 seconds=3 data_seconds=4

# --- who is asked

lab() { # PROGRAM N
  add_node F R
  join F R
  in_node F ip route add local 10.20.0.0/16 dev lo
  ip -n R route add 10.20.0.0/16 via 10.9.1.1
  "$FLOOD" keys --peers "$2" >"$LAB/keys"
  "$1_up" "$2"
}
lab_end() {
  bring_down
  ip netns del F
  ip netns del R
  LAB_NODES=() LAB_LINKS=0
}
# A line for each peer of $LAB/keys, from its number (from 1), key, and address.
peers_text() { # FORMAT
  awk -v format="$1" '{ printf format, NR, $1, "10.20." int((NR - 1) / 250) "." (NR - 1) % 250 + 1 }' "$LAB/keys"
}
xylem_up() { # N
  make_key R F
  {
    echo "max_peers = $(($1 + 16)); max_sessions = $(($1 * 4 + 64)); max_routes = $(($1 * 2 + table + 64)); log = { level = \"warn\"; };"
    echo 'peers = ('
    echo "{ name = \"F\"; key = \"${LAB_KEY[F]}\"; max_origins = 200000; },"
    peers_text '{ name = "p%d"; key = "%s"; endpoint = "%s:40000"; leaf = true; allowed = [ ALLOWED ]; },\n' |
      awk '{ sub(/ALLOWED/, sprintf("\"fd77::%x/128\"", NR)); print }' | sed '$ s/,$//'
    echo ');'
  } | configure R
  xylem_start R || return 1
  ROUTER=${LAB_PID[R]} KEY=${LAB_KEY[R]} TO=10.9.1.2:51820
}
wireguard-go_up() { # N
  make_wg_key R
  peers_text '[Peer]\n#%d\nPublicKey = %s\nEndpoint = %s:40000\n' |
    awk '{ print } /^Endpoint/ { printf "AllowedIPs = fd77::%x/128\n", ++n }' >"$LAB/R.peers"
  start_wg R 51820 <"$LAB/R.peers" || return 1
  ROUTER=${LAB_PID[R]} KEY=${LAB_WG_KEY[R]} TO=10.9.1.2:51820
}

# --- measuring

event() { jq -c --arg event "$1" 'select(.event == $event)' "$LAB/flood.json" 2>/dev/null; }
has_event() { [ -n "$(event "$1")" ]; }
flood_over() { has_event end || gone "$FLOODER"; }
# What Xylem knows that it lost: drops, and what its socket had no room for or could not send.
missed() { { show R drops && show R ports; } | jq -s '[.[] | (.drops // [])[].packets, ((.ports // [])[] | .rx_missed, .tx_errors)] | add'; }
# flood N SECONDS ARGUMENT...: sets CPU (R's, ns) and leaves what came of it in $LAB/flood.json.
flood() {
  local n=$1 time=$2 from
  shift 2
  rm -f "$LAB/flood.json"
  spawn F "$LAB/flood.json" "$FLOOD" flood --key "$KEY" --to "$TO" --peers "$n" --seconds "$time" "$@"
  FLOODER=$LAB_SPAWNED
  wait_for 30 has_event ready || return 1
  from=$(cpu_ns "$ROUTER")
  wait_for $((time + 30)) flood_over
  CPU=$(($(cpu_ns "$ROUTER") - from))
  has_event end
}
row() { # KIND LABEL PROGRAM [MISSED]: of $LAB/flood.json and CPU
  event end | jq --arg kind "$1" --arg title "$2" --arg version "$(version_of "$3")" --argjson cpu "$CPU" \
    --argjson missed "${4:-0}" '. + {kind: $kind, label: $title, version: $version, cpu_ns: $cpu, us: (if .answered > 0 then $cpu / .answered / 1000 else null end),
      per_s: (.answered / .seconds), data_lost: (.data_sent - .data_received), data_missed: $missed, cpu_ms_per_s: ($cpu / .seconds / 1e6)}' >>"$LAB/rows.json"
}
system() { # NAME LABEL PROGRAM
  if ! command -v "$3" >/dev/null && [ "$3" != xylemd ]; then
    note "    $2: $3 is not on PATH"
    return 0
  fi
  note "==> $2, $peers peers"
  if lab "$1" $peers && flood $peers $seconds; then
    row flood "$2" "$3"
  else
    note "not ok - $2: it did not answer"
    failed=1
  fi
  lab_end
}
# A table comes and goes as fast as R takes it, for so long.
routes_change() { # SECONDS
  # shellcheck disable=SC2016 # of the inner shell
  spawn F "$LAB/feed.json" bash -c 'end=$((SECONDS + $1)); shift; while [ $SECONDS -lt $end ]; do "$@" || exit; done' _ "$1" \
    "$MESHPEER" --key "$LAB/F.key" --peer "$KEY" --endpoint "$TO" --signed $table --cache "$CACHE" \
    --node /run/xylem/R/telemetry --want $table --limit 60 --withdraw
  FEEDER=$LAB_SPAWNED
}
data() {
  local rate before
  note "==> data while $data_peers peers rekey"
  if ! lab xylem $data_peers; then
    failed=1
    return
  fi
  for rate in 1 83 833; do
    before=$(missed)
    flood $data_peers $data_seconds --rate $rate --data $data_rate || {
      note "not ok - data with $rate handshakes a second: it broke off"
      failed=1
      break
    }
    row data "$rate" xylemd $(($(missed) - before))
  done
  note "==> data while $table routes come and go"
  [ -e "$CACHE" ] || timeout 60 "$MESHPEER" --signed $table --cache "$CACHE" --want 0 >/dev/null 2>&1 || true
  : >"$LAB/feed.json"
  before=$(missed)
  routes_change $((data_seconds + 2))
  if flood $data_peers $data_seconds --rate 1 --data $data_rate; then
    row data "1, and routes" xylemd $(($(missed) - before))
    wait_for 90 gone "$FEEDER" || true
    CHANGES=$(jq -s --argjson n $table --argjson s $((data_seconds + 2)) '[.[] | select(.event == "reached")] | length * 2 * $n' "$LAB/feed.json")
    [ "$CHANGES" -gt 0 ] || failed=1
  else
    note "not ok - data while routes come and go: it broke off"
    failed=1
  fi
  lab_end
}

# --- the report

table() {
  echo 'asked by many peers, 64 handshakes at once'
  jq -r -s "$JQ_CELL"'["who", "version", "us of CPU", "answered/s", "lost", "cookies"],
    (.[] | select(.kind == "flood") | [.label, .version, cell(.us), cell(.per_s), cell(.lost), cell(.cookies)]) | @tsv' \
    "$LAB/rows.json" | column -t -s $'\t'
  echo 'data from peer to peer through Xylem while others rekey'
  jq -r -s "$JQ_CELL"'["rekeys/s", "answered", "rekeys lost", "packets", "packets lost", "lost by R", "CPU ms/s", "us/packet", "rekeys, ms/s"],
    ([.[] | select(.kind == "data")] | .[0].cpu_ms_per_s as $none | .[] | [.label, cell(.answered), cell(.lost), cell(.data_sent),
     cell(.data_lost), cell(.data_missed), cell(.cpu_ms_per_s), cell(.cpu_ns / .data_sent / 1000), cell([.cpu_ms_per_s - $none, 0] | max)]) | @tsv' \
    "$LAB/rows.json" | column -t -s $'\t'
}
aims() {
  [ -z "${CHANGES:-}" ] || echo "routes that came and went in about $((data_seconds + 2)) s: $CHANGES, signed"
  jq -r -s 'def verdict($ok): if $ok then "pass" else "over" end;
    ([.[] | select(.kind == "flood" and .label == "Xylem")][0].us) as $us | select($us != null) |
    "\(verdict($us * 83 / 1e6 < 0.05)): 10,000 peers, each once in 120 s, take \($us * 83 / 1e4 * 100 | round / 100) % of one CPU, less than 5 wanted"' \
    "$LAB/rows.json"
  jq -r -s 'def verdict($ok): if $ok then "pass" else "over" end;
    [.[] | select(.kind == "data")] | select(length > 0) | (map(.data_lost) | add) as $lost |
    "\(verdict($lost == 0)): \($lost) packets of \(map(.data_sent) | add) lost while others rekey or routes change, 0 wanted"' "$LAB/rows.json"
}

machine "nothing pinned; who asks, who is asked and the kernel share all CPUs"
: >"$LAB/rows.json"
wanted() { [ -z "${ONLY:-}" ] || [[ $1 =~ ^($ONLY)$ ]]; }
"$FLOOD" bare ${short:+--short} >"$LAB/bare"
"$FLOOD" bare --short --json >"$LAB/bare.json"
! wanted xylem || system xylem Xylem xylemd
! wanted wireguard-go || system wireguard-go wireguard-go wireguard-go
! wanted data || data

if [ -n "$json" ]; then
  report_json | jq --slurpfile bare "$LAB/bare.json" '. + {memory: $bare[0]}'
else
  machine_text
  cat "$LAB/bare"
  table
  aims
  cat <<'END'
us of CPU: user and system time of R's process for each handshake answered, with what confirms it. lost: not answered in 0.5 s;
cookies: replies that ask for one. lost by R: of these, what R dropped or its socket had no room for; the others
are the kernel's. rekeys, ms/s: R's CPU beyond the first line's, which has one handshake a second.
END
fi
exit $failed
