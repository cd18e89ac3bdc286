#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Two neighbours over each kind of underlay, and an endpoint given by name.
#
#   a4 --(IPv4)-- b4        a6 --(IPv6)-- b6        an --(by name)-- bn
. "$(dirname "$0")/_init.sh"
need "$XYLEMD" "$XYLEM"

pair() { # A B ENDPOINT
  add_node "$1" "$2"
  join "$1" "$2"
  make_key "$1" "$2"
  configure "$1" <<<"peers = ( $(peer_text "$2" "${LAB_KEY[$2]}" "endpoint = \"$3\";") );"
  configure "$2" <<<"peers = ( $(peer_text "$1" "${LAB_KEY[$1]}") );"
  start_node "$2"
  start_node "$1"
}

pair a4 b4 10.9.1.2:51820
check_within 20 "IPv4: a pings b" pings a4 "${LAB_ADDR[b4]}"
check "IPv4: the peer's endpoint is shown" same 10.9.1.2:51820 "$(peer a4 b4 endpoint)"
check "IPv4: b learned where a is" grep -q '^10.9.1.1:51820$' <<<"$(peer b4 a4 endpoint)"

pair a6 b6 "[fd09:2::2]:51820"
check_within 20 "IPv6: a pings b" pings a6 "${LAB_ADDR[b6]}"
check "IPv6: the peer's endpoint is shown" same "[fd09:2::2]:51820" "$(peer a6 b6 endpoint)"

cp /etc/hosts "$LAB/hosts"
echo "10.9.3.2 relay.example.net" >>"$LAB/hosts"
mount --bind "$LAB/hosts" /etc/hosts
pair an bn relay.example.net:51820
check_within 20 "by name: a pings b" pings an "${LAB_ADDR[bn]}"
