#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# A node that confines itself: what each of its threads still has, as the kernel says; that all goes on working; and how
# many threads there may be.
#
#   a (--sandbox) ---- b (sandbox = true, two workers)
. "$(dirname "$0")/_init.sh"
. "$TOP/test/smoke/_steer.sh"
need "$XYLEMD" "$XYLEM" nft

add_node a b
join a b
make_key a b c
echo "10.9.1.2 relay.test" >"$LAB/hosts"
mount --bind "$LAB/hosts" /etc/hosts
of_a() { # NAME FURTHER
  configure a <<END
host = { allow = ( "tcp/$1" ); };
node_info = { name = "as-$1"; };
telemetry = { group = "nogroup"; mode = "0660"; };
peers = ( $(peer_text b "${LAB_KEY[b]}" 'endpoint = "relay.test:51820"; keepalive = 1;') $2 );
routes = ( { prefix = "200::/7"; peer = "b"; } );
END
}
of_a 22 ''
configure b <<END
sandbox = true;
workers = { count = 2; };
host = { allow = "all"; };
peers = ( $(peer_text a "${LAB_KEY[a]}") );
END
XYLEM_TEST_FLAGS=
start_node a --sandbox --max-threads 2
start_node b

# --- what is in force

word() { show "$1" node | jq -r .sandbox; }
whole() { # NODE: the kernel has all of it; the test goes on where it has not
  [ "$(word "$1")" = on ] || [[ $(word "$1") == "in part: no Landlock"* ]]
}
check "the option confines" whole a
check "so does the config" whole b
# THREAD FIELD: of a's threads of this name, what /proc says, each once.
of_thread() {
  local task
  for task in "/proc/${LAB_PID[${3:-a}]}/task"/*; do
    [[ $(<"$task/comm") != $1* ]] || awk -v field="$2:" '$1 == field { print $2 }' "$task/status"
  done | sort -u | tr '\n' ' '
}
for thread in xylemd xylem-dpdk rte-worker-1 xylem-helper; do
  check "$thread: no new privileges" same "1 " "$(of_thread $thread NoNewPrivs)"
  check "$thread: its system calls are filtered" same "2 " "$(of_thread $thread Seccomp)"
done
check "b's second worker is no exception" same "2 " "$(of_thread rte-worker-2 Seccomp b)"
none="0000000000000000 "
no_capability() { # NODE: in no thread of it
  local task
  for task in "/proc/${LAB_PID[$1]}/task"/*; do
    grep -q '^CapPrm:.0000000000000000$' "$task/status" && grep -q '^CapEff:.0000000000000000$' "$task/status" && continue
    cat "$task/status"
    return 1
  done
}
for thread in xylemd xylem-dpdk rte-worker-1 xylem-helper; do
  check "$thread: no capability" same "$none" "$(of_thread $thread CapPrm)"
done
check "no thread of the process has one" no_capability a
check "nor of the other node's" no_capability b
helper_of() { pgrep -P "${LAB_PID[$1]}" -x xylem-warden; }
of_helper() { awk -v field="$2:" '$1 == field { print $2 }' "/proc/$(helper_of "$1")/status"; }
check "the privileged helper has CAP_NET_ADMIN, and CAP_CHOWN for our sockets" same 0000000000001001 "$(of_helper a CapPrm)"
check "where no group is set it has CAP_NET_ADMIN alone" same 0000000000001000 "$(of_helper b CapPrm)"
check "gets no other" same 1 "$(of_helper a NoNewPrivs)"
check "and its system calls are filtered" same 2 "$(of_helper a Seccomp)"
told_of() { show a node | jq -r ".confined[] | select(startswith(\"$1\"))" | grep -qF "$2"; }
check "show node says so of the workers" told_of "workers (1)" "own calls, no files, no capabilities"
check "and of the control thread" told_of "control thread (1)" ", no capabilities"
check "and of the privileged helper" told_of "privileged helper (2)" "own calls, "
check "which has the capabilities" told_of "privileged helper (2)" ", chown, net_admin"
check "of two threads one is a helper" told_of "helpers (1)" "no capabilities"
[ "$XY_LAB_INSIDE" != 0 ] || check "who is not root cannot look into it" setpriv --reuid=65534 --clear-groups bash -c \
  "! cat /proc/${LAB_PID[a]}/environ 2>/dev/null"

# --- it goes on working

check_within 60 "a name is found" peer_up a b
check_within 10 "traffic" pings a "${LAB_ADDR[b]}"
of_a 23 ", $(peer_text c "${LAB_KEY[c]}")"
mv "$LAB/a.conf" "$LAB/a.conf.other" && mv "$LAB/a.conf.other" "$LAB/a.conf" # a new file, as editors write one
check "a config that was replaced is read" told "in force" 0 a reload
has_c() { [ "$(peer a c state)" = "no endpoint" ]; }
check_within 10 "with its peers" has_c
rules() { grep -q 'dport 23' <(in_node a nft list table inet xylem_a); }
check_within 10 "the packet filter follows" rules
check "what is set is kept" told "" 0 a set peer b cost 200
check "in the state folder" grep -q 200 "$LAB/a.state/runtime.conf"
check "it is written into the config" told "" 0 a config write
ip -n a link del xylem0 || true
back() { ip -n a link show xylem0 && pings a "${LAB_ADDR[b]}"; }
gone_is_told() { [ "$(show a node | jq -r .interface)" = null ] || back; }
check_within 20 "an interface that somebody removes is made again, or told to be gone" gone_is_told
rm -f /run/xylem/a/telemetry
check_within 20 "a socket that somebody removes is made again" show a node
group_is() { [ "$(stat -c %G "/run/xylem/a/$1")" = "$2" ]; }
check_within 10 "and has its group" group_is telemetry nogroup

# --- what needs a privilege, by the helper

of_a_more() { # TEXT: further settings
  configure a <<END
host = { allow = ( "tcp/23" ); };
peers = ( $(peer_text b "${LAB_KEY[b]}" 'endpoint = "relay.test:51820"; keepalive = 1;') );
telemetry = { group = "nogroup"; mode = "0660"; };
$1
END
}
has() { grep -q "$1" <(ip -n a "${@:2}"); } # WORDS OF IP...
address_of_a=$(show a node | jq -r .address)
mtu=$(show a node | jq .mtu)
ip -n a addr flush dev xylem0
check_within 10 "an address that somebody takes away is back" has "$address_of_a" addr show dev xylem0
ip -n a link set xylem0 down
ip -n a link set xylem0 mtu 1300 up
check_within 10 "so is the MTU, and the routes" eval 'has "mtu $mtu" link show xylem0 && has "200::/7" -6 route show proto 120'
of_a_more 'control = { group = "nogroup"; mode = "0660"; }; routes = ( { prefix = "200::/7"; peer = "b"; },
  { prefix = "10.77.0.0/16"; peer = "b"; } ); exit = "'"${LAB_KEY[b]}"'";'
check "a reload brings a network and an exit" told "in force" 0 a reload
check_within 10 "a socket gets the group that a reload brings" group_is control nogroup
check_not "without a word" grep -q 'group has changed' "$LAB/a.log"
check "the other one keeps its own" group_is telemetry nogroup
check_within 10 "the kernel has the network" has '10.77.0.0/16.*xylem0' route show proto 120
check_within 10 "and the rules of the exit, of both families" eval 'has "lookup 2021[0-9]*" rule && has "unreachable" -6 rule'
of_a_more 'routes = ( { prefix = "200::/7"; peer = "b"; } );'
check "another reload takes them away" told "in force" 0 a reload
check_within 10 "and the group" group_is control root
echo 'control = { group = "nogroup"; mode = "0660"; };' >>"$LAB/b.conf"
check "where there was no group at the start" told "in force" 0 b reload
check "the reload says that none is given" grep -q 'reload: control.group has changed: with --sandbox' "$LAB/b.log"
sed -i '$d' "$LAB/b.conf"
check "nor taken" told "in force" 0 b reload
gone_again() { ! has 10.77.0.0/16 route show proto 120 && ! has unreachable rule && ! has unreachable -6 rule; }
check_within 10 "from the kernel as well" gone_again
check "nothing of it was refused" same 0 "$(show a node | jq .refused_calls)"
check_not "no word of it" grep -h 'made system call' "$LAB/a.log" "$LAB/b.log"

# --- a helper that stalls

stalled=$(helper_of a)
kill -STOP "$stalled"
ip -n a addr flush dev xylem0
check_within 20 "a helper that does not answer is told" grep -q 'helper does not answer in time' "$LAB/a.log"
stalls() { show a node | jq -e '.warnings[] | select(startswith("the privileged helper does not answer"))'; }
check "show node answers meanwhile, and warns" stalls
kill -CONT "$stalled"
check_within 20 "its return, too" grep -q 'the privileged helper answers again' "$LAB/a.log"
check_within 20 "what it owes is done" has "$address_of_a" addr show dev xylem0
check_within 20 "traffic goes on" pings a "${LAB_ADDR[b]}"
check "a reload is taken" told "in force" 0 a reload

# --- who of both ends

main=${LAB_PID[a]} helper=$(helper_of a)
kill -9 "$helper"
lost() { show a node | jq -e '.warnings[] | select(startswith("the privileged helper is gone"))'; }
check_within 10 "the node warns when its helper is gone" lost
check_within 10 "the log says so" grep -q 'the privileged helper is gone: it ended' "$LAB/a.log"
check "it forwards" pings a "${LAB_ADDR[b]}"
of_a_more 'routes = ( { prefix = "200::/7"; peer = "b"; } ); max_open_peers = 9;'
check "a reload says what to do" told "the privileged helper has ended; restart xylemd" 1 a reload
check "the rules stay" rules
mv "$LAB/a.log" "$LAB/a.alone"
stop_node a
of_a 23 ''
start_node a --sandbox --max-threads 2
check_within 30 "after a restart there is one again" eval 'helper_of a && pings a "${LAB_ADDR[b]}"'
helper=$(helper_of a)
stop_node a
check_within 5 "it ends with the node" gone "$helper"
check_not "and the rules are gone" in_node a nft list table inet xylem_a
start_node a --sandbox --max-threads 2
helper=$(helper_of a)
stop_node a KILL
check_within 5 "also when that is killed" gone "$helper"
start_node a --sandbox --max-threads 2

# --- how many threads

bad() { # WORDS ARGUMENT...
  local words=$1 code=0
  shift
  timeout 10 "$XYLEMD" -n bad -c "$LAB/b.conf" "$@" >"$LAB/bad" 2>&1 || code=$?
  [ $code != "$want" ] || ! grep -qF -- "$words" "$LAB/bad" || return 0
  echo "exit code $code:"
  cat "$LAB/bad"
  return 1
}
want=2
check "no word is a number" bad "--threads many: is not a number from 1 to 64" --threads many
check "nor is nothing" bad "--threads 0: is not a number from 1 to 64" --threads 0
check "nor too many" bad "--threads 65: is not a number from 1 to 64" --threads 65
check "one thread is too few for all" bad "--max-threads 1: is not a number from 2 to 1024: one worker and one" --max-threads 1
want=1
check "they must fit together" bad "--max-threads 3 leaves no thread for a helper; at least 4" --threads 3 --max-threads 3 --check
stop_node b
start_node b --threads 1
check "the option counts before the config" same 1 "$(show b node | jq .workers)"

# --- a call that is not a thread's: the clock of tests reads a file, also in workers

stop_node b
echo 0 >"$LAB/ahead"
SUSPEND_FILE=$LAB/ahead ASAN_OPTIONS=verify_asan_link_order=0 LD_PRELOAD=$(realpath "$BUILD/test/tools/suspend.so") start_node b
counted() { at_least 1 "$(show b node | jq .refused_calls)"; }
check_within 20 "it is refused, and counted" counted
check_within 20 "the log names thread and call" grep -q 'rte-worker-[12] (thread [0-9]*) made system call pread64' "$LAB/b.log"
warned() { show b node | jq -e '.warnings[] | select(startswith("the sandbox refused"))'; }
check "the node warns of it" warned
check_within 30 "and runs on" pings a "${LAB_ADDR[b]}"
mv "$LAB/b.log" "$LAB/b.refused" # else it is one too many
