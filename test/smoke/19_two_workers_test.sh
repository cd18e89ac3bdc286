#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Two workers seal in one session, one of them slowed down; wireguard-go's replay window loses none
# of what they send.
#
#   a (Xylem, 2 workers) ---- p (wireguard-go)
. "$(dirname "$0")/_init.sh"
need "$XYLEMD" "$XYLEM" wireguard-go wg iperf3 taskset
mapfile -t cpus < <(taskset -cp $$ | sed 's/.*: //; s/,/\n/g' | awk -F- '{ for (i = $1; i <= ($2 == "" ? $1 : $2); i++) print i }')
[ "${#cpus[@]}" -ge 2 ] || skip "one CPU only"
fast=${cpus[0]} slow=${cpus[1]}

add_node a p
join a p
make_key a
make_wg_key p
leaf=${LAB_NET[a]}::5
configure a <<END
workers = { count = 2; cpus = [ $fast, $slow ]; };
peers = ( $(leaf_text p "allowed = [ \"$leaf/128\" ];") );
END
start_node a
start_wg p 0 <<<"$(wg_peer a 'Endpoint = 10.9.1.1:51820')"
wg_addr p "$leaf/128" 200::/7
check_within 20 "p pings a" pings p "${LAB_ADDR[a]}"

# The second worker shares its CPU with a loop that goes first.
for task in "/proc/${LAB_PID[a]}"/task/*; do
  if [ "$(taskset -cp "${task##*/}" | sed 's/.*: //')" = "$slow" ]; then
    renice -n 19 -p "${task##*/}" >/dev/null
  fi
done
taskset -c "$slow" sh -c 'while :; do :; done' &
LAB_PIDS+=($!)
hog=$!

sent() { show a workers | jq -r "[.workers[] | .tx] | join(\" \")"; }
read -r one two <<<"$(sent)"
lossless() {
  flow a p "$leaf" 8 -u -b 200K -l 500 -P 8
  flow_result '.end.sum | "\(.packets) datagrams in 8 flows, \(.lost_packets) lost"'
  same 0 "$(flow_result '.end.sum.lost_packets')"
}
check "eight flows without loss" lossless
read -r one_after two_after <<<"$(sent)"
check "the first worker sent" at_least $((one + 100)) "$one_after"
check "the second worker sent" at_least $((two + 100)) "$two_after"
check "in one session" same 1 "$(show a sessions | jq '[.sessions[] | select(.use == "current")] | length')"
check "iperf3 runs towards a, by both workers" flow p a "${LAB_ADDR[a]}" 3 -P 4
kill $hog
