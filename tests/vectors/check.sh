#!/usr/bin/env bash
# Checks docs/vectors with its schema, and runs the program of docs/vectors.md, in Python: what others would do.
#
# What it needs is installed by tests/setup, which says what to do where it cannot.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

fail() {
    echo "tests/vectors/check.sh: $*" >&2
    exit 1
}

[ "${DC_VECTORS_ELSEWHERE-}" != skip ] || fail "DC_VECTORS_ELSEWHERE=skip leaves it out"
target=${CARGO_TARGET_DIR:-$PWD/target}
mkdir -p "$target"
target=$(cd "$target" && pwd)
CARGO_TARGET_DIR=$target tests/setup/setup.sh vectors
python=$target/vectors/venv/bin/python

cd docs
"$python" - <<'END'
import json
import jsonschema

schema = json.load(open("vectors/schema.json"))
jsonschema.Draft202012Validator.check_schema(schema)
for name in ["credentials", "selection", "handshakes"]:
    # The definition of this file alone, so that an error says where it is.
    own = {**schema, "$ref": f"#/$defs/{name}-file"}
    del own["oneOf"]
    vectors = json.load(open(f"vectors/{name}.json"))
    for check in [own, schema]:
        jsonschema.Draft202012Validator(check).validate(vectors)
    # Not vacuously: a field that nobody knows, and one that is missing.
    for wrong in [{**vectors, "unknown": 1}, {key: vectors[key] for key in list(vectors)[1:]}]:
        assert not jsonschema.Draft202012Validator(schema).is_valid(wrong), name
print("the files are as their schema says")
END
"$python" - <<'END'
import json
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_der_private_key, load_der_public_key

def spki(key):
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)

def private(text):
    return load_der_private_key(bytes.fromhex(text), None)

vectors = json.load(open("vectors/credentials.json"))
root = x509.load_der_x509_certificate(bytes.fromhex(vectors["root"]))
for name, c in vectors["certificates"].items():
    chain = [x509.load_der_x509_certificate(bytes.fromhex(der)) for der in [c["der"], *c.get("intermediates", [])]]
    own = x509.load_der_x509_certificate(bytes.fromhex(c["root"])) if "root" in c else root
    for signed, issuer in zip(chain, [*chain[1:], own]):
        assert signed.issuer == issuer.subject, name
        issuer.public_key().verify(signed.signature, signed.tbs_certificate_bytes)
    assert spki(private(c["private_key"]).public_key()) == spki(chain[0].public_key()), name
    assert chain[0].not_valid_before_utc.timestamp() == c["not_before"], name
    assert chain[0].not_valid_after_utc.timestamp() == c["not_after"], name
for name, v in vectors["credentials"].items():
    if "valid" in v:
        credential = bytes.fromhex(v["credential"])
        key = spki(private(v["valid"]["credential_private_key"]).public_key())
        end = 9 + int.from_bytes(credential[6:9], "big")
        # pyca writes keys of id-RSASSA-PSS as rsaEncryption.
        assert spki(load_der_public_key(credential[9:end])) == key, name
print("every certificate leads to the root, and every private key is of its public one")
END
program=$(sed -n '/^```python$/,/^```$/{/^```/!p}' vectors.md)
[ -n "$program" ] || fail "docs/vectors.md has no program"
"$python" -c "$program"
