#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# A leaf that is added to a running gateway with the keys made for it reaches a node behind it, also after a
# restart; what was changed at run time is shown apart, and goes into the config file with its comments kept, or
# not at all.
#
#   p (wireguard-go) --- a (gateway) --- b
. "$(dirname "$0")/_init.sh"
. "$(dirname "$0")/_steer.sh"
need "$XYLEMD" "$XYLEM" wireguard-go wg jq

add_node p a b
join p a
join a b
make_key a b
configure a <<END
# The gateway's file.
peers = (
  # towards the mesh
  $(peer_text b "${LAB_KEY[b]}" 'endpoint = "10.9.2.2:51820";') # b
);
END
configure b <<<"peers = ( $(peer_text a "${LAB_KEY[a]}") );"
start_node b
start_node a

# --- a leaf
check "where it reaches us is asked for where it cannot be known" told 'Write --endpoint' 2 a leaf add p
check "nothing has come of it" same 0 "$(steer a leaf list --json | jq length)"
check "an endpoint that is none" told 'endpoint' 2 a leaf add p --endpoint 10.9.1.2
steer a leaf add p --endpoint 10.9.1.2:51820 >"$LAB/p.quick"
check "a config of wg-quick comes out" grep -q '^PrivateKey = ' "$LAB/p.quick"
leaf=$(sed -n 's/^Address = //p' "$LAB/p.quick")
check "with an address of our /64" same "${LAB_NET[a]}::2/128" "$leaf"
sed -n 's/^PrivateKey = //p' "$LAB/p.quick" >"$LAB/p.wgkey"
sed -n '/^\[Peer\]/,$p' "$LAB/p.quick" | start_wg p 0
wg_addr p "$leaf" 200::/7
check_within 20 "the device reaches a node behind" pings p "${LAB_ADDR[b]}"
check "again is refused" told 'there is a peer p already, added at run time' 1 a leaf add p --endpoint 10.9.1.2:51820
key=$(wg genkey | wg pubkey)
check "a key of its own" told 'PrivateKey = (the device' 0 a leaf add q --public-key "$key" --endpoint h.example:5
check "has the next address" grep -q "Address = ${LAB_NET[a]}::3/128" "$SAID"
check "an address of another node is refused" told 'lies in 200::/7' 1 a leaf add s --address 200:1::5 --endpoint h:5
check "both are listed" told "${LAB_NET[a]}::3/128" 0 a leaf list
check "at 80 columns" sh -c "! grep -qE '.{81}' '$SAID'"
stop_node a
start_node a
check_within 30 "after a restart it reaches the node" pings p "${LAB_ADDR[b]}"
check "b is no leaf" told 'is no leaf' 1 a leaf remove b
check "q goes" told 'q: removed' 0 a leaf remove q

# --- shown apart
steer a set peer b cost 500 >/dev/null
steer a set peer b traffic off >/dev/null
steer a log level debug >/dev/null
check "what was changed is shown" told 'log.level' 0 a show config
check "the file's, and what is in force" grep -qE '^peer b cost +96 +500 +500' "$SAID"
check "and what came" grep -qE '^peer p +- +leaf added +there' "$SAID"

# --- into the file
cp "$LAB/a.conf" "$LAB/before.conf"
ln "$LAB/a.conf" "$LAB/second-name"
check "a file with two names is not written" told 'hard link' 1 a config write
check "what to write is said" grep -q 'into peer b: traffic = false; cost = 500;' "$SAID"
rm "$LAB/second-name"
echo 'listen = "x";' >>"$LAB/a.conf"
check "nor one that is refused" told 'a.conf:' 1 a config write
cp "$LAB/before.conf" "$LAB/a.conf"
chmod 644 "$LAB/a.conf"
check "nor a secret where all read it" told 'chmod 600' 1 a config write
check "it is as it was" cmp "$LAB/before.conf" "$LAB/a.conf"
chmod 600 "$LAB/a.conf"
check "written" told 'written; peers: 1, settings: 2' 0 a config write
check "with its comments" grep -q '# towards the mesh' "$LAB/a.conf"
check "and its mode" same 600 "$(stat -c %a "$LAB/a.conf")"
check "the daemon takes it" told 'is in force, peers: 2' 0 a reload
check "nothing is run time any more" same '[]' "$(show a config | jq -c .changed)"
check "all is as it was" same "traffic off" "$(peer a b state)"
check "there is nothing more to write" told 'nothing to write' 0 a config write
check "the leaf is the config's" told 'it stands in the config' 1 a leaf remove p
check "traffic comes back" told 'traffic on, cost 500' 0 a set peer b traffic on
check_within 20 "the device reaches the node" pings p "${LAB_ADDR[b]}"
