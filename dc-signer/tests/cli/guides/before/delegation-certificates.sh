# shellcheck shell=bash
# A signing process on the signer's machine, which has no key yet.
# shellcheck source=dc-signer/tests/cli/guides/signer.sh
. "${here:?}/signer.sh"
install_signer </dev/null
useradd --system --home-dir /var/lib/dc-keyd --shell /usr/sbin/nologin --groups dc-signer dc-keyd
install -d -m 750 -g dc-keyd /etc/dc-keyd
sed 's/^#group/group/' dc-signer/src/config/keyd.toml >/etc/dc-keyd/keyd.toml
install -m 644 dc-signer/ops/dc-keyd.service /etc/systemd/system/
systemctl start dc-keyd
start_signer
