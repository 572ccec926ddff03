"""The certificate of an embedded server, from an authority that exists for it alone; the only import of cryptography.

The authority's key is never stored: nobody can make another certificate that passes for this server.
"""

import ipaddress
from datetime import datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePrivateKey, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from rotator.vault.files import write_private

AUTHORITY, CERTIFICATE, KEY = "ca.pem", "server.pem", "server-key.pem"
"""The files: the only one that clients need is the first."""
_VALID = timedelta(days=3650)
_LEFT = timedelta(days=365)  # with less, the next start makes another one, which every client must then trust
_SKEW = timedelta(days=1)  # of the clocks of whoever checks it


def ensure_certificate(directory: Path, now: datetime) -> None:
    """Makes the files, unless those of an earlier start are whole and valid for another year."""
    if _usable(directory, now):
        return
    authority_key, key = generate_private_key(SECP256R1()), generate_private_key(SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "rotator's embedded OpenBao")])
    authority = _builder(name, name, authority_key, now).add_extension(
        x509.BasicConstraints(ca=True, path_length=0), critical=True
    )
    authority = authority.add_extension(_usage(signs_certificates=True), critical=True)
    leaf = _builder(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")]), name, key, now)
    names = [x509.DNSName("localhost"), *(x509.IPAddress(ipaddress.ip_address(each)) for each in ("127.0.0.1", "::1"))]
    for extension, critical in (
        (x509.BasicConstraints(ca=False, path_length=None), True),
        (_usage(signs_certificates=False), True),
        (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), False),
        (x509.SubjectAlternativeName(names), False),
        (x509.AuthorityKeyIdentifier.from_issuer_public_key(authority_key.public_key()), False),
    ):
        leaf = leaf.add_extension(extension, critical)
    files = {
        KEY: key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
        AUTHORITY: authority.sign(authority_key, SHA256()).public_bytes(Encoding.PEM),
        CERTIFICATE: leaf.sign(authority_key, SHA256()).public_bytes(Encoding.PEM),
    }
    for file, content in files.items():
        write_private(directory / file, content)


def _builder(
    subject: x509.Name, issuer: x509.Name, key: EllipticCurvePrivateKey, now: datetime
) -> x509.CertificateBuilder:
    builder = x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(key.public_key())
    builder = builder.serial_number(x509.random_serial_number())
    builder = builder.not_valid_before(now - _SKEW).not_valid_after(now + _VALID)
    return builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )


def _usable(directory: Path, now: datetime) -> bool:
    try:
        authority, leaf = (
            x509.load_pem_x509_certificate((directory / file).read_bytes()) for file in (AUTHORITY, CERTIFICATE)
        )
        key = load_pem_private_key((directory / KEY).read_bytes(), None)
        leaf.verify_directly_issued_by(authority)
    except (OSError, ValueError, TypeError, InvalidSignature):
        return False
    return leaf.not_valid_after_utc > now + _LEFT and leaf.public_key() == key.public_key()
