#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# ping, netcheck and capture by HTTP: what they give, who may, how much at most, and that they end when who asked goes, or
# xylem-web does.
. "$(dirname "$0")/_init.sh"
. "$(dirname "$0")/_mesh.sh"
. "$(dirname "$0")/_web.sh"
need curl jq tshark iperf3

unset XYLEM_TEST_NO_RTT
mesh_link a b
mesh_start
token() { # NAME SCOPE
  "$WEB" --token "$@" >"$LAB/$1.token" 2>/dev/null
  printf '%s' "$(tail -n 1 "$LAB/$1.token")"
}
{
  echo "tokens = ( $(token actor act), $(token reader read) );"
  echo 'public = "127.0.0.1:8990";'
} >"$LAB/a.web.conf"
chmod 640 "$LAB/a.web.conf"
start_web a
check_within 30 "a reaches b" pings a "${LAB_ADDR[b]}"
as() { printf 'Authorization: Bearer %s' "$(head -n 1 "$LAB/$1.token")"; }
json=(-X POST -H 'Content-Type: application/json' -H "$(as actor)")
tool() { # STATUS TEXT NAME BODY
  answers "$1" "$2" a "/api/v1/$3" "${json[@]}" -d "$4"
}
begin() { # NAME BODY [OPTION...]: in the background; $begun
  spawn a "$LAB/$1.out" curl -sSN "${json[@]}" -d "$2" "${@:3}" "http://127.0.0.1:8989/api/v1/$1"
  begun=$LAB_SPAWNED
}
ended() { wait "$1" 2>/dev/null || true; }

# --- ping
check "a ping" tool 200 '"answer":true' ping '{"to":"b","count":3,"interval_ms":200}'
check "says the way first" same 'by b' "$(head -n 1 "$LAB/web.out" | jq -r .way)"
check "then what came" same '1 2 3' "$(jq -r 'select(.answer) | .seq' "$LAB/web.out" | tr '\n' ' ' | sed 's/ $//')"
check "and the sum" same '3 3' "$(tail -n 1 "$LAB/web.out" | jq -r '.sum | "\(.sent) \(.received)"')"
check "nobody of that name" tool 404 'nobody' ping '{"to":"nobody"}'
check "no more than so many" tool 400 'count: write a whole number, 1 to 100' ping '{"to":"b","count":101}'
check "no faster" tool 400 'interval_ms' ping '{"to":"b","interval_ms":10}'
check "no larger" tool 400 'size' ping '{"to":"b","size":65000}'
check "nor for longer" tool 422 'two minutes' ping '{"to":"b","count":100,"interval_ms":10000}'
check "not for who may only read" answers 403 scopes a /api/v1/ping -X POST -H 'Content-Type: application/json' -H "$(as reader)" -d '{"to":"b"}'
for name in ping netcheck capture; do
  check "no $name for everybody" same 404 "$(public a "$name" -X POST -H "$(as actor)" -H 'Content-Type: application/json' -d '{}' -o /dev/null -w '%{http_code}')"
done

# --- of an address that nobody has, so that they last: few at a time, and who goes has them end
long='{"to":"200::1","count":100,"interval_ms":1000}'
pids=()
for i in 1 2 3 4; do
  begin ping "$long" -o "$LAB/ping$i"
  pids+=("$begun")
done
all_begun() { [ "$(cat "$LAB"/ping[1-4] 2>/dev/null | grep -c '"way"')" = 4 ]; }
check_within 10 "four at a time" all_begun
check "and no fifth" tool 429 'under way' ping "$long"
kill "${pids[@]}"
check_within 10 "who goes makes room" tool 200 '"sum"' ping '{"to":"b","count":1}'

# --- netcheck
check "netcheck" tool 200 '"reached":true' netcheck '{}'
check "of the peer" same 'b true' "$(jq -r '.peers[0] | "\(.peer) \(.mtu > 1000)"' "$LAB/web.out")"
check "not again at once" tool 429 'just now' netcheck '{}'

# --- capture
start_flow a b "${LAB_ADDR[b]}" 60 -b 2M
check "so many packets" tool 200 '' capture '{"peer":"b","places":["opened"],"packets":20,"seconds":20}'
check "as a file that others read" same 20 "$(tshark -n -r "$LAB/web.out" 2>/dev/null | wc -l)"
check "or so many seconds" tool 200 '' capture '{"places":["sealed"],"seconds":1,"packets":100000,"snap":64}'
check "with some" test "$(tshark -n -r "$LAB/web.out" 2>/dev/null | wc -l)" -gt 10
check "a reason that is none" tool 422 'no packet is dropped as' capture '{"drop":"nothing"}'
check "a place that is none" tool 400 'none of what can be written' capture '{"places":["here"]}'
check "a peer that is none" tool 404 'nobody' capture '{"peer":"nobody"}'
begin capture '{"seconds":300,"packets":100000}' -o "$LAB/first"
check_within 10 "a long one" test -s "$LAB/first"
check "one at a time" tool 429 'one at a time' capture '{"seconds":1}'
taken() { # by the command line: the daemon has one at a time
  grep -q 'captures already' <<<"$(xylem capture -c 1 -n "${LAB_PREFIX}a" 2>&1 || true)"
}
check "for the daemon, too" taken
kill "$begun"
check_within 10 "who goes has it end" tool 200 '' capture '{"seconds":1}'
check "it is logged, who and how many" grep -qE 'token actor: POST /capture: begins' "$LAB/a.web.log"
check "and how many were lost" grep -qE 'a capture ends: [0-9]+ packets, [0-9]+ lost' "$LAB/a.web.log"

# --- who may no more hears no more
config() { # PASSWORD TOKEN...: others than these are none any more
  local password=$1
  shift
  echo "tokens = ( $(for name in "$@"; do tail -n 1 "$LAB/$name.token"; done | paste -sd,) );"
  echo "$password" | "$WEB" --password
}
both_begin() { # OPTION OF curl...
  rm -f "$LAB/capture" "$LAB/ping"
  json=(-X POST -H 'Content-Type: application/json' "$@")
  begin capture '{"seconds":300,"packets":100000}' -o "$LAB/capture"
  capturing=$begun
  begin ping "$long" -o "$LAB/ping"
  pinging=$begun
  wait_for 10 test -s "$LAB/capture" -a -s "$LAB/ping"
}
is_there() { kill -0 "$1" 2>/dev/null; }
both_run() { is_there "$capturing" && is_there "$pinging"; }
both_ended() { ! is_there "$capturing" && ! is_there "$pinging"; }
has_password() { grep -q 'the config was read again; sessions' "$LAB/a.web.log"; }
log_in() {
  csrf=$(api a login -c "$LAB/jar" -H 'Content-Type: application/json' -d "{\"password\":\"$1\"}" | jq -r .csrf)
  both_begin -b "$LAB/jar" -H "X-CSRF-Token: $csrf"
}
token other act >/dev/null
both_begin -H "$(as actor)"
config first-one actor other >"$LAB/a.web.conf"
kill -HUP "${WEB_PID[a]}"
check_within 10 "the config has another token, and a password" has_password
sleep 0.7
check "who has his yet goes on" both_run
config first-one other >"$LAB/a.web.conf"
kill -HUP "${WEB_PID[a]}"
check_within 5 "without it both end" both_ended
log_in first-one
check "both run for a session" both_run
config second-one actor other >"$LAB/a.web.conf"
kill -HUP "${WEB_PID[a]}"
check_within 5 "with another password both end" both_ended
log_in second-one
check "both run again" both_run
check "by a logout" same 200 "$(status a /api/v1/logout "${json[@]}" -d '{}')"
check_within 3 "both end" both_ended
json=(-X POST -H 'Content-Type: application/json' -H "$(as actor)")

# --- the end of xylem-web while they run
begin ping "$long"
begin capture '{"seconds":300,"packets":100000}' -o "$LAB/cut"
has_packets() { [ "$(stat -c %s "$LAB/cut" 2>/dev/null || echo 0)" -gt 4000 ]; }
check_within 10 "both run" has_packets
code=0
end_process "${WEB_PID[a]}" || code=$?
check "it ends well" same 0 $code
ended "$begun"
check "and the file is one as far as it goes" test "$(tshark -n -r "$LAB/cut" 2>/dev/null | wc -l)" -gt 0
free_again() { timeout 5 "$XYLEM" capture -c 1 -n "${LAB_PREFIX}a" >/dev/null 2>&1; }
check_within 15 "the daemon has no capture any more" free_again
