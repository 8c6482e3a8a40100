#!/usr/bin/env bash
# Builds the image of the signer with podman, and lives with it for a few seconds, as the head of Containerfile says. What is done with
# it is in inside.sh.
#
#   dc-signer/ops/container/try.sh
#
# No registry is asked. What builds it is a Debian that debootstrap makes (../deb/debian.sh) with this machine's Rust, which rustup has
# installed, and crates that Cargo has had; nothing is optimised. Images, and what is compiled, stay in target/container, so that the
# next time is faster; podman's other images are not touched. It needs root, and: tests/setup/setup.sh container.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cd "$here/../../.."
target=${CARGO_TARGET_DIR:-target}
mkdir -p "$target/container/target"
work=$(realpath "$target/container")
cargo=${CARGO_HOME:-$HOME/.cargo} rustup=${RUSTUP_HOME:-$HOME/.rustup}
triple=$(uname -m)-unknown-linux-musl

fail() {
    echo "container/try.sh: $*" >&2
    exit 1
}

[ "$(id -u)" = 0 ] || fail "it needs root, to make a Debian and folders of other users"
command -v podman >/dev/null || fail "podman is not installed: tests/setup/setup.sh container"
command -v rustup >/dev/null || fail "the Rust of this machine is not rustup's, so it has none for $triple"
rustup target list --installed | grep -qx "$triple" || rustup target add "$triple" ||
    fail "rustup cannot install $triple here"

# What is mounted is seen nowhere else. In a folder that is the root, as debootstrap makes one, there is no mount at / to make private,
# nor for podman to leave: it is made one.
[ "${1-}" = private ] || exec unshare --mount --propagation unchanged "$here/try.sh" private
mount --make-rprivate / 2>/dev/null || {
    mkdir -p "$work/root"
    mount --rbind / "$work/root"
    cd "$work/root"
    mount --move . /
    exec chroot . "$here/try.sh" private
}

# It has a place of its own for its files and locks, and asks little of a machine: folders on whatever file system there is, no
# cgroups, and limits that nobody has to raise.
cat >"$work/containers.conf" <<TOML
[engine]
cgroup_manager = "cgroupfs"
events_logger = "none"
lock_type = "file"
tmp_dir = "$work/run/libpod"
[containers]
cgroups = "disabled"
log_driver = "k8s-file"
default_ulimits = ["nofile=1024:4096", "nproc=1024:4096"]
TOML
export CONTAINERS_CONF=$work/containers.conf
podman=(podman --root "$work/storage" --runroot "$work/run" --storage-driver vfs)
build=("${podman[@]}" build --quiet --isolation chroot --layers=false --volume /etc/apt/apt.conf.d:/etc/apt/apt.conf.d:ro)

# The builder: like the image 'rust', a Debian with a C compiler. Without optimisation it is built in half the time.
if ! "${podman[@]}" image exists builder; then
    debian=$("$here/../deb/debian.sh")
    tar --create --directory "$debian" --one-file-system . | "${podman[@]}" import --quiet - debian
    "${build[@]}" --tag builder - <<'END_OF_FILE'
FROM debian
RUN apt-get update -q && apt-get install -y -q --no-install-recommends gcc libc6-dev
RUN mkdir /.cargo && printf '%s\n' '[profile.dev]' 'debug = false' '[profile.dev.package."*"]' 'opt-level = 0' >/.cargo/config.toml
ENV RUSTUP_HOME=/usr/local/rustup CARGO_HOME=/usr/local/cargo CARGO_INCREMENTAL=0
ENV PATH=/usr/local/cargo/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
END_OF_FILE
fi
start=$SECONDS
"${build[@]}" --tag dc-signer --file "$here/Containerfile" --build-arg BUILDER=localhost/builder --build-arg PROFILE=dev \
    --volume "$rustup:/usr/local/rustup" --volume "$cargo:/usr/local/cargo" --volume "$work/target:/target" .
echo "the image was built in $((SECONDS - start)) s"
# That of the last time.
"${podman[@]}" image prune --force >/dev/null

# In namespaces of its own, so that nothing stays mounted or runs on, and the port is nobody else's.
timeout --kill-after=10 120 unshare --mount --pid --cgroup --net --fork --kill-child "$here/inside.sh" "${podman[@]}"
