#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# A crash leaves no core dump, which would hold every key, unless the config asks for one; and session keys are in none.
. "$(dirname "$0")/_init.sh"
need "$XYLEMD" "$XYLEM" prlimit

add_node n
make_key n p
cd "$LAB" || exit 1
ulimit -Sc "$(ulimit -Hc)"
soft() { awk '/^Max core file size/ { print $5 }' "/proc/${LAB_PID[n]}/limits"; }
wants() { # true|false
  configure n <<<"tun = false; core_dumps = $1; peers = ( $(peer_text p "${LAB_KEY[p]}") );"
}

wants false
start_node n
check "no core may be written" same 0 "$(soft)"
check "the table of session keys is in none" grep -q '^VmFlags:.* dd' "/proc/${LAB_PID[n]}/smaps"
started=$(awk '/^Max core file size/ { print $5 }' /proc/self/limits)
wants true
kill -HUP "${LAB_PID[n]}"
is_soft() { same "$1" "$(soft)"; }
check_within 20 "a config that asks for them brings the limit back" is_soft "$started"
wants false
kill -HUP "${LAB_PID[n]}"
check_within 20 "and one that does not takes it away" is_soft 0

case $(</proc/sys/kernel/core_pattern) in
core | core.*) ;;
*) skip "cores go elsewhere here ($(</proc/sys/kernel/core_pattern))" ;;
esac
[ "$started" != 0 ] || skip "this user may have no cores"
cores() { compgen -G "$LAB/core*" >/dev/null; }
crash() {
  kill -ABRT "${LAB_PID[n]}"
  wait_for 60 gone "${LAB_PID[n]}"
  LAB_PID[n]=
}
prlimit --pid "${LAB_PID[n]}" --core=unlimited # as a pattern that names a program would have it
crash
check_not "a crash leaves none, whatever the limit" cores
wants true
start_node n
crash
check "one that was asked for is there" cores
LAB_DAEMONS=()
