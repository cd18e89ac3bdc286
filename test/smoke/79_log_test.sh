#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# The log: as text, JSON and to a journal, which comes late and goes; levels by subsystem, from the config, by a command
# and by a reload; each change of a link and a neighbour, with their names; and no secret at any level.
#
#   a --- b
. "$(dirname "$0")/_init.sh"
. "$(dirname "$0")/_mesh.sh"
. "$(dirname "$0")/_steer.sh"
need "$XYLEMD" "$XYLEM" jq python3

secret=$(wg genpsk)
psk=$(wg genpsk)
mesh_link a b "psk = \"$psk\";" "psk = \"$psk\";"
EXTRA_a="network_secret = \"$secret\"; log = { level = \"debug\"; format = \"json\"; };"
EXTRA_b="network_secret = \"$secret\"; log = { levels = { routing = \"debug\"; }; format = \"journald\"; };"

# What comes to the journal, as journald reads it: one JSON object a datagram.
cat >"$LAB/journal.py" <<'PY'
import json, os, socket, sys
os.makedirs("/run/systemd/journal", exist_ok=True)
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind("/run/systemd/journal/socket")
while True:
    data, fields = s.recv(1 << 16), {}
    while data:
        name, _, data = data.partition(b"\n")
        if b"=" in name:
            name, _, value = name.partition(b"=")
        else:
            size = int.from_bytes(data[:8], "little")
            value, data = data[8 : 8 + size], data[8 + size :]
            assert data[:1] == b"\n"
            data = data[1:]
        fields[name.decode()] = value.decode(errors="replace")
    print(json.dumps(fields), file=sys.stdout, flush=True)
PY
journal_has() { jq -e -s "any(.[]; $1)" "$LAB/journal" >/dev/null; } # CONDITION
a_has() { jq -e -s "any(.[]; $1)" "$LAB/a.log" >/dev/null; }

mesh_start
check_within 20 "they reach each other" all_reach a b

# --- JSON
check "a's log is JSON, line by line" jq -es 'all(.[]; (.ts | test("^[0-9-]+T[0-9:.]+Z$")) and .level and .subsystem and .msg)' "$LAB/a.log"
check_within 10 "the link" a_has '.subsystem == "links" and .peer == "b" and .level == "info" and (.msg | startswith("peer b: up"))'
check_within 10 "the neighbour" a_has '.subsystem == "routing" and .peer == "b" and (.msg | endswith("is heard, and used"))'
check "the ready line has version and ports" a_has '.msg | test("^ready: .*version [0-9.]+, ports: socket \\[::\\]:51820$")'

# --- the journal
check "without a journal the log is here, after a word" grep -q 'warn: daemon: log.format is "journald", and .* takes nothing' "$LAB/b.log"
check "once" test "$(grep -c 'takes nothing' "$LAB/b.log")" = 1
spawn b "$LAB/journal" python3 "$LAB/journal.py"
check_within 10 "the journal comes" test -S /run/systemd/journal/socket
cut a b
check_within 40 "the neighbour is lost, in b's journal, with fields" journal_has \
  '.XYLEM_SUBSYSTEM == "routing" and .XYLEM_PEER == "a" and .PRIORITY == "4" and .SYSLOG_IDENTIFIER == "xylemd" and (.MESSAGE | startswith("routing: peer a"))'
check_within 40 "and in a's" a_has '.subsystem == "routing" and .peer == "b" and .level == "warn" and (.msg | endswith("not used until there is one") or endswith("not used until it is heard again"))'
mend a b
check_within 40 "found again" a_has '.peer == "b" and (.msg | endswith("is heard again, and used"))'
lines=$(wc -l <"$LAB/b.log")

# --- levels
debug() { jq -es --arg s "$1" 'any(.[]; .XYLEM_SUBSYSTEM == $s and .PRIORITY == "7")' "$LAB/journal"; } # SUBSYSTEM
check "one subsystem, by a command" told 'log level links debug' 0 b log level links debug
check "which is in the journal, with who asked" journal_has ".XYLEM_SUBSYSTEM == \"control\" and (.MESSAGE | test(\"\\\\(uid $(id -u), pid [0-9]+\\\\): log level links debug\"))"
check "by an abbreviation" told 'log level confinement error' 0 b log level conf error
check "shown" sh -c "'$XYLEM' show config -n ${LAB_PREFIX}b | grep -q 'log.levels.links.*debug'"
check "all" told 'log level warn' 0 b log level warn
check "no such subsystem" told 'subsystem: "lynks" is none of daemon, links, routing' 1 b log level lynks debug
check "no such level" told 'level: write error, warn, info or debug' 1 b log level links loud
check "too many words" told 'write: xylem log level [SUBSYSTEM]' 2 b log level links debug now
check "put into the config" told 'written' 0 b config write
check "where it is" grep -q 'levels = { links = "debug"; confinement = "error"; routing = "debug"; }' "$LAB/b.conf"
check "and taken from there" told '' 0 b reload
check "so nothing is of run time" sh -c "! '$XYLEM' show config -n ${LAB_PREFIX}b | grep -q 'log.level'"
check "back to what the config says" told 'log level warn' 0 b log level default

# --- a reload
sed -i 's/format = "journald"/format = "text"/; s/level = "warn"/level = "info"/' "$LAB/b.conf"
check "a format by a reload" told '' 0 b reload
check_within 5 "is here again" sh -c "tail -n +$((lines + 1)) '$LAB/b.log' | grep -q 'info: daemon: reloaded'"
sed -i 's/format = "text"/format = "syslog"/' "$LAB/b.conf"
check "a format that is none is refused, with its line" told 'log.format: "syslog" is none of "text", "json", "journald"; write one of these' 1 b reload
sed -i 's/format = "syslog"/format = "text"/; s/links = /lonks = /' "$LAB/b.conf"
check "a subsystem that is none, too" told 'log.levels.lonks: unknown key; did you mean `links`?' 1 b reload
check "in the log it is as before" grep -q 'error: daemon: .*lonks' "$LAB/b.log"

# --- the last lines, from the daemon itself
for ((i = 0; i < 70; i++)); do
  steer a log level state info >"$SAID" # each is a line
done
steer a show log --json >"$LAB/kept"
steer b show log --json >>"$LAB/kept"
check "a's are numbered, and as in its log" jq -es '.[0].lines | length > 64 and . == (sort_by(.seq) | unique_by(.seq)) and
  all(.[]; (.time | test("^[0-9-]+T[0-9:.]+Z$")) and .level and .subsystem) and any(.[]; .subsystem == "links" and (.text | startswith("peer b: up")))' "$LAB/kept"
check "b's too, whatever went to a journal" jq -es '.[1] | any(.lines[]; .level == "warn" and (.text | startswith("routing: peer a"))) and .next == null and .newest == .lines[-1].seq' "$LAB/kept"
check "in lines of 80 columns" sh -c "'$XYLEM' show log -n ${LAB_PREFIX}a | awk 'length > 80 { exit 1 } END { exit NR < 65 }'"
check "by level" sh -c "'$XYLEM' show log --level warn --json -n ${LAB_PREFIX}b | jq -e '.lines | length > 0 and all(.level == \"warn\" or .level == \"error\")'"
after() { # NODE SEQ: what its telemetry socket says
  in_node "$1" python3 -c 'import socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
s.connect(sys.argv[1])
s.recv(1 << 20)
s.send(b"/xylem/log," + sys.argv[2].encode())
print(s.recv(1 << 20).decode())' "${XDG_RUNTIME_DIR:-/run}/xylem/$LAB_PREFIX$1/telemetry" "$2"
}
third=$(jq -rs '.[0].lines[2].seq' "$LAB/kept")
check "behind a number" same "$((third + 1))" "$(after a "$third" | jq -r '.[].lines[0].seq')"
check "a page at a time" same "64 $((third + 64))" "$(after a "$third" | jq -r '.[] | "\(.lines | length) \(.next)"')"
check "a number that is none" sh -c "jq -e '.[].error | test(\"no line.s number\")' <<'E'
$(after a '12,"x"')
E"

# --- secrets
for what in "$secret" "$psk" "$(sed 's/^xylem-key-v1://' "$LAB/a.key")" "$(sed 's/^xylem-key-v1://' "$LAB/b.key")"; do
  check_not "no secret in any log" grep -rqF -- "$what" "$LAB/a.log" "$LAB/b.log" "$LAB/journal" "$LAB/kept" "$SAID"
done

# --- who looks on sees a restart, and what came before is behind it
spawn b "$LAB/followed" "$XYLEM" show log -w 0.2 --json -n "${LAB_PREFIX}b"
follows() { grep '^{' "$LAB/followed" | jq -es "$1" >/dev/null; } # CONDITION
check_within 10 "from the first that is kept" follows "length >= $(jq -s '.[1].lines | length' "$LAB/kept")"
sed -i 's/lonks = /links = /' "$LAB/b.conf"
stop_node b
start_node b
check_within 20 "and over a restart, with larger numbers" follows '(map(.text | startswith("ready: ")) | index(true)) as $first
  | (.[$first + 1:] | any(.text | startswith("ready: "))) and . == sort_by(.seq)'
check "which it says, once" test "$(grep -c 'it is asked again' "$LAB/followed")" = 1
finish
