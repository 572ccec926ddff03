"""The reasons to do nothing now, and what ends each: the one place that sorts them."""

from dataclasses import dataclass
from datetime import datetime
from enum import Enum, auto
from typing import Self


class HoldEnd(Enum):
    """What ends a hold."""

    SOON = auto()  # itself, while a person watches
    LATER = auto()  # itself, when its time has come
    BY_RECOVERY = auto()  # a provider or registrar that works again; somebody is told
    BY_SOMEBODY = auto()  # a person

    @property
    def blocks(self) -> bool:
        """True if nothing that rotator does ends it."""
        return self in (HoldEnd.BY_RECOVERY, HoldEnd.BY_SOMEBODY)


class HoldReason(Enum):
    """A reason to do nothing now, and what ends it. If several apply, the one listed first here is reported."""

    end: HoldEnd

    def __new__(cls, value: str, end: HoldEnd) -> Self:
        """Makes a member whose value is the text."""
        member = object.__new__(cls)
        member._value_ = value
        member.end = end
        return member

    # Another process works on the target.
    CLAIMED = "claimed", HoldEnd.SOON
    # Everything that is known stands in another target's state document, or has to be moved here.
    RENAMED = "renamed", HoldEnd.BY_SOMEBODY
    # One of its two documents was deleted in Vault, or will end by itself.
    DOCUMENT_DELETED = "document deleted", HoldEnd.BY_SOMEBODY
    # An attempt is open at an account that left the configuration.
    ACCOUNT_MISSING = "account missing", HoldEnd.BY_SOMEBODY
    # The account's name in the configuration now means another account.
    ACCOUNT_CHANGED = "account changed", HoldEnd.BY_SOMEBODY
    # The account failed too often in a row.
    CIRCUIT_OPEN = "circuit open", HoldEnd.BY_RECOVERY
    # Too many passwords that were set in place at the account are not accepted.
    UNPROVED = "passwords not accepted", HoldEnd.BY_RECOVERY
    # As many as the account's window has room for are set in place and not proved yet.
    PROVING = "others are being proved", HoldEnd.SOON
    # The provider asked to wait, or its limit leaves no room for long.
    PACED = "waiting for the account's pace", HoldEnd.SOON
    # `rotator check-provider` has shown that the strategy fails at the account.
    STRATEGY_DISPROVED = "strategy disproved", HoldEnd.BY_SOMEBODY
    # `require_checked`: `rotator check-provider` has not shown that the strategy works at the account.
    STRATEGY_UNPROVED = "strategy not proved", HoldEnd.BY_SOMEBODY
    # A target that was rotated first is not well: no other one begins.
    CANARY_FAILED = "canary failed", HoldEnd.BY_SOMEBODY
    # Others are rotated first, and verified.
    WAITING_FOR_CANARY = "waiting for canary", HoldEnd.LATER
    # Its present password cannot be proved, so `in-place` does not replace it.
    LEFT_ALONE = "left alone", HoldEnd.BY_RECOVERY
    # A hook that comes before a rotation or a retirement fails: the rotation, or the retirement, waits for it.
    HOOK_FAILED = "hook failed", HoldEnd.BY_SOMEBODY
    # After a failure.
    BACKING_OFF = "backing off", HoldEnd.LATER
    # Applied, not proved yet.
    PROPAGATING = "propagating", HoldEnd.SOON
    # Too many were wrong at the account: registrars lock addresses out.
    LOG_INS_REST = "log-ins rest", HoldEnd.SOON
    FOREIGN_DOCUMENT = "consumer document changed by somebody else", HoldEnd.BY_SOMEBODY
    # The provider does not accept it: nothing is retired.
    PUBLISHED_REFUSED = "published credential refused", HoldEnd.BY_RECOVERY
    # The provider cannot be asked: nothing is retired meanwhile.
    UNVERIFIED = "published credential not verified", HoldEnd.LATER
    # Past its overlap: the usage check goes on, and there is no end to it.
    KEPT_IN_USE = "replaced credential kept, as it is in use", HoldEnd.BY_SOMEBODY
    # Past its overlap, which is extended.
    IN_USE = "replaced credential still in use", HoldEnd.LATER
    FORMER_PATH = "document at a former path cannot be written", HoldEnd.BY_SOMEBODY
    # This minute's maximum was reached.
    RETIREMENTS_CAPPED = "retirements capped", HoldEnd.SOON
    IDLE_IN_OVERLAP = "idle credential still in its overlap", HoldEnd.LATER
    # No call may be sent that would end what was replaced: its account fails, or its key has no right to it.
    NOT_RETIRED = "replaced credential not retired", HoldEnd.BY_RECOVERY
    # By a person; a request may say that it passes.
    PAUSED = "paused", HoldEnd.LATER
    # By the policy's calendar, likewise.
    BLACKOUT = "blackout", HoldEnd.LATER
    # Something is due by only one of this machine's clock and Vault's.
    CLOCKS_DIFFER = "clocks differ", HoldEnd.BY_SOMEBODY
    OUTSIDE_WINDOW = "outside the window", HoldEnd.LATER
    # The last try to end what was replaced failed.
    RETIREMENT_DELAYED = "replaced credential retired later", HoldEnd.LATER
    # By a person; it stays so until somebody asks.
    RETIRED = "retired", HoldEnd.LATER
    NOT_DUE = "not due", HoldEnd.LATER

    @property
    def is_freeze(self) -> bool:
        """True for a pause and for a blackout."""
        return self in (HoldReason.PAUSED, HoldReason.BLACKOUT)


@dataclass(frozen=True, slots=True)
class Hold:
    """A decision to do nothing now and to look again at `until`; None: when the sweep comes by."""

    reason: HoldReason
    message: str
    until: datetime | None = None  # a check leaves out what `decide` reads in the facts itself


_WEIGHT = {reason: place for place, reason in enumerate(HoldReason)}


def weight(hold: Hold) -> int:
    """Returns a key by which the hold with the most important reason is the least."""
    return _WEIGHT[hold.reason]
