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
for target in $(cargo fuzz list); do
    echo "== fuzz $target: $seconds s"
    # New inputs go to corpus/, which is not committed; seeds/ is only read.
    mkdir -p "corpus/$target" "seeds/$target"
    cargo fuzz run "$target" "corpus/$target" "seeds/$target" -- \
        -max_total_time="$seconds" -max_len=4096 -timeout=5 -rss_limit_mb=512 -verbosity=0 -print_final_stats=1
done
