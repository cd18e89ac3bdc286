#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# A stock BIRD behind a WireGuard tunnel exchanges routes with the mesh, both ways, in IPv6 and IPv4.
. "$(dirname "$0")/_init.sh"
. "$TOP/test/smoke/_babel.sh"
need "$XYLEMD" "$XYLEM" wireguard-go wg bird birdc

stock_router bird 10.9.9.9
stock_goodbye bird 10.9.9.8
stock_silence bird 10.9.9.7
