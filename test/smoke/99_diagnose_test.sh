#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Ten faults at one node, and `xylem diagnose` names each, with the command that shows it, within ten seconds: a wrong
# key, a wrong secret, a firewall, an MTU black hole, a missing accept, a flap, a dead relay, a spoofed source, a full
# queue, a host overload.
#
#   k (wrong key) ---+     +--- d (is restarted again and again, then dies)
#   s (other secret) +- u -+--- g (announces 10.1.0.0/16; sends in others' names)
#   f (firewall) ----+     +--- x --(1400)-- m (beyond a line that is narrow, and tells nobody)
. "$(dirname "$0")/_init.sh"
. "$(dirname "$0")/_steer.sh"
need "$XYLEMD" "$XYLEM" jq nft wg python3

secret=$(wg genpsk)
add_node u k s f d g x m
for node in k s f d g x; do join u $node; done
join x m 1400
make_key u k s f d g m stranger
in_node x sysctl -q net.ipv4.ip_forward=1
in_node x nft 'add table ip t; add chain ip t o { type filter hook output priority 0; }; add rule ip t o icmp type destination-unreachable drop'
for node in u m; do
  ip -n "$LAB_PREFIX$node" link set "to-x" mtu 1500 # m's end is narrow in x alone
done
ip -n "${LAB_PREFIX}u" route add 10.9.7.0/24 via 10.9.6.2
ip -n "${LAB_PREFIX}m" route add default via 10.9.7.1

at() { peer_text "$1" "${LAB_KEY[${3:-$1}]}" "endpoint = \"10.9.$2:51820\";"; }
configure u <<END
network_secret = "$secret";
peers = ( $(at k 1.2 stranger), $(at s 2.2), $(at f 3.2), $(at d 4.2), $(at g 5.2), $(at m 7.2) );
END
to_u() { # NODE WIRE SECRET [LINE]
  configure "$1" <<<"network_secret = \"$3\"; peers = ( $(peer_text u "${LAB_KEY[u]}" "endpoint = \"10.9.$2.1:51820\";") ); ${4:-}"
}
to_u k 1 "$secret"
to_u s 2 "$(wg genpsk)"
to_u f 3 "$secret"
to_u d 4 "$secret"
to_u g 5 "$secret" 'routing = { announce = [ "10.1.0.0/16" ]; };'
to_u m 6 "$secret"
in_node f nft 'add table inet t; add chain inet t i { type filter hook input priority 0; }; add chain inet t o { type filter hook output priority 0; }; add rule inet t i udp dport 51820 drop; add rule inet t o udp dport 51820 drop'
for node in u k s f d g m; do start_node $node; done
check_within 30 "g and d are there" eval 'pings u "${LAB_ADDR[g]}" && pings u "${LAB_ADDR[d]}"'

# named ABOUT WORDS COMMAND [ARGUMENT]: within ten seconds. -: whatever it is about.
named() {
  local began=$SECONDS
  timeout 20 nsenter --net="/run/netns/${LAB_PREFIX}u" "$XYLEM" diagnose ${4:-} --json -n "${LAB_PREFIX}u" >"$SAID" || true
  [ $((SECONDS - began)) -le 10 ] || return 1
  jq -e --arg a "$1" --arg w "$2" --arg c "$3" \
    'any(.[]; (.about == $a or $a == "-") and (.cause | contains($w)) and (.command | startswith($c)))' "$SAID" >/dev/null || {
    cat "$SAID"
    return 1
  }
}
check_within 40 "wrong key" named k 'wrong key here' 'xylem show peers'
check_within 40 "wrong secret" named s 'wrong secret' 'xylem show peers'
check_within 40 "firewall: its host answers ping" named f 'a firewall drops it' 'xylem show peers'
check "of one alone" named f 'a firewall drops it' 'xylem show peers' f
check "and of no other" same '["f"]' "$(jq -c '[.[] | select(.command == "xylem show peers") | .about]' "$SAID")"

offered() { show u gateways | jq -e '.gateways[] | select(.prefix == "10.1.0.0/16")'; }
check_within 30 "u hears of g's network" offered
check "missing accept" named 10.1.0.0/16 'missing accept: g has this network' 'xylem show gateways 10.1.0.0/16' 10.1.0.5

for _ in 1 2 3; do
  stop_node d
  start_node d
  check_within 30 "d is back" peer_up u d
  check_within 30 "and used" eval '[ "$(show u neighbours | jq -r ".neighbours[] | select(.peer == \"d\") | .state")" = up ]'
done
check_within 30 "flap" named d 'it flaps' 'xylem show neighbours'
kill -KILL "${LAB_PID[d]}"
LAB_PID[d]=
check_within 30 "dead relay" named d 'dead peer' 'xylem show peers'

for _ in {1..100}; do # others' in g's packets, for longer than one look takes
  in_node g "$TOP/test/smoke/_attack.py" datagram xylem0 "${LAB_ADDR[f]}" "${LAB_ADDR[u]}" >/dev/null 2>&1 || true
  [ ! -e "$LAB/enough" ] || break
  sleep 0.1
done &
check_within 30 "spoofed source" named spoofed 'spoofed source' 'xylem show drops spoofed'
check "and whose" grep -qE 'the last one [0-9]+ s ago, by g: from ' "$SAID"
touch "$LAB/enough"
wait $!

kill -STOP "${LAB_PID[u]}" # nobody takes anything
in_node u python3 - "${LAB_ADDR[g]}" <<'END'
import socket, sys
s = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
for i in range(3000):
    s.sendto(b"x" * 100, (sys.argv[1], 9))
END
kill -CONT "${LAB_PID[u]}"
check_within 30 "full queue" named - 'full queue' 'xylem show ports'

hogs=()
for _ in $(seq $((4 * $(nproc)))); do
  spawn u /dev/null timeout 60 sh -c 'while :; do :; done'
  hogs+=("$LAB_SPAWNED")
done
overload() { named host 'host overload' top || named host 'host overload' 'xylem show node'; }
check_within 60 "host overload" overload
kill "${hogs[@]}"

traffic() { pings u "${LAB_ADDR[m]}"; named m 'MTU black hole' 'xylem netcheck m'; }
check_within 120 "MTU black hole" traffic
narrow() { # nothing is wider than 80 columns
  steer u diagnose >"$SAID" || true
  steer u netcheck >>"$SAID" || true
  ! awk 'length > 80' "$SAID" | grep .
}
check "at 80 columns" narrow
cat "$SAID"
check "a loss that cannot be" eval '! steer u netcheck --json | jq -e "any(.[]; .loss != null and (.loss < 0 or .loss > 1))"'
