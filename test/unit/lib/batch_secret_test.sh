#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# No branch and no address in lib/aead depends on a key or on text: by valgrind, to which both are undefined. And that it
# would be seen.
#   batch_secret_test.sh PROGRAM
set -u
run() {
  timeout 120 valgrind --quiet --error-exitcode=9 --exit-on-first-error=yes "$@" 2>&1
}
out=$(run "$1")
case $? in
0) ;;
77)
  echo "no kernel for this CPU"
  exit 77
  ;;
*)
  printf '%s\n' "$out"
  exit 1
  ;;
esac
run "$1" leak >/dev/null
[ $? = 9 ] || {
  echo "a branch on a key was not noticed"
  exit 1
}
