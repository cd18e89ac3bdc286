#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# xylem-web without a config: whoever is on this host reads by HTTP what the daemon tells; it survives the daemon's
# end, and the daemon its own.
. "$(dirname "$0")/_init.sh"
. "$(dirname "$0")/_mesh.sh"
. "$(dirname "$0")/_web.sh"
need curl jq

mesh_link a b
mesh_start
start_web a
check_within 30 "a reaches b" pings a "${LAB_ADDR[b]}"

# --- what is told is what the daemon tells
told() { # NAME FILTER: the same of both
  diff <(api a "$1" | jq -S "$2") <(show a "$1" | jq -S "$2")
}
check "the node" told node '{name, address, public_key, peers}'
check "peers" told peers '[.peers[] | {name, key, kind, endpoints}]'
check "routes" told routes '[.routes[] | {prefix, kind, peer}] | sort'
for name in config workers graph drops ports policy sessions neighbours routing gateways tree; do
  check "$name" answers 200 '{' a "/api/v1/$name"
done
check "one peer" same b "$(api a peers/b | jq -r .name)"
check "by its key" same b "$(api a "peers/$(jq -rn --arg k "${LAB_KEY[b]}" '$k|@uri')" | jq -r .name)"
check "none of that name" answers 404 'there is no peer \"nobody\""' a /api/v1/peers/nobody
for of in peers routes sessions neighbours; do
  check "wherever it is asked for: $of" answers 404 'there is no peer' a "/api/v1/$of?peer=nobody"
done
check "of a way there" answers 404 'nobody' a '/api/v1/path?address=nobody'
check "or a route" answers 404 'nobody' a '/api/v1/route?prefix=nobody'
check "a cursor and another question" answers 400 'another question' a '/api/v1/peers?cursor=%7B%22peer%22%3A%22b%22%7D&peer=a'
check "the same one" answers 200 '"peers"' a '/api/v1/peers?cursor=%7B%22peer%22%3A%22b%22%7D&peer=b'
check "filtered" same 0 "$(api a 'sessions?peer=b&within=10.0.0.0/8' | jq '.sessions | length')"
check "counted" same true "$(api a 'routes?count=true' | jq '.count > 0')"
check "what is asked about" same "${LAB_NET[b]}::/64" "$(api a "route?prefix=${LAB_NET[b]}::/64" | jq -r .prefix)"
check "what is not asked for right" answers 400 'prefix is missing' a /api/v1/route
check "what the daemon does not take" answers 422 'neither a prefix' a '/api/v1/routes?within=x'
check "a parameter that is none" answers 400 'no parameter' a '/api/v1/peers?name=x'
check "one that stands twice" answers 400 'twice' a '/api/v1/peers?peer=b&peer=b'
check "nothing there" answers 404 about:blank a /api/v1/nothing
check "a method that is none" answers 405 'GET' a /api/v1/node -X PUT
check "who asks" same read "$(api a access | jq -r .scope)"

# --- the same again is told in few bytes
tag=$(api a config -D - -o "$LAB/web.out" | sed -n 's/^ETag: //p' | tr -d '\r')
check "a tag" test -n "$tag"
check "that still holds" same 304 "$(status a /api/v1/config -H "If-None-Match: $tag")"
check "headers of all answers" grep -q "^Content-Security-Policy: default-src 'none'" <(web a /nothing -D - -o "$LAB/web.out")

# --- names by which a page elsewhere could lead here
check "our address" same 200 "$(status a /api/v1/node -H 'Host: 192.0.2.1:8989')"
check "localhost" same 200 "$(status a /api/v1/node -H 'Host: LOCALHOST')"
check "another's name" answers 421 'names' a /api/v1/node -H 'Host: evil.example'

# --- the daemon's end, and its return
stop_node a KILL
check_within 10 "that it is away is said" answers 503 'no daemon answers' a /api/v1/node
check "in the log, too" grep -q 'warn.*daemon' "$LAB/a.web.log"
check "it is back" start_node a
check_within 10 "and told of" answers 200 '"name"' a /api/v1/node

# --- its own end
end_process "${WEB_PID[a]}" KILL || true
check_within 20 "packets go as before" pings a "${LAB_ADDR[b]}"
check "the daemon has nobody left" same 1 "$(show a node | jq .telemetry_clients)"
start_web a
check "and serves the next one" answers 200 '"name"' a /api/v1/node
code=0
end_process "${WEB_PID[a]}" || code=$?
check "an end by a signal is a good one" same 0 $code

# --- sockets that a service manager made
given() { # ADDRESS PORT: LISTEN_FDS
  spawn a "$LAB/given.log" /usr/bin/python3 -c 'if True:
    import os, socket, sys
    s = socket.create_server((sys.argv[1], int(sys.argv[2])))
    s.fileno() == 3 or os.dup2(s.fileno(), 3)
    os.set_inheritable(3, True)
    os.environ.update(LISTEN_FDS="1", LISTEN_PID=str(os.getpid()))
    os.execv(sys.argv[3], [sys.argv[3], "-n", sys.argv[4], "--user", "root"])
    ' "$1" "$2" "$WEB" "${LAB_PREFIX}a"
}
given 127.0.0.1 8988
check_within 10 "a socket that was given is listened on" in_node a curl -fsS -o /dev/null http://127.0.0.1:8988/api/v1/node
given 10.9.1.1 8988
check_within 10 "but not one that others reach, without a login" grep -q 'wants a password' "$LAB/given.log"
