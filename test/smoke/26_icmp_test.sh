#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# What a relay cannot forward it answers: too big, no route, hop limit; and counts it.
#
#   a --(1500)-- r --(1450)-- b
. "$(dirname "$0")/_init.sh"
need "$XYLEMD" "$XYLEM" traceroute

EXTRA_a='host = { allow = "all"; mtu = 1420; };' EXTRA_b='host = { allow = "all"; mtu = 1280; };' EXTRA_r='host = { allow = "all"; addresses = [ "10.1.0.1/24" ]; };'
relay_lab 1500 1450
check_within 20 "a pings b" pings a "${LAB_ADDR[b]}"

answer() { # REGEX PING-ARGUMENT...
  local regex=$1 out
  shift
  out=$(in_node a ping -n -c 2 -i 0.3 -W 1 "$@" 2>&1) || true
  echo "$out"
  grep -qiE "$regex" <<<"$out"
}
# 1450 - 80: what wire 2 carries; less 72, that what is sealed for b has inside. The relay says so about what it cannot
# read, and a tells who sent it.
check "too big for the second link: the relay's word comes to the sender" answer 'too big.*1298|mtu ?= ?1298' -M 'do' -s 1270 "${LAB_ADDR[b]}"
check "and counts it" at_least 1 "$(drops r too_big)"
check "1298 bytes pass" pings a "${LAB_ADDR[b]}" -M 'do' -s 1250
check "no route: who would seal it says so" answer 'no route|unreachable' 2ab:1:2:3::4
check "and counts it" at_least 1 "$(drops a no_route)"
check "hop limit: the relay says so" answer 'time exceeded|hop limit' -t 1 "${LAB_ADDR[b]}"
check "and counts it" at_least 1 "$(drops r hop_limit)"

# Errors are limited: a burst of 500 is not answered by 500.
before=$(drops a icmp_limited)
in_node a ping -n -q -l 500 -c 500 -W 1 2ab:1:2:3::4 >/dev/null 2>&1 || true
check "a burst of errors is limited" at_least $((before + 1)) "$(drops a icmp_limited)"
check "but what is of another kind is still said" answer 'time exceeded|hop limit' -t 1 "${LAB_ADDR[b]}"
