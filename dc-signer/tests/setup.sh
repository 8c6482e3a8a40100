#!/usr/bin/env bash
# Installs by apt what the tests of dc-signer need beside Rust: a PostgreSQL server, which they start themselves, a browser
# with its driver and what gives it a certificate, and promtool, which checks the alert rules. When everything is there it does nothing.
set -euo pipefail

missing_packages() {
    compgen -G '/usr/lib/postgresql/*/bin/postgres' >/dev/null || command -v postgres >/dev/null || echo postgresql
    command -v chromium >/dev/null || echo chromium
    command -v chromedriver >/dev/null || echo chromium-driver
    command -v openssl >/dev/null || echo openssl
    command -v certutil >/dev/null && command -v pk12util >/dev/null || echo libnss3-tools
}

packages=$(missing_packages | xargs)
promtool=$(command -v promtool || true)
[ -z "$packages" ] && [ -n "$promtool" ] && exit 0
root=()
[ "$(id -u)" = 0 ] || root=(sudo -n)
export DEBIAN_FRONTEND=noninteractive
"${root[@]}" apt-get update -q
if [ -n "$packages" ]; then
    # shellcheck disable=SC2086 # a list of words
    "${root[@]}" apt-get install -y -q --no-install-recommends $packages
fi
if [ -z "$promtool" ]; then
    # Its package would also start a server, so only the one program is taken out of it.
    folder=$(mktemp -d)
    trap 'rm -rf "$folder"' EXIT
    (cd "$folder" && apt-get download -q prometheus && dpkg-deb -x prometheus_*.deb .)
    "${root[@]}" install -m 755 "$folder/usr/bin/promtool" /usr/local/bin/
fi
