# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash disable=SC2034
# A lab of network namespaces: nodes joined by veth, xylemd and wireguard-go in them. Sourced by
# _init.sh (tests) and by scripts/demo. Needs: LAB (a folder for files), LAB_PREFIX (of namespace and
# instance names), XYLEMD and XYLEM (programs). Everything that it starts is in LAB_PIDS.

LAB_PIDS=()
declare -A LAB_PID=() LAB_KEY=() LAB_ADDR=() LAB_NET=() LAB_WG_KEY=()
LAB_NODES=() LAB_DAEMONS=() LAB_LINKS=0

# --- waiting

# wait_for SECONDS COMMAND...: until it succeeds; 1 when the deadline passes first.
wait_for() {
  local deadline=$((SECONDS + $1))
  shift
  until "$@" >/dev/null 2>&1; do
    [ $SECONDS -le $deadline ] || return 1
    sleep 0.1
  done
}

# --- nodes and wires

# in_node NODE COMMAND...
in_node() {
  local node=$1
  shift
  nsenter --net="/run/netns/$LAB_PREFIX$node" -- "$@"
}

# spawn NODE LOG COMMAND...: in the background; its process id (the program's own) is in LAB_SPAWNED.
spawn() {
  local node=$1 log=$2
  shift 2
  (exec nsenter --net="/run/netns/$LAB_PREFIX$node" -- "$@") >>"$log" 2>&1 </dev/null 9>&- & # 9: the demo's lock
  LAB_SPAWNED=$!
  LAB_PIDS+=("$LAB_SPAWNED")
}

# A service manager's side of sd_notify, at $LAB/notify.sock: what it is told is in $LAB/notify, one line per message.
service_manager() { # NODE
  spawn "$1" "$LAB/notify" /usr/bin/python3 -c 'if True:
    import socket, sys
    s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    s.bind(sys.argv[1])
    while True:
        print(s.recv(4096).decode(), flush=True)
    ' "$LAB/notify.sock"
}

# end_process PID [SIGNAL]: ends it, by force after 10 seconds, and gives its exit code.
end_process() {
  kill "-${2:-TERM}" "$1" 2>/dev/null || true
  wait_for 10 gone "$1" || kill -KILL "$1" 2>/dev/null || true
  wait "$1" 2>/dev/null
}

add_node() { # NODE...
  local node
  for node in "$@"; do
    ip netns add "$LAB_PREFIX$node"
    LAB_NODES+=("$node")
    in_node "$node" ip link set lo up
  done
}

# join A B [MTU]: a veth pair. The end in A is called to-B and the other to-A; wire number N (from 1)
# has 10.9.N.1 and fd09:N::1 at A, .2 and ::2 at B.
join() {
  local a=$1 b=$2 mtu=${3:-1500} n
  n=$((++LAB_LINKS))
  ip -n "$LAB_PREFIX$a" link add "to-$b" mtu "$mtu" type veth \
    peer name "to-$a" mtu "$mtu" netns "$LAB_PREFIX$b"
  set_wire "$a" "to-$b" "10.9.$n.1/24" "fd09:$n::1/64"
  set_wire "$b" "to-$a" "10.9.$n.2/24" "fd09:$n::2/64"
  wait_for 10 pings "$a" "fd09:$n::2" # the kernel's own neighbour discovery has begun
}
set_wire() { # NODE INTERFACE IPV4/LEN IPV6/LEN
  ip -n "$LAB_PREFIX$1" addr add "$3" dev "$2"
  ip -n "$LAB_PREFIX$1" addr add "$4" dev "$2" nodad
  ip -n "$LAB_PREFIX$1" link set "$2" up
}

# --- Xylem

xylem() { "$XYLEM" "$@"; }

# A key for NODE: LAB_KEY (public, base64), LAB_ADDR (overlay address), LAB_NET (its /64 without "/64").
make_key() { # NODE...
  local node facts
  for node in "$@"; do
    [ -e "$LAB/$node.key" ] || xylem genkey "$LAB/$node.key" >/dev/null
    LAB_KEY[$node]=$(xylem pubkey "$LAB/$node.key")
    facts=$(xylem inspect "${LAB_KEY[$node]}" --json)
    LAB_ADDR[$node]=$(jq -r .address <<<"$facts")
    LAB_NET[$node]=$(jq -r .prefix <<<"$facts" | sed 's|::/64$||')
  done
}

# many_peers_text N: as many peers, whom nobody is. 32 bytes whose topmost bit is clear are a key, but for a few.
many_peers_text() { # N
  awk -v n="$1" 'BEGIN {
    set = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"; last = "AEIMQUYcgkosw048"
    srand(1)
    for (i = 0; i < n; i++) {
      key = ""
      for (k = 0; k < 41; k++) key = key substr(set, int(rand() * 64) + 1, 1)
      bits = int(rand() * 32)
      key = key substr(set, bits + (bits >= 8 ? 8 : 0) + (bits >= 16 ? 8 : 0) + (bits >= 24 ? 8 : 0) + 1, 1)
      key = key substr(last, int(rand() * 16) + 1, 1) "="
      printf "%s{ name = \"p%d\"; key = \"%s\"; endpoint = \"192.0.2.%d:%d\"; }\n", i ? "," : "", i, key,
        i % 250 + 1, 10000 + int(i / 250)
    }
  }'
}

cpu_ns() { cat /proc/"$1"/task/*/schedstat | awk '{ n += $1 } END { printf "%.0f\n", n }'; }
settle() { # NODE: no worker, helper or kernel is at work any more: half a second takes less than 5 ms
  local i from pid=${LAB_PID[$1]}
  for ((i = 0; i < 60; i++)); do
    from=$(cpu_ns "$pid")
    sleep 0.5
    [ $(($(cpu_ns "$pid") - from)) -gt 5000000 ] || return 0
  done
}

# configure NODE <<EOF: the node's config file; its key file and state folder come first. What says nothing of its
# host interface is open to the mesh, for iperf3 and the like.
configure() {
  local text open=
  text=$(cat && echo .)
  text=${text%.}
  grep -qE '(^|[;[:space:]])(host|tun) *=' <<<"$text" || open=' host = { allow = "all"; };'
  {
    echo "key_file = \"$LAB/$1.key\"; state = \"$LAB/$1.state\";$open"
    printf %s "$text"
  } >"$LAB/$1.conf"
  chmod 600 "$LAB/$1.conf"
}

# start_node NODE [ARGUMENT...]: xylemd in NODE, and waits until it answers.
start_node() {
  local node=$1
  shift
  start_bare "$node" -c "$LAB/$node.conf" "$@"
}
# start_bare NODE [ARGUMENT...]: the same without a config file. XYLEM_TEST_FLAGS: further options of every daemon,
# such as --sandbox. XYLEMD_NODE: what is started in its place.
start_bare() {
  local node=$1 own=XYLEMD_$1
  shift
  # shellcheck disable=SC2086  # words
  spawn "$node" "$LAB/$node.log" "${!own:-$XYLEMD}" -n "$LAB_PREFIX$node" ${XYLEM_TEST_FLAGS:-} "$@"
  LAB_PID[$node]=$LAB_SPAWNED
  [[ " ${LAB_DAEMONS[*]:-} " == *" $node "* ]] || LAB_DAEMONS+=("$node")
  wait_for 30 show "$node" node || {
    echo "xylemd in $node did not come up:"
    tail -n 20 "$LAB/$node.log"
    return 1
  }
}

# stop_node NODE [SIGNAL]: ends it and waits for its end; prints nothing.
stop_node() {
  end_process "${LAB_PID[$1]}" "${2:-TERM}" || true
  LAB_PID[$1]=
}
# It has ended, and what it had is free: a leader that nobody waits for may be dead before its threads are.
gone() {
  ! kill -0 "$1" 2>/dev/null ||
    awk '/^State:/ { dead = $2 == "Z" } /^Threads:/ { n = $2 } END { exit !(dead && n <= 1) }' "/proc/$1/status" 2>/dev/null
}

show() { # NODE WHAT...: JSON
  local node=$1
  shift
  xylem show "$@" --json -n "$LAB_PREFIX$node"
}
peer() { # NODE PEER FIELD: one value of a peer
  show "$1" peers | jq -r --arg name "$2" ".peers[] | select(.name == \$name) | .$3"
}
drops() { # NODE REASON: how many
  show "$1" drops | jq -r --arg reason "$2" '.drops[] | select(.reason == $reason) | .packets'
}
peer_up() { # NODE PEER
  [ "$(peer "$1" "$2" state)" = up ]
}
balanced() { # NODE: the accounting identity holds in every worker
  [ "$(show "$1" workers | jq -r '[.workers[].balance] | unique | join(",")')" = 0 ]
}

# --- wireguard-go

# start_wg NODE PORT <<EOF: wireguard-go on interface wg-NODE; stdin has its [Peer] sections. Its key
# is LAB_WG_KEY[NODE], made by make_wg_key before.
make_wg_key() { # NODE...
  local node
  for node in "$@"; do
    (umask 077 && wg genkey >"$LAB/$node.wgkey")
    LAB_WG_KEY[$node]=$(wg pubkey <"$LAB/$node.wgkey")
  done
}
start_wg() {
  local node=$1 if=wg-$1
  {
    echo "[Interface]"
    echo "PrivateKey = $(cat "$LAB/$node.wgkey")"
    [ "$2" = 0 ] || echo "ListenPort = $2"
    cat
  } >"$LAB/$node.wg"
  # Unlike the kernel's, it is no daemon here: the lab ends it.
  spawn "$node" "$LAB/$node.wg.log" env LOG_LEVEL=verbose WG_PROCESS_FOREGROUND=1 wireguard-go -f "$if"
  LAB_PID[$node]=$LAB_SPAWNED
  wait_for 10 in_node "$node" wg show "$if" || {
    echo "wireguard-go in $node did not come up:"
    tail -n 20 "$LAB/$node.wg.log"
    return 1
  }
  in_node "$node" wg setconf "$if" "$LAB/$node.wg"
  in_node "$node" ip link set "$if" up
}
wg_addr() { # NODE ADDRESS/LEN [ROUTE...]
  local node=$1
  local nodad=() route
  [[ $2 != *:* ]] || nodad=(nodad)
  ip -n "$LAB_PREFIX$node" addr add "$2" dev "wg-$node" "${nodad[@]}"
  shift 2
  for route in "$@"; do ip -n "$LAB_PREFIX$node" route add "$route" dev "wg-$node"; done
}

# --- traffic

pings() { # NODE ADDRESS [PING ARGUMENT...]: one answer is enough
  local node=$1 to=$2
  shift 2
  in_node "$node" ping -n -q -c 1 -W 1 "$@" "$to"
}
# kernel_udp NODE: datagrams that its kernel took for sockets or sent for them, in both families; what
# goes by a card it does not see.
kernel_udp() {
  in_node "$1" cat /proc/net/snmp /proc/net/snmp6 |
    awk '/^Udp: [0-9]/ { n += $2 + $5 } /^Udp6(In|Out)Datagrams/ { n += $2 } END { print n }'
}
# losses [DAEMON...]: how many packets are counted as lost so far, by these daemons (default: all) and by
# the kernels of all nodes: drops, what a port missed or could not send, full sockets and interfaces. On a
# busy machine packets do get lost; a test can hold that they are counted.
losses() {
  local it sum=0 n
  [ $# -gt 0 ] || set -- "${LAB_DAEMONS[@]}"
  for it; do
    n=$({ show "$it" drops && show "$it" ports; } |
      jq -s '[.[] | (.drops // [])[].packets, ((.ports // [])[] | .rx_missed, .tx_errors)] | add')
    sum=$((sum + n))
  done
  for it in "${LAB_NODES[@]}"; do
    n=$({
      in_node "$it" cat /proc/net/snmp /proc/net/snmp6 | awk '/^Udp: [0-9]/ { print $4 } /^Udp6InErrors/ { print $2 }'
      ip -n "$LAB_PREFIX$it" -s -j link | jq '.[].stats64 | .rx.dropped + .tx.dropped + .rx.errors + .tx.errors'
    } | awk '{ n += $1 } END { print n + 0 }')
    sum=$((sum + n))
  done
  echo "$sum"
}
# flow NODE SERVER ADDRESS SECONDS [IPERF3 ARGUMENT...]: iperf3 from NODE to SERVER; the result's JSON
# is $LAB/flow.json.
flow() {
  local node=$1 server=$2 to=$3 seconds=$4
  shift 4
  start_flow "$node" "$server" "$to" "$seconds" "$@"
  end_flow
}
start_flow() {
  local node=$1 server=$2 to=$3 seconds=$4
  shift 4
  rm -f "$LAB/flow.json"
  spawn "$server" "$LAB/iperf3-server.log" iperf3 -s -1 -p 5201
  LAB_FLOW_SERVER=$LAB_SPAWNED
  wait_for 10 listens "$server" 5201
  spawn "$node" "$LAB/flow.json" timeout -k 5 $((seconds + 30)) iperf3 -c "$to" -p 5201 -t "$seconds" -J "$@"
  LAB_FLOW=$LAB_SPAWNED
}
end_flow() {
  local code=0
  wait "$LAB_FLOW" || code=$?
  end_process "$LAB_FLOW_SERVER" || true
  [ "$code" -eq 0 ] || jq -r '.error // empty' "$LAB/flow.json" 2>/dev/null
  return "$code"
}
listens() { in_node "$1" ss -Hltn "sport = :$2" | grep -q .; }
flow_result() { jq -r "$1" "$LAB/flow.json"; }

# A text that the network never has by chance, said fifty times a second until LAB_SAYS is killed; and whose daemon
# has it anywhere in its memory, packet buffers and all, while it is said.
known_text() { /usr/bin/python3 -c 'import secrets; print("known-text-" + secrets.token_hex(16))'; }
says() { # NODE ADDRESS TEXT
  spawn "$1" /dev/null /usr/bin/python3 -c 'if True:
    import socket, sys, time
    s = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    while True:
        try:
            s.sendto((sys.argv[2] + " ").encode() * 8, (sys.argv[1], 9))
        except OSError: # told that nobody listens
            pass
        time.sleep(0.02)
    ' "$2" "$3"
  LAB_SAYS=$LAB_SPAWNED
}
has_text() { # NODE TEXT
  /usr/bin/python3 - "${LAB_PID[$1]}" "$2" <<'PY'
import re, sys
pid, text = sys.argv[1], sys.argv[2].encode()
with open(f"/proc/{pid}/maps") as maps, open(f"/proc/{pid}/mem", "rb", 0) as mem:
    for line in maps:
        m = re.match(r"([0-9a-f]+)-([0-9a-f]+) r", line)
        if not m or "[v" in line:
            continue
        at, end = int(m[1], 16), int(m[2], 16)
        while at < end:
            try:
                mem.seek(at)
                block = mem.read(min(1 << 22, end - at))
            except (OSError, ValueError, OverflowError):
                break
            if not block:
                break
            if text in block:
                sys.exit(0)
            at += len(block)
sys.exit(1)
PY
}

# capture NODE INTERFACE FILTER...: packets into $LAB/NODE-INTERFACE.pcap until the test ends.
capture() {
  local node=$1 if=$2
  shift 2
  spawn "$node" "$LAB/$node-$if.tcpdump" tcpdump -i "$if" --immediate-mode -Z root -U -n -w "$LAB/$node-$if.pcap" "$@"
  LAB_PID[capture-$node-$if]=$LAB_SPAWNED
  wait_for 10 grep -q 'listening on' "$LAB/$node-$if.tcpdump"
}
# What came is in the file: tcpdump, told to end, leaves unread what it was not awake for.
capture_is_read() { # NODE INTERFACE
  local size
  size=$(stat -c %s "$LAB/$1-$2.pcap")
  sleep 0.2
  [ "$(awk '{ print $3 }' "/proc/${LAB_PID[capture-$1-$2]}/stat")" = S ] && [ "$(stat -c %s "$LAB/$1-$2.pcap")" = "$size" ]
}
end_capture() { # NODE INTERFACE
  wait_for 5 capture_is_read "$1" "$2" || true
  end_process "${LAB_PID[capture-$1-$2]}" || true
}

# --- the end

lab_dump() {
  local node what
  for node in "${LAB_DAEMONS[@]:-}"; do
    [ -n "$node" ] || continue
    echo "--- $node: log"
    tail -n 40 "$LAB/$node.log"
    [ -n "${LAB_PID[$node]:-}" ] || continue
    for what in node peers sessions workers drops routes ports; do
      echo "--- $node: show $what"
      timeout 5 "$XYLEM" show $what -n "$LAB_PREFIX$node" 2>&1 |
        { [ $what = drops ] && grep -vE ' 0 ' || cat; }
    done
  done
  for node in "${LAB_NODES[@]:-}"; do
    [ -n "$node" ] || continue
    echo "--- $node: interfaces"
    ip -n "$LAB_PREFIX$node" -br addr
    [ ! -e "$LAB/$node.wg.log" ] || {
      echo "--- $node: wireguard-go"
      tail -n 20 "$LAB/$node.wg.log"
      in_node "$node" wg show "wg-$node"
    }
  done
  for what in "$LAB"/*.pcap; do
    [ -e "$what" ] || continue
    echo "--- ${what##*/}"
    tcpdump -n -r "$what" 2>/dev/null | tail -n 40
  done
}

lab_down() {
  local pid node
  for pid in "${LAB_PIDS[@]:-}"; do [ -z "$pid" ] || kill "$pid" 2>/dev/null || true; done
  for pid in "${LAB_PIDS[@]:-}"; do
    [ -z "$pid" ] || wait_for 5 gone "$pid" || kill -KILL "$pid" 2>/dev/null || true
  done
  for node in "${LAB_NODES[@]:-}"; do [ -z "$node" ] || ip netns del "$LAB_PREFIX$node" 2>/dev/null || true; done
}

# --- labs that several tests share

# peer_text NAME KEY [SETTING...]: one entry of peers.
peer_text() {
  local name=$1 key=$2
  shift 2
  echo "{ name = \"$name\"; key = \"$key\"; $* }"
}
# beyond NODE RELAY: a route's entry, to a node beyond that relay: sealed for it end to end.
beyond() {
  echo "{ prefix = \"${LAB_NET[$1]}::/64\"; peer = \"$2\"; key = \"${LAB_KEY[$1]}\"; }"
}
# a --(IPv4)-- r --(IPv6)-- b, each a Xylem node; a and b route the mesh to r, and each other. Further lines for a
# config are in EXTRA_a, EXTRA_r, EXTRA_b. Wire 1 has MTU $1, wire 2 $2.
relay_lab() {
  add_node a r b
  join a r "${1:-1500}"
  join r b "${2:-1500}"
  make_key a r b
  configure r <<END
peers = ( $(peer_text a "${LAB_KEY[a]}"), $(peer_text b "${LAB_KEY[b]}") );
${EXTRA_r:-}
END
  configure a <<END
peers = ( $(peer_text r "${LAB_KEY[r]}" 'endpoint = "10.9.1.2:51820";') );
routes = ( { prefix = "200::/7"; peer = "r"; }, $(beyond b r) );
${EXTRA_a:-}
END
  configure b <<END
peers = ( $(peer_text r "${LAB_KEY[r]}" 'endpoint = "[fd09:2::1]:51820";') );
routes = ( { prefix = "200::/7"; peer = "r"; }, $(beyond a r) );
${EXTRA_b:-}
END
  start_node r
  start_node a
  start_node b
}
# leaf_text NAME SETTING...: a peer entry for the wireguard-go of NAME.
leaf_text() {
  local name=$1
  shift
  peer_text "$name" "${LAB_WG_KEY[$name]}" leaf = "true;" "$@"
}
# wg_peer NODE [LINE...]: a [Peer] section for a Xylem node.
wg_peer() {
  echo "[Peer]"
  echo "PublicKey = ${LAB_KEY[$1]}"
  echo "AllowedIPs = 200::/7, 10.1.0.0/24"
  shift
  printf '%s\n' "$@"
}
# p (wireguard-go) --(wire 1)-- a --(wire 2)-- b, a and b Xylem nodes; p is a's leaf at LAB_LEAF, and b routes
# the mesh to a. SETTING is of p at a, each LINE of a at p; one of them says who calls whom.
leaf_lab() { # SETTING [LINE...]
  add_node p a b
  join p a
  join a b
  make_key a b
  make_wg_key p
  LAB_LEAF=${LAB_NET[a]}::5
  configure a <<END
peers = ( $(peer_text b "${LAB_KEY[b]}" 'endpoint = "10.9.2.2:51820";'),
  $(leaf_text p "$1 allowed = [ \"$LAB_LEAF/128\" ];") );
END
  configure b <<END
peers = ( $(peer_text a "${LAB_KEY[a]}") );
routes = ( { prefix = "200::/7"; peer = "a"; } );
END
  shift
  start_node b
  start_node a
  start_wg p 51820 <<<"$(wg_peer a "$@")"
  wg_addr p "$LAB_LEAF/128" 200::/7
}
