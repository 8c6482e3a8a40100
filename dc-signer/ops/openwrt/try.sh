#!/usr/bin/env bash
# Shows that what OpenWrt would start works: the init scripts read options under BusyBox's shell, and what they tell procd is started here,
# with the programs that the tests have built. The agent enrols at a real signer, and the terminator serves a client.
#
# 'uci' is OpenWrt's own, compiled here. Its build, /etc/rc.common, /lib/functions.sh and procd are stand-ins (stubs/), which do what those do
# as far as the scripts can notice; the programs are for this machine, and no package is made.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cd "$here/../../.."
target=${CARGO_TARGET_DIR:-target}
mkdir -p "$target"
target=$(cd "$target" && pwd)
built=$target/debug

folder=$(mktemp -d)
trap 'kill $(jobs -p) 2>/dev/null || true; wait; rm -rf "$folder"' EXIT
fail() {
    echo "openwrt/try.sh: $*" >&2
    tail -n 20 "$folder"/*.log >&2 2>/dev/null || true
    exit 1
}

# Waits for a line in a file, and prints the first group of the pattern in it.
find_in() {
    for _ in $(seq 150); do
        grep -q -E "$2" "$1" 2>/dev/null && sed -n -E "s|.*$2.*|\1|p" "$1" | head -n 1 && return
        sleep 0.1
    done
    fail "no '$2' in $1"
}

# Waits for what a command prints to be as said.
until_prints() {
    local wanted=$1
    shift
    for _ in $(seq 150); do
        [ "$("$@" 2>/dev/null)" != "$wanted" ] || return 0
        sleep 0.1
    done
    fail "'$*' does not print '$wanted', but '$("$@" 2>&1)'"
}

# Its source comes in a crate of bindings, of which nothing else is used: no Debian package has it.
compile_uci() {
    local crate=libuci-sys-1.0.5 sum=544c17966d9131e80b3616783974a31b526197ca5b56948bb130eeb6c04fbaf1
    UCI=$target/openwrt/$crate/uci-program
    [ ! -x "$UCI" ] || return 0
    mkdir -p "$target/openwrt"
    local archive
    find_archive() { find "${CARGO_HOME:-$HOME/.cargo}" -maxdepth 4 -name "$crate.crate" | head -n 1; }
    archive=$(find_archive)
    if [ -z "$archive" ]; then
        (cd "$folder" && cargo info --quiet "${crate%-*}@${crate##*-}" >/dev/null) || fail "$crate cannot be had from crates.io"
        archive=$(find_archive)
    fi
    echo "$sum  $archive" | sha256sum --check --quiet || fail "$archive is not what was read"
    tar -xzf "$archive" -C "$target/openwrt"
    (
        cd "$target/openwrt/$crate"
        touch uci/uci_config.h
        # The crate's own folder is where <libubox/...> begins.
        "${CC:-cc}" -O1 -w -D_GNU_SOURCE -std=gnu99 '-DUCI_PREFIX=""' -I. -Iuci -o uci-program.new \
            uci/{cli,libuci,file,util,delta,parse,blob}.c libubox/{blob,blobmsg,avl,avl-cmp,utils,md5}.c
        mv uci-program.new uci-program
    ) || fail "$crate does not compile"
}
compile_uci

shellcheck --shell=dash --exclude=SC3043 --external-sources "$here"/files/*.init "$here"/files/*.sh "$here"/stubs/{rc.common,*.sh} "$here/check-programs.sh"
# Functions of OpenWrt have short names, and the script's come after them.
! grep -E -H '^[a-z_]+\(\)' "$here"/files/*.init "$here"/files/*.sh | grep -v -E ':(dc_[a-z_]+|start_service|service_triggers)\(\)' ||
    fail "a function of an init script that does not begin with dc_ can take the place of one of OpenWrt's"

# Every key of the agent's configuration, and every setting of the terminator, can be an option.
# shellcheck disable=SC2013 # they are words
for key in $(sed -n 's/^\(#: *\)\{0,1\}\([a-z_]*\) = .*/\2/p' dc-signer/agent/src/sample.toml); do
    grep -q -w "$key" "$here/files/dc-agent.init" || fail "dc-agent.init does not know $key"
done
for key in $(sed -n 's/^ *--\([a-z-]*\) .*/\1/p' dc-rustls/terminator/tests/help/dc-terminator.txt | tr - _); do
    [ "$key" = config ] || grep -q -w "$key" "$here/files/dc-terminator.init" || fail "dc-terminator.init does not know $key"
done

# apk takes numbers with dots between them, and '_rc1' where Cargo has '-rc.1'.
version=$(sed -n 's/^PKG_VERSION:=//p' "$here/Makefile")
[[ $version =~ ^[0-9]+(\.[0-9]+)*(_(alpha|beta|rc)[0-9]*)?$ ]] || fail "apk does not take the version $version"
[ "dc-agent $version" = "$("$built/dc-agent" --version | sed 's/-\(alpha\|beta\|rc\)\.*/_\1/')" ] || fail "the packages' version is not the programs'"

# A root of its own, as the packages would fill it, and scripts and options with it in front.
export ROOT=$folder PROCD=$folder/procd
mkdir "$PROCD" "$folder/sbin"
build() {
    env DC_PROGRAMS="$1" make --silent -C "$here" TOPDIR="$here/stubs" INCLUDE_DIR="$here/stubs" DESTDIR="$ROOT" all
}
mkdir "$folder/foreign"
for program in dc-agent dc-terminator dc-connect; do
    # As if for MIPS.
    { head -c 18 "$built/$program" && printf '\010\000'; } >"$folder/foreign/$program"
done
! build "$folder/foreign" 2>"$folder/build.log" || fail "programs for another machine are packed"
grep -q 'is for another machine' "$folder/build.log" || fail "programs for another machine are refused for something else"
! build "$folder/nowhere" 2>"$folder/build.log" || fail "no programs are packed"
grep -q 'is not there' "$folder/build.log" || fail "no programs are refused for something else"
install_packages() {
    build "$built"
    sed -i "s#\(\"\| \)/\(usr/sbin\|var/etc\)/#\1$folder/\2/#" "$folder"/etc/init.d/*
    sed -i "s|'/etc/dc-agent|'$folder/etc/dc-agent|" "$folder"/etc/config/*
}
install_packages
chmod 755 "$folder"

# What the scripts call beside the functions.
cat >"$folder/sbin/uci" <<END
#!/bin/sh
exec "$UCI" -c "$folder/etc/config" -t "$folder/uci" "\$@"
END
cat >"$folder/sbin/logger" <<END
#!/bin/sh
echo "\$*" >>"$folder/logged"
END
chmod 755 "$folder"/sbin/*
PATH=$folder/sbin:$PATH

init() {
    busybox ash "$here/stubs/rc.common" "$folder/etc/init.d/$1" "$2" 2>"$folder/init.log"
}
# What procd would do then, in a line.
did() {
    init "$1" "$2" || fail "$1 $2 failed"
    [ ! -s "$folder/init.log" ] || fail "$1 $2 says: $(cat "$folder/init.log")"
    [ "$(cat "$PROCD/triggers" 2>/dev/null)" = "$1" ] || fail "$1 does not follow its configuration"
    sort "$PROCD/did" | paste -s -d,
}
expect() {
    local did
    did=$(did "$1" "$2")
    [ "$did" = "$3" ] || fail "procd would do '$did' after $1 $2, and not '$3'"
}
# Commands of uci, and what is said is done.
options() {
    local line
    for line in "$@"; do
        uci "${line%% *}" "${line#* }" || fail "uci does not take $line"
    done
    uci commit
}
# The command of an instance, as procd would run it.
command_of() {
    mapfile -t command <"$PROCD/$1/$2/command"
}

# As examples stand nothing is started.
expect dc-agent start ''
expect dc-terminator start ''

"$built/dc-signer" serve --dev --data "$folder/signer" >"$folder/signer.log" 2>&1 &
name=$(find_in "$folder/signer.log" ' probe .* --name ([^ ]+) ')
port=$(find_in "$folder/signer.log" 'https://localhost:([0-9]+)')
find_in "$folder/signer.log" '"code":"([^"]+)"' >"$folder/etc/dc-agent/activation-code"
cp "$folder/signer/vendor/root.pem" "$folder/etc/dc-agent/root.pem"
cp "$folder/signer/vendor/root.pem" "$folder/etc/dc-agent/signer-root.pem"

# As root it becomes a user, which is to be in the group.
user='' group=$(id -g)
[ "$(id -u)" != 0 ] || user=65534:65534 group=65534
# Whatever is in a value arrives as it is.
odd=$' a  "b"\t\'c\' \\n \\\\ $HOME `id` $(id) # d\ne '
# shellcheck disable=SC2016 # it expands there
options "set dc-agent.main.enabled=1" "set dc-agent.main.signer=https://localhost:$port" "set dc-agent.main.key_group=$group" \
    "set dc-agent.main.start_delay=0s" "add_list dc-agent.main.hook_command=/bin/sh" "add_list dc-agent.main.hook_command=-c" \
    'add_list dc-agent.main.hook_command=printf %s "$2" >"$1"' "add_list dc-agent.main.hook_command=sh" \
    "add_list dc-agent.main.hook_command=$folder/renewed" "add_list dc-agent.main.hook_command=$odd"
expect dc-agent start 'start main'
command_of dc-agent main
[ "$(stat --format=%a "${command[2]}")" = 600 ] || fail "${command[2]} can be read by others"
"${command[@]}" >"$folder/agent.log" 2>&1 &
agent=$!
until_prints "${odd}." sh -c "cat '$folder/renewed' && echo ."
"${command[0]}" status --config "${command[2]}"
key=$folder/etc/dc-agent/identity/current/key.pem
[ "$(stat --format='%a %g' "$key")" = "640 $group" ] || fail "the key is not the group's"

# What reload_config does after a change, and without one.
expect dc-agent reload ''
options "set dc-agent.main.timeout=50s"
expect dc-agent reload 'restart main'
options "set dc-agent.second=agent" "set dc-agent.second.enabled=yes" "set dc-agent.second.signer=https://b" "set dc-agent.second.withdrawn_keys=k"
expect dc-agent reload 'start second'
grep -q -F 'keys = ["k"]' "$folder/var/etc/dc-agent-second.toml" || fail "a list that is written as an option is lost"
grep -q -F "https://localhost:$port" "$folder/var/etc/dc-agent-main.toml" || fail "a second agent takes the first one's file"
options "set dc-agent.second.enabled=off"
expect dc-agent reload 'stop second'
# A mistake in the file stops nothing, and is in the log.
cp "$folder/etc/config/dc-agent" "$folder/right"
rm "$PROCD/did"
echo "option roots 'unfinished" >>"$folder/etc/config/dc-agent"
! init dc-agent reload || fail "a file with a mistake is taken"
[ ! -e "$PROCD/did" ] || fail "a file with a mistake changes what runs"
grep -q "/etc/config/dc-agent is not taken.* at line" "$folder/logged" || fail "a mistake in a file is not in the log"
cp "$folder/right" "$folder/etc/config/dc-agent"
# Neither does a full disk, here a file where the folder was.
mv "$folder/var" "$folder/var.kept"
touch "$folder/var"
! init dc-agent reload 2>/dev/null || fail "nothing can be written, and nothing is said"
[ ! -e "$PROCD/did" ] || fail "what cannot be written changes what runs"
grep -q 'dc-agent-main.toml cannot be written' "$folder/logged" || fail "what cannot be written is not in the log"
rm "$folder/var"
mv "$folder/var.kept" "$folder/var"
expect dc-agent reload ''

# The example's first section, on a port that is free. The signer's own port answers at 'backend', so that there is somebody.
for section in web dns; do
    options "set dc-terminator.$section.enabled=1" "set dc-terminator.$section.user=$user" "set dc-terminator.$section.backend=127.0.0.1:$port" \
        "delete dc-terminator.$section.listen" "add_list dc-terminator.$section.listen=127.0.0.1:0"
done
expect dc-terminator start 'start dns,start web'
command_of dc-terminator web
"${command[@]}" >"$folder/terminator.log" 2>&1 &
terminator=$!
address=$(find_in "$folder/terminator.log" 'listening on (.*)')
"$built/dc-signer" probe "$address" --name "$name" --root "$folder/signer/vendor/root.pem" >"$folder/probe.log" 2>&1 ||
    fail "a client does not accept what is served"
# As an editor of Windows leaves it.
sed -i 's/$/\r/' "$folder/etc/config/dc-terminator"
expect dc-terminator reload ''
options "set dc-terminator.web.idle_timeout=50s"
did=$(did dc-terminator reload)
[[ $did = 'signal web '* ]] || fail "procd would do '$did', and not tell dc-terminator to read its settings again"
kill -s "${did##* }" $terminator
find_in "$folder/terminator.log" 'has read its (settings) again' >/dev/null
expect dc-terminator stop 'stop dns,stop web'

# As sysupgrade does it: the files that are kept, without their folders, over what a new image has.
kill $agent
wait $agent || true
before=$(sha256sum "$key")
sed "s|^|$folder|" "$folder"/lib/upgrade/keep.d/* | xargs -I '{}' find '{}' -type f -o -type l | sed 's|^/||' >"$folder/kept"
tar -c -z -C / -f "$folder/kept.tar.gz" -T "$folder/kept"
rm -rf "${folder:?}"/{etc,var}
install_packages
(umask 022 && busybox tar -x -z -C / -f "$folder/kept.tar.gz")
expect dc-agent start ''
command_of dc-agent main
"${command[@]}" --once >"$folder/agent.log" 2>&1 || fail "the agent does not go on after an upgrade"
[ "$(sha256sum "$key")" = "$before" ] || fail "the key is another one after an upgrade"
[ "$(stat --format='%a %g' "$key")" = "640 $group" ] || fail "the key is not the group's after an upgrade"
echo "what OpenWrt would start was started: the agent enrolled, and a client accepted $name"
