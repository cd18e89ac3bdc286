#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# A table of a million routes is paged by several at once, of whom one is stuck, while it changes: neither the daemon nor
# the command line holds it whole, and the worker loses nothing.
#
#   a -- r -- b        f, a stock router (meshpeer), brings the routes to r
. "$(dirname "$0")/_init.sh"
meshpeer=$BUILD/test/tools/meshpeer
need "$XYLEMD" "$XYLEM" "$meshpeer" jq /usr/bin/python3
ROUTES=${ROUTES:-1000000}

add_node a r b f
join a r
join r b
join r f
make_key a r b f
configure a <<END
peers = ( $(peer_text r "${LAB_KEY[r]}" 'endpoint = "10.9.1.2:51820";') );
END
configure b <<END
peers = ( $(peer_text r "${LAB_KEY[r]}" 'endpoint = "10.9.2.1:51820";') );
END
conf_r() { # ROUTE...: static ones
  configure r <<END
max_routes = $((ROUTES + 10000));
peers = ( $(peer_text a "${LAB_KEY[a]}"), $(peer_text b "${LAB_KEY[b]}"),
  $(peer_text f "${LAB_KEY[f]}" 'leaf = true; allowed = [ "fdfe:ee00::5/128" ]; babel = "yes"; tag = 7; accept = [ "fdfe:ed00::/32" ];') );
routes = ( $* );
END
}
conf_r
start_node r --no-tun
start_node a
start_node b
check_within 30 "a reaches b" pings a "${LAB_ADDR[b]}"
table() { "$XYLEM" "$@" -n "${LAB_PREFIX}r"; }
rss() { show r node | jq .rss_bytes; }
routes() { show r node | jq .routes; }

spawn f "$LAB/feed.log" timeout 900 "$meshpeer" --key "$LAB/f.key" --peer "${LAB_KEY[r]}" \
  --endpoint 10.9.3.1:51820 --plain --unsigned "$ROUTES" --limit 800
fed() { [ "$(routes)" -ge $((ROUTES + 3)) ]; }
start=$SECONDS
check_within 800 "r has a million routes" fed
echo "fed in $((SECONDS - start)) s; r has $(($(rss) >> 20)) MiB"

# --- one reader alone: a table and JSON, with little memory
alone() { # COMMAND...: with at most 150 MB of address space
  (ulimit -v 150000 && exec "$XYLEM" "$@" -n "${LAB_PREFIX}r") >"$LAB/out"
}
before=$(rss)
at=$SECONDS
check "the command line prints a million rows in 150 MB" alone show routes
echo "a table of $(wc -l <"$LAB/out") lines in $((SECONDS - at)) s"
check "all of them" at_least $((ROUTES + 4)) "$(wc -l <"$LAB/out")"
check "in 80 columns" same 0 "$(awk 'length > 80 { n++ } END { print n + 0 }' "$LAB/out")"
at=$SECONDS
check "counted by the daemon" same "$ROUTES" "$(table show routes --within fdfe:ed00::/32 --count)"
echo "counted in $((SECONDS - at)) s"
check "some of them" same 65536 "$(table show routes --within fdfe:ed00::/48 --count)"
at=$SECONDS
check "who looks for few is not sent all" same 1 "$(table show routes --peer a --count)"
echo "looked through in $((SECONDS - at)) s"

# --- several at once, one of them stuck, while the table changes and packets pass
spawn a "$LAB/ping" ping -n -i 0.02 -W 20 "${LAB_ADDR[b]}"
pinger=$LAB_SPAWNED
(exec 3> >(sleep 1000) && "$XYLEM" show routes -n "${LAB_PREFIX}r" >&3) & # its reader reads nothing
LAB_PIDS+=("$!")
spawn r "$LAB/stuck.log" /usr/bin/python3 "$TOP/test/smoke/_attack.py" telemetry slow "/run/xylem/${LAB_PREFIX}r/telemetry"
for i in 1 2 3; do
  "$XYLEM" show routes --within fdfe:ed00::/46 --json -n "${LAB_PREFIX}r" >"$LAB/json.$i" 2>"$LAB/json.$i.err" &
  readers[i]=$!
done
reading() { kill -0 "${readers[1]}" 2>/dev/null || kill -0 "${readers[2]}" 2>/dev/null || kill -0 "${readers[3]}" 2>/dev/null; }
changes=0
while reading; do # static routes come and go before and behind the others
  if ((changes++ % 2)); then conf_r; else conf_r '{ prefix = "2001:db8::/48"; peer = "a"; }, { prefix = "fdff::/16"; peer = "b"; }'; fi
  kill -HUP "${LAB_PID[r]}"
  sleep 0.5
done
echo "$changes changes of the config meanwhile"
whole() { # FILE: each route that was always there, once, in order
  jq -r '.routes[].prefix' "$1" | awk -v want=$((ROUTES < 262144 ? ROUTES : 262144)) '
    seen[$0]++ { twice++ } END { if (NR != want || twice) { print NR " of " want ", " twice + 0 " twice"; exit 1 } }'
}
for i in 1 2 3; do
  check "reader $i has each route once" whole "$LAB/json.$i"
  check "and was told nothing wrong" same "" "$(cat "$LAB/json.$i.err")"
done
end_process "$pinger" INT || true
check "no packet was lost" grep -q ' 0% packet loss' "$LAB/ping"
check "the daemon holds no table for readers" at_least "$(rss)" $((before + 64 * 1048576))
check "and pages in short turns" at_least "$(show r node | jq .longest_work_cpu_us.shows)" 50000
show r node | jq -c '{loop_lag_p99_us, loop_lag_max_us, longest_turn_cpu_us, longest_work_cpu_us}'
