#!/usr/bin/env python3
"""Issue RFC 9345 credentials, right or deliberately wrong.

With `--batch FILE` each line of the file has the arguments of one credential: so many are made in a second or two.
Needs the standard library and the openssl command line only: an issuer that shares no code with this project.
"""

import argparse
import base64
import concurrent.futures
import datetime
import functools
import os
import re
import shlex
import struct
import subprocess
import sys
import tempfile
import time

SEVEN_DAYS = 7 * 86400

# DER object identifiers (algorithm or curve) and the signature scheme such a key makes.
SCHEME_OF_KEY = (
    (bytes.fromhex("06032b6570"), 0x0807),  # Ed25519
    (bytes.fromhex("06082a8648ce3d030107"), 0x0403),  # P-256
    (bytes.fromhex("06052b81040022"), 0x0503),  # P-384
    (bytes.fromhex("06052b81040023"), 0x0603),  # P-521
    (bytes.fromhex("06092a864886f70d010101"), 0x0804),  # rsaEncryption, for certificates only
)
PSS = ("-sigopt", "rsa_padding_mode:pss", "-sigopt", "rsa_pss_saltlen:digest")
HOW_TO_SIGN = {
    0x0403: ("-sha256",),
    0x0503: ("-sha384",),
    0x0603: ("-sha512",),
    0x0804: ("-sha256", *PSS),
}


def openssl(*arguments):
    result = subprocess.run(("openssl", *arguments), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    if result.returncode != 0:
        sys.exit("mint_dc.py: openssl %s: %s" % (" ".join(arguments), result.stderr.decode().strip()))
    return result.stdout


def read_pem(path, label):
    with open(path) as file:
        match = re.search("-----BEGIN %s-----(.*?)-----END" % label, file.read(), re.S)
    if not match:
        sys.exit("mint_dc.py: %s holds no PEM block '%s'" % (path, label))
    return base64.b64decode(match.group(1))


def write_pem(path, label, data):
    text = base64.b64encode(data).decode()
    lines = [text[start : start + 64] for start in range(0, len(text), 64)]
    with open(path, "w") as file:
        file.write("\n".join(["-----BEGIN %s-----" % label, *lines, "-----END %s-----" % label, ""]))


def scheme_of(spki):
    for oid, scheme in SCHEME_OF_KEY:
        if oid in spki[:40]:
            return scheme
    sys.exit("mint_dc.py: this kind of key is not known")


@functools.lru_cache(maxsize=None)
def not_before(certificate):
    line = openssl("x509", "-in", certificate, "-noout", "-startdate").decode().strip()
    moment = datetime.datetime.strptime(line.split("=")[1], "%b %d %H:%M:%S %Y GMT")
    return int(moment.replace(tzinfo=datetime.timezone.utc).timestamp())


@functools.lru_cache(maxsize=None)
def scheme_of_private(key):
    return scheme_of(openssl("pkey", "-in", key, "-pubout", "-outform", "DER"))


def sign(key, scheme, message):
    with tempfile.NamedTemporaryFile() as file:
        file.write(message)
        file.flush()
        if scheme == 0x0807:
            return openssl("pkeyutl", "-sign", "-rawin", "-inkey", key, "-in", file.name)
        return openssl("dgst", *HOW_TO_SIGN[scheme], "-sign", key, file.name)


def valid_time(arguments):
    """Seconds after notBefore of the delegation certificate, which is what RFC 9345 §4 asks for."""
    if arguments.absolute_time:
        return int(time.time()) + SEVEN_DAYS
    return int(time.time()) + arguments.seconds - not_before(arguments.certificate)


def mint(arguments):
    spki = read_pem(arguments.public_key, "PUBLIC KEY")
    credential_scheme = scheme_of(spki)
    if arguments.another_scheme:
        credential_scheme = 0x0503 if credential_scheme == 0x0403 else 0x0403
    signed_with = scheme_of_private(arguments.key)

    credential = struct.pack(">IH", valid_time(arguments), credential_scheme)
    credential += len(spki).to_bytes(3, "big") + spki
    algorithm = struct.pack(">H", signed_with)
    context = "TLS, %s delegated credentials" % arguments.context
    certificate = read_pem(arguments.certificate, "CERTIFICATE")
    message = b" " * 64 + context.encode() + b"\0" + certificate + credential + algorithm

    signature = bytearray(sign(arguments.key, signed_with, message))
    if arguments.corrupt:
        signature[-1] ^= 1
    return credential + algorithm + struct.pack(">H", len(signature)) + signature


def parse_arguments(words):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--certificate", required=True, help="delegation certificate, PEM")
    parser.add_argument("--key", required=True, help="its private key, PEM")
    parser.add_argument("--public-key", required=True, help="public key of the credential, PEM")
    parser.add_argument("--out", required=True, help="the credential, PEM")
    parser.add_argument("--seconds", type=int, default=86400, help="how long it lives from now")
    parser.add_argument("--absolute-time", action="store_true", help="wrong: valid_time counts from 1970")
    parser.add_argument("--another-scheme", action="store_true", help="wrong: dc_cert_verify_algorithm of another key")
    parser.add_argument("--context", default="server", help="wrong: 'client' signs for the other role")
    parser.add_argument("--corrupt", action="store_true", help="wrong: flip a bit of the signature")
    return parser.parse_args(words)


def mint_to_file(words):
    arguments = parse_arguments(words)
    write_pem(arguments.out, "DELEGATED CREDENTIAL", mint(arguments))


def mint_all(path):
    with open(path) as file:
        lines = [shlex.split(line) for line in file]
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        # A failure of one shows here.
        list(pool.map(mint_to_file, lines))


if __name__ == "__main__":
    if len(sys.argv) == 3 and sys.argv[1] == "--batch":
        mint_all(sys.argv[2])
    else:
        mint_to_file(sys.argv[1:])
