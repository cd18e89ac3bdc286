#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# shellcheck disable=SC2034  # _lab.sh reads what is set for it
# How long packets are lost when a node or a link of a mesh goes: scripts/bench grid [--short] [--json].
#
#   n11 - n12 - n13        nine nodes, each a namespace, twelve links, of equal cost
#    |     |     |
#   n21 - n22 - n23        n11 pings n33 every 50 ms; something on the way there breaks
#    |     |     |
#   n31 - n32 - n33
#
# Another path is always there. The gap is the longest time between two answers that followed each
# other. On a busy machine round trips move the metrics; here they do not (XYLEM_TEST_NO_RTT).
# ONLY='silent|stopped' measures some of the cases; --short has each once, else it is ROUNDS (3).
# Aims are told and not enforced; a check fails where the path does not come back, or where a node
# that stops by itself leaves a gap as long as one that is killed.
. "$(dirname "$0")/_init.sh"
export XYLEM_TEST_NO_RTT=1
rounds=${ROUNDS:-3}
[ -z "$short" ] || rounds=1

NODES='n11 n12 n13 n21 n22 n23 n31 n32 n33'
LINKS='n11-n12 n12-n13 n21-n22 n22-n23 n31-n32 n32-n33 n11-n21 n21-n31 n12-n22 n22-n32 n13-n23 n23-n33'
declare -A WIRE=()

peers_of() { # NODE
  local link a b text=''
  for link in $LINKS; do
    a=${link%-*} b=${link#*-}
    [ "$1" != "$a" ] || text+=", $(peer_text "$b" "${LAB_KEY[$b]}" "endpoint = \"10.9.${WIRE[$link]}.2:51820\";")"
    [ "$1" != "$b" ] || text+=", $(peer_text "$a" "${LAB_KEY[$a]}" "endpoint = \"10.9.${WIRE[$link]}.1:51820\";")"
  done
  echo "peers = ( ${text:2} );"
}
reaches() { pings n11 "${LAB_ADDR[n33]}"; }
# The neighbour of a node by which the pings go (where two are as good, each flow is on one of them).
carrier() { # NODE tx_packets|rx_packets
  local before
  before=$(show "$1" peers)
  sleep 1
  show "$1" peers | jq -r --argjson before "$before" --arg field "$2" \
    '[.peers[] | .name as $n | {name: $n, n: (.[$field] - ($before.peers[] | select(.name == $n) | .[$field]))}]
     | max_by(.n).name'
}
settled() { # all neighbours of n11 and of the relay are used again
  local node
  for node in $NODES; do
    show "$node" neighbours | jq -e '[.neighbours[] | select(.state != "up")] == []' >/dev/null || return 1
  done
}

# --- what breaks: CASE_break and CASE_mend; $R: the neighbour of n11 by which its pings go

deafen() { # NODE INTERFACE: it hears nothing there
  in_node "$1" nft "add table inet cut; add chain inet cut in { type filter hook prerouting priority 0; };
    add rule inet cut in iifname \"$2\" drop;"
}
undeafen() { in_node "$1" nft delete table inet cut; }
wire_again() { # A B: with the addresses that went
  local n=${WIRE[$1-$2]:-}
  if [ -n "$n" ]; then
    set_wire "$1" "to-$2" "10.9.$n.1/24" "fd09:$n::1/64" 2>/dev/null || ip -n "$1" link set "to-$2" up
  fi
}

silent_break() { deafen n11 "to-$R" && deafen "$R" to-n11; }
silent_mend() { undeafen n11 && undeafen "$R"; }
down_break() { ip -n n11 link set "to-$R" down; }
down_mend() { wire_again n11 "$R"; }
address_break() { ip -n n11 addr flush dev "to-$R" scope global; }
address_mend() { wire_again n11 "$R"; }
deaf_break() { # n33 does not hear the neighbour by which it gets them
  LAST=$(carrier n33 rx_packets)
  deafen n33 "to-$LAST"
}
deaf_mend() { undeafen n33; }
killed_break() { kill -KILL "${LAB_PID[$R]}"; }
killed_mend() { xylem_start "$R"; }
stopped_break() { kill -TERM "${LAB_PID[$R]}"; }
stopped_mend() { xylem_start "$R"; }
restarted_break() {
  kill -TERM "${LAB_PID[$R]}"
  wait_for 10 gone "${LAB_PID[$R]}"
  xylem_start "$R"
}
restarted_mend() { :; }

# NAME|LABEL|SECONDS WANTED ("-": none)
cases="silent|a link goes silent, both ways|3
down|the first node's interface is set down|0.3
address|and loses its address|0.3
deaf|the last node does not hear its neighbour|3
killed|the relay is killed (-9)|2
stopped|the relay is stopped (SIGTERM)|0.3
restarted|the relay is restarted|1"

# --- measuring one

# "[1700000000.123456] 64 bytes from ...: icmp_seq=7 ...": the longest time between two answers, and
# how many are missing in all.
gap_of() {
  sed -nE 's/^\[([0-9.]+)\].*icmp_seq=([0-9]+) .*/\1 \2/p' "$LAB/ping" |
    awk 'NR > 1 { d = $1 - t; lost += $2 - s - 1; if (d > most) most = d } { t = $1; s = $2 }
      END { printf "{\"gap_s\": %.2f, \"lost\": %d, \"answers\": %d}\n", most, lost, NR }'
}
measure() { # NAME LABEL WANTED ORDER
  local ping
  rm -f "$LAB/ping"
  spawn n11 "$LAB/ping" ping -n -D -i 0.05 -w 30 "${LAB_ADDR[n33]}"
  ping=$LAB_SPAWNED
  sleep 1
  R=$(carrier n11 tx_packets)
  "$1_break"
  sleep 6
  end_process "$ping" INT || true
  gap_of | jq -c --argjson order "$4" --arg name "$1" --arg title "$2" --arg wanted "$3" --arg relay "$R" \
    '{order: $order, name: $name, label: $title, wanted_s: ($wanted | tonumber), relay: $relay} + .' | tee -a "$LAB/rows.json" >&2
  "$1_mend"
  wait_for 60 settled || {
    note "not ok - $2: the mesh did not come back"
    failed=1
  }
  wait_for 10 reaches || failed=1
  sleep "${REST:-5}" # what was found silent soon again waits for more Hellos
}

# --- the report

table() {
  jq -r -s "$JQ_CELL"'
    ["what", "gap s", "wanted", "lost of them"],
    (group_by(.order)[] | [.[0].label, (map(.gap_s) | sort | map(tostring) | join(" ")),
     "< \(.[0].wanted_s)", (map(.lost) | map(tostring) | join(" "))]) | @tsv' "$LAB/rows.json" | column -t -s $'\t'
}
worst() { jq -s --arg name "$1" '[.[] | select(.name == $name) | .gap_s] | max // empty' "$LAB/rows.json"; }

machine "nothing pinned; nine nodes share all CPUs"
: >"$LAB/rows.json"
# shellcheck disable=SC2086
add_node $NODES
for link in $LINKS; do
  join "${link%-*}" "${link#*-}"
  WIRE[$link]=$LAB_LINKS
done
# shellcheck disable=SC2086
make_key $NODES
for node in $NODES; do configure "$node" <<<"$(peers_of "$node")"; done
for node in $NODES; do xylem_start "$node"; done
wait_for 60 reaches && wait_for 60 settled || {
  note "not ok - the mesh did not come up"
  exit 1
}
[ -z "${ONLY:-}" ] || cases=$(grep -E "^($ONLY)\|" <<<"$cases")
for ((round = 0; round < rounds; round++)); do
  order=0
  while IFS='|' read -r name label wanted; do
    measure "$name" "$label" "$wanted" $((order++)) </dev/null
  done <<<"$cases"
done

stopped=$(worst stopped) killed=$(worst killed)
if [ -n "$stopped" ] && [ -n "$killed" ] && jq -ne "$stopped >= 1 and $stopped >= $killed / 2" >/dev/null; then
  note "not ok - a relay that stops by itself is missed as one that is killed: $stopped s, $killed s"
  failed=1
fi
if [ -n "$json" ]; then
  report_json
else
  machine_text
  table
fi
exit $failed
