"""acme2certifier's OpenSSL CA handler, with delegation certificates (RFC 9345) for those that ask for them."""

from acme2certifier.cahandlers import openssl_ca_handler
from cryptography.x509 import ObjectIdentifier, UnrecognizedExtension

DELEGATION_USAGE = ObjectIdentifier("1.3.6.1.4.1.44363.44")


class CAhandler(openssl_ca_handler.CAhandler):
    def _cert_extension_apply(self, builder, ca_cert, req):
        builder = super()._cert_extension_apply(builder, ca_cert, req)
        if any(extension.oid == DELEGATION_USAGE for extension in req.extensions):
            builder = builder.add_extension(UnrecognizedExtension(DELEGATION_USAGE, b"\x05\x00"), critical=False)
        return builder
