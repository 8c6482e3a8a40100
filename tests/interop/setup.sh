#!/usr/bin/env bash
# Installs the TLS peers of the interop tests: NSS, Firefox, kdig and openssl by apt, tlslite-ng into a virtual environment;
# and builds our servers on NSS and BoringSSL. The tests run it by themselves; when everything is there it does nothing
# and takes no time.
# Everything built goes to interop/ in Cargo's target directory ($CARGO_TARGET_DIR, else target/).
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cache=${CARGO_TARGET_DIR:-$here/../../target}/interop
venv=$cache/venv
boring=$here/../boring
# Written last, so what was interrupted is done again.
venv_done=$venv/requirements.txt
boring_done=$cache/boring/done

say() { echo "interop setup: $*" >&2; }
fail() {
    say "$*"
    say "to run the other tests without these peers, set DC_INTEROP=skip"
    exit 1
}

boring_server_is_there() {
    [ -e "$boring_done" ] && [ -z "$(find "$boring/src" "$boring"/Cargo.* -newer "$boring_done")" ]
}

missing_packages() {
    command -v tstclnt >/dev/null && command -v certutil >/dev/null || echo libnss3-tools
    command -v openssl >/dev/null || echo openssl
    command -v kdig >/dev/null || echo knot-dnsutils
    # Not pinned: security updates move it. The report says which one it was.
    command -v firefox-esr >/dev/null || echo firefox-esr
    command -v gcc >/dev/null || echo gcc libc6-dev
    if ! command -v pkg-config >/dev/null; then
        echo pkg-config libnss3-dev
    elif ! pkg-config --exists nss; then
        echo libnss3-dev
    fi
    # Only needed to build BoringSSL, which its package patches with git; libclang is where bindgen looks for it.
    if ! boring_server_is_there; then
        command -v cmake >/dev/null || echo cmake
        command -v make >/dev/null || echo make
        command -v g++ >/dev/null || echo g++
        command -v git >/dev/null || echo git
        compgen -G '/usr/lib/llvm-*/lib/libclang.so*' >/dev/null || [ -n "${LIBCLANG_PATH-}" ] || echo libclang-dev
    fi
    # Only needed to make the virtual environment, and slow to ask for.
    [ -e "$venv_done" ] || python3 -c 'import ensurepip, venv' 2>/dev/null || echo python3-venv
}

install_packages() {
    local install=(apt-get install -y -q --no-install-recommends "$@") root=()
    command -v apt-get >/dev/null ||
        fail "this system has no apt-get; install what Debian calls: $*"
    if [ "$(id -u)" != 0 ]; then
        sudo -n true 2>/dev/null || fail "not root; run first: sudo ${install[*]}"
        root=(sudo -n)
    fi
    say "installing $* with apt, about a minute"
    export DEBIAN_FRONTEND=noninteractive
    "${root[@]}" apt-get update -q >"$cache/apt.log" 2>&1 &&
        "${root[@]}" "${install[@]}" >>"$cache/apt.log" 2>&1 ||
        fail "apt failed, see $cache/apt.log; run: ${install[*]}"
}

make_venv() {
    say "installing $(grep tlslite "$here/requirements.txt") into $venv, about ten seconds"
    rm -rf "$venv"
    python3 -m venv "$venv" >"$cache/pip.log" 2>&1 &&
        "$venv/bin/pip" install -q --disable-pip-version-check -r "$here/requirements.txt" >>"$cache/pip.log" 2>&1 ||
        fail "tlslite-ng could not be installed, see $cache/pip.log; it needs python3 >= 3.8, its venv module and a package index"
    cp "$here/requirements.txt" "$venv_done"
}

build_nss_server() {
    say "compiling nss_server.c, under a second"
    # shellcheck disable=SC2046 # pkg-config prints words
    gcc -O1 -Wall -Wextra "$here/nss_server.c" -o "$cache/nss_server.new" $(pkg-config --cflags --libs nss) ||
        fail "nss_server.c does not compile; is libnss3-dev complete?"
    mv "$cache/nss_server.new" "$cache/nss_server"
}

build_boring_server() {
    say "compiling BoringSSL for tests/boring, once: three minutes on two idle cores"
    # What Cargo says to a test about its package would make build scripts run again.
    env -u CARGO_MANIFEST_DIR -u CARGO_MANIFEST_PATH -u CARGO_TARGET_DIR \
        "${CARGO:-cargo}" build --release --locked --manifest-path "$boring/Cargo.toml" --target-dir "$cache/boring" \
        >"$cache/boring.log" 2>&1 ||
        fail "tests/boring does not compile, see $cache/boring.log; it needs cmake, make, g++, git, libclang and a package index"
    touch "$boring_done"
}

mkdir -p "$cache"
# Two test runs at the same time must not install the same thing.
exec 9>"$cache/setup.lock"
flock 9

packages=$(missing_packages | xargs)
# shellcheck disable=SC2086 # a list of words
[ -z "$packages" ] || install_packages $packages
packages=$(missing_packages | xargs)
[ -z "$packages" ] || fail "installed, but not found in PATH or by pkg-config: $packages"
cmp -s "$here/requirements.txt" "$venv_done" || make_venv
[ "$cache/nss_server" -nt "$here/nss_server.c" ] || build_nss_server
boring_server_is_there || build_boring_server
