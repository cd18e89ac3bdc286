#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# What a node remembers over a restart, and that it runs without: no folder, a full disk, a torn file,
# a clock that went back. At last, two nodes with one key.
#
#   a ---- r ---- s ---- t      r knows no endpoint of a: it has to remember where a was;
#                               t has the key of a
. "$(dirname "$0")/_init.sh"
need "$XYLEMD" "$XYLEM"

add_node a r s t
join a r
join r s
join s t
make_key a r s
configure r <<END
peers = ( $(peer_text a "${LAB_KEY[a]}"), $(peer_text s "${LAB_KEY[s]}") );
END
configure s <<END
peers = ( $(peer_text r "${LAB_KEY[r]}" 'endpoint = "10.9.2.1:51820";'), $(peer_text t "${LAB_KEY[a]}") );
END
configure a <<END
peers = ( $(peer_text r "${LAB_KEY[r]}" 'endpoint = "10.9.1.2:51820";') );
END
warning() { show "$1" node | jq -r '.warnings[]' | grep -q "$2"; }
remembers() { grep -qF "$2" "$LAB/$1.state/state"; }
restart() { # NODE [SIGNAL]
  stop_node "$1" "${2:-TERM}"
  start_node "$1"
}

start_node r
start_node a
check_within 20 "a pings r" pings a "${LAB_ADDR[r]}"
check "the folder is ours alone" same 700 "$(stat -c %a "$LAB/r.state")"
check "nothing to warn of" same 0 "$(show r node | jq '.warnings | length')"

stop_node r
stop_node a
check "r has written where a was" remembers r "endpoint ${LAB_KEY[a]} 10.9.1.1:51820"
configure a <<END
peers = ( $(peer_text r "${LAB_KEY[r]}") );
END
rm -rf "$LAB/a.state"
start_node a
start_node r
check_within 20 "neither config has an endpoint, but r goes to where a was" peer_up r a
check_within 20 "and traffic passes" pings r "${LAB_ADDR[a]}"

check_within 30 "it is written while running, too" remembers a "endpoint ${LAB_KEY[r]} 10.9.1.2:51820"
restart a KILL
check_within 20 "so SIGKILL loses nothing of it" pings a "${LAB_ADDR[r]}"

# a's clock goes back by a day: r has seen newer stamps and refuses older ones, and s, two hops away,
# a later epoch.
start_node s
check_within 30 "s pings a over r" pings s "${LAB_ADDR[a]}"
stop_node a
export XYLEM_TEST_CLOCK=-86400
start_node a
unset XYLEM_TEST_CLOCK
check_within 20 "a clock that went back does not cut a off" pings a "${LAB_ADDR[r]}"
check_within 30 "nor its routes" pings s "${LAB_ADDR[a]}"
check "r refused nothing" same 0 "$(drops r hs_replay)"
check "a says so in its log" grep -q 'the clock is behind' "$LAB/a.log"

stop_node a
head -c 60 "$LAB/a.state/state" >"$LAB/torn" && mv "$LAB/torn" "$LAB/a.state/state"
start_node a
check "a torn file is said" warning a 'state.* is lost'
check "and put aside" test -e "$LAB/a.state/state.lost"
check_within 20 "r goes to where a was" pings r "${LAB_ADDR[a]}"
check_within 30 "without a state, too, a has its routes" pings s "${LAB_ADDR[a]}"
restart a
check_not "the next start has nothing to say" warning a 'is lost'

stop_node a
rm -rf "$LAB/a.state"
: >"$LAB/a.state" # a file in its place
start_node a
check "no folder: it runs and says so" warning a 'nothing is remembered'
check_within 20 "and has its link" pings r "${LAB_ADDR[a]}"

stop_node a
rm "$LAB/a.state"
mkdir "$LAB/a.state"
mount -t tmpfs -o size=16k,mode=700 tmpfs "$LAB/a.state"
start_node a
dd if=/dev/zero of="$LAB/a.state/filler" bs=4k >/dev/null 2>&1 || true
check_within 30 "with a full disk a has its link" pings r "${LAB_ADDR[a]}"
check_within 30 "and says that it cannot save" warning a 'No space left'
rm "$LAB/a.state/filler"
freed() { ! warning a 'No space left' && test -s "$LAB/a.state/state"; }
check_within 30 "and forgotten when there is room again" freed
stop_node a
umount "$LAB/a.state"

# t has a's key: each goes above the other's epoch, at most once a minute, and says so.
cp "$LAB/a.key" "$LAB/t.key"
configure t <<END
peers = ( $(peer_text s "${LAB_KEY[s]}" 'endpoint = "10.9.3.1:51820";') );
END
start_node a
XYLEM_TEST_CLOCK=5 start_node t # epochs are of seconds: not the same one
check_within 30 "t is up" peer_up s t
twin() { warning a 'another node has our key' || warning t 'another node has our key'; }
check_within 180 "two nodes with one key are shown" twin
check "and logged" grep -q 'another node announces with our key' "$LAB/a.log" "$LAB/t.log"
