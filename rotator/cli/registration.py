"""This command among the living processes: it knows whether a daemon lives, and is told of what others change."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress

from rotator.core.processes import RENEWED_EVERY, Role
from rotator.engine import Presence
from rotator.ports import StoreError, Timer


class Registration:
    """Renews the entry of this process as long as it works or waits. Thread-safe."""

    def __init__(self, presence: Presence, clock: Timer) -> None:
        self._presence, self._clock = presence, clock
        self.problem = ""  # why the entry could not be renewed the last time

    @property
    def daemons(self) -> tuple[str, ...]:
        """The living daemons. None seem to live where Vault did not answer for a while: see `problem`."""
        return self._presence.living(Role.DAEMON)

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
            self.problem = ""
        except StoreError as error:
            self.problem = str(error)
        return True
