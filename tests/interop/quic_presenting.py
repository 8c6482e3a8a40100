"""Presents a certificate over QUIC, and a credential next to it if the server offers to take one, with aioquic.

    quic_presenting.py ROOT NAME PORT CHAIN KEY [KIND CREDENTIAL]

KIND is the type of the credential's extension in hexadecimal, and CREDENTIAL a file with the bytes that it holds. KEY is the
key that signs the handshake. CHAIN may be "none".
"""

import asyncio
import dataclasses
import pathlib
import sys

from aioquic import tls
from aioquic.asyncio import QuicConnectionProtocol, connect
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.events import ConnectionTerminated


class Client(QuicConnectionProtocol):
    def quic_event_received(self, event):
        if isinstance(event, ConnectionTerminated):
            print("ended", event.error_code, event.reason_phrase)
        super().quic_event_received(event)


def present(kind, credential):
    """What aioquic reads of a CertificateRequest, and what it writes into Certificate."""
    pull, push = tls.pull_certificate_request, tls.push_certificate
    offered = {}

    def pull_certificate_request(buf):
        request = pull(buf)
        offered.update(request.other_extensions)
        for extension, body in request.other_extensions:
            print(f"offered {extension:04x} {body.hex()}")
        return request

    def push_certificate(buf, certificate):
        if kind in offered and certificate.certificates:
            (end_entity, _), *issuers = certificate.certificates
            block = b"".join([kind.to_bytes(2, "big"), len(credential).to_bytes(2, "big"), credential])
            certificate = dataclasses.replace(certificate, certificates=[(end_entity, block), *issuers])
        push(buf, certificate)

    tls.pull_certificate_request, tls.push_certificate = pull_certificate_request, push_certificate


async def main(root, name, port, chain, key, kind="0", credential=None):
    present(int(kind, 16), pathlib.Path(credential).read_bytes() if credential else b"")
    configuration = QuicConfiguration(is_client=True, alpn_protocols=["echo"], server_name=name)
    configuration.load_verify_locations(cafile=root)
    if chain != "none":
        configuration.load_cert_chain(chain, key)
    async with connect("127.0.0.1", int(port), configuration=configuration, create_protocol=Client) as client:
        # The handshake is over at this end before the server has judged what was presented.
        reader, writer = await client.create_stream()
        writer.write(b"hello")
        writer.write_eof()
        print("answer", (await asyncio.wait_for(reader.read(), 20)).decode())


asyncio.run(main(*sys.argv[1:]))
