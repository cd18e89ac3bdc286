# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash
# nats-servers of a test's own: `. "$(dirname "$0")/_nats.sh"` behind _init.sh. They listen at 4222, and tell of
# themselves at 8222, in nodes of the lab.

FLEETNODE=$BUILD/test/tools/fleetnode
declare -A NATS_PID=()

# nats_config NODE [LINE...]: its server's config; JetStream in a folder of its own.
nats_config() {
  local node=$1
  shift
  {
    echo 'listen: "0.0.0.0:4222"'
    echo 'http: "127.0.0.1:8222"'
    echo "server_name: $node"
    echo "jetstream { store_dir: \"$LAB/$node.js\" }"
    printf '%s\n' "$@"
  } >"$LAB/$node.nats"
}
start_nats() { # NODE
  spawn "$1" "$LAB/$1.nats.log" nats-server -c "$LAB/$1.nats"
  NATS_PID[$1]=$LAB_SPAWNED
}
stop_nats() { # NODE [SIGNAL]
  end_process "${NATS_PID[$1]}" "${2:-KILL}" || true
}
nats_up() { in_node "$1" curl -sf -m 2 http://127.0.0.1:8222/healthz; }
nats_info() { in_node "$1" curl -sf -m 2 'http://127.0.0.1:8222/jsz?streams=true&config=true'; } # NODE: JSON
nats_stream() { # NODE FILTER: of the one stream
  nats_info "$1" | jq -r ".account_details[0].stream_detail[0] | $2"
}
# The server that leads the bucket, as any of these says; fails where none does.
nats_leader() { # NODE...
  local it who
  for it; do
    who=$(nats_stream "$it" '.cluster.leader // ""' 2>/dev/null) || continue
    [ -z "$who" ] || [ "$who" = null ] || {
      echo "$who"
      return
    }
  done
  return 1
}

# A switch, and nodes on it: 10.8.0.N in the order in which they are named.
switch() { # NODE...
  local it n=0
  add_node switch
  ip -n "${LAB_PREFIX}switch" link add bridge0 type bridge
  ip -n "${LAB_PREFIX}switch" link set bridge0 up
  for it; do
    n=$((n + 1))
    add_node "$it"
    ip -n "${LAB_PREFIX}switch" link add "p-$it" type veth peer name eth netns "$LAB_PREFIX$it"
    ip -n "${LAB_PREFIX}switch" link set "p-$it" master bridge0 up
    ip -n "$LAB_PREFIX$it" addr add "10.8.0.$n/24" dev eth
    ip -n "$LAB_PREFIX$it" link set eth up
  done
}
unplug() { ip -n "${LAB_PREFIX}switch" link set "p-$1" down; } # NODE
plug() { ip -n "${LAB_PREFIX}switch" link set "p-$1" up; }

# Three servers s1, s2, s3 that are one cluster, as the first three on the switch.
nats_cluster() {
  local it
  for it in s1 s2 s3; do
    nats_config "$it" 'cluster { name: c, listen: "0.0.0.0:6222", routes: [
      "nats://10.8.0.1:6222", "nats://10.8.0.2:6222", "nats://10.8.0.3:6222" ] }'
    start_nats "$it"
  done
  for it in s1 s2 s3; do wait_for 30 nats_up "$it" || fail "nats-server in $it did not come up"; done
}

# fleetnodes NODE FIRST COUNT [OPTION...]: in NODE; what they see is in $LAB/fleet.
fleetnodes() {
  local node=$1 from=$2 count=$3
  shift 3
  mkdir -p "$LAB/fleet"
  # shellcheck disable=SC2086  # words
  spawn "$node" "$LAB/$node.fleetnode.log" "$FLEETNODE" -f "$from" -n "$count" "$@" "$LAB/fleet" ${NATS_URLS:?}
  FLEET_PIDS+=("$LAB_SPAWNED")
}
FLEET_PIDS=()
# Do nodes 1 to N see the same N nodes, each with the epoch that it has?
agree() { # N
  local i want
  want=$(for ((i = 1; i <= $1; i++)); do cat "$LAB/fleet/own.$i" || exit; done 2>/dev/null | sort)
  [ "$(cut -d' ' -f2 "$LAB/fleet/view.1" | sort)" = "$want" ] || return
  for ((i = 2; i <= $1; i++)); do cmp -s "$LAB/fleet/view.1" "$LAB/fleet/view.$i" || return; done
}
# Has nobody lost anybody?
see_all() { # N
  local i
  for ((i = 1; i <= $1; i++)); do [ "$(wc -l <"$LAB/fleet/view.$i")" = "$1" ] || return; done
}
say_again() { # new records of all
  local pid
  for pid in "${FLEET_PIDS[@]}"; do kill -USR1 "$pid"; done
  sleep 0.3 # for their files to have the new epochs
}

# kv NODE WHAT [KEY]: natskv on the bucket $BUCKET (xylem), by NODE's way to the first of NATS_URLS.
kv() {
  local node=$1
  shift
  in_node "$node" "$BUILD/test/tools/natskv" "${NATS_URLS%% *}" "${BUCKET:-xylem}" "$@"
}
