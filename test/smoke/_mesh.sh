# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash
# Meshes whose nodes know their neighbours alone. Sourced after _init.sh. Metrics are the links' costs
# alone: the tests assert who goes where, on however busy a machine.
export XYLEM_TEST_NO_RTT=1

declare -A MESH_PEERS=() # NODE: its entries of peers
declare -A MESH_WIRE=()  # A-B: number of the wire
MESH=()                  # all nodes

# mesh_link A B [SETTINGS OF B AT A [SETTINGS OF A AT B]]: a wire, and A is told where B is.
mesh_link() {
  local a=$1 b=$2 node
  for node in "$a" "$b"; do
    [[ " ${MESH[*]:-} " == *" $node "* ]] && continue
    MESH+=("$node")
    add_node "$node"
    make_key "$node"
  done
  join "$a" "$b"
  MESH_WIRE[$a-$b]=$LAB_LINKS
  MESH_PEERS[$a]+="${MESH_PEERS[$a]:+, }$(peer_text "$b" "${LAB_KEY[$b]}" \
    "endpoint = \"10.9.$LAB_LINKS.2:51820\"; ${3:-}")"
  MESH_PEERS[$b]+="${MESH_PEERS[$b]:+, }$(peer_text "$a" "${LAB_KEY[$a]}" "${4:-}")"
}
# mesh_start: a Xylem node in each; further lines of a config are in EXTRA_NODE.
mesh_start() {
  local node extra
  for node in "${MESH[@]}"; do
    extra=EXTRA_$node
    configure "$node" <<<"peers = ( ${MESH_PEERS[$node]} ); ${!extra:-}"
    start_node "$node"
  done
}

# all_reach NODE...: each of them pings each other; says who does not.
all_reach() {
  local from to
  for from in "$@"; do
    for to in "$@"; do
      [ "$from" = "$to" ] || pings "$from" "${LAB_ADDR[$to]}" >/dev/null || {
        echo "$from does not reach $to"
        return 1
      }
    done
  done
}
# route_to NODE TO FIELD: of the route that NODE's packets to TO take.
route_to() {
  show "$1" routes | jq -r --arg prefix "${LAB_NET[$2]}::/64" \
    ".routes[] | select(.prefix == \$prefix) | .$3"
}
goes_by() { # NODE TO NEXT-HOP
  [ "$(route_to "$1" "$2" peer)" = "$3" ]
}
metric_is() { # NODE TO METRIC
  [ "$(route_to "$1" "$2" metric)" = "$3" ]
}
cut() { ip -n "$LAB_PREFIX$1" link set "to-$2" down; }
mend() { # A B: the addresses that a card loses when it goes down, too
  local n=${MESH_WIRE[$1-$2]}
  set_wire "$1" "to-$2" "10.9.$n.1/24" "fd09:$n::1/64" 2>/dev/null ||
    ip -n "$LAB_PREFIX$1" link set "to-$2" up
}
