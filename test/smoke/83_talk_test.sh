#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# ping says which way it goes, what comes back, and who says what when nothing does; netcheck has a row for each peer;
# diagnose finds nothing where nothing is wrong, and names a peer that died, an address without a route, and a network
# that is not accepted.
#
#   a ---- r ---- b (announces 10.1.0.0/16)
. "$(dirname "$0")/_init.sh"
. "$(dirname "$0")/_mesh.sh"
. "$(dirname "$0")/_steer.sh"
need "$XYLEMD" "$XYLEM" jq nft

EXTRA_a='node_info = { name = "alpha"; };'
EXTRA_b='node_info = { name = "bravo"; neighbours = true; };'
EXTRA_r='node_info = { name = "relay"; neighbours = true; };'
mesh_link a r
mesh_link r b
mesh_start
check_within 60 "all reach each other" all_reach a b

# --- ping
check "a peer by its name, by which way" told "PING r (${LAB_ADDR[r]}) by r: 56 data bytes" 0 a ping r -c 2 -i 0.2
check "and what comes back" grep -qE "^64 bytes from r \(${LAB_ADDR[r]}\): icmp_seq=2 ttl=[0-9]+ time=" "$SAID"
check "and the sum" grep -q '^2 packets transmitted, 2 received, 0% packet loss' "$SAID"
check "a node beyond by the name that it gives itself" told "PING bravo (${LAB_ADDR[b]}) by r" 0 a ping bravo -c 1
check "a peer, too, and it is called as our config does" told "PING r (${LAB_ADDR[r]}) by r" 0 a ping relay -c 1
check "this node by its own" told "to this node itself" 0 a ping alpha -c 1
check "by its key" told "by r" 0 a ping "${LAB_KEY[b]}" -c 1
check "this node itself" told "to this node itself" 0 a ping "${LAB_ADDR[a]}" -c 1
check "no route: it says so, and who" told "by nobody: this node has no route to it" 1 a ping 2ab:1:2:3::4 -c 1
check "an address of the underlay goes elsewhere" told "not over the mesh" 0 a ping 10.9.1.2 -c 1
check "nobody has no name" told 'is not empty' 2 a ping ''
check "no route, in words" told 'From this node' 1 a ping 2ab:1:2:3::4 -c 1
check "in words" grep -q 'From this node (.*): icmp_seq=1 no route to it' "$SAID"
check "larger than the interface takes" told "too big for this host's interface" 1 a ping bravo -c 1 -s 1500
check "and what goes" grep -qE -- '-s [0-9]+ is the most' "$SAID"
most=$(grep -oE -- '-s [0-9]+' "$SAID" | sed -n '1s|-s ||p')
check "that does go" told "$((most + 8)) bytes from bravo" 0 a ping bravo -c 1 -s "$most"
check "as JSON" eval 'steer a ping r -c 2 -i 0.1 --json | jq -e ".received == 2 and .way == \"by r\" and .rtt_min_ms > 0"'
check "nobody is called that" told 'is no address, no key' 2 a ping nobody
check "but somebody nearly" told 'did you mean bravo?' 2 a ping bravi
check "a size that is none" told 'write a number, 0 to 65000' 2 a ping r -s big
check "trace takes names, too" told "${LAB_ADDR[b]} reached" 0 a trace bravo
in_node r nft 'add table inet t; add chain inet t i { type filter hook input priority 0; }; add rule inet t i icmpv6 type echo-request drop'
check "nothing comes back: exit code 1" told '1 packets transmitted, 0 received' 1 a ping r -c 1
in_node r nft delete table inet t
# Without privileges, where the kernel gives such sockets to everybody, and where it does not.
plain() { # COMMAND...
  in_node a setpriv --reuid 65534 --regid 65534 --clear-groups --inh-caps=-all --bounding-set=-all "$XYLEM" "$@" -n a
}
if [ "$XY_LAB_INSIDE" = 0 ]; then
  dir=$(dirname "$(find /run /tmp -path '*a/telemetry' 2>/dev/null | head -1)")
  chmod 755 "$dir" && chmod 666 "$dir/telemetry"
  in_node a sh -c 'echo "1 0" >/proc/sys/net/ipv4/ping_group_range'
  check_not "no socket for it: it fails" plain ping r -c 1
  check "and says what to do" grep -q 'ping_group_range' <<<"$(plain ping r -c 1 2>&1)"
  in_node a sh -c 'echo "0 2147483647" >/proc/sys/net/ipv4/ping_group_range'
  check "with one it goes" plain ping r -c 1
fi

# --- netcheck
check "a row for each peer" told 'PEER' 0 a netcheck
cat "$SAID"
check "who began no handshake has no clock, and it is said" grep -q 'only who begins one tells its' "$SAID"
check "at 80 columns" same "" "$(awk 'length > 80' "$SAID")"
steer a netcheck --json >"$LAB/a.json"
steer r netcheck a --json >"$LAB/r.json"
row() { jq -e ".[] | select(.peer == \"$2\") | $3" "$LAB/$1.json"; }
check "reached, measured, proven" row a r '.reached and .rtt_ms > 0 and .loss == 0 and .mtu == 1440 and .proven != null'
check "who did has" row r a '.clock_apart | . != null and fabs <= 2'
check "no such peer" told 'did you mean r?' 1 a netcheck rr
check "a node that is none" told 'bravo is no peer of this node' 1 a netcheck bravo
check "a peer as it calls itself" told 'PEER' 0 a netcheck relay

# --- doctor: with a daemon that runs; what the host is like is its own affair
doctor() { steer a doctor -c "$LAB/a.conf" >"$SAID" || [ $? = 1 ]; }
check "doctor looks at this host" doctor
for it in config daemon kernel hugepages clock conntrack rp_filter; do check "$it" grep -qE "^(ok|better|WRONG) +$it " "$SAID"; done
check "at 80 columns" same "" "$(awk 'length > 80' "$SAID")"
check "the config is well" grep -q "^ok *config *$LAB/a.conf" "$SAID"

# --- diagnose
quiet() { told 'peers: 1, up: 1' 0 b diagnose; } # on a busy machine with a note that it is
check_within 30 "nothing is wrong: it says so" quiet
cat "$SAID"
check "an address that answers" told "${LAB_ADDR[b]} answers" 0 a diagnose bravo
found() { # WORDS CODE NODE ARGUMENTS...; COMMAND in $SEE
  told "$1" "$2" "$3" diagnose "${@:4}" --json >/dev/null && jq -e --arg w "$1" --arg c "$SEE" \
    '.[] | select(.cause | contains($w)) | .command == $c' "$SAID" >/dev/null || { cat "$SAID"; return 1; }
}
SEE="xylem show route 2ab:1:2:3::4"
check "no route" found 'no route: nobody announces it' 1 a 2ab:1:2:3::4
configure b <<<"peers = ( ${MESH_PEERS[b]} ); $EXTRA_b routing = { announce = [ \"10.1.0.0/16\" ]; };"
check "b announces a network" told 'is in force' 0 b reload
offered() { show a gateways | jq -e '.gateways[] | select(.prefix == "10.1.0.0/16")'; }
check_within 20 "a hears of it" offered
SEE="xylem show gateways 10.1.0.0/16"
check "missing accept: a fault, for who wants to go there" found 'missing accept: bravo has this network' 1 a 10.1.0.5
check "with what to write" grep -qF "key = \\\"${LAB_KEY[b]}\\\"" "$SAID"
pings a 10.1.0.5 || true
check "and a note else, where packets were dropped for it" eval "steer a diagnose --json | jq -e '.[] | select(.about == \"10.1.0.0/16\") | .level == \"note\"'"
kill -KILL "${LAB_PID[b]}"
LAB_PID[b]=
SEE="xylem show peers"
dead() { found 'dead peer' 1 r; }
check_within 25 "a dead peer" dead
check "in words, at 80 columns" eval 'steer r diagnose >"$SAID" || ! awk "length > 80" "$SAID" | grep .'
cat "$SAID"
