#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# A worker that stands still is noticed and said; the service manager's watchdog is no longer told that
# all is well; the control plane goes on; traffic goes on when the worker does; and a daemon with a stuck
# worker still ends when it is told to.
. "$(dirname "$0")/_init.sh"
need "$XYLEMD" "$XYLEM" /usr/bin/python3

add_node a b
join a b
make_key a b
configure a <<END
peers = ( $(peer_text b "${LAB_KEY[b]}" 'endpoint = "10.9.1.2:51820";') );
END
configure b <<END
peers = ( $(peer_text a "${LAB_KEY[a]}") );
END

service_manager a
check_within 5 "a service manager listens" test -S "$LAB/notify.sock"
export NOTIFY_SOCKET=$LAB/notify.sock WATCHDOG_USEC=1000000
start_node a
unset NOTIFY_SOCKET WATCHDOG_USEC
start_node b
pings_b() { pings a "${LAB_ADDR[b]}"; }
check_within 20 "a pings b" pings_b
check "the service manager heard that a is ready" grep -q READY=1 "$LAB/notify"
check_within 5 "and hears that all is well" grep -q WATCHDOG=1 "$LAB/notify"

worker=
for task in /proc/"${LAB_PID[a]}"/task/*; do
  [ "$(cat "$task/comm")" != rte-worker-1 ] || worker=${task##*/}
done
spawn a "$LAB/hold" /usr/bin/python3 "$(dirname "$0")/_hold_thread.py" "$worker"
holder=$LAB_SPAWNED
wait_for 5 grep -q held "$LAB/hold" || skip "no thread can be stopped here: $(cat "$LAB/hold")"
check_within 20 "the log says that the worker is stuck" grep -q 'worker 0 is stuck' "$LAB/a.log"
pings_sent() { grep -c WATCHDOG=1 "$LAB/notify"; }
before=$(pings_sent)
warned() { show a node | jq -e '.warnings[] | select(test("stuck"))'; }
check_within 5 "show node warns" warned
check "show workers says so" same false "$(show a workers | jq -r '.workers[0].alive')"
check "the service manager hears nothing meanwhile" same "$before" "$(pings_sent)"
end_process "$holder" || true
check_within 10 "it walks again when it can" grep -q 'worker 0 walks again' "$LAB/a.log"
check_within 10 "and packets go through it" pings_b
more() { [ "$(pings_sent)" -gt "$before" ]; }
check_within 5 "the service manager hears from it again" more

spawn a "$LAB/hold2" /usr/bin/python3 "$(dirname "$0")/_hold_thread.py" "$worker"
check_within 5 "stuck once more" grep -q held "$LAB/hold2"
kill -TERM "${LAB_PID[a]}"
# A thread under a tracer dies when the process exits, but stays for the tracer to see it: the leader's end is enough here.
ended() { gone "$1" || grep -q '^State:.*Z' "/proc/$1/status"; }
check_within 10 "a daemon with a stuck worker ends when it is told to" ended "${LAB_PID[a]}"
LAB_PID[a]=
