# shellcheck shell=bash
# The signer of `runbook-once.sh`, which goes on. Each entry of the runbook has a machine of its own.
# shellcheck source=dc-signer/tests/cli/guides/signer.sh
. "${here:?}/signer.sh"
export CURL_CA_BUNDLE=/srv/ca/root.pem DC_SIGNER_TOKEN_FILE=/root/operator.token
c=(--config /etc/dc-signer/config.toml)
TOKEN=$(cat /root/operator.token) KEY=$(cat /srv/log.key)
export TOKEN KEY OLD=$KEY
systemctl start dc-signer
sha256() { openssl x509 -in "$1" -outform DER | sha256sum | cut -d ' ' -f 1; }
SHA256=$(sha256 vendor/chain.pem)

# Another certificate of the zone, with its key, in a folder.
another() {
    dc-signer csr --zone cpe.example.com --out "$1" >/dev/null
    ca_signs "$1/request.csr" "$1/chain.pem" 2>/dev/null
}
# The zone has it as its next.
next() {
    another /srv/next
    dc-signer zones rollover cpe.example.com --import /srv/next --reason 'the next one' "${c[@]}" "$@" >/dev/null
}
# Its certificate is one whose key a signing process has.
keyd() {
    useradd --system --home-dir /var/lib/dc-keyd --shell /usr/sbin/nologin --groups dc-signer dc-keyd
    install -d -m 750 -g dc-keyd /etc/dc-keyd
    sed 's/^#group/group/' dc-signer/src/config/keyd.toml >/etc/dc-keyd/keyd.toml
    install -m 644 dc-signer/ops/dc-keyd.service /etc/systemd/system/
    systemctl start dc-keyd
    dc-signer keyd csr --zone cpe.example.com --out /srv/keyd.csr >/dev/null
    ca_signs /srv/keyd.csr /srv/keyd.pem 2>/dev/null
    dc-signer keyd install --chain /srv/keyd.pem --out /srv/keyd >/dev/null
    dc-signer zones rollover cpe.example.com --import /srv/keyd --now --reason 'to the process' "${c[@]}" >/dev/null
    SHA256=$(sha256 /srv/keyd.pem)
}
# A line of [secrets], which is the configuration's last table.
secrets_in_configuration() {
    grep -q '^\[secrets]' /etc/dc-signer/config.toml || echo '[secrets]' >>/etc/dc-signer/config.toml
    echo "$1" >>/etc/dc-signer/config.toml
}
# Its secrets are sealed in the database.
sealed() {
    (umask 077 && openssl rand -hex 32 >/etc/dc-signer/secrets.key)
    chown dc-signer: /etc/dc-signer/secrets.key
    secrets_in_configuration 'key = { file = "/etc/dc-signer/secrets.key" }'
    dc-signer secrets seal --reason 'as the guide says' "${c[@]}" >/dev/null
    systemctl restart dc-signer
}
# It does not have the key of its certificate.
keyless() { rm /var/lib/dc-signer/delegations/*/key.pem; }
# The CA's certificates are for clients too, and so is the one that the zone has.
for_clients() {
    sed -i 's/serverAuth/serverAuth, clientAuth/' /srv/ca/zone.ext
    next --now
}
# Nothing of the signer's is there but its configuration.
new_machine() {
    systemctl stop dc-signer
    rm -r /var/lib/dc-signer
    install -d -m 700 -o dc-signer -g dc-signer /var/lib/dc-signer
}
# The database is the one of Monday, and the newer one is here.
older_copy() {
    systemctl stop dc-signer
    cp /var/lib/dc-signer/dc-signer.db OLD_DATABASE
    find /var/backups/dc-signer-monday
    install -o dc-signer -m 600 /var/backups/dc-signer-monday/dc-signer.db /var/lib/dc-signer/dc-signer.db
    rm -f /var/lib/dc-signer/dc-signer.db-*
}
# A device comes, with an agent of its own.
enrol() {
    mkdir "/srv/$1"
    (umask 077 && dc-signer codes new "$1" --json --no-qr "${c[@]}" | sed 's/.*"code":"\([^"]*\)".*/\1/' >"/srv/$1/code")
    cp /srv/agent.toml "/srv/$1/"
    dc-agent --config "/srv/$1/agent.toml" --once
}
# There is another token, which the service can reach.
token() {
    install -d -m 700 -o dc-signer -g dc-signer /srv/tokens
    echo 'directories.tokendir = /srv/tokens' >/srv/softhsm2.conf
    export SOFTHSM2_CONF=/srv/softhsm2.conf
    softhsm2-util --init-token --free --label "$1" --pin 1234 --so-pin 5678
    chown -R dc-signer: /srv/tokens
    (umask 077 && echo 1234 >/etc/dc-signer/pin)
    chown dc-signer: /etc/dc-signer/pin
    systemctl restart dc-signer
}
# Whoever reads the page fills these in. 'check' ends with 1 where something is wrong, which is why they read it.
fill() {
    sed -E "s#\bMODULE\b#/usr/lib/softhsm/libsofthsm2.so#g; s/\bSHA256\b/$SHA256/g; s/\bID\b/box-1/g; s/\bNAME\b/olga/g; s/\bDIR\b/vendor/g; s/1800000000/1/g; s/dcs check/{ dcs check || [ \$? = 1 ]; }/"
}
