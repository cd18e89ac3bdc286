#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# A unit test program runs the cases that it is given by name, and says which there are.
#   cases_test.sh PROGRAM      one with several cases (unit.h)
set -u
program=$1 bad=0
fail() {
  echo "$*"
  bad=1
}
ran() { grep -c '^ *Test: .*\.\.\.passed' <<<"$1"; }

list=$("$program" --list) || fail "--list fails"
mapfile -t name <<<"$list"
[ "${#name[@]}" -ge 3 ] || fail "$program has fewer than three cases: $list"
out=$("$program") || fail "without arguments: exit code $?"
[ "$(ran "$out")" = "${#name[@]}" ] || fail "without arguments not all ran: $out"
out=$("$program" "${name[1]}") || fail "'${name[1]}' alone: exit code $?"
{ [ "$(ran "$out")" = 1 ] && grep -qF "Test: ${name[1]} ..." <<<"$out"; } || fail "'${name[1]}' alone: $out"
out=$("$program" "${name[2]}" "${name[0]}") || fail "two cases: exit code $?"
[ "$(ran "$out")" = 2 ] || fail "two cases: $out"
out=$("$program" "${name[0]}" 'no such case' 2>&1)
[ $? -eq 2 ] || fail "a name that is none is no error"
{ [ "$(ran "$out")" = 0 ] && grep -qF "'no such case'" <<<"$out" && grep -qxF "${name[2]}" <<<"$out"; } ||
  fail "a name that is none: $out"
exit $bad
