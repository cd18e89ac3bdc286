#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# No source file of a library needs one that needs it, by whatever way round: by the symbols of its
# objects. Prints a circle as tsort finds it; exit code 1 when there is one.
#   circles_test.sh ARCHIVE [FILE:FILE...]      needs that are allowed, to end circles that must be. ARCHIVE may be a
#                                               pattern for object files, quoted
set -u
archive=$1
shift

# Lines "OBJECT TYPE SYMBOL" in; lines "OBJECT OBJECT", who needs whom, out.
needs() {
  awk '$2 ~ /^[TDBRCV]$/ { home[$3] = $1 }
       $2 == "U" { want[$1 " " $3] }
       END { for (w in want) {
               split(w, at, " ")
               if (at[2] in home && home[at[2]] != at[1]) print at[1], home[at[2]]
             } }' | sort -u
}
# Lines "OBJECT OBJECT" in; true when none of them is in a circle.
straight() { ! tsort 2>&1 >/dev/null | grep .; }

printf '%s\n' 'a T f' 'a U g' 'b T g' 'b U h' 'c T h' | needs | straight >/dev/null ||
  { echo "what is straight was taken for a circle"; exit 1; }
printf '%s\n' 'a T f' 'a U g' 'b T g' 'b U h' 'c T h' 'c U f' | needs | straight >/dev/null &&
  { echo "a circle was not seen"; exit 1; }

# [ARCHIVE:]FOLDER/FILE.c.o:ADDRESS TYPE SYMBOL
# shellcheck disable=SC2086 # a pattern
list=$(nm -A $archive | sed -E 's/^([^:]*:)?([^:]*\/)?([^:\/]*)\.c\.o: *[0-9a-f]* ([A-Za-z]) /\3 \4 /' | needs)
[ "$(wc -l <<<"$list")" -ge 10 ] || { echo "$archive: hardly a file needs another: is nm read right?"; exit 1; }
for allowed in "$@"; do
  grep -qx "${allowed/:/ }" <<<"$list" || { echo "$allowed is allowed, but not there any more"; exit 1; }
  list=$(grep -vx "${allowed/:/ }" <<<"$list")
done
straight <<<"$list"
