"""acme2certifier's OpenSSL CA handler, with authorities of limited names (RFC 5280, 4.2.1.10) for those that ask for them."""

from acme2certifier.cahandlers import openssl_ca_handler
from cryptography.x509 import NameConstraints


class CAhandler(openssl_ca_handler.CAhandler):
    def _cert_extension_apply(self, builder, ca_cert, req):
        if not any(isinstance(extension.value, NameConstraints) for extension in req.extensions):
            return super()._cert_extension_apply(builder, ca_cert, req)
        for extension in req.extensions:
            builder = builder.add_extension(extension.value, extension.critical)
        return builder
