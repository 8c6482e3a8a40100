#!/usr/bin/env bash
# Makes Debian packages of what has been built:
#
#   cargo build --release -p dc-signer --features service,pkcs11
#   cargo build --profile agent -p dc-agent -p dc-terminator -p dc-connect
#   dc-signer/ops/deb/build.sh [OPTION...] [PACKAGE...]       # target/packages/*.deb
#
#   --profile NAME    take all programs from this profile's folder, 'dev' for example, instead of release and agent
#   --target TRIPLE   for another machine; --arch says what Debian calls it, and STRIP names the program for it
#   --arch NAME
#   --revision N      what is behind the version, 1 unless it is given
#   --out DIR         where to, target/packages unless it is given
#   --fast            hardly compressed
#
# Without a PACKAGE all of them: dc-signer (with dc-keyd's unit), dc-agent, dc-terminator, dc-connect. It needs dpkg-dev and binutils.
# DEB_MAINTAINER is who answers for the packages; DC_PAGES the program dc-pages, which cargo builds unless it is given.
#
# The same programs, of the same commit, make the same bytes. Man pages and completions come from the help that the programs print.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cd "$here/../../.."

fail() {
    echo "build.sh: $*" >&2
    exit 2
}

packages=() profile='' triple='' arch=$(dpkg --print-architecture) revision=1 out=target/packages compress=xz
while [ $# -gt 0 ]; do
    case $1 in
        --profile | --target | --arch | --revision | --out) [ $# -gt 1 ] || fail "$1 wants a value" ;;
    esac
    case $1 in
        --profile) profile=$2 && shift ;;
        --target) triple=$2 && shift ;;
        --arch) arch=$2 && shift ;;
        --revision) revision=$2 && shift ;;
        --out) out=$2 && shift ;;
        --fast) compress=none ;;
        dc-agent | dc-connect | dc-signer | dc-terminator) packages+=("$1") ;;
        -h | --help) sed -n '2,/^set/{/^#/s/^# \{0,1\}//p}' "$0" && exit ;;
        *) fail "$1 is no option and no package; --help lists them" ;;
    esac
    shift
done
[ ${#packages[@]} -gt 0 ] || packages=(dc-signer dc-agent dc-terminator dc-connect)

target=${CARGO_TARGET_DIR:-target}
version=$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -n 1)-$revision
maintainer=${DEB_MAINTAINER:-Nobody <nobody@example.com>}
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct)}
export SOURCE_DATE_EPOCH
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# What is in a package is readable, whoever makes it.
umask 022
mkdir -p "$out"

# The folder of a package's program.
built() {
    local kind=$profile
    [ -n "$kind" ] || case $1 in dc-signer) kind=release ;; *) kind=agent ;; esac
    [ "$kind" != dev ] || kind=debug
    echo "$target${triple:+/$triple}/$kind"
}

# What a package is, in one line and in some more.
describe() {
    case $1 in
        dc-signer) cat <<'END' ;;
signer of delegated credentials (RFC 9345) for devices
 The service of a vendor that gives each device a TLS credential with a name
 that no other device has, and renews it; with its commands, and the process that
 can hold its keys instead (dc-keyd).
 .
 Neither is started before it has a configuration.
END
        dc-agent) cat <<'END' ;;
keeps a device's delegated credential (RFC 9345) fresh
 The program of a device that makes its keys, enrols at a signer, and renews its
 TLS credential for years. Servers follow the folder that it keeps.
 .
 It is not started before it has a configuration.
END
        dc-terminator) cat <<'END' ;;
serves TLS with a delegated credential (RFC 9345)
 A TLS server with a device's delegated credential, before a web server or a
 resolver beside it that knows nothing of one.
END
        dc-connect) cat <<'END' ;;
reaches a device by its name with a delegated credential (RFC 9345)
 A client for programs that know nothing of delegated credentials: a pipe, a
 port or an HTTP proxy, behind which a device has proved its name.
END
    esac
}

# The units of a package in the order in which an upgrade restarts them, and the folders that its configuration, records and keys are in.
units() {
    case $1 in
        dc-signer) echo dc-keyd.service dc-signer.service ;;
        dc-agent | dc-terminator) echo "$1.service" ;;
        dc-connect) ;;
    esac
}
kept() {
    case $1 in
        dc-signer) echo /etc/dc-signer /etc/dc-keyd /var/lib/dc-signer /var/lib/dc-keyd ;;
        dc-agent) echo /etc/dc-agent.toml /etc/dc-agent /var/lib/dc-agent /var/lib/dc-identity ;;
        dc-terminator | dc-connect) ;;
    esac
}

relations() {
    case $1 in
        dc-signer) echo 'Suggests: postgresql, bind9-dnsutils' ;;
        dc-terminator) echo 'Recommends: dc-agent' ;;
        dc-agent) echo 'Suggests: dc-terminator' ;;
        dc-connect) ;;
    esac
}

# What the program needs of the system's libraries; a static one needs none.
libraries() {
    local program=$1
    readelf --dynamic "$program" | grep -q '(NEEDED)' || return 0
    mkdir -p "$work/libraries/debian"
    printf 'Source: it\n\nPackage: it\nArchitecture: any\n' >"$work/libraries/debian/control"
    (cd "$work/libraries" && dpkg-shlibdeps -O -e"$program" 2>"$work/libraries/said") | sed -n 's/^shlibs:Depends=//p' ||
        fail "dpkg-shlibdeps: $(cat "$work/libraries/said")"
}

# Of its crate, which has the package's name.
changelog() {
    local manifest
    manifest=$(grep --files-with-matches --recursive --include=Cargo.toml --line-regexp "name = \"$1\"" dc-signer dc-rustls)
    echo "${manifest%/*}/CHANGELOG.md"
}

# The program, pages, completions and documents.
put_program() {
    local package=$1 root=$2 share=$2/usr/share program page
    program=$(built "$package")/$package
    [ -x "$program" ] || fail "$program is not there: --help says how it is built"
    install -D -m 755 "$program" "$root/usr/bin/$package"
    "${STRIP:-strip}" --strip-all --remove-section=.comment --remove-section=.note "$root/usr/bin/$package"
    for page in "$work/pages/man/$package".1 "$work/pages/man/$package"-*.[15]; do
        [ ! -e "$page" ] || install -D -m 644 "$page" "$share/man/man${page##*.}/${page##*/}"
    done
    [ "$package" != dc-signer ] || install -D -m 644 "$work/pages/man/dc-keyd-config.5" "$share/man/man5/dc-keyd-config.5"
    install -D -m 644 "$work/pages/bash/$package" "$share/bash-completion/completions/$package"
    install -D -m 644 "$work/pages/zsh/_$package" "$share/zsh/vendor-completions/_$package"
    install -D -m 644 "$work/pages/fish/$package.fish" "$share/fish/vendor_completions.d/$package.fish"
    install -D -m 644 "$(changelog "$package")" "$share/doc/$package/changelog"
    install -D -m 644 "$here/copyright" "$share/doc/$package/copyright"
    [ ! -e "$here/$package/README.Debian" ] || install -m 644 "$here/$package/README.Debian" "$share/doc/$package/README.Debian"
    printf '%s (%s) unstable; urgency=medium\n\n  * What is new is in changelog.gz beside this file.\n\n -- %s  %s\n' \
        "$package" "$version" "$maintainer" "$(date --utc --date="@$SOURCE_DATE_EPOCH" +'%a, %d %b %Y %H:%M:%S +0000')" \
        >"$share/doc/$package/changelog.Debian"
    gzip --best --no-name "$share/doc/$package"/changelog* "$share"/man/man*/*
}

# What only one of them has.
put_rest() {
    local package=$1 root=$2 unit ops=dc-signer/ops
    for unit in $(units "$package"); do
        install -D -m 644 "$ops/$unit" "$root/usr/lib/systemd/system/$unit"
    done
    [ ! -e "$here/$package/sysusers.conf" ] || install -D -m 644 "$here/$package/sysusers.conf" "$root/usr/lib/sysusers.d/$package.conf"
    [ ! -e "$here/$package/tmpfiles.conf" ] || install -D -m 644 "$here/$package/tmpfiles.conf" "$root/usr/lib/tmpfiles.d/$package.conf"
    local examples=$root/usr/share/doc/$package/examples
    case $package in
        dc-signer)
            install -D -m 644 dc-signer/src/config/sample.toml "$examples/config.toml"
            install -m 644 dc-signer/src/config/keyd.toml "$examples/keyd.toml"
            install -m 644 "$ops/prometheus-alerts.yaml" "$ops/grafana-dashboard.json" "$examples/"
            install -D -m 755 "$ops/acme-nsupdate.sh" "$root/usr/lib/dc-signer/acme-nsupdate.sh"
            install -m 644 docs/runbook.md "$root/usr/share/doc/dc-signer/runbook.md"
            ;;
        dc-agent)
            install -D -m 644 "$here/dc-agent/dc-agent.toml" "$examples/dc-agent.toml"
            install -m 644 dc-signer/agent/src/sample.toml "$examples/all-keys.toml"
            ;;
        dc-terminator) install -D -m 644 "$here/dc-terminator/dc-terminator.toml" "$root/etc/dc-terminator.toml" ;;
        dc-connect) ;;
    esac
}

# The files that tell dpkg what it is.
put_control() {
    local package=$1 root=$2 debian=$2/DEBIAN script depends
    mkdir -p "$debian"
    depends=$(libraries "$root/usr/bin/$package")
    if [ -n "$(units "$package")" ]; then
        # What makes users and folders, and, for those that read their settings again, /bin/kill.
        [ "$package" = dc-agent ] || depends+="${depends:+, }procps"
        depends+="${depends:+, }systemd | systemd-standalone-sysusers | systemd-sysusers, systemd | systemd-standalone-tmpfiles | systemd-tmpfiles"
        for script in postinst prerm postrm; do
            sed -e "s|@PACKAGE@|$package|g" -e "s|@UNITS@|$(units "$package")|g" -e "s|@KEPT@|$(kept "$package")|g" \
                "$here/$script" >"$debian/$script"
            chmod 755 "$debian/$script"
        done
    fi
    (cd "$root" && find . -path './etc/*' -type f -printf '/%P\n' >DEBIAN/conffiles)
    [ -s "$debian/conffiles" ] || rm "$debian/conffiles"
    (cd "$root" && find . -path ./DEBIAN -prune -o -type f -printf '%P\0' | LC_ALL=C sort --zero-terminated | xargs --null md5sum >DEBIAN/md5sums)
    {
        printf 'Package: %s\nVersion: %s\nArchitecture: %s\nMaintainer: %s\n' "$package" "$version" "$arch" "$maintainer"
        printf 'Installed-Size: %s\n' "$(du --apparent-size --summarize --block-size=1024 --exclude=DEBIAN "$root" | cut -f 1)"
        [ -z "$depends" ] || printf 'Depends: %s\n' "$depends"
        relations "$package"
        printf 'Section: net\nPriority: optional\nDescription: '
        describe "$package"
    } >"$debian/control"
}

pages=(cargo run --quiet --locked -p dc-pages --)
[ -z "${DC_PAGES:-}" ] || pages=("$DC_PAGES")
"${pages[@]}" "$work/pages"
for package in "${packages[@]}"; do
    root=$work/$package
    put_program "$package" "$root"
    put_rest "$package" "$root"
    put_control "$package" "$root"
    dpkg-deb --root-owner-group -Z"$compress" --build "$root" "$out/${package}_${version}_$arch.deb" >/dev/null
    ls -l "$out/${package}_${version}_$arch.deb"
done
