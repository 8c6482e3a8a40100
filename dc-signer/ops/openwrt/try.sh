#!/usr/bin/env bash
# Shows that what OpenWrt would start works: the init scripts read the example's options under BusyBox's shell, and what they tell procd is
# started here, with the programs that the tests have built. The agent enrols at a real signer, and the terminator serves a client.
#
# It is no OpenWrt: its build, /lib/functions.sh and procd are stand-ins (stubs/), the programs are for this machine, and no package is made.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cd "$here/../../.."
built=$PWD/${CARGO_TARGET_DIR:-target}/debug

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

shellcheck --shell=dash --exclude=SC3043 "$here"/files/*.init "$here/stubs/functions.sh"

# Every key of the agent's configuration, and every setting of the terminator, can be an option.
# shellcheck disable=SC2013 # they are words
for key in $(sed -n 's/^\(#: *\)\{0,1\}\([a-z_]*\) = .*/\2/p' dc-signer/agent/src/sample.toml); do
    grep -q -w "$key" "$here/files/dc-agent.init" || fail "dc-agent.init does not know $key"
done
for key in $(sed -n 's/^ *--\([a-z-]*\) .*/\1/p' dc-rustls/terminator/tests/help/dc-terminator.txt | tr - _); do
    [ "$key" = config ] || grep -q -w "$key" "$here/files/dc-terminator.init" || fail "dc-terminator.init does not know $key"
done

# A root of its own, as the packages would fill it, and scripts and options with it in front.
export UCI=$folder/etc/config PROCD=$folder/procd
mkdir "$PROCD"
make --silent -C "$here" TOPDIR="$here/stubs" INCLUDE_DIR="$here/stubs" DC_PROGRAMS="$built" DESTDIR="$folder" all
chmod 755 "$folder"
sed -i "s#=/\(usr/sbin\|var/etc\)#=$folder/\1#" "$folder"/etc/init.d/*
sed -i "s|'/etc/dc-agent|'$folder/etc/dc-agent|" "$UCI"/*

# What procd is told, by name of the instance. As examples stand nothing is started.
start() {
    rm -rf "${PROCD:?}"/*
    # shellcheck disable=SC2016 # it expands there
    busybox ash -e -u -c '. "$1"; . "$2"; start_service; service_triggers' ash "$here/stubs/functions.sh" "$folder/etc/init.d/$1" ||
        fail "$1.init failed"
}
for program in dc-agent dc-terminator; do
    start "$program"
    [ -z "$(ls "$PROCD")" ] || fail "$program is started though it is not enabled"
done

"$built/dc-signer" serve --dev --data "$folder/signer" >"$folder/signer.log" 2>&1 &
name=$(find_in "$folder/signer.log" ' probe .* --name ([^ ]+) ')
port=$(find_in "$folder/signer.log" 'https://localhost:([0-9]+)')
find_in "$folder/signer.log" '"code":"([^"]+)"' >"$folder/etc/dc-agent/activation-code"
cp "$folder/signer/vendor/root.pem" "$folder/etc/dc-agent/root.pem"
cp "$folder/signer/vendor/root.pem" "$folder/etc/dc-agent/signer-root.pem"

# As root it becomes a user, which is to be in the group.
user='' group=$(id -g)
[ "$(id -u)" != 0 ] || user=65534:65534 group=65534
sed -i -e "s|enabled '0'|enabled '1'|" -e "s|https://signer.example.com:8443|https://localhost:$port|" -e "s|'dc-identity'|'$group'|" \
    -e "s|#list hook_command '/etc/init.d/uhttpd'|list hook_command '/bin/sh'|" -e "s|#list hook_command 'reload'|list hook_command '-c'|" \
    "$UCI/dc-agent"
# Quotes and backslashes have to arrive as they are.
printf "\tlist hook_command 'printf \"%%s\\\\n\" \"a b\" >%s/renewed'\n\toption start_delay '0s'\n" "$folder" >>"$UCI/dc-agent"
start dc-agent
mapfile -t command <"$PROCD/instance1/command"
[ "$(stat --format=%a "${command[2]}")" = 600 ] || fail "${command[2]} can be read by others"
"${command[@]}" >"$folder/agent.log" 2>&1 &
for _ in $(seq 150); do
    [ ! -e "$folder/renewed" ] || break
    sleep 0.1
done
[ "$(cat "$folder/renewed" 2>/dev/null)" = 'a b' ] || fail "the agent has not enrolled, or its hook was not run as it stands"
"${command[0]}" status --config "${command[2]}"
[ "$(stat --format='%a %g' "$folder/etc/dc-agent/identity/current/key.pem")" = "640 $group" ] || fail "the key is not the group's"

# The example's first section, on a port that is free. The signer's own port answers at 'backend', so that there is somebody.
sed -i -e "s|enabled '0'|enabled '1'|" -e "s|'\[::\]:[0-9]*'|'127.0.0.1:0'|" -e "s|user 'dc-terminator'|user '$user'|" \
    -e "s|127.0.0.1:80|127.0.0.1:$port|" "$UCI/dc-terminator"
start dc-terminator
[ "$(ls "$PROCD")" = "$(printf 'dns\nweb')" ] || fail "there is not one instance for each section"
[ "$(cat "$PROCD/web/reload_signal")" = HUP ] || fail "it is not told to read its settings again"
mapfile -t command <"$PROCD/web/command"
"${command[@]}" >"$folder/terminator.log" 2>&1 &
terminator=$!
address=$(find_in "$folder/terminator.log" 'listening on (.*)')
"$built/dc-signer" probe "$address" --name "$name" --root "$folder/signer/vendor/root.pem" >"$folder/probe.log" 2>&1 ||
    fail "a client does not accept what is served"
kill -HUP $terminator
find_in "$folder/terminator.log" 'has read its (settings) again' >/dev/null
echo "what OpenWrt would start was started: the agent enrolled, and a client accepted $name"
