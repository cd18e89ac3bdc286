# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash disable=SC2034
# First lines of a benchmark that needs a lab: `. "$(dirname "$0")/_init.sh"`. Runs it in network, mount
# and process namespaces of its own (as root: without a user namespace) with the smoke tests' lab, reads
# --short and --json, and cleans up at its end. KEEP=1 in the environment leaves configs and logs in
# /tmp/xylem-bench.*. What it sets: TOP, XYLEMD, XYLEM, LAB, short, json (empty or 1), failed.
BENCH=$(basename "$0" .sh)
if [ -z "${XY_BENCH_INSIDE:-}" ]; then
  own=(unshare --mount --net --pid --fork --kill-child --mount-proc)
  [ "$(id -u)" -eq 0 ] || own+=(--user --map-root-user)
  why=$("${own[@]}" true 2>&1) || {
    echo "bench $BENCH: no namespaces here ($why); run it as root" >&2
    exit 1
  }
  XY_BENCH_INSIDE=1 exec "${own[@]}" bash "$0" "$@"
fi

set -Eeuo pipefail
export LC_ALL=C.UTF-8
TOP=$(cd "$(dirname "$0")/../.." && pwd)
BUILD=$TOP/${BUILD:-build}
XYLEMD=$BUILD/xylemd XYLEM=$BUILD/xylem
LAB_PREFIX=
LAB=$(mktemp -d /tmp/xylem-bench.XXXXXX)
# Sockets and namespace names are ours alone: /run is a fresh one.
mount -t tmpfs tmpfs /run
mkdir -p /run/netns /run/wireguard
. "$TOP/test/smoke/_lab.sh"

short='' json=''
for arg in "$@"; do
  case $arg in
  --json) json=1 ;;
  --short) short=1 ;;
  *)
    echo "bench $BENCH: unknown argument '$arg'; use [--short] [--json]" >&2
    exit 2
    ;;
  esac
done
failed=0
note() { printf '[%3d s] %s\n' $SECONDS "$*" >&2; }
end() {
  local code=$?
  trap - EXIT ERR
  set +e
  lab_down
  [ -n "${KEEP:-}" ] || rm -rf "$LAB"
  exit $code
}
trap end EXIT
trap 'note "bench $BENCH: line $LINENO failed: $BASH_COMMAND"' ERR

answers_or_gone() { show "$1" node || gone "${LAB_PID[$1]}"; }
xylem_start() { # NODE: as start_node, but one that refuses is not waited for
  spawn "$1" "$LAB/$1.log" "$XYLEMD" -c "$LAB/$1.conf" -n "$1"
  LAB_PID[$1]=$LAB_SPAWNED
  wait_for 30 answers_or_gone "$1" && show "$1" node >/dev/null 2>&1 || {
    tail -n 3 "$LAB/$1.log" >&2
    return 1
  }
}
bring_down() {
  local pid
  for pid in "${LAB_PIDS[@]:-}"; do [ -z "$pid" ] || end_process "$pid" || true; done
  LAB_PIDS=() LAB_PID=()
}

# The version of a program, as it says itself or as its package has it.
version_of() { # PROGRAM
  local path text
  case $1 in
  xylemd)
    "$XYLEM" --version
    return
    ;;
  yggdrasil) text=$(yggdrasil -version | sed -n 's/^Build version: //p') ;;
  babeld) text=$(babeld -V 2>&1 | grep -oE '[0-9]+\.[0-9]+[0-9.]*' | head -n 1 || true) ;;
  *) text=$("$1" --version 2>&1 | grep -oE '[0-9]+\.[0-9]+[0-9.]*' | head -n 1 || true) ;;
  esac
  path=$(command -v "$1")
  if [ -z "$text" ] || [ "$text" = unknown ]; then
    text=$(dpkg-query -S "$path" 2>/dev/null | cut -d: -f1 | head -n 1 |
      xargs -r dpkg-query -W -f '${Version}' || true)
  fi
  echo "${text:-unknown}"
}

# When it was made: what it says itself, or its package, or its version; else "date unknown".
date_of() { # PROGRAM VERSION
  local path package date
  if [ "$1" = xylemd ]; then
    git -C "$TOP" log -1 --format=%cs 2>/dev/null || echo 'date unknown'
    return
  fi
  path=$(command -v "$1")
  date=$(grep -aoE 'vcs\.time=[0-9]{4}-[0-9]{2}-[0-9]{2}' "$path" | head -n 1 | cut -d= -f2 || true)
  [ -n "$date" ] || date=$(sed -nE 's/.*\b(20[0-9]{2})([01][0-9])([0-3][0-9])\b.*/\1-\2-\3/p' <<<"$2")
  if [ -z "$date" ]; then
    package=$(dpkg-query -S "$path" 2>/dev/null | cut -d: -f1 | head -n 1 || true)
    date=$(zcat "/usr/share/doc/$package/changelog.Debian.gz" 2>/dev/null | sed -nE 's/^ -- .*>  (.*)/\1/p' | head -n 1 || true)
    [ -z "$date" ] || date=$(date -u -d "$date" +%F)
  fi
  echo "${date:-date unknown}"
}

# The machine as JSON in $LAB/machine.json.
machine() { # PLACEMENT
  local cpu
  cpu=$(awk -F': ' '/^model name/ { n = $2 } /^cpu family/ { f = $2 } /^model\t/ { m = $2 }
    END { printf "%s (family %s, model %s)", n, f, m }' /proc/cpuinfo)
  jq -n --arg bench "$BENCH" --arg cpu "$cpu" --argjson cpus "$(nproc)" --arg kernel "$(uname -r)" \
    --arg load "$(cut -d' ' -f1 /proc/loadavg)" --arg placement "$1" '{bench: $bench, cpu: $cpu, cpus: $cpus,
     kernel: $kernel, load_before: ($load | tonumber), placement: $placement}' >"$LAB/machine.json"
}
machine_text() {
  jq -r '"CPU: \(.cpu), \(.cpus) of them for everything: \(.placement); Linux \(.kernel), load before \(.load_before)"' \
    "$LAB/machine.json"
}
# Rows of $LAB/rows.json with the machine, as one object.
report_json() {
  jq -s --slurpfile machine "$LAB/machine.json" --argjson failed $failed \
    '$machine[0] + {rows: ., passed: ($failed == 0)}' "$LAB/rows.json"
}
# jq functions for tables: three digits, "-" for null.
JQ_CELL='def cell($x): if $x == null then "-" elif ($x | type) == "string" then $x
  elif $x >= 100 then ($x | round | tostring) elif $x >= 10 then ($x * 10 | round / 10 | tostring)
  else ($x * 100 | round / 100 | tostring) end;
def ratio($x; $y): if $x == null or $y == null or $y == 0 then "" else " x\(cell($x / $y))" end;'
