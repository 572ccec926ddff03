"""SIP REGISTER with digest authentication.

Synchronous, with one connection for each call. Used by the providers' proof and by the simulated devices.
"""

import socket
import ssl
from dataclasses import dataclass
from urllib.parse import quote

from rotator.core.secret import Secret
from rotator.fields.connecting import Destination
from rotator.fields.network import bracketed
from rotator.ports import Clock
from rotator.providers.sip.dialogue import Asked, Dialogue, Exchanged
from rotator.providers.sip.links import BrokenLinkError, SipRoute, connected

_TLS_PORT = ": SIP over TLS has a port of its own, usually 5061"
_UNSERVED = (403, 404, 405, 501)  # answered to a REGISTER before any password was asked for


@dataclass(frozen=True, slots=True)
class RegisterResult:
    """The result of a REGISTER, or of what is asked in its place. `reason` is safe to print: it quotes no phrase."""

    status: int | None  # the final SIP status; None if no answer came
    reason: str
    authenticated: bool = False  # the registrar asked for the password and then answered 2xx
    refused: bool = False  # the registrar definitely rejects this username or password
    untried: bool = False  # the password was not tried: it was asked for in a way that is not answered, or not at all
    challenged: bool = False  # it asked for a password, and none was given
    lists_bindings: bool = False  # the acceptance lists bindings: those of devices, or one that was added on the way
    unserved: bool = False  # it may not serve this kind of request at all: it did not ask for a password


def register(
    route: SipRoute,
    username: str,
    password: Secret | None,
    *,
    clock: Clock,
    domain: str | None = None,
    contact: str | None = None,
    expires: int = 300,
    timeout: float = 5.0,
    without_qop: bool = False,
) -> RegisterResult:
    """Registers, and returns the result. Never raises for the network or the registrar.

    Args:
        route: the registrar. The system resolves a host name, within its own time limits.
        username: the digest username and the user of the address-of-record.
        password: only its digest is sent; None: nothing is, and a challenge is the result.
        clock: for the deadline.
        domain: of the Request-URI and the address-of-record; None: the registrar's host. The realm always comes from
            the challenge (the providers' pages contradict each other about it).
        contact: a SIP URI to bind. None sends a REGISTER without Contact, which is authenticated like any other but
            only queries the bindings (RFC 3261, 10.2.3): a proof never redirects a device's calls.
        expires: the lifetime of the binding in seconds; 0 removes it. Not sent without a contact.
        timeout: the limit in seconds for the whole exchange, retransmissions included.
        without_qop: answer a challenge of RFC 2069's form. Nothing of ours goes into that answer, so whoever sends the
            challenge can have prepared a table for it.

    Raises:
        SipError: username, domain or contact contain a control character.
    """
    at = bracketed(domain or route.registrar.host)
    own = f"<sip:{escaped(username)}@{at}>"
    headers = () if contact is None else (("Contact", f"<{contact}>"), ("Expires", str(expires)))
    asked = Asked("REGISTER", f"sip:{at}", own, own, username, headers)
    done = exchanged(route, asked, password, clock=clock, timeout=timeout, without_qop=without_qop)
    return done if isinstance(done, RegisterResult) else _final(done)


def exchanged(
    route: SipRoute, asked: Asked, password: Secret | None, *, clock: Clock, timeout: float, without_qop: bool
) -> Exchanged | RegisterResult:
    """Asks, over a connection of its own; a result says why nothing was answered or the password not tried.

    Raises:
        SipError: what is asked contains a control character.
    """
    deadline = clock.monotonic() + timeout
    try:
        with connected(route, clock, deadline) as link:
            done = Dialogue(link, clock, deadline, asked).negotiate(password, without_qop=without_qop)
    except BrokenLinkError as error:
        return RegisterResult(None, f"{error} ({route})")
    except OSError as error:
        return RegisterResult(None, _unreachable(route, error))
    return _without_an_answer(done) or done


def _without_an_answer(done: Exchanged) -> RegisterResult | None:
    """Returns the result if the password was not tried, or asked for once more."""
    status = done.response.status if done.response is not None else None
    if done.problem:
        return RegisterResult(status, done.problem, untried=status is not None)
    if done.challenged:
        return RegisterResult(status, "the registrar asks for a password", challenged=True)
    if done.refused:
        return RegisterResult(status, f"the username or password is refused ({status})", refused=True)
    return None


def _unreachable(route: SipRoute, error: OSError) -> str:
    if isinstance(error, socket.gaierror):
        return f"the name {route.registrar.host} cannot be resolved"
    if isinstance(error, ConnectionRefusedError):
        return f"nothing listens on {route}"
    if isinstance(error, TimeoutError):
        return f"no connection to {route} was made in time{_TLS_PORT if route.transport == 'tls' else ''}"
    if isinstance(error, ssl.SSLCertVerificationError):
        return Destination(str(route.registrar), "the registrar's address", "sip_ca_file").why_not(error)
    if isinstance(error, ssl.SSLError):
        return f"{route.registrar} does not speak TLS{_TLS_PORT}"
    return f"{route} cannot be reached: {error.strerror or type(error).__name__}"


def _final(done: Exchanged) -> RegisterResult:
    status = (done.response.status if done.response is not None else None) or 0
    unserved = not done.answered and (status in _UNSERVED or 200 <= status < 300)
    if 200 <= status < 300:
        reason = "accepted" if done.answered else "accepted without asking for a password, which proves nothing"
        bindings = done.response is not None and any(done.response.all("contact"))
        return RegisterResult(status, reason, authenticated=done.answered, lists_bindings=bindings, unserved=unserved)
    if status < 400:
        what = "the registrar redirects elsewhere, which rotator never follows with credentials"
        return RegisterResult(status, what, untried=True)
    if status in (403, 404):
        reason = f"the username or password is refused ({status})"
        return RegisterResult(status, reason, refused=True, unserved=unserved)
    what = f"the registrar rejects the request ({status})"
    return RegisterResult(status, what, untried=True, unserved=unserved)


def escaped(username: str) -> str:
    """Returns a username as the user part of a SIP URI."""
    return quote(username, safe=_USER_SAFE)


# The characters that a user part may contain unescaped (RFC 3261, 25.1).
_USER_SAFE = "-_.!~*'()&=+$,;?/"
