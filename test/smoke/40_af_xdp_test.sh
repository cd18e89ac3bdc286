#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# The main job on AF_XDP: every node's ports are on its cards, which stay the kernel's.
#
#   a --(IPv4)-- r --(IPv6)-- b
. "$(dirname "$0")/_init.sh"
need "$XYLEMD" "$XYLEM" iperf3 jq
[ "$XY_LAB_INSIDE" -eq 0 ] || skip "AF_XDP needs root"

card() { echo "{ driver = \"af_xdp\"; interface = \"$1\"; }"; }
EXTRA_a="ports = ( $(card to-r) );"
EXTRA_b=$EXTRA_a
EXTRA_r="ports = ( $(card to-a), $(card to-b) );"
relay_lab
check_within 20 "a pings b through r" pings a "${LAB_ADDR[b]}"
check "b pings a" pings b "${LAB_ADDR[a]}"
check "r shows two af_xdp ports, on their cards" same "af_xdp to-a,af_xdp to-b" \
  "$(show r ports | jq -r '[.ports[] | "\(.driver) \(.interface)"] | join(",")')"
check "native, one queue each" same "native, copy 1" \
  "$(show r ports | jq -r '[.ports[] | "\(.mode) \(.queues)"] | unique | join("; ")')"

steered() { # NODE VERDICT
  show "$1" ports | jq "[.ports[].steered.$2] | add"
}
before=$(steered r ours)
check "iperf3 runs from a to b" flow a b "${LAB_ADDR[b]}" 3
echo "TCP through the relay on AF_XDP: $(flow_result '.end.sum_received.bits_per_second / 1e6 | floor') Mbit/s"
check "r took it by AF_XDP" at_least $((before + 1000)) "$(steered r ours)"
check "b took it by AF_XDP" at_least 1000 "$(steered b ours)"
counted=$(losses)
check "UDP runs, too" flow b a "${LAB_ADDR[a]}" 2 -u -b 5M -l 1200
counted() { at_least "$(flow_result .end.sum.lost_packets)" $(($(losses) - counted)); }
check "what was lost is counted" counted

check "the kernels still talk on the same wires" pings a 10.9.1.2
check "in IPv6, too" pings b fd09:2::1
both_flow() {
  local server
  start_flow a b "${LAB_ADDR[b]}" 4
  spawn r "$LAB/plain-server.log" iperf3 -s -1 -p 5202
  server=$LAB_SPAWNED
  wait_for 10 listens r 5202
  in_node a timeout 20 iperf3 -c 10.9.1.2 -p 5202 -t 2 -J >"$LAB/plain.json"
  end_process "$server" || true
  end_flow
}
check "TCP between the kernels goes on, while the relay carries a flow" both_flow
check "and gets its share" at_least 1000000 "$(jq '.end.sum_received.bytes' "$LAB/plain.json")"
check "r passed what is not ours" at_least 100 "$(steered r not_udp)"

# A second daemon on the same card.
configure second <<<"ports = ( { driver = \"af_xdp\"; interface = \"to-a\"; port = 7; } ); tun = false;"
xylem genkey "$LAB/second.key" >/dev/null
refused() { ! in_node r timeout 20 "$XYLEMD" -c "$LAB/second.conf" -n second >"$LAB/second.log" 2>&1; }
check "a second daemon on r's card does not start" refused
check "and says why" grep "to-a: queue 0 has an AF_XDP socket already" "$LAB/second.log"
check "r goes on" pings a "${LAB_ADDR[b]}"

check_accounts
kernel_has_program() { ip -n "$LAB_PREFIX$1" -d link show dev "$2" | grep -q xdp; }
check "there is a program on r's card" kernel_has_program r to-a
stop_node r KILL
check_not "after SIGKILL there is none" kernel_has_program r to-a
check_not "nor on the other" kernel_has_program r to-b
check_not "no interface" ip -n "${LAB_PREFIX}r" link show xylem0
check "no route" test -z "$(ip -n "${LAB_PREFIX}r" -6 route show 200::/7)"
start_node r
check_within 40 "started again, b finds it" pings b "${LAB_ADDR[r]}"
check_within 40 "and r carries on" pings a "${LAB_ADDR[b]}"

# Cards at one end of a wire and sockets at the other, both ways round, in IPv4 and in IPv6.
by() { # NODE DRIVER: restarts it
  stop_node "$1"
  sed -i '/^ports = /s/^/#/' "$LAB/$1.conf"
  [ "$2" = socket ] || sed -i '/^#ports = /s/^#//' "$LAB/$1.conf"
  start_node "$1"
}
drivers() { for node in a r b; do show "$node" ports | jq -r '.ports[0].driver'; done | xargs; }
crosses() {
  check "now by $1" same "$1" "$(drivers)"
  check_within 40 "a pings b" pings a "${LAB_ADDR[b]}"
  check_within 40 "b pings a" pings b "${LAB_ADDR[a]}"
  check "iperf3 runs from a to b" flow a b "${LAB_ADDR[b]}" 1
  check "and from b to a" flow a b "${LAB_ADDR[b]}" 1 -R
  check_accounts
}
by a socket
by b socket
before=$(steered r ours)
crosses "socket af_xdp socket"
check "r takes it by AF_XDP" at_least $((before + 1000)) "$(steered r ours)"
by r socket
by a af_xdp
by b af_xdp
crosses "af_xdp socket af_xdp"
for node in a b; do
  check "$node takes it by AF_XDP" at_least 1000 "$(steered $node ours)"
done
