#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# No branch and no address in lib/aead depends on a key or on text: by a tool to which both are undefined, and which ends with
# exit code 9 where one does. And that it would be seen, with each kernel.
#   batch_secret_test.sh COMMAND ARGUMENT...
set -u
out=$(timeout 200 "$@" 2>&1) || {
  printf '%s\n' "$out"
  exit 1
}
for ((kernel = 0; ; kernel++)); do
  timeout 200 "$@" leak $kernel >/dev/null 2>&1
  case $? in
  9) ;;
  77) break ;;
  *)
    echo "a branch on what kernel $kernel made of a key was not noticed"
    exit 1
    ;;
  esac
done
[ $kernel -gt 0 ] || {
  echo "no kernel for this CPU"
  exit 77
}
