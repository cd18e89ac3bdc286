#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# What is counted is told: each member of the structs by which the dataplane, Babel, links and the
# kernel say how they are is read by a maker in controlplane/show, or stands below with a reason why
# not; and each field of the list is filled in there. A counter that nobody can see fails here.
#   counters_test.sh [FOLDER]      default: this tree (a test of the test gives another)
set -u
self=$(realpath "$0")
cd "${1:-$(dirname "$self")/../../..}" || exit 2
bad=0

# members STRUCT HEADER: names, a line each. Those that a list makes (X) are in the list of fields.
members() {
  sed -E 's://.*$::' "$2" | awk -v head="struct $1 {" '
    index($0, head) == 1 { on = 1; next }
    on && /^};/ { exit }
    on && !/^[[:space:]]*#/ && !/XY_[A-Z_]*\(X\)/ { print }' |
    tr '\n' ' ' | sed 's/\[[^]]*\]//g' | tr ';,' '\n\n' | grep -oE '[a-z_0-9]+[[:space:]]*$' | tr -d ' \t'
}

# What the makers read, and what they fill in.
declare -A read_there=() filled=()
while IFS= read -r name; do read_there[$name]=1; done < <(grep -ohE '(\.|->)[a-z_0-9]+' controlplane/show/*.c | sed 's/.*[.>]//' | sort -u)
while IFS= read -r name; do filled[$name]=1; done < <(grep -ohE '(\.|->)[a-z_0-9]+ = ' controlplane/show/*.c controlplane/fleet/*.c 2>/dev/null | sed 's/.*[.>]//; s/ = $//' | sort -u)

# told STRUCT HEADER [MEMBER...]: those that are named are not for people.
told() {
  local struct=$1 header=$2 name
  shift 2
  [ -n "$(members "$struct" "$header")" ] || {
    echo "$header: struct $struct is not there, or has no members"
    bad=1
  }
  for name in $(members "$struct" "$header"); do
    case " $* " in *" $name "*) continue ;; esac
    [ -n "${read_there[$name]:-}" ] || {
      echo "$header: $struct.$name is told nobody: give it a row in lib/fields/lists.h and a maker in controlplane/show, or name it in $self"
      bad=1
    }
  done
}
DP=dataplane/include/dataplane.h
told xy_dp_port_info $DP may_train trained # in a port's note
told xy_dp_peer_stats $DP rx_any rx_data tx_any tx_data tx_carried # times, for timers
told xy_dp_session_stats $DP rx_any rx_data tx_any tx_data handed_from remote_index tx_used lanes
told xy_dp_worker_stats $DP busy_walks # a share of cycles is
told xy_dp_node_stats $DP
told xy_dp_route_info $DP refused # it is routing's, which says why
told xy_hostlink_counters controlplane/kernel/hostlink.h
told xy_link_info controlplane/links/links.h
told xy_babel_link_info lib/babel/babel.h up aggregate silent left no_acks usable acknowledges probed # in its word, its trouble
told xy_babel_entry lib/babel/babel.h prefix # is what was asked for
told xy_babel_stats lib/babel/babel.h mappings sources claims jobs requests origin_limit steps # of its inside, for the simulator
told xy_routing_info controlplane/routing/routing.h

# Each field of the list is filled in by some maker.
for key in $(sed -nE 's/^[[:space:]]*[XL]\(([a-z_0-9]+),.*/\1/p' lib/fields/lists.h | sort -u); do
  [ -n "${filled[$key]:-}" ] || {
    echo "lib/fields/lists.h: $key is filled in nowhere in controlplane/show or fleet"
    bad=1
  }
done

# It must be able to fail: a tree with one counter and one field more.
breaks() (
  tree=$(mktemp -d)
  trap 'rm -rf "$tree"' EXIT
  mkdir -p "$tree"/lib "$tree"/dataplane "$tree"/controlplane
  cp -r lib/babel lib/fields "$tree/lib"
  cp -r dataplane/include "$tree/dataplane"
  cp -r controlplane/{kernel,links,routing,show} "$tree/controlplane"
  "$self" "$tree" >/dev/null || exit 0 # it fails anyhow
  sed -i 's/rx_missed, tx_errors;/rx_missed, tx_errors, rx_odd;/' "$tree/$DP"
  printf '#define XY_FIELDS_ODD(X, L) \\\n\tX(tx_odd, COUNT, COUNTER, 0, "odd")\n' >>"$tree/lib/fields/lists.h"
  out=$("$self" "$tree") && echo "a counter and a field more passed" && exit 1
  for name in xy_dp_port_info.rx_odd tx_odd; do
    grep -q "$name" <<<"$out" || {
      echo "$name was not seen"
      exit 1
    }
  done
)
[ $# -gt 0 ] || breaks || bad=1
exit $bad
