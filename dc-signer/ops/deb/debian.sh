#!/usr/bin/env bash
# Makes an empty Debian in target/packages when it is not there, under its release's name, and prints where it is. Remove it to start
# over. SUITE and MIRROR name another release, trixie for example, and another mirror. It needs root and debootstrap.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../../.."
target=${CARGO_TARGET_DIR:-target}
mkdir -p "$target/packages"
work=$(realpath "$target/packages")
suite=${SUITE:-bookworm}
base=$work/$suite

# Whoever comes second waits.
exec 9>"$work/lock"
flock 9
# Little more than systemd and what packages need: man checks pages, and openssl makes the service's certificate.
if [ ! -e "$base/etc/debian_version" ]; then
    echo "making a Debian in $base, about a minute" >&2
    rm -rf "$base.new"
    debootstrap --variant=minbase --include=systemd,procps,man-db,openssl "$suite" "$base.new" ${MIRROR:+"$MIRROR"} 9>&- \
        >"$work/debootstrap.log" 2>&1 || {
        tail -n 3 "$work/debootstrap.log" >&2
        exit 1
    }
    mv "$base.new" "$base"
fi
echo "$base"
