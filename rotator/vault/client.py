"""Requests to Vault with a token that is kept valid; the only import of hvac.

It uses hvac's adapter rather than its `Client`, which silently takes tokens and certificates from the environment.
"""

from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import datetime, timedelta
from itertools import count
from threading import Thread
from typing import Any, ParamSpec, TypeVar
from urllib.parse import quote

from hvac import exceptions as hvac_errors
from hvac.adapters import JSONAdapter
from tenacity import RetryCallState, Retrying, retry_if_exception_type

from rotator.core.pace import Moment
from rotator.core.secret import Secret
from rotator.ports import Clock, Conflict, Meter, Randomness, StoreDenied, StoreError, StoreUnavailable
from rotator.vault.answers import Absent, Caller, VaultRequest, extract, extract_moment, invalid, login_token, missing
from rotator.vault.auth import Authenticator, LoginToken, Method
from rotator.vault.tokens import NEW, Tokens
from rotator.vault.transport import NOT_VAULT, Connection, VaultSession
from rotator.vault.vault_time import VaultTime

P = ParamSpec("P")
T = TypeVar("T")
_ATTEMPTS = 6
_PATIENCE = 5.0  # seconds after which no further attempt begins
_FIRST_PAUSE = 0.1  # seconds; doubled each time
_REQUESTS_IN_AN_ATTEMPT = 10  # renew, unwrap, log in, act, act again, look up, log in, act, act again, read back
_LOGINS_IN_AN_ATTEMPT = 2
_REVOKE_WITHIN = 3.0  # seconds
_PAUSES_FOR_A_NEW_TOKEN = 5
_CHARACTERS = "abcdefghijklmnopqrstuvwxyz0123456789"


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
        self._writer, self._writes = randomness.text(_CHARACTERS, 20), count(1)
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

    def retry(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Calls a function, again and again for about five seconds while it raises StoreUnavailable."""
        began = self._clock.monotonic()
        try:
            return function(*args, **kwargs)
        except StoreUnavailable as error:
            failures = [error]

        def once_more() -> T:
            if failures:
                raise failures.pop()
            return function(*args, **kwargs)

        return self._retrying(began)(once_more)

    def _retrying(self, began: float) -> Retrying:
        # Only after a failure: what counts the attempts costs as much as a tenth of a request.
        def enough(state: RetryCallState) -> bool:
            return state.attempt_number >= _ATTEMPTS or self._clock.monotonic() - began > _PATIENCE

        def pause(state: RetryCallState) -> float:
            return float(_FIRST_PAUSE * 2 ** (state.attempt_number - 1) * (0.5 + self._randomness.fraction()))

        return Retrying(
            retry=retry_if_exception_type(StoreUnavailable),
            stop=enough,
            wait=pause,
            sleep=self._clock.sleep,
            reraise=True,
        )

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
        return login_token(self._send(VaultRequest("login", "post", path), None, fields))

    def look_up(self, token: Secret) -> LoginToken:
        """Returns the remaining lifetime of a token."""
        try:
            answer = self._send(VaultRequest("look_up", "get", "auth/token/lookup-self"), token)
        except StoreDenied:
            raise StoreDenied(
                "the Vault token is wrong, revoked or expired (check vault.auth), or its policy does not allow it to "
                "read auth/token/lookup-self"
            ) from None
        ttl, renewable = extract(int, answer, "data", "ttl"), answer["data"].get("renewable") is True
        ends = answer["data"].get("expire_time") is not None
        return LoginToken(token, timedelta(seconds=ttl) if ends else None, renewable)

    def renew(self, token: Secret) -> LoginToken:
        """Extends a token by the lease that it was issued with."""
        return login_token(self._send(VaultRequest("renew", "post", "auth/token/renew-self"), token, {}))

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
            return invalid(request, error.errors, error.json)
        case hvac_errors.InvalidPath():
            return missing(request, error.errors, error.json)
    what = _FAILURES.get(type(error), "not the answer of a healthy Vault: " + type(error).__name__)
    return StoreUnavailable(f"{request.path}: {what}")


_OUTCOMES: Mapping[type[Exception], str] = {
    Absent: "absent",
    Conflict: "conflict",
    StoreDenied: "denied",
    StoreUnavailable: "unavailable",
}
