# shellcheck shell=bash
# A signer that runs, and then the page's own lines of its configuration, without the server that takes checkpoints, and sooner.
# shellcheck source=dc-signer/tests/cli/guides/signer.sh
. "${here:?}/signer.sh"
install_signer </dev/null
start_signer
cat >>/etc/dc-signer/config.toml <<'END'
[checkpoints]
name = "signer.example.com/audit"
key = "audit.pem"
every = "1s"
[[checkpoint_places]]
file = "/mnt/audit/checkpoints"
END
install -d -o dc-signer /mnt/audit
mkdir /mnt/archive
cp /srv/ca/root.pem ca.pem
