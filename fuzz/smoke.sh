#!/usr/bin/env bash
# Runs every fuzz target for a few seconds (first argument, default 10), from its committed seeds.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
seconds=${1:-10}

if ! cargo fuzz --version >/dev/null 2>&1; then
    echo "fuzz/smoke.sh needs cargo-fuzz: cargo install cargo-fuzz --locked" >&2
    exit 1
fi
# libFuzzer's instrumentation is an unstable option of rustc; any toolchain has it when told so.
export RUSTC_BOOTSTRAP=1

cargo fuzz build

smoke() {
    local target=$1 seconds=$2 said status=0
    # New inputs go to corpus/, which is not committed; seeds/ is only read.
    mkdir -p "corpus/$target" "seeds/$target"
    said=$(cargo fuzz run "$target" "corpus/$target" "seeds/$target" -- \
        -max_total_time="$seconds" -max_len=4096 -timeout=5 -rss_limit_mb=512 -verbosity=0 -print_final_stats=1 2>&1) || status=$?
    printf '== fuzz %s: %s s\n%s\n' "$target" "$seconds" "$said"
    return $status
}
export -f smoke

# A target uses one core. What one says is printed when it is over, so that they do not mix; any failure fails all.
cargo fuzz list | xargs -P "$(nproc)" -I TARGET bash -c 'smoke TARGET "$0"' "$seconds"
