#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Cards of a node that confines itself: no thread of it has a capability, its privileged helper makes sockets and
# programs, also of a card that comes later; without the helper the node forwards by the cards that it has.
#
#   a --(card)-- r --(card)-- b        all with --sandbox
. "$(dirname "$0")/_init.sh"
need "$XYLEMD" "$XYLEM" jq
[ "$XY_LAB_INSIDE" -eq 0 ] || skip "AF_XDP needs root"

card() { echo "{ driver = \"af_xdp\"; interface = \"$1\"; }"; }
EXTRA_a="ports = ( $(card to-r) );"
EXTRA_b=$EXTRA_a
EXTRA_r="ports = ( $(card to-a), $(card to-b) );"
XYLEM_TEST_FLAGS=--sandbox
relay_lab
check_within 20 "a pings b through r" pings a "${LAB_ADDR[b]}"

# --- what is in force

# Where not even root may lift the limit of locked memory the control thread keeps CAP_IPC_LOCK.
most=none bits=0000000000000000
grep -q '^Max locked memory *[0-9]' "/proc/${LAB_PID[r]}/limits" && most=ipc_lock bits=0000000000004000
capable() { # THREAD...: what the threads of r are permitted, and others than those
  awk '$1 ~ /^Cap(Prm|Eff):/ { print $2 }' "$@" | sort -u | xargs
}
threads=("/proc/${LAB_PID[r]}"/task/*/status)
check "no thread of r has a capability" same 0000000000000000 "$(capable "${threads[@]:1}")"
check "nor has its control thread" same $bits "$(capable "${threads[0]}")"
helper() { pgrep -P "${LAB_PID[r]}" -x xylem-warden; }
capabilities() { awk '$1 == "CapPrm:" { print $2 }' "/proc/$(helper)/status"; }
# CAP_NET_ADMIN, CAP_NET_RAW, CAP_PERFMON and CAP_BPF
check "its helper has those of cards" same 000000c000003000 "$(capabilities)"
told() { show r node | jq -r '.confined[]' | grep -qF "$1"; }
[ $most = none ] && most="no capabilities"
check "show node says so of the control thread" eval 'told "control thread (1): own calls" && told "$most"'
check "and of the helper" told "net_admin, net_raw, perfmon, bpf"
steered() { show r ports | jq "[.ports[].steered.ours // 0] | add"; }
by_card() { # r takes packets from its cards
  local before
  before=$(steered)
  in_node a ping -n -q -c 20 -i 0.01 -W 2 "${LAB_ADDR[b]}" >/dev/null
  [ "$(steered)" -ge $((before + 20)) ]
}
check_within 10 "r takes packets by its cards" by_card

wire() { # the second one, anew
  ip -n "${LAB_PREFIX}r" link add to-b type veth peer name to-r netns "${LAB_PREFIX}b"
  set_wire r to-b 10.9.2.1/24 fd09:2::1/64
  set_wire b to-r 10.9.2.2/24 fd09:2::2/64
}

# --- a card that goes and comes, and another address

ip -n "${LAB_PREFIX}r" addr add 10.9.1.77/24 dev to-a
ip -n "${LAB_PREFIX}r" link del to-b
check_within 10 "a card is gone" grep -q 'to-b: the interface is gone' "$LAB/r.log"
wire
opened() { at_least "$1" "$(grep -c 'port [0-9]*: af_xdp on to-b' "$LAB/r.log")"; }
check_within 20 "it is back, and open" opened 2
check_within 30 "traffic goes on" pings a "${LAB_ADDR[b]}"
check_within 20 "by the cards" by_card
check "nothing of it was refused" same 0 "$(show r node | jq .refused_calls)"

# --- a helper that stalls while an address comes

strange() { show r ports | jq '[.ports[].steered.other_addr // 0] | add'; }
is_known() { # datagrams for it are taken for ours
  local before i
  before=$(strange)
  # shellcheck disable=SC2034
  for i in 1 2 3; do in_node a bash -c 'echo x >/dev/udp/10.9.1.88/51820'; done
  same "$before" "$(strange)"
}
kill -STOP "$(helper)"
ip -n "${LAB_PREFIX}r" addr add 10.9.1.88/24 dev to-a
check_within 20 "it is said" grep -q 'to-a: addresses: the privileged helper does not answer in time' "$LAB/r.log"
check_not "the address is not known yet" is_known
kill -CONT "$(helper)"
check_within 20 "it is once the helper answers" is_known

# --- without the helper

ends=$(helper)
kill -9 "$ends"
lost() { show r node | jq -e '.warnings[] | select(startswith("the privileged helper is gone"))'; }
check_within 10 "the node warns when its helper is gone" lost
check_within 10 "it forwards" pings a "${LAB_ADDR[b]}"
check_within 10 "by its cards" by_card
program() { ip -n "${LAB_PREFIX}r" -d link show dev "$1" | grep -q xdp; }
check "whose programs are there" eval 'program to-a && program to-b'
ip -n "${LAB_PREFIX}r" link del to-b
check_within 10 "a card goes once more" eval '[ "$(grep -c "to-b: the interface is gone" "$LAB/r.log")" = 2 ]'
wire
check_within 20 "it does not come back, and the log says why" \
  grep -q 'the privileged helper has ended; restart xylemd; trying again every second' "$LAB/r.log"
mv "$LAB/r.log" "$LAB/r.alone"
stop_node r KILL
gone_program() { ! program to-a; }
check_within 5 "with the node its programs go" gone_program
start_node r
check_within 30 "after a restart all is as it was" pings a "${LAB_ADDR[b]}"
check_within 20 "by the cards" by_card
stop_node r KILL
start_node r
check_within 30 "also when a helper was there" pings a "${LAB_ADDR[b]}"
