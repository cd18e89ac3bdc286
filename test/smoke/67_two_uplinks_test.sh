#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# A node with two uplinks, each with an address of its own, whose providers drop what is not from
# theirs. It answers from the address that was asked, by the way that its rules have for it, also from
# one on loopback; and when the default route moves, it goes on from the other uplink's at once, in the
# session that it has. In IPv4 and IPv6, on sockets, on sockets with addresses of their own, on AF_XDP.
#
#   c ---- i (both providers) ==(uplink 1, the default; uplink 2)== r
. "$(dirname "$0")/_init.sh"
need "$XYLEMD" "$XYLEM" jq

add_node c i r
join c i # wire 1
join i r # wire 2
ip -n "${LAB_PREFIX}i" link add wire2 type veth peer name wire2 netns "${LAB_PREFIX}r"
set_wire i wire2 10.9.9.1/24 fd09:9::1/64
set_wire r wire2 10.9.9.2/24 fd09:9::2/64
in_node i sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1
make_key c r

# Of each family: c; r by uplink 1 and 2; i on them; r's own, which is on no uplink.
declare -A C=([4]=10.9.1.1 [6]=fd09:1::1) R1=([4]=10.9.2.2 [6]=fd09:2::2) R2=([4]=10.9.9.2 [6]=fd09:9::2)
declare -A I0=([4]=10.9.1.2 [6]=fd09:1::2) I1=([4]=10.9.2.1 [6]=fd09:2::1) I2=([4]=10.9.9.1 [6]=fd09:9::1)
declare -A OWN=([4]=10.77.0.1 [6]=fd77::1)
at() { if [[ $1 == *:* ]]; then echo "[$1]:51820"; else echo "$1:51820"; fi; }
node_ip() { ip -n "$LAB_PREFIX$1" "${@:2}"; }
for f in 4 6; do
  node_ip c -$f route add default via "${I0[$f]}"
  node_ip r -$f route add default via "${I1[$f]}"
  node_ip r -$f route add default via "${I2[$f]}" table 102
  node_ip r -$f rule add from "${R2[$f]}" lookup 102
  node_ip r -$f addr add "${OWN[$f]}" dev lo
  node_ip i -$f route add "${OWN[$f]}" via "${R1[$f]}"
  node_ip i -$f rule add from "${R2[$f]}" iif to-r blackhole
  node_ip i -$f rule add from "${R1[$f]}" iif wire2 blackhole
done

configs() { # PORTS ENDPOINT-OF-R ENDPOINT-OF-C: empty for none; where they were is forgotten
  rm -rf "$LAB/c.state" "$LAB/r.state"
  configure r <<<"$1 peers = ( $(peer_text c "${LAB_KEY[c]}" "${3:+endpoint = \"$(at "$3")\";}") );"
  configure c <<<"peers = ( $(peer_text r "${LAB_KEY[r]}" "${2:+endpoint = \"$(at "$2")\"; keepalive = 5;}") );"
}
start() {
  start_node r
  start_node c
}
stop() {
  check_accounts
  stop_node c
  stop_node r
}
sees() { [ "$(peer c r endpoint)" = "$(at "$1")" ]; } # c sees r at this address
sessions() { show r sessions | jq -r '[.sessions[].index] | sort | join(",")'; }
by_card() { # ten packets and their answers leave r's kernel out
  local before
  before=$(kernel_udp r)
  in_node c ping -n -q -c 10 -i 0.02 -W 2 "${LAB_ADDR[r]}" >/dev/null
  [ $(($(kernel_udp r) - before)) -le 5 ]
}

asked_at() { # WHAT PORTS ADDRESS
  configs "$2" "$3" ""
  start
  check_within 40 "$1: c reaches r at $3" pings c "${LAB_ADDR[r]}"
  check "$1: r answers from there" sees "$3"
  [ -z "${cards:-}" ] || check_within 20 "$1: by its card" by_card
  stop
}
fails_over() { # WHAT PORTS FAMILY
  local before
  configs "$2" "" "${C[$3]}"
  start
  check_within 40 "$1: r reaches c" pings r "${LAB_ADDR[c]}"
  check "$1: by uplink 1" sees "${R1[$3]}"
  # Neither side begins anew within the next minutes.
  before=$(sessions)
  node_ip i "-$3" rule add pref 10 iif to-r blackhole # the line is dead; r's card does not know
  node_ip i "-$3" route add blackhole "${R1[$3]}/$(($3 == 4 ? 32 : 128))"
  node_ip r "-$3" route replace default via "${I2[$3]}"
  check_within 60 "$1: when uplink 1 is dead, r reaches c by the other" pings r "${LAB_ADDR[c]}"
  check "$1: from its address" sees "${R2[$3]}"
  check "$1: in the session that it had" same "$before" "$(sessions)"
  [ -z "${cards:-}" ] || check_within 20 "$1: by its card" by_card
  node_ip i "-$3" rule del pref 10
  node_ip i "-$3" route del blackhole "${R1[$3]}/$(($3 == 4 ? 32 : 128))"
  node_ip r "-$3" route replace default via "${I1[$3]}"
  check_within 60 "$1: with uplink 1 again, it stays where its rule leads" pings r "${LAB_ADDR[c]}"
  check "$1: by uplink 2" sees "${R2[$3]}"
  node_ip r "-$3" rule del from "${R2[$3]}" lookup 102
  back() { pings r "${LAB_ADDR[c]}" && sees "${R1[$f]}"; }
  check_within 60 "$1: without the rule it goes back" back
  node_ip r "-$3" rule add from "${R2[$3]}" lookup 102
  stop
}
run() { # WHAT PORTS
  for f in 4 6; do
    asked_at "$1, IPv$f" "$2" "${R2[$f]}"
    asked_at "$1, IPv$f" "$2" "${R1[$f]}"
    [ "${own:-yes}" = no ] || asked_at "$1, IPv$f, loopback" "$2" "${OWN[$f]}"
    fails_over "$1, IPv$f" "$2" $f
  done
}

run "a socket" ""
one() { echo "{ address = \"$1\"; }"; }
own=no run "sockets with addresses" \
  "ports = ( $(one "${R1[4]}"), $(one "${R2[4]}"), $(one "${R1[6]}"), $(one "${R2[6]}") );"
[ "$XY_LAB_INSIDE" -eq 0 ] || exit 0 # AF_XDP needs root
card() { echo "{ driver = \"af_xdp\"; interface = \"$1\"; }"; }
cards=yes run "AF_XDP" "ports = ( $(card to-i), $(card wire2) );"
