# shellcheck shell=bash
# shellcheck source=dc-signer/tests/cli/guides/signer.sh
. "${here:?}/signer.sh"
install_signer </dev/null
start_signer
(umask 077 && echo 1234 >pin && echo 'a long passphrase' >passphrase)
mkdir tokens
echo "directories.tokendir = $PWD/tokens" >softhsm2.conf
export SOFTHSM2_CONF=$PWD/softhsm2.conf
for token in hsm one two; do
    softhsm2-util --init-token --free --label "$token" --pin 1234 --so-pin 5678
done
