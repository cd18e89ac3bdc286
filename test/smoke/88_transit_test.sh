#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Light transit: where both ends of a link say so it seals the heads alone of what is sealed from end to end; end to end all is
# sealed as ever, and what is not, whole on the link. One end that says otherwise has its links whole, and a reload changes it.
#
#   a ---- r ---- b
. "$(dirname "$0")/_init.sh"
. "$(dirname "$0")/_mesh.sh"
need "$XYLEMD" "$XYLEM" jq iperf3 tcpdump

make_key a b
export EXTRA_a='transit = "light";' EXTRA_r='transit = "light";' EXTRA_b='transit = "light";'
mesh_link a r
mesh_link r b
mesh_start

suites() { # NODE KIND [PEER]: of sessions that data goes in
  show "$1" sessions | jq -r --arg k "$2" --arg p "${3-}" \
    '[.sessions[] | select(.kind == $k and .use == "current" and ($p == "" or .peer == $p)) | .suite] | unique | join(";")'
}
light() { [[ $(suites "$1" link "$2") == *", light" && $(suites "$1" link "$2") == "$(suites "$2" link "$1")" ]]; }
whole() { [[ $(suites "$1" link "$2") != *light* && $(suites "$1" link "$2") == "$(suites "$2" link "$1")" ]]; }
check_within 30 "all nodes reach each other" all_reach a r b
check_within 30 "a's link with r is light" light a r
check_within 30 "and r's with b" light r b
check "show node says what is chosen" grep -q '^light' <<<"$(show r node | jq -r .transit)"

# What goes by both wires of the relay, behind heads of 64 bytes of datagrams over IPv4: how many are alike, and whether anybody
# reads in them what was sent.
bodies() {
  /usr/bin/python3 - "$LAB/r-to-a.pcap" "$LAB/r-to-b.pcap" "$1" <<'PY'
import struct, sys
def bodies(path):
    data, at, out = open(path, 'rb').read(), 24, []
    while at < len(data):
        size, = struct.unpack('<I', data[at + 8:at + 12])
        out.append(data[at + 16 + 14 + 28 + 16 + 64:at + 16 + size - 16])
        at += 16 + size
    return {b for b in out if len(b) > 700}
near, far = map(bodies, sys.argv[1:3])
if sys.argv[3] == 'alike':
    print(len(near & far))
else:
    print(sum(b'\x5a' * 16 in b for b in near | far))
PY
}
pass_by() { # what is sent meanwhile is in both
  capture r to-a udp port 51820 and greater 800
  capture r to-b udp port 51820 and greater 800
  in_node a ping -q -c 20 -i 0.05 -s 900 -p 5a5a5a5a "${LAB_ADDR[b]}" >/dev/null
  end_capture r to-a
  end_capture r to-b
}
pass_by
check "what is behind the heads is alike on both wires" at_least 10 "$(bodies alike)"
check "and nobody reads it there" same 0 "$(bodies read)"
no_light_inside() { [[ $(suites a 'end to end') != *light* ]]; }
check "end to end all of it is sealed" no_light_inside
check "TCP runs from a to b" flow a b "${LAB_ADDR[b]}" 2
check "no packet was refused" same 0,0,0 "$(drops a bad_tag),$(drops r bad_tag),$(drops b bad_tag)"
check "nor was one light that must not be" same 0,0,0 \
  "$(drops a not_sealed),$(drops r not_sealed),$(drops b not_sealed)"

# --- one of them says otherwise

says() { # HOW NODE
  sed -i "s/transit = \"[a-z]*\";/transit = \"$1\";/" "$LAB/$2.conf"
  "$XYLEM" reload -n "$LAB_PREFIX$2" >/dev/null
}
reset_link() { "$XYLEM" peer reset "$2" -n "$LAB_PREFIX$1" >/dev/null; }
check "b has its links whole" says whole b
check "the link begins anew" reset_link r b
check_within 30 "r's with b is whole" whole r b
check "a's with r stays light" light a r
check_within 10 "all nodes reach each other" all_reach a r b
pass_by
check "now no two are alike" same 0 "$(bodies alike)"
check "a transit that there is not is refused" grep -q 'transit' < <(
  sed 's/transit = "light"/transit = "none"/' "$LAB/a.conf" >"$LAB/bad.conf"
  "$XYLEMD" --check --config "$LAB/bad.conf" 2>&1)
