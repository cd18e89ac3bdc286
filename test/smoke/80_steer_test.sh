#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# A running node is changed by its control socket: a link is left by a flow and taken again, or costs more; bad
# input changes nothing, and is answered in words.
#
#       r1
#      /  \
#     a    b
#      \  /
#       r2 (dearer)
. "$(dirname "$0")/_init.sh"
. "$(dirname "$0")/_mesh.sh"
. "$(dirname "$0")/_steer.sh"
need "$XYLEMD" "$XYLEM" jq

mesh_link a r1
mesh_link a r2 "cost = 200;" "cost = 200;"
mesh_link r1 b
mesh_link r2 b
EXTRA_r1='log = { level = "debug"; };'
mesh_start

check_within 60 "all reach each other" all_reach a b r1
check_within 20 "a goes by r1" goes_by a b r1
check_within 20 "b goes by r1" goes_by b a r1

# --- traffic off and on
check "off" told 'r1: traffic off, cost 96' 0 a set peer r1 traffic off
check_within 10 "a's flow goes the other way" goes_by a b r2
check_within 10 "and b's, since r1 may not bring it any more" goes_by b a r2
check "it arrives" pings a "${LAB_ADDR[b]}"
check "and named" same "traffic off" "$(peer a r1 state)"
check_within 10 "a itself reaches r1 by the other way" pings a "${LAB_ADDR[r1]}"
check "the session is there" test "$(peer a r1 sessions)" -gt 0
check "who did it is logged" grep -qE "control: .*\(uid $(id -u), pid [0-9]+\): peer r1: traffic off" "$LAB/a.log"
check "by key, on" told 'r1: traffic on' 0 a set peer "${LAB_KEY[r1]}" traffic on
check_within 10 "it is back" goes_by a b r1
check_within 10 "so is b's" goes_by b a r1
check "by address, a cost" told 'r1: traffic on, cost 900' 0 a set peer "${LAB_ADDR[r1]}" cost 900
check_within 10 "the dear way is left" goes_by a b r2
check "and the config's again" told 'cost 96' 0 a set peer r1 cost default
check_within 10 "it is back again" goes_by a b r1

# --- bad input
lines=$(show a peers | jq -c '[.peers[] | {name, key}]')
check "no such peer" told 'no peer "r11"; did you mean r1?' 1 a set peer r11 traffic off
check "traffic is on or off" told 'write on or off' 2 a set peer r1 traffic false
check "a cost is a number" told 'write a number' 2 a set peer r1 cost cheap
check "in a range" told 'write 1 to 65534' 1 a set peer r1 cost 0
check "no such setting" told 'there is traffic and cost' 2 a set peer r1 colour red
check "a key that is none" told 'key: ' 1 a peer add c --key notakey
check "no key" told 'needs --key' 2 a peer add c
check "an endpoint without a port" told 'endpoints' 1 a peer add c --key "$(wg genkey | wg pubkey)" --endpoint 10.0.0.1
check "a name that is none" told 'name: ' 1 a peer add 'c;d' --key "$(wg genkey | wg pubkey)"
check "a name that is there" told 'there is a peer r1 already, in the config' 1 a peer add r1 --key "$(wg genkey | wg pubkey)"
check "a key that is there" told "is r1's already" 1 a peer add c --key "${LAB_KEY[r1]}"
check "our own key" told 'this is our own key' 1 a peer add c --key "${LAB_KEY[a]}"
check "who stands in the config stays" told 'it stands in the config' 1 a peer remove r1
check "a level that is none" told 'write error, warn, info or debug' 1 a log level loud
check "drain what" told 'write: xylem drain' 2 a drain on
check "reload what" told 'takes no argument' 2 a reload now
check "the telemetry socket changes nothing" sh -c "! printf '' | $XYLEM show set -n ${LAB_PREFIX}a"
check "nothing has changed" same "$lines" "$(show a peers | jq -c '[.peers[] | {name, key}]')"
check "what was refused is logged" logged a '/xylem/peer_remove refused: peer r1: it stands in the config'

# --- log
check "level" told 'log level error' 0 a log level error
check "of the config" told 'log level info' 0 a log level default

# --- who may
check "the socket is root's alone" same 600 "$(stat -c %a "$(dirname "$(find /run "${XDG_RUNTIME_DIR:-/run}" /tmp -path "*${LAB_PREFIX}a/control" 2>/dev/null | head -1)")/control")"
