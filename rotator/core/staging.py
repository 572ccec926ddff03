"""The check of `decide` that opens an attempt, and the credential that it stages."""

from dataclasses import replace

from rotator.core import hooks
from rotator.core.actions import Decision, Drop, LookUp, Stage
from rotator.core.circuit import ProviderVerb
from rotator.core.drift import before_repair, needless_repair
from rotator.core.facts import Facts, is_same_credential, ledger_entry_of, lookup_key
from rotator.core.freezes import frozen_hold, passes
from rotator.core.holding import Hold, HoldReason
from rotator.core.holds import (
    backoff_hold,
    circuit_hold,
    clocks_hold,
    ending_document_hold,
    evidence_hold,
    foreign_document_hold,
    identity_hold,
    missing_account_hold,
    one_account_hold,
    pace_hold,
    unproved_hold,
    window_hold,
)
from rotator.core.ledger import handed_out_entry, keeps_devices
from rotator.core.model import Credential, Ending, LedgerEntry, Purpose, Request, Strategy, is_same_name
from rotator.core.origin import SCHEDULED_BY
from rotator.core.preflight import preflight
from rotator.core.undo import UndoImpossible, undo_candidate
from rotator.core.usage import extended_until, kept_hold
from rotator.core.verification import is_refused

_APPLIED_BY = {
    Strategy.REPLACE: ProviderVerb.CREATE,
    Strategy.ALTERNATING: ProviderVerb.SET_PASSWORD,
    Strategy.IN_PLACE: ProviderVerb.SET_PASSWORD,
}


def stage(facts: Facts) -> Decision | None:
    """Opens an attempt if one is requested or due and nothing prevents it."""
    if facts.state.attempt is not None:
        return None
    request = facts.state.request or _due(facts)
    first = needless_repair(facts, request) or ending_document_hold(facts) or _frozen_hold(facts, request)
    first = first or _account_hold(facts, request) or unproved_hold(facts, request) or backoff_hold(facts)
    if first is not None:
        return first
    foreign = foreign_document_hold(facts)
    if foreign is not None and (request is None or not request.take_over):
        return foreign
    if request is None:
        due = facts.state.next_rotation
        return (due and clocks_hold(facts, due)) or Hold(HoldReason.NOT_DUE, "nothing is due")
    begin = _undo if request.purpose is Purpose.UNDO else _rotate
    return before_repair(facts, request) or begin(facts, request)


def _rotate(facts: Facts, request: Request) -> Decision:
    # While devices are out, a rotation is tried all the same.
    hold = None if is_refused(facts.state) else evidence_hold(facts, request)
    hold = hold or _idle_hold(facts, request)
    if facts.state.request is None:  # requests do not wait
        hold = hold or window_hold(facts) or kept_hold(facts) or hooks.kept_hold(facts)
    return hold or _ROTATE[facts.target.strategy](facts, request)


def _frozen_hold(facts: Facts, request: Request | None) -> Hold | None:
    """Holds while a pause or a blackout lasts, whether or not anything is due: that is what people ask for first."""
    freeze = facts.freezes.holding(request)
    return None if freeze is None else frozen_hold(facts.target.name, freeze)


def _account_hold(facts: Facts, request: Request | None) -> Hold | None:
    account, verb = facts.target.account, _APPLIED_BY[facts.target.strategy]
    if request is not None and request.purpose is Purpose.UNDO:
        verb = ProviderVerb.ENABLE
    published = facts.state.published
    changed = identity_hold(facts, published) if published is not None and published.account == account else None
    shut = circuit_hold(facts, account, verb)
    if shut is None and request is not None and not request.compromised:
        shut = pace_hold(facts, account)
    return missing_account_hold(facts, account) or changed or shut


def _due(facts: Facts) -> Request | None:
    due, last, now = facts.state.next_rotation, facts.state.last_rotation, facts.clocks.earliest
    if due is None or due > now:
        return None  # before a cron expression is evaluated, which takes longer than all the rest of a look
    if last is not None:
        due = max(due, facts.target.policy.schedule.soonest_after(last))
    if due > now:
        return None
    why = f"due since {due:%Y-%m-%dT%H:%M:%SZ}" if facts.state.published else "first rotation"
    return Request(Purpose.ROTATE, SCHEDULED_BY, why, facts.now)


def _idle_hold(facts: Facts, request: Request) -> Hold | None:
    """Holds while devices may still use the idle credential of `alternating`: its password must not change yet.

    After the overlap it is disabled first. A request does not wait for that, since disabling may be impossible, nor
    does whatever is published first, since nothing is disabled before; but both do for as long as devices that use it
    extend the overlap, and for the hooks that come before its end.
    """
    if facts.target.strategy is not Strategy.ALTERNATING or request.compromised:
        return None
    idle = _idle(facts)
    if isinstance(idle, LookUp | Drop):
        return None
    published, entry = facts.state.published, ledger_entry_of(facts.state, idle)
    if published is not None and is_same_credential(idle, published):
        return _both_in_use_hold(facts, published)
    if entry is None or entry.cut_off:
        return None
    ends = extended_until(facts.target.policy.usage, entry)
    if ends <= facts.clocks.earliest and (facts.state.request is not None or published is None):
        return _hook_hold(facts, request, entry)
    return Hold(HoldReason.IDLE_IN_OVERLAP, "devices may still use the idle credential")


def _hook_hold(facts: Facts, request: Request, entry: LedgerEntry) -> Hold | None:
    """Holds until the hooks that come before the end of the idle credential have succeeded: its next password ends it.

    They are run before it is disabled. If that is impossible, or devices are out, or it is frozen and the request
    passes, nothing would run them in time.
    """
    passing = facts.freezes.of_retirements is not None and passes(request)
    waits = facts.capabilities[facts.target.account].disables and not is_refused(facts.state) and not passing
    if not waits or not hooks.precede_retirement(facts.target.policy, entry):
        return None
    message = "the hooks that come before the end of the idle credential have not run yet"
    return hooks.failed_before_retirement(facts, entry) or Hold(HoldReason.IDLE_IN_OVERLAP, message)


def _both_in_use_hold(facts: Facts, published: Credential) -> Hold | None:
    """Holds a take-over while devices may use both credentials of `alternating`: neither is idle.

    Some read the document before somebody changed it, which handed out the published one until then.
    """
    written_at, now = facts.consumer.written_at, facts.clocks.earliest
    until = None if written_at is None else written_at + facts.target.policy.overlap
    elsewhere = any(document.names(published) for document in facts.other_documents.values())
    if until is not None and until <= now and not elsewhere:
        return None
    message = f"devices may still use {published.username}, and {facts.consumer.username} is handed out now"
    remedy = f"it can be taken up at once: rotator adopt {facts.target.name}"
    return Hold(HoldReason.IDLE_IN_OVERLAP, f"{message}; {remedy}", until and facts.now + (until - now))


def _replace(facts: Facts, request: Request) -> Decision:
    predecessor = _predecessor(facts)
    if isinstance(predecessor, LookUp):
        return predecessor
    if predecessor is None and facts.target.usernames and not facts.target.new:
        return _drop_unknown(facts, _configured(facts))
    published = facts.state.published
    if published is not None and not request.compromised:  # what leaked ends under either name
        held = one_account_hold(facts, replace(published, account=facts.target.account))
        if held is not None:
            return held
    return Stage(request, Credential(facts.target.account, username=""), predecessor)


def _in_place(facts: Facts, request: Request) -> Decision:
    current = _predecessor(facts, only_here=True)
    if isinstance(current, LookUp):
        return current
    published = facts.state.published
    if current is None:
        return _drop_unknown(facts, _configured(facts))
    # A credential published at another account is what is replaced. If somebody deleted the published one here and
    # created it again, the one that is there now is.
    elsewhere = published is not None and published.account != current.account
    held = one_account_hold(facts, current)
    if held is not None:
        return held
    staged = Stage(request, _without_password(current), published if elsewhere else current)
    return preflight(facts, request, current) or staged


def _alternating(facts: Facts, request: Request) -> Decision:
    idle = _idle(facts)
    if isinstance(idle, LookUp | Drop):
        return idle
    held = one_account_hold(facts, idle)
    if held is not None:
        return held
    in_use, published = _standing_in_use(facts), facts.state.published
    # What is published stays known: it is the idle one then, or the predecessor.
    takes_turns = published is None or is_same_credential(idle, published)
    predecessor = in_use.credential if in_use is not None and takes_turns else _predecessor(facts)
    if isinstance(predecessor, LookUp):
        return predecessor
    if published is None and not facts.target.new:
        unknown = _configured(facts) if predecessor is None else idle.username if idle.id is None else None
        if unknown is not None:
            return _drop_unknown(facts, unknown)
    return Stage(request, idle, predecessor)


def _drop_unknown(facts: Facts, username: str) -> Drop:
    """Drops a first rotation before anything is created: a misspelt name would leave the real credential alive."""
    can_create = facts.target.strategy is not Strategy.IN_PLACE
    remedy = "or add new: true beside it to have it created" if can_create else "since in-place cannot create one"
    return Drop(f"{facts.target.account} has no credential {username!r}: correct the username, {remedy}")


def _standing_in_use(facts: Facts) -> LedgerEntry | None:
    """Returns the entry of the replaced one of the two, if it is in use again by the document that is taken over."""
    entry = handed_out_entry(facts.state, facts.consumer)
    here = entry is not None and entry.credential.account == facts.target.account
    return entry if entry is not None and here and entry.ending is Ending.STAND_BY else None


_ROTATE = {Strategy.REPLACE: _replace, Strategy.IN_PLACE: _in_place, Strategy.ALTERNATING: _alternating}


def _predecessor(facts: Facts, *, only_here: bool = False) -> Credential | LookUp | None:
    """Returns the credential that the new one will replace: the published one, or at first the configured one.

    Args:
        only_here: use the published one only if it exists at the target's own account, since `in-place` sets its
            password.
    """
    published = facts.state.published
    if published is not None and not only_here:
        return published
    if published is not None and published.account == facts.target.account:
        gone = _gone(facts, published)
        if isinstance(gone, LookUp) or not gone:
            return gone or published
    named = _named(facts)
    if named is not None:
        return named
    if not facts.target.usernames:
        return None
    wanted = Credential(facts.target.account, _configured(facts))
    matches = facts.lookups.get(lookup_key(wanted))
    if not matches:
        return LookUp(wanted) if matches is None else None
    # The password of an adopted credential is known only if the document that is taken over contains it.
    known = facts.consumer.password if is_same_name(facts.consumer.username, matches[0].username) else None
    return replace(matches[0], password=known)


def _named(facts: Facts) -> Credential | LookUp | None:
    """Returns what the consumer document names while the state document knows of nothing: it was in use until now."""
    consumer, target = facts.consumer, facts.target
    if facts.state.published is not None or consumer.credential_id is None:
        return None
    wanted = Credential(target.account, consumer.username or "", consumer.credential_id)
    matches = facts.lookups.get(lookup_key(wanted))
    if not matches:
        return LookUp(wanted) if matches is None else None
    found = matches[0]
    if target.strategy is not Strategy.REPLACE and not target.names(found.username):
        return None
    password = consumer.password if is_same_name(consumer.username, found.username) else None
    return replace(found, password=password, attempt=consumer.attempt)


def _gone(facts: Facts, credential: Credential) -> bool | LookUp:
    """True if the listing lacks a known credential. The provider is asked only after a failure or a refused log-in."""
    if not facts.state.failures and not is_refused(facts.state):
        return False
    matches = facts.lookups.get(lookup_key(credential))
    return LookUp(credential) if matches is None else not matches


def _configured(facts: Facts) -> str:
    """Returns the configured username that devices use: at a take-over the one in their document, else the first."""
    handed_out = facts.consumer.username
    return next((name for name in facts.target.usernames if is_same_name(name, handed_out)), facts.target.usernames[0])


def _in_overlap(facts: Facts) -> str | None:
    """Returns the one of the two that devices may still use since a target that is taken back was retired; None: none.

    If it is both, it is the one that was published last.
    """
    account = facts.target.account
    here = [each for each in facts.state.ledger if each.credential.account == account and keeps_devices(each)]
    return max(here, key=lambda entry: entry.replaced_at).credential.username if here else None


def _idle(facts: Facts) -> Credential | LookUp | Drop:
    first, second = facts.target.usernames
    published, in_use = facts.state.published, _standing_in_use(facts)
    used = published.username if published else _in_overlap(facts) or _configured(facts)
    if in_use is not None:
        used = in_use.credential.username
    wanted = Credential(facts.target.account, first if is_same_name(used, second) else second)
    standby = facts.state.standby
    if standby is not None and is_same_credential(standby, wanted):
        gone = _gone(facts, standby)
        if isinstance(gone, LookUp) or not gone:
            return gone or _without_password(standby)
    matches = facts.lookups.get(lookup_key(wanted))
    if matches is None:
        return LookUp(wanted)
    return _without_password(matches[0]) if matches else _to_be_created(facts, wanted)


def _to_be_created(facts: Facts, wanted: Credential) -> Credential | LookUp | Drop:
    """Returns `wanted` in lower case: a provider may keep it so, and then a lost create would never be recognised."""
    made = replace(wanted, username=wanted.username.lower())
    if made == wanted:
        return wanted
    matches = facts.lookups.get(lookup_key(made))
    if not matches:
        return LookUp(made) if matches is None else made
    ours = (facts.state.standby, *(entry.credential for entry in facts.state.ledger))
    if any(one is not None and (one.account, one.username) == (made.account, made.username) for one in ours):
        return _without_password(matches[0])  # even if somebody has deleted it and created it again
    message = (
        f"{made.account} has {made.username!r}, and no {wanted.username!r}: configure it in the letters used there"
    )
    return Drop(f"{message}, or choose another username")


def _without_password(credential: Credential) -> Credential:
    return replace(credential, password=None, made_at=None, seen_at=None)


def _undo(facts: Facts, request: Request) -> Decision:
    candidate = undo_candidate(facts.state, facts.capabilities, facts.clocks.earliest)
    if isinstance(candidate, UndoImpossible):
        return Drop(candidate.reason)
    again = candidate.entry.credential
    return identity_hold(facts, again) or Stage(request, again, facts.state.published)
