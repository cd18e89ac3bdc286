#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Long (scripts/test --full): TCP both ways through the relay for five minutes with keys that change
# every 3 seconds; memory must not grow, and every packet is accounted for.
#
#   a --(IPv4)-- r --(IPv6)-- b
. "$(dirname "$0")/_init.sh"
need "$XYLEMD" "$XYLEM" iperf3
export XYLEM_TEST_TIMERS="rekey_after=3,reject_after=9"

relay_lab
check_within 20 "a pings b" pings a "${LAB_ADDR[b]}"
rss() { show r node | jq .rss_bytes; }
flow a b "${LAB_ADDR[b]}" 20 >/dev/null
before=$(rss)
check "five minutes of TCP both ways" flow a b "${LAB_ADDR[b]}" "${SOAK_SECONDS:-300}" --bidir
after=$(rss)
echo "resident: $((before >> 20)) MiB before, $((after >> 20)) MiB after"
check "memory did not grow by more than 4 MiB" at_least $((after - before)) $((4 << 20))
check "loop lag stays bounded" at_least "$(show r node | jq '.loop_lag_p99_us | floor')" 20000
