#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# DPDK's own telemetry socket, as dpdk-telemetry.py talks to it: Xylem's short read commands are there,
# whole JSON of at most 8 KB, also with more workers than that has room for; clients that go away in
# the middle do no harm; nothing is left behind.
#
#   a ---- r
. "$(dirname "$0")/_init.sh"
need "$XYLEMD" "$XYLEM" jq /usr/bin/python3

add_node a r
join a r
make_key a r
configure r <<END
peers = ( $(peer_text a "${LAB_KEY[a]}") );
workers = { count = 8; };
END
configure a <<END
peers = ( $(peer_text r "${LAB_KEY[r]}" 'endpoint = "10.9.1.2:51820";') );
END
start_node r
start_node a
check_within 20 "a pings r" pings a "${LAB_ADDR[r]}"

# Without the rights to /run/dpdk it is in a folder of the user's.
folder=$(find "/run/dpdk/xylem-${LAB_PREFIX}r" "${XDG_RUNTIME_DIR:-/nowhere}/dpdk/xylem-${LAB_PREFIX}r" \
  "/tmp/dpdk/xylem-${LAB_PREFIX}r" -maxdepth 0 2>/dev/null | head -n 1) || true
check "the folder of the socket is the daemon's user's alone" same 700 "$(stat -c %a "$folder")"

ask() { # COMMAND: the answer, as it comes
  /usr/bin/python3 - "$folder/dpdk_telemetry.v2" "$1" <<'END'
import socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
s.settimeout(20)
s.connect(sys.argv[1])
s.recv(1024)
s.send(sys.argv[2].encode())
sys.stdout.write(s.recv(65536).decode("ascii"))
END
}
value() { ask "$1" | jq -r ".\"$1\"$2"; }
ours() { value / '[] | select(startswith("/xylem"))' | tr '\n' ' '; }
are() { same "$1 " "$(ours)"; }
check_within 20 "all five are listed" are "/xylem/drops /xylem/graph /xylem/node /xylem/ports /xylem/workers"
check "help says what one does" grep -q 'Drops' <<<"$(ask /help,/xylem/drops)"
is() { same "$1" "$(value "$2" "$3")"; }
check_within 20 "node: the address" is "${LAB_ADDR[r]}" /xylem/node .address
check_within 20 "ports: one, of sockets" is socket /xylem/ports .ports.\"0\".driver
check_within 20 "workers: the first and its balance" is 0 /xylem/workers .workers.\"0\".balance
check_within 20 "drops: by name" is 0 /xylem/drops .bad_tag
worked() { [ "$(value /xylem/graph ' | [.[] | objects | .port_rx.packets // 0] | add')" -gt 0 ]; }
check_within 20 "graph: packets of a node" worked
counted() {
  pings a "${LAB_ADDR[r]}" && [ "$(value /xylem/ports '.ports."0".rx_packets')" -gt "$before" ]
}
before=$(value /xylem/ports '.ports."0".rx_packets')
check_within 30 "it is not an old picture" counted

for command in node workers drops ports graph; do
  ask /xylem/$command >"$LAB/answer"
  check "$command is JSON" jq -e . "$LAB/answer"
  check "of at most 8 KB: $(wc -c <"$LAB/answer")" at_least "$(wc -c <"$LAB/answer")" 8192
  check "in ASCII" test -z "$(tr -d '\t\n -~' <"$LAB/answer")"
done

# Clients that ask and do not wait.
/usr/bin/python3 - "$folder/dpdk_telemetry.v2" <<'END'
import socket, sys
for i in range(200):
    s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    try: # it serves ten at once, and closes others
        s.connect(sys.argv[1])
        s.send(b"/xylem/graph")
        s.send(b"/xylem/node")
    except OSError:
        pass
    s.close()
END
check_within 20 "clients that go away do no harm" is "${LAB_ADDR[r]}" /xylem/node .address
check "r goes on" pings a "${LAB_ADDR[r]}"

check_accounts
stop_node r
check_not "nothing is left of the socket" test -e "$folder"
