#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# A relay without privileges: no capability, --no-tun. With a TUN wanted it says what is missing.
#
#   a ---- r (no capabilities) ---- b
. "$(dirname "$0")/_init.sh"
need "$XYLEMD" "$XYLEM" setpriv

add_node a r b
join a r
join r b
make_key a r b
for node in a b; do
  wire=$([ $node = a ] && echo 10.9.1.2 || echo 10.9.2.1)
  configure $node <<END
peers = ( $(peer_text r "${LAB_KEY[r]}" "endpoint = \"$wire:51820\";") );
routes = ( { prefix = "200::/7"; peer = "r"; } );
END
done
# A group that it may not give its socket to ends no node.
configure r <<<"control = { group = \"adm\"; mode = \"0660\"; }; peers = ( $(peer_text a "${LAB_KEY[a]}"), $(peer_text b "${LAB_KEY[b]}") );"

# As root: user nobody. Inside a user namespace there is none but us: no capabilities.
drop=(setpriv --no-new-privs --bounding-set=-all --inh-caps=-all)
if [ "$XY_LAB_INSIDE" = 0 ]; then
  drop+=(--reuid=65534 --regid=65534 --clear-groups)
  chown 65534:65534 "$LAB/r.key" "$LAB/r.conf"
  chmod 755 "$LAB"
fi
mkdir -m 777 "$LAB/run"
drop+=(env XDG_RUNTIME_DIR="$LAB/run")
# Its telemetry is its user's: it is asked as that user.
xylem() {
  if [ "${!#}" = r ]; then "${drop[@]}" "$XYLEM" "$@"; else "$XYLEM" "$@"; fi
}
(in_node r timeout 20 "${drop[@]}" "$XYLEMD" -c "$LAB/r.conf" -n r >"$LAB/refused" 2>&1) && code=0 || code=$?
check "with a TUN wanted it ends" same 1 "$code"
check "and says what is missing" grep -qE 'CAP_NET_ADMIN|--no-tun' "$LAB/refused"

spawn r "$LAB/r.log" "${drop[@]}" "$XYLEMD" -c "$LAB/r.conf" -n r --no-tun
LAB_PID[r]=$LAB_SPAWNED LAB_DAEMONS+=(r)
check_within 30 "without one it runs" show r node
check "it says that it has no interface" same null "$(show r node | jq -r .interface)"
warned() { show r node | jq -r '.warnings[]' | grep "control: cannot be given to group adm (control.group): "; }
check "it runs with a socket that cannot be given to its group, and warns" warned
control=$(warned | cut -d: -f1)
check "which is then its user's alone" same 600 "$(stat -c %a "$control")"
in_node r "${drop[@]}" "$XYLEMD" -c "$LAB/r.conf" -n r --no-tun --check >"$LAB/checked" 2>&1
[ "$XY_LAB_INSIDE" != 0 ] || check "--check warns of it" grep "^warning: control.group: who is not root and no member of group adm" "$LAB/checked"
start_node a
start_node b
check_within 20 "a pings b through it" pings a "${LAB_ADDR[b]}"
check_within 20 "the log says it, too" grep -q "control: cannot be given to group adm" "$LAB/r.log"
check_within 20 "the log says what the node does" grep -q "until then the socket is its user's alone" "$LAB/r.log"
chgrp adm "$control" && given=660 || given=600 # no such group in a user namespace
mode_is() { [ "$(stat -c %a "$control")" = $given ]; }
check_within 20 "once it is given by hand the mode follows" mode_is
