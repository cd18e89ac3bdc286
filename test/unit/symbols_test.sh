#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Who calls whom, by the symbols of the object files: what no #include shows. Prints each reference
# that breaks a rule; exit code 1 when there is one.
#   symbols_test.sh NAME=FILES...       libraries, or a pattern for object files, quoted
set -u
bad=0
names=$(mktemp -d)
trap 'rm -rf "$names"' EXIT

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
for part in exchange routes; do
  for other in exchange routes links routing joining informing; do
    [ $part = $other ] || apart $part $other
  done
done
for part in joining informing; do
  apart links $part
  apart routing $part
  apart $part routing
  apart $part exchange
done
# The daemon brings the parts together; none of them, and no worker, knows it.
for part in exchange routes links routing joining informing; do
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
exit $bad
