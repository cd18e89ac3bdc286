#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# At boot the daemon is there before what it needs: an address to listen on (under duplicate address
# detection, or brought by DHCP), a card, the folders in /run and /var/lib. It runs, says what it waits
# for, and has it when it comes. The same when something goes and comes back while it runs. A config
# that is wrong ends it, with the exit code that tells the service manager so.
#
#   a ---- b
. "$(dirname "$0")/_init.sh"
need "$XYLEMD" "$XYLEM" jq

add_node a b
join a b
ip -n a addr del 10.9.1.1/24 dev to-b
make_key a b
ports() { # SETTING: of a
  configure a <<END
ports = ( $1 );
peers = ( $(peer_text b "${LAB_KEY[b]}" 'endpoint = "10.9.1.2:51820";') );
END
}
configure b <<<"peers = ( $(peer_text a "${LAB_KEY[a]}") );"
start_node b
logged() { grep -q "$1" "$LAB/a.log"; }
waits() { grep -q "$1" <<<"$(show a node | jq -r '.waiting_for[]')"; }
nothing_late() { [ "$(show a node | jq '.waiting_for | length')" = 0 ]; }
port_count() { show a ports | jq '.ports | length'; }
port_taken() { in_node a ss -Hlun 'sport = :51822' | grep -q .; }
works() { pings a "${LAB_ADDR[b]}"; }

ports '{ address = "10.9.1.1"; }'
start_node a
check "without its address it runs" same 0 "$(port_count)"
check "the log says what it waits for" logged 'UDP port 51820 of 10.9.1.1: no interface .* This port waits for it'
check "so does show node" waits '10.9.1.1, to listen on at UDP port 51820'
ip -n a addr add 10.9.1.1/24 dev to-b
check_within 20 "when the address comes, the port opens" nothing_late
check "that is told" logged '10.9.1.1 is there; UDP port 51820 of it is open'
check_within 30 "and the link comes up" works

ip -n a addr del 10.9.1.1/24 dev to-b
check_within 20 "an address that goes is told of" logged 'no interface has 10.9.1.1 any more'
check_within 10 "and shown" waits 10.9.1.1
ip -n a addr add 10.9.1.1/24 dev to-b
check_within 20 "when it is back that is told" logged '10.9.1.1 is back'
check "and no more waited for" nothing_late
check_within 60 "and the link works again" works
stop_node a

ip -n a addr del fd09:1::1/64 dev to-b
ports '{ address = "fd09:1::1"; }, { address = "10.9.1.1"; }'
ip -n a addr add fd09:1::1/64 dev to-b # under detection for a second or two
start_node a
check_within 30 "an IPv6 address under duplicate address detection is waited for" nothing_late
check "both ports are open" same 2 "$(port_count)"
check_within 30 "and the link comes up" works
stop_node a

# A card, with a socket beside it. Cards need more rights than a namespace of users gives.
ports '{ driver = "af_xdp"; interface = "late0"; address = "10.9.2.1"; port = 51822; }, { port = 51820; }'
start_node a
check "without its card it runs" same 1 "$(port_count)"
check "and says so" waits 'late0, the card'
check "in the log as well" logged 'late0: no such interface. Its port waits for it'
if [ "$XY_LAB_INSIDE" -eq 0 ]; then
  ip -n a link add late0 type veth peer name late1 netns b
  ip -n b link set late1 up
  ip -n a link set late0 up
  check_within 20 "a card whose address is late is waited for, too" logged '10.9.2.1: no interface'
  spawn a /dev/null python3 -c '
import socket, time
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(("", 51822))
time.sleep(600)'
  taker=$LAB_SPAWNED
  wait_for 20 port_taken
  ip -n a addr add 10.9.2.1/24 dev late0
  check_within 20 "what else is in its way is told, too" logged 'UDP port 51822 of 10.9.2.1 is taken'
  end_process "$taker" || true
  check_within 30 "when nothing is its port opens" nothing_late
  check "beside the other" same 2 "$(port_count)"
fi
check_within 30 "the other works" works

# /run: somebody cleans it up.
rm -rf /run/xylem/a
check_within 30 "a telemetry socket that was removed is made anew" show a node
check "which is told" logged 'the telemetry socket was not there any more'
stop_node a

# /run, and what stands in for it, come late: until then none of the folders can be made.
tmp=/tmp/xylem-$(id -u)
mkdir -p "$tmp" /run/xylem
mount -t tmpfs -o mode=777 tmpfs "$tmp" # others may write to these: not trusted
mount -t tmpfs -o mode=777 tmpfs /run/xylem
mkdir -p "$LAB/late"
mount -t tmpfs -o ro tmpfs "$LAB/late"
sed -i "s|state = \"[^\"]*\"|state = \"$LAB/late/state\"|" "$LAB/a.conf"
unset XDG_RUNTIME_DIR
spawn a "$LAB/a.log" "$XYLEMD" -n a -c "$LAB/a.conf"
LAB_PID[a]=$LAB_SPAWNED
check_within 30 "without any folder for its socket it runs" works
check "the log says what is the matter" logged '`xylem show` finds it nowhere'
umount /run/xylem
check_within 30 "when /run is there it is seen" show a node
lost() { grep -q 'nothing is remembered over a restart' <<<"$(show a node | jq -r '.warnings[]')"; }
check "a state folder that cannot be made is a warning" lost
mount -o remount,rw "$LAB/late"
check_within 60 "when it can be made it is used" eval '! lost'
check_within 60 "and written" test -s "$LAB/late/state/state"
stop_node a
umount "$tmp" "$LAB/late"
rmdir "$tmp" 2>/dev/null || true

# What needs a person ends it, and says that starting again is of no use.
code() { # what xylemd -c FILE ends with
  local code=0
  timeout 20 "$XYLEMD" -n wrong -c "$1" >"$LAB/wrong.log" 2>&1 || code=$?
  echo "$code"
}
echo 'listn = 5;' >"$LAB/wrong.conf"
check "a wrong config ends with 78" same 78 "$(code "$LAB/wrong.conf")"
check "one that is not there, with 1: it may come" same 1 "$(code "$LAB/absent.conf")"
unit=$TOP/config/xylem.service.in
check "the unit knows 78" grep -q '^RestartPreventExitStatus=.*\b78\b' "$unit"
check "and ends for no number of starts" grep -qx 'StartLimitIntervalSec=0' "$unit"
