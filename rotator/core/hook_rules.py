"""The hooks of a policy, and what is on record of those that still have to run."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import Enum

from rotator.core.origin import Origin


class HookMoment(Enum):
    """When a hook is run. What comes before may hold what follows; what comes after changes nothing of it."""

    BEFORE_ROTATION = "before_rotation"  # nothing was sent to the provider yet
    AFTER_ROTATION = "after_rotation"  # devices read the new credential
    BEFORE_RETIREMENT = "before_retirement"  # the replaced credential is still accepted
    AFTER_RETIREMENT = "after_retirement"  # it was disabled or overwritten, or is gone


@dataclass(frozen=True, slots=True)
class Hooks:
    """The names of the hooks that a policy wants, in their order."""

    before_rotation: tuple[str, ...] = ()
    after_rotation: tuple[str, ...] = ()
    before_retirement: tuple[str, ...] = ()
    after_retirement: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class HookCall:
    """One run of a hook. It is the same each time that it is repeated, and so is its key."""

    hook: str
    moment: HookMoment
    key: str
    account: str
    username: str  # of the new credential, or of the one that is retired; empty: the provider makes it
    credential_id: str | None
    purpose: str  # `rotate`, `undo` or `retire`
    compromised: bool
    origin: Origin

    def facts(self, target: str, path: str, labels: tuple[tuple[str, str], ...]) -> Mapping[str, object]:
        """Returns what a hook is told. No value is among it."""
        return {
            "key": self.key,
            "hook": self.hook,
            "moment": self.moment.value,
            "target": target,
            "path": path,
            "labels": dict(labels),
            "account": self.account,
            "username": self.username,
            "credential_id": self.credential_id,
            "purpose": self.purpose,
            "compromised": self.compromised,
            "attempt": self.origin.attempt,
            "requested_by": self.origin.requested_by,
            "reason": self.origin.reason,
        }


@dataclass(frozen=True, slots=True)
class OwedHook:
    """A hook that has to run after something that was done. It is on record since the write that recorded that."""

    call: HookCall
    since: datetime
    failures: int = 0
    not_before: datetime | None = None
    note: str = ""  # why the last run failed
