"""Requests to Vault with a token that is kept valid; the only import of hvac.

It uses hvac's adapter rather than its `Client`, which silently takes tokens and certificates from the environment.
"""

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import count
from threading import Thread
from typing import Any, Literal, ParamSpec, TypeVar
from urllib.parse import quote

from hvac import exceptions as hvac_errors
from hvac.adapters import JSONAdapter

from rotator.core.pace import Moment
from rotator.core.secret import Secret
from rotator.ports import Clock, Conflict, Meter, Randomness, StoreDenied, StoreError, StoreUnavailable
from rotator.vault.auth import Authenticator, LoginToken, Method
from rotator.vault.tokens import NEW, Tokens
from rotator.vault.transport import NOT_VAULT, Connection, VaultSession
from rotator.vault.vault_time import VaultTime

P = ParamSpec("P")
T = TypeVar("T")

_ATTEMPTS = 6
_PATIENCE = 5.0  # seconds after which no further attempt begins
_FIRST_PAUSE = 0.1  # seconds, half to one and a half times that; doubled each time
_REQUESTS_IN_AN_ATTEMPT = 10  # renew, unwrap, log in, act, act again, look up, log in, act, act again, read back
_LOGINS_IN_AN_ATTEMPT = 2
_REVOKE_WITHIN = 3.0  # seconds
_PAUSES_FOR_A_NEW_TOKEN = 5
_CHARACTERS = "abcdefghijklmnopqrstuvwxyz0123456789"
_EARLIEST, _LATEST = datetime(1970, 1, 2, tzinfo=UTC), datetime(9000, 1, 1, tzinfo=UTC)  # with room to calculate
_MOST = 10**10  # no number of Vault's is larger: versions, and the seconds of its longest time


@dataclass(frozen=True, slots=True)
class VaultRequest:
    """One kind of request: its name in the metrics, its path, and the capabilities that a policy must grant for it.

    `rule` is the path in a policy, if that differs from `path`; `refusal` explains a 403 if no capability on that path
    would help.
    """

    operation: str
    verb: Literal["get", "list", "post", "delete"]
    path: str
    capabilities: tuple[str, ...] = ()
    rule: str = ""
    refusal: str = ""
    version: int = 0  # of a document; 0: the latest

    def denied(self) -> StoreDenied:
        """Returns the error for a 403, with the policy rule that an operator must add."""
        if not self.capabilities:
            return StoreDenied(self.refusal or f"Vault refuses {self.operation} at {self.path}")
        lacks, where = " or ".join(self.capabilities), self.rule or self.path
        wants = ", ".join(f'"{name}"' for name in self.capabilities)
        rule = f'path "{where}" {{ capabilities = [{wants}] }}'
        return StoreDenied(f"the Vault token lacks the capability {lacks} on {where}; add to its policy: {rule}")


@dataclass(frozen=True, slots=True)
class Caller:
    """Whom Vault knows a token as. Empty: Vault does not say."""

    name: str  # such as `kubernetes-telephony-rotator`
    entity: str
    accessor: str  # names the token, and is not it


class Absent(StoreError):
    """A 404 from Vault itself: nothing exists, or only a deleted `version` (0: none ever existed).

    Whoever asks for what may be missing handles it. To everything else it is not Vault's answer.
    """

    def __init__(self, version: int, *, destroyed: bool = False) -> None:
        super().__init__(f"nothing is where Vault always has something: {NOT_VAULT}")
        self.version, self.destroyed = version, destroyed


class VaultClient:
    """Sends requests with a token that it keeps valid. Thread-safe; logs in on first use.

    It raises only StoreError: Conflict, StoreUnavailable, StoreDenied with the path and the missing capability, or
    StoreError itself if the mount or the namespace does not exist.
    """

    def __init__(
        self, connection: Connection, method: Method, *, clock: Clock, randomness: Randomness, meter: Meter
    ) -> None:
        """Prepares the client without connecting. Raises StoreError if the CA file is unusable."""
        self._connection = connection
        self._session = VaultSession(connection, clock, self._learn_time)
        self._clock = clock
        self._randomness = randomness
        self._meter = meter
        self._writer, self._writes = "".join(randomness.choice(_CHARACTERS) for _ in range(20)), count(1)
        self._tokens = Tokens(Authenticator(method), self, clock)
        self._time = VaultTime()

    @property
    def longest_call(self) -> timedelta:
        """The time within which `retry` returns, including logins, read-backs and a silent server."""
        requests = _REQUESTS_IN_AN_ATTEMPT * self._connection.longest_request
        return timedelta(seconds=_PATIENCE + _LOGINS_IN_AN_ATTEMPT * NEW + requests)

    def token_expires_at(self) -> datetime | None:
        """Returns when the current token expires; None before the first request and for one that never expires."""
        return self._tokens.expires_at()

    def moment(self) -> Moment | None:
        """Returns Vault's time, as of its answers and carried forward; None before the first one."""
        return self._time.at(self._clock.monotonic())

    def _learn_time(self, date: str, sent: float) -> None:
        self._time.learn_date(date, sent, self._clock.monotonic())

    def write(self, request: VaultRequest, body: Mapping[str, Any]) -> dict[str, Any]:
        """Sends a request that stores a document, like `request`, and learns when Vault stored it."""
        sent = self._clock.monotonic()
        answer = self.request(request, body)
        stored = extract_moment(answer, "data", "created_time")
        self._time.learn_moment(stored, sent, self._clock.monotonic())
        return answer

    def nonce(self) -> str:
        """Returns a new name for one write."""
        return f"{self._writer}-{next(self._writes)}"

    def monotonic(self) -> float:
        """Returns seconds that never jump."""
        return self._clock.monotonic()

    def pause(self, seconds: float) -> None:
        """Waits; returns early if the process must stop."""
        self._clock.sleep(seconds)

    def close(self) -> None:
        """Revokes the token if a login made it, as far as Vault answers soon, and closes the connections."""
        token = self._tokens.give_up()
        if token is not None:
            revoking = Thread(target=self._revoke, args=(token,), name="revoke", daemon=True)
            revoking.start()
            revoking.join(_REVOKE_WITHIN)
        self._session.close()

    def _revoke(self, token: Secret) -> None:
        with suppress(StoreError):  # then it ends by itself
            self._send(VaultRequest("revoke", "post", "auth/token/revoke-self"), token, {})

    def retry(self, function: Callable[P, T], *arguments: P.args, **keywords: P.kwargs) -> T:
        """Calls `function`, again for about five seconds while it raises StoreUnavailable."""
        began, pause = self._clock.monotonic(), _FIRST_PAUSE
        for _ in range(_ATTEMPTS - 1):
            try:
                return function(*arguments, **keywords)
            except StoreUnavailable:
                if self._clock.monotonic() - began > _PATIENCE:
                    raise
            self._clock.sleep(pause * (0.5 + self._randomness.fraction()))
            pause *= 2
        return function(*arguments, **keywords)

    def request(self, request: VaultRequest, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Sends one request with our token, and again with a new one after a 403 that was the token's fault.

        Raises StoreError, also in the form of Absent.
        """
        token, pauses, replaced = self._tokens.current(), 0, False
        while True:
            try:
                return self._send(request, token, body)
            except StoreDenied:
                if self._tokens.is_new() and pauses < _PAUSES_FOR_A_NEW_TOKEN:  # a standby may not know it yet
                    pauses += 1
                    self._clock.sleep(NEW / _PAUSES_FOR_A_NEW_TOKEN)
                elif not replaced and self._tokens.renew_after_refusal(token):
                    token, pauses, replaced = self._tokens.current(), 0, True
                else:
                    raise

    def caller(self) -> Caller:
        """Returns whom Vault knows the token as. Raises StoreError."""
        answer = self.retry(self.request, VaultRequest("look_up", "get", "auth/token/lookup-self", ("read",)))
        known = extract(dict, answer, "data")
        return Caller(*(str(known.get(key) or "") for key in ("display_name", "entity_id", "accessor")))

    # TokenApi: the requests for logging in.

    def login(self, path: str, fields: Mapping[str, str]) -> LoginToken:
        """Logs in. A refusal is a 400 or a 403, depending on the method."""
        if self._connection.client_certificate is not None:  # another program may have renewed it
            self._session.reconnect()
        return _login_token(self._send(VaultRequest("login", "post", path), None, fields))

    def look_up(self, token: Secret) -> LoginToken:
        """Returns the remaining lifetime of a token."""
        try:
            answer = self._send(VaultRequest("look_up", "get", "auth/token/lookup-self"), token)
        except StoreDenied:
            raise StoreDenied(
                "the Vault token is revoked or expired, or its policy does not allow it to read auth/token/lookup-self"
            ) from None
        ttl, renewable = extract(int, answer, "data", "ttl"), answer["data"].get("renewable") is True
        ends = answer["data"].get("expire_time") is not None
        return LoginToken(token, timedelta(seconds=ttl) if ends else None, renewable)

    def renew(self, token: Secret) -> LoginToken:
        """Extends a token by the lease that it was issued with."""
        return _login_token(self._send(VaultRequest("renew", "post", "auth/token/renew-self"), token, {}))

    def unwrap(self, token: Secret) -> Mapping[str, Any]:
        """Returns the content of a wrapping token."""
        try:
            answer = self._send(VaultRequest("unwrap", "post", "sys/wrapping/unwrap"), token, {})
        except StoreDenied:
            raise StoreDenied(
                "the wrapped secret_id has expired or was already unwrapped; if not by rotator, somebody else has it: "
                "revoke it and wrap a new one"
            ) from None
        return dict(extract(dict, answer, "data"))

    # One request.

    def _send(
        self, request: VaultRequest, token: Secret | None, body: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        """Sends one request and counts it. The libraries' own errors are dropped: they quote bodies and headers."""
        began = self._clock.monotonic()
        failure: Exception
        try:
            adapter = self._adapter(token)
            url = f"/v1/{quote(request.path)}" + (f"?version={request.version}" if request.version else "")
            answer = getattr(adapter, request.verb)(url) if body is None else adapter.post(url, json=dict(body))
        except hvac_errors.VaultError as error:
            failure = _vault_failure(request, error)
        except StoreError as error:
            failure = error
        else:
            if getattr(answer, "status_code", None) == 204:  # hvac hands on the response as it is
                answer = {}
            if isinstance(answer, dict):
                self._count(request, "ok", began)
                return answer
            failure = StoreUnavailable(f"{request.path}: {NOT_VAULT}")
        self._count(request, _OUTCOMES.get(type(failure), "error"), began)
        raise failure

    def _adapter(self, token: Secret | None) -> JSONAdapter:
        # A new one for each request costs microseconds, and no thread can see another's token.
        return JSONAdapter(
            base_uri=self._connection.address,
            token=None if token is None else token.reveal(),
            timeout=(self._connection.connect_timeout, self._connection.timeout),
            allow_redirects=False,  # a redirect would carry the token to another host
            session=self._session,
            namespace=self._connection.namespace or None,
            strict_http=True,  # GET with list=true: some proxies refuse the verb LIST
        )

    def _count(self, request: VaultRequest, outcome: str, began: float) -> None:
        self._meter.vault_request(request.operation, outcome, self._clock.monotonic() - began)


_DOWN = "Vault is sealed, not initialised or down"
_FAILURES: Mapping[type[hvac_errors.VaultError], str] = {
    hvac_errors.VaultDown: _DOWN,
    hvac_errors.VaultNotInitialized: _DOWN,
    hvac_errors.RateLimitExceeded: "Vault asks to slow down (429)",
    hvac_errors.InternalServerError: "Vault failed (500), which is normal for a moment after unsealing",
    hvac_errors.BadGateway: "the proxy in front of Vault cannot reach it (502)",
}


def _vault_failure(request: VaultRequest, error: hvac_errors.VaultError) -> Exception:
    """Returns the error for a status. Vault's own message is read but never repeated."""
    match error:
        case hvac_errors.Forbidden() | hvac_errors.Unauthorized():
            return request.denied()
        case hvac_errors.InvalidRequest():
            return _invalid(request, error)
        case hvac_errors.InvalidPath():
            return _missing(request, error)
    what = _FAILURES.get(type(error), "not the answer of a healthy Vault: " + type(error).__name__)
    return StoreUnavailable(f"{request.path}: {what}")


def _invalid(request: VaultRequest, error: hvac_errors.VaultError) -> Exception:
    """Returns the error for a 400: a lost check-and-set, a refused login, or a mount that is not KV v2."""
    if any("check-and-set" in word for word in error.errors or ()):
        return Conflict(f"{request.path}: somebody else wrote first")
    if not request.capabilities:
        return StoreDenied(f"Vault refuses the values sent for {request.operation} at {request.path}")
    return StoreError(f"{request.path}: Vault rejects the request as invalid: check that this is a KV v2 mount")


def _missing(request: VaultRequest, error: hvac_errors.VaultError) -> Exception:
    """Returns the error for a 404: no such document, mount or namespace, or an answer that is not from Vault."""
    if not isinstance(error.json, dict):
        return StoreUnavailable(f"{request.path}: {NOT_VAULT}")
    if error.errors:
        return StoreError(f"{request.path}: there is no such mount, authentication method or namespace in this Vault")
    if error.json.get("data") is None:
        return Absent(0)
    try:
        metadata = extract(dict, error.json, "data", "metadata")
        return Absent(extract(int, metadata, "version"), destroyed=metadata.get("destroyed") is True)
    except StoreUnavailable as broken:
        return broken


_OUTCOMES: Mapping[type[Exception], str] = {
    Absent: "absent",
    Conflict: "conflict",
    StoreDenied: "denied",
    StoreUnavailable: "unavailable",
}


def extract(kind: type[T], answer: Any, *keys: str) -> T:
    """Returns the value under `keys` in an answer. Raises StoreUnavailable if the answer does not have Vault's form."""
    for key in keys:
        answer = answer.get(key) if isinstance(answer, dict) else None
    if type(answer) is not kind or (isinstance(answer, int) and not -_MOST < answer < _MOST):
        raise StoreUnavailable(f"an answer without {'.'.join(keys)}: {NOT_VAULT}")
    return answer


def extract_moment(answer: Any, *keys: str) -> datetime:
    """Returns the time under `keys` in an answer. Raises StoreUnavailable if the answer does not have Vault's form."""
    try:
        moment = datetime.fromisoformat(extract(str, answer, *keys)).astimezone(UTC)
    except (ValueError, OverflowError):
        moment = datetime.max.replace(tzinfo=UTC)
    if not _EARLIEST < moment < _LATEST:
        raise StoreUnavailable(f"an answer without the time {'.'.join(keys)}: {NOT_VAULT}")
    return moment


def _login_token(answer: dict[str, Any]) -> LoginToken:
    token, seconds = extract(str, answer, "auth", "client_token"), extract(int, answer, "auth", "lease_duration")
    lifetime = timedelta(seconds=seconds) if seconds > 0 else None
    return LoginToken(Secret(token), lifetime, answer["auth"].get("renewable") is True)
