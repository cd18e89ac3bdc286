#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# A laptop sleeps for five minutes: its timers stood still, its sessions did not.
#
#   a (sleeps) ---- r
. "$(dirname "$0")/_init.sh"
need "$XYLEMD" "$XYLEM"

add_node a r
join a r
make_key a r
configure r <<<"peers = ( $(peer_text a "${LAB_KEY[a]}") );"
configure a <<<"peers = ( $(peer_text r "${LAB_KEY[r]}" 'endpoint = "10.9.1.2:51820";') );"
start_node r
echo 0 >"$LAB/slept"
SUSPEND_FILE=$LAB/slept ASAN_OPTIONS=verify_asan_link_order=0 \
  LD_PRELOAD=$(realpath "$(dirname "$XYLEMD")/test/tools/suspend.so") start_node a
check_within 20 "a pings r" pings a "${LAB_ADDR[r]}"
sessions() { show a sessions | jq -r '[.sessions[].index] | sort | join(",")'; }
others() { [ "$(show a sessions | jq --arg was "$1" '[.sessions[] | select(.index | inside($was))] | length')" = 0 ]; }
before=$(sessions)
echo 300 >"$LAB/slept"
check_within 20 "the log says that a slept" grep -q 'resumed after 300 s of suspend: links begin anew' "$LAB/a.log"
check_within 20 "none of its sessions is from before" others "$before"
check_within 20 "a pings r again" pings a "${LAB_ADDR[r]}"
check_not "no worker is taken for stuck" grep -q "is stuck" "$LAB/a.log"
check "nor was the loop late for so long" at_least "$(show a node | jq .loop_lag_max_us)" 100000000
before=$(sessions)
echo 310 >"$LAB/slept"
check_within 20 "a nap is said" grep -q 'resumed after 10 s of suspend$' "$LAB/a.log"
check "and ends no session" same "$before" "$(sessions)"
check "a pings r still" pings a "${LAB_ADDR[r]}"
