# shellcheck shell=bash
# A signer in service, for all entries of the runbook: a zone whose CA is in the configuration, a device that has enrolled and some that
# have not, operators, checkpoints, a backup of Monday, and what an operator has at hand.
# shellcheck source=dc-signer/tests/cli/guides/signer.sh
. "${here:?}/signer.sh"
openssl genpkey -algorithm ed25519 -out /srv/audit.pem 2>/dev/null
install_signer <<'END'
[overload]
rate = 100
[[order_command]]
zones = ["cpe.example.com"]
command = ["/srv/ca/order"]
anchors = "/srv/ca/root.pem"
[checkpoints]
name = "signer.example.com/audit"
key = "audit.pem"
every = "1s"
[[checkpoint_places]]
file = "/mnt/audit/checkpoints"
END
cat >/srv/ca/order <<'END'
#!/bin/sh
openssl x509 -req -CA /srv/ca/root.pem -CAkey /srv/ca/root-key.pem -days 90 -extfile /srv/ca/zone.ext
END
chmod -R a+rX /srv/ca && chmod 755 /srv/ca/order && chmod 644 /srv/ca/root-key.pem
install -m 600 -o dc-signer /srv/audit.pem /etc/dc-signer/audit.pem
install -d -o dc-signer /mnt/audit
mkdir /mnt/archive
printf '127.0.0.1 SIGNER\n' >>/etc/hosts
export CURL_CA_BUNDLE=/srv/ca/root.pem
start_signer
mv /root/admin.token /root/operator.token
export DC_SIGNER_TOKEN_FILE=/root/operator.token
c=(--config /etc/dc-signer/config.toml)
for name in olga noc; do dc-signer operators add $name --role operator --reason 'they work here' "${c[@]}" >/dev/null; done
for id in box-1 box-2 box-3; do dc-signer devices add $id "${c[@]}"; done
(umask 077 && dc-signer codes new box-1 --json --no-qr "${c[@]}" | sed 's/.*"code":"\([^"]*\)".*/\1/' >/srv/code)
printf '%s\n' 'signer = "https://localhost:8443"' 'signer_roots = "/srv/ca/root.pem"' 'roots = "/srv/ca/root.pem"' \
    'code_file = "code"' 'identity = "identity"' 'state = "state"' 'start_delay = "0s"' >/srv/agent.toml
dc-agent --config /srv/agent.toml --once
dc-signer backup /var/backups/dc-signer-monday "${c[@]}"
until [ -s /mnt/audit/checkpoints ]; do sleep 0.1; done
cp /mnt/audit/checkpoints checkpoints
curl -sS -H "Authorization: Bearer $(cat /root/operator.token)" https://localhost:8443/v1/admin/audit/checkpoint |
    sed 's/.*"key":"\([^"]*\)".*/\1/' >/srv/log.key
printf '%s\n' box-1 box-2 >ids
echo box-2 >gone.txt
cp /etc/dc-signer/tls/key.pem new-key.pem
cp /etc/dc-signer/tls/chain.pem new-chain.pem
systemctl stop dc-signer
save "${folder:?}/saved"
