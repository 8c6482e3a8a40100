#!/usr/bin/env bash
# What a release consists of, in target/release-files (OUT says where else): a package of each published crate, a list of what
# each program is made of (an SBOM in CycloneDX), and the agent, which is built twice in different places and has to be the
# same both times.
#
#   tests/release.sh              all of it
#   tests/release.sh packages     one part: versions, packages, sbom or agent
#
# What 'packages' is given more is for Cargo: with --no-verify nothing is compiled, which CI does with what it packages.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
out=${OUT:-$PWD/target/release-files}
programs=(dc-signer dc-agent dc-connect dc-terminator)

# The folders of the crates that are published.
published() {
    local manifest
    git ls-files Cargo.toml '*/Cargo.toml' | while read -r manifest; do
        grep -q '^\[package\]' "$manifest" && ! grep -q '^publish = false' "$manifest" && dirname "$manifest"
    done
}

name() {
    sed -n 's/^name = "\(.*\)"/\1/p' "$1/Cargo.toml" | head -n 1
}

fail() {
    echo "tests/release.sh: $*" >&2
    exit 1
}

# All have the version of the workspace, ask each other for that one, and say in a changelog what is in it.
versions() {
    local version folder wrong
    version=$(sed -n '/^\[workspace.package\]/,/^$/s/^version = "\(.*\)"/\1/p' Cargo.toml)
    for folder in $(published); do
        grep -q '^version.workspace = true' "$folder/Cargo.toml" || fail "$folder/Cargo.toml has a version of its own"
        grep -q -E "^## (Unreleased|${version//./\\.}( |$))" "$folder/CHANGELOG.md" ||
            fail "$folder/CHANGELOG.md has neither \"## $version\" nor \"## Unreleased\""
    done
    wrong=$(grep -E '^dc-[a-z]+ = \{ path = .*version = ' Cargo.toml | grep -v "version = \"$version\"" || true)
    [ -z "$wrong" ] || fail "Cargo.toml asks for another version than $version: $wrong"
    echo "all crates have version $version"
}

# As the registry would get them. Warnings are what a reader of the registry would miss.
packages() {
    local said folder chosen=()
    for folder in $(published); do
        chosen+=(-p "$(name "$folder")")
    done
    said=$(cargo package --locked "${chosen[@]}" "$@" 2>&1) || { echo "$said"; return 1; }
    ! grep -A 3 '^warning' <<<"$said" || fail "cargo package warns"
    rm -rf "$out/packages"
    mkdir -p "$out/packages"
    for folder in $(published); do
        cp "${CARGO_TARGET_DIR:-target}/package/$(name "$folder")-"*.crate "$out/packages/"
    done
    ls -l "$out/packages"
}

# Of a copy, because the lists are written beside each Cargo.toml.
sbom() {
    local copy program folder
    cargo cyclonedx --version >/dev/null 2>&1 || cargo install --quiet --locked --debug cargo-cyclonedx
    copy=$(mktemp -d)
    git archive HEAD | tar --extract --directory "$copy"
    SOURCE_DATE_EPOCH=$(git log -1 --format=%ct) \
        cargo cyclonedx --quiet --manifest-path "$copy/Cargo.toml" --format json --spec-version 1.5 --target all
    mkdir -p "$out/sbom"
    for folder in $(published); do
        program=$(name "$folder")
        [[ " ${programs[*]} " != *" $program "* ]] || cp "$copy/$folder/$program.cdx.json" "$out/sbom/"
    done
    rm -rf "$copy"
    for program in "${programs[@]}"; do
        grep -q '"bomFormat": *"CycloneDX"' "$out/sbom/$program.cdx.json" || fail "no list of what $program is made of"
    done
    ls -l "$out/sbom"
}

# Nothing of the place where it was built is in it: neither the checkout's path nor that of Cargo's registry.
build_agent() {
    local place=$1
    mkdir -p "$place/source"
    git archive HEAD | tar --extract --directory "$place/source"
    # What Cargo keeps elsewhere is reached by another path too.
    ln -s "${CARGO_HOME:-$HOME/.cargo}" "$place/cargo"
    (
        cd "$place/source"
        CARGO_HOME=$place/cargo CARGO_TARGET_DIR=$place/target CARGO_INCREMENTAL=0 SOURCE_DATE_EPOCH=0 \
            RUSTFLAGS="--remap-path-prefix=$place/source=/source --remap-path-prefix=$place/cargo=/cargo" \
            CFLAGS="-ffile-prefix-map=$place/source=/source -ffile-prefix-map=$place/cargo=/cargo" \
            cargo build --quiet --locked --profile agent -p dc-agent
    )
    cp "$place/target/agent/dc-agent" "$out/dc-agent"
    sha256sum <"$out/dc-agent"
}

agent() {
    local places first second
    places=$(mktemp -d)
    mkdir -p "$out"
    first=$(build_agent "$places/here")
    second=$(build_agent "$places/in/a/place/far/away")
    rm -rf "$places"
    [ "$first" = "$second" ] || fail "two builds of the agent differ: $first $second"
    echo "two builds of dc-agent are the same, $(stat --format %s "$out/dc-agent") bytes, SHA-256 ${first%% *}"
}

case ${1:-all} in
versions) versions ;;
packages) shift && packages "$@" ;;
sbom) sbom ;;
agent) agent ;;
all) versions && packages && sbom && agent ;;
*) sed -n '2,/^set/{/^#/s/^# \{0,1\}//p}' "${BASH_SOURCE[0]}" >&2 && exit 2 ;;
esac
