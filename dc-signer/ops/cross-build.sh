#!/usr/bin/env bash
# Builds a device's agent, dc-connect, dc-terminator and the example server for another machine, 64-bit ARM with musl unless TARGET says
# otherwise: static programs that need nothing on the router. With --try, also runs them here under QEMU: the
# agent enrols at a real signer, and the server answers a client.
#
# With rustup, all it needs is the target and a C compiler for it, for ring:
#
#   rustup target add aarch64-unknown-linux-musl
#   apt-get install gcc-aarch64-linux-gnu qemu-user-static
#
# Any C compiler for the machine does, whatever its C library: CC names it. So for example
#
#   TARGET=armv7-unknown-linux-musleabihf CC=arm-linux-gnueabihf-gcc dc-signer/ops/cross-build.sh
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

target=${TARGET:-aarch64-unknown-linux-musl}
cc=${CC:-${target%%-*}-linux-gnu-gcc}
machine=${target%%-*}
out=target/cross/$target/agent

build() {
    local name=${target//-/_}
    env "CC_$name=$cc" "CARGO_TARGET_${name^^}_LINKER=$cc" \
        cargo build --locked --target-dir target/cross --profile agent --target "$target" "$@"
}

build -p dc-agent
build -p dc-rustls --no-default-features --features client,ring,server --example client --example server
build -p dc-connect -p dc-terminator
ls -l "$out"/dc-{agent,connect,terminator} "$out/examples/server"

[ "${1:-}" = --try ] || exit 0

qemu=${QEMU:-qemu-$machine-static}
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
