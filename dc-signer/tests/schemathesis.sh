#!/usr/bin/env bash
# Lets schemathesis (PyPI) make up requests from openapi.json, for a service that `serve --dev` starts on loopback.
#
# Usage: schemathesis.sh [more options of 'schemathesis run']. Its virtual environment is kept under target/. DC_SIGNER is
# the program to start; without it one is built.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

venv=target/schemathesis
if [ ! -x "$venv/bin/schemathesis" ]; then
    python3 -m venv "$venv"
    "$venv/bin/pip" install --quiet "schemathesis==4.32.5"
fi
if [ -z "${DC_SIGNER:-}" ]; then
    cargo build --quiet -p dc-signer --features service
fi

folder=$(mktemp -d)
service=
finish() {
    if [ -n "$service" ]; then
        kill "$service" && wait "$service" || true
    fi
    # What it leaves where it was started, to show failures again.
    rm -rf "$folder" .schemathesis
}
trap finish EXIT

signer=${DC_SIGNER:-target/debug/dc-signer}
"$signer" serve --dev --data "$folder/dev" >"$folder/welcome" 2>"$folder/log" &
service=$!
port() { sed -n 's|.*https://localhost:\([0-9]*\)\..*|\1|p' "$folder/welcome"; }
for _ in $(seq 200); do
    [ -n "$(port)" ] && break
    kill -0 "$service" 2>/dev/null || {
        cat "$folder/log"
        exit 1
    }
    sleep 0.1
done

openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=device \
    -keyout "$folder/device.key" -out "$folder/device.pem" 2>/dev/null

# The schema cannot say every rule, so a request that fits it may still be refused. One JSON value a line is nothing
# that schemathesis can make up, and /v1/device is at another port, for clients with a credential.
TOKEN=$(cat "$folder/dev/operator.token") "$venv/bin/schemathesis" \
    --config-file dc-signer/tests/schemathesis.toml run dc-signer/openapi.json \
    --url "https://localhost:$(port)" --tls-verify "$folder/dev/vendor/root.pem" \
    --request-cert "$folder/device.pem" --request-cert-key "$folder/device.key" \
    --checks all --exclude-checks positive_data_acceptance \
    --exclude-path /v1/admin/devices/bulk --exclude-path /v1/device \
    --phases examples,coverage,fuzzing --max-examples "${EXAMPLES:-15}" --seed 1 --workers 2 \
    --request-timeout 10 --no-color --continue-on-failure "$@"
# And it has survived all of that.
kill -0 "$service"
