#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# What a node may send from, once it has a session: its own /64, and what is accepted of its key. A gateway that ::/0
# and 0.0.0.0/0 are accepted of sends in the name of another node, of its receiver and of its relay; one that nothing
# is accepted of in the name of a network. Nothing of it comes out, and what is their own does.
#
#   u -- r -- g (accepted: everything)
#        +--- s (accepted: nothing)
#        +--- v (in whose name they send)
. "$(dirname "$0")/_init.sh"
. "$(dirname "$0")/_mesh.sh"
need "$XYLEMD" "$XYLEM" tcpdump jq /usr/bin/python3

make_key u g
export EXTRA_u="host = { allow = \"all\"; addresses = [ \"10.1.0.1/32\" ]; };
routing = { announce = [ \"10.1.0.1/32\" ]; accept = ( { key = \"${LAB_KEY[g]}\"; prefix = \"::/0\"; },
  { key = \"${LAB_KEY[g]}\"; prefix = \"0.0.0.0/0\"; } ); };"
export EXTRA_g="routing = { announce = [ \"::/0\", \"0.0.0.0/0\" ]; accept = ( { key = \"${LAB_KEY[u]}\"; prefix = \"10.1.0.1/32\"; } ); };"
export EXTRA_s="$EXTRA_g"
mesh_link u r
mesh_link g r
mesh_link s r
mesh_link v r
mesh_start
check_within 60 "all reach each other" all_reach u g s v
u=${LAB_ADDR[u]} v=${LAB_ADDR[v]}

capture u xylem0 -Q in 'udp port 4444'
# send FROM-NODE SOURCE DESTINATION: a datagram with an address that is not the node's.
send() {
  in_node "$1" "$TOP/test/smoke/_attack.py" datagram xylem0 "$2" "$3" >/dev/null
}
came() { tcpdump -n -r "$LAB/u-xylem0.pcap" "src host $1" 2>/dev/null | wc -l; }
honest() { # NODE: its own arrive, after a lie as before
  local n
  n=$(came "${LAB_ADDR[$1]}")
  wait_for 10 eval "send $1 ${LAB_ADDR[$1]} $u; [ \$(came ${LAB_ADDR[$1]}) -gt $n ]"
}
refused() { # NODE SOURCE REASON [DESTINATION]: u counts it, and nothing comes out
  local before
  before=$(drops u "$3")
  check_within 10 "u refuses $2 of $1 as $3" eval "send $1 $2 ${4:-$u}; [ \$(drops u $3) -gt $before ]"
  check "and it does not come out" same 0 "$(came "$2")"
}
check "g's own arrive" honest g
check_within 10 "and what is accepted of it" eval 'send g 2001:db8::5 $u; [ $(came 2001:db8::5) -gt 0 ]'
check_within 10 "by IPv4, too" eval 'send g 192.0.2.5 10.1.0.1; [ $(came 192.0.2.5) -gt 0 ]'
for source in "$v" "${LAB_NET[v]}::5" "${LAB_ADDR[r]}" 200::1 "$u" "${LAB_NET[u]}::5" ::1; do refused g "$source" spoofed; done
refused g 127.0.0.1 spoofed 10.1.0.1
refused g fe80::5 not_forwarded
refused g 10.1.0.1 spoofed 10.1.0.1
check "g's own still arrive" honest g
check "s's own arrive" honest s
for source in 2001:db8::5 fd00::5; do
  before=$(came $source)
  was=$(drops u source_not_allowed)
  check_within 10 "u refuses $source of s" eval "send s $source $u; [ \$(drops u source_not_allowed) -gt $was ]"
  check "and it does not come out" same "$before" "$(came $source)"
done
for source in "$v" "${LAB_ADDR[g]}"; do
  before=$(came "$source")
  was=$(drops u spoofed)
  check_within 10 "u refuses another's $source of s" eval "send s $source $u; [ \$(drops u spoofed) -gt $was ]"
  check "and it does not come out" same "$before" "$(came "$source")"
done
check "s's own still arrive" honest s
check "u reaches all" all_reach u g s v
