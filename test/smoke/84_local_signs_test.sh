#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# What a host knows of its own links, or is told, makes routing go another way at once, or ask; and
# whoever looks reads one word: show peers, show neighbours, the node's warnings, the log.
#
#       r1
#      /  \
#     a    b      by r1 it costs less
#      \  /
#       r2
. "$(dirname "$0")/_init.sh"
. "$(dirname "$0")/_mesh.sh"
. "$(dirname "$0")/_babel.sh"
need "$XYLEMD" "$XYLEM" jq nft

mesh_link a r1
mesh_link a r2 'cost = 200;' 'cost = 200;'
mesh_link r1 b
mesh_link r2 b '' 'cost = 200;'
mesh_start

by() { goes_by a b "$1" && goes_by b a "$1"; }
# Whatever it is called: in each place the same. The log says of each peer one thing in ten seconds.
words() { # NODE PEER WORD TEXT-OF-WARNING [TEXT-OF-LOG]
  [ "$(peer "$1" "$2" state)" = "$3" ] && [ "$(neighbour "$1" "$2" state)" = "$3" ] &&
    show "$1" node | jq -e --arg text "$2 $4" '.warnings[] | select(contains($text))' >/dev/null &&
    { [ $# -lt 5 ] || grep -q "peer $2$5" "$LAB/$1.log"; }
}
# No word stands where the others do not, but for a second.
words_agree() { # as words
  wait_for 20 state_is "$1" "$2" "$3" && wait_for 2 words "$@"
}
state_is() { [ "$(neighbour "$1" "$2" state)" = "$3" ]; }
no_warnings() { show "$1" node | jq -e '.warnings == []' >/dev/null; }
silences() { neighbour "$1" "$2" silences; }
settle() { # both ways as they were
  check_within 60 "$1" by r1
  check_within 60 "and nothing is warned of" no_warnings a
}

check_within 60 "all reach each other" all_reach "${MESH[@]}"
check_within 60 "a and b speak by r1" by r1

before=$(silences a r1)
ip -n a link set to-r1 down
check_within 10 "a's interface is down: it goes by r2" by r2
check "the words are the same: no way" words_agree a r1 'no way' 'cannot be reached' ': this host has no way'
check "nobody had to be asked" same "$before" "$(silences a r1)"
check "r1 has no carrier there, and says so" words_agree r1 a 'no way' 'cannot be reached' ': this host has no way'
mend a r1
settle "it is back"

ip -n a addr flush dev to-r1 scope global
check_within 10 "a loses its address there: it goes by r2" by r2
check "no way" words_agree a r1 'no way' 'cannot be reached'
mend a r1
settle "it has it again"

before="$(silences a r1) $(silences b r1)"
spawn a /dev/null ping -n -q -i 0.05 "${LAB_ADDR[b]}"
flow=$LAB_SPAWNED
stop_node r1 KILL
check_within 20 "r1 is killed: it goes by r2" by r2
end_process "$flow" INT || true
check "silent, in all places" words_agree a r1 silent 'is silent'
check "and at b" words_agree b r1 silent 'is silent' ' is silent'
read -r before_a before_b <<<"$before"
check "found by asking" same "$((before_a + 1)) $((before_b + 1))" "$(silences a r1) $(silences b r1)"
start_node r1
settle "r1 is there again"

# Without traffic, and without a word: its kernel answers nothing.
in_node a nft 'add table inet cut; add chain inet cut in { type filter hook prerouting priority 0; };
  add rule inet cut in iifname "to-r1" drop;'
check_within 30 "a hears r1 no more, and nobody sends: it goes by r2" by r2
check "silent, in all places" words_agree a r1 silent 'is silent'
check "before three Hellos were missed" test "$(neighbour a r1 hellos)" != 0000
check_within 5 "r1, which hears a, says that a does not hear it" words r1 a 'one way' 'does not hear' ' is heard'
in_node a nft delete table inet cut
settle "it is heard again"
