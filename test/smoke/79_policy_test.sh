#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# What the mesh may reach of a node's host (host.allow): nothing but ping by default, what is allowed from whom it is
# allowed, and live changes. The rules are ours alone: made, replaced, put back, removed, and no one else's touched.
#
#   a --(1)-- b --(2)-- c       nodes; b is the host that is to be reached
#             '---(3)--- p      a leaf of b's, plain WireGuard; b asks c for its key
. "$(dirname "$0")/_init.sh"
need "$XYLEMD" "$XYLEM" jq nft wireguard-go wg setpriv

add_node a b c p
join a b
join b c
join b p
make_key a b c
make_wg_key p
configure a <<<"peers = ( $(peer_text b "${LAB_KEY[b]}" 'endpoint = "10.9.1.2:51820";') );"
configure c <<<"peers = ( $(peer_text b "${LAB_KEY[b]}" 'endpoint = "10.9.2.1:51820";') ); peering = \"open\";"
b_allows() { # [ALLOW]: b's config; none: as nobody says anything
  local host="addresses = [ \"10.1.0.1/24\" ];"
  [ $# -eq 0 ] || host+=" allow = $1;"
  configure b <<END
peers = ( $(peer_text a "${LAB_KEY[a]}"), { name = "c"; endpoint = "10.9.2.2:51820"; },
  $(leaf_text p 'allowed = [ "10.1.0.5/32" ];') );
host = { $host };
END
}
reloads() { show b node | jq '.reloads + .reloads_refused'; }
reload() { # and waits until it is in force, or refused
  local before
  before=$(reloads)
  kill -HUP "${LAB_PID[b]}"
  wait_for 20 test_more "$before"
}
test_more() { [ "$(reloads)" -gt "$1" ]; }

B=${LAB_ADDR[b]}
serve() { # PORT [NODE]: answers each TCP connection's lines
  spawn "${2:-b}" "$LAB/server" /usr/bin/python3 -c 'if True:
    import socketserver, sys
    class echo(socketserver.StreamRequestHandler):
        def handle(self):
            for line in self.rfile: self.wfile.write(line)
    class server(socketserver.ThreadingTCPServer):
        address_family = 10
        allow_reuse_address = True
    server(("::", int(sys.argv[1])), echo).serve_forever()
    ' "$1"
}
serves() { # PORT...: within b itself
  local port
  for port; do in_node b timeout 2 bash -c "exec 3<>/dev/tcp/::1/$port" || return 1; done
}
reaches() { # NODE PORT [ADDRESS]: a TCP connection, and an answer
  # shellcheck disable=SC2016  # of the inner shell
  in_node "$1" timeout 20 bash -c 'exec 3<>/dev/tcp/$0/$1 && echo hi >&3 && read -r -t 15 x <&3 && [ "$x" = hi ]' "${3:-$B}" "$2"
}
blocked() { # NODE PORT [ADDRESS]
  # shellcheck disable=SC2016
  ! in_node "$1" timeout 1.5 bash -c 'exec 3<>/dev/tcp/$0/$1' "${3:-$B}" "$2"
}
table() { in_node b nft list table inet xylem_b; }
no_table() { ! table; }
packets() { show b policy | jq --arg what "$1" '.rules[] | select(.what == $what) | .packets'; }
refused() { show b node | jq .refused_packets; }
word() { show b node | jq -r .policy; }
warned() { grep -q "$1" <<<"$(show b node | jq -r '.warnings[]')"; }
logged() { grep -q "$1" "$LAB/b.log"; }

for port in 22 5432 8000; do serve $port; done
serve 7000 a
wait_for 20 serves 22 5432 8000 || fail "no server in b"
# Somebody's own firewall, which is nobody else's to touch.
in_node b nft -f - <<'END'
table inet users { chain mine { type filter hook input priority 10; tcp dport 1 drop; }; set xs { type inet_service; elements = { 5 }; }; }
table ip xylem_b { chain mine { type filter hook input priority 10; counter; }; }
END
theirs() { in_node b nft list table inet users && in_node b nft list table ip xylem_b | sed 's/packets.*//'; }
theirs_before=$(theirs)

b_allows
start_node b
start_node a
start_node c
start_wg p 51820 <<<"$(wg_peer b 'Endpoint = 10.9.3.1:51820')"
wg_addr p 10.1.0.5/32 10.1.0.0/24
check_within 30 "by default ping works" pings a "$B"
check_within 30 "for each peer" pings c "$B"
check_within 30 "and for a leaf, by IPv4" pings p 10.1.0.1
check "a database is not reached" blocked a 5432
check "nor ssh" blocked a 22
check "nor by IPv4" blocked p 5432 10.1.0.1
check "from the host itself they are" serves 22 5432
check "by its mesh address, too" reaches b 5432
check "nor is what is asked for by the wire refused" reaches a 5432 10.9.1.2
check "what this host begins has its answers" reaches b 7000 "${LAB_ADDR[a]}"
check "show node has the word" same deny "$(word)"
check "and what was refused" at_least 3 "$(refused)"
check "with no warning" same 0 "$(show b node | jq '.warnings | length')"
check "show policy has each rule, and what it let in" at_least 3 "$(packets ping)"
check "and what answered" at_least 3 "$(packets 'answers to this host')"
check "for people, too" grep -q 'all else.*drop' <<<"$(xylem show policy -n b)"

b_allows '( "tcp/22", { port = "tcp/8000"; from = "c"; }, { port = "tcp/5432"; from = "p"; } )'
rules=$("$XYLEMD" --check -c "$LAB/b.conf" -n b)
check "--check prints the rules that would be made" grep -q 'ip saddr { 10.1.0.5/32 } tcp dport 5432' <<<"$rules"
check "and what they wait for" grep -q '# tcp/8000 from c: when its key is known' <<<"$rules"
check "so that nft reads them" in_node a nft -c -f - <<<"${rules%ok}"
reload
check "show node counts the rules" same 'deny but 3 rules' "$(word)"
check "what is allowed is reached" reaches a 22
check "and counted" at_least 3 "$(packets tcp/22)"
check "by all, as it says" reaches c 22
check "no other port is" blocked a 5432
check "what one peer may another may not" blocked a 8000
check "and he may" reaches c 8000
check "a leaf is known by what it is allowed" reaches p 5432 10.1.0.1

# One connection that stays allowed, over two reloads; one that does not.
hold() { # NODE PORT NAME: a line each 0.2 s, until no answer comes
  # shellcheck disable=SC2016
  spawn "$1" "$LAB/$3" timeout 120 bash -c 'exec 3<>/dev/tcp/$0/$1 || exit; while echo x >&3 && read -r -t 8 x <&3; do
    echo "$x"; sleep 0.2; done; echo ended' "$B" "$2"
}
lines() { grep -c x "$LAB/$1"; }
has_more() { [ "$(lines "$1")" -gt "$2" ]; }
goes_on() { wait_for 10 has_more "$1" "$(lines "$1")"; }
hold a 22 stays
hold c 8000 ends
check_within 10 "two connections are there" goes_on stays
check_within 10 "both" goes_on ends
b_allows '( "tcp/22", "tcp/5432" )'
reload
check "what stays allowed goes on over a reload" goes_on stays
check_within 40 "what is no longer allowed ends" grep -q ended "$LAB/ends"
check "what is new is reached" reaches a 5432
before=$(table | sed 's/packets.*//')
configure b <<<'host = { allow = ( "tcp/99999" ); };'
reload
check "a bad entry is refused, with its line and what to do" logged 'b.conf:2: host.allow.\[0\]: "tcp/99999" names no ports; write'
check "the old rules stay" same "$before" "$(table | sed 's/packets.*//')"
check "and the connection" goes_on stays
b_allows '"all"'
reload
check "all opens" reaches c 8000
check "which is told" same 'all open' "$(word)"
check "without any rule of ours" no_table
b_allows '( { port = "tcp/5432"; from = "'"${LAB_NET[a]}"'::/64"; } )'
reload
check "a prefix is let in" reaches a 5432
check "and no other" blocked c 5432

# Other hands.
theirs_now() { same "$theirs_before" "$(theirs)"; }
check "no other table was touched" theirs_now
in_node b nft flush ruleset
check_within 10 "rules that were flushed are put back" table
check_within 10 "which is told" logged 'somebody took away or changed the rules .*; they are back'
check "and enforced" blocked c 5432
in_node b nft insert rule inet xylem_b mesh accept
check_within 10 "so is what was changed" eval '! table | grep -q "^[[:space:]]*accept$"'
in_node b nft add chain inet xylem_b input '{ policy drop; }'
check_within 10 "and a chain that drops everything" eval '! table | grep -q "policy drop"'
check "it works" reaches a 5432

ip -n b link set xylem0 down
ip -n b link set xylem0 name mesh7
ip -n b link set mesh7 up
check_within 30 "the rules follow the interface's name" eval 'table | grep -q "iifname \"mesh7\""'
check_within 30 "and work there" reaches a 5432
check "for both" blocked c 5432
ip -n b link del mesh7
check_within 60 "and the interface that is made anew" eval 'table | grep -q "iifname \"xylem0\""'
check_within 60 "which is there" pings c "$B"
check "with its rules" blocked c 5432

# Its end, and its death.
stop_node b KILL 2>/dev/null
check "a killed daemon leaves its rules" table
b_allows
start_node b
check_within 30 "the next start replaces them" pings a "$B"
check "as it is told" blocked a 5432
check_not "and has one table" grep -q 'dport 5432' <<<"$(table)"
stop_node b
check "at its end they go" no_table

# Without a packet filter.
b_allows '( "tcp/22" )'
export NONFT_FILE=$LAB/nonft
start_b_preloaded() {
  ASAN_OPTIONS=verify_asan_link_order=0 LD_PRELOAD=$(realpath "$(dirname "$XYLEMD")/test/tools/nonft.so") start_node b
}
start_b_preloaded
check_within 30 "one more start" reaches a 22
echo transactions >"$NONFT_FILE"
b_allows '( "tcp/22", "tcp/5432" )'
reload
check "rules that the kernel does not take refuse the config" logged 'reload: host.allow: nftables says: .*; the old config stays in force'
check "which is shown" warned 'refused at a reload.*host.allow'
check "what was in force still is" reaches a 22
check "and no more" blocked a 5432
rm "$NONFT_FILE"
stop_node b
for what in transactions sockets; do
  echo $what >"$NONFT_FILE"
  : >"$LAB/b.log"
  start_b_preloaded
  check_within 30 "without $what the node starts" pings a "$B"
  check "it says what that means, and what to do" logged 'the mesh can reach every port of this host: .*CAP_NET_ADMIN.*host.allow'
  check "once" same 1 "$(grep -c 'can reach every port' "$LAB/b.log")"
  check "so do its warnings" warned 'the mesh can reach every port of this host'
  check "and its word" grep -q '^not enforced: ' <<<"$(word)"
  check "for it is so" reaches a 8000
  check "no packet is counted" same null "$(refused)"
  rm "$NONFT_FILE"
  reload
  check_within 10 "once it is there a reload enforces it" same 'deny but 2 rules' "$(word)"
  check "so it is" blocked a 8000
  check "with no warning left" same 0 "$(show b node | jq '.warnings | length')"
  check "and what is allowed" reaches a 5432
  in_node b nft flush ruleset
  check_within 10 "others' hands are seen then, too" table
  stop_node b
done
check "at its end they go" no_table
start_node b
reload
check_within 30 "it ends as it should" pings a "$B"
