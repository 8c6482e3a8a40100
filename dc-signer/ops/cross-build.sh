#!/usr/bin/env bash
# Builds a device's agent, dc-connect, dc-terminator and the example server for another machine, 64-bit ARM with musl unless TARGET says
# otherwise: static programs that need nothing on the router. With --try, also runs all of them here under QEMU: the
# agent enrols at a real signer, and the server answers a client, and another one through dc-connect and dc-terminator.
#
# With rustup, all it needs is the target and a C compiler for it, for ring:
#
#   rustup target add aarch64-unknown-linux-musl
#   apt-get install gcc-aarch64-linux-gnu qemu-user-static
#
# Any C compiler for the machine does, whatever its C library: CC names it. So for example
#
#   TARGET=armv7-unknown-linux-musleabihf CC=arm-linux-gnueabihf-gcc dc-signer/ops/cross-build.sh
#
# Where rustup has no library for the target, as for 32-bit MIPS, BUILD_STD=1 makes it, with a nightly Rust and its source
# (rustup toolchain install nightly --component rust-src). CC then also brings the C library: the compiler of OpenWrt's SDK for a
# target with musl, or Debian's for one with glibc, which is linked statically too:
#
#   TARGET=mipsel-unknown-linux-gnu BUILD_STD=1 dc-signer/ops/cross-build.sh --try
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

target=${TARGET:-aarch64-unknown-linux-musl}
cc=${CC:-${target%%-*}-linux-gnu-gcc}
# What is built for this machine has its own.
unset CC
machine=${target%%-*}
out=target/cross/$target/agent
cargo=(cargo)
how=(--locked --target-dir target/cross --profile agent --target "$target")
if [ -n "${BUILD_STD:-}" ]; then
    cargo+=(+nightly)
    how+=(-Z build-std=std,panic_abort)
fi

build() {
    local name=${target//-/_}
    env "CC_$name=$cc" "CARGO_TARGET_${name^^}_LINKER=$cc" "CARGO_TARGET_${name^^}_RUSTFLAGS=-C target-feature=+crt-static" \
        "${cargo[@]}" build "${how[@]}" "$@"
}

build -p dc-agent
build -p dc-rustls --no-default-features --features client,ring,server --example client --example server
build -p dc-connect -p dc-terminator
ls -l "$out"/dc-{agent,connect,terminator} "$out/examples/server"

[ "${1:-}" = --try ] || exit 0

qemu=${QEMU:-qemu-${machine/armv7/arm}-static}
folder=$(mktemp -d)
trap 'kill $(jobs -p) 2>/dev/null || true; wait; rm -rf "$folder"' EXIT

# Waits for a line in a file, and prints the first group of the pattern in it.
find_in() {
    for _ in $(seq 100); do
        grep -q -E "$2" "$1" 2>/dev/null && sed -n -E "s|.*$2.*|\1|p" "$1" | head -n 1 && return
        sleep 0.1
    done
    echo "no '$2' in $1:" >&2
    cat "$1" >&2
    return 1
}

cargo build --locked -p dc-signer --features service
target/debug/dc-signer serve --dev --data "$folder/signer" >"$folder/signer.log" 2>&1 &
name=$(find_in "$folder/signer.log" ' probe .* --name ([^ ]+) ')
port=$(find_in "$folder/signer.log" 'https://localhost:([0-9]+)')
find_in "$folder/signer.log" '"code":"([^"]+)"' >"$folder/code"
cat >"$folder/agent.toml" <<END
signer = "https://localhost:$port"
signer_roots = "signer/vendor/root.pem"
roots = "signer/vendor/root.pem"
identity = "identity"
state = "state"
code_file = "code"
start_delay = "0s"
END
"$qemu" "$out/dc-agent" --once --config "$folder/agent.toml"
"$qemu" "$out/dc-agent" status --config "$folder/agent.toml"

"$qemu" "$out/examples/server" --identity "$folder/identity/current" --listen 127.0.0.1:0 >"$folder/server.log" &
address=$(find_in "$folder/server.log" 'listening on (.*)')
"$qemu" "$out/examples/client" --root "$folder/signer/vendor/root.pem" --name "$name" --connect "$address"
target/debug/dc-signer probe "$address" --name "$name" --root "$folder/signer/vendor/root.pem"

# The server again, behind dc-terminator, whose backend is a port of dc-connect: all programs are on the way.
"$qemu" "$out/dc-connect" --roots "$folder/signer/vendor/root.pem" --to "$address" --listen 127.0.0.1:0 "$name" >"$folder/port.log" &
backend=$(find_in "$folder/port.log" 'listening on (.*)')
as=()
if [ "$(id -u)" = 0 ]; then
    # It does not serve as root, and QEMU has threads before it could become somebody else.
    as=(setpriv --reuid=nobody --regid=nogroup --clear-groups)
    chmod 755 "$folder"
    chown -R nobody "$folder/identity"
fi
"${as[@]}" "$qemu" "$out/dc-terminator" --identity "$folder/identity/current" --listen 127.0.0.1:0 --backend "$backend" >"$folder/front.log" &
front=$(find_in "$folder/front.log" 'listening on (.*)')
printf 'GET / HTTP/1.0\r\n\r\n' |
    "$qemu" "$out/dc-connect" --roots "$folder/signer/vendor/root.pem" --to "$front" "$name" | tail -n 1
