"""Fetch pages with Python's own modules: reads visits as a list of JSON, writes a line of JSON for each."""

import http.client
import json
import socket
import ssl
import sys

resolve = socket.getaddrinfo
socket.getaddrinfo = lambda host, *rest, **more: resolve("127.0.0.1", *rest, **more)


def fetch(visit):
    context = ssl.create_default_context(cafile=visit["trusted"])
    if visit["list"]:
        context.load_verify_locations(cafile=visit["list"])
        context.verify_flags |= ssl.VERIFY_CRL_CHECK_LEAF
    if visit["accepted"]:
        # A certificate that is trusted need not be a root; the number is for versions that have no name for it.
        context.verify_flags |= getattr(ssl, "VERIFY_X509_PARTIAL_CHAIN", 0x80000)
    connection = http.client.HTTPSConnection(visit["name"], visit["port"], timeout=10, context=context)
    try:
        connection.request("GET", "/")
        return {"page": connection.getresponse().read().decode()}
    except ssl.SSLCertVerificationError as error:
        return {"error": error.verify_message}
    except ssl.SSLError as error:
        return {"error": error.reason or str(error)}
    finally:
        connection.close()


for visit in json.load(sys.stdin):
    try:
        said = fetch(visit)
    except OSError as error:
        said = {"failed": str(error)}
    print(json.dumps(said), flush=True)
