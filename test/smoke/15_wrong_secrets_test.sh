#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# A wrong key, a wrong network secret and a wrong pre-shared key carry nothing; the right ones do.
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
  configure r <<END
network_secret = "$right";
peers = ( $(peer_text a "$1"), $(leaf_text p "psk = \"$psk\"; allowed = [ \"$leaf/128\" ];") );
END
  start_node r
}
node_a() { # SECRET KEY-OF-R
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
carries_nothing "wrong network secret"
node_a "$right" "${LAB_KEY[stranger]}"
carries_nothing "wrong key of the relay"
stop_node r
gateway "${LAB_KEY[stranger]}"
node_a "$right" "${LAB_KEY[r]}"
carries_nothing "a key that the relay does not know"

start_wg p 0 <<<"$(wg_peer r "PresharedKey = $wrong" 'Endpoint = 10.9.2.1:51820')"
wg_addr p "$leaf/128" 200::/7
check_not "wrong pre-shared key: no ping" pings p "${LAB_ADDR[r]}"
check_not "wrong pre-shared key: still none" wait_for 6 pings p "${LAB_ADDR[r]}"
in_node p wg set wg-p peer "${LAB_KEY[r]}" preshared-key <(echo "$psk")
check_within 20 "right pre-shared key: p pings r" pings p "${LAB_ADDR[r]}"
