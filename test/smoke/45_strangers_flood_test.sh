#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# A stranger sends all that a stranger can, as fast as it goes, at a node whose links rekey every
# 3 seconds: the links carry on, each refusal has a name, memory and the loop's lag stay bounded.
#
#   p (wireguard-go) ---- a (Xylem) ---- b (Xylem)
#                           x (the stranger)
. "$(dirname "$0")/_init.sh"
need "$XYLEMD" "$XYLEM" wireguard-go wg /usr/bin/python3
export XYLEM_TEST_TIMERS="rekey_after=3,reject_after=9,rekey_timeout=1,jitter=0.2"

leaf_lab "" "Endpoint = 10.9.1.2:51820"
leaf=$LAB_LEAF
add_node x
join x a
# forged sources come in where no route leads back
in_node a sh -c 'for f in /proc/sys/net/ipv4/conf/*/rp_filter; do echo 0 >$f; done'
ip -n x route add default via 10.9.3.2
check_within 20 "p pings b" pings p "${LAB_ADDR[b]}"
check_within 20 "b pings p" pings b "$leaf"

attack() { in_node x "$TOP/test/smoke/_attack.py" "$@"; }
spawn b "$LAB/ping" ping -n -i 0.05 "$leaf"
answered() { grep -c 'bytes from' "$LAB/ping" || true; }
rss() { show a node | jq .rss_bytes; }
current() { show a sessions | jq -r "[.sessions[] | select(.peer == \"$1\" and .use == \"current\") | .index] | first"; }
before=$(rss)
first=$(current b)

# flooded KIND REASON [SOURCES]: 2.5 seconds of it
flooded() {
  local lines count sent
  lines=$(answered)
  sent=$(attack flood "$1" 10.9.3.2 51820 2.5 "${LAB_KEY[a]}" ${3:+"$3"} | tr '\n' ' ')
  count=$(drops a "$2")
  echo "$1 ${3:-}: $sent; $2 $count; $(($(answered) - lines)) pings of about 50 answered; $(show a node | jq -r '"lag p99 \(.loop_lag_p99_us) us, max \(.loop_lag_max_us) us, \(.rss_bytes / 1048576 | floor) MiB"')"
  at_least 1 "$count"
  at_least 8 $(($(answered) - lines))
}
check_flood() { # WHAT KIND REASON [SOURCES]
  flooded "${@:2}"
  echo "ok - $TEST: $1"
}
check_flood "messages with reserved bytes set" reserved not_wireguard
check_flood "initiations from 10,000 sources" initiation hs_cookie 10.66.0.0/16
check_flood "initiations with cookies" cookied hs_limited
check_flood "all at once" mixed hs_unasked 10.66.0.0/16
for reason in unknown_index hs_unasked; do
  check "counted as $reason" at_least 1 "$(drops a $reason)"
done
check_not "the link with b changed its keys meanwhile" same "$first" "$(current b)"
for reason in handshake_full punt_full; do
  check "of peers nothing was dropped as $reason" same 0 "$(drops a $reason)"
done
check "memory is bounded" at_least "$(rss)" $((before + 16 * 1048576))
show a drops | jq -c '[.drops[] | select(.packets > 0) | {(.reason): .packets}] | add'
check "the log does not run over" at_least "$(wc -l <"$LAB/a.log")" 100
check_within 5 "p pings b after it" pings p "${LAB_ADDR[b]}"
