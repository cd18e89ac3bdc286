#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# AF_XDP where the address is not on a plain card. A bridge has no XDP of its own: the kernel runs the
# program (generic mode), and frames come as their sender gave them, several datagrams in one; those go by
# the kernel's socket, so TCP flows and nothing is taken for a forgery. A card that is part of a bridge gets
# no packet of the bridge's addresses: that is said.
#
#   a ---- r (e0, which is part of br0, which has the address)
. "$(dirname "$0")/_init.sh"
need "$XYLEMD" "$XYLEM" iperf3 jq
[ "$XY_LAB_INSIDE" -eq 0 ] || skip "AF_XDP needs root"

add_node a r
make_key a r
ip -n "${LAB_PREFIX}a" link add e0 type veth peer name e0 netns "${LAB_PREFIX}r"
ip -n "${LAB_PREFIX}a" addr add 10.9.1.1/24 dev e0
ip -n "${LAB_PREFIX}a" link set e0 up
ip -n "${LAB_PREFIX}r" link set e0 up
ip -n "${LAB_PREFIX}r" link add br0 type bridge 2>/dev/null || skip "this kernel has no bridges"
ip -n "${LAB_PREFIX}r" link set e0 master br0
ip -n "${LAB_PREFIX}r" link set br0 up
ip -n "${LAB_PREFIX}r" addr add 10.9.1.2/24 dev br0
configure a <<<"peers = ( $(peer_text r "${LAB_KEY[r]}" 'endpoint = "10.9.1.2:51820";') );"
card() { configure r <<<"ports = ( { driver = \"af_xdp\"; interface = \"$1\"; } ); peers = ( $(peer_text a "${LAB_KEY[a]}") );"; }
check_within 10 "the kernels reach each other" pings a 10.9.1.2
warned() { show r node | jq -e ".warnings | any(test(\"$1\"))"; }
noted() { show r ports | jq -e ".ports[0].note // \"\" | test(\"$1\")"; }
flows() {
  check "TCP flows from a to r" flow a r "${LAB_ADDR[r]}" 2
  check "at more than what trains leave of it" at_least 1000000 "$(flow_result '.end.sum_received.bytes')"
  check "and from r to a" flow a r "${LAB_ADDR[r]}" 2 -R
  check "nothing is taken for a forgery" same 0 "$(drops r bad_tag)"
  check "the kernels still reach each other" pings a 10.9.1.2
}

card br0
start_node r
start_node a
check_within 20 "a reaches r, on the bridge itself" pings a "${LAB_ADDR[r]}"
check "the program is run by the kernel" same "generic, copy" "$(show r ports | jq -r '.ports[0].mode')"
check "and that is said" grep -q 'br0: the kernel runs XDP for its driver' "$LAB/r.log"
flows
steered() { show r ports | jq ".ports[0].steered.$1"; }
check "trains came, and went by the socket" at_least 1 "$(($(steered train) + $(drops r train)))"
check "as did what came behind them" at_least 1 "$(steered to_socket)"
check "short ones were lost once at most" same "true" "$([ "$(drops r train)" -le 64 ] && echo true)"
check_within 10 "that is said in the log" grep -q 'br0: its frames come as trains' "$LAB/r.log"
check "once" same 1 "$(grep -c 'its frames come as trains' "$LAB/r.log")"
check "among the warnings" warned "br0: frames are trains"
check "and beside the port" noted "frames are trains"
check_accounts
stop_node r

card e0
start_node r
check_within 40 "a reaches r, on a card that is part of the bridge" pings a "${LAB_ADDR[r]}"
check "that nothing comes by it is said in the log" grep -q 'e0: is part of br0' "$LAB/r.log"
check "among the warnings" warned "e0: part of br0"
check "and beside the port" noted "part of br0"
flows
check "all of it by the kernel" same 0 "$(steered ours)"

# The card leaves the bridge, and has the address itself.
ip -n "${LAB_PREFIX}r" link set e0 nomaster
ip -n "${LAB_PREFIX}r" addr del 10.9.1.2/24 dev br0
ip -n "${LAB_PREFIX}r" addr add 10.9.1.2/24 dev e0
check_within 20 "that it left is said" grep -q 'e0: is no longer part of br0' "$LAB/r.log"
by_card() { pings a "${LAB_ADDR[r]}" && [ "$(steered ours)" -gt 0 ]; }
check_within 40 "now it comes by the card" by_card
check_not "and nobody is warned" warned "part of br0"
