"""Showing that a SIP password is accepted, by an authenticated REGISTER that changes no binding."""

from rotator.core.answers import Answer, Done, Refusal, Refused, Retry, Wait
from rotator.core.model import Credential
from rotator.providers.http.calls import Call
from rotator.providers.http.client import Http
from rotator.providers.sip.register import Address, RegisterResult, register

_LONGEST = 8.0  # seconds: a lost datagram or two, and the retransmissions that make up for them


def by_register(
    http: Http, call: Call, credential: Credential, registrar: Address, domain: str | None
) -> Answer[str] | None:
    """Registers as a device would, without a contact. None: the registrar asks for no password, so nothing is shown."""
    if credential.password is None:
        return Refused(Refusal.INVALID, "nobody knows the password that was to be proved")
    started = http.clock.monotonic()
    try:
        result = register(
            registrar,
            credential.username,
            credential.password,
            clock=http.clock,
            domain=domain or credential.uri or None,
            timeout=min(_LONGEST, call.left),
        )
    except ValueError:
        return Refused(Refusal.INVALID, "the username or the SIP domain cannot stand in a SIP request")
    outcome = "timeout" if result.status is None else str(result.status)
    http.count("prove", outcome, http.clock.monotonic() - started)
    return _judged(result, registrar)


def _judged(result: RegisterResult, registrar: Address) -> Answer[str] | None:
    if result.authenticated:
        return Done(f"SIP REGISTER with the password was accepted by {registrar}")
    if result.status is None:
        return Retry(Wait.UNREACHABLE, f"the SIP registrar {registrar} gave no proof: {result.reason}")
    if 200 <= result.status < 300:
        return None
    return Retry(Wait.NOT_YET, f"the SIP registrar {registrar}: {result.reason}")
