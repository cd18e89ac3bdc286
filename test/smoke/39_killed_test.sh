#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# SIGKILL at random moments, while the daemon starts, carries traffic, takes a new config or ends: each
# time it leaves no program on a card, no interface, no route and no rule, and starts again at once.
# SEED=NUMBER repeats a run's choices, ROUNDS=NUMBER makes it longer.
#
#   a ---- r (AF_XDP on both cards, TUN) ---- b
. "$(dirname "$0")/_init.sh"
need "$XYLEMD" "$XYLEM" jq
[ "$XY_LAB_INSIDE" -eq 0 ] || skip "AF_XDP needs root"

card() { echo "{ driver = \"af_xdp\"; interface = \"$1\"; }"; }
EXTRA_r="ports = ( $(card to-a), $(card to-b) );"
relay_lab
check_within 20 "a pings b through r" pings a "${LAB_ADDR[b]}"
spawn a "$LAB/ping.log" ping -n -q -i 0.002 "${LAB_ADDR[b]}"

SEED=${SEED:-$RANDOM}
ROUNDS=${ROUNDS:-12}
RANDOM=$SEED
echo "SEED=$SEED"

state() { # all that a daemon could leave in r
  ip -n "${LAB_PREFIX}r" -d link show | grep -oE '^[0-9]+: [^:]*|xdp[a-z]*|prog/xdp' || true
  ip -n "${LAB_PREFIX}r" -o addr show | awk '{ print $2, $4 }'
  ip -n "${LAB_PREFIX}r" -6 route show table all | sed 's/ expires.*//' | sort
  ip -n "${LAB_PREFIX}r" -4 route show table all | sort
  ip -n "${LAB_PREFIX}r" -6 rule show
  ip -n "${LAB_PREFIX}r" -4 rule show
}
as_before() { diff <(echo "$clean") <(state); } # what is left, and what went with it
pause() { sleep "$(printf '0.%03d' "$1")"; } # milliseconds
kill_now() {
  local node=r
  kill -KILL "$1" 2>/dev/null || true
  wait "$1" 2>/dev/null || true
  LAB_PID[$node]=
}
for what in xdp xylem0 200::/7; do
  check "while r runs there is $what" grep -q "$what" <<<"$(state)"
done
stop_node r
settled() { [ -z "$(ip -n "${LAB_PREFIX}r" addr show tentative)" ]; }
check_within 10 "the wires' own addresses are there" settled
clean=$(state)
check_not "and after its end no more" grep -q 'xdp\|xylem\|200::' <<<"$clean"

started() {
  local ms=$((RANDOM % 900))
  moment="$ms ms after its start"
  spawn r "$LAB/r.log" "$XYLEMD" -c "$LAB/r.conf" -n "${LAB_PREFIX}r"
  pause $ms
  kill_now "$LAB_SPAWNED"
}
carries() {
  local ms=$((RANDOM % 500))
  moment="carrying traffic for $ms ms"
  start_node r
  wait_for 40 pings b "${LAB_ADDR[r]}" || fail "b does not find r (SEED=$SEED)"
  pause $ms
  kill_now "${LAB_PID[r]}"
}
reloads() {
  local ms=$((RANDOM % 40))
  moment="$ms ms after SIGHUP"
  start_node r
  sed -i '/^routes/d' "$LAB/r.conf"
  echo "routes = ( { prefix = \"fd77:$round::/32\"; peer = \"b\"; } );" >>"$LAB/r.conf"
  kill -HUP "${LAB_PID[r]}"
  pause $ms
  kill_now "${LAB_PID[r]}"
}
ends() {
  local ms=$((RANDOM % 60))
  moment="$ms ms after SIGTERM"
  start_node r
  kill -TERM "${LAB_PID[r]}"
  pause $ms
  kill_now "${LAB_PID[r]}"
}
moments=(started carries reloads ends)
for ((round = 0; round < ROUNDS; round++)); do
  "${moments[round % 4]}" 2>/dev/null
  check_within 10 "killed $moment: nothing is left (SEED=$SEED)" as_before
done
start_node r
check_within 40 "r starts again, and b finds it" pings b "${LAB_ADDR[r]}"
check_within 40 "a pings b" pings a "${LAB_ADDR[b]}"
