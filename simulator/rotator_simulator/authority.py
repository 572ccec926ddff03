"""The certificate of the simulated registrar, by an authority of its own that exists as long as the process."""

import ssl
from functools import cache

import trustme


@cache
def _authority() -> trustme.CA:
    return trustme.CA(organization_name="rotator's simulator")


def authority_pem() -> bytes:
    """Returns the authority's certificate: what `sip_ca_file` has to contain."""
    return _authority().cert_pem.bytes()


@cache
def server_trust() -> ssl.SSLContext:
    """Returns the context of a TLS server on loopback."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    _authority().issue_cert("127.0.0.1", "::1", "localhost").configure_cert(context)
    return context
