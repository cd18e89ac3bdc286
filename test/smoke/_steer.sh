# shellcheck shell=bash
# SPDX-License-Identifier: BSD-3-Clause
# For tests that change a running node by its control socket.

steer() { in_node "$1" "$XYLEM" "${@:2}" -n "$LAB_PREFIX$1"; } # NODE COMMAND...
SAID=$LAB/said
# told WORDS CODE NODE COMMAND...: exit code and what is said.
told() {
  local words=$1 want=$2 code=0
  steer "${@:3}" >"$SAID" 2>&1 || code=$?
  [ "$code" = "$want" ] && grep -qF -- "$words" "$SAID" && return
  echo "exit code $code instead of $want, or not \"$words\":"
  cat "$SAID"
  return 1
}
logged() { grep -qF -- "$2" "$LAB/$1.log"; } # NODE WORDS
