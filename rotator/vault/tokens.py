"""The life of a Vault token: got when first needed, renewed at half its lease, replaced before its end.

There is no thread for it. Each call asks `current()`, which is free while the token is young.
"""

import math
import threading
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from rotator.core.secret import Secret
from rotator.ports import Clock, StoreDenied, StoreError
from rotator.vault.auth import Authenticator, Gate, Grant

_SHORTEST_PAUSE = 1.0  # seconds between two looks at a token whose end is near
NEW = 1.0
"""Seconds for which a standby of a cluster may not know a token that was just made; measured: 0.11 at most."""


@dataclass(frozen=True, slots=True)
class _Lease:
    """A token and its times, on the monotonic clock, so that a jump of the wall clock changes nothing."""

    token: Secret
    ends: float  # infinite where the token never ends
    look_at: float  # when it is to be renewed or replaced
    renewable: bool
    full: float  # seconds that the login granted
    known: float  # when every server of a cluster knows it


class Tokens:
    """Hands out the token in force. Thread-safe: one thread renews, the others go on with the token they have."""

    def __init__(self, authenticator: Authenticator, gate: Gate, clock: Clock) -> None:
        self._authenticator = authenticator
        self._gate = gate
        self._clock = clock
        self._lock = threading.Lock()
        self._lease: _Lease | None = None

    def current(self) -> Secret:
        """The token to use now; logs in, renews or logs in again where that is due. Raises StoreError."""
        lease = self._lease
        if lease is not None and self._fresh(lease):
            return lease.token
        # Only who has no usable token waits for the thread that is getting one.
        if not self._lock.acquire(blocking=lease is None or not self._usable(lease)):
            return lease.token  # type: ignore[union-attr]  # not blocking: there is one
        try:
            return self._refreshed().token
        finally:
            self._lock.release()

    def replaced(self, refused: Secret) -> bool:
        """After a 403 for `refused`: True where another token is in force now, so that one more try makes sense.

        False: the token is good, and what is missing is a policy. Raises StoreDenied where no good token is to be had.
        """
        with self._lock:
            if self._lease is not None and self._lease.token != refused:
                return True
            if not self._authenticator.changed() and self._good(refused):
                return False
            self._lease = None
            self._lease = self._login()
            return self._lease.token != refused

    def is_new(self) -> bool:
        """True where the token in force was made so shortly ago that a standby may not know it yet."""
        lease = self._lease
        return lease is not None and self._clock.monotonic() < lease.known

    def expires_at(self) -> datetime | None:
        """When the token in force ends; None before the first login and for a token without an end."""
        lease = self._lease
        if lease is None or math.isinf(lease.ends):
            return None
        return self._clock.now() + timedelta(seconds=lease.ends - self._clock.monotonic())

    def _fresh(self, lease: _Lease) -> bool:
        return self._clock.monotonic() < lease.look_at and not self._authenticator.changed()

    def _usable(self, lease: _Lease) -> bool:
        return self._clock.monotonic() < lease.ends

    def _good(self, token: Secret) -> bool:
        """Whether Vault knows `token`. One that may not ask counts as bad: a login too many does no harm."""
        try:
            self._gate.look_up(token)
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
        """What follows a lease that is due. While the token still works, a failure only puts it off."""
        try:
            return self._extended(lease)
        except StoreError:
            if not self._usable(lease):
                raise
            now = self._clock.monotonic()
            return replace(lease, look_at=now + max((lease.ends - now) / 2, _SHORTEST_PAUSE))

    def _extended(self, lease: _Lease) -> _Lease:
        if self._authenticator.changed() or not lease.renewable:
            return self._login()
        renewed = self._renewed(lease)
        if renewed is None:
            return self._login()
        # Near `max_ttl` Vault shortens the lease without a word: what it granted is all that tells.
        if renewed.ends - self._clock.monotonic() >= lease.full / 2 or not self._authenticator.makes_tokens:
            return renewed
        try:
            return self._login()
        except StoreError:
            return renewed

    def _renewed(self, lease: _Lease) -> _Lease | None:
        """None where Vault refuses to renew: the token was revoked, or may not renew itself."""
        asked = self._clock.monotonic()
        try:
            return _lease(self._gate.renew(lease.token), asked, lease.full)
        except StoreDenied:
            return None

    def _login(self) -> _Lease:
        asked = self._clock.monotonic()
        lease = _lease(self._authenticator.login(self._gate), asked)
        return replace(lease, known=self._clock.monotonic() + NEW) if self._authenticator.makes_tokens else lease


def _lease(grant: Grant, asked: float, full: float | None = None) -> _Lease:
    """Counted from when it was asked for, which is never later than when Vault began to count."""
    lifetime = math.inf if grant.lifetime is None else grant.lifetime.total_seconds()
    look_at = asked + max(lifetime / 2, _SHORTEST_PAUSE)
    return _Lease(
        grant.token, asked + lifetime, look_at, grant.renewable, lifetime if full is None else full, known=asked
    )
