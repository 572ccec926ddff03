"""The proof that a SIP password is accepted: an authenticated REGISTER that changes no binding."""

from dataclasses import replace

from rotator.core.answers import Answer, Done, Refusal, Refused, Retry, Wait
from rotator.core.exchanges import ProviderExchange
from rotator.core.model import Credential, Proof
from rotator.ports import WITNESS
from rotator.providers.http.calls import HttpCall
from rotator.providers.http.client import Http
from rotator.providers.sip.links import SipRoute
from rotator.providers.sip.register import RegisterResult, register
from rotator.providers.sip.trunk import log_in

_LONGEST = 8.0  # seconds: enough to retransmit a lost datagram or two
_NO_REQUEST = Refused(
    Refusal.INVALID, "the username or the SIP domain contains characters that a SIP request cannot carry"
)


def by_register(
    http: Http, call: HttpCall, credential: Credential, route: SipRoute, domain: str | None, *, without_qop: bool
) -> Answer[Proof] | None:
    """Registers as a device would, without a contact. Returns None if the registrar asks for no password."""
    if credential.password is None:
        return Refused(Refusal.INVALID, "the password is not known")
    result = _registered(http, call, credential, route, domain, without_qop=without_qop)
    return _judged(result, route) if result is not None else _NO_REQUEST


def is_challenged(
    http: Http, call: HttpCall, credential: Credential, route: SipRoute, domain: str | None, *, without_qop: bool
) -> Answer[None]:
    """Registers without a password. `Done` if the registrar asks for one in a way that would be answered."""
    unknown = replace(credential, password=None)
    result = _registered(http, call, unknown, route, domain, without_qop=without_qop)
    if result is None:
        return _NO_REQUEST
    if result.challenged:
        return Done(None)
    return Retry(Wait.UNREACHABLE, f"the SIP registrar {route.registrar} would prove nothing: {result.reason}")


def _registered(
    http: Http, call: HttpCall, credential: Credential, route: SipRoute, domain: str | None, *, without_qop: bool
) -> RegisterResult | None:
    """Registers; None if no request can carry the username or the domain."""
    started = http.clock.monotonic()
    try:
        result = register(
            route,
            credential.username,
            credential.password,
            clock=http.clock,
            domain=domain or credential.realm or None,
            timeout=min(_LONGEST, call.left),
            without_qop=without_qop,
        )
    except ValueError:
        return None
    _tell(http, "REGISTER", result, route, http.clock.monotonic() - started)
    return result


def _tell(http: Http, method: str, result: RegisterResult, route: SipRoute, seconds: float) -> None:
    """Tells the meter and who watches."""
    http.count("prove", _outcome(result, route), seconds)
    witness = WITNESS.get()
    if witness is not None:
        problem = "" if result.status else result.reason
        witness(ProviderExchange("prove", method, "", result.status, seconds, problem=problem))


def at_trunk(
    http: Http, call: HttpCall, credential: Credential, route: SipRoute, *, without_qop: bool, invites: bool
) -> Answer[Proof] | None:
    """Logs in at a trunk's domain. Returns None if nothing there asks for a password."""
    if credential.password is None:
        return Refused(Refusal.INVALID, "the password is not known")
    asked = _asked_at_trunk(http, call, credential, route, without_qop=without_qop, invites=invites)
    if isinstance(asked, Refused):
        return asked
    method, result = asked
    return None if result.unserved else _judged(result, route, method, f"trunk {route.registrar}")


def trunk_asks(
    http: Http, call: HttpCall, credential: Credential, route: SipRoute, *, without_qop: bool, invites: bool
) -> Answer[None]:
    """Asks at a trunk's domain without a password. `Done`, with the request in its note, if it asks for one."""
    unknown = replace(credential, password=None)
    asked = _asked_at_trunk(http, call, unknown, route, without_qop=without_qop, invites=invites)
    if isinstance(asked, Refused):
        return asked
    method, result = asked
    if result.challenged:
        return Done(None, f"{method} is challenged by {route.registrar} over {route.transport.upper()}")
    return Retry(Wait.UNREACHABLE, f"the trunk {route.registrar} would prove nothing: {result.reason}")


def _asked_at_trunk(
    http: Http, call: HttpCall, credential: Credential, route: SipRoute, *, without_qop: bool, invites: bool
) -> tuple[str, RegisterResult] | Refused:
    started, limit = http.clock.monotonic(), min(_LONGEST, call.left)
    try:
        method, result = log_in(
            route,
            credential.username,
            credential.password,
            clock=http.clock,
            timeout=limit,
            without_qop=without_qop,
            invites=invites,
        )
    except ValueError:
        return Refused(Refusal.INVALID, "the username contains characters that a SIP request cannot carry")
    _tell(http, method, result, route, http.clock.monotonic() - started)
    return method, result


def _outcome(result: RegisterResult, route: SipRoute) -> str:
    if _may_be_hijacked(result, route):
        return "foreign_binding"
    return "timeout" if result.status is None else str(result.status)


def _may_be_hijacked(result: RegisterResult, route: SipRoute) -> bool:
    """True if a binding is listed that somebody on the path may have added to our request.

    No digest covers a Contact. Over TLS nobody can add one, so what is listed there is devices'.
    """
    return result.authenticated and result.lists_bindings and route.transport != "tls"


def _judged(result: RegisterResult, route: SipRoute, method: str = "REGISTER", where: str = "") -> Answer[Proof] | None:
    where = where or f"SIP registrar {route.registrar}"
    if _may_be_hijacked(result, route):
        return Retry(
            Wait.DOUBTFUL,
            f"the SIP registrar {route} lists a binding that was not asked for: a device's, or one that somebody on "
            "the path added to the request, which takes over its calls; it proves nothing: look at the registrations "
            "at the provider, and set sip_transport: tls",
        )
    if result.authenticated:
        how = f"SIP {method} accepted by {route.registrar} over {route.transport.upper()}"
        return Done(Proof(how, tries_password=True, in_use=result.lists_bindings))
    if result.status is None or result.untried:
        return Retry(Wait.UNREACHABLE, f"no proof from the {where}: {result.reason}")
    if 200 <= result.status < 300:
        return None
    return Retry(Wait.NOT_YET, f"the {where}: {result.reason}")
