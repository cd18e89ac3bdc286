#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Docs that can drift: generated pages are fresh, records of benchmarks whole, links lead somewhere, the example config is what
# the command prints, and the picture shows the graph's nodes.
#   XYLEM=build/xylem docs_test.sh      checks the example config against that program too
set -u
cd "$(dirname "$0")/../../.." || exit 2
bad=0
fail() {
  echo "$*"
  bad=1
}

scripts/gen-docs --check || bad=1

# Records of benchmarks: each as it was written, their plots and their summary.
test/bench/record.py check || bad=1

# The picture of the graph: each node that the code registers is a word in it.
while IFS= read -r node; do
  grep -q ">$node<" docs/graph.svg || fail "docs/graph.svg: node $node is missing"
done < <(grep -rhoE '\.name = "[a-z0-9_]+"' dataplane/graph dataplane/port dataplane/host |
  sed 's/.*"\(.*\)"/\1/' | sort -u)

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
