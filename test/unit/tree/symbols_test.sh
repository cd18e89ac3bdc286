#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# What leaves a file and who calls whom, by the symbols of the object files: what no #include shows. Prints
# each name and reference that breaks a rule; exit code 1 when there is one.
#   symbols_test.sh BUILD NAME=FILES...   the build folder, whose archives all are looked at; and parts: libraries, or a
#                                         pattern for object files, quoted
set -u
bad=0
build=$1
shift
names=$(mktemp -d)
trap 'rm -rf "$names"' EXIT

# A name that others could have, too: all are xy_, or babel_ where lib/babel's files share it. Reserved ones are the
# compiler's (sanitizers make some). dlopen is meant to be the one that EAL calls (dataplane/eal.c).
bare() { # reads nm -A --format=posix
  sed -nE 's/^(.*)\]: ([^ ]+) [A-TV-Z]( .*)?$/\1 \2/p' |
    grep -vE ' (xy_|__)[^ ]*$|libxylem\.a.*\bbabel_[a-z]+\.c\.o babel_[^ ]*$|\beal\.c\.o dlopen$'
}
mapfile -t archives < <(find "$build" -name 'lib*.a')
[ ${#archives[@]} -gt 0 ] || exit 2
hits=$(nm -A --format=posix "${archives[@]}" | bare)
[ -z "$hits" ] || {
  echo "external names without xy_ (in lib/babel: babel_), which others could have, too:"
  printf '%s\n' "$hits"
  bad=1
}

# External names, as they are defined and as they are wanted.
for arg in "$@"; do
  for file in ${arg#*=}; do
    nm --format=posix "$file" || exit 2
  done >"$names/all"
  awk 'NF > 1 && $2 ~ /^[TDBRVWC]$/ { print $1 }' "$names/all" | sort -u >"$names/${arg%%=*}.has"
  awk 'NF > 1 && $2 == "U" { print $1 }' "$names/all" | sort -u >"$names/${arg%%=*}.wants"
done

# What FROM refers to that TO defines, but for SYMBOL...
references() { # FROM TO [SYMBOL...]
  [ -s "$names/$1.has" ] && [ -s "$names/$2.has" ] || echo "no-symbols-of-$1-or-$2"
  comm -12 "$names/$1.wants" "$names/$2.has" | grep -vxF -f <(printf '%s\n' '' "${@:3}")
}
apart() { # FROM TO [SYMBOL...]
  local hits
  hits=$(references "$@") || return 0
  echo "$1 refers to $2:"
  printf '%s\n' "$hits"
  bad=1
}

# Neither side knows the other; or the second alone knows the first.
apart links routing
apart routing links
apart routing exchange
apart routing peers
for part in links routing peers; do
  apart far $part
  apart $part far
done
for part in exchange peers routes; do
  for other in exchange peers routes links far routing joining informing; do
    [ $part = $other ] || apart $part $other
  done
done
for part in joining informing; do
  apart links $part
  apart far $part
  apart $part far
  apart routing $part
  apart $part routing
  apart $part exchange
done
# The daemon brings the parts together; none of them, and no worker, knows it.
for part in exchange peers routes links far routing joining informing; do
  apart $part root
  apart dataplane $part
done
apart dataplane root

# The rules must be able to fail: what is there is seen, and let through where it is named.
seen=$(references links exchange)
grep -qx xy_exchange_want <<<"$seen" || bad=1
grep -qx xy_rib_set <<<"$(references routing routes)" || bad=1
mapfile -t seen <<<"$seen"
references links exchange "${seen[@]}" && bad=1
found=$(printf '%s\n' 'lib/libxylem.a[a/babel_pool.c.o]: babel_take T 0 8' 'lib/libxylem.a[a/babel_pool.c.o]: take t 0 8' \
  'lib/libxylem.a[a/babel_pool.c.o]: calloc U         ' 'lib/libxylem.a[a/babel_pool.c.o]: give T 0 8' \
  'lib/libxylem.a[base_map.c.o]: xy_map_init T 0 8' 'lib/libxylem.a[base_map.c.o]: babel_map D 0 8' | bare)
[ "$found" = $'lib/libxylem.a[a/babel_pool.c.o give\nlib/libxylem.a[base_map.c.o babel_map' ] || bad=1
exit $bad
