#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Tens of thousands of routes come and go by a reload: the kernel has them all in the end, and the
# control thread is there for others meanwhile.
#
#   a --(IPv4)-- r
. "$(dirname "$0")/_init.sh"
need "$XYLEMD" "$XYLEM" jq
ROUTES=60000

add_node a r
join a r
make_key a r
# At most 64 entries stand on a line, so that the files stay readable.
config_a() { # HOW MANY [PREFIX]: routes 2001:db8:0:N::/64 to r, and one more
  configure a <<END
max_routes = $((ROUTES + 100));
peers = ( $(peer_text r "${LAB_KEY[r]}" 'endpoint = "10.9.1.2:51820";') );
routes = ( { prefix = "${2:-10.64.0.0/16}"; peer = "r"; }$(
    for ((i = 0; i < $1; i++)); do
      printf ', { prefix = "2001:db8:%x:%x::/64"; peer = "r"; }' $((i >> 16)) $((i & 65535))
      ((i % 64)) || echo
    done
  ) );
END
}
configure r <<END
peers = ( $(peer_text a "${LAB_KEY[a]}") );
routes = ( { prefix = "::/0"; peer = "a"; } );
END
config_a 0
start_node r
start_node a
check_within 20 "a pings r" pings a "${LAB_ADDR[r]}"

check "a default route is not r's kernel's" test -z "$(ip -n "${LAB_PREFIX}r" -6 route show default dev xylem0)"
check "and the log says so" grep -q 'route ::/0 is not put into the kernel' "$LAB/r.log"
check "show node, too" grep -q 'a default route is not put' <<<"$(show r node | jq -r '.warnings[]')"
check "a has no such warning" same "" "$(show a node | jq -r '.warnings[]')"

in_kernel() { ip -n a -6 route show dev xylem0 | grep -c '^2001:db8:' || true; }
has() { same "$1" "$(in_kernel)"; }
lag_max() { show a node | jq .loop_lag_max_us; }
reload() { kill -HUP "${LAB_PID[a]}"; }
config_a $ROUTES
reload
check_within 60 "the kernel has all $ROUTES" has $ROUTES
echo "the longest turn: $(lag_max) us"
show a node | jq -c .longest_work_cpu_us
# In one turn the kernel alone took 1.3 seconds, on a fast machine that did nothing else.
check "the control thread was never busy for a second" at_least "$(lag_max)" 1000000
check "the link lives" pings a "${LAB_ADDR[r]}"

# Another reload before the first is done, and a route that somebody put there in between.
config_a 100
reload
ip -n a -6 route add 2001:db8:ffff::/48 dev to-r
config_a 300 2001:db8:ffff::/48
reload
check_within 60 "fewer routes: the kernel has those" has 300
check "what somebody else put there stays" grep -q to-r <<<"$(ip -n a -6 route show 2001:db8:ffff::/48)"
check_within 20 "and is told of" grep -q '2001:db8:ffff::/48: there is one already' "$LAB/a.log"
check "no turn took a second" at_least "$(lag_max)" 1000000
# All routes in one turn are 67 ms of work and more; a slice of them is 0.5 ms.
check "no turn worked for 50 ms" at_least "$(show a node | jq .longest_turn_cpu_us)" 50000

# The end comes in the middle of a third.
config_a $ROUTES
reload
under_way() { at_least 1000 "$(show a node | jq .routes)"; }
check_within 30 "routes come again" under_way
code=0
end_process "${LAB_PID[a]}" || code=$?
LAB_PID[a]=
check "a ends at once, and cleanly" same 0 "$code"
