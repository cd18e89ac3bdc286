#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# A node whose traffic to the Internet goes by an exit, over a relay that sees none of it. Its way to the relay lies
# inside the default route that goes into the mesh. Nothing goes past the exit, whatever goes away.
#
#   l -(LAN)- u --+
#             r --+-- i, a router of the Internet --- w, a host there
#             x --+        u: uses x as its exit, by the relay r
. "$(dirname "$0")/_init.sh"
need "$XYLEMD" "$XYLEM" jq nft tcpdump

add_node i u r x w l
join i u
join i r
join i x
join i w
join u l
declare -A WIRE=([u]=1 [r]=2 [x]=3 [w]=4)
in_node i sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1
for node in u r x w; do
  ip -n $node route add default via "10.9.${WIRE[$node]}.1"
  ip -n $node route add default via "fd09:${WIRE[$node]}::1"
done
make_key u r x
W4=10.9.4.2 W6=fd09:4::2 X4=10.9.3.2 X6=fd09:3::2 U4=10.77.0.2
u_uses() { # EXIT: u's config
  configure u <<END
peers = ( $(peer_text r "${LAB_KEY[r]}" 'endpoint = "10.9.2.2:51820";') );
host = { allow = "all"; addresses = [ "$U4/32" ]; }; routing = { announce = [ "$U4/32" ]; };
exit = "$1";
END
}
r_uses() { # EXIT
  configure r <<<"peers = ( $(peer_text u "${LAB_KEY[u]}"), $(peer_text x "${LAB_KEY[x]}") ); exit = \"$1\";"
}
u_uses "${LAB_KEY[x]}"
r_uses ""
x_lets() { # NODE
  configure x <<END
peers = ( $(peer_text r "${LAB_KEY[r]}" 'endpoint = "[fd09:2::2]:51820";') );
exit = "offer"; exit_for = [ "${LAB_KEY[$1]}" ];
routing = { accept = ( { key = "${LAB_KEY[u]}"; prefix = "$U4/32"; } ); };
END
}
x_lets u

# What comes to w, and from whom: one datagram of each family, with a text that nobody else says.
spawn w "$LAB/heard" /usr/bin/python3 -uc 'if True:
    import socket
    s = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    s.bind(("::", 4000))
    while True:
        data, at = s.recvfrom(2000)
        print(data.decode(), at[0].replace("::ffff:", ""), flush=True)
        s.sendto(data, at)
    '
say() { # NODE ADDRESS TEXT: true, if it was answered
  in_node "$1" /usr/bin/python3 -c 'if True:
    import socket, sys
    s = socket.socket(socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET, socket.SOCK_DGRAM)
    s.settimeout(2)
    s.sendto(sys.argv[2].encode(), (sys.argv[1], 4000))
    sys.exit(s.recv(2000) != sys.argv[2].encode())
    ' "$2" "$3"
}
heard_of() { grep -q "^$1 $2\$" "$LAB/heard"; } # TEXT FROM
heard() { grep -q "^$1 " "$LAB/heard"; }
told() { # NODE ADDRESS TEXT [PING ARGUMENT...]: what ping hears of others
  local node=$1 to=$2 text=$3
  shift 3
  grep -q "$text" <<<"$(in_node "$node" ping -n -c 1 -W 2 "$@" "$to" 2>&1 || true)"
}
warned() { grep -q "$2" <<<"$(show "$1" node | jq -r '.warnings[]')"; } # NODE TEXT
has_way() { # NODE: to the exit
  [ "$(show "$1" routes | jq -r '[.routes[] | select(.prefix == "::/0" or .prefix == "0.0.0.0/0") | .origin] | join(" ")')" = "${LAB_KEY[x]} ${LAB_KEY[x]}" ]
}
rules() { in_node u ip "$1" rule show | grep -c '^3179[0-2]:' || true; }
no_rules() { [ "$(rules -4)$(rules -6)" = 00 ]; }
all_rules() { [ "$(rules -4)$(rules -6)" = 33 ]; }
TABLE() { in_node u ip rule show | sed -n 's/^31791:.* lookup \([0-9]*\).*/\1/p'; }
reload() { # NODE
  local before
  before=$(show "$1" node | jq '.reloads + .reloads_refused')
  kill -HUP "${LAB_PID[$1]}"
  wait_for 20 eval "[ \$(show $1 node | jq '.reloads + .reloads_refused') -gt $before ]"
}

# --- before
check_within 20 "u reaches w directly" pings u $W4
checked=$("$XYLEMD" --check -c "$LAB/x.conf")
check "--check of an exit says what it needs" grep -q 'sysctl -w net.ipv6.conf.all.forwarding=1' <<<"$checked"
check "and the NAT rule" grep -q "ip6 saddr 200::/7 oifname != \"xylem0\" masquerade" <<<"$checked"
check "both" grep -q "ip saddr { $U4/32 } oifname != \"xylem0\" masquerade" <<<"$checked"
start_node r
start_node x
check_within 20 "the exit says that it does not forward" warned x 'does not forward IPv6: sysctl -w net.ipv6.conf.all.forwarding=1'
check "neither family" warned x 'does not forward IPv4: sysctl -w net.ipv4.ip_forward=1'
check_within 20 "and that there is no NAT rule" warned x 'no NAT rule for IPv6'
check "for neither" warned x 'no NAT rule for IPv4'
in_node x nft -f - <<'END'
table ip docker { chain p { type nat hook postrouting priority srcnat; ip saddr 172.17.0.0/16 oifname != "docker0" masquerade; }; }
END
start_node u
check "u says by whom it goes" same "by ${LAB_KEY[x]}" "$(show u node | jq -r .exit)"
check "the exit says for how many" same "offered to 1" "$(show x node | jq -r .exit)"
check "u has its rules" all_rules
check_within 30 "u has a way to the exit, which show routes names" has_way u
check "and no complaint" same 0 "$(show u node | jq '.warnings | length')"
check "as the exit's own" same exit "$(show x routes | jq -r '.routes[] | select(.prefix == "0.0.0.0/0") | .kind')"
check_not "without NAT nothing is answered" say u $W6 early

# --- what --check printed, as it stands there
sed -n 's/^#   \(sysctl\|nft\) /\1 /p' <<<"$checked" >"$LAB/typed"
check "what --check printed is typed" in_node x bash -e "$LAB/typed"
check_within 20 "and the exit has nothing to say any more" same 0 "$(sleep 6 && show x node | jq '[.warnings[] | select(test("^exit"))] | length')"
capture u to-i "host $W4 or host $W6"
capture r to-i "host $W4 or host $W6"
check_within 20 "u speaks with w by IPv6" say u $W6 one
check_within 20 "and by IPv4" say u $W4 two
check "as the exit" heard_of one $X6
check "both" heard_of two $X4
check "pings, too" pings u $W6
check_within 10 "an error of the relay is heard" told u $W6 'Time exceeded' -t 1
check_within 10 "of the exit" told u $W6 'Time exceeded' -t 2
check_within 10 "and of who is beyond, in both families" told u $W4 "From 10.9.3.1 .*Time to live exceeded" -t 3
check "the LAN is reached directly" pings u 10.9.5.2
check "by IPv6, too" pings u fd09:5::2
check "and reaches u" pings l 10.9.5.1
check "the relay is a node like all" pings u "${LAB_ADDR[r]}"
check "the kernel asks the exit" grep -q 'dev xylem0' <<<"$(in_node u ip route get 192.0.2.1)"
check "but for links" grep -q 'dev to-i' <<<"$(in_node u ip route get 192.0.2.1 mark "$(TABLE)")"
check_within 10 "on a link that stands" peer_up u r

# --- the exit is the Internet, and no neighbour
in_node x ip addr add 10.9.5.77/32 dev lo
in_node x ip addr add 10.8.5.77/32 dev lo
before=$(drops u source_not_allowed)
in_node x ping -n -c 2 -i 0.2 -W 1 -I 10.8.5.77 $U4 >/dev/null || true
check "what comes of the exit is of the Internet" same "$before" "$(drops u source_not_allowed)"
in_node x ping -n -c 2 -i 0.2 -W 1 -I 10.9.5.77 $U4 >/dev/null || true
check_within 10 "but of nobody on u's LAN" at_least $((before + 2)) "$(drops u source_not_allowed)"
in_node x ip addr del 10.9.5.77/32 dev lo
in_node x ip addr del 10.8.5.77/32 dev lo

# --- who may not
in_node r ip route get $W6 >/dev/null
r_uses x
reload r
check_within 30 "another may use it, for all it knows" has_way r
check_within 20 "but the exit does not let it" told r $W6 'prohibited'
check "which is counted" at_least 1 "$(drops x exit_not_allowed)"
r_uses ""
reload r
check_within 20 "it goes directly again" say r $W6 direct
check "under its own address" heard_of direct fd09:2::2

x_lets r
reload x
check_within 20 "whom the exit lets no more hears so" told u $W4 'Packet filtered\|prohibited'
x_lets u
reload x
check_within 20 "and is let again" say u $W4 again

# --- other hands
for family in -4 -6; do
  in_node u ip $family rule del pref 31790
  in_node u ip $family rule del pref 31791
  in_node u ip $family rule del pref 31792
done
check_within 20 "rules that somebody takes away are put back" all_rules
in_node u ip -6 route flush table "$(TABLE)" proto 120
say u $W6 three || true
check_not "while its table is empty nothing goes past it" heard_of three fd09:1::2
check_within 20 "and it is put back" say u $W6 three
check "as the exit" heard_of three $X6
ip -n u link del xylem0
check_within 30 "an interface that is made anew leads to the exit" say u $W4 four
check "as it" heard_of four $X4
check_not "and nothing went past it meanwhile" heard_of four 10.9.1.2

refuses() { grep -q '^31792:.*unreachable' <<<"$(in_node u ip rule show)"; }
for _ in $(seq 10); do
  in_node u ip rule del pref 31791 2>/dev/null || true
  in_node u ip rule del pref 31792 2>/dev/null || true
  wait_for 2 refuses
done
check "however often it goes, the refusal is there at once" refuses
say u $W4 sixteen || true
check_not "and nothing went past it" heard_of sixteen 10.9.1.2

# --- a reload
u_uses ""
reload u
check_within 20 "without an exit u goes directly" say u $W6 five
check "under its own address" heard_of five fd09:1::2
check "with no rule of ours" no_rules
check "show node says so" same null "$(show u node | jq .exit)"
u_uses "${LAB_KEY[x]}"
end_capture u to-i
reload u
check_within 20 "with it, it goes by the exit again" eval 'say u $W6 six && heard_of six $X6'
check_within 20 "both families" eval "say u $W4 seven && heard_of seven $X4"

# --- an end, and a death
stop_node u
check "at its end the rules go" no_rules
check "and the table" same "" "$(in_node u ip route show table all proto 120; in_node u ip -6 route show table all proto 120)"
check "it goes directly" say u $W4 eight
start_node u
check_within 30 "it is back" eval "say u $W4 nine && heard_of nine $X4"
stop_node u KILL 2>/dev/null
check_not "when it is killed nothing goes past the exit" say u $W4 leak-2
check_not "by IPv6 neither" say u $W6 leak-3
ip -n u link add xylem0 type veth peer name xylem1
code=0
in_node u timeout 30 "$XYLEMD" -n "${LAB_PREFIX}u" -c "$LAB/u.conf" >"$LAB/fails" 2>&1 || code=$?
check "a start fails, for somebody has its interface" same 1 $code
check "it leaves the rules where they are" all_rules
check_not "so that nothing goes past the exit" say u $W4 leak-6
ip -n u link del xylem0
u_uses ""
printf '#!/bin/sh\nexec setpriv --bounding-set=-net_admin --inh-caps=-net_admin "%s" "$@"\n' "$(realpath "$XYLEMD")" >"$LAB/may-not"
chmod +x "$LAB/may-not"
in_node u ip rule add pref 31791 not fwmark 5 table 2021195776 proto 120
XYLEMD=$LAB/may-not start_node u --no-tun
check "who starts is told of another instance's rules" grep -q 'another instance has rules on this host (ip rule, table 2021195776)' "$LAB/u.log"
in_node u ip rule del pref 31791 table 2021195776
check "who may not take them away says so" warned u 'the rules for one stay: Operation not permitted'
for family in -4 -6; do
  for p in 31790 31791 31792; do in_node u ip $family rule del pref $p; done
done
check_within 20 "and tries again, till they are gone" eval "! warned u 'the rules for one stay'"
stop_node u
u_uses "${LAB_KEY[x]}"
start_node u
check_within 30 "and it goes by the exit" eval "say u $W4 fifteen && heard_of fifteen $X4"
stop_node u KILL 2>/dev/null
u_uses ""
start_node u
check "the next start, without an exit, takes the rules away" no_rules
check "and goes directly" say u $W6 ten
stop_node u
u_uses "${LAB_KEY[x]}"
start_node u
check_within 30 "with one it goes by it" eval "say u $W6 eleven && heard_of eleven $X6"

# --- on a card, whose frames go by the kernel's routes as well
if [ "$XY_LAB_INSIDE" -eq 0 ]; then
  stop_node u
  u_uses "${LAB_KEY[x]}"
  echo 'ports = ( { driver = "af_xdp"; interface = "to-i"; } );' >>"$LAB/u.conf"
  start_node u
  check_within 30 "on a card it goes by it, too" eval "say u $W6 thirteen && heard_of thirteen $X6"
  check "the card takes it" at_least 1 "$(show u ports | jq '.ports[0].steered.ours')"
  stop_node u
  u_uses "${LAB_KEY[x]}"
  start_node u
  check_within 30 "and on a socket again" say u $W6 fourteen
fi

# --- the exit goes
mv "$LAB/u-to-i.pcap" "$LAB/u-before.pcap"
capture u to-i "host $W4 or host $W6"
stop_node x
check_within 60 "without the exit u says so" warned u 'no route leads to it'
check_not "and nothing goes" say u $W6 leak-4
check_not "in either family" say u $W4 leak-5
check "but to the LAN" pings u 10.9.5.2
check_not "nothing was heard that should not be" heard 'leak-[0-9]'
end_capture u to-i
end_capture r to-i
packets() { tcpdump -n -r "$1" 2>/dev/null | wc -l; }
check "nothing of it left u in the clear" same 0 "$(packets "$LAB/u-to-i.pcap")"
check "before neither, but what it said directly" same 0 "$(tcpdump -n -A -r "$LAB/u-before.pcap" 2>/dev/null | grep -cE 'one|two|three|four' || true)"
check "and the relay's wire had none but its own" same 0 "$(tcpdump -n -A -r "$LAB/r-to-i.pcap" 2>/dev/null | grep -cE 'one|two|three|four' || true)"
start_node x
check_within 60 "the exit comes back" eval "say u $W6 twelve && heard_of twelve $X6"
