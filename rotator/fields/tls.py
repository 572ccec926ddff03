"""TLS, whoever opens a connection or serves it: version 1.2 or newer, and a certificate is always verified.

Python itself refuses older versions, but not as Debian and Fedora build it: there, openssl.cnf decides.
"""

import ssl
from pathlib import Path


def client_context(ca_file: Path | None = None) -> ssl.SSLContext:
    """Returns a context that trusts the authorities in a PEM file as it is now, or the system's.

    Raises OSError if there are none in the file; `ssl.SSLError` is one.
    """
    return without_old_versions(ssl.create_default_context(cafile=ca_file))


def server_context() -> ssl.SSLContext:
    """Returns a context for a server, which has no certificate yet and asks for none."""
    return without_old_versions(ssl.create_default_context(ssl.Purpose.CLIENT_AUTH))


def without_old_versions(context: ssl.SSLContext) -> ssl.SSLContext:
    """Returns the context, which refuses TLS 1.1 and older from now on, or what it refused before if that is more."""
    context.minimum_version = max(context.minimum_version, ssl.TLSVersion.TLSv1_2)
    return context
