#!/usr/bin/env bash
# Installs what tests need beside Rust, a C compiler and git. The tests call it by themselves; when everything is there it
# does nothing and takes no time. `programs`, beside this file, says what belongs to which part.
#
#   setup.sh [PART...]      without a part: all of them, but for those that a variable leaves out
#
# Packages come by apt, and dhcpcd, haproxy, lighttpd, named, promtool and unbound out of one each. For the part `peers` it also installs
# tlslite-ng into a virtual environment and builds our servers on NSS and BoringSSL. For the parts `browser`, `solutions`, `draft` and
# `vectors` it installs what axe-requirements.txt, benches/solutions/requirements.txt (for the part `acme` as well),
# docs/draft-requirements.txt and tests/vectors/requirements.txt name into others. What is not a package goes to setup/, axe/, interop/,
# solutions/, draft/ and vectors/ in Cargo's target directory ($CARGO_TARGET_DIR, else target/).
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
interop=$here/../interop
boring=$here/../boring
target=${CARGO_TARGET_DIR:-$here/../../target}
mkdir -p "$target/setup/bin" "$target/interop"
target=$(cd "$target" && pwd)
cache=$target/interop
# Written last into a virtual environment, so what was interrupted is done again.
venv_done=$cache/venv/requirements.txt
solutions=$here/../../benches/solutions
solutions_done=$target/solutions/venv/requirements.txt
axe_wanted=$here/axe-requirements.txt
axe_done=$target/axe/venv/requirements.txt
draft_wanted=$here/../../docs/draft-requirements.txt
draft_done=$target/draft/venv/requirements.txt
vectors_wanted=$here/../vectors/requirements.txt
vectors_done=$target/vectors/venv/requirements.txt
boring_done=$cache/boring/done
log=$target/setup/apt.log
# Where a program may be that is not in everybody's PATH.
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin:$target/setup/bin$(printf ':%s' /usr/lib/postgresql/*/bin)

say() { echo "tests/setup: $*" >&2; }
# What to do goes last: with hundreds of lines above, the end is read.
fail() {
    say "$*"
    say "to leave these tests out: $(variable_of "$part")=skip"
    exit 1
}

# The table's lines, without comments.
table() { sed -E '/^ *(#|$)/d' "$here/programs"; }
variable_of() { table | awk -v part="$1" '$1 == "leave-out" && $2 == part { print $3 }'; }
parts() { table | awk '$1 == "leave-out" { print $2 }'; }

missing_programs() {
    local program package
    while read -r program package; do
        type -P "$program" >/dev/null || echo "$package"
    done < <(table | awk -v part="$part" '$1 == part { print $2, $3 }')
}

boring_server_is_there() {
    [ -e "$boring_done" ] && [ -z "$(find "$boring/src" "$boring"/Cargo.* -newer "$boring_done")" ]
}

# Only needed to make a virtual environment, and slow to ask for.
missing_for_venv() {
    [ -e "$1" ] || python3 -c 'import ensurepip, venv' 2>/dev/null || echo python3-venv
}

# What our servers and the virtual environment take.
missing_for_peers() {
    [ -e /usr/include/stdlib.h ] || [ -e "$cache/nss_server" ] || echo libc6-dev
    pkg-config --exists nss 2>/dev/null || echo libnss3-dev
    # Only needed to build BoringSSL, which its package patches with git; libclang is where bindgen looks for it.
    if ! boring_server_is_there; then
        for program in cmake make g++ git; do
            type -P "$program" >/dev/null || echo "$program"
        done
        compgen -G '/usr/lib/llvm-*/lib/libclang.so*' >/dev/null || [ -n "${LIBCLANG_PATH-}" ] || echo libclang-dev
    fi
    missing_for_venv "$venv_done"
}

# The header for what gives programs their time, which is compiled when it is first wanted.
missing_for_solutions() {
    [ -e /usr/include/stdlib.h ] || echo libc6-dev
    missing_for_venv "$solutions_done"
}

missing_for_proxies() {
    compgen -G '/usr/lib/*/liblua5.3.so.0' >/dev/null || echo liblua5.3-0
    compgen -G '/usr/lib/*/libopentracing-c-wrapper.so.0' >/dev/null || echo libopentracing-c-wrapper0
}

# What lighttpd and unbound load, which are taken out of their packages.
missing_for_tools() {
    local library package
    while read -r library package; do
        compgen -G "/usr/lib/*/$library" >/dev/null || compgen -G "/lib/*/$library" >/dev/null || echo "$package"
    done <<'END'
libpcre2-8.so.0 libpcre2-8-0
libxxhash.so.0 libxxhash0
libnettle.so.8 libnettle8
libevent-2.1.so.7 libevent-2.1-7
libnghttp2.so.14 libnghttp2-14
libprotobuf-c.so.1 libprotobuf-c1
libpython3.11.so.1.0 libpython3.11
END
}

missing_packages() {
    {
        missing_programs
        [ "$part" != proxies ] || missing_for_proxies
        [ "$part" != tools ] || missing_for_tools
        [ "$part" != peers ] || missing_for_peers
        [ "$part" != solutions ] || missing_for_solutions
        [ "$part" != acme ] || missing_for_venv "$solutions_done"
        [ "$part" != browser ] || missing_for_venv "$axe_done"
        [ "$part" != draft ] || missing_for_venv "$draft_done"
        [ "$part" != vectors ] || missing_for_venv "$vectors_done"
    } | sort -u | xargs
}

# As root: by itself, or with a sudo that does not ask.
as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"; else sudo -n "$@"; fi
}

# What of apt's log says why.
reason() {
    grep -E '^(E|Err|W): ?|^Err:|not resolve|[Ff]ailed' "$log" | tail -n 3 | cut -c 1-300 >&2 || tail -n 3 "$log" >&2
}

# Lists of packages that are an hour old will do. An apt that is at work is waited for; one that finds no server is not, for long.
fresh_lists() {
    local stamp=$target/setup/apt.updated
    [ -z "$(find "$stamp" -mmin -60 2>/dev/null)" ] || return 0
    for _ in 1 2 3 4 5 6 7 8 9 10 11 12; do
        if as_root apt-get update -q "${apt_options[@]}" -o APT::Update::Error-Mode=any >"$log" 2>&1; then
            touch "$stamp"
            return 0
        fi
        grep -q 'Could not get lock' "$log" || return 1
        sleep 5
    done
    return 1
}
apt_options=(-o DPkg::Lock::Timeout=300 -o Acquire::Retries=2 -o Acquire::http::Timeout=30 -o Acquire::https::Timeout=30)

apt_is_usable() {
    type -P apt-get >/dev/null || fail "this system has no apt-get; install what Debian calls: $*"
    [ "$(id -u)" = 0 ] || sudo -n true 2>/dev/null ||
        fail "not root, and sudo asks for a password; run first: sudo apt-get install --no-install-recommends $*"
}

install_packages() {
    local install=(apt-get install -y -q --no-install-recommends "$@")
    apt_is_usable "$@"
    say "installing with apt, about a minute: $*"
    fresh_lists || {
        reason
        fail "'apt-get update' failed, see $log; is this machine offline? These packages are missing: $*"
    }
    as_root env DEBIAN_FRONTEND=noninteractive "${install[@]}" "${apt_options[@]}" >"$log" 2>&1 || {
        reason
        fail "apt failed, see $log; run first: ${install[*]}"
    }
}

# One program of a package that would also start a server, with what it loads: the package, and files in it.
take_out() {
    local package=$1 folder=$target/setup/$1
    local program=${2##*/}
    shift
    type -P apt-get >/dev/null && type -P dpkg-deb >/dev/null ||
        fail "this system has no apt-get; install $program, which Debian has in its package $package"
    say "taking $program out of Debian's package $package, about ten seconds"
    rm -rf "$folder" && mkdir -p "$folder"
    # Whoever is not root can take what the lists have.
    fresh_lists || true
    (cd "$folder" && apt-get download -q "${apt_options[@]}" "$package" && dpkg-deb -x "$package"_*.deb .) >"$log" 2>&1 || {
        reason
        fail "Debian's package $package cannot be had, see $log; is this machine offline? Run first: sudo apt-get update; or put $program into PATH"
    }
    # The program last: what is there is not taken out again.
    local file
    for file in "${@:2}" "$1"; do
        mv "$folder/$file" "$target/setup/bin/"
    done
    rm -rf "$folder"
}

# A virtual environment of what a file names, unless it is there; the third word says what is wanted, and more are for pip.
make_venv() {
    local wanted=$1 done=$2 what=$3
    shift 3
    local folder=${done%/*}
    local log=${folder%/*}/pip.log
    ! cmp -s "$wanted" "$done" || return 0
    say "installing $(grep -o "^$what[^ ]*" "$wanted") into $folder, about ten seconds"
    rm -rf "$folder"
    mkdir -p "${folder%/*}"
    python3 -m venv "$folder" >"$log" 2>&1 &&
        "$folder/bin/pip" install -q --disable-pip-version-check "$@" -r "$wanted" >>"$log" 2>&1 ||
        fail "$what could not be installed, see $log; it needs python3 >= 3.8, its venv module and a package index"
    cp "$wanted" "$done"
}

build_nss_server() {
    say "compiling nss_server.c, under a second"
    # shellcheck disable=SC2046 # pkg-config prints words
    gcc -O1 -Wall -Wextra "$interop/nss_server.c" -o "$cache/nss_server.new" $(pkg-config --cflags --libs nss) ||
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

set_up() {
    local packages list=()
    for packages in $(missing_packages); do
        case $packages in
            bind9 | dhcpcd-base | haproxy | lighttpd | prometheus | unbound) ;;
            *) list+=("$packages") ;;
        esac
    done
    if [ ${#list[@]} -gt 0 ]; then
        install_packages "${list[@]}"
        # A program that is new in a folder that was not there.
        PATH=$PATH$(printf ':%s' /usr/lib/postgresql/*/bin)
    fi
    for packages in $(missing_packages); do
        case $packages in
            bind9) take_out bind9 usr/sbin/named ;;
            dhcpcd-base) take_out dhcpcd-base usr/sbin/dhcpcd ;;
            haproxy) take_out haproxy usr/sbin/haproxy ;;
            # It looks for its modules beside it when it is told to.
            lighttpd) take_out lighttpd usr/sbin/lighttpd usr/lib/lighttpd/mod_accesslog.so usr/lib/lighttpd/mod_extforward.so ;;
            prometheus) take_out prometheus usr/bin/promtool ;;
            unbound) take_out unbound usr/sbin/unbound ;;
        esac
    done
    packages=$(missing_packages)
    [ -z "$packages" ] || fail "installed, but not found in PATH or by pkg-config: $packages"
    if { [ "$part" = solutions ] || [ "$part" = acme ]; } && [ -e "$solutions/requirements.txt" ]; then
        make_venv "$solutions/requirements.txt" "$solutions_done" acme2certifier
    fi
    [ "$part" != browser ] || make_venv "$axe_wanted" "$axe_done" axe-playwright-python --no-deps
    [ "$part" != draft ] || make_venv "$draft_wanted" "$draft_done" xml2rfc
    [ "$part" != vectors ] || make_venv "$vectors_wanted" "$vectors_done" cryptography
    [ "$part" = peers ] || return 0
    make_venv "$interop/requirements.txt" "$venv_done" tlslite
    [ "$cache/nss_server" -nt "$interop/nss_server.c" ] || build_nss_server
    boring_server_is_there || build_boring_server
}

# Two test runs at the same time must not install the same thing.
exec 9>"$target/setup/lock"
flock 9

wanted=("$@")
if [ $# = 0 ]; then
    for part in $(parts); do
        variable=$(variable_of "$part")
        [ "${!variable-}" = skip ] || wanted+=("$part")
    done
fi
for part in ${wanted[@]+"${wanted[@]}"}; do
    [ -n "$(variable_of "$part")" ] || {
        say "there is no part '$part'; there are: $(parts | xargs)"
        exit 2
    }
    set_up
done
