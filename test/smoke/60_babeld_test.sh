#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# A stock babeld behind a WireGuard tunnel exchanges routes with the mesh, both ways, in IPv6 and IPv4.
. "$(dirname "$0")/_init.sh"
. "$TOP/test/smoke/_babel.sh"
need "$XYLEMD" "$XYLEM" wireguard-go wg babeld

said_back() { # of the mesh's own routes, which babeld announces on the tunnel that it has them from
  [ "$(neighbour r p reflected)" -gt 0 ]
}
stock_router babeld 02:00:00:00:00:00:00:01
check "what babeld says back to r is counted" said_back
check "and is no refusal" same "0 0" "$(neighbour r p '| "\(.refused) \(.refusals.unsigned)"')"
probed() { same probed "$(peer r p mtu_from)"; }
check_within 60 "the path to babeld is probed" probed
stock_goodbye babeld 02:00:00:00:00:00:00:02
stock_silence babeld 02:00:00:00:00:00:00:03
