#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Instructions of each node of the graph for a packet, counted by callgrind (count/main.c), beside those in the tree: a node
# that takes 2 % more or fewer fails, by name. What a node calls in other libraries (the cipher, memcpy) is not its own; what
# fills in the cipher's jobs stands by itself, as aead.
#   count.sh PROGRAM           checks; 77: the tree has no counts of this compiler
#   count.sh PROGRAM --table   shows all of them
#   count.sh PROGRAM --renew   writes them into the tree, for a change that was meant: commit that with it
set -eu
program=$(realpath "$1")
how=${2:-check}
case $how in check | --table | --renew) ;; *)
  echo "count: unknown argument '$how'; use --table or --renew" >&2
  exit 2
  ;;
esac
cd "$(dirname "$0")"
key=$("$program" --build)
stored=count/$key.txt
if [ "$how" = check ] && [ ! -f "$stored" ]; then
  echo "no counts of $key; there are: $(basename -s .txt -a count/*.txt | paste -sd' ')"
  exit 77
fi
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
export tmp program

# One load: LOAD, node, instructions for a packet, by tabs.
load() { # LOAD
  local out=$tmp/${1// /_} log=$tmp/log-${1// /_}
  timeout 120 valgrind --tool=callgrind --instr-atstart=no --collect-atstart=no --compress-strings=no --compress-pos=no \
    --callgrind-out-file="$out" "$program" "$1" >"$log" 2>&1 || {
    cat "$log" >&2
    return 1
  }
  awk -v load="$1" -v program="$program" -v packets="$("$program" --packets "$1")" '
    /^desc: Trigger: Client Request: / { node = $NF }
    /^ob=/ { ours = substr($0, 4) == program }
    /^fl=/ { file = substr($0, 4) }
    /^calls=/ { skip = 1; next }
    /^[0-9+*-]/ {
      if (skip || !ours || node == "") { skip = 0; next }
      if (file ~ /\/aead[^\/]*$/) sum["aead"] += $2
      else if (file !~ /\/test\/bench\/(count|relay)\/[^\/]*$/) sum[node] += $2
    }
    ENDFILE { node = "" }
    END { for (node in sum) if (sum[node] / packets >= 0.05) printf "%s\t%s\t%.2f\n", load, node, sum[node] / packets }
  ' "$out".[0-9]* | sort
}
export -f load

"$program" | xargs -d '\n' -P "$(nproc)" -I{} bash -c 'load "{}" >"$tmp/counts-$(tr " " _ <<<"{}")"' ||
  { echo "count: a load was not counted" >&2; exit 1; }
"$program" | while read -r name; do cat "$tmp/counts-${name// /_}"; done >"$tmp/now"

case $how in
--renew)
  cp "$tmp/now" "$stored"
  echo "test/bench/$stored is renewed: commit it with the change, and say why"
  ;;
--table)
  echo "instructions for a packet, $key; aead: what fills in its jobs; cipher and libc are not in them"
  awk -F'\t' '
    !($1 in loads) { loads[$1] = ++n; name[n] = $1 }
    !($2 in nodes) { nodes[$2] = ++m; node[m] = $2 }
    { at[$1, $2] = $3; total[$1] += $3 }
    END {
      for (i = 1; i <= n; i++) {
        printf "%-20s", name[i]
        for (k = 1; k <= m; k++) if ((name[i], node[k]) in at) printf "  %s %.1f", node[k], at[name[i], node[k]]
        printf "  all %.1f\n", total[name[i]]
      }
    }' "$tmp/now"
  ;;
check)
  awk -F'\t' -v key="$key" '
    NR == FNR { before[$1 "\t" $2] = $3; next }
    { now[$1 "\t" $2] = $3; names[$1 "\t" $2] }
    function says(text) {
      if (!bad++) print "instructions for a packet, of " key ":"
      print "  " text
    }
    END {
      for (i in before) names[i]
      for (i in names) {
        split(i, name, "\t")
        b = before[i] + 0; a = now[i] + 0; off = a > b ? a - b : b - a
        if (off <= b * 0.02 || off < 0.02) continue
        if (!(i in before)) says(name[2] " (" name[1] "): " a ", and is new")
        else if (!(i in now)) says(name[2] " (" name[1] "): none, where it had " b)
        else says(sprintf("%s (%s): %s, where it had %s (%+.1f %%)", name[2], name[1], a, b, (a / b - 1) * 100))
      }
      if (!bad) { print "as it was, within 2 %"; exit 0 }
      print "Where that is meant: scripts/bench count --renew, and commit what it writes with the change."
      exit 1
    }' "$stored" "$tmp/now"
  ;;
esac
