"""A hook that fails as it is told, with crash points around each run."""

from collections.abc import Mapping

from rotator.core.answers import Answer, Done, Unknown
from rotator.core.secret import Secret
from rotator.testing.crash import CrashPoints


class FakeHook:
    """Keeps what it was told. `failures` are how many of the next runs fail; None: all of them."""

    def __init__(self, *, takes_password: bool = False) -> None:
        self.takes_password = takes_password
        self.failures: int | None = 0
        self.told: list[Mapping[str, object]] = []
        self.succeeded: list[str] = []  # the keys
        self.passwords: list[Secret | None] = []
        self.points = CrashPoints()

    def run(self, facts: Mapping[str, object], password: Secret | None) -> Answer[None]:
        """See `ports.Hook`."""
        with self.points.around(f"hook {facts['moment']}"):
            self.told.append(facts)
            self.passwords.append(password)
            if self.failures is None or self.failures > 0:
                self.failures = None if self.failures is None else self.failures - 1
                return Unknown("it answers 503")
            self.succeeded.append(str(facts["key"]))
        return Done(None)
