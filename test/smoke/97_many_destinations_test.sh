#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# A leaf scans 2,000 nodes that never answer, and as many of which nobody knows: their first packets wait, with a cap,
# and end under a name. A flow of its gateway goes on undisturbed, and new nodes that do answer are reached meanwhile;
# memory is bounded, and the nodes go when nothing is sent to them any more.
#
#   p (wireguard-go, leaf of a) -- a ---- r ---- b, c, d
#                                         +---- f (meshpeer: routes of 2,000 nodes)
. "$(dirname "$0")/_init.sh"
. "$(dirname "$0")/_mesh.sh"
meshpeer=$BUILD/test/tools/meshpeer
need "$XYLEMD" "$XYLEM" "$meshpeer" wireguard-go wg jq /usr/bin/python3
export XYLEM_TEST_TIMERS="rekey_attempt=10"
many=2000

make_key a f
make_wg_key p
leaf=${LAB_NET[a]}::5
mesh_link r a
mesh_link b r
mesh_link c r
mesh_link d r
add_node p f
join r f
MESH_PEERS["r"]+=", $(peer_text f "${LAB_KEY[f]}")"
wire=$LAB_LINKS
join p a
MESH_PEERS[a]+=", $(leaf_text p "allowed = [ \"$leaf/128\" ];")"
mesh_start
start_wg p 51820 < <(wg_peer a "Endpoint = 10.9.$LAB_LINKS.2:51820" "PersistentKeepalive = 1")
wg_addr p "$leaf/128" 200::/7
check_within 30 "p pings its gateway" pings p "${LAB_ADDR[a]}"
spawn f "$LAB/feed.log" timeout 300 "$meshpeer" --key "$LAB/f.key" --peer "${LAB_KEY[r]}" \
  --endpoint "10.9.$wire.1:51820" --signed $many --hold 300 --limit 150
knows() { [ "$(show a node | jq .routes)" -ge $((many + 4)) ]; }
check_within 120 "a knows them all" knows
check_within 30 "a pings b" pings a "${LAB_ADDR[b]}"

rss() { show a node | jq .rss_bytes; }
far() { show a node | jq .far_nodes; }
sum_of() { show a drops | jq --args '[.drops[] | select(.reason | IN($ARGS.positional[])) | .packets] | add' -- "$@"; }
before=$(rss)
spawn a "$LAB/ping" ping -n -D -i 0.1 "${LAB_ADDR[b]}"
ping=$LAB_SPAWNED
answers() { grep -c 'bytes from' "$LAB/ping" || true; }
asked() { sed -n 's/.*icmp_seq=\([0-9]*\).*/\1/p' "$LAB/ping" | tail -n 1; }
check_within 20 "a flow goes" eval '[ $(answers) -gt 20 ]'
show a routes | jq -r '.routes[] | select(.source == "learned") | .prefix' | grep '::/64$' | sed 's|/64|77|' |
  grep -v -e "${LAB_NET[b]}:" -e "${LAB_NET[c]}:" -e "${LAB_NET[d]}:" -e "${LAB_NET[r]}:" >"$LAB/targets"
check "of all there is an address" at_least $((many - 10)) "$(wc -l <"$LAB/targets")"
# A datagram to each, again and again, and to as many that have no route.
spawn p "$LAB/scan" /usr/bin/python3 -c 'if True:
    import random, socket, sys, time
    s = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    targets, sent, end = open(sys.argv[1]).read().split(), 0, time.monotonic() + 9
    while time.monotonic() < end:
        random.shuffle(targets)
        for n, target in enumerate(targets):
            for to in (target, "2%02x:%x:%x:1::1" % tuple(random.randrange(256) for _ in range(3))):
                try:
                    s.sendto(bytes(100), (to, 9))
                    sent += 1
                except OSError:
                    pass
            if n % 20 == 0:
                time.sleep(0.01)
    print(sent, "sent", flush=True)
    ' "$LAB/targets"
scan=$LAB_SPAWNED
lines=$(answers) from=$(asked)
# Of the 1,000 places to wait in the leaf gets 375: three quarters are for those who send through a, and one of them
# takes half of what is left.
check_within 30 "a seeks hundreds of them at a time" eval '[ $(far) -gt 200 ]'
began=$(date +%s.%N)
check_within 20 "meanwhile a's first packet reaches c" pings a "${LAB_ADDR[c]}"
jq -nr "\"after \($(date +%s.%N) - $began | . * 10 | round / 10) s\""
wait "$scan" || true
cat "$LAB/scan"
lost=$(($(asked) - from - $(answers) + lines))
echo "of the flow: $(($(answers) - lines)) answered, $lost lost; slowest $(sed -n 's/.*time=\([0-9.]*\) ms/\1/p' "$LAB/ping" | sort -n | tail -n 1) ms"
check "the flow went on" at_least 60 $(($(answers) - lines))
check "hardly anything of it is lost" test "$lost" -le 10
echo "nodes sought: $(far); hold_full $(sum_of hold_full), no_answer $(sum_of no_answer), no_route $(sum_of no_route icmp_limited)"
check "what found no place to wait is counted" at_least 1 "$(sum_of hold_full)"
check "what has no route, too" at_least 1 "$(sum_of no_route icmp_limited)"
check_within 60 "what nobody answered, too" eval '[ $(sum_of no_answer) -gt 0 ]'
check_within 30 "p reaches d after its scan" pings p "${LAB_ADDR[d]}"
check "the flow is as it was" eval 'lines=$(answers); wait_for 10 eval "[ \$(answers) -gt $((lines + 10)) ]"'
after=$(rss)
echo "memory: $((before / 1024)) KiB before, $((after / 1024)) KiB after"
check "memory is bounded" test $((after - before)) -lt $((48 << 20))
kill "$ping"
check_within 60 "whom nobody sends to any more goes" eval '[ $(far) -le 10 ]'
