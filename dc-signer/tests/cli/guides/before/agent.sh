# shellcheck shell=bash
# A device with its configuration, and a signer that has made a code for it.
dc-signer serve --dev >commands.txt &
until grep -q '"code":' commands.txt; do sleep 0.1; done
sed -n 's/.*"code":"\([^"]*\)".*/\1/p' commands.txt >/etc/activation-code
cat >/etc/dc-agent.toml <<END
signer = "https://localhost:8443"
signer_roots = "$PWD/dc-signer-dev/vendor/root.pem"
roots = "$PWD/dc-signer-dev/vendor/root.pem"
code_file = "activation-code"
identity = "/var/lib/dc-identity"
state = "/var/lib/dc-agent"
start_delay = "0s"
END
