#!/usr/bin/env bash
# Installs the packages in an empty Debian, and lives with them for a minute: systemd is started there as process 1, and each unit by it,
# with its sandbox. What is done is in inside.sh.
#
#   dc-signer/ops/deb/try.sh [--profile NAME]
#
# It packages what has been built, in target/debug unless a profile is named. It needs root, debootstrap, dpkg-dev and binutils:
# tests/setup/setup.sh packages. The Debian is made by debian.sh, beside this file, which says how to have another release or mirror.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cd "$here/../../.."
target=${CARGO_TARGET_DIR:-target}
mkdir -p "$target/packages"
work=$(realpath "$target/packages")
root=$work/try
profile=dev
[ "${1:-}" != --profile ] || profile=$2

[ "$(id -u)" = 0 ] || {
    echo "deb/try.sh needs root: it starts a system of its own" >&2
    exit 1
}

rm -rf "${work:?}"/*.deb "$work/upgrade"
build=("$here/build.sh" --profile "$profile" --fast)
"${build[@]}" --out "$work"
"${build[@]}" --out "$work/upgrade" --revision 2 dc-terminator dc-agent

base=$("$here/debian.sh")
rm -rf "$root"
cp -a "$base" "$root"
mkdir -p "$root/try/upgrade"
cp "$work"/*.deb "$here/inside.sh" "$root/try/"
cp "$work"/upgrade/*.deb "$root/try/upgrade/"
echo '127.0.0.1 localhost' >"$root/etc/hosts"
cat >"$root/etc/systemd/system/try.service" <<'END'
[Unit]
Wants=basic.target
After=basic.target
SuccessAction=exit
FailureAction=exit
FailureActionExitStatus=1

[Service]
Type=oneshot
ExecStart=/bin/bash /try/inside.sh
StandardOutput=file:/try/said
StandardError=inherit
TimeoutStartSec=150s
END

# In namespaces of its own, so that nothing stays mounted or runs on, and ports are nobody else's.
status=0
timeout --kill-after=10 200 unshare --mount --propagation unchanged --pid --cgroup --uts --ipc --net --fork --kill-child bash -s -- "$root" <<'END' || status=$?
set -e
root=$1
# In a folder that is the root, as debootstrap makes one, there is no mount to make private.
mount --make-rprivate / 2>/dev/null || ! grep -q ' shared:' /proc/self/mountinfo || exit 1
mount --bind "$root" "$root"
cd "$root"
mount -t proc proc proc
mount -t sysfs sysfs sys
mount -t cgroup2 cgroup2 sys/fs/cgroup
mount -t tmpfs -o mode=755 tmpfs dev
mkdir dev/shm dev/pts dev/mqueue dev/hugepages
for node in null:3 zero:5 full:7 random:8 urandom:9; do
    mknod -m 666 "dev/${node%:*}" c 1 "${node#*:}"
done
mknod -m 666 dev/tty c 5 0
ln -s /proc/self/fd dev/fd
mount -t devpts -o newinstance,ptmxmode=666 devpts dev/pts
ln -s pts/ptmx dev/ptmx
# Not chroot alone: from there systemd could give no unit a root and users of its own. From a folder that is the root it cannot do the
# latter all the same.
mount --move . /
chroot . unshare --user true 2>/dev/null || {
    echo "deb/try.sh: nobody can make namespaces of users here, so units are tried without PrivateUsers=" >&2
    install -d etc/systemd/system/service.d
    printf '[Service]\nPrivateUsers=no\n' >etc/systemd/system/service.d/try.conf
}
exec chroot . /usr/bin/env -i container=try PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
    /lib/systemd/systemd --unit=try.service --log-level=warning --log-target=journal --show-status=no </dev/null
END
cat "$root/try/said" 2>/dev/null || echo "systemd did not start in $root" >&2
[ $status = 0 ] || {
    echo "the packages do not work: exit status $status" >&2
    exit 1
}
rm -rf "$root"
