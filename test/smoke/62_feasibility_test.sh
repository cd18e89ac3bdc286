#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Two stock routers with the same network behind one gateway: when one goes, the other takes over. And a
# mesh peer that offers, word for word, what an origin signed, from farther away: while it might lead
# back through us (RFC 8966, section 3.5.1) it is not followed, not even when nothing else is left; and
# when the origin has started again, its old words are refused.
#
#   p (babeld) ----+             +---- b (Xylem)
#   q (babeld) ---- r (gateway) -+---- m (meshpeer)
. "$(dirname "$0")/_init.sh"
. "$TOP/test/smoke/_babel.sh"
need "$XYLEMD" "$XYLEM" "$MESHPEER" wireguard-go wg babeld

add_node p q m r b
for node in p q m; do join $node r; done
join r b
make_key r b m
make_wg_key p q
net=${LAB_NET[r]} b=${LAB_NET[b]}::/64
plain='babel = "yes"; tag = 7; accept = [ "fd77::/16" ];'
configure r <<END
peers = ( $(peer_text b "${LAB_KEY[b]}"), $(peer_text m "${LAB_KEY[m]}"),
  $(leaf_text p "allowed = [ \"$net::5/128\" ]; $plain"), $(leaf_text q "allowed = [ \"$net::6/128\" ]; $plain") );
END
configure b <<END
routing = { accept = ( { key = "${LAB_KEY[r]}"; prefix = "fd77::/16"; } ); };
peers = ( $(peer_text r "${LAB_KEY[r]}" 'endpoint = "10.9.4.1:51820";') );
END
start_node r
start_node b
tunnel p r 10.9.1.2:51820 "$net::5"
tunnel q r 10.9.2.2:51820 "$net::6"
both=fd77:9::1/128 of_p=fd77:2::1/128 of_q=fd77:3::1/128
add_net p $both $of_p
add_net q $both $of_q
start_babeld p 02:00:00:00:00:00:00:01 fd77::/16
check_within 60 "r has p's route" via r $both p
start_babeld q 02:00:00:00:00:00:00:02 fd77::/16
check_within 60 "r hears q" via r $of_q q
check "and stays with p" via r $both p
check_within 30 "b goes by r" via b $both r
check_within 20 "and reaches it" pings b fd77:9::1
stop_babel p KILL
check_within 60 "p falls silent: its route goes to q" via r $both q
check_within 20 "b reaches it there" pings b fd77:9::1
check_within 60 "and what only p had is gone" no_way r $of_p
check "b still goes by r" via b $both r
start_babeld p 02:00:00:00:00:00:00:01 fd77::/16
check_within 60 "p is back" via r $of_p p
stop_babel q
check_within 60 "q retracts: its route goes to p" via r $both p
check "b still goes by r" via b $both r

check_within 30 "r reaches b" via r "$b" b
start_meshpeer m r 10.9.3.2:51820 --silent --record "$LAB/claims" --hold 600
check_within 30 "m hears r" hears r m
check_within 30 "and what b signed" told m "$b"
stop_meshpeer m
start_meshpeer m r 10.9.3.2:51820 --silent --attack replay --claims "$LAB/claims" --metric 500 --every 500
offered() { [ "$(entry r "$b" m refmetric)" = 500 ]; }
infeasible() { [ "$(entry r "$b" m '| "\(.refmetric) \(.feasible)"')" = "500 false" ]; }
check_within 60 "r hears it from m" offered
check_within 10 "and finds it not feasible" infeasible
check "r goes straight to b" via r "$b" b
stop_node b KILL
check_within 90 "b is gone: nothing leads there" no_way r "$b"
check_within 10 "though m still offers it" infeasible
start_node b
check_within 60 "b is back" via r "$b" b
check_within 30 "and what it signed before is refused" eval '[ "$(refused r m old_epoch)" -gt 0 ]'
check "r goes straight to b" via r "$b" b
stop_meshpeer m
