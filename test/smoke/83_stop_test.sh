#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# A relay that is told to stop says goodbye: its neighbours go round it before it ends, and take it
# back when it starts again. Told twice, it ends at once.
#
#       r1
#      /  \
#     a    b      by r1 it costs less
#      \  /
#       r2
. "$(dirname "$0")/_init.sh"
. "$(dirname "$0")/_mesh.sh"
. "$(dirname "$0")/_babel.sh"
need "$XYLEMD" "$XYLEM" jq

mesh_link a r1
mesh_link a r2 'cost = 200;' 'cost = 200;'
mesh_link r1 b
mesh_link r2 b '' 'cost = 200;'

service_manager a
check_within 5 "a service manager listens" test -S "$LAB/notify.sock"
NOTIFY_SOCKET=$LAB/notify.sock mesh_start

by() { goes_by a b "$1" && goes_by b a "$1"; }
ping_start() { # b from a, twenty times a second
  rm -f "$LAB/ping"
  spawn a "$LAB/ping" ping -n -D -i 0.05 -w 60 "${LAB_ADDR[b]}"
  PING=$LAB_SPAWNED
  wait_for 10 grep -q 'icmp_seq=2 ' "$LAB/ping"
}
# The longest time between two answers, in milliseconds.
ping_end() {
  end_process "$PING" INT || true
  sed -nE 's/^\[([0-9.]+)\].*icmp_seq=.*/\1/p' "$LAB/ping" |
    awk 'NR > 1 && $1 - t > most { most = $1 - t } { t = $1 } END { printf "%d\n", most * 1000 }'
}

check_within 60 "all reach each other" all_reach "${MESH[@]}"
check_within 60 "a and b speak by r1" by r1
ping_start
code=0
kill -TERM "${LAB_PID[r1]}"
check_within 10 "r1 is told to stop: a and b speak by r2" by r2
wait "${LAB_PID[r1]}" || code=$?
LAB_PID[r1]=
check "it ends, with 0" same 0 "$code"
check "its service manager heard so first" grep -q STOPPING=1 "$LAB/notify"
check "a and b were told: left, and not silent" \
  same "left left 0 0" "$(for n in a b; do neighbour $n r1 state; done | xargs) $(for n in a b; do neighbour $n r1 silences; done | xargs)"
check "the log says so" grep -q 'peer r1 says goodbye' "$LAB/a.log"
gap=$(ping_end)
echo "no answer for $gap ms"
# Without a goodbye it is more than 2,000.
check "far less than a silent relay takes" test "$gap" -lt 1500

start_node r1
check_within 60 "r1 is back, and used" by r1
ping_start
kill -TERM "${LAB_PID[r1]}"
check_within 10 "it ends again" gone "${LAB_PID[r1]}"
start_node r1 # while it is still known to have left
check_within 60 "it is taken back at once" by r1
echo "a restart: no answer for $(ping_end) ms"
check "nobody found it silent" same "0 0" "$(for n in a b; do neighbour $n r1 silences; done | xargs)"

kill -STOP "${LAB_PID[r1]}" # both signals are there before it hears one
kill -TERM "${LAB_PID[r1]}"
kill -INT "${LAB_PID[r1]}"
kill -CONT "${LAB_PID[r1]}"
code=0
wait "${LAB_PID[r1]}" || code=$?
LAB_PID[r1]=
check "told twice, it ends, with 0" same 0 "$code"
check "at once" grep -q 'again: stopping at once' "$LAB/r1.log"
