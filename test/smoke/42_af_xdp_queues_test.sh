#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Two queues and two workers on AF_XDP; on one side of the relay sockets. Each flow stays in order,
# and both workers have their share.
#
#   a1, a2 (sockets) ==(one wire, two queues)== r (AF_XDP, two workers) ---- b (sockets)
. "$(dirname "$0")/_init.sh"
need "$XYLEMD" "$XYLEM" iperf3 jq
[ "$XY_LAB_INSIDE" -eq 0 ] || skip "AF_XDP needs root"

add_node a r b
ip -n "${LAB_PREFIX}a" link add to-r numrxqueues 2 numtxqueues 2 type veth \
  peer name to-a numrxqueues 2 numtxqueues 2 netns "${LAB_PREFIX}r"
set_wire a to-r 10.9.1.1/24 fd09:1::1/64
set_wire r to-a 10.9.1.2/24 fd09:1::2/64
LAB_LINKS=1
join r b
make_key r b
nodes=()
for i in 1 2 3 4 5 6 7 8; do
  make_key "a$i"
  nodes+=("a$i")
done
peers=$(peer_text b "${LAB_KEY[b]}")
for node in "${nodes[@]}"; do peers+=", $(peer_text "$node" "${LAB_KEY[$node]}")"; done
configure r <<END
ports = ( { driver = "af_xdp"; interface = "to-a"; }, { port = 51821; } );
workers = { count = 2; };
peers = ( $peers );
END
configure b <<END
peers = ( $(peer_text r "${LAB_KEY[r]}" 'endpoint = "[fd09:2::1]:51821";') );
routes = ( { prefix = "200::/7"; peer = "r"; } );
END
start_node r
start_node b
# Several daemons in a, each with its own UDP port, so that the wire has several flows.
for i in 1 2 3 4 5 6 7 8; do
  configure "a$i" <<END
listen = $((52000 + i));
host = { allow = "all"; name = "xylem$i"; };
peers = ( $(peer_text r "${LAB_KEY[r]}" 'endpoint = "10.9.1.2:51820"; keepalive = 1;') );
routes = ( { prefix = "200::/7"; peer = "r"; } );
END
  spawn a "$LAB/a$i.log" "$XYLEMD" -c "$LAB/a$i.conf" -n "a$i"
done
all_up() { [ "$(show r peers | jq '[.peers[] | select(.state == "up")] | length')" = 9 ]; }
check_within 40 "eight nodes behind one wire, and b, are up" all_up
check "r's card has two queues" same 2 "$(show r ports | jq '.ports[] | select(.driver == "af_xdp") | .queues')"
for i in 1 2 3 4 5 6 7 8; do
  in_node a ip -6 route replace "${LAB_ADDR[b]}" dev "xylem$i" table "10$i"
  in_node a ip -6 rule add from "${LAB_ADDR[a$i]}" table "10$i"
done
daemons=(r b a1 a2 a3 a4 a5 a6 a7 a8)
share() { show r workers | jq "[.workers[].rx] | min"; }
before=$(share)
counted=$(losses "${daemons[@]}")
lost=0
for i in 1 2 3 4 5 6 7 8; do
  spawn b "$LAB/server$i.log" iperf3 -s -1 -p $((5300 + i))
  servers[i]=$LAB_SPAWNED
done
for i in 1 2 3 4 5 6 7 8; do
  wait_for 10 listens b $((5300 + i))
  spawn a "$LAB/flow$i.json" timeout 40 iperf3 -c "${LAB_ADDR[b]}" -B "${LAB_ADDR[a$i]}" -p $((5300 + i)) \
    -t 4 -u -b 4M -l 1000 -J
  flows[i]=$LAB_SPAWNED
done
for i in 1 2 3 4 5 6 7 8; do
  wait "${flows[i]}" || true
  end_process "${servers[i]}" || true
  check "flow $i arrived in order" same 0 "$(jq '.end.streams[0].udp.out_of_order' "$LAB/flow$i.json")"
  check "and nearly all of it" at_least 1000 "$(jq '.end.sum | .packets - .lost_packets' "$LAB/flow$i.json")"
  lost=$((lost + $(jq '.end.sum.lost_packets' "$LAB/flow$i.json")))
done
echo "eight flows lost $lost datagrams"
counted() { at_least "$lost" $(($(losses "${daemons[@]}") - counted)); }
check "what was lost is counted" counted
for node in r b; do
  check "nothing is taken for a forgery or a replay by $node" same "0 0" "$(drops $node bad_tag) $(drops $node replay)"
done
check "both workers took their share" at_least $((before + 1000)) "$(share)"
show r workers | jq -r '.workers[] | "worker \(.worker): \(.rx) received, \(.ring_in) handed over"'
check_accounts

# More than r takes: what was lost is counted, and nothing else is.
spawn b "$LAB/flood-server.log" iperf3 -s -1 -p 5399
flood_server=$LAB_SPAWNED
check_within 10 "a server for a flood" listens b 5399
for i in 1 2 3; do
  spawn a "$LAB/flood$i.log" timeout 20 ping -n -q -f -s 900 -w 3 -I "${LAB_ADDR[a$((i + 1))]}" "${LAB_ADDR[b]}"
done
spawn a "$LAB/flood.json" timeout 40 iperf3 -c "${LAB_ADDR[b]}" -B "${LAB_ADDR[a1]}" -p 5399 -t 3 -u -b 0 -l 1000 -J
code=0
wait "$LAB_SPAWNED" || code=$?
check "a flood" same 0 "$code"
end_process "$flood_server" || true
jq -r '.end.sum | "\(.packets) datagrams as fast as they go, \(.lost_packets) lost"' "$LAB/flood.json"
show r ports | jq -r '.ports[] | "port \(.port // .id): \(.rx_missed) missed, \(.tx_errors) not sent"'
check_within 20 "a1 still pings b" in_node a ping -n -q -c 1 -W 1 -I "${LAB_ADDR[a1]}" "${LAB_ADDR[b]}"
check_accounts
