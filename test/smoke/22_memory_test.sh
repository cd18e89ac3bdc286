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
if grep -qaE '__(asan|tsan)_init' "$XYLEMD"; then
  echo "skip - what a small node may take: a sanitizer's memory is not ours"
else
  check "a small node takes less than 40 MiB" at_least "$(rss small)" 39
fi
check_not "no driver of a card is loaded where no port is one" grep -q librte_net_ "/proc/${LAB_PID[small]}/maps"
check "max_routes is the table's" same 1000000 "$(show large node | jq .route_limit)"
check "and routing has room for as many, and some that come and go" at_least 2000000 "$(show large routing | jq .prefix_limit)"
check "an empty route table takes less than 1 MiB" at_least "$(show large node | jq .route_memory_bytes)" 1048576

# What a reload took is given back, also by the threads that read the file: peers that come and go by
# reloads, three times.
resident() { awk '/^VmRSS/ { print $2 }' "/proc/${LAB_PID[large]}/status"; }
reloads_are() { show large node | jq -e --argjson n "$1" '.reloads == $n'; }
reload_with() { # PEERS RELOADS
  {
    echo 'log = { level = "warn"; }; max_peers = 10000; max_sessions = 40000; max_routes = 1000000; peers = ('
    many_peers_text "$1"
    echo ');'
  } | configure large
  kill -HUP "${LAB_PID[large]}"
  check_within 60 "reload $2, with $1 peers" reloads_are "$2"
  settle large
}
for round in 1 2 3; do
  reload_with 3000 $((2 * round - 1))
  last=$(resident)
  [ $round -gt 1 ] || first=$last
  reload_with 0 $((2 * round))
done
echo "memory with 3,000 peers: $((first / 1024)) MiB after the first reload, $((last / 1024)) after the last; without them again $(($(resident) / 1024)) MiB"
check "memory does not grow from reload to reload" at_least "$last" $((first + first / 5))
