#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# The only relay between two nodes is hostile: it holds the keys of both links and does with what is sealed from
# end to end whatever it can. Nothing that was not sent comes out at the other end, nothing twice; each refusal has
# its name; and as soon as it passes packets honestly they arrive. In its hands is no plaintext.
#
#   a (Xylem) ---- x, y (two wireguard-go, and _relay.py between them) ---- b (Xylem)
. "$(dirname "$0")/_init.sh"
need "$XYLEMD" "$XYLEM" wireguard-go wg tcpdump jq /usr/bin/python3

add_node a x y b
join a x
join y b
make_key a b
make_wg_key x y
address_of() { xylem inspect "$1" --json | jq -r .address; }
me=$(address_of "${LAB_WG_KEY[x]}")
inner_a=${LAB_NET[a]}:a:b:c:77 inner_b=${LAB_NET[b]}:a:b:c:99
config() { # NODE OTHER RELAY ENDPOINT INNER
  configure "$1" <<END
host = { allow = "all"; addresses = [ "$5/128" ]; };
peers = ( $(peer_text relay "${LAB_WG_KEY[$3]}" "endpoint = \"$4:51820\"; babel = \"no\";") );
routes = ( { prefix = "200::/7"; peer = "relay"; }, $(beyond "$2" relay) );
END
}
config a b x 10.9.1.2 "$inner_a"
config b a y 10.9.2.1 "$inner_b"
start_node a
start_node b
all_of() { printf '%s\n' "[Peer]" "PublicKey = ${LAB_KEY[$1]}" "AllowedIPs = ::/0, 0.0.0.0/0" "Endpoint = $2:51820"; }
in_node x sysctl -qw net.ipv6.conf.default.disable_ipv6=1 # so that its kernel says nothing by itself
in_node y sysctl -qw net.ipv6.conf.default.disable_ipv6=1
start_wg x 51820 <<<"$(all_of a 10.9.1.1)"
start_wg y 51820 <<<"$(all_of b 10.9.2.2)"
text=$(/usr/bin/python3 -c 'import secrets; print("known-text-" + secrets.token_hex(16))')
spawn x "$LAB/relay.log" "$TOP/test/smoke/_relay.py" run x wg-x y wg-y "$LAB/relay.sock" "$text" \
  left="${LAB_ADDR[a]}" right="${LAB_ADDR[b]}" me="$me" me_right="$(address_of "${LAB_WG_KEY[y]}")" left_key="${LAB_KEY[a]}" right_key="${LAB_KEY[b]}" \
  aliases="$inner_a,$inner_b"
wait_for 10 test -S "$LAB/relay.sock"
relay() { "$TOP/test/smoke/_relay.py" tell "$LAB/relay.sock" "$@"; }

watch() { # NODE in|out: what its kernel takes from the mesh, or gives to it
  spawn "$1" "$LAB/$1-$2.tcpdump" tcpdump -i xylem0 -Q "$2" --immediate-mode -Z root -U -n -w "$LAB/$1-$2.pcap" ip or ip6
  LAB_PID["watch-$1-$2"]=$LAB_SPAWNED
  wait_for 10 grep -q 'listening on' "$LAB/$1-$2.tcpdump"
}
for node in a b; do
  in_node $node sysctl -qw net.ipv6.conf.xylem0.router_solicitations=0
  watch $node in
  watch $node out
done
# A datagram with a number and the text, fifty times a second, each way; whoever gets one says so in a file.
talk() { # NODE OWN OTHER
  spawn "$1" "$LAB/$1.talk" /usr/bin/python3 -c 'if True:
    import select, socket, sys, time
    s = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    s.bind((sys.argv[1], 7777))
    at = got = 0
    while True:
        at += 1
        try:
            s.sendto(b"%d %s" % (at, sys.argv[3].encode() * 4), (sys.argv[2], 7777))
        except OSError:
            pass # an ICMP error about an earlier one
        end = time.monotonic() + 0.02
        while select.select([s], [], [], max(0, end - time.monotonic()))[0]:
            try:
                got += len(s.recv(4096)) > 0
            except OSError:
                pass
        if at % 5 == 0:
            print(got, flush=True)
    ' "$2" "$3" "$text"
  LAB_PID["talk-$1"]=$LAB_SPAWNED
}

heard() { tail -n 1 "$LAB/$1.talk" 2>/dev/null || echo 0; }
honest() { # both ends hear each other
  local a b
  relay mode honest >/dev/null
  a=$(heard a) b=$(heard b)
  wait_for 25 eval "[ \$(heard a) -gt $((${a:-0} + 10)) ] && [ \$(heard b) -gt $((${b:-0} + 10)) ]"
}
count_of() { # NODE REASON...
  show "$1" drops | jq --args '[.drops[] | select(.reason | IN($ARGS.positional[])) | .packets] | add' -- "${@:2}"
}
# attack MODE NODE REASON...: till that is counted there; then packets pass again.
attack() {
  local mode=$1 before
  before=$(count_of "${@:2}")
  relay mode "$mode" >/dev/null
  check_within 20 "$mode: counted as ${*:3}" eval "[ \$(count_of ${*:2}) -ge $((before + 3)) ]"
  check "$mode: honest again, both hear each other" honest
}
harmless() { # MODE: what is in it arrives
  local b
  b=$(heard b)
  relay mode "$1" >/dev/null
  check_within 20 "$1: it arrives as it was" eval "[ \$(heard b) -gt $((b + 20)) ]"
}
session() { show "$1" sessions | jq -r "[.sessions[] | select(.kind == \"end to end\" and .use == \"current\")] | .[0].$2"; }

# --- the first handshake, answered by the relay in b's name

check_within 20 "the links are up" eval 'peer_up a relay && peer_up b relay'
bad=$(count_of a hs_bad hs_source hs_unasked)
relay mode answer >/dev/null
talk a "$inner_a" "$inner_b"
check_within 20 "its answers in b's name are refused" eval '[ $(count_of a hs_bad hs_source hs_unasked) -ge $((bad + 3)) ]'
check "nothing has passed" same 0 "$(heard b | awk '{ print $1 + 0 }')"
talk b "$inner_b" "$inner_a"
check "honest: both hear each other" honest
check "a's session is with b" same "${LAB_ADDR[b]}" "$(session a address)"

# --- what passes

attack source b spoofed
attack others_source b spoofed
attack destination b not_sealed no_route same_peer
attack type b not_wireguard
attack reserved b not_wireguard
attack index b unknown_index
attack counter b bad_tag
attack cipher b bad_tag
attack tag b bad_tag
attack truncate b bad_tag bad_inner not_wireguard
attack grow b bad_tag
attack congested b bad_ecn
attack plain b spoofed source_not_allowed
attack reflect a spoofed same_peer unknown_index not_sealed
attack replay b replay
for mode in reorder hops few_hops label pad; do harmless $mode; done
check "honest again, both hear each other" honest
relay mode drop >/dev/null
lines=$(heard b)
sleep 1
check "drop: hardly one was on its way" test "$(heard b)" -le $((lines + 30))
check "it resumes" honest

# --- what it makes itself

born=$(session a index)
relay forge handshakes >/dev/null
relay forge initiation >/dev/null
replays() { at_least 1 "$(count_of b hs_replay hs_flood hs_unasked hs_source hs_limited)"; }
check_within 20 "handshakes again, and one in a's name, are refused" replays
check "the latter as hs_source" at_least 1 "$(count_of b hs_source)"
check "and one as on a link does not open" at_least 1 "$(count_of b hs_bad)"
relay mode drop >/dev/null # so that nothing but what it makes comes to a
sleep 0.5
errors() { tcpdump -n -r "$LAB/a-in.pcap" 'icmp6 and ip6[40] < 128' 2>/dev/null; }
errors >"$LAB/errors"
relay forge garbage >/dev/null
sleep 1
check "no error about what a never sent is believed" same "$(cat "$LAB/errors")" "$(errors)"
relay forge plain >/dev/null
sleep 1
check "nor one about what would be another node's in clear" same "$(cat "$LAB/errors")" "$(errors)"
check "honest again, both hear each other" honest
check "the path is as wide as it was" same null "$(session a mtu)"
relay forge too_big >/dev/null
told() { same 1352 "$(session a mtu)"; }
check_within 10 "too big, about what it saw: never below 1352" told
check "what carries 1280 inside" pings a "$inner_b" -I "$inner_a" -M 'do' -s $((1280 - 48))
check "the session is the same one" same "$born" "$(session a index)"
check "honest still, both hear each other" honest

# --- a node of its own, which has a session with b, and lies

stranger=$(relay stranger | jq -r .address)
check_within 20 "a stranger's handshake is answered, and its echo request" eval '[ $(relay counts | jq .answers) -ge 1 ]'
for reason in spoofed source_not_allowed not_sealed not_forwarded bad_inner; do
  before=$(count_of b $reason)
  relay stranger $reason >/dev/null
  check_within 10 "its lies are counted as $reason" eval '[ $(count_of b $reason) -gt $before ]'
done
check "honest still, both hear each other" honest

# --- the sum of it

for node in a b; do end_process "${LAB_PID[talk-$node]}" || true; done
check "the relay has seen no text and no inner address" same "0 0" "$(relay counts | jq -r '"\(.seen) \(.unsealed)"')"
check "and has passed on many" at_least 500 "$(relay counts | jq .left)"
sleep 0.5 # the last ones are on their way
for it in a-in a-out b-in b-out; do end_process "${LAB_PID[watch-$it]}" || true; done
compare() { "$TOP/test/smoke/_relay.py" compare "$LAB/$1-out.pcap" "$LAB/$2-in.pcap" "${@:3}"; }
compare a b "$stranger" || true
check "to b came what a sent, each at most once" compare a b "$stranger"
check "and to a what b sent, but for errors that it was told of" compare b a "$me" "${LAB_ADDR[b]}"
check "the relay has not failed" same "" "$(cat "$LAB/relay.log")"
