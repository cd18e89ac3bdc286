#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# A stock babeld behind a WireGuard tunnel exchanges routes with the mesh, both ways, in IPv6 and IPv4.
. "$(dirname "$0")/_init.sh"
. "$TOP/test/smoke/_babel.sh"
need "$XYLEMD" "$XYLEM" wireguard-go wg babeld

stock_router babeld 02:00:00:00:00:00:00:01
