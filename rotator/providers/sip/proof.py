"""The proof that a SIP password is accepted: an authenticated REGISTER that changes no binding."""

from rotator.core.answers import Answer, Done, Refusal, Refused, Retry, Wait
from rotator.core.model import Credential, Proof
from rotator.fields.network import HostPort
from rotator.providers.http.calls import HttpCall
from rotator.providers.http.client import Http
from rotator.providers.sip.register import RegisterResult, register

_LONGEST = 8.0  # seconds: enough to retransmit a lost datagram or two


def by_register(
    http: Http, call: HttpCall, credential: Credential, registrar: HostPort, domain: str | None
) -> Answer[Proof] | None:
    """Registers as a device would, without a contact. Returns None if the registrar asks for no password."""
    if credential.password is None:
        return Refused(Refusal.INVALID, "the password is not known")
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
        return Refused(
            Refusal.INVALID, "the username or the SIP domain contains characters that a SIP request cannot carry"
        )
    outcome = "timeout" if result.status is None else str(result.status)
    http.count("prove", outcome, http.clock.monotonic() - started)
    return _judged(result, registrar)


def _judged(result: RegisterResult, registrar: HostPort) -> Answer[Proof] | None:
    if result.authenticated:
        return Done(Proof(f"SIP REGISTER accepted by {registrar}", tries_password=True))
    if result.status is None:
        return Retry(Wait.UNREACHABLE, f"no proof from the SIP registrar {registrar}: {result.reason}")
    if 200 <= result.status < 300:
        return None
    return Retry(Wait.NOT_YET, f"the SIP registrar {registrar}: {result.reason}")
