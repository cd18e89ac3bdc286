#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# An idle daemon sleeps: with its links up and nothing to carry, its threads wake a few times a second, for
# what is due; and what comes then is still carried.
#
#   a --(1500)-- r --(1500)-- b
. "$(dirname "$0")/_init.sh"
need "$XYLEMD" "$XYLEM"

relay_lab 1500 1500
check_within 20 "a pings b" pings a "${LAB_ADDR[b]}"

# wakes THREAD: how often a thread of r's went to sleep and woke
wakes() { awk '/^voluntary_ctxt_switches/ { print $2 }' "/proc/${LAB_PID[r]}/task/$1/status"; }
seldom() { # THREAD TIMES: in eight seconds at most so often
  local before
  before=$(wakes "$1")
  sleep 8
  [ $(($(wakes "$1") - before)) -le "$2" ]
}
worker=$(grep -l '^rte-worker-1$' "/proc/${LAB_PID[r]}"/task/*/comm | grep -oE '[0-9]+/comm' | cut -d/ -f1)

# By the second: a turn each other second, in which Hellos that came meanwhile are read (each by a wake-up of
# its own they would make 8); our own Hellos, and those of two neighbours, each four seconds.
check_within 60 "the control thread of an idle relay wakes once in two seconds" seldom "${LAB_PID[r]}" 6
check_within 60 "and its worker for Hellos alone" seldom "$worker" 8
idle() { [ "$(show r workers | jq '[.workers[].busy < 0.5] | all')" = true ]; }
idle_for_long() { for _ in 1 2 3 4 5; do idle || return 1; sleep 1; done; }
check_within 60 "which is shown as idle" idle_for_long
check "its worker is alive" test "$(show r workers | jq '[.workers[].alive] | all')" = true
check "a packet that comes then is carried" pings a "${LAB_ADDR[b]}"
