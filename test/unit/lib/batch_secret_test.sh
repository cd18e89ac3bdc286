#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# No branch and no address in lib/aead depends on a key or on text: by valgrind, to which both are undefined. And that it
# would be seen, with each kernel.
#   batch_secret_test.sh PROGRAM
set -u
run() {
  timeout 200 valgrind --quiet --error-exitcode=9 --exit-on-first-error=yes "$@" 2>&1
}
out=$(run "$1") || {
  printf '%s\n' "$out"
  exit 1
}
for ((kernel = 0; ; kernel++)); do
  run "$1" leak $kernel >/dev/null
  case $? in
  9) ;;
  77) break ;;
  *)
    echo "a branch on what kernel $kernel made of a key was not noticed"
    exit 1
    ;;
  esac
done
[ $kernel -gt 0 ]
