# shellcheck shell=bash
# shellcheck source=dc-signer/tests/cli/guides/signer.sh
. "${here:?}/signer.sh"
install_signer </dev/null
