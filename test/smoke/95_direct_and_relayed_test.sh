#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# The way between two nodes changes under a flow, from their own link to a relay and back: it is sealed from end to end
# only where somebody is between, what is lost is what the change costs, and order is kept within each way.
#
#   a ==== b
#    \    /
#      r
. "$(dirname "$0")/_init.sh"
. "$(dirname "$0")/_mesh.sh"
need "$XYLEMD" "$XYLEM" jq /usr/bin/python3
export XYLEM_TEST_TIMERS="rekey_after=4,reject_after=12" # so that a session ends 8 seconds after its last packet

mesh_link a b
mesh_link a r
mesh_link r b
mesh_start
check_within 60 "a goes straight to b" goes_by a b b
check_within 60 "b goes straight to a" goes_by b a a
check_within 20 "a pings b" pings a "${LAB_ADDR[b]}"
both_ways() { # NODE OTHER
  [ "$(show "$1" route "${LAB_NET[$2]}::/64" | jq -r '[.babel[].peer] | sort | join(" ")')" = "$2 r" ]
}
check_within 30 "a knows the way by r, too" both_ways a b
check_within 30 "b, too" both_ways b a
far() { show "$1" sessions | jq '[.sessions[] | select(.kind == "end to end")] | length'; }
ended() { [ "$(far a) $(far b)" = "0 0" ]; }
check_within 40 "nothing is sealed twice, once a session of the beginning has ended" ended

# 400 datagrams a second from a to b, each with its number; b writes down what comes.
spawn b "$LAB/got" /usr/bin/python3 -c 'if True:
    import socket, sys, time
    s = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
    s.bind((sys.argv[1], 7777))
    while True:
        print(int(s.recv(2048)[:12]), flush=True)
    ' "${LAB_ADDR[b]}"
wait_for 10 eval 'in_node b ss -Hlun "sport = :7777" | grep -q .'
spawn a "$LAB/sent" /usr/bin/python3 -c 'if True:
    import socket, sys, time
    s = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    begin, at = time.monotonic(), 0
    while True:
        while at < (time.monotonic() - begin) * 400:
            at += 1
            try:
                s.sendto(b"%012d" % at + bytes(400), (sys.argv[1], 7777))
            except OSError:
                pass
        print(at, flush=True)
        time.sleep(0.0025)
    ' "${LAB_ADDR[b]}"
sender=$LAB_SPAWNED
number() { tail -n 1 "$LAB/$1"; }
flows() { # soon: what is sent now arrives
  local now
  now=$(number sent)
  wait_for 20 eval "[ \$(number got) -gt $now ]"
}
check "the flow arrives" flows

cut a b
check_within 20 "the link is cut: a goes by r" goes_by a b r
check "the flow arrives" flows
check_within 20 "b goes by r" goes_by b a r
check_within 20 "now it is sealed end to end" eval '[ $(far a) -gt 0 ] && [ $(far b) -gt 0 ]'
sleep 2
mended=$(number sent)
mend a b
check_within 60 "the link is mended: a goes straight to b" goes_by a b b
check_within 60 "b goes straight to a" goes_by b a a
check "the flow arrives" flows
sleep 1
end_process "$sender" || true
sleep 0.5

# What is missing, in all and since the link came back; where an earlier number came behind a later one.
/usr/bin/python3 - "$LAB/got" "$(number sent)" "$mended" >"$LAB/sum" <<'END'
import sys
got, last, mended = [int(n) for n in open(sys.argv[1]) if n.strip()], int(sys.argv[2]), int(sys.argv[3])
seen, high, turns, late = set(got), 0, [], 0
for n in got:
    if n < high:
        late += 1
        if not turns or n > turns[-1] + 400:
            turns.append(n)
    high = max(high, n)
lost = [n for n in range(got[0], last - 20) if n not in seen]
print(last, len(lost), sum(n > mended for n in lost), len(got) - len(seen), len(turns), late)
END
read -r sent lost lost_back twice turns late <"$LAB/sum"
echo "$sent sent, $lost lost, $lost_back of them since the link came back; $late late, $turns times; $twice twice"
# Hardly any, if b has its other way to a when a's handshake comes by r; else its answer is lost, and a asks again
# after WireGuard's five seconds.
check "the cut has cost less than 10 seconds" test $((lost - lost_back)) -lt 4000
check "the way back has cost hardly any" test "$lost_back" -lt 100
check "none came twice" same 0 "$twice"
check "order was kept but at the changes" test "$turns" -le 2
check_within 40 "the sessions end to end end, unused" ended
check "a pings b" pings a "${LAB_ADDR[b]}"
