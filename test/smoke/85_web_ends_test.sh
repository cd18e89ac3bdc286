#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# xylem-web ends well and takes a new config, whatever is under way, and everybody keeps from nobody what is his.
. "$(dirname "$0")/_init.sh"
. "$(dirname "$0")/_mesh.sh"
. "$(dirname "$0")/_web.sh"
need curl jq python3 openssl

mesh_link a b
mesh_start
echo 'public = "0.0.0.0:8990"; metrics = { public = true; };' >"$LAB/a.web.conf"
start_web a
clients() { in_node a /usr/bin/python3 "$TOP/test/smoke/_web_clients.py" "$1" 127.0.0.1 8989 "${@:2}"; }
everybody() { in_node "$1" /usr/bin/python3 "$TOP/test/smoke/_web_clients.py" "$2" "$3" 8990 "${@:4}"; } # NODE WHAT HOST ...

# --- everybody takes all that he can get: a node's own answers, metrics, and streams come as before
everybody a flood 127.0.0.1 350 4 /api/v1/routes >"$LAB/flood" &
flood=$!
wait_for 10 grep -q asked "$LAB/flood"
sleep 0.5
check "an answer, beside 350 who ask all the time" answers 200 '"name"' a /api/v1/node
check "a scrape" answers 200 'xylem_daemon_up 1' a /metrics
check "another answer" answers 200 '"name"' a /api/v1/peers
wait "$flood"
check "what all of them ask is asked once ($(tail -n 1 "$LAB/flood"))" same 350 "$(awk '/^served/ { print $2 }' "$LAB/flood")"
everybody b streams 10.9.1.1 20 0 >"$LAB/one" # before there is none left
everybody a streams 127.0.0.1 400 2 >"$LAB/streams" &
streams=$!
wait_for 10 test -s "$LAB/streams"
heard() { (api a events -N --max-time 2 || true) 2>/dev/null | grep -m1 '^event: state'; }
check "who listens on ours is let in" heard
check "of those who listen on the other, so many are ($(cat "$LAB/streams"), $(cat "$LAB/one") of one)" \
  test "$(cat "$LAB/streams")" -le 256 -a "$(cat "$LAB/one")" = 16
wait "$streams"

# --- its end is a good one, whatever is under way: a diagnosis and a scrape of a daemon that hangs, or one that rests, and a
# hundred requests that come in the same moment
ends_well() {
  local code=0
  end_process "${WEB_PID[a]}" || code=$?
  check "it ends well $1" same 0 $code
}
ask_meanwhile() { # NAME PATH
  web a "$2" -o /dev/null -w '%{http_code}' >"$LAB/$1.status" &
  meanwhile+=($!)
}
meanwhile=()
kill -STOP "${LAB_PID[a]}"
ask_meanwhile diagnosis /api/v1/diagnosis
ask_meanwhile metrics /metrics
sleep 0.7
ends_well "while it asks"
kill -CONT "${LAB_PID[a]}"
wait "${meanwhile[@]}"
check "who waits is told" same "503 503" "$(cat "$LAB/diagnosis.status") $(cat "$LAB/metrics.status")"
start_web a
ask_meanwhile rests /api/v1/diagnosis
sleep 0.5
kill -STOP "${WEB_PID[a]}"
clients burst 100 >"$LAB/burst" &
burst=$!
wait_for 10 grep -q sent "$LAB/burst"
kill -TERM "${WEB_PID[a]}"
kill -CONT "${WEB_PID[a]}"
ends_well "with a hundred who ask"
wait "$burst" "${meanwhile[-1]}"
check "who was heard yet is told ($(tail -n 1 "$LAB/burst"))" grep -q '503:' "$LAB/burst"

# --- a certificate, a password and tokens are others while it runs
WEB_SCHEME=https
certificate() { openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout "$LAB/$1.key" -out "$LAB/$1.crt" -days 2 -subj "/CN=$1" 2>/dev/null; }
config() { # CERTIFICATE KEY PASSWORD TOKEN'S NAME
  [ -e "$LAB/$4.token" ] || "$WEB" --token "$4" read >"$LAB/$4.token" 2>/dev/null
  [ -e "$LAB/$3.password" ] || echo "$3" | "$WEB" --password >"$LAB/$3.password"
  echo "tls = { certificate = \"$LAB/$1.crt\"; key = \"$LAB/$2.key\"; }; tokens = ( $(tail -n 1 "$LAB/$4.token") );"
  cat "$LAB/$3.password"
}
refused() { ! "$WEB" --check -c "$LAB/a.web.conf" >"$LAB/check" 2>&1 && grep -q "$1" "$LAB/check"; }
config one one first-password early >"$LAB/a.web.conf"
chmod 640 "$LAB/a.web.conf"
check "a certificate that is not there is no config that is right" refused 'one.crt: No such file'
certificate one
certificate two
start_web a
reads() { # STATUS OPTION...
  same "$1" "$(status a /api/v1/node "${@:2}")"
}
by() { printf 'Authorization: Bearer %s' "$(head -n 1 "$LAB/$1.token")"; }
served() { in_node a openssl s_client -connect 127.0.0.1:8989 </dev/null 2>/dev/null | openssl x509 -noout -subject; }
said() { grep -q "$1" "$LAB/a.web.log"; }
check "who has the password logs in" same 200 \
  "$(status a /api/v1/login -c "$LAB/jar" -H 'Content-Type: application/json' -d '{"password":"first-password"}')"
check "the certificate is served" same "subject=CN = one" "$(served)"
config two one second-password late >"$LAB/a.web.conf"
check "a key of another is no config that is right" refused 'one.key is not the key of .*two.crt'
kill -HUP "${WEB_PID[a]}"
check_within 10 "nor taken by who runs, which is said" said 'reload: all stays as it was'
check "it serves what it did" same "subject=CN = one" "$(served)"
check "for who had a token" reads 200 -H "$(by early)"
config two two first-password late >"$LAB/a.web.conf"
kill -HUP "${WEB_PID[a]}"
check_within 10 "one that is right is" said 'the config was read again$'
check "with its certificate" same "subject=CN = two" "$(served)"
check "and token" reads 200 -H "$(by late)"
check "the one before is none" reads 401 -H "$(by early)"
check "who logged in stays so" reads 200 -b "$LAB/jar"
config two two second-password late >"$LAB/a.web.conf"
kill -HUP "${WEB_PID[a]}"
check_within 10 "with another password" said 'sessions have ended'
check "he does not" reads 401 -b "$LAB/jar"
ends_well "with a certificate"

# --- started as root, it gives the socket's file to who it becomes
echo "listen = \"$LAB/web.sock\";" >"$LAB/a.web.conf"
spawn a "$LAB/a.web.log" "$WEB" -n "${LAB_PREFIX}a" --user nobody -c "$LAB/a.web.conf"
WEB_PID[a]=$LAB_SPAWNED
wait_for 10 curl -sS --unix-socket "$LAB/web.sock" http://localhost/ -o "$LAB/web.out"
check "a socket's file is its user's" same nobody "$(stat -c %U "$LAB/web.sock")"
ends_well "with a socket's file"
