#!/usr/bin/env python3
"""A tlslite-ng server that puts any bytes at all into extension 34, in ways no ordinary server can.

It listens on a free port of 127.0.0.1 and says for each connection whether the client accepted. With `--batch FILE`
it listens on several ports, and each line of the file has the arguments of one.
"""

import argparse
import base64
import contextlib
import os
import re
import shlex
import socket
import sys
import threading

from ecdsa.util import sigencode_der
from tlslite.api import HandshakeSettings, TLSConnection, X509CertChain, parsePEMKey
from tlslite.errors import BaseTLSException
from tlslite.extensions import TLSExtension
from tlslite.utils.codec import Parser
from tlslite.x509 import DelegatedCredential

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


def parse_arguments(words):
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
    parser.add_argument("--groups", choices=["all", "P-384"], default="all", help="P-384: HelloRetryRequest for others")
    return parser.parse_args(words)


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


class AsDeclared:
    """A key that signs whatever the scheme is, also with one that is another key's."""

    def __init__(self, key):
        self.key = key

    def sign(self, message, *_):
        if self.key.key_type == "Ed25519":
            return self.key.hashAndSign(message)
        return self.key.private_key.sign_digest_deterministic(
            bytes(message), sigencode=sigencode_der, allow_truncate=True
        )

    def verify(self, *_):
        return True

    hashAndSign, hashAndVerify = sign, verify

    def __getattr__(self, name):
        return getattr(self.key, name)


class Connection(TLSConnection):
    """A connection whose Certificate message has these extensions, if there are any, instead of what it would have."""

    entries = None

    def _create_cert_msg(self, peer, hello, compression, chain, kind, context, version, extensions):
        if self.entries is None:
            return super()._create_cert_msg(peer, hello, compression, chain, kind, context, version, extensions)
        extensions = [[TLSExtension(extType=34).create(34, bytearray(body)) for body in entry] for entry in self.entries]
        # Without compression: the client must see the bytes as they are.
        return super()._create_cert_msg(peer, hello, [], chain, kind, context, version, extensions)


def signing_keys(arguments, signer, raw):
    certificate_key = load_key(arguments.key)
    if signer == "certificate":
        return {"privateKey": certificate_key}
    credential_key = AsDeclared(load_key(arguments.credential_key))
    if signer == "always credential":
        return {"privateKey": credential_key}
    credential = DelegatedCredential().parse(Parser(bytearray(raw)))
    return {"privateKey": certificate_key, "dc_key": credential_key, "del_cred": credential}


def settings(ticket_key, only_p384):
    chosen = HandshakeSettings()
    chosen.minVersion = chosen.maxVersion = (3, 4)
    chosen.ticketKeys = [ticket_key]
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


class Listener:
    """One port, and what it serves."""

    def __init__(self, arguments):
        _, entries, signer = MODES[arguments.mode]
        raw = load_credential(arguments.credential)
        self.entries = entries(raw) if arguments.mode != "none" else None
        self.chain = load_chain(arguments.chain)
        self.keys = signing_keys(arguments, signer, raw)
        self.settings = settings(os.urandom(32), arguments.groups == "P-384")
        self.socket = socket.create_server(("127.0.0.1", 0), backlog=256)
        self.port = self.socket.getsockname()[1]

    def say(self, text):
        # In one piece: other threads speak too.
        sys.stdout.write("port %d: %s\n" % (self.port, text))

    def listen(self):
        while True:
            accepted, _ = self.socket.accept()
            threading.Thread(target=self.serve, args=(accepted,), daemon=True).start()

    def serve(self, accepted):
        accepted.settimeout(60)
        connection = Connection(accepted)
        connection.entries = self.entries
        try:
            connection.handshakeServer(
                certChain=self.chain, settings=self.settings, alpn=[b"http/1.1"], **self.keys
            )
            self.say("accepted by the client%s" % (", resumed" if connection.resumed else ""))
            connection.read(max=65536)
            connection.write(REPLY)
            close(connection, accepted.dup())
        except (BaseTLSException, OSError) as error:
            self.say("rejected: %s %s" % (type(error).__name__, error))
        except Exception as error:
            self.say("failed: %s %s" % (type(error).__name__, error))
            raise
        finally:
            accepted.close()


def main():
    if len(sys.argv) == 3 and sys.argv[1] == "--batch":
        with open(sys.argv[2]) as file:
            lines = [shlex.split(line) for line in file]
    else:
        lines = [sys.argv[1:]]
    listeners = [Listener(parse_arguments(words)) for words in lines]
    print("listening on", *(listener.port for listener in listeners), flush=True)
    threads = [threading.Thread(target=listener.listen) for listener in listeners]
    for thread in threads:
        thread.start()


if __name__ == "__main__":
    main()
