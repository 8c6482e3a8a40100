#!/usr/bin/env python3
"""Makes the RSA files of this folder with pyca/cryptography: `python3 make.py`.

ring cannot generate RSA keys, and it signs RSASSA-PSS with a salt as long as the hash only; the credential with
a short salt must come from elsewhere.
"""
import datetime
import struct

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa

# The times of `testing.rs`.
NOW = 1_767_225_600
DAY = 86_400
NOT_BEFORE = NOW - 300 * DAY
NOT_AFTER = NOW + 60 * DAY


def utc(seconds):
    return datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc)


def write(name, data):
    with open(name, "wb") as file:
        file.write(data)


key = rsa.generate_private_key(65537, 2048)
write("rsa-2048.pk8", key.private_bytes(
    serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))

subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "dc-core test delegation")])
no = dict.fromkeys(["content_commitment", "key_encipherment", "data_encipherment", "key_agreement", "key_cert_sign",
                    "crl_sign", "encipher_only", "decipher_only"], False)
certificate = (
    x509.CertificateBuilder().subject_name(subject).issuer_name(subject).public_key(key.public_key())
    .serial_number(1).not_valid_before(utc(NOT_BEFORE)).not_valid_after(utc(NOT_AFTER))
    .add_extension(x509.SubjectAlternativeName([x509.DNSName("*.cpe.example.com")]), False)
    .add_extension(x509.KeyUsage(digital_signature=True, **no), True)
    .add_extension(x509.UnrecognizedExtension(x509.ObjectIdentifier("1.3.6.1.4.1.44363.44"), b"\x05\x00"), False)
    .sign(key, hashes.SHA256())
).public_bytes(serialization.Encoding.DER)
write("rsa-delegation.der", certificate)

spki = ec.generate_private_key(ec.SECP256R1()).public_key().public_bytes(
    serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
credential = struct.pack(">IHBH", NOW + DAY - NOT_BEFORE, 0x0403, 0, len(spki)) + spki
algorithm = struct.pack(">H", 0x0804)
message = b" " * 64 + b"TLS, server delegated credentials\0" + certificate + credential + algorithm
for salt in 20, 32:
    signature = key.sign(message, padding.PSS(padding.MGF1(hashes.SHA256()), salt), hashes.SHA256())
    write(f"rsa-salt-{salt}.dc", credential + algorithm + struct.pack(">H", len(signature)) + signature)
