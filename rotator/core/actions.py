"""The actions on a target: the output of `decide`, the input of the engine. One action is one effect."""

from dataclasses import dataclass
from datetime import datetime
from enum import Enum, StrEnum
from typing import ClassVar, TypeAlias

from rotator.core.model import Credential, LedgerEntry, Request


class HoldReason(Enum):
    """A reason to do nothing now. If several apply, the one that stands first here is told."""

    CLAIMED = "claimed"  # another process works on the target
    ACCOUNT_MISSING = "account missing"  # an attempt is open at an account that left the configuration
    CIRCUIT_OPEN = "circuit open"  # the account failed too often in a row
    UNPROVED = "passwords not accepted"  # the account took too many passwords in place that it does not accept yet
    BACKING_OFF = "backing off"  # after a failure
    PROPAGATING = "propagating"  # applied, not yet seen to be accepted
    FOREIGN_DOCUMENT = "consumer document changed by somebody else"
    RETIREMENTS_CAPPED = "retirements capped"  # as many as one minute may see were carried out
    IDLE_IN_OVERLAP = "idle credential still in its overlap"
    OUTSIDE_WINDOW = "outside the window"
    NOT_DUE = "not due"


@dataclass(frozen=True, slots=True)
class Hold:
    """A decision to do nothing now, and to look again at `until`, or at the next poll if that is None."""

    reason: HoldReason
    message: str
    until: datetime | None = None


class Step(StrEnum):
    """The word for each action in the log."""

    DRAW_DUE_TIME = "draw_due_time"
    TAKE_CLAIM = "take_claim"
    LOOK_UP = "look_up"
    STAGE = "stage"
    DROP = "drop"
    APPLY = "apply"
    RESTORE = "restore"
    PROVE = "prove"
    PUBLISH = "publish"
    CLOSE = "close"
    UNDO = "undo"  # the attempt that is closed was an undo
    ABANDON = "abandon"
    EXPIRE = "expire"
    DISABLE = "disable"
    DELETE = "delete"
    FORGET = "forget"


@dataclass(frozen=True, slots=True)
class DrawDueTime:
    """Draws the next rotation's time and stores it."""

    step: ClassVar = Step.DRAW_DUE_TIME


@dataclass(frozen=True, slots=True)
class TakeClaim:
    """Records in the state document that this process works on the target, before any effect."""

    step: ClassVar = Step.TAKE_CLAIM


@dataclass(frozen=True, slots=True)
class LookUp:
    """Finds out whether the provider has `wanted`."""

    step: ClassVar = Step.LOOK_UP
    wanted: Credential
    entry: LedgerEntry | None = None  # on whose behalf; None: for the open attempt, or to open one


@dataclass(frozen=True, slots=True)
class Stage:
    """Opens an attempt. `credential` lacks what is made at staging: a password, and for `replace` the username."""

    step: ClassVar = Step.STAGE
    request: Request
    credential: Credential
    predecessor: Credential | None


@dataclass(frozen=True, slots=True)
class Drop:
    """Takes back a request that cannot be carried out, with the reason."""

    step: ClassVar = Step.DROP
    message: str


class Verb(Enum):
    """A way to put the open attempt's credential into force."""

    CREATE = "create"
    SET_PASSWORD = "set_password"  # noqa: S105
    ENABLE = "enable"
    COMPLETE = "complete"  # finish what a create with a lost answer has made, once a listing shows it


@dataclass(frozen=True, slots=True)
class Apply:
    """Puts the staged credential into force."""

    step: ClassVar = Step.APPLY
    verb: Verb
    credential: Credential
    like: Credential | None = None  # a new credential takes over its grants, roles and the like


@dataclass(frozen=True, slots=True)
class Restore:
    """Brings the old password of `in-place` back for certain, after a refusal that follows an unknown answer."""

    step: ClassVar = Step.RESTORE
    credential: Credential


@dataclass(frozen=True, slots=True)
class Prove:
    """Shows that the provider accepts the staged credential."""

    step: ClassVar = Step.PROVE
    credential: Credential


@dataclass(frozen=True, slots=True)
class Publish:
    """Writes the consumer document."""

    step: ClassVar = Step.PUBLISH
    credential: Credential


@dataclass(frozen=True, slots=True)
class Close:
    """Closes the attempt, whose credential is published, and puts its predecessor into the ledger."""

    step: ClassVar = Step.CLOSE


@dataclass(frozen=True, slots=True)
class Abandon:
    """Discards the refused password; what a lost call may have left at the provider goes into the ledger."""

    step: ClassVar = Step.ABANDON


@dataclass(frozen=True, slots=True)
class Expire:
    """Has the provider itself end a replaced credential when its overlap ends."""

    step: ClassVar = Step.EXPIRE
    entry: LedgerEntry


@dataclass(frozen=True, slots=True)
class Disable:
    """Ends the overlap of a replaced credential."""

    step: ClassVar = Step.DISABLE
    entry: LedgerEntry


@dataclass(frozen=True, slots=True)
class Delete:
    """Ends the quarantine of a replaced credential, or removes what a lost create has left behind."""

    step: ClassVar = Step.DELETE
    entry: LedgerEntry
    stray: Credential | None = None  # a credential that a listing shows for an entry that knows none


@dataclass(frozen=True, slots=True)
class Forget:
    """Takes an entry out of the ledger; nothing is left to do at the provider."""

    step: ClassVar = Step.FORGET
    entry: LedgerEntry


Action: TypeAlias = (
    DrawDueTime
    | TakeClaim
    | LookUp
    | Stage
    | Drop
    | Apply
    | Restore
    | Prove
    | Publish
    | Close
    | Abandon
    | Expire
    | Disable
    | Delete
    | Forget
)
Decision: TypeAlias = Action | Hold

# Effects at a provider, or in the consumer document: never without a claim that outlasts them.
NEEDS_CLAIM = (Apply, Restore, Prove, Publish, Close, Abandon, Expire, Disable, Delete, Forget)
