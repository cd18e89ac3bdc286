#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# An idle daemon sleeps: with its links up and nothing to carry, its threads wake a few times a second, for
# what is due; and what comes then is still carried.
#
# a's and b's clocks are one and three seconds before r's, so that their Hellos, which leave at whole multiples of
# four, come between r's own turns and not with them.
#
#   a --(1500)-- r --(1500)-- b
. "$(dirname "$0")/_init.sh"
need "$XYLEMD" "$XYLEM"

# later SECONDS: what starts xylemd with a clock before this one's
later() {
  printf '#!/bin/sh\nexec unshare --time --boottime %s -- %s "$@"\n' "$1" "$XYLEMD" >"$LAB/later$1"
  chmod +x "$LAB/later$1"
  echo "$LAB/later$1"
}
unshare --time --boottime 1 true || skip "no time namespaces here"
XYLEMD_a=$(later 1) XYLEMD_b=$(later 3)
relay_lab 1500 1500
check_within 20 "a pings b" pings a "${LAB_ADDR[b]}"

# wakes THREAD: how often a thread of r's went to sleep and woke
wakes() { awk '/^voluntary_ctxt_switches/ { print $2 }' "/proc/${LAB_PID[r]}/task/$1/status"; }
seldom() { # in eight seconds its control thread and its worker at most so often
  local control before
  control=$(wakes "${LAB_PID[r]}") before=$(wakes "$worker")
  sleep 8
  [ $(($(wakes "${LAB_PID[r]}") - control)) -le "$1" ] && [ $(($(wakes "$worker") - before)) -le "$2" ]
}
worker=$(grep -l '^rte-worker-1$' "/proc/${LAB_PID[r]}"/task/*/comm | grep -oE '[0-9]+/comm' | cut -d/ -f1)

# By the second: a turn each other second, in which Hellos that came meanwhile are read (each by a wake-up of
# its own they would make 8); our own Hellos, and those of two neighbours, each four seconds.
check_within 60 "an idle relay's control thread wakes once in two seconds, its worker for Hellos alone" seldom 6 8
idle() { [ "$(show r workers | jq '[.workers[].busy < 0.5] | all')" = true ]; }
idle_for_long() { for _ in 1 2 3 4 5; do idle || return 1; sleep 1; done; }
check_within 60 "which is shown as idle" idle_for_long
check "its worker is alive" test "$(show r workers | jq '[.workers[].alive] | all')" = true
check "a packet that comes then is carried" pings a "${LAB_ADDR[b]}"
