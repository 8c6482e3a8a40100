#!/bin/sh
# Refuses programs that are not there, or that are for another machine than a compiler makes programs for: OpenWrt would pack them, and the
# router would not start them.
#
#   check-programs.sh FOLDER COMPILER...
set -eu
folder=$1
shift
object=$(mktemp)
trap 'rm -f "$object"' EXIT

fail() {
	echo "delegated-credentials: $*" >&2
	exit 1
}

# The head of a file of ELF has at 4 and 5 whether it is of 64 bits, and the order of bytes, and at 18 the machine.
machine() {
	od -An -tx1 -j4 -N2 "$1"
	od -An -tx1 -j18 -N2 "$1"
}

echo 'int x;' | "$@" -x c -c -o "$object" - || fail "$* does not compile"
for program in dc-agent dc-terminator dc-connect; do
	file=$folder/$program
	[ -f "$file" ] || fail "$file is not there. Put what dc-signer/ops/cross-build.sh builds into programs/ beside the Makefile, or say" \
		"with DC_PROGRAMS where it is, by a path that begins with /"
	[ "$(machine "$file")" = "$(machine "$object")" ] ||
		fail "$file is for another machine than this OpenWrt. cross-build.sh builds for the machine that TARGET names"
done
