#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# What docs/ says of a running node: the picture has the graph's nodes and edges, and each drop reason
# that the node knows has its row.
. "$(dirname "$0")/_init.sh"
need "$XYLEMD" "$XYLEM" jq /usr/bin/python3

add_node n
make_key n
configure n <<<''
start_node n
in_picture() {
  local node missing=0
  for node in $(show n graph | jq -r '.nodes[].node' | sort -u | grep -v '^drop_'); do
    grep -q ">$node<" "$TOP/docs/graph.svg" || {
      echo "docs/graph.svg lacks $node"
      missing=1
    }
  done
  return $missing
}
# Reasons for dropping are one box in the picture.
same_edges() {
  diff <("$TOP/test/smoke/_edges.py" "$TOP/docs/graph.svg" | sort -u) \
    <(xylem show graph --dot -n n | sed -nE 's/^ *"([a-z0-9_]+)" -> "([a-z0-9_]+)";$/\1 \2/p' | grep -v ' drop_' | sort -u)
}
in_table() {
  diff <(show n drops | jq -r '.drops[].reason' | sort) \
    <(sed -nE 's/^\| ([a-z0-9_]+) \| .*/\1/p' "$TOP/docs/drops.md" | grep -vx reason | sort)
}
check "docs/graph.svg shows each node of the graph" in_picture
check "and its arrows are the graph's edges" same_edges
check "docs/drops.md lists each drop reason" in_table
check "show graph --dot is a digraph" grep -q '^digraph' <<<"$(xylem show graph --dot -n n)"
check "the example config is what genconf prints" diff <(xylem genconf) "$TOP/config/xylem.conf.example"
