#!/usr/bin/env python3
"""A tlslite-ng server that puts any bytes at all into extension 34, in ways no ordinary server can.

It listens on a free port of 127.0.0.1 and says for each connection whether the client accepted.
"""

import argparse
import base64
import contextlib
import os
import re
import socket
import threading

from tlslite.api import HandshakeSettings, TLSConnection, X509CertChain, parsePEMKey
from tlslite.errors import BaseTLSException
from tlslite.extensions import TLSExtension
from tlslite.utils.codec import Parser
from tlslite.x509 import DelegatedCredential

TICKET_KEY = os.urandom(32)
REPLY = b"HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 7\r\nConnection: close\r\n\r\nmisuse\n"

# mode: (what, credential extensions of the end-entity's entry, of the intermediate's entry, key that signs)
MODES = {
    "none": ("nothing wrong", lambda raw: ([raw], []), "credential"),
    "unsolicited": ("sent even to a client that did not offer it", lambda raw: ([raw], []), "always credential"),
    "second": ("on the intermediate as well", lambda raw: ([raw], [raw]), "credential"),
    "onlysecond": ("on the intermediate only", lambda raw: ([], [raw]), "certificate"),
    "dup": ("twice in one entry", lambda raw: ([raw, raw], []), "credential"),
    "leafkey": ("CertificateVerify by the certificate's key", lambda raw: ([raw], []), "certificate"),
    "dcnosend": ("not sent, though CertificateVerify is by its key", lambda raw: ([], []), "credential"),
    "trailing": ("one byte behind it", lambda raw: ([raw + b"\0"], []), "credential"),
    "trunc": ("last byte cut off", lambda raw: ([raw[:-1]], []), "credential"),
    "empty": ("extension without content", lambda raw: ([b""], []), "credential"),
}


def parse_arguments():
    parser = argparse.ArgumentParser(
        description=__doc__.splitlines()[0],
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="modes:\n" + "\n".join("  %-12s %s" % (mode, row[0]) for mode, row in MODES.items()),
    )
    parser.add_argument("--chain", required=True)
    parser.add_argument("--key", required=True)
    parser.add_argument("--credential", required=True)
    parser.add_argument("--credential-key", required=True)
    parser.add_argument("--mode", choices=MODES, default="none")
    parser.add_argument("--only-p384", action="store_true", help="send HelloRetryRequest to who begins with another group")
    return parser.parse_args()


def read_text(path):
    with open(path) as file:
        return file.read()


def load_key(path):
    return parsePEMKey(read_text(path), private=True, implementations=["python"])


def load_chain(path):
    chain = X509CertChain()
    chain.parsePemList(read_text(path))
    return chain


def load_credential(path):
    block = re.search("-----BEGIN DELEGATED CREDENTIAL-----(.*?)-----END", read_text(path), re.S)
    if not block:
        raise SystemExit("tlslite_misuse.py: %s holds no PEM block 'DELEGATED CREDENTIAL'" % path)
    return base64.b64decode(block.group(1))


def send_these_extensions(entries):
    """Make tlslite-ng's Certificate message carry `entries` instead of what it would have sent."""
    original = TLSConnection._create_cert_msg
    extensions = [[TLSExtension(extType=34).create(34, bytearray(body)) for body in entry] for entry in entries]

    def create(self, peer, hello, compression, chain, kind, context, version, _extensions):
        # Without compression: the client must see the bytes as they are.
        return original(self, peer, hello, [], chain, kind, context, version, extensions)

    TLSConnection._create_cert_msg = create


def signing_keys(arguments, signer, raw):
    certificate_key = load_key(arguments.key)
    if signer == "certificate":
        return {"privateKey": certificate_key}
    credential_key = load_key(arguments.credential_key)
    if signer == "always credential":
        return {"privateKey": credential_key}
    credential = DelegatedCredential().parse(Parser(bytearray(raw)))
    return {"privateKey": certificate_key, "dc_key": credential_key, "del_cred": credential}


def settings(only_p384):
    chosen = HandshakeSettings()
    chosen.minVersion = chosen.maxVersion = (3, 4)
    chosen.ticketKeys = [TICKET_KEY]
    chosen.ticket_count = 1
    if only_p384:
        chosen.eccCurves = chosen.keyShares = ["secp384r1"]
        chosen.dhGroups = []
    return chosen


def close(connection, socket_as_well):
    """Close TLS, and TCP when the client does too: a reset would take the reply from it."""
    connection.close()
    with socket_as_well, contextlib.suppress(OSError):
        socket_as_well.shutdown(socket.SHUT_WR)
        socket_as_well.settimeout(1)
        while socket_as_well.recv(4096):
            pass


def serve(accepted, chain, keys, only_p384):
    accepted.settimeout(60)
    connection = TLSConnection(accepted)
    try:
        connection.handshakeServer(certChain=chain, settings=settings(only_p384), alpn=[b"http/1.1"], **keys)
        print("accepted by the client%s" % (", resumed" if connection.resumed else ""), flush=True)
        connection.read(max=65536)
        connection.write(REPLY)
        close(connection, accepted.dup())
    except (BaseTLSException, OSError) as error:
        print("rejected: %s %s" % (type(error).__name__, error), flush=True)
    finally:
        accepted.close()


def main():
    arguments = parse_arguments()
    _, entries, signer = MODES[arguments.mode]
    raw = load_credential(arguments.credential)
    chain = load_chain(arguments.chain)
    keys = signing_keys(arguments, signer, raw)
    if arguments.mode != "none":
        send_these_extensions(entries(raw))
    listener = socket.create_server(("127.0.0.1", 0), backlog=256)
    while True:
        accepted, _ = listener.accept()
        threading.Thread(target=serve, args=(accepted, chain, keys, arguments.only_p384), daemon=True).start()


if __name__ == "__main__":
    main()
