#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# A wrong key, a wrong network secret and a wrong pre-shared key carry nothing; the right ones do. What is
# wrong is said within seconds, in the log and by `show peers`.
#
#   a (Xylem) ---- r (gateway) ---- p (wireguard-go)
. "$(dirname "$0")/_init.sh"
need "$XYLEMD" "$XYLEM" wireguard-go wg

add_node a r p
join a r
join r p
make_key a r stranger
make_wg_key p
right=$(wg genpsk) wrong=$(wg genpsk) psk=$(wg genpsk)
leaf=${LAB_NET[r]}::5

gateway() { # KEY-OF-A
  : >"$LAB/r.log"
  configure r <<END
network_secret = "$right";
peers = ( $(peer_text a "$1"), $(leaf_text p "psk = \"$psk\"; allowed = [ \"$leaf/128\" ];") );
END
  start_node r
}
node_a() { # SECRET KEY-OF-R
  : >"$LAB/a.log"
  configure a <<END
network_secret = "$1";
peers = ( $(peer_text r "$2" 'endpoint = "10.9.1.2:51820";') );
routes = ( { prefix = "200::/7"; peer = "r"; } );
END
  start_node a
}
# Several handshakes were tried, and none led to anything.
tried() { at_least 2 "$(peer a r handshakes_sent)"; }
nothing() { # NODE PEER
  [ "$(peer "$1" "$2" state)" != up ] && [ "$(peer "$1" "$2" rx_packets)" = 0 ]
}
# 5 s are promised; the rest is for a machine that is busy.
trouble_is() { [[ $(peer "$1" "$2" trouble) == *"$3"* ]]; } # NODE PEER TEXT
says() { check_within 20 "$1 shows: $3" trouble_is "$1" "$2" "$3"; }
logs() { check_within 20 "the log of $1 has: $2" grep -q "$2" "$LAB/$1.log"; } # NODE PATTERN
warns() { show r node | jq -r '.warnings[]' | grep -q 'handshake from 10.9.1.1:51820 is for another key'; }
carries_nothing() { # WHAT
  check_not "$1: no ping" pings a "${LAB_ADDR[r]}"
  check_within 20 "$1: it was tried more than once" tried
  check "$1: no link at a" nothing a r
  check "$1: no link at r" nothing r a
  stop_node a
}

gateway "${LAB_KEY[a]}"
node_a "$right" "${LAB_KEY[r]}"
check_within 20 "right key and secret: a pings r" pings a "${LAB_ADDR[r]}"
stop_node a
stop_node r

gateway "${LAB_KEY[a]}"
node_a "$wrong" "${LAB_KEY[r]}"
says a r "its secret differs"
logs a "peer r: the answer from 10.9.1.2:51820 does not open: its network_secret or psk"
carries_nothing "wrong network secret"
node_a "$right" "${LAB_KEY[stranger]}"
says r a "has another key for us" # r remembers where a was, and asks it, too
logs r "peer a: its handshakes from 10.9.1.1:51820 are for another key.*${LAB_KEY[r]}"
says a r "another key is there"
logs a "peer r: the node at its endpoint 10.9.1.2:51820 has the key ${LAB_KEY[r]}"
carries_nothing "wrong key of the relay"
stop_node r
gateway "${LAB_KEY[stranger]}"
node_a "$right" "${LAB_KEY[r]}"
says a r "no answer"
logs a "peer r: no answer from 10.9.1.2:51820 yet.*${LAB_KEY[a]}"
logs r "the key ${LAB_KEY[a]}, which is no peer here"
carries_nothing "a key that the relay does not know"
stop_node r
node_a "$right" "${LAB_KEY[r]}"
says a r "port closed"
logs a "peer r: ICMP says that nobody listens at 10.9.1.2:51820"
stop_node a
rm -rf "$LAB/r.state"
gateway "${LAB_KEY[a]}"
node_a "$right" "${LAB_KEY[stranger]}"
check_within 20 "r, who does not know where a is, warns of a handshake for another key" warns
says a r "no answer"
stop_node a

start_wg p 0 <<<"$(wg_peer r "PresharedKey = $wrong" 'Endpoint = 10.9.2.1:51820')"
wg_addr p "$leaf/128" 200::/7
check_not "wrong pre-shared key: no ping" pings p "${LAB_ADDR[r]}"
says r p "does not take our answers"
logs r "peer p: .* pre-shared key is another than ours"
check_not "wrong pre-shared key: still none" wait_for 6 pings p "${LAB_ADDR[r]}"
in_node p wg set wg-p peer "${LAB_KEY[r]}" preshared-key <(echo "$psk")
check_within 20 "right pre-shared key: p pings r" pings p "${LAB_ADDR[r]}"
