#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# A neighbour that brings 10,000 signed routes at once: they are verified on helpers and installed in
# slices, and meanwhile Hellos go on as ever.
#
#   f (meshpeer) -- r -- a
. "$(dirname "$0")/_init.sh"
meshpeer=$BUILD/test/tools/meshpeer
need "$XYLEMD" "$XYLEM" "$meshpeer" jq
routes=10000

add_node a r f
join a r
join r f
make_key a r f
configure r <<END
peers = ( $(peer_text a "${LAB_KEY[a]}"), $(peer_text f "${LAB_KEY[f]}") );
END
configure a <<END
peers = ( $(peer_text r "${LAB_KEY[r]}" 'endpoint = "10.9.1.2:51820";') );
END
start_node r
start_node a
check_within 30 "a reaches r" pings a "${LAB_ADDR[r]}"

routing() { show "$1" routing | jq ".$2"; }
has_routes() { [ "$(show "$1" node | jq .routes)" -ge "$2" ]; }
before=$(show r node | jq .loop_lag_max_us)
spawn f "$LAB/feed.log" timeout 200 "$meshpeer" --key "$LAB/f.key" --peer "${LAB_KEY[r]}" \
  --endpoint 10.9.2.1:51820 --signed $routes --limit 150
feed=$LAB_SPAWNED
check_within 120 "r has them all" has_routes r $routes
check_within 120 "a, too" has_routes a $routes
check "each was verified once" same $((routes + 2)) "$(routing r signatures_verified)"
# What comes faster than it can be verified is put off: f sends it again.
check "r refused none for good" same 0 "$(show r neighbours | jq '[.neighbours[].refusals | del(.busy)[]] | add')"
check "the link to a is as it was" peer_up r a
# The longest turn on an idle machine is 1 ms; a busy one adds what it pleases.
echo "longest turn of r's loop: $(show r node | jq .loop_lag_max_us) us, before the feed $before us"
show r node | jq -c .longest_work_cpu_us
check "the loop was never held" test "$(show r node | jq .loop_lag_max_us)" -lt 1000000
no_gap() { # the last Hellos of both neighbours, as bits: none is missing
  [ "$(show r neighbours | jq -r '[.neighbours[].hellos | test("^(f|e|c|8)?f*[ec8]?0*$")] | all')" = true ]
}
check "no Hello was missed" no_gap
check "packets pass" pings a "${LAB_ADDR[r]}"

first() { show a routes | jq -r '[.routes[] | select(.source == "learned")][0].prefix'; }
pages=$(show a routes | jq '[.routes[].prefix] | length, (unique | length)' | paste -sd,)
check "the pages hold each prefix once" same "$((routes + 3)),$((routes + 3))" "$pages"
check "each is told with its origin" test "$(show a route "$(first)" | jq -r '.babel[0].origin | length')" = 44
end_process "$feed" || true
few_routes() { [ "$(show "$1" routes | jq '[.routes[] | select(.source == "learned" and .kind == "peer")] | length')" -le 3 ]; }
check_within 120 "with the neighbour they go" few_routes r
check_within 120 "at a, too" few_routes a

# A peer with as many routes is removed by the operator, and they go with it, in slices.
spawn f "$LAB/feed.log" timeout 200 "$meshpeer" --key "$LAB/f.key" --peer "${LAB_KEY[r]}" \
  --endpoint 10.9.2.1:51820 --signed $routes --limit 150
check_within 120 "r has them all again" has_routes r $routes
configure r <<<"peers = ( $(peer_text a "${LAB_KEY[a]}") );"
kill -HUP "${LAB_PID[r]}"
check_within 60 "with the peer they go" few_routes r
check "the link to a is as it was" peer_up r a
check "no turn worked for 50 ms" at_least "$(show r node | jq .longest_turn_cpu_us)" 50000
