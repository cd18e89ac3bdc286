#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# A node in an ikto mesh: agents of ikto (WireGuard devices that write and read ikto's bucket as it does) and the node are
# each other's peers, and the node is the way between their mesh and Xylem's.
#
#   i1, i2 (ikto: fd10:2::/48, fd10:3::/48) ---- g (fd10:1::/48) ---- b (fd10:1:0:5::/64, no fleet)
. "$(dirname "$0")/_init.sh"
. "$(dirname "$0")/_fleet.sh"
. "$(dirname "$0")/_nats.sh"
need nats-server curl jq wireguard-go wg "$BUILD/test/tools/natskv"

switch hub g b i1 i2 # 10.8.0.1 to .5
NATS_URLS='nats://10.8.0.1:4222' BUCKET=ikto-mesh
nats_config hub
start_nats hub
check_within 20 "the server is there" nats_up hub
make_key g b
make_wg_key i1 i2
configure g <<END
node_info = { name = "g"; };
host = { allow = "all"; addresses = [ "fd10:1::1/48" ]; };
routing = { claims = [ "fd10::/16" ]; announce = [ "fd10::/16" ];
  accept = ( { key = "${LAB_KEY[b]}"; prefix = "fd10:1:0:5::/64"; } ); };
peers = ( $(peer_text b "${LAB_KEY[b]}") );
END
configure b <<END
host = { allow = "all"; addresses = [ "fd10:1:0:5::1/64" ]; };
routing = { announce = [ "fd10:1:0:5::/64" ]; accept = ( { key = "${LAB_KEY[g]}"; prefix = "fd10::/16"; } ); };
peers = ( $(peer_text g "${LAB_KEY[g]}" 'endpoint = "10.8.0.2:51820";') );
END
start_node g
start_node b
cat >"$LAB/g.fleet.conf" <<END
fleet = { nats = ( "nats://10.8.0.1:4222" ); bucket = "ikto-mesh"; mode = "ikto";
  ikto = { allowed_ip = "fd10:1::/48"; mesh_cidr = "fd10::/16"; advertise_address = "10.8.0.2"; }; };
END
check "the config is right" "$FLEET" --check -c "$LAB/g.fleet.conf"
start_fleet g
says() { fleet g | jq -r .. | grep -F "$1"; }
check_within 20 "a bucket that is not there is said, and how it is made" says 'nats kv add ikto-mesh'
kv hub make

# --- as an agent of ikto: its record under its key, then a peer for each other's
key_of() { echo "peers.$(printf %s "$1" | base64 -w0 | tr '+/' '-_')"; } # CIDR
record_of() { # NAME KEY ADDRESS CIDR
  printf '{"name":"%s","public_key":"%s","advertise_address":"%s","allowed_ip":"%s","wg_port":51820}' "$@"
}
agent() { # NODE ADDRESS CIDR
  record_of "$1" "${LAB_WG_KEY[$1]}" "$2" "$3" | kv hub ikto "$(key_of "$3")"
}
sync_agent() { # NODE: what its watch would tell it
  local key it
  while read -r key; do
    it=$(kv hub get "$key") || continue
    [ "$(jq -r .public_key <<<"$it")" != "${LAB_WG_KEY[$1]}" ] || continue
    in_node "$1" wg set "wg-$1" peer "$(jq -r .public_key <<<"$it")" allowed-ips "$(jq -r .allowed_ip <<<"$it")" \
      endpoint "$(jq -r '"\(.advertise_address):\(.wg_port)"' <<<"$it")"
  done < <(kv hub keys)
}
start_wg i1 51820 </dev/null
start_wg i2 51820 </dev/null
wg_addr i1 fd10:2::1/16 # all of the mesh is on the link, as ikto has it
wg_addr i2 fd10:3::1/16
ours() { kv hub get "$(key_of fd10:1::/48)"; }
check_within 30 "the node's record is in the bucket" ours
check "byte for byte as ikto writes it" same "$(record_of g "${LAB_KEY[g]}" 10.8.0.2 fd10:1::/48)" "$(ours)"
check "an agent comes" agent i1 10.8.0.4 fd10:2::/48
check "and another" agent i2 10.8.0.5 fd10:3::/48
check_not "none that wants what is ours" agent i2 10.8.0.5 fd10:1::/48
sync_agent i1
sync_agent i2
devices() { [ "$(show g peers | jq -c '[.peers[] | select(.source == "registry") | .name] | sort')" = '["i1","i2"]' ]; }
check_within 20 "both are peers of the node" devices
check_within 20 "the node pings i1" pings g fd10:2::1 -I fd10:1::1
check_within 20 "i2 pings the node" pings i2 fd10:1::1
check_within 20 "i1 pings i2" pings i1 fd10:3::1

# --- between the meshes
check_within 30 "b, a node of Xylem's mesh alone, pings i1" pings b fd10:2::1 -I fd10:1:0:5::1
check_within 10 "i2 pings b" pings i2 fd10:1:0:5::1

# --- what ikto lets happen, and we do not
record_of evil "$(wg genkey | wg pubkey)" 10.8.0.66 fd10:2::/48 | kv hub put "$(key_of fd10:2::/48)"
record_of wide "$(wg genkey | wg pubkey)" 10.8.0.66 fd10:3::/47 | kv hub put "$(key_of fd10:2::/47)"
record_of all "$(wg genkey | wg pubkey)" 10.8.0.66 ::/0 | kv hub put "$(key_of ::/0)"
record_of mesh "$(wg genkey | wg pubkey)" 10.8.0.66 200::/7 | kv hub put "$(key_of 200::/7)"
record_of part "$(wg genkey | wg pubkey)" 10.8.0.66 fd10:3:0:1::/64 | kv hub put "$(key_of fd10:3:0:1::/64)"
kept() { grep -qF "written over, and stays as it was" "$LAB/g.fleet.log"; }
check_within 20 "a record that is written over by another key changes nothing, and is said" kept
check "nor does one that overlaps, or is wider than the mesh" devices
check "i1 is where it was" pings g fd10:2::1 -I fd10:1::1
kv hub delete "$(key_of fd10:1::/48)"
check_within 30 "ours is there again when it is deleted" ours
kv hub delete "$(key_of fd10:2::/48)"
kv hub delete "$(key_of fd10:3:0:1::/64)"
alone() { [ "$(show g peers | jq -c '[.peers[] | select(.source == "registry") | .name]')" = '["i2"]' ]; }
check_within 20 "whose record is deleted is no peer any more" alone
stop_nats hub KILL
sleep 3
check "the server is killed: i2 stays" pings g fd10:3::1 -I fd10:1::1
start_nats hub
agent_again() { agent i1 10.8.0.4 fd10:2::/48; }
check_within 30 "it is back, and i1, too" agent_again
check_within 40 "as a peer" devices
check "the node leaves" xylem fleet leave -n g
left() { ! ours; }
check_within 10 "and takes its record with it" left
