#!/usr/bin/env bash
# Makes the book of docs/ in target/book, with mdBook; installs that if it is not there. Its first page is target/book/index.html.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# It is the same unoptimised, which compiles in a fraction of the time.
mdbook --version >/dev/null 2>&1 || CARGO_PROFILE_DEV_DEBUG=0 cargo install --quiet --locked --debug --no-default-features --features search mdbook
mdbook build docs

# Chapters link to files of the repository as they do in docs/, two folders up from here; and mdBook takes each .md for a chapter.
pages=(target/book/*.html)
sed -i -E 's#(href|src)="\.\./#\1="../../#g; s#(href="\.\./\.\./[^"]*)\.html(["\#])#\1.md\2#g' "${pages[@]}"

# Nothing that a page names is missing. Links of the chapters' text, and their anchors, are looked at by the tests.
missing=$(grep -ohE '(href|src)="[^":#?]+[#"]' "${pages[@]}" | sed -E 's/^[a-z]+="//; s/[#"]$//' | sort -u |
    while read -r file; do [ -e "target/book/$file" ] || echo "$file"; done)
[ -z "$missing" ] || {
    echo "the book links to what is not there:" >&2
    echo "$missing" >&2
    exit 1
}
echo "the book is target/book/index.html"
