#!/usr/bin/env bash
# Renders the Internet-Draft as text and HTML, in target/draft, without the network.
#
#   docs/draft.sh                     as it is here
#   docs/draft.sh --for-submission    as it would go to the IETF: with its boilerplate, without the note that says what it is not
#
# Fails on any warning, and on what the tools of the IETF complain about. xml2rfc is installed when it is missing, in the
# versions of draft-requirements.txt, into a virtual environment in target/draft; tests/setup does that, and says what to do
# where it cannot.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
target=${CARGO_TARGET_DIR:-$here/../target}
draft=$(echo "$here"/draft-*.xml)
name=$(basename "$draft" .xml)

fail() {
    echo "docs/draft.sh: $*" >&2
    exit 1
}

# The copyright and the terms of the IETF are true of what was sent there.
submission() {
    sed -e '1,/<front>/s/ ipr="none"/ ipr="trust200902"/' -e '/<note /,/<\/note>/d' "$draft"
}

render() {
    local said
    said=$("$target/draft/venv/bin/xml2rfc" --no-network --quiet --cache "$target/draft/cache" --path "$out" --text --html "$1" 2>&1) ||
        fail "xml2rfc failed:"$'\n'"$said"
    [ -z "$said" ] || fail "xml2rfc warns:"$'\n'"$said"
}

# Lines of 72 columns, and ASCII alone.
check_text() {
    local wrong
    wrong=$(LC_ALL=C grep -n -E '^.{73}|[^ -~]' <(tr -d '\f' <"$out/$name.txt") | head -n 5) || true
    [ -z "$wrong" ] || fail "lines of more than 72 octets, or not in ASCII:"$'\n'"$wrong"
}

[ "${DC_DRAFT-}" != skip ] || fail "DC_DRAFT=skip leaves it out"
mkdir -p "$target/draft"
target=$(cd "$target" && pwd)
out=$target/draft
case ${1-} in
    "") source=$draft ;;
    --for-submission)
        out=$target/draft/submission
        mkdir -p "$out"
        source=$out/$name.xml
        submission >"$source"
        ;;
    *)
        sed -n '2,/^set/{/^#/s/^# \{0,1\}//p}' "${BASH_SOURCE[0]}" >&2
        exit 2
        ;;
esac
CARGO_TARGET_DIR=$target "$here/../tests/setup/setup.sh" draft
render "$source"
check_text
echo "$out/$name.txt"
echo "$out/$name.html"
