#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# SIGHUP takes the config's difference: sessions of peers that did not change stay; a broken file
# keeps the old config.
#
#   a ---- r ---- b
. "$(dirname "$0")/_init.sh"
need "$XYLEMD" "$XYLEM" jq

relay_lab
check_within 20 "a pings b" pings a "${LAB_ADDR[b]}"
sessions() { show r sessions | jq -r "[.sessions[] | select(.peer == \"$1\") | .index] | sort | join(\",\")"; }
names() { show r peers | jq -r '[.peers[].name] | sort | join(",")'; }
names_are() { same "$1" "$(names)"; }

make_key c
before=$(sessions a)
configure r <<END
peers = ( $(peer_text a "${LAB_KEY[a]}"), $(peer_text c "${LAB_KEY[c]}") );
END
kill -HUP "${LAB_PID[r]}"
check_within 10 "b is gone, c is new" names_are a,c
check "a kept its session" same "$before" "$(sessions a)"
check "a still reaches r" pings a "${LAB_ADDR[r]}"
check_not "b is cut off" pings b "${LAB_ADDR[r]}"

lines=$(wc -l <"$LAB/r.log")
configure r <<<'peers = ( { name = "a"; } );'
kill -HUP "${LAB_PID[r]}"
more() { [ "$(wc -l <"$LAB/r.log")" -gt "$lines" ] && tail -n +$((lines + 1)) "$LAB/r.log" | grep -q 'r.conf'; }
check_within 10 "a broken file is logged with its name" more
check "and the old config is kept" names_are a,c
check "with a's session" same "$before" "$(sessions a)"

configure r <<END
peers = ( $(peer_text a "${LAB_KEY[a]}"), $(peer_text b "${LAB_KEY[b]}") );
END
kill -HUP "${LAB_PID[r]}"
check_within 10 "b is back" names_are a,b
check_within 40 "a pings b again" pings a "${LAB_ADDR[b]}"
