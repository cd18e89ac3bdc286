#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Who may what by HTTP: sessions, tokens and their scopes, what a page elsewhere cannot do, guessing; each action;
# and what everybody sees on the public address.
. "$(dirname "$0")/_init.sh"
. "$(dirname "$0")/_mesh.sh"
. "$(dirname "$0")/_steer.sh"
. "$(dirname "$0")/_web.sh"
need curl jq

mesh_link a b
mesh_start
says() { # TEXT COMMAND...
  local out
  out=$("${@:2}" 2>&1) || true
  grep -qF -- "$1" <<<"$out" || { echo "$out" && return 1; }
}
counts() { grep -c "$@" || true; }
check "others than this host want a login" says 'wants a password' "$WEB" --check -c <(echo 'listen = "0.0.0.0:1";')
token() { # NAME SCOPE...
  "$WEB" --token "$@" >"$LAB/$1.token" 2>/dev/null
  printf '%s' "$(tail -n 1 "$LAB/$1.token")"
}
{
  echo "right password" | "$WEB" --password
  echo "tokens = ( $(token actor act), $(token reader read), $(token scraper metrics) );"
  echo 'public = "127.0.0.1:8990"; names = [ "node.example" ];'
} >"$LAB/a.web.conf"
check "no secret is in it" same 0 "$(counts -e xyw_ -e right "$LAB/a.web.conf")"
chmod 644 "$LAB/a.web.conf"
check "it is for few to read" says 'chmod 640' "$WEB" --check -c "$LAB/a.web.conf"
chmod 640 "$LAB/a.web.conf"
check "then it is right" "$WEB" --check -c "$LAB/a.web.conf"
start_web a
check_within 30 "a reaches b" pings a "${LAB_ADDR[b]}"

# --- guessing, of a source of its own, while all else goes on
guess() {
  for _ in 1 2 3 4 5 6 7; do
    api a login --interface 127.0.0.2 -X POST -H 'Content-Type: application/json' -d '{"password":"wrong"}' -o /dev/null \
      -w '%{http_code} %{time_total}\n'
  done >"$LAB/guesses"
}
guess &
guesses=$!

# --- without a login
check "who asks is told" same none "$(api a access | jq -r .scope)"
check "nothing else is" answers 401 'log in' a /api/v1/node
check "and nothing done" answers 401 'log in' a /api/v1/peers/b -X PATCH -H 'Content-Type: application/json' -d '{"cost":200}'

# --- tokens
as() { # TOKEN'S NAME: curl's options
  printf 'Authorization: Bearer %s' "$(head -n 1 "$LAB/$1.token")"
}
check "a token reads" answers 200 '"name"' a /api/v1/node -H "$(as reader)"
check "and does not act" answers 403 scopes a /api/v1/reload -X POST -H "$(as reader)"
check "nor does one for metrics read" answers 403 scopes a /api/v1/node -H "$(as scraper)"
check "one that acts, reads" answers 200 '"name"' a /api/v1/node -H "$(as actor)"
check "one that is none" answers 401 'tokens' a /api/v1/node -H 'Authorization: Bearer xyw_old'
check "a scheme that is none" answers 401 'log in' a /api/v1/node -H 'Authorization: Basic YTpi'
old() { # forty at once, of a program that nobody told of a new token
  local i
  for i in $(seq 40); do printf 'url = http://127.0.0.1:8989/api/v1/node\noutput = /dev/null\n'; done |
    in_node a curl -s --max-time 20 -Z --parallel-max 40 --interface 127.0.0.3 -H 'Authorization: Bearer xyw_old' \
      -w '%{http_code}\n' -K - | sort | uniq -c | awk '{ print $1 "x" $2 }'
}
check "an old one is refused at once, whatever came before" same 40x401 "$(old)"

# --- a session
json=(-H 'Content-Type: application/json')
login() { api a login "${json[@]}" -X POST -d '{"password":"right password"}' -c "$LAB/jar" "$@"; }
check "a form is none" answers 415 'application/json' a /api/v1/login -X POST -d 'password=right+password'
check "nor a page elsewhere" answers 403 'Origin' a /api/v1/login "${json[@]}" -X POST -d '{"password":"right password"}' -H 'Origin: http://evil.example'
login -D "$LAB/head" >"$LAB/web.out"
check "the password" same act "$(jq -r .scope "$LAB/web.out")"
check "its cookie is for nobody else" grep -q '^Set-Cookie: xylem-a=.*HttpOnly; SameSite=Strict; Path=/' "$LAB/head"
session=(-b "$LAB/jar")
csrf=$(api a access "${session[@]}" | jq -r .csrf)
check "it reads" answers 200 '"name"' a /api/v1/node "${session[@]}"
check "whatever a proxy is told" answers 200 '"name"' a /api/v1/node "${session[@]}" -H 'Authorization: Basic YTpi'
check "an old token locks nobody out" same 200 "$(login --interface 127.0.0.3 -c "$LAB/other" -o /dev/null -w '%{http_code}')"
check "nobody keeps its secret" grep -qi '^Cache-Control: no-store' <(api a access "${session[@]}" -D - -o /dev/null)
check "what changes something wants more than the cookie" answers 403 X-CSRF-Token a /api/v1/reload -X POST "${session[@]}"
check "not another's" answers 403 X-CSRF-Token a /api/v1/reload -X POST "${session[@]}" -H "X-CSRF-Token: ${csrf}x"
check "and no page elsewhere" answers 403 Origin a /api/v1/reload -X POST "${session[@]}" -H "X-CSRF-Token: $csrf" -H 'Origin: null'
check "by what the browser says" answers 403 Origin a /api/v1/reload -X POST "${session[@]}" -H "X-CSRF-Token: $csrf" -H 'Sec-Fetch-Site: cross-site'

# --- each action
act() { # STATUS TEXT METHOD NAME [BODY]
  local wanted=$1 text=$2 method=$3 name=$4
  shift 4
  answers "$wanted" "$text" a "/api/v1/$name" -X "$method" "${session[@]}" -H "X-CSRF-Token: $csrf" \
    -H 'Origin: http://127.0.0.1:8989' "${json[@]}" ${1:+-d "$1"}
}
check "a cost" act 200 '"cost":200' PATCH peers/b '{"cost":200}'
check "the daemon has it" same 200 "$(api a config -H "$(as reader)" | jq -r '.changed[0].run_time')"
check "and the config's again" act 200 '"kept":true' PATCH peers/b '{"cost":"default","traffic":"off"}'
check "traffic is off" same "traffic off" "$(peer a b state)"
check "and on" act 200 '"traffic":"on"' PATCH peers/b '{"traffic":"on"}'
key=$(wg genkey | wg pubkey)
check "a peer" act 200 '"peer":"c"' POST peers "{\"name\":\"c\",\"key\":\"$key\",\"endpoints\":[\"192.0.2.9:1\"],\"preshared_key\":\"$(wg genpsk)\",\"keepalive\":5}"
check "is there" same "$key" "$(peer a c key)"
check "goes" act 200 '"peer":"c"' DELETE peers/c
check "once" act 404 'no peer' DELETE peers/c
check "the config's stays" act 422 'stands in the config' DELETE peers/b
check "a session begins anew" act 200 '"peer":"b"' POST peers/b/reset
check "a leaf" act 200 'PrivateKey' POST leaves '{"name":"phone","endpoint":"198.51.100.7:51820"}'
check "with its config as a QR code" test "$(jq '.qr | length == (.[0] | length) and length > 40' "$LAB/web.out")" = true
check "no networks are a device's" act 422 'addresses: ' POST leaves '{"name":"tablet","endpoint":"198.51.100.7:51820","addresses":["2001:db8::1","0.0.0.0/0"]}'
check "nor secrets what is none, by our names" act 422 'preshared_key: ' POST peers "{\"name\":\"c\",\"key\":\"$key\",\"preshared_key\":\"$(printf 'x%.0s' {1..44})\"}"
check "the leaf goes" act 200 '"peer":"phone"' DELETE leaves/phone
check "the config is read anew" act 200 '"config"' POST reload
check "the node leaves" act 200 '"drained":true' POST drain '{"drained":true}'
check "and comes back" act 200 '"drained":false' POST drain '{"drained":false}'
check "the log says more" act 200 '"level":"debug"' POST log-level '{"level":"debug","subsystem":"links"}'
check "what is nothing" act 400 'is nothing that this takes' PATCH peers/b '{"colour":"red"}'
check "what is no number" act 400 'whole number' PATCH peers/b '{"cost":"dear"}'
check "what is out of range" act 422 '65534' PATCH peers/b '{"cost":99999}'
check "what is no choice" act 400 'on|off' PATCH peers/b '{"traffic":"o"}'
check "what stands twice" act 400 'no JSON' PATCH peers/b '{"cost":1,"cost":2}'
check "what is no object" act 400 'no JSON object' PATCH peers/b '[1]'
check "what is missing" act 400 'key is missing' POST peers '{"name":"c"}'
check "who did it is logged" grep -q 'session: PATCH /peers/{name} b: done' "$LAB/a.web.log"
check "what is wrong is found" answers 200 '[' a /api/v1/diagnosis "${session[@]}"

# --- everybody
check "the public address reads" same read "$(public a access | jq -r .scope)"
check "not where nodes are" same 0 "$(public a peers | counts -e 51820 -e endpoint)"
check "nor how they get there" same '{}' "$(public a node | jq -c '{rss_bytes, memory, telemetry_clients, longest_work_cpu_us} | map_values(values)')$(public a peers/b | jq -c '{clock_apart, unfragmented, keepalive, path_limit} | map_values(values)' | sed 's/{}//')"
check "nor what is behind leaves" same 400 "$(public a 'peers?within=10.0.0.0/8' -o /dev/null -w '%{http_code}')"
check "by a cursor neither" same 400 "$(public a 'routes?cursor=%7B%22within%22%3A%2210.0.0.0/8%22%7D' -o /dev/null -w '%{http_code}')"
check "nor what operators are told" same null "$(public a node | jq .warnings)"
for name in log drop drops config ports policy name trace path tree route diagnosis; do
  check "no $name" same 404 "$(public a "$name" -o /dev/null -w '%{http_code}')"
done
check "no action" same 405 "$(public a peers/b -X PATCH "${json[@]}" -H "$(as actor)" -d '{"cost":5}' -o /dev/null -w '%{http_code}')"
(public a events -N --max-time 3 || true) >"$LAB/events" 2>&1
check "its events, too" grep -q '^event: tick' "$LAB/events"
check "have none of it" same 0 "$(counts -e '10\.9\.' -e '"trouble"' -e '"rss_bytes"' -e '"drops":\[' -e '^event: log' "$LAB/events")"

# --- its end
(api a events -N --max-time 20 "${session[@]}" || true) >"$LAB/events" 2>&1 &
stream=$!
check_within 10 "a stream of the session" grep -q '^event: tick' "$LAB/events"
check "logged out" act 200 '"scope":"none"' POST logout
wait_for 10 gone "$stream"
check "its stream ends with it" gone "$stream"
check "the session is over" answers 401 'log in' a /api/v1/node "${session[@]}"
wait "$guesses" || true
check "a wrong password" same 401 "$(head -n 1 "$LAB/guesses" | awk '{ print $1 }')"
check "each is answered twice as late, at least" same "" "$(awk 'NR < 6 && $2 < 0.9 * 0.25 * 2 ^ (NR - 1)' "$LAB/guesses")"
check "then none is looked at" same 429 "$(tail -n 1 "$LAB/guesses" | awk '{ print $1 }')"
check "that is logged" grep -q '127.0.0.2: 6 wrong in a row' "$LAB/a.web.log"
check "even the right one" same 429 "$(login --interface 127.0.0.2 -o /dev/null -w '%{http_code}')"
check "others are not kept out" same 200 "$(login -o /dev/null -w '%{http_code}')"
check "a token is none that was guessed" same 200 "$(api a node --interface 127.0.0.2 -H "$(as reader)" -o /dev/null -w '%{http_code}')"
