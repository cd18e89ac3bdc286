#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# What xylem-fleet asks of the daemon, asked by hand: records that are its own, peers that end by themselves and never go
# before the config's, a prefix that is announced, used by the other side and taken back; all of it confined.
#
#   a (--sandbox) ---- b (--sandbox), neither in the other's config
. "$(dirname "$0")/_init.sh"
need "$XYLEMD" "$XYLEM" jq

add_node a b
join a b
make_key a b c d e
of() { # NODE FURTHER HOST ANNOUNCE
  configure "$1" <<END
host = { allow = "all"; ${3:-} };
node_info = { name = "$1"; };
routing = { claims = [ "fd10::/16" ]; announce = [ "fd99::/64"${4:-} ]; };
peers = ( ${2:-} );
END
}
of a "$(peer_text c "${LAB_KEY[c]}" 'endpoint = "10.9.1.9:51820";')" 'addresses = [ "fd10:6::1/64" ];' ', "fd10:9::/40"'
of b
start_node a --sandbox
start_node b --sandbox

ask() { # NODE COMMAND [PARAMS]
  /usr/bin/python3 "$TOP/test/smoke/_control.py" "${XDG_RUNTIME_DIR:-/run}/xylem/$LAB_PREFIX$1/control" "/xylem/$2" "${3:-}"
}
says() { ask "${@:2}" | jq -e "$1"; } # FILTER NODE COMMAND [PARAMS]
refuses() { ask "${@:2}" | jq -r .error | grep -F -- "$1"; }
now=$(date +%s)

# --- who it is, and what it signs
check "hello" says ".link_key == \"${LAB_KEY[a]}\" and .address == \"${LAB_ADDR[a]}\" and .peers == 0" a fleet_hello
check "a record of its own, with where it is" says '.record | fromjson | .name == "a" and .epoch == 7 and .prefixes == ["fd99::/64","fd10:9::/40"] and
  any(.endpoints[]; .at == "10.9.1.1:51820" and .from == "own") and (.signature | length) == 88' a fleet_record \
  "{\"epoch\":7,\"expires\":$((now + 60)),\"prefixes\":true}"
check "with what its operator wrote first" says '.record | fromjson | .endpoints[0] == {"at":"192.0.2.7:1","from":"config"}' a fleet_record \
  "{\"epoch\":7,\"expires\":$((now + 60)),\"endpoints\":[\"192.0.2.7:1\"]}"
check "of nobody else" refuses '"key" is no param' a fleet_record "{\"key\":\"${LAB_KEY[b]}\",\"epoch\":7,\"expires\":$((now + 60))}"
check "a claim is signed where the config lets it" says '.claim | fromjson | .claims == "fd10:1::/48" and .since == 5' a fleet_record \
  "{\"epoch\":7,\"expires\":$((now + 60)),\"claim\":\"fd10:1::/48\",\"since\":5}"
check "and nowhere else" refuses 'lies in none of routing.claims' a fleet_record "{\"epoch\":7,\"expires\":$((now + 60)),\"claim\":\"fd11:1::/48\"}"
check "not for ever" refuses 'expires: write' a fleet_record "{\"epoch\":7,\"expires\":$((now + 999999999))}"
check "nor above what can follow" refuses 'epoch: write' a fleet_record "{\"epoch\":$((now + 400 * 86400)),\"expires\":$((now + 60))}"

# --- peers
check "a peer" says '.in_force == "registry" and (.name | startswith("c-"))' a fleet_peer \
  "{\"key\":\"${LAB_KEY[b]}\",\"name\":\"c\",\"node\":true,\"endpoints\":[\"10.9.1.2:51820\"],\"lifetime\":600}"
name=$(show a peers | jq -r '.peers[] | select(.source == "registry") | .name')
check "that the other side lets in" says '.admitted == 1' b fleet_admit \
  "{\"keys\":[{\"key\":\"${LAB_KEY[a]}\",\"claim\":\"fd10:1::/48\"}],\"lifetime\":600}"
check_within 20 "is up" peer_up a "$name"
check "and is no peer of b's config" same open "$(show b peers | jq -r '.peers[].source')"
check "the config's stays the config's" says '.in_force == "config"' a fleet_peer \
  "{\"key\":\"${LAB_KEY[c]}\",\"name\":\"evil\",\"node\":true,\"endpoints\":[\"10.9.1.2:51820\"],\"lifetime\":600}"
check "under its name and at its place" same "10.9.1.9:51820" "$(peer a c endpoint)"
check "it is taken away where it was written" refuses 'xylem-fleet named it' a peer_remove "{\"peer\":\"$name\"}"
check "neither a node nor a device" refuses 'write either node' a fleet_peer "{\"key\":\"${LAB_KEY[b]}\",\"lifetime\":9}"
check "a device gets nothing of others'" refuses 'lies in none of routing.claims' a fleet_peer \
  "{\"key\":\"${LAB_KEY[b]}\",\"allowed\":[\"192.168.0.0/16\"],\"lifetime\":9}"
check "nor of the mesh" refuses "can be no WireGuard device's" a fleet_peer "{\"key\":\"${LAB_KEY[b]}\",\"allowed\":[\"300::/64\"],\"lifetime\":9}"
check "nobody for ever" refuses 'lifetime: write 1 to 604800' a fleet_peer "{\"key\":\"${LAB_KEY[b]}\",\"node\":true}"

# --- a claim
a_has() { [[ $(ip -n "${LAB_PREFIX}a" -6 addr show dev xylem0) == *"$1"* ]]; }
check "a claim" says '.prefix == "fd10:1::/48"' a fleet_claim '{"prefix":"fd10:1::/48","address":"fd10:1::1","lifetime":600}'
check "its address is there" a_has fd10:1::1/128
check_within 20 "it is used by who was told whose it is" pings b fd10:1::1 -I "${LAB_ADDR[b]}"
check "another's prefix is not taken for it" says '.claims_outside == 1' b fleet_admit \
  "{\"keys\":[{\"key\":\"${LAB_KEY[c]}\",\"claim\":\"10.0.0.0/8\"}],\"lifetime\":600}"
check "but it is kept: routing.claims may have it later" says '.claims_taken == 1' b fleet_admit \
  "{\"keys\":[{\"key\":\"${LAB_KEY[d]}\",\"claim\":\"10.1.0.0/16\"}],\"lifetime\":600}"
check "who was another's is let in no more" says '.admitted >= 1' b fleet_admit "{\"keys\":[\"${LAB_KEY[d]}\"],\"lifetime\":0}"
admitted() { # CLAIM: c with that claim
  ask b fleet_admit "{\"keys\":[{\"key\":\"${LAB_KEY[c]}\",\"claim\":\"$1\"}],\"lifetime\":600}"
}
taken() { admitted "$1" | jq -e '.claims_taken == 1'; }
check "nor is a part of it another's" taken fd10:1::1/128
check "nor all around it" taken fd10::/17
check "what is free is" sh -c '! [ "$1" = 1 ]' - "$(admitted fd10:3::/48 | jq .claims_taken)"
check_within 10 "and what was a's is still a's" pings b fd10:1::1 -I "${LAB_ADDR[b]}"
check "our own claim is not another's" says '.claims_taken == 1' a fleet_admit \
  "{\"keys\":[{\"key\":\"${LAB_KEY[c]}\",\"claim\":\"fd10:1::/56\"}],\"lifetime\":600}"
check "nor a device's" refuses "is this node's claim" a fleet_peer \
  "{\"key\":\"${LAB_KEY[b]}\",\"allowed\":[\"fd10:1::7/128\"],\"lifetime\":9}"
device() { ask a fleet_peer "{\"key\":\"$1\",\"allowed\":[\"$2\"],\"lifetime\":9}"; }
check "a device has what is free" sh -c '[ "$1" != null ]' - "$(device "${LAB_KEY[d]}" fd10:5::/48 | jq .name)"
check "and no other a part of it" refuses "is another device's of the registry" a fleet_peer \
  "{\"key\":\"${LAB_KEY[e]}\",\"allowed\":[\"fd10:5::1/128\"],\"lifetime\":9}"
check "nor what the host has" refuses "has an address of this host" a fleet_peer \
  "{\"key\":\"${LAB_KEY[e]}\",\"allowed\":[\"fd10:6::/48\"],\"lifetime\":9}"
check "nor all that is announced" refuses "is announced by this node" a fleet_peer \
  "{\"key\":\"${LAB_KEY[e]}\",\"allowed\":[\"fd10:9::/32\"],\"lifetime\":9}"
check "but a part of it" sh -c '[ "$1" != null ]' - "$(device "${LAB_KEY[e]}" fd10:9:1::/64 | jq .name)"
check "it is forgotten" says .was a fleet_forget "{\"key\":\"${LAB_KEY[e]}\"}"
check "so is the other" says .was a fleet_forget "{\"key\":\"${LAB_KEY[d]}\"}"
check "what the config announces is the config's" refuses 'lies in none' a fleet_claim '{"prefix":"fd99::/64","lifetime":9}'
check "what lies outside is nobody's to claim" refuses 'lies in none' a fleet_claim '{"prefix":"::/0","lifetime":9}'
check "an address of it" refuses 'address: write one of' a fleet_claim '{"prefix":"fd10:1::/48","address":"fd10:2::1","lifetime":9}'
ip -n "${LAB_PREFIX}a" addr del fd10:1::1/128 dev xylem0
check_within 10 "an address that somebody took away is restored" a_has fd10:1::1/128
of a
check "a reload" xylem reload -n "${LAB_PREFIX}a"
check "leaves it" a_has fd10:1::1/128
check_within 20 "and it goes on" pings b fd10:1::1
check "another takes its place" says '.prefix == "fd10:1:1::/64"' a fleet_claim '{"prefix":"fd10:1:1::/64","address":"fd10:1:1::1","lifetime":600}'
check_not "the one before is gone" a_has fd10:1::1/128

check "who is let in no more" says '.admitted == 1' b fleet_admit "{\"keys\":[\"${LAB_KEY[a]}\"],\"lifetime\":0}"
check "goes" same 0 "$(show b peers | jq '.peers | length')"

# --- the end: nobody says it again
check "a peer of a second" says '.in_force == "registry"' a fleet_peer \
  "{\"key\":\"${LAB_KEY[b]}\",\"name\":\"c\",\"node\":true,\"endpoints\":[\"10.9.1.2:51820\"],\"lifetime\":1}"
check "and a claim of one" says '.prefix == "fd10:1:1::/64"' a fleet_claim '{"prefix":"fd10:1:1::/64","address":"fd10:1:1::1","lifetime":1}'
registry_is_empty() { says '.peers == 1' a fleet_hello && ! show a peers | jq -e --arg key "${LAB_KEY[b]}" '.peers[] | select(.key == $key)'; }
check_within 10 "the peer ends by itself" registry_is_empty
check_within 10 "so does the claim" sh -c "! ip -n ${LAB_PREFIX}a addr show dev xylem0 | grep -q fd10:1:"
check "both are said" sh -c "grep -q 'peers of the registry ended' $LAB/a.log && grep -q 'is not announced any more: nobody said it again' $LAB/a.log"
check "forgotten" says '.was == true' a fleet_forget "{\"key\":\"${LAB_KEY[c]}\"}"
check "once" says '.was == false' a fleet_forget "{\"key\":\"${LAB_KEY[c]}\"}"
check "and the accounts of both are right" balanced a
check "of both" balanced b
