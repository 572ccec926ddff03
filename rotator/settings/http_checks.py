"""Checks of the HTTP endpoint: its addresses, its certificate, its token."""

import stat
from collections.abc import Iterator

from rotator.fields.network import is_loopback
from rotator.settings.problems import Finding
from rotator.settings.targets import CheckedSettings

_SHORTEST_TOKEN = 20  # characters: with 62 of them, more than anybody can try


def probes_have_their_own_port(checked: CheckedSettings) -> Iterator[Finding]:
    """One port cannot be opened twice."""
    http = checked.settings.daemon.http
    if http.probes.port == http.listen.port != 0:
        what = "has the port of daemon.http.listen"
        yield Finding(("daemon", "http", "probes"), what, "give the probes a port of their own, such as 9465")


def certificate_can_be_used(checked: CheckedSettings) -> Iterator[Finding]:
    """An unusable certificate is an error at start, and a key that everybody can read is worth a warning."""
    tls = checked.settings.daemon.http.tls
    if tls is None:
        return
    try:
        tls.context()
        exposed = bool(tls.key.stat().st_mode & stat.S_IROTH)
    except (ValueError, OSError) as error:
        remedy = "give a certificate and the key that belongs to it"
        yield Finding(("daemon", "http", "tls"), str(error), remedy)
        return
    if exposed:
        what = "every user of this machine can read this key"
        remedy = "run chmod o-rwx; in Kubernetes, set defaultMode: 0440 on the volume"
        yield Finding(("daemon", "http", "tls", "key"), what, remedy, fatal=False)


def token_protects(checked: CheckedSettings) -> Iterator[Finding]:
    """A token that can be guessed, or read on its way, protects nothing."""
    http = checked.settings.daemon.http
    if http.token is None:
        return
    loc = ("daemon", "http", "token")
    if len(http.token.value.reveal()) < _SHORTEST_TOKEN:
        remedy = "make one with: openssl rand -hex 32"
        yield Finding(loc, f"is shorter than {_SHORTEST_TOKEN} characters", remedy)
    if http.tls is None and not is_loopback(http.listen.host):
        yield Finding(loc, "crosses the network unprotected", "set daemon.http.tls as well", fatal=False)
