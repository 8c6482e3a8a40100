#!/usr/bin/env bash
# Runs the commands of one page in order, in one shell, as somebody pastes them on an empty machine.
#
#   machine.sh CHECKOUT PROGRAMS FOLDER [SAVED]
#
# It is root of a machine of its own: nothing but loopback as its network, its own processes, and of the folders that commands write
# to a copy that is gone with it. Its folder is the checkout, and the programs are built. FOLDER has the blocks, 01.sh and so on, and
# before.sh if the page takes something for granted; here it gets what is written. SAVED is what another machine has saved: this one
# begins where that one was.
set -eEuo pipefail
checkout=$1 programs=$2 folder=$3 saved=${4-}
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

# Nothing that is mounted here is seen elsewhere. In a folder that is the root, as debootstrap makes one, there is no mount to make private.
mount --make-rprivate / 2>/dev/null || ! grep -q ' shared:' /proc/self/mountinfo || exit 1
ip link set lo up
mkdir -p "$folder/layers"
mount -t tmpfs layers "$folder/layers"
chmod 755 "$folder" "$folder/layers"
# What is there stays visible, and what is written goes to memory.
copy() {
    local name=${1//\//-} lower=$1
    [ ! -d "$saved/$name" ] || lower=$saved/$name:$1
    mkdir -p "$folder/layers/$name/upper" "$folder/layers/$name/work"
    chmod 755 "$folder/layers/$name"
    mount -t overlay "copy$name" -o "lowerdir=$lower,upperdir=$folder/layers/$name/upper,workdir=$folder/layers/$name/work" "$2"
}
# What was written so far.
save() {
    local layer
    mkdir "$1"
    for layer in "$folder"/layers/*/upper; do
        cp -a "$layer" "$1/$(basename "${layer%/upper}")"
    done
}
for system in /etc /var /usr /mnt /root /srv; do
    [ ! -d "$system" ] || copy "$system" "$system"
done
mount -t tmpfs run /run
# Every machine that was installed has it; a folder that debootstrap has made does not.
grep -qw localhost /etc/hosts 2>/dev/null || echo '127.0.0.1 localhost' >>/etc/hosts
mkdir "$folder/layers/checkout"
copy "$checkout" "$folder/layers/checkout"

# Whoever takes programs for granted has all of them; a page that builds some has these alone, where its cargo leaves them.
without=$here/bin:$PATH with=$here/bin:$programs:$programs/examples:$PATH
if grep -qE '^cargo (build|install)' "$folder"/*-block-*.sh 2>/dev/null; then
    mkdir -p "$folder/layers/checkout/target"
    mount -t tmpfs built "$folder/layers/checkout/target"
else
    without=$with
fi
export PATH=$with HOME=/root
export GUIDES_PROGRAMS=$programs
unset "${!DC_@}" "${!CARGO_@}"
cd "$folder/layers/checkout"

# Whoever pastes sees that a server has started before the next block: it listens, at all of its ports.
ports() { cat /proc/net/tcp /proc/net/tcp6 | awk '$4 == "0A"' | wc -l; }
settle() {
    local before=$1 tries=0 last=0 same=0 now
    while [ $((tries++)) -lt 50 ] && [ $same -lt 3 ]; do
        now=$(ports)
        [ "$now" -gt "$before" ] && [ "$now" = "$last" ] && ((++same)) || same=0
        last=$now
        sleep 0.1
    done
}

trap 'echo "== $block failed: $BASH_COMMAND" >&2' ERR
for block in "$folder"/before.sh "$folder"/[0-9]*.sh; do
    [ -e "$block" ] || continue
    case ${block##*/} in
        *-block-*) PATH=${PATH/"$with"/"$without"} ;;
        *) PATH=${PATH/"$without"/"$with"} ;;
    esac
    echo "== ${block##*/}"
    before=$(ports) running=$(jobs -r | wc -l)
    # As in a terminal: a variable that is not set is empty.
    set +u
    # Words in capitals that a reader fills in, if the page has such.
    if declare -F fill >/dev/null; then
        fill <"$block" >"$block.filled"
        block=$block.filled
    fi
    # shellcheck source=/dev/null
    . "$block"
    set -u
    [ "$(jobs -r | wc -l)" -le "$running" ] || settle "$before"
done
echo "== all done"
