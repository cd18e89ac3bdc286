#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Keys change every 3 seconds while UDP flows both ways; not one datagram is lost.
#
#   p (wireguard-go) ---- a (Xylem) ---- b (Xylem)
. "$(dirname "$0")/_init.sh"
need "$XYLEMD" "$XYLEM" wireguard-go wg iperf3
export XYLEM_TEST_TIMERS="rekey_after=3,reject_after=9"

leaf_lab 'endpoint = "10.9.1.1:51820";'
leaf=$LAB_LEAF
check_within 20 "a pings b" pings a "${LAB_ADDR[b]}"
check_within 20 "a pings p" pings a "$leaf"

# 400 datagrams a second: what a receiver's socket holds while another process has the CPU is no
# concern of a rekey.
lossless() { # FROM TO ADDRESS
  flow "$1" "$2" "$3" 10 -u -b 1600K -l 500 "${@:4}"
  flow_result '.end.sum | "\(.packets) datagrams, \(.lost_packets) lost"'
  same 0 "$(flow_result '.end.sum.lost_packets')"
  at_least 2000 "$(flow_result '.end.sum.packets')"
}
current() { show "$1" sessions | jq -r "[.sessions[] | select(.peer == \"$2\" and .use == \"current\") | .index] | first"; }

first=$(current a b)
check "no loss from a to b" lossless a b "${LAB_ADDR[b]}"
check_not "the session is another one" same "$first" "$(current a b)"
check "no loss from b to a" lossless b a "${LAB_ADDR[a]}"
first=$(current a p)
check "no loss from a to wireguard-go" lossless a p "$leaf"
check_not "the session is another one" same "$first" "$(current a p)"
check "no loss from wireguard-go to a" lossless p a "${LAB_ADDR[a]}"
check "no loss from wireguard-go to b" lossless p b "${LAB_ADDR[b]}"
