#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# The main job: a and b talk through the relay r.
#
#   a --(IPv4)-- r --(IPv6)-- b
. "$(dirname "$0")/_init.sh"
need "$XYLEMD" "$XYLEM" iperf3 jq traceroute

relay_lab
check_within 20 "a pings b through r" pings a "${LAB_ADDR[b]}"
check "b pings a" pings b "${LAB_ADDR[a]}"
check "a pings r" pings a "${LAB_ADDR[r]}"
check "r shows both peers up" test "$(peer r a state),$(peer r b state)" = up,up

hops=$(in_node a traceroute -6 -n -q 2 -w 3 -m 5 "${LAB_ADDR[b]}" | awk 'NR > 1 { print $2 }' | paste -sd,)
check "traceroute shows r, then b" same "${LAB_ADDR[r]},${LAB_ADDR[b]}" "$hops"

before=$(peer r b tx_packets)
check "iperf3 runs from a to b" flow a b "${LAB_ADDR[b]}" 3
echo "TCP through the relay, all on this machine: $(flow_result '.end.sum_received.bits_per_second / 1e6 | floor') Mbit/s"
check "r counts what it carried" at_least $((before + 100)) "$(peer r b tx_packets)"
check "iperf3 runs from b to a" flow b a "${LAB_ADDR[a]}" 2
check "UDP runs, too" flow a b "${LAB_ADDR[b]}" 2 -u -b 5M -l 1200

for what in node peers workers graph drops ports routes sessions; do
  check "xylem show $what prints a table" test -n "$(xylem show $what -n r)"
  check "and JSON" jq -e . <<<"$(show r $what)"
done
says() { # PREFIX WORDS: of a route that r has not
  local code=0
  xylem show route "$1" -n r >"$LAB/out" 2>&1 || code=$?
  cat "$LAB/out"
  [ $code -eq 1 ] && grep -qF "$2" "$LAB/out"
}
check "a route that is nowhere is said" says 2001:db8::/32 'none that holds it'
check "so is one that packets follow instead" says "${LAB_NET[b]}::1/128" "xylem show route ${LAB_NET[b]}::/64"
check "and what lies inside" says 200::/7 'what lies in it'
check "host bits are told" says 2001:db8::1/32 'ask for 2001:db8::/32'
check "an address has its route" same "${LAB_NET[b]}::/64" "$(show r route "${LAB_ADDR[b]}" | jq -r .match)"

# A title is the JSON key in words, but for a unit that the value shows.
untitled() { # WHAT LIST: titles of the table that are no keys of the list's entries ("": of the reply)
  local keys title titles
  if [ -n "$2" ]; then
    keys=$(show r "$1" | jq -r ".$2[] | keys[]")
    titles=$(xylem show "$1" -n r | sed -n '1s/^ *//p' | sed 's/  \+/\n/g')
  else
    keys=$(show r "$1" | jq -r 'keys[]')
    titles=$(xylem show "$1" -n r | sed '/^$/,$d; s/  .*//')
  fi
  [ -n "$titles" ] || echo "no table"
  while read -r title; do
    title=${title,,}
    grep -qxE "${title// /_}(_us|_bytes)?" <<<"$keys" || echo "$title"
  done <<<"$titles"
}
for what in 'node ' 'peers peers' 'workers workers' 'graph nodes' 'drops drops' 'ports ports' 'routes routes' 'sessions sessions' \
  'neighbours neighbours' 'routing '; do
  check "show ${what% *}: its titles are the keys of --json" same '' "$(untitled "${what% *}" "${what#* }")"
done

undocumented() { # WHAT LIST: keys that docs/wire-format.md does not have
  local row key
  row=$(grep -F "| \`/xylem/$1" "$TOP/docs/wire-format.md" | head -n 1)
  for key in $(show r "$1" | jq -r "keys[], (.$2 // [] | .[0], .[-1] | objects) | if type == \"object\" then keys[] else . end" | sort -u); do
    [ "$key" = next ] || grep -qw "$key" <<<"$row" || echo "$key"
  done
}
for what in 'node joining' 'peers peers' 'workers workers' 'graph nodes' 'drops drops' 'ports ports' 'routes routes' 'sessions sessions' \
  'neighbours neighbours' 'routing none'; do
  check "docs/wire-format.md has the keys of ${what% *}" same '' "$(undocumented "${what% *}" "${what#* }")"
done

check "nothing is held at r" same 0 "$(show r workers | jq '[.workers[].held] | add')"
