# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash
# For tests with other routers behind a WireGuard tunnel, and with meshpeer. Sourced after _init.sh.

MESHPEER=$BUILD/test/tools/meshpeer

# The tunnel of wireguard-go in NODE to gateway GATEWAY at ENDPOINT; ADDRESS is its own there. All goes
# in: what is routed to it is the router's to say.
tunnel() { # NODE GATEWAY ENDPOINT ADDRESS
  start_wg "$1" 0 <<END
[Peer]
PublicKey = ${LAB_KEY[$2]}
AllowedIPs = ::/0, 0.0.0.0/0
Endpoint = $3
PersistentKeepalive = 5
END
  ip -n "$LAB_PREFIX$1" link set "wg-$1" multicast on
  wg_addr "$1" "$4/128"
}

# Networks of NODE behind the tunnel: addresses of its loopback.
add_net() { # NODE ADDRESS...
  local node=$1 address
  shift
  for address in "$@"; do ip -n "$LAB_PREFIX$node" addr add "$address" dev lo; done
}

# start_babeld NODE ROUTER-ID PREFIX...: announces those of its loopback's addresses that lie inside.
start_babeld() {
  local node=$1 rid=$2 prefix rules=()
  shift 2
  rm -f "$LAB/$node.babeld.pid" # of one that was killed
  for prefix in "$@"; do rules+=(-C "redistribute local ip $prefix allow"); done
  spawn "$node" "$LAB/$node.babeld.log" babeld -I "$LAB/$node.babeld.pid" -S "$LAB/$node.babeld.state" \
    -C "router-id $rid" -C 'default enable-timestamps true rtt-max 120' "${rules[@]}" \
    -C 'redistribute local deny' -h "${BABEL_HELLO:-1}" -H "${BABEL_HELLO:-1}" "wg-$node"
  LAB_PID["babel-$node"]=$LAB_SPAWNED
  wait_for 10 speaks_babel "$node"
}
# start_bird NODE ROUTER-ID PREFIX...: likewise.
start_bird() {
  local node=$1 rid=$2 prefix v4='' v6=''
  shift 2
  for prefix in "$@"; do
    if [[ $prefix == *:* ]]; then v6+="route $prefix unreachable; "; else v4+="route $prefix unreachable; "; fi
  done
  cat >"$LAB/$node.bird.conf" <<END
router id $rid;
log stderr all;
protocol device {}
protocol static s4 { ipv4; $v4 }
protocol static s6 { ipv6; $v6 }
protocol kernel { ipv4 { import none; export where proto = "bb"; }; }
protocol kernel { ipv6 { import none; export where proto = "bb"; }; }
protocol babel bb {
  interface "wg-$node" { type wired; hello interval ${BABEL_HELLO:-1} s; };
  ipv4 { import all; export where source = RTS_STATIC; };
  ipv6 { import all; export where source = RTS_STATIC; };
}
END
  spawn "$node" "$LAB/$node.bird.log" bird -f -c "$LAB/$node.bird.conf" -s "$LAB/$node.bird"
  LAB_PID["babel-$node"]=$LAB_SPAWNED
  wait_for 10 speaks_babel "$node"
}
speaks_babel() { in_node "$1" ss -Hlun 'sport = :6696' | grep -q .; }
stop_babel() { # NODE [SIGNAL]
  end_process "${LAB_PID["babel-$1"]}" "${2:-TERM}" || true
}

withdraw_babeld() { ip -n "$LAB_PREFIX$1" addr del "$2/128" dev lo; }
withdraw_bird() { in_node "$1" birdc -s "$LAB/$1.bird" disable s6 >/dev/null; }

# --- what is seen of it

kernel_has() { # NODE PREFIX
  local family=-4
  [[ $2 != *:* ]] || family=-6
  ip -n "$LAB_PREFIX$1" $family route show "$2" | grep -v '^unreachable' | grep -q .
}
kernel_lacks() { ! kernel_has "$@"; }
via() { # NODE PREFIX PEER: NODE's packets to exactly PREFIX go to PEER
  [ "$(show "$1" route "$2" | jq -r '[.routes[] | select(.in_force and .kind == "peer") | .peer] | join(" ")')" = "$3" ]
}
no_way() { # NODE PREFIX: nothing leads there
  ! show "$1" route "$2" | jq -e '.routes[] | select(.in_force and .kind != "reject")' >/dev/null
}
entry() { # NODE PREFIX PEER FIELD: of what PEER said about PREFIX
  show "$1" route "$2" | jq -r --arg peer "$3" ".babel[] | select(.peer == \$peer) | .$4"
}
neighbour() { # NODE PEER FIELD
  show "$1" neighbours | jq -r --arg peer "$2" ".neighbours[] | select(.peer == \$peer) | .$3"
}
refused() { # NODE PEER REASON: how often
  neighbour "$1" "$2" "refusals.$3"
}
hears() { # NODE PEER: Babel is spoken, and has a cost
  [ "$(neighbour "$1" "$2" 'cost')" != null ]
}
measured() { # NODE PEER: the round trip (RFC 9616)
  [ "$(neighbour "$1" "$2" rtt_us)" -gt 0 ]
}

# --- a stock router as a leaf, and what it and the mesh learn of each other
#
#   p (router on wireguard-go; addresses 10.2.1.1, fd77:2:0:1::1) ---- r (gateway) ---- b (Xylem, 10.1.0.9)
#
# babeld knows IPv4 routes by way of IPv6 next hops (RFC 9229), so p and r have no IPv4 address on the
# tunnel; BIRD 2.0 does not, and they have.
stock_router() { # babeld|bird ROUTER-ID
  local router=$1 rid=$2 leaf v4=10.2.1.1/32 v6=fd77:2:0:1::1/128 with_v4=''
  [ "$router" = babeld ] || with_v4='host = { allow = "all"; addresses = [ "10.1.0.1/32" ]; };'
  add_node p r b
  join p r
  join r b
  make_key r b
  make_wg_key p
  leaf=${LAB_NET[r]}::5
  configure r <<END
  $with_v4
  routing = { accept = ( { key = "${LAB_KEY[b]}"; prefix = "10.1.0.0/16"; } ); };
  peers = ( $(peer_text b "${LAB_KEY[b]}"),
    $(leaf_text p "allowed = [ \"$leaf/128\" ]; babel = \"yes\"; tag = 7;
      accept = [ \"10.2.0.0/16\", \"fd77:2::/32\" ]; announce = [ \"200::/7\", \"10.1.0.0/16\" ];") );
END
  configure b <<END
  host = { allow = "all"; addresses = [ "10.1.0.9/32" ]; };
  routing = { announce = [ "10.1.0.9/32" ];
    accept = ( { key = "${LAB_KEY[r]}"; prefix = "10.2.0.0/16"; }, { key = "${LAB_KEY[r]}"; prefix = "fd77::/16"; } ); };
  peers = ( $(peer_text r "${LAB_KEY[r]}" 'endpoint = "10.9.2.1:51820";') );
END
  start_node r
  start_node b
  tunnel p r 10.9.1.2:51820 "$leaf"
  add_net p fd77:2:0:1::1/128
  ip -n p addr add $v4 dev "$(if [ -n "$with_v4" ]; then echo wg-p; else echo lo; fi)"
  "start_$router" p "$rid" $v4 $v6
  
  check_within 60 "r hears $router" hears r p
  check_within 60 "r learns an IPv6 prefix" via r $v6 p
  check_within 30 "and an IPv4 one" via r $v4 p
  check_within 60 "b learns the IPv6 prefix" via b $v6 r
  check_within 30 "b learns the IPv4 prefix" via b $v4 r
  check "under r's key" same "${LAB_KEY[r]} true 7" "$(entry b $v6 r '| "\(.origin) \(.external) \(.tag)"')"
  check_within 60 "$router learns the mesh" kernel_has p 200::/7
  check_within 30 "and b's IPv4 address" kernel_has p 10.1.0.9
  check "but no other /64" kernel_lacks p "${LAB_NET[b]}::/64"
  check_within 20 "b pings p's IPv6 network" pings b fd77:2:0:1::1
  check_within 20 "p pings b" pings p "${LAB_ADDR[b]}" -I "$leaf"
  check_within 20 "p pings b over IPv4" pings p 10.1.0.9 -I 10.2.1.1
  [ $router != babeld ] || check_within 60 "the round trip is measured" measured r p
  
  withdraw_$router p fd77:2:0:1::1
  check_within 60 "what p retracts, r gives up" no_way r $v6
  check_within 60 "and b" no_way b $v6
  check "the other one stays" via b $v4 r
  stop_node b
  check_within 120 "what b announced is retracted from p" kernel_lacks p 10.1.0.9
  start_node b
  check_within 60 "and comes back with b" kernel_has p 10.1.0.9
  stop_babel p
  check_within 60 "when $router ends, its network goes" no_way b $v4
}


# After stock_router: the gateway stops, and its neighbour drops what it has of it. Without a goodbye two
# or three of the gateway's Hellos would have to be missed, of which there is one in 4 seconds.
stock_goodbye() { # babeld|bird ROUTER-ID
  local v6=fd77:2:0:1::1
  ip -n "${LAB_PREFIX}p" addr replace $v6/128 dev lo # BIRD's was there all the time
  "start_$1" p "$2" 10.2.1.1/32 $v6/128
  check_within 60 "$1 is there again, and knows the mesh" kernel_has p 200::/7
  check_within 60 "r knows its network" via r $v6/128 p
  stop_node r
  check_within 4 "r stops: $1 drops its routes at once" kernel_lacks p 200::/7
  start_node r
  check_within 60 "and has them again with r" kernel_has p 200::/7
  check_within 60 "as r has its" via r $v6/128 p
  stop_babel p
}

# After stock_router: a flow in one direction, p says nothing but what it is asked; then p dies.
# Its router says Hello every 8 seconds, so that two of three are missed after 20.
stock_silence() { # babeld|bird ROUTER-ID
  local router=$1 rid=$2 v6=fd77:2:0:1::1 before
  ip -n "${LAB_PREFIX}p" addr replace $v6/128 dev lo # BIRD's was there all the time
  BABEL_HELLO=8 "start_$router" p "$rid" 10.2.1.1/32 $v6/128
  check_within 60 "r hears $router again" via r $v6/128 p
  before=$(neighbour r p silences)
  in_node p sysctl -qw net.ipv6.icmp.echo_ignore_all=1
  in_node r timeout 20 ping -q -i 0.2 -c 60 $v6 >/dev/null || true
  check "a flow that nothing answers goes on: $router is asked, and answers" \
    same "true $before up" "$(neighbour r p '| "\(.probes > 5) \(.silences) \(.state)"')"
  check "by the same way" via r $v6/128 p
  spawn r /dev/null timeout 60 ping -q -i 0.2 $v6
  end_process "${LAB_PID[p]}" KILL || true
  stop_babel p KILL
  check_within 60 "when it is killed with its tunnel, its network goes" no_way r $v6/128
  check "found silent before its Hellos were missed" same $((before + 1)) "$(neighbour r p silences)"
}

# --- meshpeer

# start_meshpeer NODE PEER ENDPOINT ARGUMENT...: what it tells is in $LAB/NODE.json.
start_meshpeer() {
  local node=$1 peer=$2 endpoint=$3
  shift 3
  rm -f "$LAB/$node.json"
  spawn "$node" "$LAB/$node.json" "$MESHPEER" --key "$LAB/$node.key" --peer "${LAB_KEY[$peer]}" \
    --endpoint "$endpoint" --log "$@"
  LAB_PID["meshpeer-$node"]=$LAB_SPAWNED
}
stop_meshpeer() { # NODE
  end_process "${LAB_PID["meshpeer-$1"]}" || true
}
told() { # NODE PREFIX: meshpeer heard of it, with a signature
  jq -c --arg prefix "$2" 'select(.event == "update" and .prefix == $prefix and .signed)' "$LAB/$1.json" | grep .
}
