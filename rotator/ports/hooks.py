"""The port of what is run before or after a rotation or a retirement."""

from collections.abc import Mapping
from typing import Protocol

from rotator.core.answers import Answer
from rotator.core.secret import Secret


class Hook(Protocol):
    """Something outside that is run before or after a rotation or a retirement.

    It ends within its time limit, and never raises. Told twice by the same key, it should do its work once.
    """

    @property
    def takes_password(self) -> bool:
        """True if it gets the published password: the configuration names that."""
        ...

    def run(self, facts: Mapping[str, object], password: Secret | None) -> Answer[None]:
        """Tells it the facts of a `HookCall`; anything but `Done` is a failure, whose message is safe to print."""
        ...


HooksByName = Mapping[str, Hook]
"""What can be run, by its name in the configuration."""
