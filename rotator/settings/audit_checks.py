"""Checks of the audit's receivers: what crosses the network, and the files for it."""

import stat
from collections.abc import Iterator
from urllib.parse import urlsplit

from rotator.fields.network import is_loopback
from rotator.settings.problems import Finding
from rotator.settings.targets import CheckedSettings

_TLS_PORT, _PLAIN_PORT = 6514, 514  # RFC 5425, and what everybody uses without TLS


def plain_receivers_are_allowed(checked: CheckedSettings) -> Iterator[Finding]:
    """Records cross the network only over TLS, unless the configuration names the host."""
    what = "would show the records to the network, and let it drop some"
    syslog, http = checked.settings.audit.syslog, checked.settings.audit.http
    if syslog is not None and syslog.exposed:
        remedy = f"use transport: tls, or write allow_plain_tcp: [{syslog.address.host}] in the same section"
        yield Finding(("audit", "syslog", "transport"), f"syslog without TLS {what}", remedy)
    if http is not None and http.url.startswith("http:"):
        host = urlsplit(http.url).hostname or ""
        if not is_loopback(host) and host not in http.allow_plain_http:
            remedy = "use https, or add the host to allow_plain_http in the same section"
            yield Finding(("audit", "http", "url"), f"plain http {what}", remedy)


def syslog_port_suits_the_transport(checked: CheckedSettings) -> Iterator[Finding]:
    """A receiver that waits for TLS does not answer to anything else, nor the other way round, and says nothing."""
    syslog = checked.settings.audit.syslog
    if syslog is None:
        return
    secured = syslog.transport == "tls"
    if syslog.address.port == (_PLAIN_PORT if secured else _TLS_PORT):
        what = f"{syslog.address.port} is the usual port of syslog {'without' if secured else 'over'} TLS"
        remedy = f"if the receiver has the usual ports, write {_TLS_PORT if secured else _PLAIN_PORT}"
        yield Finding(("audit", "syslog", "address"), what, remedy, fatal=False)


def syslog_certificate_can_be_used(checked: CheckedSettings) -> Iterator[Finding]:
    """An unusable certificate is an error at start, and a key that everybody can read is worth a warning."""
    syslog = checked.settings.audit.syslog
    if syslog is None or syslog.key is None:
        return
    try:
        syslog.context()
        exposed = bool(syslog.key.stat().st_mode & stat.S_IROTH)
    except (ValueError, OSError) as error:
        yield Finding(("audit", "syslog"), str(error), "give a certificate and the key that belongs to it")
        return
    if exposed:
        what = "every user of this machine can read this key"
        remedy = "run chmod o-rwx; in Kubernetes, set defaultMode: 0440 on the volume"
        yield Finding(("audit", "syslog", "key"), what, remedy, fatal=False)
