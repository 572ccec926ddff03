"""This command among the living processes: it knows whether a daemon lives, and is told of what others change."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress

from rotator.core.processes import LIVES_FOR, RENEWED_EVERY, Role
from rotator.engine import Presence
from rotator.ports import StoreError, Timer

_LATE = 2 * RENEWED_EVERY.total_seconds()  # between two renewals of this process: Vault, or this process, stood still
_AWAY = 2 * LIVES_FOR.total_seconds()  # without an answer: longer than a restart or a failover of Vault takes


class Registration:
    """Renews the entry of this process as long as it works or waits. Thread-safe."""

    def __init__(self, presence: Presence, clock: Timer) -> None:
        self._presence, self._clock = presence, clock
        self.problem = ""  # why the entry could not be renewed the last time
        self._renewed_at = float("-inf")  # monotonic, as is the next
        self._vault_answers_since = float("-inf")

    @property
    def daemons(self) -> tuple[str, ...]:
        """The living daemons. None seem to live where Vault did not answer for a while: see `problem`."""
        return self._presence.living(Role.DAEMON)

    @property
    def vault_is_away(self) -> bool:
        """True if Vault has not answered for half a minute, so that nobody knows who lives."""
        return bool(self.problem) and self._clock.monotonic() - self._renewed_at > _AWAY

    @property
    def daemons_died(self) -> bool:
        """True if no daemon lives, and it is not Vault's fault.

        While Vault was away, a daemon could not say that it lives. Once Vault answers again, it has as long for that as
        it has at any other time.
        """
        now = self._clock.monotonic()
        could_renew = now - self._vault_answers_since >= LIVES_FOR.total_seconds()
        return not self.daemons and not self._is_late(now) and could_renew

    @property
    def is_alone(self) -> bool:
        """True if no other process lives, whatever its role."""
        return not self._presence.others()

    @contextmanager
    def kept(self) -> Iterator[None]:
        """Registers inside the block, as far as Vault lets it: `problem` says otherwise."""
        self._renew()
        try:
            with self._clock.repeat(RENEWED_EVERY, self._renew):
                yield
        finally:
            with suppress(StoreError):  # then the others take it for dead after some seconds
                self._presence.leave()

    def _renew(self) -> bool:
        try:
            self._presence.renew()
        except StoreError as error:
            self.problem = str(error)
            return True
        now = self._clock.monotonic()
        if self._is_late(now):
            self._vault_answers_since = now
        self._renewed_at, self.problem = now, ""
        return True

    def _is_late(self, now: float) -> bool:
        return now - self._renewed_at > _LATE
