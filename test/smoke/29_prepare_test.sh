#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# What root does for a daemon that is not root: xylemd --prepare, and the package's postinst at an upgrade, in an /etc of
# their own, with a systemctl that only writes down what it is told.
. "$(dirname "$0")/_init.sh"
need "$XYLEMD" "$XYLEM" setpriv
[ "$XY_LAB_INSIDE" = 0 ] || skip "a user namespace has no other users"

mkdir "$LAB/etc"
cp -a /etc/. "$LAB/etc/"
mount --bind "$LAB/etc" /etc
chmod 755 "$LAB"
sed -i '/^xylemd\?:/d' /etc/passwd /etc/group
echo "xylem:x:64999:64999::/:/usr/sbin/nologin" >>/etc/passwd
printf '%s\n' xylem:x:64998: xylemd:x:64999: >>/etc/group
rm -rf /etc/xylem /etc/systemd/system/xylem* && mkdir -m 755 /etc/xylem /etc/bin
cp "$XYLEMD" /etc/bin/xylemd # whoever it is finds it
export PATH=/etc/bin:$PATH
owner() { stat -c %U:%G:%a "$1"; }
says() { # WORDS CODE COMMAND...
  local words=$1 want=$2 code=0
  shift 2
  "$@" >"$LAB/said" 2>&1 || code=$?
  cat "$LAB/said"
  [ $code = "$want" ] && grep -qF -- "$words" "$LAB/said"
}
user() { setpriv --reuid=xylem --regid=xylemd --init-groups "$@"; }
conf=/etc/xylem/xylem.conf

# --- files

(umask 077 && "$XYLEM" genkey && "$XYLEM" genkey /etc/xylem/keys/two && "$XYLEM" genkey /etc/xylem/other) >/dev/null
check "a folder of keys may be passed" same root:root:755 "$(owner /etc/xylem/keys)"
chmod 700 /etc/xylem/keys # an earlier one's
install -m 600 /dev/null /etc/xylem/backup.conf
of() { (umask 077 && printf '%s\n' "$1" >/etc/xylem/new && mv /etc/xylem/new $conf); }
of 'tun = false;'
check "a config that root alone reads says what to do" says "systemctl reload xylem" 1 user xylemd --check
check "it is prepared" xylemd --prepare
check "the config" same root:xylemd:640 "$(owner $conf)"
check "and the key" same root:xylemd:640 "$(owner /etc/xylem/key)"
check "nothing else" same "root:root:600 root:root:600" "$(owner /etc/xylem/other) $(owner /etc/xylem/backup.conf)"
check "the daemon's user reads them" says ok 0 user xylemd --check
check "once more" xylemd --prepare
of 'key_file = "/etc/xylem/keys/two"; tun = false;'
check "a key in a folder" xylemd --prepare
check "is found" says ok 0 user xylemd --check
check "the folder lists nobody's keys" same root:xylemd:710 "$(owner /etc/xylem/keys)"
ln -s other /etc/xylem/link
of 'key_file = "/etc/xylem/link"; tun = false;'
check "no link is followed" says "link: is a symbolic link" 1 xylemd --prepare
ln /etc/xylem/other /etc/xylem/hard
of 'key_file = "/etc/xylem/hard"; tun = false;'
check "nor a second name" says "no regular file of one name" 1 xylemd --prepare
rm /etc/xylem/hard
check "what they lead to is as it was" same root:root:600 "$(owner /etc/xylem/other)"
before=$(owner /etc/shadow)
of 'key_file = "/etc/shadow"; tun = false;'
check "what is no key is not given" says "no key file of Xylem" 1 xylemd --prepare
check "to nobody" same "$before" "$(owner /etc/shadow)"
of 'key_file = 3;'
check "a config that is wrong" says key_file 78 xylemd --prepare
check "is given, so that a reload can say so" same root:xylemd:640 "$(owner $conf)"
check "only root prepares" says "run it as root" 1 user xylemd --prepare

# --- sockets

of 'control = { group = "adm"; mode = "0660"; }; telemetry = { group = "adm"; mode = "0660"; }; tun = false;'
mkdir -p /run/xylem && install -d -o xylem -g xylemd /run/xylem/xylem
/usr/bin/python3 -c 'import socket; socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET).bind("/run/xylem/xylem/control")'
chown xylem:xylemd /run/xylem/xylem/control && chmod 600 /run/xylem/xylem/control
ln -s /etc/shadow /run/xylem/xylem/telemetry
check "what the daemon may have put there is looked at" says "no socket of user xylem" 1 xylemd --prepare
check "a socket is its group's" same xylem:adm:660 "$(owner /run/xylem/xylem/control)"
check "no link is followed to a file" same "$before" "$(owner /etc/shadow)"
rm -rf /run/xylem/xylem

# --- an upgrade

for stub in systemd-sysusers usermod; do
  printf '#!/bin/sh\necho %s "$*" >>%s\n' $stub "$LAB/done" >/etc/bin/$stub
done
cat >/etc/bin/systemctl <<END
#!/bin/sh
case \$1 in
show) echo "\$(cat /etc/bin/user)" ;;
list-units) echo xylem.service loaded active running Xylem ;;
*) echo "\$*" >>"$LAB/done" ;;
esac
END
chmod 755 /etc/bin/*
echo xylem >/etc/bin/user
mkdir -p /run/systemd/system
upgrade() {
  : >"$LAB/done"
  sh "$TOP/config/debian/postinst" configure 0.0.9
}
restarted() { grep -qx 'try-restart xylem.service' "$LAB/done"; }
of '// control = { group = "docker"; }; ports = ( { driver = "af_xdp"; } );
/* telemetry = { group = "shadow"; }; */
telemetry = { group = "sudo"; }; tun = false;'
check "an upgrade" upgrade
check_not "the user is in no group for what a config mentions" grep usermod "$LAB/done"
check "it restarts what would start" restarted
check "a comment needs no privileges" test ! -e /etc/systemd/system/xylem.service.d
of 'key_file = "/root/no-such.key"; tun = false;'
check "what would not start" says "xylem.service is NOT restarted" 0 upgrade
check "with the reason" grep -q "no-such.key" "$LAB/said"
check_not "runs on" restarted
of 'key_file = "/etc/xylem/link"; tun = false;'
check "nor what its user may not read" says "link: cannot be opened: Permission denied" 0 upgrade
check_not "is stopped" restarted
echo root >/etc/bin/user
check "what a drop-in runs as root" upgrade
check "is restarted" restarted
