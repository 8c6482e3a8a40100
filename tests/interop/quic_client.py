"""Asks a home router over QUIC, as clients that know no credentials.

    quic_client.py doq ROOT NAME PORT      DNS over QUIC, with dnspython: a name, and which services are designated
    quic_client.py http3 ROOT NAME PORT    the page, and DNS over HTTPS with HTTP/3, with aioquic
"""

import asyncio
import sys

import dns.message
import dns.query
from aioquic.asyncio import QuicConnectionProtocol, connect
from aioquic.h3.connection import H3Connection
from aioquic.h3.events import DataReceived, HeadersReceived
from aioquic.quic.configuration import QuicConfiguration

QUERY = dns.message.make_query("www.example", "A")
QUERY.id = 0


class Http3(QuicConnectionProtocol):
    """One connection, and the answers on it by stream."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.http = H3Connection(self._quic)
        self.answers = {}

    def quic_event_received(self, event):
        for part in self.http.handle_event(event):
            if not isinstance(part, (HeadersReceived, DataReceived)):
                continue
            answer, done = self.answers[part.stream_id]
            if isinstance(part, HeadersReceived):
                answer["status"] = dict(part.headers)[b":status"].decode()
                answer["alt-svc"] = dict(part.headers).get(b"alt-svc")
            else:
                answer["body"] = answer.get("body", b"") + part.data
            if part.stream_ended and not done.done():
                done.set_result(answer)

    async def ask(self, method, name, path, body=b""):
        stream = self._quic.get_next_available_stream_id()
        done = asyncio.get_running_loop().create_future()
        self.answers[stream] = ({}, done)
        headers = [(":method", method), (":scheme", "https"), (":authority", name), (":path", path)]
        if body:
            headers.append(("content-type", "application/dns-message"))
        headers = [(key.encode(), value.encode()) for key, value in headers]
        self.http.send_headers(stream, headers, end_stream=not body)
        if body:
            self.http.send_data(stream, body, end_stream=True)
        self.transmit()
        return await asyncio.wait_for(done, 20)


async def http3(root, name, port):
    configuration = QuicConfiguration(is_client=True, alpn_protocols=["h3"], server_name=name)
    configuration.load_verify_locations(cafile=root)
    async with connect("127.0.0.1", port, configuration=configuration, create_protocol=Http3) as client:
        page = await client.ask("GET", name, "/")
        print("page", page["status"], b"<html" in page["body"])
        print("page alt-svc", page["alt-svc"])
        answer = await client.ask("POST", name, "/dns-query", QUERY.to_wire())
        print("answer", answer["status"], dns.message.from_wire(answer["body"]).answer)
        longer = await client.ask("POST", name, "/dns-query", bytes(70_000))
        print("too long", longer["status"])


def doq(root, name, port):
    answer = dns.query.quic(QUERY, "127.0.0.1", 20, port, verify=root, server_hostname=name)
    print("answer", answer.answer)
    query = dns.message.make_query("_dns.resolver.arpa", "SVCB")
    query.id = 0
    answer = dns.query.quic(query, "127.0.0.1", 20, port, verify=root, server_hostname=name)
    for service in answer.answer[0]:
        print("designated", service)


kind, root, name, port = sys.argv[1:]
if kind == "doq":
    doq(root, name, int(port))
else:
    asyncio.run(http3(root, name, int(port)))
