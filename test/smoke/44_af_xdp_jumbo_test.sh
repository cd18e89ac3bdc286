#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Jumbo frames on AF_XDP: every node's port is on its card, and two wires carry 9000 bytes. Packets
# of full size pass without one fragment in the underlay. Then the relay has a third card, an
# ordinary one: its frames are packet buffers as ever.
#
#   a --(IPv4, 9000)-- r --(IPv6, 9000)-- b
#                      +---(IPv4, 1500)-- c
. "$(dirname "$0")/_init.sh"
need "$XYLEMD" "$XYLEM" iperf3 jq
[ "$XY_LAB_INSIDE" -eq 0 ] || skip "AF_XDP needs root"

card() { echo "{ driver = \"af_xdp\"; interface = \"$1\"; }"; }
EXTRA_a="ports = ( $(card to-r) ); host = { allow = \"all\"; mtu = 8840; };"
EXTRA_b=$EXTRA_a
EXTRA_r="ports = ( $(card to-a), $(card to-b) );"
relay_lab 9000 9000
check_within 20 "a pings b through r" pings a "${LAB_ADDR[b]}"
check "all cards are native, with jumbo frames" same "native, copy, jumbo frames" \
  "$(for node in a r b; do show $node ports | jq -r '.ports[].mode'; done | sort -u)"

sizes() { # NODE ADDRESS: packets of a few sizes around the ends of frames, 48 bytes of them headers
  local size
  for size in 1280 1420 3640 3650 3660 3720 3760 3830 3860 4000 4030 4090 7400 7500 7700 8000 8839 8840; do
    pings "$1" "$2" -M 'do' -s $((size - 48)) || {
      echo "$size bytes did not pass"
      return 1
    }
  done
}
steered() { # NODE VERDICT
  show "$1" ports | jq "[.ports[].steered.$2] | add"
}
before=$(kernel_udp r)
check "packets of all sizes from a to b" sizes a "${LAB_ADDR[b]}"
check "and from b to a" sizes b "${LAB_ADDR[a]}"
check "and to r itself" sizes a "${LAB_ADDR[r]}"
check_not "no larger one" pings a "${LAB_ADDR[b]}" -M 'do' -s $((8841 - 48))

taken=$(steered r ours)
check "iperf3 runs from a to b" flow a b "${LAB_ADDR[b]}" 3
echo "TCP through the relay on AF_XDP, jumbo frames: $(flow_result '.end.sum_received.bits_per_second / 1e6 | floor') Mbit/s"
check "by large segments" at_least 8000 "$(flow_result '.start.tcp_mss_default')"
check "r took it by AF_XDP" at_least $((taken + 1000)) "$(steered r ours)"
udp_flow() { # NODE SERVER IPERF3-ARGUMENT...
  local counted
  counted=$(losses)
  flow "$1" "$2" "${LAB_ADDR[$2]}" 2 -u "${@:3}" || return
  at_least "$(flow_result .end.sum.lost_packets)" $(($(losses) - counted))
}
check "UDP of nearly 8 KB runs, too, and what is lost is counted" udp_flow b a -b 20M -l 7800
check "r took and sent all but handshakes by its cards" test $(($(kernel_udp r) - before)) -le 10

for node in a r b; do
  check "no fragment came to $node" same 0 "$(steered "$node" fragment)"
done
in_node a bash -c 'dd if=/dev/zero bs=20000 count=1 status=none >/dev/udp/10.9.1.2/51820'
check "one that does is seen" at_least 1 "$(steered r fragment)"
check "the kernels still talk on the same wires, in full size" pings a 10.9.1.2 -M 'do' -s 8972

add_node c
join r c
make_key c
stop_node r
configure r <<END
ports = ( $(card to-a), $(card to-b), $(card to-c) );
peers = ( $(peer_text a "${LAB_KEY[a]}"), $(peer_text b "${LAB_KEY[b]}"), $(peer_text c "${LAB_KEY[c]}") );
END
configure c <<END
peers = ( $(peer_text r "${LAB_KEY[r]}" 'endpoint = "10.9.3.1:51820";') );
routes = ( { prefix = "200::/7"; peer = "r"; } );
END
start_node r
start_node c
check_within 40 "a pings b again" pings a "${LAB_ADDR[b]}"
check_within 20 "a pings c" pings a "${LAB_ADDR[c]}"
mode() { show r ports | jq -r ".ports[] | select(.interface == \"$1\") | .mode"; }
check "the jumbo cards are as before" same "native, copy, jumbo frames" "$(mode to-a)"
check "the ordinary one has its frames in packet buffers" same "native, copy" "$(mode to-c)"
card_count() { show r ports | jq ".ports[] | select(.interface == \"$1\") | $2"; }
before=$(kernel_udp r)
check_within 20 "packets of all sizes between the jumbo cards" sizes a "${LAB_ADDR[b]}"
taken=$(card_count to-c .steered.ours)
sent=$(card_count to-c .tx_packets)
check "TCP from a jumbo card to the ordinary one" flow a c "${LAB_ADDR[c]}" 2
check "and back" flow c a "${LAB_ADDR[a]}" 2
check "UDP to the ordinary card, and what is lost is counted" udp_flow b c -b 10M -l 1000
check "r took it there by AF_XDP" at_least $((taken + 1000)) "$(card_count to-c .steered.ours)"
check "and sent it" at_least $((sent + 1000)) "$(card_count to-c .tx_packets)"
check "all but handshakes by its cards" test $(($(kernel_udp r) - before)) -le 10
check_not "what is too long for c's wire does not reach it" pings a "${LAB_ADDR[c]}" -M 'do' -s 1400
