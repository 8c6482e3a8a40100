#!/bin/sh
# A hook for [[acme]]: puts the record that a CA looks for into DNS, and takes it out again, by dynamic update (RFC 2136).
#
#   hook = ["/usr/local/lib/dc-signer/acme-nsupdate.sh", "ns1.example.com", "/etc/dc-signer/update.key"]
#
# The first argument is the primary server, with a port behind a colon if it is not 53; the second is a key for TSIG, as
# 'tsig-keygen dc-signer' makes it, which only the service's user may read. Let that key change these records alone, in BIND:
#
#   update-policy { grant dc-signer name _acme-challenge.cpe.example.com. TXT; };
#
# It needs nsupdate, which Debian has in bind9-dnsutils. It ends with 75, "again later", if the server cannot be reached.
set -eu

server=${1:?the name of the server is the first argument}
key=${2:?the file with the key is the second argument}
: "${DC_ACTION:?}" "${DC_NAME:?}" "${DC_VALUE:?}"

case $server in
    *:*) port=${server##*:} server=${server%:*} ;;
    *) port=53 ;;
esac
[ -r "$key" ] || {
    echo "$key cannot be read" >&2
    exit 78
}
case $DC_ACTION in
    # Beside what another order may have there.
    present) change="add $DC_NAME 60 TXT \"$DC_VALUE\"" ;;
    cleanup) change="delete $DC_NAME TXT \"$DC_VALUE\"" ;;
    *)
        echo "DC_ACTION is '$DC_ACTION': it has to be present or cleanup" >&2
        exit 78
        ;;
esac

if said=$(printf 'server %s %s\n%s\nsend\n' "$server" "$port" "$change" | nsupdate -k "$key" -t 20 2>&1); then
    exit 0
fi
echo "nsupdate: $said" >&2
case $said in
    *"timed out"* | *"could not talk"* | *"connection refused"* | *unreachable* | *SERVFAIL*) exit 75 ;;
    *) exit 1 ;;
esac
