#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# xylem-web and those who mean it no good: requests that two programs could read in two ways, that never end, that are
# too many; and three hundred who listen, over a restart of the daemon.
. "$(dirname "$0")/_init.sh"
. "$(dirname "$0")/_mesh.sh"
. "$(dirname "$0")/_web.sh"
need curl jq openssl python3

mesh_link a b
mesh_start
echo 'public = "10.9.1.1:8990";' >"$LAB/a.web.conf"
start_web a
clients() { in_node a /usr/bin/python3 "$TOP/test/smoke/_web_clients.py" "$1" 127.0.0.1 8989 "${@:2}"; }
rss() { awk '/^VmRSS/ { print $2 }' "/proc/${WEB_PID[a]}/status"; }

# --- what TLS is spoken, on the other node
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout "$LAB/key" -out "$LAB/cert" -days 2 -subj /CN=b 2>"$LAB/openssl"
echo "tls = { certificate = \"$LAB/cert\"; key = \"$LAB/key\"; };" >"$LAB/b.web.conf"
spawn b "$LAB/b.web.log" "$WEB" -n "${LAB_PREFIX}b" --user root -c "$LAB/b.web.conf"
tls() { in_node b curl -sSk --max-time 10 -o "$LAB/web.out" -w '%{http_code}' "https://127.0.0.1:8989/api/v1/$1" "${@:2}"; }
served() { same 200 "$(tls access)" >"$LAB/web.out"; }
check_within 10 "HTTPS is served" served
spoken() {
  local v
  for v in tls1 tls1_1 tls1_2 tls1_3; do
    ! in_node b openssl s_client -connect 127.0.0.1:8989 "-$v" -cipher 'ALL:@SECLEVEL=0' </dev/null >"$LAB/openssl" 2>&1 || echo "$v"
  done
}
check "as it is today, not as it was" same "tls1_2 tls1_3" "$(spoken | tr '\n' ' ' | sed 's/ $//')"
json=(-X POST -H 'Content-Type: application/json' -d '{}')
check "a page by HTTPS" same 200 "$(tls logout "${json[@]}" -H 'Origin: https://127.0.0.1:8989')"
check "is not one by HTTP" same 403 "$(tls logout "${json[@]}" -H 'Origin: http://127.0.0.1:8989')"
check "nor on another port" same 403 "$(tls logout "${json[@]}" -H 'Origin: https://127.0.0.1')"

odd_encoding() { # METHOD
  printf '%s /api/v1/access HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: xchunked\r\n\r\n' "$1" |
    in_node b timeout 10 openssl s_client -quiet -connect 127.0.0.1:8989 2>/dev/null | head -n 1 | tr -d '\r'
}
for method in GET PATCH DELETE PUT POST; do
  check "$method with an encoding that is none is told so" same "HTTP/1.1 501 Not Implemented" "$(odd_encoding $method)"
done

before=$(rss)

# --- three hundred, those who are slow, and odd requests, at the same time
clients odd >"$LAB/odd" &
odd=$!
clients events 300 17 >"$LAB/events" &
listen=$!
clients slow 40 >"$LAB/slow" &
slow=$!
check_within 10 "who listens is told that the daemon is there" grep -q '^states up$' "$LAB/events"
sleep 2
stop_node a KILL
check_within 10 "that it is not" grep -q '^states up down$' "$LAB/events"
check "and is again" start_node a
check_within 10 "all in one stream" grep -q '^states up down up$' "$LAB/events"
after=$(rss)
check "that takes few bytes each ($before to $after KB)" test $((after - before)) -lt $((300 * 40))
check "files, too" test "$(find "/proc/${WEB_PID[a]}/fd" | wc -l)" -lt 500
wait "$slow" "$listen" "$odd"
check "odd requests are refused ($(cat "$LAB/odd"))" same "tried: 50" "$(cat "$LAB/odd")"
check "who never ends a request is cut" same 0 "$(awk '{ print $1 }' "$LAB/slow")"
check "and nobody waits for them" test "$(awk '{ print $2 }' "$LAB/slow")" -lt 3000
check "three hundred heard of it" grep -q '^heard 300$' "$LAB/events"

# --- too many of one
in_node b /usr/bin/python3 "$TOP/test/smoke/_web_clients.py" crowd 10.9.1.1 8990 100 >"$LAB/crowd"
check "of one elsewhere so many connections are taken ($(cat "$LAB/crowd"))" same 64 "$(cat "$LAB/crowd")"
check "that is logged" grep -q 'connections refused, the last from 10.9.1.2' "$LAB/a.web.log"
many=()
for i in 11 12 13 14 15 16 17 18 19 20; do
  ip -n "${LAB_PREFIX}b" addr add "10.9.1.$i/24" dev to-a
  many+=("10.9.1.$i")
done
in_node b /usr/bin/python3 "$TOP/test/smoke/_web_clients.py" crowd 10.9.1.1 8990 64 "${many[@]}" >"$LAB/crowd"
check "few do not take all ($(cat "$LAB/crowd"))" test "$(cat "$LAB/crowd")" -le $((8 * 64 + 2 * 8))
check_within 10 "others are served" answers 200 '"scope"' a /api/v1/access
check "the daemon has three at most of it" test "$(show a node | jq .telemetry_clients)" -le 3
