#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Files as people have them: with the line ends and the marks of an editor elsewhere, pasted from a web page, or
# another program's. And all errors of a file at once, by --check, at start and at a reload.
. "$(dirname "$0")/_init.sh"
need "$XYLEMD" "$XYLEM" iconv

add_node n
make_key n p q
good="key_file = \"$LAB/n.key\"; state = \"$LAB/n.state\";
# M$'\303\274'nchen
peers = ( $(peer_text p "${LAB_KEY[p]}") );"
bom=$'\357\273\277'
checks() { "$XYLEMD" --check -c "$LAB/n.conf" >"$LAB/out" 2>&1; }
says() { # REGEX: --check refuses n.conf so
  local code=0
  checks || code=$?
  cat "$LAB/out"
  [ "$code" -eq 1 ] && grep -qE "$1" "$LAB/out"
}

printf '%s%s' "$bom" "$good" >"$LAB/n.conf"
check "a byte order mark, and no newline at the end" checks
sed 's/$/\r/' <<<"$good" >"$LAB/n.conf"
check "line ends of Windows" checks
tr '\n' '\r' <<<"$good"$'\ntun = 1;' >"$LAB/n.conf"
check "a comment does not swallow the rest of a file with lone CRs" says ':4: tun: is an integer'
iconv -t UTF-16 <<<"$good" >"$LAB/n.conf"
check "UTF-16 is told" says 'UTF-16'
sed $'s/ = "/ =\302\240"/' <<<"$good" >"$LAB/n.conf"
check "a no-break space is told" says ':1: a no-break space \(U\+00A0\)'
sed $'s/"\\(p\\)"/\342\200\234\\1\342\200\235/' <<<"$good" >"$LAB/n.conf"
check "quotation marks of print are told" says ':3: a quotation mark of print \(U\+201C\)'
printf '# home\n[Interface]\nPrivateKey = x\n' >"$LAB/n.conf"
check "a config of wg-quick is told" says ':2: is a config of WireGuard'

cp "$LAB/n.key" "$LAB/saved.key"
printf '%s\n' "$good" >"$LAB/n.conf"
(umask 077 && { printf '%s\r\n' "$bom"; sed 's/$/\r/' "$LAB/saved.key"; echo; } >"$LAB/n.key")
check "a key file with a mark, blank lines and CRLF is read" checks
check "and is the same key" same "${LAB_KEY[n]}" "$(xylem pubkey "$LAB/n.key")"

wrong="key_file = \"$LAB/n.key\"; state = \"$LAB/n.state\";
listn = 1;
peers = ( $(peer_text p "${LAB_KEY[p]}" 'endpoints = [ "192.0.2.300:51820", "a..b:1" ];'),
  $(peer_text me "${LAB_KEY[n]}"),
  $(peer_text p "${LAB_KEY[q]}") );"
all=':2: listn
:3: peers.\[0\].endpoints.\[0\]: "192.0.2.300
:3: peers.\[0\].endpoints.\[1\]: "a..b
:4: peer me: this is our own key
:5: peers.\[2\].name: the same name'
all_in() { # FILE [FROM]
  local line
  while read -r line; do
    tail -n "+${2:-1}" "$1" | grep -qE "n\.conf$line" || { echo "not said: $line"; return 1; }
  done <<<"$all"
}
printf '%s\n' "$wrong" >"$LAB/n.conf"
check "--check finds errors" says ':2: listn'
check "all of them" all_in "$LAB/out"
check "and no other" same 5 "$(wc -l <"$LAB/out")"
code=0
in_node n timeout 20 "$XYLEMD" -n n -c "$LAB/n.conf" >"$LAB/start.log" 2>&1 || code=$?
check "a start with them fails for good" same 78 "$code" # the unit does not try again
check "and says all of them" all_in "$LAB/start.log"

configure n <<<"peers = ( $(peer_text p "${LAB_KEY[p]}" 'endpoint = "[fe80::1%nosuch0]:1";') );"
check "an interface that is not there is a warning" checks
check "with its name" grep -q 'warning: .*no interface nosuch0' "$LAB/out"
configure n <<<"peers = ( $(peer_text p "${LAB_KEY[p]}") );"
start_node n
lines=$(wc -l <"$LAB/n.log")
printf '%s\n' "$wrong" >"$LAB/n.conf"
kill -HUP "${LAB_PID[n]}"
check_within 20 "a reload says all of them" all_in "$LAB/n.log" $((lines + 1))
check_within 10 "and that the old config stays" grep -q 'the old config stays in force' "$LAB/n.log"
check "which has the peer" same p "$(show n peers | jq -r '.peers[].name')"
check_within 30 "without a peer that comes up, routing says so" grep -q 'routing: no peer came up' "$LAB/n.log"
check_not "and not that neighbours are heard" grep -q 'neighbours are heard' "$LAB/n.log"
