#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# tshark's dissector takes our Babel for Babel: a simulated network's packets, signed routes and all,
# with each kind of message, and nothing that it complains of.
. "$(dirname "$0")/_init.sh"
need "$BUILD/test/sim/babel_sim" tshark

check "a network of eight nodes" "$BUILD/test/sim/babel_sim" --seeds 3 --nodes 8-8 --pcap "$LAB/babel.pcap"
dissect() { # FILTER FIELD
  tshark -n -o udp.check_checksum:TRUE -r "$LAB/babel.pcap" -Y "$1" -T fields -e "$2" -E occurrence=a -E aggregator=' ' 2>/dev/null
}
kinds() { dissect babel "$1" | tr ' ' '\n' | grep . | sort -nu | tr '\n' ' '; }
total=$(dissect frame frame.number | wc -l)
check "hundreds of packets" at_least 500 "$total"
check "all of them Babel, version 2" same "$total" "$(dissect 'babel.magic == 42 && babel.version == 2' frame.number | wc -l)"
check "none malformed, none with a wrong checksum, no other complaint" same '' "$(dissect '_ws.malformed || _ws.expert' frame.number)"
# RFC 8966 section 4.6: Acknowledgment Request 2, Acknowledgment 3, Hello 4, IHU 5, Router-Id 6, Next Hop 7,
# Update 8, Route Request 9, Seqno Request 10; padding is never sent, next hops only where there is IPv4.
check "each kind of message" same '2 3 4 5 6 8 9 10 ' "$(kinds babel.message.type)"
# Without RFC 9616's timestamps: tshark 4.0 reads beyond the one of an IHU, and finds babeld's own malformed, too.
check "signed origins" same '112 ' "$(kinds babel.subtlv.type)"
check "version, flags, epoch, key and signature: 102 bytes" same '102 ' "$(kinds babel.subtlv.length)"
