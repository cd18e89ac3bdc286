#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Each script says with --help what it does, and does nothing.
set -u
cd "$(dirname "$0")/../../.." || exit 2
code=0
fail() {
  echo "not ok - help: $*"
  code=1
}
for script in scripts/[a-z]*; do
  text=$(timeout 10 "$script" --help 2>&1) || fail "$script --help ended with $?"
  grep -q . <<<"$text" || fail "$script --help says nothing"
  ! grep -qi 'unknown\|SPDX' <<<"$text" || fail "$script --help: $text"
done
exit $code
