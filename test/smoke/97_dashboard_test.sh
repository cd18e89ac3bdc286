#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# The dashboard in a browser, against a node under traffic: it loads, its numbers are live, each action works and is
# refused to who may not, nothing overflows from phone to wide screen, text has contrast and controls have names,
# hostile names do not become HTML; the daemon away, and back; ten thousand peers and
# a hundred thousand routes.
#   STAGES="act many" test/smoke/97_dashboard_test.sh           some of it
#   PICTURES=docs/pictures test/smoke/97_dashboard_test.sh      makes the pictures of the docs, too
# Outside the lab there is a network: what drives the browser is fetched there, into the build folder.
top=$(cd "$(dirname "$0")/../.." && pwd)
driver=$top/${BUILD:-build}/npm-test
if [ -z "${XY_LAB_INSIDE:-}" ] && [ -x "$(command -v npm)" ] && ! cmp -s "$top/test/smoke/dashboard/package-lock.json" "$driver/package-lock.json"; then
  mkdir -p "$driver"
  cp "$top"/test/smoke/dashboard/package*.json "$driver/"
  (cd "$driver" && npm ci --ignore-scripts --no-audit --no-fund --fetch-retries=1 --fetch-timeout=30000 >npm.log 2>&1) || rm -f "$driver/package-lock.json"
fi
. "$(dirname "$0")/_init.sh"
. "$(dirname "$0")/_mesh.sh"
. "$(dirname "$0")/_web.sh"
need curl jq iperf3 node tshark
export CHROME=${CHROME:-/usr/bin/chromium-headless-shell}
[ -x "$CHROME" ] || skip "no browser here (scripts/install-deps browser installs one)"
[ -e "$driver/package-lock.json" ] || skip "puppeteer-core, axe-core and @grafana/schema are not to be had (npm)"
[ -e "$BUILD/npm/package-lock.json" ] || skip "built without the dashboard (scripts/build with npm)"

unset XYLEM_TEST_NO_RTT
for node in hub berlin paris lyon nice graz; do printf -v "EXTRA_$node" 'node_info = { name = "%s"; neighbours = true; };' "$node"; done
mesh_link hub berlin
mesh_link hub paris
mesh_link berlin lyon
mesh_link paris lyon
mesh_link lyon nice
mesh_link paris graz
# One that is never there, and whose endpoint no route leads to: a fault to be told, and drops.
xylem genkey "$LAB/e.key" >/dev/null
# shellcheck disable=SC2154  # a name in it
MESH_PEERS[hub]+=", $(peer_text oslo "$(xylem pubkey "$LAB/e.key")" 'endpoint = "192.0.2.1:51820";')"
mesh_start
{
  echo secret-of-this-test | "$WEB" --password
  echo 'public = "127.0.0.1:8990";'
} >"$LAB/hub.web.conf"
chmod 640 "$LAB/hub.web.conf"
start_web hub
check_within 60 "hub reaches lyon" pings hub "${LAB_ADDR[lyon]}"

mkdir -p "$LAB/browser" "$LAB/home"
cp "$TOP"/test/smoke/dashboard/*.mjs "$LAB/browser/"
ln -s "$driver/node_modules" "$LAB/browser/node_modules"
xylem genkey "$LAB/new.key" >/dev/null
export BASE=http://127.0.0.1:8989 PUBLIC=http://127.0.0.1:8990 PASSWORD=secret-of-this-test FLAGS=$LAB
export FAR=${LAB_ADDR[lyon]} HOME=$LAB/home
KEY=$(xylem pubkey "$LAB/new.key")
export KEY SHOW="show() { what=\$1; shift; '$XYLEM' show \"\$what\" \"\$@\" -n ${LAB_PREFIX}hub; }; show"
drive() { # STAGE: in its namespace, for its loopback
  timeout -k 5 300 nsenter --net="/run/netns/${LAB_PREFIX}${2:-hub}" -- node "$LAB/browser/drive.mjs" "$1"
}
wanted() { [[ -z ${STAGES:-} || " $STAGES " == *" $1 "* ]]; }
stage() { # STAGE WHAT [NODE]
  local out code=0
  wanted "$1" || return 0
  out=$(drive "$1" "${3:-hub}" 2>&1) || code=$?
  grep '^#' <<<"$out" || true
  [ $code -eq 0 ] || {
    printf '%s\n' "$out" | sed 's/^/  | /'
    [ -z "${PICTURES:-}" ] || cp "$LAB"/failed-*.png "$PICTURES/" 2>/dev/null || true
    fail "$2"
  }
  echo "ok - $TEST: $2"
}

# --- that of Grafana, by Grafana's own schema; and one that is broken, which must be seen
grafana() { timeout 120 node "$LAB/browser/grafana.mjs" "$1" 2>&1; }
if wanted grafana; then
  jq '.panels[1].options.colorMode = 7' "$TOP/config/grafana/xylem.json" >"$LAB/broken.json"
  check "the dashboard for Grafana is as its schema says" same "" "$(grafana "$TOP/config/grafana/xylem.json")"
  check "one that is not is seen" grep -q 'panel 2 "Daemon", options' <<<"$(grafana "$LAB/broken.json")"
fi

stage login "a wrong password is told, the right one leads in, for other tabs too"
! wanted live || start_flow lyon hub "${LAB_ADDR[hub]}" 240 -b 20M
for i in {1..100}; do # a log of several pages
  xylem set peer berlin cost $((96 + i % 2)) -n "${LAB_PREFIX}hub" >/dev/null
done
xylem set peer berlin cost default -n "${LAB_PREFIX}hub" >/dev/null
stage live "numbers of all views are live under traffic"
stage tabs "tabs share one stream"
stage views "no overflow, contrast, names, headings, nothing that axe-core finds, in all views at 360, 768 and 1920, light and dark"
stage keys "by the keyboard alone"
[ -z "${PICTURES:-}" ] || stage pictures "pictures for the docs"
stage act "each action asks, does, and says so"
stage tools "ping, check and capture"
if [ -e "$LAB/xylem-berlin.pcapng" ]; then
  check "what was captured is read by others" test "$(tshark -n -r "$LAB/xylem-berlin.pcapng" 2>/dev/null | wc -l)" -gt 0
fi
stage hostile "hostile words are text, in all views"
if [ -e "$LAB/leaf.conf" ] && command -v zbarimg >/dev/null; then
  check "the QR code is the config" same "$(cat "$LAB/leaf.conf")" "$(zbarimg -q --raw "$LAB/qr.png" 2>/dev/null)"
fi
stage readonly "who may only read is told why, and sees nothing private"
! wanted live || {
  kill "$LAB_FLOW" 2>/dev/null || true
  end_process "$LAB_FLOW_SERVER" || true
}

# --- the daemon's end and return, and that of xylem-web
restarts() {
  rm -f "$LAB"/{open,away,back,lost}
  (
    trap - ERR
    code=0
    drive restart >"$LAB/restart.out" 2>&1 || code=$?
    [ -z "${PICTURES:-}" ] || cp "$LAB"/failed-*.png "$PICTURES/" 2>/dev/null || true
    exit $code
  ) &
  driver_pid=$!
  wait_for 60 test -e "$LAB/open"
  stop_node hub KILL
  wait_for 90 test -e "$LAB/away" || true
  start_node hub
  wait_for 120 test -e "$LAB/back" || true
  end_process "${WEB_PID[hub]}" || true
  wait_for 90 test -e "$LAB/lost" || true
  start_web hub
  local code=0
  wait "$driver_pid" || code=$? # not in a check: that is a shell of its own, whose child it is not
  [ $code -eq 0 ] || sed 's/^/  | /' "$LAB/restart.out"
  check "the daemon away, the connection lost: it says so, and comes back" test $code -eq 0
  grep '^#' "$LAB/restart.out" || true
}
! wanted restart || restarts
end_process "${WEB_PID[hub]}" || true

# --- many
add_node m
make_key m
{
  echo "max_peers = 10001; max_routes = 120000; peers = ( $(many_peers_text 10000) );"
  awk 'BEGIN {
    printf "routes = ( "
    for (i = 0; i < 100000; i++) printf "%s{ prefix = \"2001:db8:%x:%x::/64\"; peer = \"p%d\"; }\n", i ? "," : "", int(i / 65536), i % 65536, i % 50
    print ");"
  }'
} | configure m
start_node m >"$LAB/slow" || check_within 200 "the node with all that is up" show m node
cp "$LAB/hub.web.conf" "$LAB/m.web.conf"
start_web m
stage many "ten thousand peers: those in sight at once, others when looked for" m
stage routes "a hundred thousand routes: those in sight at once, any of them when looked for" m
end_process "${WEB_PID[m]}" || true
stop_node m KILL
