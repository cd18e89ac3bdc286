#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# A route into the mesh that covers a peer's endpoint does not take the link's own datagrams with it,
# whoever brought it: the kernel is not given it. Others it has.
#
#   a ---- b
. "$(dirname "$0")/_init.sh"
need "$XYLEMD" "$XYLEM" jq

add_node a b
join a b
make_key a b
config_a() { # ROUTES
  configure a <<END
peers = ( $(peer_text b "${LAB_KEY[b]}" 'endpoint = "10.9.1.2:51820";') );
routes = ( { prefix = "10.77.0.0/16"; peer = "b"; }$1 );
END
}
config_a ""
configure b <<<"peers = ( $(peer_text a "${LAB_KEY[a]}") );"
start_node b
start_node a
check_within 20 "a pings b" pings a "${LAB_ADDR[b]}"

on_tun() { ip -n a route show dev xylem0 | cut -d ' ' -f 1; }
only_the_other() { same 10.77.0.0/16 "$(on_tun)"; }
warned() { show a node | jq -r '.warnings[]' | grep -q 'a link would go with it'; }
reload() { kill -HUP "${LAB_PID[a]}"; }
check_within 10 "a route elsewhere is the kernel's" only_the_other
config_a ', { prefix = "10.9.1.2/32"; peer = "b"; }, { prefix = "10.9.1.0/30"; peer = "b"; }'
reload
check_within 20 "routes over b's endpoint are withheld" warned
check_within 10 "the kernel has the other alone" only_the_other
check_within 10 "the log names them" grep -q 'route 10.9.1.2/32 is taken out of the kernel' "$LAB/a.log"
check_within 10 "both" grep -q 'route 10.9.1.0/30 is taken out of the kernel' "$LAB/a.log"
check "the link lives" pings a "${LAB_ADDR[b]}"

config_a ""
reload
not_warned() { ! warned; }
check_within 20 "without them the warning ends" not_warned
check "and the link lives" pings a "${LAB_ADDR[b]}"
