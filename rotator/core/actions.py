"""The actions on a target: the output of `decide`, the input of the engine. One action is one effect."""

from dataclasses import dataclass
from enum import Enum, StrEnum
from typing import ClassVar, TypeAlias

from rotator.core.holding import Hold
from rotator.core.hook_rules import HookCall, OwedHook
from rotator.core.model import Credential, Ended, FormerPath, LedgerEntry, Request


class Step(StrEnum):
    """The log's word for each action."""

    DRAW_DUE_TIME = "draw_due_time"
    TAKE_CLAIM = "take_claim"
    LOOK_UP = "look_up"
    STAGE = "stage"
    DROP = "drop"
    APPLY = "apply"
    ATTACH = "attach"
    SETTLE = "settle"
    RESTORE = "restore"
    PROVE = "prove"
    VERIFY = "verify"
    DRAW_VERIFICATION = "draw_verification"
    REPAIR = "repair"
    PUBLISH = "publish"
    MOVE = "move"
    WITHDRAW = "withdraw"
    CLOSE = "close"
    UNDO = "undo"  # the attempt that is closed was an undo
    ABANDON = "abandon"
    CHECK_USAGE = "check_usage"
    EXPIRE = "expire"
    LIFT_END = "lift_end"
    DISABLE = "disable"
    OVERWRITE = "overwrite"
    DELETE = "delete"
    FORGET = "forget"
    TRY_ENDED = "try_ended"
    RUN_HOOK = "run_hook"


@dataclass(frozen=True, slots=True)
class DrawDueTime:
    """Draws the time of the next rotation and stores it."""

    step: ClassVar = Step.DRAW_DUE_TIME


@dataclass(frozen=True, slots=True)
class TakeClaim:
    """Records in the state document, before any effect, that this process works on the target."""

    step: ClassVar = Step.TAKE_CLAIM


@dataclass(frozen=True, slots=True)
class LookUp:
    """Finds out whether the provider has `wanted`."""

    step: ClassVar = Step.LOOK_UP
    wanted: Credential
    entry: LedgerEntry | None = None  # the entry that needs the answer; None: the open attempt, or one to open


@dataclass(frozen=True, slots=True)
class Stage:
    """Opens an attempt. `credential` lacks what staging generates: the password, and for `replace` the username."""

    step: ClassVar = Step.STAGE
    request: Request
    credential: Credential
    predecessor: Credential | None


@dataclass(frozen=True, slots=True)
class Drop:
    """Drops a request that cannot be carried out, or need not be, with the reason."""

    step: ClassVar = Step.DROP
    message: str
    needless: bool = False  # nothing has failed


class Verb(Enum):
    """A way to apply the open attempt's credential."""

    CREATE = "create"
    SET_PASSWORD = "set_password"  # noqa: S105
    ENABLE = "enable"
    COMPLETE = "complete"  # finish a create whose answer was lost, once a listing shows the credential


@dataclass(frozen=True, slots=True)
class Apply:
    """Puts the staged credential into force at the provider."""

    step: ClassVar = Step.APPLY
    verb: Verb
    credential: Credential
    like: Credential | None = None  # a new credential inherits its grants, roles and the like


@dataclass(frozen=True, slots=True)
class Attach:
    """Points whatever names one of `instead_of` at the provider, such as a trunk, to a credential.

    That is the staged one, or the predecessor if the staged one was not accepted or is given up.
    """

    step: ClassVar = Step.ATTACH
    credential: Credential
    instead_of: tuple[Credential, ...]


@dataclass(frozen=True, slots=True)
class Settle:
    """Finds out by log-in which password of `in-place` is in force: the staged one, or still the old one."""

    step: ClassVar = Step.SETTLE
    credential: Credential
    old: Credential | None  # None: its password is unknown


@dataclass(frozen=True, slots=True)
class Restore:
    """Sets the old password of `in-place` again: the new one was refused, or not accepted in time."""

    step: ClassVar = Step.RESTORE
    credential: Credential


@dataclass(frozen=True, slots=True)
class Prove:
    """Proves that the provider accepts the staged credential."""

    step: ClassVar = Step.PROVE
    credential: Credential


@dataclass(frozen=True, slots=True)
class Verify:
    """Proves again that the provider accepts what is published. It needs no claim: it changes nothing."""

    step: ClassVar = Step.VERIFY
    credential: Credential


@dataclass(frozen=True, slots=True)
class DrawVerification:
    """Draws the time of the next verification and stores it."""

    step: ClassVar = Step.DRAW_VERIFICATION


@dataclass(frozen=True, slots=True)
class Repair:
    """Requests a rotation or an undo, since the provider does not accept what is published."""

    step: ClassVar = Step.REPAIR
    request: Request


@dataclass(frozen=True, slots=True)
class Publish:
    """Writes the consumer document."""

    step: ClassVar = Step.PUBLISH
    credential: Credential


@dataclass(frozen=True, slots=True)
class Move:
    """Publishes what is published at the path that the configuration names now. The old path keeps its document."""

    step: ClassVar = Step.MOVE


@dataclass(frozen=True, slots=True)
class Republish:
    """Writes what was published since at a path that the target leaves: devices still read there."""

    step: ClassVar = Step.PUBLISH
    former: FormerPath
    credential: Credential


@dataclass(frozen=True, slots=True)
class Withdraw:
    """Takes the credential out of the document at a path that the target has left.

    With `leaves_it` the document hands out a credential that is not this target's. It stays as it is, provided that
    nobody has changed it since.
    """

    step: ClassVar = Step.WITHDRAW
    former: FormerPath
    leaves_it: bool = False


@dataclass(frozen=True, slots=True)
class Close:
    """Closes the attempt after its credential was published, and puts its predecessor into the ledger."""

    step: ClassVar = Step.CLOSE


@dataclass(frozen=True, slots=True)
class Abandon:
    """Discards the staged password. Whatever a lost call may have left at the provider goes into the ledger."""

    step: ClassVar = Step.ABANDON
    change: str = ""  # what has changed about the target, before anything was carried out; empty: it was refused


@dataclass(frozen=True, slots=True)
class CheckUsage:
    """Asks whether devices still log in with a replaced credential. It needs no claim: it changes nothing."""

    step: ClassVar = Step.CHECK_USAGE
    entry: LedgerEntry
    sources: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Expire:
    """Tells the provider to end a replaced credential by itself when its overlap ends."""

    step: ClassVar = Step.EXPIRE
    entry: LedgerEntry


@dataclass(frozen=True, slots=True)
class LiftEnd:
    """Takes back the end that the provider was told: the credential is handed out, or the published one is refused.

    Not every end that was told can be taken back: one that has passed is final.
    """

    step: ClassVar = Step.LIFT_END
    entry: LedgerEntry


@dataclass(frozen=True, slots=True)
class Disable:
    """Ends the overlap of a replaced credential."""

    step: ClassVar = Step.DISABLE
    entry: LedgerEntry


@dataclass(frozen=True, slots=True)
class Overwrite:
    """Sets a random password on a compromised credential that could not be disabled."""

    step: ClassVar = Step.OVERWRITE
    entry: LedgerEntry


@dataclass(frozen=True, slots=True)
class Delete:
    """Ends the quarantine of a replaced credential, or removes what a lost create left behind."""

    step: ClassVar = Step.DELETE
    entry: LedgerEntry
    stray: Credential | None = None  # a listed credential, for an entry that names only an attempt
    urgent: bool = False  # nothing else ends this compromised credential: it waits for no cap and no circuit


@dataclass(frozen=True, slots=True)
class Forget:
    """Removes an entry from the ledger; nothing is left to do at the provider."""

    step: ClassVar = Step.FORGET
    entry: LedgerEntry


@dataclass(frozen=True, slots=True)
class TryEnded:
    """Logs in with what was ended, which must be refused. It needs no claim: it changes nothing at the provider."""

    step: ClassVar = Step.TRY_ENDED
    ended: Ended
    why_not: str = ""  # why no log-in can show it; then none is tried


@dataclass(frozen=True, slots=True)
class RunHook:
    """Runs a hook of the policy: before the open attempt's first call, before an entry's end, or as it is owed."""

    step: ClassVar = Step.RUN_HOOK
    call: HookCall
    entry: LedgerEntry | None = None  # whose end it precedes
    owed: OwedHook | None = None  # it follows something
    passes: bool = False  # what it precedes goes on even if it fails
    why_not: str = ""  # why it is not run any more


OnAttempt: TypeAlias = (
    LookUp | Stage | Drop | Apply | Attach | Settle | Restore | Prove | Publish | Close | Abandon | RunHook
)
OnPublished: TypeAlias = Verify | DrawVerification | Repair | Move | Republish | Withdraw
OnReplaced: TypeAlias = CheckUsage | Expire | LiftEnd | Disable | Overwrite | Delete | Forget | TryEnded
Action: TypeAlias = DrawDueTime | TakeClaim | OnAttempt | OnPublished | OnReplaced
Decision: TypeAlias = Action | Hold
