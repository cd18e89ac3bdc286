#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# A fleet with a CA: who is no member, or another CA's, is not let in, and both sides are told why; who was revoked goes,
# and stays out over a restart without the file that says so.
. "$(dirname "$0")/_init.sh"
. "$(dirname "$0")/_fleet.sh"
need jq

star a b
make_key a b
for node in a b; do
  echo "node_info = { name = \"$node\"; };" | configure $node
  start_node $node
done
mkdir "$LAB/fleet.d"
ca_new() { xylem fleet ca new "$1" | sed -n 's/.*ca = "\(.*\)".*/\1/p'; }
ca=$(ca_new "$LAB/ca.key")
ca_new "$LAB/other.key" >/dev/null
check "a CA's key is its owner's alone" same 600 "$(stat -c %a "$LAB/ca.key")"
key_of() { xylem show node -n "$1" --json | jq -r .ed25519_key; }
sign() { # NODE CA
  rm -f "$LAB/$1.member"
  xylem fleet ca sign "$(key_of "$1")" --ca "$LAB/$2.key" --until 30 --write "$LAB/$1.member"
}
for node in a b; do
  echo "fleet = { folder = \"$LAB/fleet.d\"; trust = { ca = \"$ca\"; }; membership = \"$LAB/$node.member\"; };" >"$LAB/$node.fleet.conf"
done
check "a is signed" sign a ca
check_not "not over what is there" xylem fleet ca sign "$(key_of a)" --ca "$LAB/ca.key" --write "$LAB/a.member"
check_not "nor a key that is none" xylem fleet ca sign AAAA --ca "$LAB/ca.key"
check_not "nor until yesterday" xylem fleet ca sign "$(key_of a)" --ca "$LAB/ca.key" --until 2020-01-01
start_fleet a
start_fleet b
reason() { fleet_is "$1" "[.refusals[].reason] == [\"$2\"] and .records == 0"; }
check_within 20 "a does not let b in, who has no membership" reason a no_membership
check_within 10 "and b says what it lacks" fleet_is b '.trouble | contains("No such file")'
check "another CA signs b" sign b other
check_within 20 "which b sees" fleet_is b '.trouble | contains("not signed by the CA")'
check_within 20 "and a" reason a wrong_ca
check "the CA signs b" sign b ca
up() { peer_up a b && peer_up b a; }
check_within 30 "they are linked" up
check "b has no trouble" fleet_is b '.trouble == null'

check "b is revoked" xylem fleet ca revoke "$(key_of b)" --ca "$LAB/ca.key" --write "$LAB/fleet.d/revoked.json"
none() { [ "$(show a peers | jq '.peers | length')" = 0 ] && fleet_is a '.records == 0'; }
check_within 20 "a has no peers" none
check_within 20 "b knows why" fleet_is b '.trouble | contains("revoked this node")'
end_fleet a
rm "$LAB/fleet.d/revoked.json"
start_fleet a
check_within 20 "a still knows, without the file" reason a revoked
check "another's revocation is none" xylem fleet ca revoke "$(key_of a)" --ca "$LAB/other.key" --write "$LAB/fleet.d/other.json"
forged() { fleet_is a '[.refusals[].reason] | index("forged")'; }
check_within 20 "it is refused" forged
for node in a b; do end_fleet $node; done
