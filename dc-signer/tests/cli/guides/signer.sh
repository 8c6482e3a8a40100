# shellcheck shell=bash
# What pages for operators take for granted: a signer that is installed as docs/operator.md says, with a CA of its own.

# The CA: `ca_signs REQUEST CHAIN` is what it does with the request for a delegation certificate.
make_ca() {
    mkdir -p /srv/ca
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 3650 -subj '/CN=Example root' \
        -addext keyUsage=critical,keyCertSign,cRLSign -keyout /srv/ca/root-key.pem -out /srv/ca/root.pem 2>/dev/null
    printf '%s\n' 'subjectAltName = DNS:*.cpe.example.com' 'basicConstraints = critical, CA:FALSE' \
        'keyUsage = critical, digitalSignature' 'extendedKeyUsage = serverAuth' '1.3.6.1.4.1.44363.44 = DER:0500' >/srv/ca/zone.ext
    printf '%s\n' 'subjectAltName = DNS:localhost, DNS:SIGNER' 'basicConstraints = critical, CA:FALSE' \
        'keyUsage = critical, digitalSignature' 'extendedKeyUsage = serverAuth' >/srv/ca/signer.ext
}
sign() { openssl x509 -req -in "$1" -CA /srv/ca/root.pem -CAkey /srv/ca/root-key.pem -days 90 -extfile "$3" -out "$2"; }
ca_signs() { sign "$1" "$2" /srv/ca/zone.ext; }

# `install_signer`, with more of the configuration on its standard input. Its zone's first certificate is in `vendor`.
install_signer() {
    make_ca
    install -m 755 "$GUIDES_PROGRAMS/dc-signer" /usr/bin/
    useradd --system --home-dir /var/lib/dc-signer --shell /usr/sbin/nologin dc-signer
    install -d -m 750 -g dc-signer /etc/dc-signer /etc/dc-signer/tls
    install -d -m 700 -o dc-signer -g dc-signer /var/lib/dc-signer
    install -m 644 dc-signer/ops/dc-signer.service /etc/systemd/system/
    openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=localhost \
        -keyout /etc/dc-signer/tls/key.pem -out /srv/ca/signer.csr 2>/dev/null
    sign /srv/ca/signer.csr /etc/dc-signer/tls/chain.pem /srv/ca/signer.ext 2>/dev/null
    chown dc-signer: /etc/dc-signer/tls/key.pem
    {
        printf '%s\n' 'data = "/var/lib/dc-signer"' 'node = "signer-1"' '[listen]' 'address = "127.0.0.1:8443"' \
            'certificate = "tls/chain.pem"' 'key = "tls/key.pem"'
        cat
    } >/etc/dc-signer/config.toml
    dc-signer csr --zone cpe.example.com --out vendor >/dev/null
    ca_signs vendor/request.csr vendor/chain.pem 2>/dev/null
}

# An admin, whose token is used from then on, and the zone; then the service.
start_signer() {
    dc-signer operators add root-admin --role admin --save-token /root/admin.token --config /etc/dc-signer/config.toml
    export DC_SIGNER_TOKEN_FILE=/root/admin.token
    dc-signer zones add cpe.example.com --import vendor --config /etc/dc-signer/config.toml
    systemctl start dc-signer
}
