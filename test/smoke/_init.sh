# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash
# First line of each smoke test: `. "$(dirname "$0")/_init.sh"`. Runs the test in its own network,
# mount and process namespaces (as root: without a user namespace; else with one), gives it the lab
# and the checks below, and at its end shows logs, tables and captures when it failed. What the test
# started dies with it, however it ends.
#   test/smoke/NN_topic_test.sh                  one test, with the programs in build/
#   BUILD=build-asan test/smoke/NN_topic_test.sh other programs
#   INTERACTIVE=1 test/smoke/NN_topic_test.sh    a shell in the lab at the end
#   VERBOSE=1 test/smoke/NN_topic_test.sh        the dump on success, too
# Output: "ok - WHAT", "not ok - WHAT", "skip - WHAT: WHY", and what is printed along the way.

if [ -z "${XY_LAB_INSIDE:-}" ]; then
  own=(unshare --mount --net --pid --fork --kill-child --mount-proc)
  [ "$(id -u)" -eq 0 ] || own+=(--user --map-root-user)
  if ! why=$("${own[@]}" true 2>&1); then
    echo "skip - ${0##*/}: no namespaces here ($why)"
    exit 77
  fi
  XY_LAB_INSIDE=$(id -u) exec "${own[@]}" bash "$0" "$@"
fi

set -Eeuo pipefail
export LC_ALL=C.UTF-8
TEST=${0##*/}
TOP=$(cd "$(dirname "$0")/../.." && pwd)
BUILD=$TOP/${BUILD:-build}
XYLEMD=$BUILD/xylemd XYLEM=$BUILD/xylem
LAB_PREFIX=
LAB=$(mktemp -d "/tmp/xylem-$TEST.XXXXXX")
# Sockets and namespace names are ours alone: /run is a fresh one.
mount -t tmpfs tmpfs /run
mount -t tmpfs tmpfs /var/lib # of the default state folder
mkdir -p /run/netns /run/wireguard

. "$TOP/test/smoke/_lab.sh"

# need PROGRAM...: skips the test where one is missing.
need() {
  local program
  for program in "$@"; do
    command -v "$program" >/dev/null || [ -x "$program" ] || skip "$program is not there"
  done
}
skip() {
  echo "skip - $TEST: $*"
  trap - EXIT ERR
  lab_down
  rm -rf "$LAB"
  exit 77
}

fail() {
  echo "not ok - $TEST: $*"
  exit 1
}
# check WHAT COMMAND...: one test; the first that fails ends the script.
check() {
  local what=$1 out code=0
  shift
  out=$("$@" 2>&1) || code=$?
  if [ $code -ne 0 ]; then
    printf '%s\n' "$out" | sed 's/^/  | /'
    fail "$what ($* gave $code)"
  fi
  echo "ok - $TEST: $what"
}
# check_not WHAT COMMAND...: one test, that the command fails.
check_not() {
  local what=$1
  shift
  if "$@" >/dev/null 2>&1; then fail "$what ($* did not fail)"; fi
  echo "ok - $TEST: $what"
}
# check_within SECONDS WHAT COMMAND...: one test, that the command succeeds before the deadline.
check_within() {
  local seconds=$1 what=$2
  shift 2
  wait_for "$seconds" "$@" || {
    "$@" 2>&1 | sed 's/^/  | /' || true
    fail "$what (not within $seconds s: $*)"
  }
  echo "ok - $TEST: $what"
}
same() { # EXPECTED GIVEN
  [ "$1" = "$2" ] || {
    echo "expected: $1"
    echo "given:    $2"
    return 1
  }
}
at_least() { # LEAST GIVEN
  [ "$2" -ge "$1" ] || {
    echo "expected at least $1, given: $2"
    return 1
  }
}

# Each daemon's packets are all accounted for, once it is quiet.
check_accounts() {
  local node
  for node in "${LAB_DAEMONS[@]:-}"; do
    [ -n "$node" ] && [ -n "${LAB_PID[$node]:-}" ] || continue
    check_within 10 "every packet of $node is accounted for" balanced "$node"
  done
}

# Each daemon that still runs ends when it is told to, with exit code 0 (a sanitizer's findings count).
check_exits() {
  local node code
  for node in "${LAB_DAEMONS[@]:-}"; do
    [ -n "$node" ] && [ -n "${LAB_PID[$node]:-}" ] || continue
    code=0
    end_process "${LAB_PID[$node]}" 2>/dev/null || code=$?
    LAB_PID[$node]=
    [ $code -eq 0 ] || {
      echo "not ok - $TEST: $node ends cleanly (exit code $code)"
      return 1
    }
  done
}

# With --sandbox nothing that a daemon does by itself is refused.
check_refusals() {
  ! grep -h 'made system call' "$LAB"/*.log 2>/dev/null || {
    echo "not ok - $TEST: the sandbox refuses nothing that is needed"
    return 1
  }
}

finish() {
  local code=$?
  trap - EXIT ERR
  set +e
  if [ $code -eq 0 ]; then
    (check_accounts) || code=1
    [ $code -ne 0 ] || check_exits || code=1
    [ $code -ne 0 ] || check_refusals || code=1
  fi
  [ $code -eq 0 ] && [ -z "${VERBOSE:-}" ] || lab_dump
  if [ -n "${INTERACTIVE:-}" ]; then
    echo "The lab is up: files in $LAB, namespaces: ${LAB_NODES[*]}. Try: in_node ${LAB_NODES[0]:-NODE} ip addr; leave with exit."
    export -f in_node show xylem
    export LAB LAB_PREFIX XYLEM XYLEMD
    bash --norc -i </dev/tty >/dev/tty 2>&1
  fi
  lab_down
  rm -rf "$LAB"
  exit $code
}
trap finish EXIT
trap 'echo "not ok - $TEST: line $LINENO: $BASH_COMMAND"' ERR
