#!/usr/bin/env bash
# What try.sh does with the image, in namespaces of its own: looks at it, starts it, asks it, stops it, and starts it again.
#
#   inside.sh PODMAN [OPTION...]
set -euo pipefail
podman=("$@")
image=localhost/dc-signer
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
umask 022

mount -t proc proc /proc
mount -t cgroup2 cgroup2 /sys/fs/cgroup
ip link set lo up

fail() {
    echo "container/try.sh: $*" >&2
    "${podman[@]}" logs signer 2>&1 | tail -n 20 >&2 || true
    exit 1
}
part() { echo "-- $* ($SECONDS s)"; }
same() {
    [ "$2" = "$3" ] || fail "$1: $2, and not $3"
}
clean() {
    "${podman[@]}" rm --force --all >/dev/null
    "${podman[@]}" volume rm --force --all >/dev/null
}
clean

part "what is in the image"
"${podman[@]}" create --name files "$image" >/dev/null
"${podman[@]}" export files | tar --list --verbose --numeric-owner | awk '{print $1, $2, $6}' | sort -k 3 >"$folder/files"
"${podman[@]}" export files | tar --extract --to-stdout dc-signer >"$folder/dc-signer"
"${podman[@]}" rm --volumes files >/dev/null
cat >"$folder/expected" <<'FILES'
-rwxr-xr-x 0/0 dc-signer
drwxr-xr-x 0/0 etc/
drwxr-xr-x 0/0 etc/dc-signer/
drwxrwxrwt 0/0 tmp/
drwxr-xr-x 0/0 var/
drwxr-xr-x 0/0 var/lib/
drwx------ 9345/9345 var/lib/dc-signer/
FILES
diff "$folder/expected" "$folder/files" || fail "other files are in the image"
# What loads no library names no program that would.
! readelf --program-headers "$folder/dc-signer" | grep -w INTERP || fail "the program is not static"
same user "$("${podman[@]}" image inspect --format '{{.Config.User}}' "$image")" 9345:9345

# As an operator has it: a configuration, and a certificate whose key the user of the image may read and nobody else.
part "starting it"
etc=$folder/etc
mkdir -p "$etc/tls"
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -subj /CN=localhost -addext subjectAltName=DNS:localhost \
    -addext basicConstraints=critical,CA:FALSE -keyout "$etc/tls/key.pem" -out "$etc/tls/chain.pem" 2>/dev/null
cat >"$etc/config.toml" <<'TOML'
data = "/var/lib/dc-signer"
node = "container"
[listen]
address = "[::]:8443"
certificate = "tls/chain.pem"
key = "tls/key.pem"
TOML
chmod 711 "$folder"
chmod -R u=rwX,g=rX,o= "$etc"
chown -R 0:9345 "$etc"
# Nothing but its data can be written.
run=("${podman[@]}" run --network host --read-only --read-only-tmpfs=false --cap-drop all --security-opt no-new-privileges
    --volume "$etc:/etc/dc-signer:ro" --volume dc-signer:/var/lib/dc-signer)
start() {
    "${run[@]}" --detach --name signer "$image" >/dev/null
    local _
    for _ in $(seq 100); do
        ! ask healthz 2>/dev/null || return 0
        sleep 0.1
    done
    ask healthz || fail "it does not answer"
}
ask() {
    curl --silent --show-error --fail --max-time 5 --cacert "$etc/tls/chain.pem" "${@:2}" "https://localhost:8443/$1" >/dev/null
}
# In a folder that is the root nobody finds a container's root, as little as they can make namespaces of users.
if unshare --user true 2>/dev/null; then
    inside=("${podman[@]}" exec signer /dc-signer)
else
    inside=("${run[@]}" --rm "$image")
fi
command() { "${inside[@]}" "$@" --config /etc/dc-signer/config.toml; }
start

part "using it"
ask readyz || fail "it is not ready"
process=$("${podman[@]}" inspect --format '{{.State.Pid}}' signer)
same "user and groups" "$(awk '/^(Uid|Gid|CapEff|CapPrm|CapBnd|NoNewPrivs):/ { print $2 }' "/proc/$process/status" | xargs)" \
    "9345 9345 0000000000000000 0000000000000000 0000000000000000 1"
command check
token=$(command operators add alice --role admin --json | sed -n 's/.*"token":"\([^"]*\)".*/\1/p')
[ -n "$token" ] || fail "'operators add' printed no token"
admin() { ask v1/admin/devices --header "Authorization: Bearer $token"; }
admin || fail "the operator is not known"
! ask v1/admin/devices 2>/dev/null || fail "nobody is an operator"
"${podman[@]}" kill --signal HUP signer >/dev/null

stop() {
    "${podman[@]}" stop --time 20 signer >/dev/null
    same "exit status after SIGTERM" "$("${podman[@]}" inspect --format '{{.State.ExitCode}}' signer)" 0
    "${podman[@]}" rm signer >/dev/null
}
part "stopping it"
stop
part "starting another one with the same data"
start
admin || fail "the operator is forgotten"
stop
clean
