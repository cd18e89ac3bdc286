#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# What a small node takes, and one with room for many peers and routes: printed. An empty table must
# not cost what a full one does.
. "$(dirname "$0")/_init.sh"
need "$XYLEMD" "$XYLEM"

add_node small large
make_key small large
configure small <<<'max_peers = 16; max_sessions = 64; max_routes = 1024;'
configure large <<<'max_peers = 10000; max_sessions = 40000; max_routes = 1000000;'
start_node small
start_node large
rss() { show "$1" node | jq '.rss_bytes / 1048576 | floor'; }
echo "memory of a small node: $(rss small) MiB resident ($(show small node | jq -r .memory))"
echo "memory with room for 10,000 peers and 1,000,000 routes: $(rss large) MiB resident"
check "a small node tells its memory" at_least 1 "$(rss small)"
check "max_routes is the table's" same 1000000 "$(show large node | jq .route_limit)"
check "and routing has room for as many, and some that come and go" at_least 2000000 "$(show large routing | jq .prefix_limit)"
check "an empty route table takes less than 1 MiB" at_least "$(show large node | jq .route_memory_bytes)" 1048576
