#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# The package, in a system of its own (systemd-nspawn of a fresh Debian, with a network that leads nowhere): made by
# scripts/package, installed, two instances run and are linked, upgraded, removed, purged. Needs root, systemd-nspawn,
# and about 1 GB; the fresh Debian stays in build-package-root/ for the next run.
set -Eeuo pipefail
export LC_ALL=C.UTF-8
TEST=${0##*/}
TOP=$(cd "$(dirname "$0")/../.." && pwd)
BASE=$TOP/build-package-root/base ROOT=$TOP/build-package-root/root
LOGS=$TOP/build-package-root/logs

skip() {
  echo "skip - $TEST: $*"
  exit 77
}
if [ -z "${XY_PACKAGE_INSIDE:-}" ]; then
  [ "$(id -u)" -eq 0 ] || skip "debootstrap and systemd-nspawn need root"
  for tool in debootstrap systemd-nspawn; do
    command -v $tool >/dev/null || skip "$tool is not installed"
  done
  why=$(unshare --mount --pid --fork --mount-proc true 2>&1) || skip "no mount namespaces here ($why)"
  XY_PACKAGE_INSIDE=1 exec unshare --mount --pid --fork --kill-child --mount-proc bash "$0" "$@"
fi
mount --make-rprivate /
mkdir -p "$LOGS"

fail() {
  echo "not ok - $TEST: $*"
  exit 1
}
# check WHAT COMMAND...: one test; what it said when it fails, which ends the script.
check() {
  local what=$1
  shift
  "$@" >"$LOGS/last" 2>&1 </dev/null || {
    tail -n 40 "$LOGS/last"
    in_system journalctl -n 40 --no-pager 2>/dev/null || true
    fail "$what"
  }
  echo "ok - $TEST: $what"
}
check_within() { # SECONDS WHAT COMMAND...
  local left=$1 what=$2
  shift 2
  until "$@" >/dev/null 2>&1 || [ "$left" -le 0 ]; do
    left=$((left - 1))
    sleep 1
  done
  check "$what" "$@"
}
refuse() { ! "$@"; }


# --- the package

check "the package is made, and lintian is content" "$TOP/scripts/package"
deb=$(echo "$TOP"/build-package/xylem_*_amd64.deb)
version=$(dpkg-deb -f "$deb" Version)
web=$TOP/build-package/xylem-web_${version}_amd64.deb
fleet=$TOP/build-package/xylem-fleet_${version}_amd64.deb
# What of their libraries xylem itself has not: the system has no network when they are installed.
needs=$(for of in "$web" "$fleet"; do dpkg-deb -f "$of" Depends; done | tr ',' '\n' | sed 's/^ *//; s/[ (|].*//' | grep '^lib' | sort -u | paste -sd' ')
# A later version is the same files under another number.
later=$LOGS/later.deb
dpkg-deb -R "$deb" "$LOGS/later"
sed -i "s/^Version: .*/Version: $version+later1/" "$LOGS/later/DEBIAN/control"
dpkg-deb -b "$LOGS/later" "$later" >/dev/null
# An earlier one ran as root, and had no user.
earlier=$LOGS/earlier.deb
sed -i "s/^Version: .*/Version: 0.0.9/" "$LOGS/later/DEBIAN/control"
for unit in "$LOGS"/later/{usr/lib,lib}/systemd/system/xylem*.service; do
  [ ! -e "$unit" ] || sed -i -e '/^User=/d' -e '/^Group=/d' -e '/^AmbientCapabilities=/d' -e '/xylemd --prepare/d' \
    -e '/^CapabilityBoundingSet=/d' -e '/^SystemCallFilter=/d' -e 's/ --sandbox//' "$unit"
done
echo "g xylem - -" >"$LOGS/later/usr/lib/sysusers.d/xylem.conf"
dpkg-deb -b "$LOGS/later" "$earlier" >/dev/null
rm -rf "$LOGS/later"

# --- the system

mirror=$(apt-get indextargets --format "\$(SITE) \$(ORIGIN) \$(LABEL)" 2>/dev/null |
  awk '$2 == "Debian" && $3 == "Debian" { print $1; exit }')
release=$(. /etc/os-release && echo "$VERSION_CODENAME")
if [ ! -e "$BASE/.made" ]; then
  [ -n "$mirror" ] || skip "apt here has no Debian archive"
  rm -rf "$BASE"
  debootstrap --variant=minbase --include=systemd,systemd-sysv,dbus,iproute2 "$release" "$BASE" "$mirror" \
    >"$LOGS/debootstrap.log" 2>&1 </dev/null || skip "no debootstrap of $release: $(tail -n 1 "$LOGS/debootstrap.log")"
  touch "$BASE/.made"
fi
rm -rf "$ROOT"
cp -a "$BASE" "$ROOT"
cp /etc/resolv.conf /etc/hosts "$ROOT/etc/" # the way to the archive is this machine's
cp /etc/apt/sources.list "$ROOT/etc/apt/" 2>/dev/null || true
cp /etc/apt/sources.list.d/* "$ROOT/etc/apt/sources.list.d/" 2>/dev/null || true
apt-config dump 2>/dev/null | grep -E '^Acquire::(http|https)::Proxy' >"$ROOT/etc/apt/apt.conf.d/90here" || true
cp "$deb" "$ROOT/xylem.deb"
cp "$web" "$ROOT/xylem-web.deb"
cp "$fleet" "$ROOT/xylem-fleet.deb"
cp "$later" "$ROOT/later.deb"
cp "$earlier" "$ROOT/earlier.deb"
check "it installs without recommends" chroot "$ROOT" /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin \
  DEBIAN_FRONTEND=noninteractive bash -c "apt-get update && apt-get install -y --no-install-recommends /earlier.deb $needs"
check "the group is made" grep -q ^xylem: "$ROOT/etc/group"

tun=
[ ! -e /dev/net/tun ] || tun=--bind=/dev/net/tun
# Without its own filter: it allows no Landlock and no bpf().
# shellcheck disable=SC2086  # none or one
SYSTEMD_SECCOMP=0 systemd-nspawn --capability=CAP_BPF,CAP_PERFMON,CAP_IPC_LOCK -q -D "$ROOT" --register=no --keep-unit --private-network --bind-ro=/sys/module $tun -b >"$LOGS/boot.log" 2>&1 </dev/null &
nspawn=$!
trap 'kill -9 $nspawn 2>/dev/null || true' EXIT
leader() { # the system's first process
  pid=$(pgrep -P $nspawn | head -n 1)
  [ -n "$pid" ]
}
in_system() { nsenter -t "$pid" -m -u -i -n -p /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root "$@"; }
up() { leader && in_system systemctl is-system-running --wait | grep -qE 'running|degraded'; }
for _ in $(seq 120); do
  ! up 2>/dev/null || break
  sleep 1
done
up || {
  tail -n 20 "$LOGS/boot.log"
  skip "the system does not boot here"
}

# --- two instances

check "nothing runs that nobody asked for" refuse in_system systemctl is-active xylem
printf '%s\n' 'ports = ( { driver = "af_xdp"; interface = "eth0"; } );' >"$ROOT/etc/xylem/three.conf"
check "a key" in_system xylem genkey
check "and one for a second instance" in_system xylem genkey /etc/xylem/two.key
key_of() { in_system xylem pubkey "$1"; }
one=$(key_of /etc/xylem/key)
two=$(key_of /etc/xylem/two.key)
if [ -z "$one" ] || [ -z "$two" ]; then fail "keys of both"; fi
config() { # NAME TEXT
  printf '%s\n' "$2" >"$ROOT/etc/xylem/$1.conf"
  chmod 600 "$ROOT/etc/xylem/$1.conf"
}
chroot "$ROOT" groupadd lookers
config xylem "telemetry = { group = \"lookers\"; }; control = { group = \"xylem\"; mode = \"0660\"; };
  peers = ( { name = \"two\"; key = \"$two\"; endpoint = \"127.0.0.1:51822\"; } );"
config two "key_file = \"/etc/xylem/two.key\"; ports = ( { port = 51822; } ); tun = false;
  peers = ( { name = \"one\"; key = \"$one\"; } );"
check "their configs are good" in_system sh -c 'xylemd --check && xylemd -n two -c /etc/xylem/two.conf --check'
check "both start, and say that they are ready" in_system systemctl enable --now xylem xylem@two
linked() { in_system xylem show peers "$@" --json | grep -qE '"state": *"up"'; }
# What an upgrade must not stop: a key where root alone looks.
check "a key in root's home" in_system xylem genkey /root/four.key
config four '# ports = ( { driver = "af_xdp"; } );
  // control = { group = "adm"; };
  key_file = "/root/four.key"; tun = false; ports = ( { port = 51824; } );'
check "and its node, which has root's rights" in_system sh -c 'mkdir -p /etc/systemd/system/xylem@four.service.d &&
  printf "[Service]\nProtectHome=no\n" >/etc/systemd/system/xylem@four.service.d/home.conf &&
  systemctl daemon-reload && systemctl start xylem@four'
four=$(in_system systemctl show -p MainPID --value xylem@four)
check_within 30 "they are linked" linked
check_within 30 "each has sockets of its own" linked -n two

# --- upgrade from an install that ran as root

user_of() { # UNIT
  local main
  main=$(in_system systemctl show -p MainPID --value "$1")
  # shellcheck disable=SC2016  # awk's
  in_system id -un "$(in_system awk '/^Uid:/ { print $2 }' "/proc/$main/status")"
}
check "it ran as root" test "$(user_of xylem)" = root
check "it is upgraded to a user of its own" in_system env DEBIAN_FRONTEND=noninteractive dpkg -i /xylem.deb
cp "$LOGS/last" "$LOGS/upgraded"
check "but the one that would not come up runs on" test "$four" = "$(in_system systemctl show -p MainPID --value xylem@four)"
check "which is told" grep -q "xylem@four.service is NOT restarted" "$LOGS/upgraded"
check "the user is in no group for a config" test "$(in_system id -Gn xylem)" = "xylemd xylem"
in_system systemctl stop xylem@four
check_within 60 "and linked again" linked
check_within 60 "both instances" linked -n two
check "as the user" test "$(user_of xylem) $(user_of xylem@two)" = "xylem xylem"
dropin() { test -s "$ROOT/etc/systemd/system/xylem@$1.service.d/af_xdp.conf"; }
check "a config with af_xdp has what that needs" dropin three
check "another has not" refuse dropin four
in_system ip link add card type veth peer name wire
in_system ip link set card up
check "a third key" in_system xylem genkey /etc/xylem/three.key
config three 'key_file = "/etc/xylem/three.key"; tun = false;
  ports = ( { driver = "af_xdp"; interface = "card"; port = 51823; } );'
check "and a node on a card" in_system systemctl start xylem@three
on_card() { in_system xylem show ports -n three --json | grep -qE '"driver": *"af_xdp"'; }
check_within 20 "by AF_XDP" on_card
check "it ends" in_system systemctl stop xylem@three
owner() { in_system stat -c %U:%G:%a "$1"; }
check "the key is still root's, and the daemon's group may read it" test "$(owner /etc/xylem/key)" = root:xylemd:640
check "the state is its user's" test "$(owner /var/lib/xylem/xylem) $(owner /var/lib/xylem/xylem/state)" = \
  "xylem:xylemd:700 xylem:xylemd:600"
check "who might look may still" test "$(owner /run/xylem/xylem/telemetry)" = xylem:lookers:660
check "who might steer, too" test "$(owner /run/xylem/xylem/control)" = xylem:xylem:660
sandboxed() { in_system xylem show node "$@" --json | grep -qE '"sandbox": *"(on|in part: no Landlock)'; }
check "it is confined" sandboxed
check "so is the second one" sandboxed -n two
[ -z "$tun" ] || check "it has its interface" in_system ip link show xylem0
check "root reads the key" test "$one" = "$(key_of /etc/xylem/key)"
check "root looks" in_system xylem show peers
check "root steers" in_system xylem set peer two cost 200
check "it is reloaded by the service manager" in_system systemctl reload xylem
chroot "$ROOT" install -m 600 /etc/xylem/xylem.conf /etc/xylem/new.conf
mv "$ROOT/etc/xylem/new.conf" "$ROOT/etc/xylem/xylem.conf"
check "also with a file that is root's alone" in_system systemctl reload xylem
check_not_refused() { in_system xylem show node --json | grep -q '"refused_calls": *0'; }
check "nothing of it was refused" check_not_refused
in_system systemd-analyze security xylem --no-pager | tail -n 1
below_two() { in_system systemd-analyze security xylem --threshold=19 --no-pager; }
check "its exposure is below 2" below_two

# --- the dashboard

http() { # PATH: all that is answered; there is no curl
  # shellcheck disable=SC2016  # the inner shell's
  in_system timeout 10 bash -c 'exec 3<>/dev/tcp/127.0.0.1/8989
    printf "GET %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n" "$1" >&3
    cat <&3' - "$1"
}
tells() { http "$1" | grep -qF -- "$2"; }
check "xylem-web is installed" in_system env DEBIAN_FRONTEND=noninteractive dpkg -i /xylem-web.deb
check "and not begun" refuse in_system systemctl is-active xylem-web
check "it is begun" in_system systemctl enable --now xylem-web
check_within 10 "it says why it may not look" tells /api/v1/node telemetry.group
sed -i 's/group = "lookers"/group = "xylem"/' "$ROOT/etc/xylem/xylem.conf"
check "its group may" in_system systemctl reload xylem
check_within 20 "it tells of the node" tells /api/v1/node '"public_key"'
check "of its peer" tells /api/v1/peers '"two"'
check "the page is there" tells / '<!DOCTYPE html'
check "as a user of its own" test "$(user_of xylem-web)" = xylem-web
check "who reads no key" refuse in_system setpriv --reuid=xylem-web --regid=xylem-web --init-groups cat /etc/xylem/key
in_system systemd-analyze security xylem-web --no-pager | tail -n 1
check "its exposure is below 1.5" in_system systemd-analyze security xylem-web --threshold=14 --no-pager
check "it is killed" in_system systemctl kill -s KILL xylem-web
check "the link stays" linked
check_within 20 "and it is back" tells /api/v1/node '"public_key"'
in_system systemctl stop xylem-web
check "its socket begins it, too" in_system systemctl start xylem-web.socket
check_within 20 "when somebody asks" tells /api/v1/node '"public_key"'
check "it is removed" in_system env DEBIAN_FRONTEND=noninteractive dpkg -P xylem-web
check "and listens no more" refuse http /

# --- the fleet's agent

check "xylem-fleet is installed" in_system env DEBIAN_FRONTEND=noninteractive dpkg -i /xylem-fleet.deb
check "and not begun" refuse in_system systemctl is-active xylem-fleet
check "its config is made, and the folder" in_system xylem fleet init
check "it is begun" in_system systemctl enable --now xylem-fleet
asked() { in_system xylem show fleet --json | grep -qF -- "$1"; }
recorded() { ls "$ROOT"/etc/xylem/fleet.d/*.json; }
check_within 20 "this node has its record in the folder" recorded
check "as a user of its own" test "$(user_of xylem-fleet)" = xylem-fleet
in_system systemd-analyze security xylem-fleet --no-pager | tail -n 1
check "its exposure is below 1.5" in_system systemd-analyze security xylem-fleet --threshold=14 --no-pager
check "it is killed" in_system systemctl kill -s KILL xylem-fleet
check "the link stays" linked
check_within 20 "and it is back" asked '"daemon": "reached"'
check "it is removed" in_system env DEBIAN_FRONTEND=noninteractive dpkg -P xylem-fleet
check "and what it kept" test ! -e "$ROOT/var/lib/xylem-fleet"

# --- upgrade, removal

pid_of() { in_system systemctl show -p MainPID --value "$1"; }
before=$(pid_of xylem)/$(pid_of xylem@two)
check "it is upgraded" in_system env DEBIAN_FRONTEND=noninteractive dpkg -i /later.deb
after=$(pid_of xylem)/$(pid_of xylem@two)
check "both run anew" test "${before%/*}" != "${after%/*}" -a "${before#*/}" != "${after#*/}"
check_within 60 "and are linked again" linked
check "the keys are the same ones" test "$one" = "$(key_of /etc/xylem/key)"
check "an instance stops" in_system systemctl stop xylem@two
check "the other one still answers" in_system xylem show node
check "it is removed" in_system env DEBIAN_FRONTEND=noninteractive dpkg -r xylem
check "and runs no more" refuse in_system sh -c 'grep -l ^xylemd /proc/[0-9]*/comm'
check "the state stays until it is purged" test -d "$ROOT/var/lib/xylem"
check "it is purged" in_system env DEBIAN_FRONTEND=noninteractive dpkg -P xylem
check "the state is gone" test ! -e "$ROOT/var/lib/xylem"
check "the keys are not" test -s "$ROOT/etc/xylem/key"
rm -rf "$ROOT"/etc/systemd/system/xylem@{three,four}.service.d # an operator's by then
left=$(find "$ROOT" -xdev \( -path "$ROOT/proc" -o -path "$ROOT/etc/xylem" -o -path "$ROOT/var/log" -o -path "$ROOT/var/lib/dpkg" \) \
  -prune -o -name '*xylem*' -print | grep -vxF -e "$ROOT/xylem.deb" -e "$ROOT/xylem-web.deb" -e "$ROOT/xylem-fleet.deb" || true)
check "and nothing else of it is left${left:+: $left}" test -z "$left"
in_system systemctl poweroff >/dev/null 2>&1 || true
for _ in $(seq 30); do
  kill -0 $nspawn 2>/dev/null || break
  sleep 1
done
rm -rf "$ROOT"
