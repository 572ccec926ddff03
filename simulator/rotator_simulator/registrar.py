"""A SIP registrar over UDP, TCP and TLS: accepts every valid credential of the simulated accounts.

Digest authentication by the standards (RFC 3261, 10.3 and 22; RFC 7616): nonces become stale, nonce counts must not
decrease, and a retransmitted request gets the same response again.
"""

import secrets
import threading
from collections import Counter, OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from urllib.parse import unquote

from rotator.core.secret import Secret
from rotator.fields.network import HostPort
from rotator.ports import Clock
from rotator.providers.sip import codec as sipcodec
from rotator.providers.sip.codec import DigestInput, Message
from rotator_simulator.account import LoginState, Propagation, SimulatedAccount
from rotator_simulator.faults import REGISTER, FaultInjector, FaultKind
from rotator_simulator.registrar_sockets import RegistrarSockets

_PHRASES = {
    200: "OK",
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    405: "Method Not Allowed",
    420: "Bad Extension",
    500: "Server Error",
    503: "Service Unavailable",
}
_REMEMBERED = 5000
_DEFAULT_EXPIRES = "3600"


@dataclass(frozen=True, slots=True)
class RegistrarOptions:
    """The behaviour of the registrar. May be replaced at run time."""

    algorithms: tuple[str, ...] = ("MD5",)  # offered in this order
    qop: bool = True  # qop=auth is offered
    contact_required: bool = False  # a REGISTER without a Contact is answered 400
    serves: tuple[str, ...] = ("REGISTER",)  # of REGISTER, OPTIONS and INVITE; the others are answered 405
    nonce_lifetime: float = 60.0  # seconds until a nonce is stale
    propagation: Propagation = field(default_factory=Propagation)


@dataclass(slots=True)
class _Nonce:
    until: float
    count: int = 0


class SimulatedRegistrar:
    """Answers REGISTER. Counts acceptances and refusals by username."""

    def __init__(
        self,
        realms: Callable[[], Mapping[str, SimulatedAccount]],
        clock: Clock,
        injector: FaultInjector,
        *,
        bind: str = "127.0.0.1",
        port: int = 0,
        tls_port: int = 0,
        options: RegistrarOptions | None = None,
    ) -> None:
        """Binds the ports: `port` for UDP and TCP, `tls_port` for TLS. `realms` returns the account of each realm.

        Of the faults, those for the verb `register` apply: `silence` (no response to this message) and any status.

        Raises:
            OSError: a port is taken.
        """
        self.options = options or RegistrarOptions()
        self._realms = realms
        self._clock = clock
        self._injector = injector
        self._lock, self._one_at_a_time = threading.Lock(), threading.Lock()
        self._accepted: Counter[str] = Counter()
        self._refused: Counter[str] = Counter()
        self._nonces: OrderedDict[str, _Nonce] = OrderedDict()
        self._answers: OrderedDict[tuple[str, str], bytes] = OrderedDict()
        self._sockets = RegistrarSockets(self.answer, clock, bind=bind, port=port, tls_port=tls_port)

    @property
    def address(self) -> HostPort:
        """The address for UDP and TCP."""
        return self._sockets.plain_address

    @property
    def tls_address(self) -> HostPort:
        """The address for TLS, with a certificate of `authority.authority_pem`."""
        return self._sockets.tls_address

    def start(self) -> None:
        """Starts answering."""
        self._sockets.start()

    def stop(self) -> None:
        """Stops answering and frees the ports, even if it was never started."""
        self._sockets.stop()

    def accepted(self) -> Mapping[str, int]:
        """Returns how often each username was accepted, without retransmissions."""
        with self._lock:
            return dict(self._accepted)

    def refused(self) -> Mapping[str, int]:
        """Returns how often each username was refused, with any password, without first challenges."""
        with self._lock:
            return dict(self._refused)

    def login_state(self, username: str, domain: str) -> LoginState:
        """Returns what a username that registers for a domain is let in with: all that an answer depends on."""
        return self._account(username, (domain,))[1].login_state(username, self.options.propagation)

    def answer(self, message: Message, source: tuple[str, int]) -> bytes | None:
        """Returns the response to a message; None if there is none."""
        with self._one_at_a_time:
            return self._answer(message, source)

    def _answer(self, message: Message, source: tuple[str, int]) -> bytes | None:
        if message.method in ("", "ACK"):
            return None
        key = (message.get("via"), message.get("cseq"))
        if key in self._answers:
            return self._answers[key]
        answer = self._first_answer(message, source)
        if answer is not None:
            self._answers[key] = answer
            while len(self._answers) > _REMEMBERED:
                self._answers.popitem(last=False)
        return answer

    def _first_answer(self, message: Message, source: tuple[str, int]) -> bytes | None:
        if message.method not in self.options.serves:
            return _response(message, source, 405, [("Allow", ", ".join(self.options.serves))])
        digest = _credentials(message)
        user, domain = _user_and_domain(message.get(_who(message)))
        realm, account = self._account(user, ((digest or {}).get("realm", ""), domain))
        if self.options.contact_required and not message.all("contact"):
            return _response(message, source, 400, [])
        for fault in self._injector.draw(account.name, REGISTER):
            if fault.kind is FaultKind.SILENCE:
                return None
            if fault.kind is FaultKind.STATUS:
                return _response(message, source, fault.status, [])
        if digest is None:
            return self._challenge(message, source, realm, stale=False)
        return self._authenticate(message, source, account, digest)

    def _account(self, user: str, named: tuple[str, ...]) -> tuple[str, SimulatedAccount]:
        # By the realm of the credentials or the domain that is registered for, else by the username.
        realms = self._realms()
        if not realms:
            raise ValueError("no account has SIP users")
        for realm in named:
            if realm in realms:
                return realm, realms[realm]
        of_user = (item for item in realms.items() if any(one.username == user for one in item[1].credentials()))
        return next(of_user, next(iter(realms.items())))

    def _authenticate(
        self, message: Message, source: tuple[str, int], account: SimulatedAccount, digest: dict[str, str]
    ) -> bytes:
        username = digest.get("username", "")
        if _user_and_domain(message.get(_who(message)))[0] != username or digest.get("uri") != message.uri:
            return _response(message, source, 400, [])
        state = account.login_state(username, self.options.propagation)
        if not self._matches(state, digest, message):
            return self._refuse(message, source, state, digest)
        if not self._is_fresh(digest):
            return self._challenge(message, source, digest.get("realm", ""), stale=True)
        with self._lock:
            self._accepted[username] += 1
        if message.method == "REGISTER":
            return self._bind(message, source, account, username)
        required = message.get("require")  # an extension that nobody has here
        return _response(message, source, 420 if required else 200, [("Unsupported", required)] if required else [])

    def _matches(self, state: LoginState, digest: dict[str, str], message: Message) -> bool:
        algorithm = digest.get("algorithm", "MD5")
        if algorithm.upper() not in sipcodec.HASHES or algorithm not in self.options.algorithms:
            return False
        inputs = (digest.get(name, "") for name in ("realm", "uri", "nonce", "qop", "nc", "cnonce"))
        realm, uri, nonce, quality, count, client_nonce = inputs
        proof = DigestInput(realm, message.method, uri, nonce, algorithm, quality, count, client_nonce)
        # Secrets are compared in constant time.
        response = Secret(digest.get("response", ""))
        username = digest.get("username", "")
        valid = [Secret(sipcodec.respond(username, password, proof)) for password in state.passwords]
        return response in valid and bool(quality) is self.options.qop

    def _refuse(self, message: Message, source: tuple[str, int], state: LoginState, digest: dict[str, str]) -> bytes:
        with self._lock:
            self._refused[digest.get("username", "")] += 1
        if state.disabled and not state.passwords:
            return _response(message, source, 403, [])
        return self._challenge(message, source, digest.get("realm", ""), stale=False)

    def _is_fresh(self, digest: dict[str, str]) -> bool:
        nonce = self._nonces.get(digest.get("nonce", ""))
        if nonce is None or nonce.until <= self._clock.monotonic():
            return False
        try:
            count = int(digest["nc"], 16) if self.options.qop else nonce.count + 1
        except (KeyError, ValueError):
            return False
        fresh = count > nonce.count
        nonce.count = max(count, nonce.count)
        return fresh

    def _challenge(self, message: Message, source: tuple[str, int], realm: str, *, stale: bool) -> bytes:
        nonce = secrets.token_hex(16)
        self._nonces[nonce] = _Nonce(self._clock.monotonic() + self.options.nonce_lifetime)
        while len(self._nonces) > _REMEMBERED:
            self._nonces.popitem(last=False)
        quality = ', qop="auth"' if self.options.qop else ""
        old = ", stale=true" if stale else ""
        headers = [
            (
                "WWW-Authenticate",
                f"Digest realm={sipcodec.quote(realm)}, nonce={sipcodec.quote(nonce)}, algorithm={name}{quality}{old}",
            )
            for name in self.options.algorithms
        ]
        return _response(message, source, 401, headers)

    def _bind(self, message: Message, source: tuple[str, int], account: SimulatedAccount, username: str) -> bytes:
        # Without Contact nothing is bound, and the response lists the bindings (RFC 3261, 10.2.3).
        for contact in message.all("contact"):
            uri, _, rest = contact.partition("<")[2].partition(">")
            expires = sipcodec.parameters(rest).get("expires") or message.get("expires") or _DEFAULT_EXPIRES
            if not uri or not expires.isdecimal():
                return _response(message, source, 400, [])
            account.bind(username, uri, int(expires), message.get("user-agent"))
        now = self._clock.monotonic()
        bound = [
            ("Contact", f"<{binding.contact}>;expires={round(binding.until - now)}")
            for binding in account.bindings(username)
        ]
        return _response(message, source, 200, bound)


def _who(message: Message) -> str:
    """Returns the header with the user that a request concerns."""
    return "to" if message.method == "REGISTER" else "from"


def _credentials(message: Message) -> dict[str, str] | None:
    digests = [value for value in message.all("authorization") if sipcodec.scheme_of(value) == "digest"]
    return sipcodec.parameters(digests[0].partition(" ")[2]) if digests else None


def _user_and_domain(header: str) -> tuple[str, str]:
    uri = header.partition("<")[2].partition(">")[0] or header.partition(";")[0]
    user, _, domain = uri.partition(":")[2].rpartition("@")
    return unquote(user), domain


def _response(message: Message, source: tuple[str, int], status: int, headers: list[tuple[str, str]]) -> bytes:
    vias = list(message.all("via"))
    if vias:
        vias[0] = vias[0].replace(";rport", f";rport={source[1]};received={source[0]}", 1)
    same = [("Via", via) for via in vias] + [("From", message.get("from"))]
    to = message.get("to")
    same.append(("To", to if ";tag=" in to else f"{to};tag={secrets.token_hex(8)}"))
    same += [("Call-ID", message.get("call-id")), ("CSeq", message.get("cseq"))]
    return sipcodec.encode(f"SIP/2.0 {status} {_PHRASES.get(status, 'Refused')}", same + headers)
