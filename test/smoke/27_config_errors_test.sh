#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# xylemd --check: each mistake is named with its line, its key and a remedy; nothing is touched.
. "$(dirname "$0")/_init.sh"
need "$XYLEMD" "$XYLEM"

make_key n p q
check_text() { # REGEX: reads the config from stdin
  local code=0
  configure n # line 1 is key_file
  timeout 20 "$XYLEMD" --check -c "$LAB/n.conf" >"$LAB/out" 2>&1 || code=$?
  cat "$LAB/out"
  [ "$code" -eq 1 ] && grep -qE "$1" "$LAB/out" && grep -q 'n\.conf' "$LAB/out"
}
good="peers = ( $(peer_text p "${LAB_KEY[p]}") );"
configure n <<<"$good"
check "a good file passes" "$XYLEMD" --check -c "$LAB/n.conf"
check "unknown key" check_text ':2:.*(listn|unknown)' <<<'listn = 51820;'
check "with the nearest known one" grep -q 'listen' "$LAB/out"
check "wrong type" check_text ':3:.*(listen)' <<<$'# one\nlisten = "many";'
check "out of range" check_text ':2:.*listen' <<<'listen = 70000;'
check "no libconfig at all" check_text ':[23]:' <<<'peers = ( {{ );'
check "bad key" check_text ':2:.*key' <<<'peers = ( { name = "p"; key = "abc"; } );'
check "bad name" check_text ':2:.*name' <<<"peers = ( $(peer_text 'p q' "${LAB_KEY[p]}") );"
check "bad prefix" check_text ':3:.*prefix' <<<"$good"$'\nroutes = ( { prefix = "2000::/129"; peer = "p"; } );'
check "host bits set" check_text ':3:.*prefix.*2001:db8::/32|2001:db8::/32' <<<"$good"$'\nroutes = ( { prefix = "2001:db8::1/32"; peer = "p"; } );'
check "route to nobody" check_text ':3:.*nobody' <<<"$good"$'\nroutes = ( { prefix = "2001:db8::/32"; peer = "nobody"; } );'
check "duplicate peer name" check_text 'p.*' <<<"peers = ( $(peer_text p "${LAB_KEY[p]}"),
  $(peer_text p "${LAB_KEY[q]}") );"
check "duplicate key" check_text 'key' <<<"peers = ( $(peer_text p "${LAB_KEY[p]}"),
  $(peer_text q "${LAB_KEY[p]}") );"
check "a leaf without allowed" check_text 'allowed' <<<"peers = ( $(peer_text p "${LAB_KEY[p]}" 'leaf = true;') );"
check "our own key as a peer" check_text 'own|key' <<<"peers = ( $(peer_text p "${LAB_KEY[n]}") );"
check "a leaf's address in another node's /64" check_text ':2:.*allowed.*not in this node' \
  <<<"peers = ( $(peer_text p "${LAB_KEY[p]}" 'leaf = true; allowed = [ "'"${LAB_NET[q]}"'::5/128" ];') );"
for net in 200::/7 300::/8 "${LAB_NET[q]}::/64"; do
  check "a leaf with $net" check_text ':2:.*allowed.*not in this node' \
    <<<"peers = ( $(peer_text p "${LAB_KEY[p]}" 'leaf = true; allowed = [ "'"$net"'" ];') );"
done
check "a leaf with the node's own address" check_text ':2:.*allowed.*own' \
  <<<"peers = ( $(peer_text p "${LAB_KEY[p]}" 'leaf = true; allowed = [ "'"${LAB_ADDR[n]}"'/128" ];') );"
check "a leaf with an address of the interface" check_text ':3:.*allowed 10.1.0.1/32.*own' <<<'host = { addresses = [ "10.1.0.1/24" ]; };
peers = ( '"$(peer_text p "${LAB_KEY[p]}" 'leaf = true; allowed = [ "10.1.0.1/32" ];')"' );'
check "another node's address for the interface" check_text ':2:.*addresses.*not in this node' \
  <<<"host = { addresses = [ \"${LAB_NET[q]}::1/64\" ]; };"
check "a route for our own /64" check_text ':3:.*own' \
  <<<"$good"$'\n'"routes = ( { prefix = \"${LAB_NET[n]}::/64\"; peer = \"p\"; } );"
check "a route that is to be sealed for ourselves" check_text ':3:.*10.9.0.0/16.*our own' \
  <<<"$good"$'\n'"routes = ( { prefix = \"10.9.0.0/16\"; peer = \"p\"; key = \"${LAB_KEY[n]}\"; } );"
check "prefixes accepted of ourselves" check_text ':2:.*our own key' \
  <<<"routing = { accept = ( { key = \"${LAB_KEY[n]}\"; prefix = \"10.0.0.0/8\"; } ); };"
check "an endpoint that is nobody's" check_text ':2:.*endpoint: "224.0.0.1.*nobody' \
  <<<"peers = ( $(peer_text p "${LAB_KEY[p]}" 'endpoint = "224.0.0.1:51820";') );"
configure n <<<$'tun = false;\nhost = { name = "x"; };'
check "what has no effect passes" "$XYLEMD" --check -c "$LAB/n.conf"
check "and is said, with its line" grep -q '^warning: .*n.conf:3: host.name: has no effect' \
  <<<"$("$XYLEMD" --check -c "$LAB/n.conf" 2>&1)"

chmod 644 "$LAB/n.key"
configure n <<<"$good"
code=0
"$XYLEMD" --check -c "$LAB/n.conf" >"$LAB/out" 2>&1 || code=$?
check "a key file that others can read is refused" same 1 "$code"
check "with the remedy" grep -q 'chmod' "$LAB/out"
chmod 600 "$LAB/n.key"
wg_key='yAnz5TF+lXXJte14tji3zlMNq+hd2rYUIgJBgB3fBmk='
(umask 077 && echo "$wg_key" >"$LAB/bare.key")
echo "key_file = \"$LAB/bare.key\";" >"$LAB/n.conf"
code=0
"$XYLEMD" --check -c "$LAB/n.conf" >"$LAB/out" 2>&1 || code=$?
check "a bare WireGuard key is refused" same 1 "$code"
check "because it cannot sign" grep -qE 'sign|genkey' "$LAB/out"
code=0
"$XYLEMD" --check -c "$LAB/absent.conf" >"$LAB/out" 2>&1 || code=$?
check "a file that is not there is named" grep -q 'absent.conf' "$LAB/out"
before=$(cat "$LAB/n.key")
check_not "genkey does not take a file that is there" xylem genkey "$LAB/n.key"
check "and leaves it as it is" same "$before" "$(cat "$LAB/n.key")"
code=0
timeout 20 "$XYLEMD" --check --peer 203.0.113.5 >"$LAB/out" 2>&1 || code=$?
check "--peer without a port is a wrong command line" same 2 "$code"
check "and says how it is written" grep -q 'host:port' "$LAB/out"
