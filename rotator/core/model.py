"""The vocabulary of `rotator` as types: targets, credentials, attempts, the ledger, and the documents in Vault.

Everything here is immutable. Times are aware; lengths of time are `timedelta`.
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import Enum

from rotator.core.passwords import PasswordRules
from rotator.core.schedule import Schedule, Window
from rotator.core.secret import Secret

SCHEMA_VERSION = 1


class Strategy(Enum):
    """A way for a target to get a new password."""

    REPLACE = "replace"  # create a new credential, later disable and delete the old one
    ALTERNATING = "alternating"  # two standing credentials; the idle one is set, enabled and published
    IN_PLACE = "in-place"  # set the password of the one credential: no overlap by nature


@dataclass(frozen=True, slots=True)
class Proof:
    """A way to show that a provider accepts a credential, or the result of doing so."""

    method: str  # such as `SIP REGISTER`; for a read-back, the facts that it shows
    tries_password: bool  # False: only the provider's API is read back

    def __str__(self) -> str:
        return self.method if self.tries_password else f"read-back without trying the password ({self.method})"


@dataclass(frozen=True, slots=True)
class Capabilities:
    """The abilities of one kind of credential at a provider, and the proof that it works."""

    chooses_password: bool  # a create takes the password that we chose
    sets_password: bool  # the password of an existing credential can be changed
    generates_password: bool  # the provider makes username and password itself
    disables: bool
    re_enables: bool  # False: disabling cannot be undone
    deletes: bool
    lists: bool
    creates: bool
    proof: Proof
    propagation: timedelta  # how long after a change the provider may still answer from the old state
    password_limits: PasswordRules  # the strictest reading of what the provider's pages say
    username_pattern: str  # a regular expression that every username that we make must match
    expires: bool = False  # it can be told beforehand when a credential is to end, and enforces that itself


@dataclass(frozen=True, slots=True)
class Policy:
    """A schedule with its window, overlap, quarantine and password rules, shared by the targets that name it."""

    name: str
    schedule: Schedule
    window: Window | None
    overlap: timedelta
    quarantine: timedelta
    password: PasswordRules


@dataclass(frozen=True, slots=True)
class Target:
    """One named secret that devices use; it outlives the credentials that fill it."""

    name: str
    account: str  # the provider account's name in the configuration
    strategy: Strategy
    usernames: tuple[str, ...]  # the configured credential; two for `alternating`
    path: str  # of the consumer document, below the mount
    policy: Policy

    @property
    def schedule_key(self) -> str:
        """Names the schedule and window: the state document keeps it, and a changed policy is noticed by it."""
        return f"{self.policy.schedule} {self.policy.window}"


@dataclass(frozen=True, slots=True)
class Credential:
    """One username and password at one provider account."""

    account: str
    username: str
    id: str | None = None  # None until the provider has answered the create
    password: Secret | None = None  # None: nobody knows it (adopted, or made by the provider and not read yet)
    uri: str = ""  # the realm or URI that goes with it
    attempt: str | None = None  # the attempt that made or set it; None: it was there before us
    enabled: bool = True  # as last listed by the provider


class Purpose(Enum):
    """The purpose of an attempt."""

    ROTATE = "rotate"
    UNDO = "undo"  # publish a replaced credential again


class Phase(Enum):
    """The progress of an open attempt. After PROVED it is published and closed in one step."""

    STAGED = "staged"  # the password is in Vault; the provider may or may not have heard of it
    APPLIED = "applied"  # the provider answered that it is in force
    PROVED = "proved"  # the provider was seen to accept it


@dataclass(frozen=True, slots=True)
class Attempt:
    """One run of a rotation. There is at most one open attempt for a target."""

    id: str
    purpose: Purpose
    strategy: Strategy
    phase: Phase
    staged: Credential
    predecessor: Credential | None  # what goes into the ledger when this attempt closes
    started_at: datetime
    requested_by: str
    reason: str
    compromised: bool = False
    take_over: bool = False  # overwrite a consumer document that somebody else wrote
    uncertain: bool = False  # a call was made whose answer nobody saw: the provider may know the password
    refused: bool = False  # the provider definitely refuses this password: discard it as soon as that is safe
    applied_at: datetime | None = None
    proof: str = ""


class Ending(Enum):
    """The end of a replaced credential, after its quarantine."""

    DELETE = "delete"  # `replace`: it is deleted at the provider
    STAND_BY = "stand-by"  # `alternating`: it stays, disabled, and only its password is forgotten
    FORGET = "forget"  # `in-place`: only a password was replaced; there is nothing to disable or delete


@dataclass(frozen=True, slots=True)
class LedgerEntry:
    """A replaced credential that waits to be disabled, then deleted."""

    credential: Credential
    ending: Ending
    replaced_at: datetime
    disable_at: datetime
    quarantine: timedelta
    disabled_at: datetime | None = None
    failures: int = 0
    not_before: datetime | None = None
    note: str = ""  # why the last try failed, such as active calls
    expires_at: datetime | None = None  # the provider was told to end it then, by itself

    @property
    def label(self) -> str:
        """The name that messages use."""
        return self.credential.username or self.credential.id or "what a lost call may have created"

    @property
    def disabled(self) -> bool:
        """True once it was disabled."""
        return self.disabled_at is not None

    @property
    def ends_at(self) -> datetime:
        """The end of the quarantine, provided that the credential is disabled on time."""
        return (self.disabled_at or self.disable_at) + self.quarantine


@dataclass(frozen=True, slots=True)
class Request:
    """A request to act now, kept in Vault until it is carried out."""

    purpose: Purpose
    requested_by: str
    reason: str
    at: datetime
    compromised: bool = False
    take_over: bool = False


@dataclass(frozen=True, slots=True)
class Claim:
    """A note of the process that works on a target. It saves double work; check-and-set is what decides."""

    holder: str
    until: datetime


@dataclass(frozen=True, slots=True)
class Counts:
    """Totals since the state document was made. Metrics are built from them and survive a restart."""

    succeeded: int = 0
    failed: int = 0
    undone: int = 0
    disabled: int = 0
    deleted: int = 0
    seconds: float = 0.0  # total duration of the succeeded rotations


@dataclass(frozen=True, slots=True)
class TargetState:
    """The state document: all that `rotator` knows of a target. Only `rotator` reads it."""

    target: str
    published: Credential | None = None
    standby: Credential | None = None  # `alternating`: the idle one of the two, once it is known
    attempt: Attempt | None = None
    ledger: tuple[LedgerEntry, ...] = ()
    last_rotation: datetime | None = None
    next_rotation: datetime | None = None
    scheduled_by: str = ""  # the schedule that `next_rotation` was drawn from: it is drawn anew when that changes
    failures: int = 0  # in a row
    not_before: datetime | None = None  # back-off
    last_error: str = ""
    request: Request | None = None
    claim: Claim | None = None
    counts: Counts = field(default_factory=Counts)
    schema: int = SCHEMA_VERSION


@dataclass(frozen=True, slots=True)
class ConsumerDocument:
    """The document that devices read. Its fields are None if it is missing, deleted or not of our form."""

    version: int  # for check-and-set; 0 if nothing was ever written
    exists: bool
    username: str | None = None
    password: Secret | None = None
    credential_id: str | None = None
    attempt: str | None = None

    def names(self, credential: Credential) -> bool:
        """True if this document hands out exactly `credential`."""
        return (
            self.exists
            and credential.password is not None
            and self.username == credential.username
            and self.password == credential.password
            and self.credential_id == credential.id
        )

    def concerns(self, credential: Credential) -> bool:
        """True if this document hands out `credential`, with whatever password."""
        if not self.exists:
            return False
        if self.credential_id is not None and credential.id is not None:
            return self.credential_id == credential.id
        return bool(credential.username) and self.username == credential.username
