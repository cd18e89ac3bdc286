#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Docs that can drift: generated pages are fresh, links lead somewhere, the example config is what
# the command prints, and the picture shows the graph's nodes.
#   XYLEM=build/xylem docs_test.sh      checks the example config against that program too
set -u
cd "$(dirname "$0")/../.." || exit 2
bad=0
fail() {
  echo "$*"
  bad=1
}

scripts/gen-docs --check || bad=1

# The picture of the graph: each node that the code registers is a word in it.
for node in $(grep -rhoE '^[[:space:]]*\.name = "xy_[a-z0-9_]+"' dataplane/graph dataplane 2>/dev/null |
  grep -oE 'xy_[a-z0-9_]+' | sort -u); do
  case $node in xy_drop_*) continue ;; esac
  grep -qE ">${node#xy_}<" docs/graph.svg || fail "docs/graph.svg: node ${node#xy_} is missing"
done

if [ -n "${XYLEM:-}" ]; then
  "$XYLEM" genconf | cmp - config/xylem.conf.example ||
    fail "config/xylem.conf.example is stale: xylem genconf > config/xylem.conf.example"
fi

while IFS= read -r file; do
  while IFS= read -r link; do
    case $link in *://* | '#'* | mailto:*) continue ;; esac
    [ -e "$(dirname "$file")/${link%%#*}" ] || fail "$file: link to $link leads nowhere"
  done < <(grep -oE '\]\([^) ]+\)' "$file" | sed 's/^](//; s/)$//')
done < <(find . -path './build*' -prune -o -name '*.md' -print)
exit $bad
