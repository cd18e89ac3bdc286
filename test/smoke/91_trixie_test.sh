#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Debian 13 (DPDK 24.11, ipsec-mb 2.0), whatever this machine runs: a debootstrap of it in build-trixie/, from where
# apt here has its packages; in there the packages of scripts/install-deps, the build, the unit tests and the demo.
# The root stays for the next run; to make it anew, remove build-trixie/. Needs root and about 3 GB.
# Mounts are of a namespace of its own, and gone with it.
set -Eeuo pipefail
export LC_ALL=C.UTF-8
TEST=${0##*/}
TOP=$(cd "$(dirname "$0")/../.." && pwd)
ROOT=$TOP/build-trixie/root
LOGS=$TOP/build-trixie/logs

skip() {
  echo "skip - $TEST: $*"
  exit 77
}
if [ -z "${XY_TRIXIE_INSIDE:-}" ]; then
  [ "$(id -u)" -eq 0 ] || skip "debootstrap needs root"
  command -v debootstrap >/dev/null || skip "debootstrap is not installed"
  why=$(unshare --mount --pid --fork --mount-proc true 2>&1) || skip "no mount namespaces here ($why)"
  XY_TRIXIE_INSIDE=1 exec unshare --mount --pid --fork --kill-child bash "$0" "$@"
fi
mount --make-rprivate /

# check WHAT LOG COMMAND...: one test; the end of its log when it fails, which ends the script.
check() {
  local what=$1 log=$LOGS/$2 code=0
  shift 2
  "$@" >"$log" 2>&1 </dev/null || code=$?
  [ $code -eq 0 ] || {
    tail -n 60 "$log"
    echo "not ok - $TEST: $what (exit code $code)"
    exit 1
  }
  echo "ok - $TEST: $what"
}

mirror=$(apt-get indextargets --format "\$(SITE) \$(ORIGIN) \$(LABEL)" 2>/dev/null |
  awk '$2 == "Debian" && $3 == "Debian" { print $1; exit }')
mkdir -p "$LOGS"
if [ ! -e "$ROOT/.made" ]; then
  [ -n "$mirror" ] || skip "apt here has no Debian archive"
  rm -rf "$ROOT"
  debootstrap --variant=minbase trixie "$ROOT" "$mirror" >"$LOGS/debootstrap.log" 2>&1 </dev/null ||
    skip "no debootstrap of trixie from the archive that apt here has: $(tail -n 1 "$LOGS/debootstrap.log")"
  touch "$ROOT/.made"
fi

# The way to the archive is this machine's, with its proxy if it has one.
cp /etc/resolv.conf /etc/hosts "$ROOT/etc/"
apt-config dump 2>/dev/null | grep -E '^Acquire::(http|https)::Proxy' >"$ROOT/etc/apt/apt.conf.d/90here" || true
mount --bind "$ROOT" "$ROOT" # ip netns exec wants / to be a mount
mount -t proc proc "$ROOT/proc"
mount --rbind /dev "$ROOT/dev"
mount --rbind /sys "$ROOT/sys"
mount -t tmpfs tmpfs "$ROOT/run"
mount -t tmpfs tmpfs "$ROOT/tmp"
inside() { # COMMAND: in the root, in our tree there
  chroot "$ROOT" /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8 \
    DEBIAN_FRONTEND=noninteractive bash -c "cd /src && $1"
}
# The tree as it stands, without what is built. A file that is as it was keeps its time, and is not built again.
new=$ROOT/src.new
rm -rf "$new"
mkdir -p "$new" "$ROOT/src"
(cd "$TOP" && find . -mindepth 1 -maxdepth 1 ! -name 'build*' ! -name .git -print0 | tar --null -T - -cf -) |
  tar -C "$new" -xmf -
(cd "$new" && find . -type f -print0) | while IFS= read -r -d '' file; do
  if cmp -s "$new/$file" "$ROOT/src/$file"; then touch -r "$ROOT/src/$file" "$new/$file"; fi
done
[ ! -e "$ROOT/src/build" ] || mv "$ROOT/src/build" "$new/"
rm -rf "$ROOT/src"
mv "$new" "$ROOT/src"

check "the packages of scripts/install-deps" packages.log inside 'scripts/install-deps build demo'
inside 'pkg-config --modversion libdpdk' | sed 's/^/DPDK /'
check "it builds" build.log inside 'BUILD=build scripts/build'
check "the AEAD of ipsec-mb there" aead.log inside 'build/test/unit/dataplane/unit_aead'
check "unit tests" unit.log inside 'meson test -C build --no-rebuild --no-suite tree -t 10' # times its limits
check "the demo" demo.log inside 'unshare --net scripts/demo'
