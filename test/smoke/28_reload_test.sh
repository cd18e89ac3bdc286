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
warned() { show r node | jq -e '.reloads_refused == 1 and (.warnings | any(test("refused.*r.conf")))'; }
check "which show node warns of, with the file" warned
check "and the time" grep -q "config of $(date +%F)" <<<"$(show r node | jq -r '.warnings[]')"
check_not "the unit would have refused the reload" "$XYLEMD" --check -c "$LAB/r.conf"

configure r <<END
peers = ( $(peer_text a "${LAB_KEY[a]}"), $(peer_text b "${LAB_KEY[b]}") );
END
kill -HUP "${LAB_PID[r]}"
check_within 10 "b is back" names_are a,b
calm() { show r node | jq -e '.reloads == 2 and .warnings == []'; }
check_within 10 "the warning is gone" calm
check_within 40 "a pings b again" pings a "${LAB_ADDR[b]}"

# Who may look and steer is the config's word of now.
rights() { same "$1" "$(stat -c '%a %G' "/run/xylem/${LAB_PREFIX}r/control")"; }
check "the control socket is root's alone" rights '600 root'
configure r <<END
control = { mode = "0660"; group = "nogroup"; };
peers = ( $(peer_text a "${LAB_KEY[a]}"), $(peer_text b "${LAB_KEY[b]}") );
END
kill -HUP "${LAB_PID[r]}"
check_within 10 "a reload gives it to a group" rights '660 nogroup'
configure r <<END
peers = ( $(peer_text a "${LAB_KEY[a]}"), $(peer_text b "${LAB_KEY[b]}") );
END
kill -HUP "${LAB_PID[r]}"
check_within 10 "and takes it away again" rights '600 root'

# A reload asked for before the daemon can hear it is kept, and does not end it.
add_node e
make_key e
configure e <<<'tun = false;'
spawn e "$LAB/e.log" "$XYLEMD" -c "$LAB/e.conf" -n "${LAB_PREFIX}e"
hears() { grep -qE '^Sig(Blk|Cgt):.*[13579bdf]$' "/proc/$LAB_SPAWNED/status"; } # SIGHUP is bit 0
until hears; do gone "$LAB_SPAWNED" && break; done
kill -HUP "$LAB_SPAWNED"
check_within 20 "a reload asked for while it starts is heard then" grep -q 'reloaded' "$LAB/e.log"
