#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# The relay is killed and started again; traffic through it resumes by itself. Then an end is.
#
#   a --(IPv4)-- r --(IPv6)-- b
. "$(dirname "$0")/_init.sh"
need "$XYLEMD" "$XYLEM"

relay_lab
check_within 20 "a pings b" pings a "${LAB_ADDR[b]}"
stop_node r KILL
check_not "without the relay nothing passes" pings a "${LAB_ADDR[b]}"
start_node r
# Both ends find out by themselves: data sent, nothing heard for 10 + 5 s, a new handshake.
check_within 60 "traffic resumes after the relay's restart" pings a "${LAB_ADDR[b]}"
check "in both directions" pings b "${LAB_ADDR[a]}"
stop_node a KILL
start_node a
check_within 20 "an end that was killed is back at once" pings a "${LAB_ADDR[b]}"
