"""The vocabulary of `rotator` as types: targets, credentials, attempts, the ledger, and the state document.

Everything here is immutable. Times have a zone; durations are `timedelta`.
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import Enum

from rotator.core.age_limit import AgeLimit
from rotator.core.blackouts import Blackout
from rotator.core.hook_rules import Hooks, OwedHook
from rotator.core.origin import Origin
from rotator.core.passwords import PasswordRules
from rotator.core.schedule import Schedule, Window
from rotator.core.secret import Secret
from rotator.core.usage_rules import Sighting, UsageRules

SCHEMA_VERSION = 1


class Strategy(Enum):
    """A way for a target to get a new password."""

    REPLACE = "replace"  # create a new credential, later disable and delete the old one
    ALTERNATING = "alternating"  # two permanent credentials; the idle one gets a password, is enabled and published
    IN_PLACE = "in-place"  # set a new password on the only credential: no overlap is possible


@dataclass(frozen=True, slots=True)
class Proof:
    """A way to prove that a provider accepts a credential, or the result of doing so."""

    method: str  # such as `SIP REGISTER`; for a read-back, the facts that it shows
    tries_password: bool  # False: only the provider's API is read back
    in_use: bool = False  # the registrar lists registrations of devices
    host: str = ""  # where it was tried, if nothing but what names the credential says that

    def __str__(self) -> str:
        return self.method if self.tries_password else f"read-back without trying the password ({self.method})"


@dataclass(frozen=True, slots=True)
class Capabilities:
    """The abilities of one kind of credential at a provider, and the way to prove that one works."""

    chooses_password: bool  # a create accepts a password of our choice
    sets_password: bool  # the password of an existing credential can be changed
    generates_password: bool  # the provider generates username and password itself
    disables: bool
    re_enables: bool  # False: disabling cannot be undone
    deletes: bool
    lists: bool
    creates: bool
    proof: Proof
    propagation: timedelta  # how long after a change the provider may still answer from the old state
    password_limits: PasswordRules  # the strictest reading of the provider's pages
    username_pattern: str  # a regular expression that every username that we make must match
    expires: bool = False  # it accepts an end for a credential in advance and enforces it by itself
    shows_password: bool = False  # by the provider's pages; an account may show a mask all the same
    attaches: bool = False  # something else there names the credential that it lets in, such as a trunk
    proves_attached: bool = False  # a password is tried where what names the credential lets it in
    tries_ended: timedelta | None = None  # how often what was ended may be tried where devices log in; None: never
    lists_by_name: str = ""  # what names credentials by username, is not taken over, and is shown by no request
    shows_usage: bool = False  # it says whether devices are logged in with a credential


@dataclass(frozen=True, slots=True)
class Attachment:
    """What names a credential at a provider, and perhaps lets in no other one: a trunk."""

    id: str
    name: str  # in messages
    credential_id: str  # that it names
    host: str = ""  # where what it names logs in; empty: unknown


@dataclass(frozen=True, slots=True)
class FirstRotations:
    """How a fleet begins: how many rotations that would be due at once are due in a day, and what is tried first."""

    per_day: int = 1000  # at one account
    canary: int = 0  # so many targets of an account and policy are rotated first
    wait: timedelta = timedelta(hours=1)  # after their rotations, and then they are verified


@dataclass(frozen=True, slots=True)
class Policy:
    """A schedule with its window, overlap, quarantine and password rules, shared by the targets that name it."""

    name: str
    schedule: Schedule
    window: Window | None
    overlap: timedelta
    quarantine: timedelta
    password: PasswordRules
    verify: timedelta | None = None  # how often what is published is proved between rotations; None: never
    first: FirstRotations = FirstRotations()
    blackouts: tuple[Blackout, ...] = ()
    usage: UsageRules | None = None  # None: an overlap ends by the clock alone
    hooks: Hooks = field(default_factory=Hooks)
    age_limit: AgeLimit | None = None  # None: passwords may become as old as the schedule lets them
    schedule_key: str = field(init=False, repr=False, compare=False)  # made once: every look compares it
    """The schedule and window as text. The state document keeps it to detect a changed policy."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "schedule_key", f"{self.schedule} {self.window}")


@dataclass(frozen=True, slots=True)
class Target:
    """One named secret that devices use. It outlives its credentials."""

    name: str
    account: str  # the provider account's name in the configuration
    strategy: Strategy
    usernames: tuple[str, ...]  # the configured credential; two for `alternating`
    path: str  # of the consumer document, below the mount
    policy: Policy
    new: bool = False  # the account does not have the configured username yet
    removed: bool = False  # not in the configuration: only what it left behind is still carried out
    labels: tuple[tuple[str, str], ...] = ()  # sorted pairs of key and value, to choose targets by

    def names(self, username: str) -> bool:
        """True if a username is configured for this target."""
        return any(is_same_name(username, name) for name in self.usernames)


def is_same_name(one: str | None, other: str | None) -> bool:
    """True if two usernames are the same or differ only in the case of letters.

    Some providers do not tell the latter apart. At a provider that does, at most one of the two is rotator's own: the
    names that it makes are in lower case, and two configured ones differ in more than that.
    """
    return one is not None and other is not None and one.casefold() == other.casefold()


@dataclass(frozen=True, slots=True)
class Credential:
    """One username and password at one provider account."""

    account: str
    username: str
    id: str | None = None  # None until the provider has answered the create
    password: Secret | None = None  # None: unknown (adopted, or generated by the provider and not read yet)
    realm: str = ""  # of its digest, as the provider names it; empty: devices take it from the challenge
    attempt: str | None = None  # the attempt that created or set it; None: it is older than the target
    enabled: bool = True  # as last listed by the provider
    made_at: datetime | None = None  # when its password was made; None: unknown (adopted)
    seen_at: datetime | None = None  # when it was first seen, if it is unknown when its password was made
    identity: str = ""  # of the account, as the provider knows it; empty: unknown
    host: str = ""  # where devices log in: a SIP host, or a gateway's URL; empty: unknown


class Purpose(Enum):
    """The purpose of an attempt."""

    ROTATE = "rotate"
    UNDO = "undo"  # publish a replaced credential again

    @property
    def noun(self) -> str:
        """What a message calls it."""
        return "rotation" if self is Purpose.ROTATE else "undo"


class Phase(Enum):
    """The progress of an open attempt. After PROVED it is published and closed in one step."""

    STAGED = "staged"  # the password is in Vault; the provider may or may not have it
    APPLIED = "applied"  # the provider answered that it is in force
    PROVED = "proved"  # a proof showed that the provider accepts it


@dataclass(frozen=True, slots=True)
class Attempt:
    """One run of a rotation. There is at most one open attempt for a target."""

    id: str
    purpose: Purpose
    strategy: Strategy
    phase: Phase
    staged: Credential
    predecessor: Credential | None  # goes into the ledger when this attempt closes
    started_at: datetime
    requested_by: str
    reason: str
    compromised: bool = False
    take_over: bool = False  # overwrite a consumer document that somebody else wrote
    despite_pause: bool = False  # the request passed a pause or a blackout
    repairs: bool = False  # see `Request`
    uncertain: bool = False  # the answer to a call was lost: the provider may have the password
    refused: bool = False  # the provider definitely refuses this password: discard it once that is safe
    put_back: bool = False  # devices are out, and it was not accepted in time: what was in force before is put back
    applied_at: datetime | None = None  # when a call last put it into force; `in-place`: or may have done so
    proof: str = ""
    proved_at: datetime | None = None
    unasked_since: datetime | None = None  # since then nobody could be asked whether what was proved is still accepted
    handed_out: Credential | None = None  # by somebody else's consumer document, which `take_over` overwrites
    attached_at: datetime | None = None  # since then nothing names what the target used before
    detaches: bool = False  # what is published may no longer be named where devices log in: the staged one is
    before: tuple[str, ...] = ()  # the hooks that have to run before anything is sent: until then nothing was
    stated: str = ""  # see `Origin`

    @property
    def origin(self) -> Origin:
        """Who asked for it, and why."""
        return Origin(self.requested_by, self.reason, self.stated, self.id)


class Ending(Enum):
    """The end of a replaced credential, after its quarantine."""

    DELETE = "delete"  # `replace`: it is deleted at the provider
    STAND_BY = "stand-by"  # `alternating`: it stays, disabled, and only its password is forgotten
    FORGET = "forget"  # `in-place`: only a password was replaced; there is nothing to disable or delete


class Cutoff(Enum):
    """The way to stop a replaced credential from being accepted, before it is deleted."""

    DISABLE = "disable"
    OVERWRITE = "overwrite"  # it cannot be disabled, and must end: it gets a random password, stored in its entry
    NONE = "none"  # neither was possible: only deleting it is left


@dataclass(frozen=True, slots=True)
class LedgerEntry:
    """A replaced credential that will be disabled and then deleted."""

    credential: Credential
    ending: Ending
    replaced_at: datetime
    disable_at: datetime
    quarantine: timedelta
    disabled_at: datetime | None = None
    overwritten_at: datetime | None = None  # it got a random password, and was not disabled
    failures: int = 0
    not_before: datetime | None = None
    note: str = ""  # why the last try failed, such as active calls
    expires_at: datetime | None = None  # when the provider will end it by itself, as it was told
    compromised: bool = False  # its end waits for no cap, no open circuit, and nothing that cannot be asked
    cutoff: Cutoff = Cutoff.DISABLE  # before it is deleted
    uncertain: bool = False  # a call was lost: the provider may have been told to end it by itself
    origin: Origin | None = None  # what its end follows from
    is_random: bool = False  # its password was made for its end: nobody has it
    devices_password: Secret | None = None  # the one before that; None: it was not known
    refused_at: datetime | None = None  # when a log-in showed that it is refused
    sighting: Sighting | None = None  # of devices that use it, past its overlap
    unasked: bool = False  # a person ended its overlap, or no device ever got it: its users are not asked about
    hooked: tuple[str, ...] = ()  # the hooks that have run before its end
    held_by: str = ""  # the hook before its end that failed last
    ended_before: bool = False  # and was accepted again, but handed out to nobody: the hooks know of its end

    @property
    def label(self) -> str:
        """The name that messages use."""
        return self.credential.username or self.credential.id or "what a lost call may have created"

    @property
    def disabled(self) -> bool:
        """True once the credential was disabled."""
        return self.disabled_at is not None

    @property
    def cut_off(self) -> bool:
        """True once the credential is no longer accepted: it was disabled, or overwritten."""
        return self.disabled or self.overwritten_at is not None

    @property
    def stays_enabled(self) -> bool:
        """True for a standing credential with a random password: to be disabled as soon as the provider does that."""
        return self.ending is Ending.STAND_BY and self.overwritten_at is not None and not self.disabled

    @property
    def ends_at(self) -> datetime:
        """The end of the quarantine, provided that the credential is cut off on time."""
        return (self.disabled_at or self.overwritten_at or self.disable_at) + self.quarantine


class EndedBy(Enum):
    """What was done to end a credential, or a password of `in-place`."""

    REPLACED = "replaced"  # `in-place`: the credential has another password
    DISABLED = "disabled"
    OVERWRITTEN = "overwritten"
    DELETED = "deleted"


@dataclass(frozen=True, slots=True)
class Ended:
    """What was ended, until a log-in shows that it is refused."""

    credential: Credential  # with the password that devices had
    by: EndedBy
    at: datetime
    compromised: bool = False
    accepted: int = 0  # log-ins in a row that were let in although the propagation time had passed
    tries: int = 0  # log-ins that showed nothing
    not_before: datetime | None = None  # of the next one
    note: str = ""  # what the last one showed
    origin: Origin | None = None


@dataclass(frozen=True, slots=True)
class LastEnd:
    """What is known of the credential, or password, that was ended last."""

    username: str
    by: EndedBy
    at: datetime
    refused_at: datetime | None  # when a log-in showed that it is refused; None: that is not shown
    detail: str  # how it was shown, or why it is not


@dataclass(frozen=True, slots=True)
class Request:
    """A request to act now, kept in Vault until it is carried out."""

    purpose: Purpose
    requested_by: str
    reason: str
    at: datetime
    compromised: bool = False
    take_over: bool = False
    despite_pause: bool = False  # neither a pause nor a blackout holds it
    repairs: bool = False  # what is published is refused: as long as that lasts, no blackout holds it
    stated: str = ""  # see `Origin`

    @property
    def origin(self) -> Origin:
        """Who asked for it, and why."""
        return Origin(self.requested_by, self.reason, self.stated)


@dataclass(frozen=True, slots=True)
class Claim:
    """The name of the process that works on a target. It prevents double work; check-and-set guarantees correctness."""

    holder: str
    until: datetime


@dataclass(frozen=True, slots=True)
class Counts:
    """Totals since the state document was created. The metrics derived from them survive a restart."""

    succeeded: int = 0
    failed: int = 0
    undone: int = 0
    disabled: int = 0
    overwritten: int = 0
    deleted: int = 0
    ends_shown: int = 0  # of what was ended: a log-in with it was refused
    ends_not_shown: int = 0
    seconds: float = 0.0  # total duration of the successful rotations


class Listed(Enum):
    """What the account's listing shows of a published credential that is refused. All but UNCHANGED are drift."""

    GONE = "gone"
    DISABLED = "disabled"
    OTHER_USERNAME = "listed with another username"
    OTHER_PASSWORD = "listed with another password"  # noqa: S105
    UNCHANGED = "listed unchanged"


@dataclass(frozen=True, slots=True)
class Verification:
    """The result of the last proof of the published credential."""

    at: datetime
    accepted: bool
    proof: str = ""  # how it was proved, or why it was not accepted
    refusals: int = 0  # in a row
    repaired: bool = False  # a rotation was started because of these refusals; there is no second one
    listed: Listed | None = None  # None: not looked up since


@dataclass(frozen=True, slots=True)
class FormerPath:
    """A path that the target has left. Its consumer document is kept true until `until`, and is withdrawn then."""

    path: str
    until: datetime
    moved_to: str = ""  # the path that devices read instead; empty: the target was retired
    failures: int = 0
    not_before: datetime | None = None
    note: str = ""  # why the last try failed


@dataclass(frozen=True, slots=True)
class TargetState:
    """The state document: everything that `rotator` knows about a target. Only `rotator` reads it."""

    target: str
    published: Credential | None = None
    standby: Credential | None = None  # `alternating`: the idle one of the two, once it is known
    attempt: Attempt | None = None
    ledger: tuple[LedgerEntry, ...] = ()
    ended: tuple[Ended, ...] = ()  # no log-in has shown yet that it is refused
    last_end: LastEnd | None = None
    first_seen: datetime | None = None  # when the target was first looked at
    last_rotation: datetime | None = None
    next_rotation: datetime | None = None
    scheduled_by: str = ""  # the schedule behind `next_rotation`, which is drawn again when that changes
    failures: int = 0  # in a row
    not_before: datetime | None = None  # back-off
    last_error: str = ""
    outgrown: int = 0  # attempts since the last close that ended unsent because the target had changed
    request: Request | None = None
    asked_at: datetime | None = None  # when a rotation was last requested
    claim: Claim | None = None
    counts: Counts = field(default_factory=Counts)
    verification: Verification | None = None  # of what is published
    verify_at: datetime | None = None  # when it is verified next; drawn once
    verify_failures: int = 0  # in a row: the provider could not be asked whether it accepts what is published
    published_since: datetime | None = None  # when what is published was published (again)
    path: str = ""  # of the consumer document that was written last, or will be first
    former_paths: tuple[FormerPath, ...] = ()
    overlap: timedelta = timedelta(days=1)  # of the policy as of the last look: what a removed target left behind
    quarantine: timedelta = timedelta(days=7)  # still gets both,
    usage: UsageRules | None = None  # and its users are still asked about;
    policy: str = ""  # the blackouts of this one still hold it,
    labels: tuple[tuple[str, str], ...] = ()  # and so do pauses by label
    retired_at: datetime | None = None  # a person ended the target: nothing is published any more
    owed: tuple[OwedHook, ...] = ()  # hooks that have to run after something that was done
    renamed_from: str = ""  # the name before
    renamed_to: str = ""  # everything is in that target's document: nothing may be done here
    schema: int = SCHEMA_VERSION
