#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Joining without a key: --peer to an open node; a closed one says nothing; a key that changed is
# refused; strangers that ask for links get few.
#
#   a ---- r ---- b      r is open
. "$(dirname "$0")/_init.sh"
need "$XYLEMD" "$XYLEM" /usr/bin/python3
[ ! -d /etc/xylem ] || mount -t tmpfs tmpfs /etc/xylem # the host's own config is none of ours

add_node a r b
join a r
join r b
make_key r b
configure r <<END
peering = "open";
peers = ( $(peer_text b "${LAB_KEY[b]}") );
END
configure b <<END
peers = ( { name = "relay"; endpoint = "10.9.2.1:51820"; } );
END
start_node r

# a has neither config nor key
start_bare a --peer 10.9.1.2:51820
check_within 20 "a has found r's key and is up" peer_up a 10.9.1.2-51820
check "it is r's" same "${LAB_KEY[r]}" "$(peer a 10.9.1.2-51820 key)"
address() { show "$1" node | jq -r .address; }
check_within 20 "a pings r" pings a "${LAB_ADDR[r]}"
opened() { show r peers | jq -r '.peers[] | select(.peering == "open") | .name'; }
check "r shows a as an open peer" same "open-$(show a node | jq -r .public_key | cut -c 1-16 | tr '+/' '-_')" "$(opened)"
start_node b
check_within 20 "b, whose config has r without a key, is up" peer_up b relay
check "b is no stranger to r" same configured "$(peer r b peering)"
check_within 20 "b pings a over r" pings b "$(address a)"
was=$(address a)
stop_node a
start_bare a --peer 10.9.1.2:51820
check "a keeps its key over a restart" same "$was" "$(address a)"
check "and r's, which is pinned" grep -qF "pin ${LAB_KEY[r]} 10.9.1.2:51820" /var/lib/xylem/a/state
check_within 20 "a is up again" peer_up a 10.9.1.2-51820

# probes of strangers, 10 a second
attack() { in_node a "$TOP/test/smoke/_attack.py" "$@"; }
answered() { attack probe 10.9.1.2 51820 200 | cut -d' ' -f1; }
few() { [ "$(answered)" -ge 5 ] && [ "$(drops r join_limited)" -ge 100 ]; }
check_within 20 "probes are answered, within a rate" few

# strangers: whole handshakes, no transport message after them
provisional() { show r peers | jq '[.peers[] | select(.peering == "provisional")] | length'; }
at_most() { at_least "$2" "$1"; }
in_node r sh -c 'for f in /proc/sys/net/ipv4/conf/*/rp_filter; do echo 0 >$f; done'
attack strangers 10.9.1.2 51820 20 "${LAB_KEY[r]}"
check "one source has few provisional links" at_most 8 "$(provisional)"
check "the oldest made room" at_least 1 "$(drops r hs_provisional)"
attack strangers 10.9.1.2 51820 300 "${LAB_KEY[r]}" 10.66.0.0/16
check "many have a bounded number" at_most 64 "$(provisional)"
check "and are asked for cookies" at_least 1 "$(drops r hs_cookie)"
check "known peers do not notice" pings b "${LAB_ADDR[r]}"
check "no stranger has a route" same 1 "$(show r peers | jq '[.peers[] | select(.peering == "open")] | length')"
none() { [ "$(provisional)" = 0 ]; }
check_within 30 "they are gone soon" none

# r has another key after a new installation: a refuses it, b too
old=${LAB_KEY[r]}
stop_node r
mv "$LAB/r.key" "$LAB/r.old"
make_key r
start_node r
warned() { show "$1" node | jq -r '.warnings[]' | grep -qF "${LAB_KEY[r]}"; }
check_within 60 "a refuses r's new key, and says so" warned a
check "the log too" grep -q 'refused' "$LAB/a.log"
check "it stays with the old one" same "$old" "$(peer a 10.9.1.2-51820 key)"
check_not "and nothing passes" pings a "${LAB_ADDR[r]}"
stop_node a
start_bare a --peer "${LAB_KEY[r]}@10.9.1.2:51820"
check_within 20 "with the key on the command line it is taken" peer_up a 10.9.1.2-51820
stop_node a
start_bare a --peer 10.9.1.2:51820
check_within 20 "and pinned in place of the old one" peer_up a 10.9.1.2-51820

# closed
stop_node a
rm -r /var/lib/xylem/a
sed -i 's/^peering = .*/peering = "closed";/' "$LAB/r.conf"
kill -HUP "${LAB_PID[r]}"
closed() { [ "$(show r node | jq -r .peering)" = closed ]; }
check_within 10 "r is closed" closed
check "open peers are gone with it" same "" "$(opened)"
start_bare a --peer 10.9.1.2:51820
asked() { [ "$(drops r join_closed)" -ge 3 ]; }
check_within 30 "a asks on" asked
check "and is not answered" same asking "$(show a node | jq -r '.joining[0].state')"
check "strangers neither" same 0 "$(attack probe 10.9.1.2 51820 20 | cut -d' ' -f1)"
