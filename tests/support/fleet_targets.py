"""What the judge of a simulated fleet knows of each target, under whatever names and paths it has had."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from invariants import OwedOverlap

from rotator.core.consumer_document import ConsumerDocument
from rotator.core.left_over import is_empty
from rotator.core.model import Credential, Ended, Policy, TargetState
from rotator.core.schedule import Cron
from rotator.core.secret import Secret
from rotator.engine import Look
from rotator.ports import Versioned

_UNEVEN = timedelta(days=2)  # half of the difference of two quarters, and the hour of summer time
KeyAtProvider = tuple[str, str]  # the account's name, and the credential's id


def located(state: TargetState, accounts: Mapping[str, str]) -> TargetState:
    """A state document whose credentials name the account that has their identity, whatever it was called then.

    Args:
        accounts: the name of each, by its identity.
    """

    def at_home(credential: Credential | None) -> Credential | None:
        if credential is None or accounts.get(credential.identity, credential.account) == credential.account:
            return credential
        return replace(credential, account=accounts[credential.identity])

    attempt = state.attempt
    named = [state.published, state.standby, *(entry.credential for entry in state.ledger)]
    named += [] if attempt is None else [attempt.staged, attempt.predecessor]
    if all(at_home(credential) is credential for credential in named):
        return state
    if attempt is not None:
        staged = at_home(attempt.staged) or attempt.staged
        attempt = replace(attempt, staged=staged, predecessor=at_home(attempt.predecessor))
    ledger = tuple(replace(entry, credential=at_home(entry.credential) or entry.credential) for entry in state.ledger)
    published, standby = at_home(state.published), at_home(state.standby)
    return replace(state, published=published, standby=standby, attempt=attempt, ledger=ledger)


def half_interval(policy: Policy) -> timedelta:
    """Returns how long after a rotation there must be none by schedule. Quarters and months are not all as long."""
    half = policy.schedule.longest / 2
    return half - _UNEVEN if isinstance(policy.schedule, Cron) else half


@dataclass(frozen=True)
class HandedOut:
    """What a consumer document hands out."""

    username: str | None
    password: Secret | None
    identity: str | None
    attempt: str | None
    since: datetime
    withdrawn: bool = False  # it says so: nobody is meant to find anything there


@dataclass
class JudgedTarget:
    """What the judge knows of one target."""

    names: list[str]  # those that it has had; the last one is that of the configuration
    accounts: set[str]
    paths: list[str]  # likewise
    interval: timedelta  # the shortest half-interval rule of its policies
    keys: dict[KeyAtProvider, None] = field(default_factory=dict)  # in order
    made_by_people: set[KeyAtProvider] = field(default_factory=set)
    documents: dict[str, HandedOut] = field(default_factory=dict)  # by path
    by_hand: dict[str, HandedOut] = field(default_factory=dict)  # by path, what people wrote there
    owed: dict[str, OwedOverlap] = field(default_factory=dict)  # by username
    allowance: int = 0  # rotations that somebody asked for, or that people's acts call for
    rotations: int = 0
    last_rotation: datetime | None = None
    refused_since: datetime | None = None
    refused_by_us: bool = False
    restored: bool = False  # after its end, by somebody, and refused: it may begin anew like that
    changed_by_people: dict[str, datetime] = field(default_factory=dict)  # at the provider, by username: the last time
    told_of: datetime | None = None  # when people last did something that rotator has to find out
    compromised: list[tuple[str, Secret, datetime]] = field(default_factory=list)
    open_attempt: tuple[str, datetime] | None = None
    lost_context: bool = False  # people removed or rolled back its state document
    retired: bool = False
    given_up: bool = False  # the operator was told that it may stay accepted, and that nobody ends it
    forgotten: set[KeyAtProvider] = field(default_factory=set)  # likewise, by name
    removed_since: datetime | None = None  # it is not in the configuration
    located: tuple[TargetState, TargetState] | None = None  # the last state as it was read, and as `located` made it
    look: Look | None = None
    ended: tuple[Ended, ...] = ()  # as the state had it after the last look
    visits: int = 0  # of the operator, in vain

    @property
    def name(self) -> str:
        """As the configuration has it, or had it last."""
        return self.names[-1]

    def is_standing(self, username: str) -> bool:
        """True for a username of its pair, under whatever name it had."""
        return any(username in (name, f"{name}b") for name in self.names)

    @property
    def handed(self) -> HandedOut | None:
        """What the document at the configured path hands out; until that is written, the one before."""
        known = (self.documents.get(path) for path in reversed(self.paths))
        return next((document for document in known if document is not None), None)

    @property
    def in_use(self) -> list[HandedOut]:
        """What devices may read at any path. Where people took the only document away, they find nothing."""
        main = self.handed
        others = [one for one in self.documents.values() if one is not main and one.username is not None]
        return [*([] if main is None or main.withdrawn else [main]), *others]

    def see(self, documents: Mapping[str, ConsumerDocument], at: datetime) -> None:
        """Notes what its consumer documents hand out, and since when."""
        for path in self.paths:
            document, before = documents.get(path), self.documents.get(path)
            if document is None:
                self.documents.pop(path, None)
                continue
            now = HandedOut(
                document.username if document.exists else None,
                document.password if document.exists else None,
                document.credential_id,
                document.attempt,
                at,
                document.withdrawn,
            )
            if before is None or replace(now, since=before.since) != before:
                self.documents[path] = now

    def state_in(self, states: dict[str, Versioned]) -> TargetState:
        """The state document, wherever a rename has come to."""
        if len(self.names) == 1:  # as nearly always
            found = states.get(self.name)
            return found.state if found is not None else TargetState(self.name)
        known = [states[name].state for name in reversed(self.names) if name in states]
        moved = {state.renamed_from for state in known}  # a rename that was cut has not emptied the old one
        alive = (state for state in known if not is_empty(state) and state.target not in moved)
        return next(alive, known[0] if known else TargetState(self.name))
