#!/usr/bin/env bash
# Installs by apt what the tests of dc-signer need beside Rust: a PostgreSQL server, which they start themselves, and a
# browser with its driver. When everything is there it does nothing.
set -euo pipefail

missing_packages() {
    compgen -G '/usr/lib/postgresql/*/bin/postgres' >/dev/null || command -v postgres >/dev/null || echo postgresql
    command -v chromium >/dev/null || echo chromium
    command -v chromedriver >/dev/null || echo chromium-driver
}

packages=$(missing_packages | xargs)
[ -n "$packages" ] || exit 0
root=()
[ "$(id -u)" = 0 ] || root=(sudo -n)
export DEBIAN_FRONTEND=noninteractive
"${root[@]}" apt-get update -q
# shellcheck disable=SC2086 # a list of words
"${root[@]}" apt-get install -y -q --no-install-recommends $packages
