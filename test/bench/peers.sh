#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# shellcheck disable=SC2034  # _lab.sh reads what is set for it
# Xylem's relay beside others', in one run: scripts/bench peers [--short] [--json].
#
#   A --(IPv4, 1500)-- R --(IPv4, 1500)-- B     three namespaces, veth; each system in turn
#
# R is the middle node. In Xylem, yggdrasil and mycelium what A sends stays sealed from A to B; Xylem's
# links are sealed besides, so R opens and seals the outer layer, and the links over TCP of the other two
# have no cipher. The WireGuard programs' R opens each packet and seals it again, and can read it.
# Nothing is pinned: A, R, B, both iperf3 and the kernel share the machine's CPUs, alike for all.
# A check fails when nothing arrived, when the relay's own counters do not show it, or when Xylem's flows
# were not sealed from A to B.
# Besides, steady flows of UDP 512 at given rates, by test/bench/load: what the relay's CPU costs where there
# is little to do, how long a datagram takes (and how long by the kernel alone), and what it costs to do nothing.
# Programs are taken from PATH, so a newer build that stands first is what is measured. ONLY='a|b' in
# the environment measures some of them.
. "$(dirname "$0")/_init.sh"

pings=40 tcp_seconds=10 udp_seconds=4 udp_sizes='64 512 1300'
steady_seconds=4 steady_rates=${RATES:-1000 5000 20000 60000} idle_seconds=30 load=$BUILD/test/bench/bench_load
[ -z "$short" ] || pings=20 tcp_seconds=3 udp_seconds=1 steady_seconds=2 idle_seconds=10

# --- the systems: NAME_up brings one up and sets DEST (B's address) and the processes of LAB_PID;
# NAME_carried prints the bytes that R's own counters say went to B

xylem_up() { # DRIVER SUITE [IDLE]: what all seal with; how R's worker waits
  local node
  local -A cards=([A]='to-R' [R]='to-A to-B' [B]='to-R')
  make_key A R B
  {
    xylem_ports "$1" "${cards[R]}"
    echo "peers = ( $(peer_text A "${LAB_KEY[A]}"), $(peer_text B "${LAB_KEY[B]}") ); suite = \"$2\";"
    [ -z "${3:-}" ] || echo "workers = { idle = \"$3\"; };"
    echo 'log = { level = "warn"; };'
  } | configure R
  for node in A B; do
    {
      xylem_ports "$1" "${cards[$node]}"
      echo "peers = ( $(peer_text R "${LAB_KEY[R]}" "endpoint = \"$(relay_wire $node):51820\";") ); suite = \"$2\";"
    } | configure $node
  done
  for node in R A B; do xylem_start $node || return 1; done
  DEST=${LAB_ADDR[B]}
}
relay_wire() { if [ "$1" = A ]; then echo 10.9.1.2; else echo 10.9.2.1; fi; }
xylem_ports() { # DRIVER INTERFACES
  local if list=
  [ "$1" != socket ] || return 0
  for if in $2; do list+="${list:+, }{ interface = \"$if\"; driver = \"$1\"; port = 51820; }"; done
  echo "ports = ( $list );"
}
xylem_carried() { peer R B tx_bytes; }
# What A has sealed for B end to end; R, which has no such session with anybody, carried it.
xylem_sealed() { # BYTES: at least so much
  show A sessions | jq -e --arg b "${LAB_ADDR[B]}" --argjson bytes "$1" '[.sessions[] |
    select(.kind == "end to end" and .address == $b and .state == "up") | .tx_bytes] | max >= $bytes' >/dev/null &&
    show R sessions | jq -e '[.sessions[] | select(.kind == "end to end")] == []' >/dev/null
}

tunnel_up() { # PROGRAM ARGUMENT...: any userspace WireGuard that `wg` can talk to
  local node
  local -A host=([A]=a [R]=f [B]=b)
  make_wg_key A R B
  for node in A R B; do
    {
      printf '[Interface]\nPrivateKey = %s\nListenPort = 51820\n' "$(cat "$LAB/$node.wgkey")"
      if [ $node = R ]; then
        printf '[Peer]\nPublicKey = %s\nAllowedIPs = fd77::%s/128\n' "${LAB_WG_KEY[A]}" a "${LAB_WG_KEY[B]}" b
      else
        printf '[Peer]\nPublicKey = %s\nAllowedIPs = fd77::/64\nEndpoint = %s:51820\nPersistentKeepalive = 5\n' \
          "${LAB_WG_KEY[R]}" "$(relay_wire $node)"
      fi
    } >"$LAB/$node.wg"
    spawn $node "$LAB/$node.wg.log" env WG_PROCESS_FOREGROUND=1 "$@" "wg-$node"
    LAB_PID[$node]=$LAB_SPAWNED
    wait_for 10 in_node $node wg show "wg-$node" || {
      tail -n 5 "$LAB/$node.wg.log" >&2
      return 1
    }
    in_node $node wg setconf "wg-$node" "$LAB/$node.wg"
    ip -n "$LAB_PREFIX$node" addr add "fd77::${host[$node]}/64" dev "wg-$node" nodad
    ip -n "$LAB_PREFIX$node" link set "wg-$node" mtu 1420 up
  done
  DEST=fd77::b
}
tunnel_carried() { in_node R wg show wg-R transfer | awk -v key="${LAB_WG_KEY[B]}" '$1 == key { print $3 }'; }

yggdrasil_up() { # MTU
  local node peers listen
  for node in R A B; do
    peers='[]' listen='[]'
    if [ $node = R ]; then
      listen='["tcp://0.0.0.0:9001"]'
    else
      peers="[\"tcp://$(relay_wire $node):9001\"]"
    fi
    yggdrasil -genconf -json | jq --arg admin "unix://$LAB/$node.ygg" --argjson mtu "$1" \
      --argjson peers "$peers" --argjson listen "$listen" '.AdminListen = $admin | .IfMTU = $mtu |
        .Peers = $peers | .Listen = $listen | .MulticastInterfaces = [] | .IfName = "ygg"' >"$LAB/$node.yggconf"
    spawn $node "$LAB/$node.ygg.log" yggdrasil -useconffile "$LAB/$node.yggconf"
    LAB_PID[$node]=$LAB_SPAWNED
    wait_for 10 test -S "$LAB/$node.ygg" || {
      tail -n 5 "$LAB/$node.ygg.log" >&2
      return 1
    }
  done
  DEST=$(yggdrasil -useconffile "$LAB/B.yggconf" -address)
}
# All that R sent to both: its admin socket does not name peers by node in the same way in every release.
yggdrasil_carried() {
  yggdrasilctl -endpoint="unix://$LAB/R.ygg" -json getPeers | jq '[.. | objects | .bytes_sent? // empty] | add'
}

mycelium_up() {
  local node
  for node in R A B; do
    local peers=()
    [ $node = R ] || peers=(--peers "tcp://$(relay_wire $node):9651")
    spawn $node "$LAB/$node.mycelium.log" mycelium --key-file "$LAB/$node.mycelium" --tun-name mycelium \
      --disable-peer-discovery "${peers[@]}"
    LAB_PID[$node]=$LAB_SPAWNED
    wait_for 10 in_node $node ip link show mycelium || {
      tail -n 5 "$LAB/$node.mycelium.log" >&2
      return 1
    }
  done
  DEST=$(mycelium inspect --json --key-file "$LAB/B.mycelium" | jq -r .address)
}
wire_carried() { ip -n "${LAB_PREFIX}R" -j -s link show to-B | jq '.[0].stats64.tx.bytes'; } # no counter of its own

# In each of the three a program that takes datagrams and sends them on, as they are: A to R, R to B, B to
# whom they are for. It has one way in and one out, so only steady flows go by it.
bare_up() {
  local node
  local -A way=([A]='5300 fd09:1::2 5300' [R]='5300 fd09:2::2 5299' [B]='5299 fd09:2::2 5300')
  for node in A R B; do
    # shellcheck disable=SC2086  # words
    spawn $node "$LAB/$node.bare.log" "$load" forward ${way[$node]}
    LAB_PID[$node]=$LAB_SPAWNED
    wait_for 10 listens_udp $node "${way[$node]%% *}"
  done
  DEST=fd09:1::1
}

# NAME|LABEL|PROGRAM|UP COMMAND|CARRIED COMMAND|WHERE IT IS SEALED|HOW TO SEE THAT
systems='xylem-socket|Xylem, sockets|xylemd|xylem_up socket chacha|xylem_carried|A to B, and each link|xylem_sealed
xylem-aes|Xylem, sockets, AES|xylemd|xylem_up socket aes|xylem_carried|A to B, and each link|xylem_sealed
xylem-poll|Xylem, sockets, polling|xylemd|xylem_up socket chacha poll|xylem_carried|A to B, and each link|xylem_sealed
xylem-af_xdp|Xylem, af_xdp|xylemd|xylem_up af_xdp chacha|xylem_carried|A to B, and each link|xylem_sealed
wireguard-go|wireguard-go|wireguard-go|tunnel_up wireguard-go -f|tunnel_carried|each link|-
boringtun|boringtun|boringtun-cli|tunnel_up boringtun-cli -f --disable-drop-privileges|tunnel_carried|each link|-
yggdrasil|yggdrasil|yggdrasil|yggdrasil_up 65535|yggdrasil_carried|A to B|-
yggdrasil-1420|yggdrasil, IfMTU 1420|yggdrasil|yggdrasil_up 1420|yggdrasil_carried|A to B|-
mycelium|mycelium|mycelium|mycelium_up|wire_carried|A to B|-
bare|three bare forwarders|bench_load|bare_up|-|not at all|-'

# --- measuring one

cpu_seconds() { # PID: user and system time of all its threads
  local stat
  stat=$(cat "/proc/$1/stat")
  awk -v hz="$(getconf CLK_TCK)" '{ printf "%.2f\n", ($12 + $13) / hz }' <<<"${stat##*) }"
}

cpus() { # of A, R, B, seconds; as JSON
  jq -nc --argjson a "$(cpu_seconds "${LAB_PID[A]}")" --argjson r "$(cpu_seconds "${LAB_PID[R]}")" \
    --argjson b "$(cpu_seconds "${LAB_PID[B]}")" '{A: $a, R: $r, B: $b}'
}
cpus_ns() { # the same, by the kernel's finer count
  jq -nc --argjson a "$("$load" cpu "${LAB_PID[A]}")" --argjson r "$("$load" cpu "${LAB_PID[R]}")" \
    --argjson b "$("$load" cpu "${LAB_PID[B]}")" '{A: $a, R: $r, B: $b}'
}
# What each node spent between two of these, for one of so many.
JQ_SPENT='def spent($from; $to; $unit): $from | with_entries(.value = ($to[.key] - .value) * $unit);'

rtt_ms() {
  in_node A ping -n -c "$pings" -i 0.05 "$DEST" | grep -oP 'time=\K[0-9.]+' | sort -n |
    awk '{ t[NR] = $1 } END { print NR ? t[int((NR + 1) / 2)] : "null" }'
}

# run CARRIED WHAT SECONDS SIZE [IPERF3 ARGUMENT...]: a flow from A to B, of UDP payloads of SIZE or ("")
# TCP; its figures as JSON in $LAB/run.json.
run() {
  local carried=$1 what=$2 seconds=$3 size=$4 cpu before bytes sent
  shift 4
  before=$($carried) cpu=$(cpus)
  flow A B "$DEST" "$seconds" "$@" >&2 || {
    note "not ok - $what: iperf3 failed"
    return 1
  }
  cpu=$(jq -nc --argjson from "$cpu" --argjson to "$(cpus)" "$JQ_SPENT"' spent($from; $to; 1)')
  sleep 0.3 # counters that are published a moment later
  sent=$(($($carried) - before))
  # iperf3's warnings come before the JSON. What it calls lost are gaps that the receiver saw; bytes are
  # what it got.
  sed -n '/^{/,$p' "$LAB/flow.json" | jq --argjson cpu "$cpu" --argjson sent "$sent" --arg size "$size" '
    .end as $e | $e.sum_received as $r | ($size | tonumber? // null) as $size |
    def each($unit): $cpu | map_values(. * $unit);
    {bytes: $r.bytes, seconds: $r.seconds, relay_bytes: $sent, relay_cpu_s: $cpu.R, cpu_s: $cpu,
     mbit_s: ($r.bytes * 8 / $r.seconds / 1e6), cpu_s_per_gb: ($cpu.R / $r.bytes * 1e9),
     node_s_per_gb: each(1e9 / $r.bytes)} +
    if $size then {packets: ($r.bytes / $size), kpps: ($r.bytes / $size / $r.seconds / 1e3),
     cpu_s_per_mpkt: ($cpu.R / $r.bytes * $size * 1e6), node_s_per_mpkt: each($size * 1e6 / $r.bytes),
     offered_kpps: ($e.sum.packets / $e.sum.seconds / 1e3)}
    else {} end' >"$LAB/run.json"
  bytes=$(jq '.bytes | floor' "$LAB/run.json")
  if [ "$bytes" -lt 100000 ] || [ "$sent" -lt "$bytes" ]; then
    note "not ok - $what: $bytes bytes arrived, of which the relay says it sent $sent"
    return 1
  fi
}

# UDP of one size: as much as iperf3 can send, then a fifth more than came through, which leaves the
# CPUs to those who carry it; the better of the two counts.
run_udp() { # CARRIED WHAT SIZE
  local rate
  run "$1" "$2" "$udp_seconds" "$3" -u -b 0 -l "$3" || return 1
  mv "$LAB/run.json" "$LAB/flood.json"
  rate=$(jq --argjson size "$3" '.kpps * 1200 * $size * 8 | floor' "$LAB/flood.json")
  run "$1" "$2" "$udp_seconds" "$3" -u -b "$rate" -l "$3" || return 1
  jq -s 'max_by(.kpps)' "$LAB/run.json" "$LAB/flood.json" >"$LAB/best.json"
  mv "$LAB/best.json" "$LAB/run.json"
}

# A steady flow of 512-byte datagrams, so many a second; its figures as JSON in $LAB/run.json.
steady() { # WHAT RATE ADDRESS
  local cpu packets receiver
  spawn B "$LAB/steady.json" "$load" receive 5300 1
  receiver=$LAB_SPAWNED
  wait_for 10 listens_udp B 5300
  cpu=$(cpus_ns)
  in_node A "$load" send "$3" 5300 "$2" "$steady_seconds" 512
  cpu=$(jq -nc --argjson from "$cpu" --argjson to "$(cpus_ns)" "$JQ_SPENT"' spent($from; $to; 1)')
  wait "$receiver" || return 1
  jq --argjson cpu "$cpu" --argjson rate "$2" --argjson sent $(($2 * steady_seconds)) '. + {rate: $rate,
    lost: (($sent - .packets) / $sent), cpu_us: (if .packets > 0 then $cpu.R / .packets / 1e3 else null end),
    node_us: (.packets as $n | $cpu | map_values(if $n > 0 then . / $n / 1e3 else null end))}' \
    "$LAB/steady.json" >"$LAB/run.json"
  rm -f "$LAB/steady.json"
  packets=$(jq .packets "$LAB/run.json")
  [ "$packets" -gt 0 ] || {
    note "not ok - $1: nothing arrived at $2 a second"
    return 1
  }
}
listens_udp() { in_node "$1" ss -Hlun "sport = :$2" | grep -q .; }

# How long the same flow takes where R's kernel forwards it and nothing else is done, added to the row's KEY: what a
# system's own time is more than. A has that way only meanwhile, so that no system finds it.
without() { # WHAT KEY
  local rate ok=0
  rate=$(jq --arg key "$2" '.[$key].rate' "$LAB/row.json")
  ip -n "${LAB_PREFIX}A" route add fd09:2::/64 via fd09:1::2
  steady "$1, the kernel alone" "$rate" fd09:2::2 || ok=1
  ip -n "${LAB_PREFIX}A" route del fd09:2::/64 via fd09:1::2
  [ $ok = 0 ] || return 1
  jq --slurpfile run "$LAB/run.json" --arg key "$2" '.[$key].kernel = ($run[0] | {packets, p50_ms, p99_ms, p999_ms, lost})' \
    "$LAB/row.json" >"$LAB/row.new" && mv "$LAB/row.new" "$LAB/row.json"
}

idle() { # ms of CPU a minute; links and timers go on, and what the last flow left to do is over
  local cpu
  sleep 5
  cpu=$("$load" cpu "${LAB_PID[R]}")
  sleep "$idle_seconds"
  jq -n --argjson cpu $(($("$load" cpu "${LAB_PID[R]}") - cpu)) --argjson seconds "$idle_seconds" \
    '{cpu_ms_min: ($cpu / 1e6 / $seconds * 60)}' >"$LAB/run.json"
}

add() { # KEY: what was run last, to the row
  jq --slurpfile run "$LAB/run.json" --arg key "$1" '.[$key] = $run[0]' "$LAB/row.json" >"$LAB/row.new" &&
    mv "$LAB/row.new" "$LAB/row.json"
}

measure_full() { # LABEL CARRIED SEE: as much as goes
  local size ok=0
  if run "$2" "$1: TCP" "$tcp_seconds" ""; then add tcp; else ok=1; fi
  if [ "$3" != - ] && ! "$3" "$(jq '.tcp.bytes // 0 | floor' "$LAB/row.json")"; then
    note "not ok - $1: what arrived was not sealed from A to B"
    ok=1
  fi
  if run "$2" "$1: 8 TCP flows" "$tcp_seconds" "" -P 8; then add tcp8; else ok=1; fi
  for size in $udp_sizes; do
    if run_udp "$2" "$1: UDP $size" "$size"; then add "udp$size"; else ok=1; fi
  done
  return $ok
}

row_begin() { # NAME LABEL PROGRAM SEALED
  local if version date mtu rtt
  if [ "$1" = bare ]; then
    version=- date=- mtu=null rtt=null
  else
    version=$(version_of "$3")
    date=$(date_of "$3" "$version")
    if=$(in_node A ip -o route get "$DEST" | grep -oP 'dev \K\S+')
    mtu=$(ip -n "${LAB_PREFIX}A" -j link show "$if" | jq '.[0].mtu') rtt=$(rtt_ms)
  fi
  jq -n --arg name "$1" --arg title "$2" --arg version "$version" --arg date "$date" --argjson mtu "$mtu" \
    --argjson rtt "$rtt" --arg sealed "$4" '{name: $name, label: $title, version: $version, date: $date, sealed: $sealed, mtu: $mtu, rtt_ms: $rtt}' \
    >"$LAB/row.json"
}

measure() { # NAME LABEL PROGRAM CARRIED SEALED SEE
  local rate ok=0
  row_begin "$1" "$2" "$3" "$5"
  [ "$4" = - ] || measure_full "$2" "$4" "$6" || ok=1
  for rate in $steady_rates; do
    if steady "$2" "$rate" "$DEST"; then add "steady$rate"; else ok=1; fi
  done
  for rate in 1000 20000; do
    [ "$(jq "has(\"steady$rate\")" "$LAB/row.json")" = false ] || without "$2" "steady$rate" || ok=1
  done
  # Half of what it carries, or what was that of the first system.
  rate=$(jq -s '(.[0].udp512.kpps // (.[1].half.rate // 0) / 500) | . * 500 | floor' "$LAB/row.json" "$LAB/rows.json")
  if [ "$rate" -gt 0 ] && steady "$2" "$rate" "$DEST"; then
    add half
    without "$2" half || ok=1
  elif [ "$4" != - ]; then ok=1; fi
  idle && add idle
  return $ok
}

one() { # NAME LABEL PROGRAM UP CARRIED SEALED SEE
  if [ "$3" != xylemd ] && [ "$3" != bench_load ] && ! command -v "$3" >/dev/null; then
    note "    $2: $3 is not on PATH"
    return 0
  fi
  note "==> $2"
  if ! $4 || ! wait_for 30 pings A "$DEST"; then
    if [ "$1" = xylem-af_xdp ]; then
      note "    skipped: no AF_XDP port here (it needs root and a kernel with it)"
    else
      note "not ok - $2: it did not come up"
      failed=1
    fi
  else
    measure "$1" "$2" "$3" "$5" "$6" "$7" || failed=1
    cat "$LAB/row.json" >>"$LAB/rows.json"
  fi
  bring_down
}

# --- the report

table() {
  jq -r -s "$JQ_CELL"'
    .[0] as $x |
    ["system", "version (date)", "MTU", "RTT ms", "TCP Mbit/s", "CPU-s/GB", "8 flows Mbit/s", "UDP 64 kpps", "CPU-s/Mpkt", "UDP 512 kpps",
     "CPU-s/Mpkt", "UDP 1300 kpps", "CPU-s/Mpkt"],
    (.[] as $s | [$s.label, "\($s.version) (\($s.date))", cell($s.mtu), cell($s.rtt_ms) + ratio($s.rtt_ms; $x.rtt_ms),
     cell($s.tcp.mbit_s) + ratio($s.tcp.mbit_s; $x.tcp.mbit_s),
     cell($s.tcp.cpu_s_per_gb) + ratio($s.tcp.cpu_s_per_gb; $x.tcp.cpu_s_per_gb),
     cell($s.tcp8.mbit_s) + ratio($s.tcp8.mbit_s; $x.tcp8.mbit_s),
     ("udp64", "udp512", "udp1300" | . as $k |
       cell($s[$k].kpps) + ratio($s[$k].kpps; $x[$k].kpps),
       cell($s[$k].cpu_s_per_mpkt) + ratio($s[$k].cpu_s_per_mpkt; $x[$k].cpu_s_per_mpkt))])
    | @tsv' "$LAB/rows.json" | column -t -s $'\t'
}
JQ_LOST='def lost($x): if ($x // 0) >= 0.00005 then " -\(cell($x * 100))%" else "" end;'
steady_table() {
  jq -r -s "$JQ_CELL$JQ_LOST"'
    .[0] as $x | ["1000", "5000", "20000", "60000"] as $rates |
    ["system", ($rates[] | "us at " + .), "idle ms/min"],
    (.[] as $s | [$s.label,
     ($rates[] | "steady" + . | . as $k | cell($s[$k].cpu_us) + ratio($s[$k].cpu_us; $x[$k].cpu_us) + lost($s[$k].lost)),
     cell($s.idle.cpu_ms_min)])
    | @tsv' "$LAB/rows.json" | column -t -s $'\t'
  jq -r -s '. as $rows | [.[] | keys[] | select(startswith("steady"))] | unique |
    map(select(. as $k | all($rows[]; (.[$k].lost // 1) < 0.01)) | ltrimstr("steady") | tonumber) | sort |
    "all of them delivered, each with less than 1 % lost, at: \(if . == [] then "none" else map(tostring) | join(" ") end)"' \
    "$LAB/rows.json"
}
# How long a datagram takes, us, and by how much longer than by the kernel's forwarding alone.
latency_table() {
  jq -r -s "$JQ_CELL$JQ_LOST"'
    def us($s; $p): if $s[$p] == null then "-" else cell($s[$p] * 1000) +
      if $s.kernel then " +\(cell(($s[$p] - $s.kernel[$p]) * 1000))" else "" end end;
    def three($s): us($s; "p50_ms"), us($s; "p99_ms"), us($s; "p999_ms") + lost($s.lost);
    def middle: map(select(. != null)) | if . == [] then null else sort[(length - 1) / 2 | floor] end;
    . as $rows | def alone($key): {p50_ms: [$rows[] | .[$key].kernel.p50_ms] | middle,
      p99_ms: [$rows[] | .[$key].kernel.p99_ms] | middle, p999_ms: [$rows[] | .[$key].kernel.p999_ms] | middle};
    ["system", "1000/s: p50 us", "p99", "p99.9", "20000/s: p50", "p99", "p99.9", "half load kpps", "p50", "p99", "p99.9"],
    (.[] as $s | [$s.label, three($s.steady1000), three($s.steady20000),
     cell(if $s.half then $s.half.rate / 1e3 else null end), three($s.half)]),
    ["the kernel alone", three(alone("steady1000")), three(alone("steady20000")), "-", "-", "-", "-"]
    | @tsv' "$LAB/rows.json" | column -t -s $'\t'
}
# Of the edges beside the relay's: A, who seals; B, who opens; R, who carries.
nodes_table() {
  jq -r -s "$JQ_CELL"'
    def three($x): if $x == null then "-" else [$x.A, $x.R, $x.B | cell(.)] | join(" ") end;
    ["system", "sealed", "TCP CPU-s/GB of A R B", "UDP 64 CPU-s/Mpkt", "UDP 512", "UDP 1300", "us at 1000", "us at 20000"],
    (.[] | [.label, .sealed, three(.tcp.node_s_per_gb), three(.udp64.node_s_per_mpkt), three(.udp512.node_s_per_mpkt),
     three(.udp1300.node_s_per_mpkt), three(.steady1000.node_us), three(.steady20000.node_us)])
    | @tsv' "$LAB/rows.json" | column -t -s $'\t'
}

machine "nothing pinned; A, R, B, iperf3 and the kernel share all CPUs"
add_node A R B
join A R
join R B
in_node R sysctl -qw net.ipv6.conf.all.forwarding=1
: >"$LAB/rows.json"
[ -z "${ONLY:-}" ] || systems=$(grep -E "^($ONLY)\|" <<<"$systems")
while IFS='|' read -r name label program up carried sealed see; do
  one "$name" "$label" "$program" "$up" "$carried" "$sealed" "$see" </dev/null
done <<<"$systems"

if [ -n "$json" ]; then
  report_json
else
  machine_text
  table
  echo
  steady_table
  echo
  latency_table
  echo
  nodes_table
  cat <<'END'
xN: that many times Xylem on sockets. CPU-s: user and system time of the relay's own process (in the last table: of A's,
R's and B's), for each GB or million packets that arrived at B. What the kernel does in softirq (veth, UDP, forwarding) counts for whom it interrupts: most
of it for the process that sends. UDP: packets a second that arrived at B, as many as came through. -N%: so many were lost.
Latency: from A's send to the arrival in B's kernel; +N: so much longer than where R's kernel forwards and nothing is sealed.
END
fi
exit $failed
