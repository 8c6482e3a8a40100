#!/usr/bin/env bash
# Runs a command in a clean clone of this repository on a Debian that has nothing but Rust, a C compiler and git: what
# somebody meets who has just cloned it.
#
#   tests/fresh.sh COMMAND [ARGUMENT...]       for example
#   tests/fresh.sh cargo test --workspace
#
# Needs root and Debian's package debootstrap. The Debian is made in target/fresh (FRESH says where else) when it is not there,
# in a minute; remove it to start over. Only what is committed is tried. Rust's toolchain and Cargo's registry are this
# machine's, bound in, and apt's and pip's settings are copied; target/ is the clone's own, and is kept from run to run as
# target/fresh/src/project/target, so remove that to measure a first run. SUITE and MIRROR name another release and mirror.
set -euo pipefail

repository=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
root=$(realpath -m "${FRESH:-$repository/target/fresh}")
project=$root/src/project
cargo=${CARGO_HOME:-$HOME/.cargo}
rustup=${RUSTUP_HOME:-$HOME/.rustup}

[ $# -gt 0 ] || { sed -n '2,/^set/{/^#/s/^# \{0,1\}//p}' "${BASH_SOURCE[0]}" >&2; exit 2; }
[ "$(id -u)" = 0 ] || { echo "tests/fresh.sh needs root: it makes a file system of its own" >&2; exit 1; }
for program in debootstrap unshare git; do
    command -v "$program" >/dev/null || { echo "tests/fresh.sh needs $program: apt-get install debootstrap util-linux git" >&2; exit 1; }
done

make_debian() {
    local parts=$root.new
    echo "making a Debian in $root, about a minute" >&2
    rm -rf "$parts" && mkdir -p "$parts"
    debootstrap --variant=minbase --include=ca-certificates,gcc,libc6-dev,git "${SUITE:-bookworm}" "$parts" ${MIRROR:+"$MIRROR"} \
        >"$root.log" 2>&1 || {
        tail -n 3 "$root.log" >&2
        exit 1
    }
    # Complete, or not there.
    mv "$parts" "$root"
}

# How this machine reaches the package indexes.
copy_settings() {
    local file
    if [ -d /etc/apt/sources.list.d ] && compgen -G '/etc/apt/sources.list.d/debian*' >/dev/null; then
        rm -f "$root/etc/apt/sources.list"
        cp /etc/apt/sources.list.d/debian* "$root/etc/apt/sources.list.d/"
    fi
    for file in /etc/apt/apt.conf.d/*; do
        # What an image for containers says of its own packages is not this Debian's.
        [[ $file = */docker-* ]] || cp "$file" "$root/etc/apt/apt.conf.d/"
    done
    for file in /etc/resolv.conf /etc/hosts /etc/pip.conf "$HOME/.config/pip/pip.conf" /etc/ssl/certs/ca-certificates.crt; do
        [ ! -e "$file" ] || install -D -m 644 "$file" "$root/${file#/}"
    done
}

clone() {
    if [ -d "$project/.git" ]; then
        git -C "$project" fetch -q origin HEAD
        git -C "$project" checkout -q --detach FETCH_HEAD
        git -C "$project" clean -q -f -d
    else
        mkdir -p "$root/src"
        git clone -q "$repository" "$project"
    fi
}

[ -e "$root/etc/debian_version" ] || make_debian
copy_settings
clone
mkdir -p "$root/root/.cargo" "$root/root/.rustup"
# In namespaces of its own, so that nothing stays mounted or runs on when the command has ended.
exec unshare --mount --pid --fork --kill-child bash -s -- "$root" "$cargo" "$rustup" "$@" <<'END'
set -e
root=$1 cargo=$2 rustup=$3
shift 3
mount --make-rprivate /
mount --bind "$root" "$root"
mount --bind "$rustup" "$root/root/.rustup"
mount --bind "$cargo" "$root/root/.cargo"
mount -t proc proc "$root/proc"
mount --rbind /dev "$root/dev"
mount --rbind /sys "$root/sys"
mount -t tmpfs tmpfs "$root/tmp"
# Its root is the root of the namespace: nobody can make namespaces of users in what only is a chroot, as systemd does for a service.
cd "$root"
mount --move . /
exec chroot . /usr/bin/env -i HOME=/root LANG=C.UTF-8 TERM="${TERM-dumb}" \
    PATH=/root/.cargo/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
    bash -c 'cd /src/project && exec "$@" </dev/null' bash "$@"
END
