"""An HTTP/3 server that knows no credentials, with aioquic. It says how each connection ended.

    quic_server.py CHAIN KEY [ask]      `ask`: asks clients for a certificate, as a server does that offers to take nothing else
"""

import asyncio
import sys

from aioquic import tls
from aioquic.asyncio import QuicConnectionProtocol, serve
from aioquic.h3.connection import H3Connection
from aioquic.h3.events import HeadersReceived
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.events import ConnectionTerminated, HandshakeCompleted


class Http3(QuicConnectionProtocol):
    http = None

    def quic_event_received(self, event):
        if isinstance(event, HandshakeCompleted):
            certificate = self._quic.tls._peer_certificate
            subject = certificate.subject.rfc4514_string() if certificate else None
            print("client", subject, "resumed" if event.session_resumed else "in full", flush=True)
            self.http = H3Connection(self._quic)
        if isinstance(event, ConnectionTerminated):
            print("ended", event.error_code, event.reason_phrase, flush=True)
        for part in self.http.handle_event(event) if self.http else []:
            if isinstance(part, HeadersReceived):
                path = dict(part.headers)[b":path"]
                self.http.send_headers(part.stream_id, [(b":status", b"200")])
                self.http.send_data(part.stream_id, b"aioquic has " + path, end_stream=True)
                self.transmit()


def asking(inner):
    def init(self, *args, **kwargs):
        inner(self, *args, **kwargs)
        self._request_client_certificate = True

    return init


async def main(chain, key, ask=None):
    if ask:
        tls.Context.__init__ = asking(tls.Context.__init__)
    configuration = QuicConfiguration(is_client=False, alpn_protocols=["h3"])
    configuration.load_cert_chain(chain, key)
    tickets = {}
    await serve(
        "127.0.0.1",
        0,
        configuration=configuration,
        create_protocol=Http3,
        session_ticket_fetcher=tickets.get,
        session_ticket_handler=lambda ticket: tickets.update({ticket.ticket: ticket}),
    )
    await asyncio.Future()


asyncio.run(main(*sys.argv[1:]))
