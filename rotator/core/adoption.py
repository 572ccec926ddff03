"""Taking up a credential that is in use but that the state document does not know. Pure.

What the consumer document names is in use; without a document it is what the operator names. `rotator adopt` looks the
credential up and proves it before the state document says that it is published.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from rotator.core.consumer_document import ConsumerDocument
from rotator.core.facts import is_same_credential
from rotator.core.ledger import ending_of, without_credential
from rotator.core.left_over import is_empty, with_rules
from rotator.core.model import (
    Credential,
    Ending,
    LedgerEntry,
    Policy,
    Request,
    Strategy,
    Target,
    TargetState,
    is_same_name,
)
from rotator.core.moves import after_path_change, before_writing
from rotator.core.origin import Origin
from rotator.core.schedule import first_due, next_due
from rotator.core.secret import Secret
from rotator.core.verification import next_verification

_TIME_TO_LOOK = timedelta(days=1)
"""Nothing is rotated by schedule so soon after an adoption: somebody may want to look at it first."""


class AdoptionImpossible(Exception):
    """A credential cannot be taken up; the text says why."""


class AdoptionRefused(AdoptionImpossible):
    """The provider refuses the password of what would be taken up."""


@dataclass(frozen=True, slots=True)
class KnownToOperator:
    """What the operator knows of the credential in use."""

    username: str | None = None
    password: Secret | None = None
    rotates: bool = False  # a rotation follows at once, so its password need not be known


@dataclass(frozen=True, slots=True)
class AdoptionPlan:
    """What `rotator adopt` will do: the credential that it found at the account, and what follows from taking it up."""

    credential: Credential
    rotated_at: datetime | None  # None: unknown
    writes_document: bool  # the consumer document does not name it completely
    replaced: Credential | None  # what was published last, if it is another one
    told_end: LedgerEntry | None  # the provider would end it
    known: bool = False  # the state document has it as published: only its document is gone
    request: Request | None = None  # waits, and is carried out afterwards
    moved_from: str = ""  # another name of the same account, under which everything is known until now


def credential_in_use(
    target: Target, state: TargetState, consumer: ConsumerDocument, known: KnownToOperator, moved_from: str
) -> Credential:
    """Returns what to look for at the account. Raises AdoptionImpossible.

    Args:
        moved_from: another name of the target's account, under which the published credential is known, if any.
    """
    if state.attempt is not None:
        since = f"{state.attempt.started_at:%Y-%m-%d %H:%M:%S} UTC"
        raise AdoptionImpossible(
            f"an attempt has been open since {since}: wait until it ends, or give it up (rotator abandon)"
        )
    published = state.published
    if moved_from and published is not None and consumer.names(published):
        return replace(published, account=target.account)
    if consumer.exists:
        return _named_by(target, state, consumer, known)
    if published is not None and known.username in (None, published.username):
        return replace(published, password=known.password or published.password)
    username = known.username or (target.usernames[0] if len(target.usernames) == 1 else None)
    if username is None:
        raise AdoptionImpossible(f"{target.path} does not exist: name the credential that is in use with --username")
    return Credential(target.account, username, password=known.password)


def _named_by(target: Target, state: TargetState, consumer: ConsumerDocument, known: KnownToOperator) -> Credential:
    if state.published is not None and consumer.names(state.published):
        raise AdoptionImpossible(f"{target.path} is what rotator published: there is nothing to take up")
    username = consumer.username or known.username
    if known.username not in (None, username):
        raise AdoptionImpossible(f"{target.path} names {consumer.username!r}: correct the document, or --username")
    if None not in (known.password, consumer.password) and known.password != consumer.password:
        raise AdoptionImpossible(f"{target.path} has another password: correct the document, or leave the password out")
    if not username:
        raise AdoptionImpossible(f"{target.path} names no username: say with --username which credential is in use")
    password = consumer.password or known.password
    return Credential(target.account, username, consumer.credential_id, password, attempt=consumer.attempt)


def adoption_plan(
    target: Target,
    state: TargetState,
    consumer: ConsumerDocument,
    wanted: Credential,
    matches: tuple[Credential, ...],
    known: KnownToOperator,
    moved_from: str,
) -> AdoptionPlan:
    """Returns what the account's answer to `wanted`, by `credential_in_use`, allows. Raises AdoptionImpossible."""
    found = _only_match(target, wanted, matches)
    password = wanted.password or found.password
    if password is None and not known.rotates:
        raise AdoptionImpossible(
            "its password is unknown: give it with --password-file or --password-stdin, or replace it with --rotate"
        )
    published = state.published
    if moved_from and published is not None and consumer.names(published):
        here = replace(published, account=target.account, identity=found.identity)
        return AdoptionPlan(
            here,
            consumer.rotated_at,
            writes_document=False,
            replaced=None,
            told_end=None,
            known=True,
            request=state.request,
            moved_from=moved_from,
        )
    credential = replace(found, password=password, attempt=wanted.attempt)
    entries = [entry for entry in state.ledger if is_same_credential(entry.credential, credential)]
    if any(entry.compromised for entry in entries):
        raise AdoptionImpossible(f"{found.username} was replaced because it leaked: rotate instead, with --take-over")
    if published is not None and is_same_credential(published, credential) and published.password == password:
        credential = published
    other = published is not None and not is_same_credential(published, credential)
    same = [entry.credential for entry in entries if entry.credential.password == password]
    if same:
        credential = replace(credential, made_at=same[0].made_at, seen_at=same[0].seen_at)
    return AdoptionPlan(
        credential=credential,
        rotated_at=(consumer.rotated_at if consumer.exists else None) or credential.made_at,
        writes_document=password is not None and not consumer.names(credential),
        replaced=published if other else None,
        told_end=next((entry for entry in entries if entry.expires_at is not None), None),
        known=credential == published,
        request=state.request,
    )


def _only_match(target: Target, wanted: Credential, matches: tuple[Credential, ...]) -> Credential:
    """Returns the one credential of the account that is meant. Raises AdoptionImpossible."""
    if not matches:
        what = f"{wanted.username!r}" + (f" with the id {wanted.id!r}" if wanted.id else "")
        raise AdoptionImpossible(f"{wanted.account} has no credential {what}")
    found = matches[0]
    if len(matches) > 1 or not is_same_name(found.username, wanted.username):
        names = ", ".join(f"{match.username} ({match.id})" for match in matches)
        raise AdoptionImpossible(f"{wanted.account} has {names} where {wanted.username!r} was looked for")
    if target.strategy is not Strategy.REPLACE and not target.names(found.username):
        raise AdoptionImpossible(f"the configuration does not name {found.username!r}: add it to the target")
    return found


def after_adopt(
    state: TargetState, target: Target, plan: AdoptionPlan, origin: Origin, now: datetime, fraction: float
) -> TargetState:
    """Makes the credential the published one; what was published until now goes into the ledger."""
    if plan.credential == state.published:
        # Only its document was gone, or its path has changed: the next look moves it there.
        return before_writing(state, target, now) if plan.writes_document else state
    if plan.moved_from:
        return _under_other_name(state, plan.moved_from, plan.credential)
    ledger, standby = without_credential(state.ledger, plan.credential), state.standby
    if plan.replaced is not None:
        ending, policy = ending_of(plan.replaced, target), target.policy
        entry = LedgerEntry(plan.replaced, ending, now, now + policy.overlap, policy.quarantine, origin=origin)
        ledger = (*ledger, entry)
        standby = replace(plan.replaced, password=None) if ending is Ending.STAND_BY else standby
    if standby is not None and is_same_credential(standby, plan.credential):
        standby = None
    rotated_at = None if plan.rotated_at is None else min(plan.rotated_at, now)
    adopted = plan.credential
    if adopted.made_at is None and adopted.seen_at is None:
        adopted = replace(adopted, seen_at=rotated_at or now)  # its age counts from then
    moved = state if is_empty(state) else after_path_change(state, target, now)
    return replace(
        with_rules(moved, target),
        published=adopted,
        verification=None,
        verify_at=next_verification(ledger, target.policy, now, fraction),
        verify_failures=0,
        standby=standby,
        ledger=ledger,
        last_rotation=rotated_at,
        next_rotation=_next_rotation(target.policy, rotated_at, now, fraction),
        scheduled_by=target.policy.schedule_key,
        path=target.path,
        published_since=rotated_at or now,
        failures=0,
        not_before=None,
        last_error="",
    )


def _under_other_name(state: TargetState, former: str, published: Credential) -> TargetState:
    """Gives everything that is known under a former name of the account of `published` the name that it has now."""

    def here(credential: Credential) -> Credential:
        return replace(credential, account=published.account) if credential.account == former else credential

    ledger = tuple(replace(entry, credential=here(entry.credential)) for entry in state.ledger)
    ended = tuple(replace(one, credential=here(one.credential)) for one in state.ended)
    standby = state.standby and here(state.standby)
    kept = replace(state, published=published, standby=standby, ledger=ledger, ended=ended)
    return replace(kept, failures=0, not_before=None, last_error="")


def _next_rotation(policy: Policy, rotated_at: datetime | None, now: datetime, fraction: float) -> datetime:
    """Draws the due time as if rotated at `rotated_at`; soon if that is long ago or unknown, but not at once."""
    soon = first_due(policy.window, now + min(_TIME_TO_LOOK, policy.schedule.longest), fraction)
    if rotated_at is None:
        return soon
    return max(next_due(policy.schedule, policy.window, rotated_at, fraction), soon)
