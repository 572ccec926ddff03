"""Log-ins at a trunk, which need not serve REGISTER: by REGISTER, by OPTIONS, or by an INVITE that is given up.

A password is tried only where it is asked for. What comes after the challenge is answered tells: asked once more, or
403, means refused; any other final answer that is the request's own fault means let in. Everything else shows nothing.
"""

import secrets
from collections.abc import Iterator

from rotator.core.secret import Secret
from rotator.fields.network import bracketed
from rotator.ports import Clock
from rotator.providers.sip.dialogue import Asked, Exchanged
from rotator.providers.sip.links import SipRoute
from rotator.providers.sip.register import RegisterResult, escaped, exchanged, register

# RFC 3261 (8.1.1.9, 16.3): whoever does not have an extension that is required answers 420 and goes no further. Nobody
# has this one, so nothing is ever forwarded to a phone; the name that is called exists nowhere either.
NO_CALL = "rotator-proof-no-call"
_SAYS_NOTHING = (400, 408, 429)  # of a password: the request was not understood, or not looked at


def log_in(
    route: SipRoute,
    username: str,
    password: Secret | None,
    *,
    clock: Clock,
    timeout: float,
    without_qop: bool,
    invites: bool,
) -> tuple[str, RegisterResult]:
    """Logs in at a trunk's domain, which is the host of `route`, by the first kind of request that asks for a password.

    Returns its method and the result; that of the last one, `unserved`, if none asks. Without a password the request
    that asks for one is the result. Never raises for the network.

    Raises:
        SipError: the username or the domain contain a control character.
    """
    deadline = clock.monotonic() + timeout
    method = "REGISTER"
    result = register(route, username, password, clock=clock, timeout=timeout, without_qop=without_qop)
    for asked in _others(route, username, invites=invites):
        left = deadline - clock.monotonic()
        if not result.unserved or left <= 0:
            break
        method = asked.method
        done = exchanged(route, asked, password, clock=clock, timeout=left, without_qop=without_qop)
        result = done if isinstance(done, RegisterResult) else _final(done, method)
    return method, result


def _others(route: SipRoute, username: str, *, invites: bool) -> Iterator[Asked]:
    at = bracketed(route.registrar.host)
    own = f"<sip:{escaped(username)}@{at}>"
    yield Asked("OPTIONS", f"sip:{at}", own, f"<sip:{at}>", username, (("Accept", "application/sdp"),))
    if invites:
        nobody = f"sip:rotator-proof-{secrets.token_hex(8)}@{at}"
        # Nobody can reach us at this Contact, and without a body no media is offered.
        never = (("Require", NO_CALL), ("Proxy-Require", NO_CALL), ("Expires", "1"))
        contact = ("Contact", f"<sip:{escaped(username)}@rotator.invalid>")
        yield Asked("INVITE", nobody, own, f"<{nobody}>", username, (contact, *never))


def _final(done: Exchanged, method: str) -> RegisterResult:
    status = (done.response.status if done.response is not None else None) or 0
    if not done.answered:
        return RegisterResult(status, f"{method} is answered {status} without a password", unserved=True)
    if status == 403:
        return RegisterResult(status, f"the username or password is refused ({status})", refused=True)
    if 200 <= status < 300 or (400 <= status < 500 and status not in _SAYS_NOTHING):
        return RegisterResult(status, f"let in: {method} is answered {status} with the password", authenticated=True)
    return RegisterResult(status, f"{method} is answered {status}, which says nothing of the password", untried=True)
