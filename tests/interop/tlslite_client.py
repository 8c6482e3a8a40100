#!/usr/bin/env python3
"""tlslite-ng as an RFC 9345 client of 127.0.0.1.

Exit status: 0 the server presented a credential and its signatures verify, 3 it presented none, 1 no handshake;
of several the worst.
tlslite-ng 0.9.0b2 is lax: it checks neither the chain nor valid_time, DelegationUsage or keyUsage.
"""

import argparse
import concurrent.futures
import socket
import sys

from tlslite.api import HandshakeSettings, TLSConnection, X509CertChain, parsePEMKey
from tlslite.constants import SignatureScheme
from tlslite.errors import TLSAbruptCloseError

TIMEOUT = 60
DEFAULT_SCHEMES = "ecdsa_secp256r1_sha256,ecdsa_secp384r1_sha384,ecdsa_secp521r1_sha512,ed25519,rsa_pss_pss_sha256"


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("name", help="server name to ask for")
    parser.add_argument("ports", type=int, nargs="+", metavar="port", help="one handshake with each; one that comes again, with the session")
    parser.add_argument("--schemes", default=DEFAULT_SCHEMES, help="content of extension 34, or 'none' to leave it out")
    parser.add_argument("--certificate", help="a chain in PEM, for a server that asks for one")
    parser.add_argument("--key", help="its private key")
    parser.add_argument("--at-once", type=int, default=1, help="so many handshakes with each port at the same time")
    return parser.parse_args()


def own_certificate(arguments):
    """The chain and the key of a client that has them."""
    if not arguments.certificate:
        return {}
    with open(arguments.certificate) as chain, open(arguments.key) as key:
        own = X509CertChain()
        own.parsePemList(chain.read())
        return {"certChain": own, "privateKey": parsePEMKey(key.read(), private=True)}


def handshake(connection, arguments, session):
    settings = HandshakeSettings()
    settings.minVersion = settings.maxVersion = (3, 4)
    settings.dc_sig_algs = [getattr(SignatureScheme, scheme) for scheme in arguments.schemes.split(",") if scheme != "none"]
    own = own_certificate(arguments)
    connection.handshakeClientCert(settings=settings, serverName=arguments.name, session=session, **own)


def request(connection, name):
    connection.write(b"GET / HTTP/1.0\r\nHost: %s\r\n\r\n" % name.encode())
    reply = b""
    try:
        while chunk := connection.read(max=65536):
            reply += bytes(chunk)
    except (TLSAbruptCloseError, OSError):
        pass  # some servers close without close_notify
    return reply


def connect(port, arguments, session=None):
    """One connection; returns its exit status and its session."""
    print("port %d" % port)
    connection = TLSConnection(socket.create_connection(("127.0.0.1", port), TIMEOUT))
    try:
        handshake(connection, arguments, session)
    except Exception as error:  # it does not keep to its own when it reads what is malformed
        print("refused: %s %s" % (type(error).__name__, error))
        connection.sock.close()
        return 1, connection.session
    print("handshake ok, CertificateVerify by %s" % SignatureScheme.toRepr(connection.serverSigAlg))
    delegated = connection.session.delegated_credential
    print("credential: %s" % (SignatureScheme.toRepr(delegated.cred.dc_cert_verify_algorithm) if delegated else "none"))
    print("reply:", request(connection, arguments.name).decode(errors="replace"), sep="\n")
    return 0 if delegated else 3, connection.session


def connect_at_once(port, arguments):
    with concurrent.futures.ThreadPoolExecutor(arguments.at_once) as pool:
        return list(pool.map(lambda _: connect(port, arguments)[0], range(arguments.at_once)))


def main():
    arguments = parse_arguments()
    statuses, sessions = [], {}
    for port in arguments.ports:
        if arguments.at_once > 1:
            statuses += connect_at_once(port, arguments)
            continue
        status, session = connect(port, arguments, sessions.get(port))
        sessions.setdefault(port, session)
        statuses.append(status)
    return 1 if 1 in statuses else max(statuses)


if __name__ == "__main__":
    sys.exit(main())
