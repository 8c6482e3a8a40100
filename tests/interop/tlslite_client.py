#!/usr/bin/env python3
"""tlslite-ng as an RFC 9345 client of 127.0.0.1.

Exit status: 0 the server presented a credential and its signatures verify, 3 it presented none, 1 no handshake.
tlslite-ng 0.9.0b2 is lax: it checks neither the chain nor valid_time, DelegationUsage or keyUsage.
"""

import argparse
import socket
import sys

from tlslite.api import HandshakeSettings, TLSConnection
from tlslite.constants import SignatureScheme
from tlslite.errors import BaseTLSException, TLSAbruptCloseError

DEFAULT_SCHEMES = "ecdsa_secp256r1_sha256,ecdsa_secp384r1_sha384,ecdsa_secp521r1_sha512,ed25519,rsa_pss_pss_sha256"


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("port", type=int)
    parser.add_argument("name", help="server name to ask for")
    parser.add_argument("--schemes", default=DEFAULT_SCHEMES, help="content of extension 34, or 'none' to leave it out")
    return parser.parse_args()


def handshake(connection, name, schemes):
    settings = HandshakeSettings()
    settings.minVersion = settings.maxVersion = (3, 4)
    settings.dc_sig_algs = [getattr(SignatureScheme, scheme) for scheme in schemes.split(",") if scheme != "none"]
    connection.handshakeClientCert(settings=settings, serverName=name)


def request(connection, name):
    connection.write(b"GET / HTTP/1.0\r\nHost: %s\r\n\r\n" % name.encode())
    reply = b""
    try:
        while chunk := connection.read(max=65536):
            reply += bytes(chunk)
    except (TLSAbruptCloseError, OSError):
        pass  # some servers close without close_notify
    return reply


def main():
    arguments = parse_arguments()
    connection = TLSConnection(socket.create_connection(("127.0.0.1", arguments.port), 10))
    try:
        handshake(connection, arguments.name, arguments.schemes)
    except (BaseTLSException, OSError) as error:
        print("refused: %s %s" % (type(error).__name__, error))
        return 1
    print("handshake ok, CertificateVerify by %s" % SignatureScheme.toRepr(connection.serverSigAlg))
    delegated = connection.session.delegated_credential
    print("credential: %s" % (SignatureScheme.toRepr(delegated.cred.dc_cert_verify_algorithm) if delegated else "none"))
    print("reply:", request(connection, arguments.name).decode(errors="replace"), sep="\n")
    return 0 if delegated else 3


if __name__ == "__main__":
    sys.exit(main())
