"""The life of a Vault token: a login when first needed, renewal at half its lease, and another login before its end.

This needs no thread: each request calls `current()`, which costs nothing while the token is young.
"""

import math
import threading
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from rotator.core.secret import Secret
from rotator.ports import Clock, StoreDenied, StoreError
from rotator.vault.auth import Authenticator, LoginToken, TokenApi

_SHORTEST_PAUSE = 1.0  # seconds between two renewals of a token that is about to expire
NEW = 1.0
"""How many seconds a standby may not know a new token; measured maximum: 0.11."""


@dataclass(frozen=True, slots=True)
class _Lease:
    """A token and its times on the monotonic clock, which ignores jumps of the wall clock."""

    token: Secret
    expires: float  # infinite if the token never expires
    refresh_at: float  # when to renew or replace it
    renewable: bool
    full: float  # seconds that the login granted
    known_at: float  # when every server of a cluster knows it


class Tokens:
    """The current token. Thread-safe: one thread renews it while the others keep using the old one."""

    def __init__(self, authenticator: Authenticator, api: TokenApi, clock: Clock) -> None:
        self._authenticator = authenticator
        self._api = api
        self._clock = clock
        self._lock = threading.Lock()
        self._lease: _Lease | None = None

    def current(self) -> Secret:
        """Returns the token to use now; logs in or renews first if that is due. Raises StoreError."""
        lease = self._lease
        if lease is not None and self._fresh(lease):
            return lease.token
        # Without a usable token, wait for the thread that is logging in.
        if not self._lock.acquire(blocking=lease is None or not self._usable(lease)):
            return lease.token  # type: ignore[union-attr]  # not blocking: there is one
        try:
            return self._refreshed().token
        finally:
            self._lock.release()

    def renew_after_refusal(self, refused: Secret) -> bool:
        """Handles a 403 for `refused`: returns True if there is another token now, which is worth another request.

        Returns False if the token is valid, which means that its policy is missing a rule. Raises StoreDenied if Vault
        issues no valid token.
        """
        with self._lock:
            if self._lease is not None and self._lease.token != refused:
                return True
            if not self._authenticator.changed() and self._good(refused):
                return False
            self._lease = None
            self._lease = self._login()
            return self._lease.token != refused

    def give_up(self) -> Secret | None:
        """Forgets the token, and returns it if a login here made it: nobody else uses it, so it can be revoked."""
        with self._lock:
            lease, self._lease = self._lease, None
        return lease.token if lease is not None and self._authenticator.makes_tokens else None

    def is_new(self) -> bool:
        """Returns True if the current token is so new that a standby may not know it yet."""
        lease = self._lease
        return lease is not None and self._clock.monotonic() < lease.known_at

    def expires_at(self) -> datetime | None:
        """Returns when the current token expires; None before the first login and for one that never expires."""
        lease = self._lease
        if lease is None or math.isinf(lease.expires):
            return None
        return self._clock.now() + timedelta(seconds=lease.expires - self._clock.monotonic())

    def _fresh(self, lease: _Lease) -> bool:
        return self._clock.monotonic() < lease.refresh_at and not self._authenticator.changed()

    def _usable(self, lease: _Lease) -> bool:
        return self._clock.monotonic() < lease.expires

    def _good(self, token: Secret) -> bool:
        """Returns True if Vault accepts `token`. One that may not ask counts as bad: an extra login is harmless."""
        try:
            self._api.look_up(token)
        except StoreDenied:
            return False
        return True

    def _refreshed(self) -> _Lease:
        lease = self._lease
        if lease is None:
            lease = self._login()
        elif not self._fresh(lease):
            lease = self._next(lease)
        self._lease = lease
        return lease

    def _next(self, lease: _Lease) -> _Lease:
        """Returns the lease that follows one that is due. While the token still works, a failure only delays this."""
        try:
            return self._extended(lease)
        except StoreError:
            if not self._usable(lease):
                raise
            now = self._clock.monotonic()
            return replace(lease, refresh_at=now + max((lease.expires - now) / 2, _SHORTEST_PAUSE))

    def _extended(self, lease: _Lease) -> _Lease:
        if self._authenticator.changed() or not lease.renewable:
            return self._login()
        renewed = self._renewed(lease)
        if renewed is None:
            return self._login()
        # Near `max_ttl` Vault silently shortens the lease: only the granted lifetime shows it.
        if renewed.expires - self._clock.monotonic() >= lease.full / 2 or not self._authenticator.makes_tokens:
            return renewed
        try:
            return self._login()
        except StoreError:
            return renewed

    def _renewed(self, lease: _Lease) -> _Lease | None:
        """Returns None if Vault refuses to renew: the token was revoked, or may not renew itself."""
        asked = self._clock.monotonic()
        try:
            return _lease(self._api.renew(lease.token), asked, lease.full)
        except StoreDenied:
            return None

    def _login(self) -> _Lease:
        asked = self._clock.monotonic()
        lease = _lease(self._authenticator.login(self._api), asked)
        return replace(lease, known_at=self._clock.monotonic() + NEW) if self._authenticator.makes_tokens else lease


def _lease(issued: LoginToken, asked: float, full: float | None = None) -> _Lease:
    """Returns a lease that counts from the request, which is never later than when Vault began to count."""
    lifetime = math.inf if issued.lifetime is None else issued.lifetime.total_seconds()
    refresh_at = asked + max(lifetime / 2, _SHORTEST_PAUSE)
    return _Lease(
        issued.token, asked + lifetime, refresh_at, issued.renewable, lifetime if full is None else full, known_at=asked
    )
