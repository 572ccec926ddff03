"""Evidence that what was ended is refused: when it is tried, what that shows, and the state afterwards. Pure.

Each end costs one wrong log-in at a registrar that locks addresses out, spaced from those of other targets. A refusal
is believed only beside an accepted log-in with what is published: an address that is locked out is refused whatever it
tries.
"""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta

from rotator.core.actions import Decision, TryEnded
from rotator.core.backoff import is_waiting
from rotator.core.facts import Facts, has_other_identity, is_same_credential
from rotator.core.holding import Hold, HoldReason
from rotator.core.holds import log_in_hold
from rotator.core.ledger import after_new_password, swap
from rotator.core.model import (
    Attempt,
    Capabilities,
    Cutoff,
    Ended,
    EndedBy,
    Ending,
    LastEnd,
    LedgerEntry,
    TargetState,
)
from rotator.core.secret import Secret
from rotator.core.verification import is_being_replaced

SHOWN_WITHIN = timedelta(days=7)
"""What no log-in has shown by then is given up as not shown. What is still accepted never is."""
MOST_ENDED = 8
"""So many ends of a target are tried on. Where a provider ignores all of them, that is enough to say so."""
BELIEVED = 2
"""So many acceptances in a row, spaced, are believed; where it is compromised, one is."""
_AFTER_ACCEPTANCES = (timedelta(minutes=10), timedelta(hours=1), timedelta(days=1))
_AFTER_LEAKED = (timedelta(minutes=1), timedelta(minutes=10), timedelta(hours=1))
USED_AGAIN = "it is in use again"
ONE_TOO_MANY = f"{MOST_ENDED} others are still tried"
ELSEWHERE = "nothing else of its account is published that could be tried beside it"
_UNCONFIGURED = "no log-in is configured that could show it"


def show_ends(facts: Facts) -> Decision | None:
    """Tries what was ended, one at a time, once it must be refused."""
    declined: Hold | None = None
    for ended in facts.state.ended:
        why_not = _cannot_be_shown(facts, ended)
        if why_not:
            return TryEnded(ended, why_not)
        if is_due(facts.capabilities.get(ended.credential.account), ended, facts.clocks.vault):
            hold = _wait(facts, ended)
            if hold is None:
                return TryEnded(ended)
            declined = declined or hold
    return declined


def is_due(can: Capabilities | None, ended: Ended, now: datetime) -> bool:
    """True if a log-in with what was ended can show something now. A compromised one is tried at once."""
    if can is None or is_waiting(ended.not_before, now):
        return False
    return ended.compromised or now >= ended.at + can.propagation


def due_times(facts: Facts, ended: Ended) -> Iterator[datetime | None]:
    """Yields the moments at which something can change about an end that is not shown yet."""
    can = facts.capabilities.get(ended.credential.account)
    yield ended.not_before
    yield ended.at + SHOWN_WITHIN
    yield ended.at + can.propagation if can is not None else None


def is_in_use(facts: Facts, ended: Ended) -> bool:
    """True if the password that must be refused is used again: an undo published it, or somebody hands it out."""
    credential, state = ended.credential, facts.state
    attempt = state.attempt
    known = (state.published, attempt.staged if attempt else None, attempt.predecessor if attempt else None)
    if any(
        one is not None and is_same_credential(one, credential) and one.password == credential.password for one in known
    ):
        return True
    return any(document.names(credential) for document in facts.documents)


def is_still_accepted(state: TargetState, entry: LedgerEntry) -> bool:
    """True if a log-in has shown that a replaced credential is accepted, although it was ended."""
    return any(ended.accepted and _is_of(entry, ended) for ended in state.ended)


def is_beyond_means(state: TargetState, ended: Ended) -> bool:
    """True if what was ended is still accepted, and there is nothing left that could end it."""
    means = (entry for entry in state.ledger if entry.ending is not Ending.FORGET)
    return ended.accepted > 0 and not any(_is_of(entry, ended) for entry in means)


def _cannot_be_shown(facts: Facts, ended: Ended) -> str:
    """Returns why no log-in can show the end; empty if one can, now or later."""
    can = facts.capabilities.get(ended.credential.account)
    if is_in_use(facts, ended):
        return USED_AGAIN
    if ended is _one_too_many(facts.state):
        return ONE_TOO_MANY
    if not tries_ended(can) and can is not None:
        return _UNCONFIGURED
    if not ended.accepted and is_elsewhere(facts.state, ended):
        return ELSEWHERE
    if not ended.accepted and facts.clocks.vault >= ended.at + SHOWN_WITHIN:
        return f"no log-in showed it within {SHOWN_WITHIN.days} days" + (f": {ended.note}" if ended.note else "")
    return ""


def _one_too_many(state: TargetState) -> Ended | None:
    """Returns the end that is given up if there are too many: the last one before the newest that did not leak.

    The oldest stay, so an alert is as old as what it is about; the newest shows whether the provider does it right now.
    """
    if len(state.ended) <= MOST_ENDED:
        return None
    earlier = state.ended[:-1]
    return next((one for one in reversed(earlier) if not one.compromised), earlier[-1])


def is_elsewhere(state: TargetState, ended: Ended) -> bool:
    """True if what is published is at another account: no log-in beside it makes a refusal evidence."""
    return state.published is None or state.published.account != ended.credential.account


def tries_ended(can: Capabilities | None) -> bool:
    """True if log-ins may show that what was ended is refused."""
    return can is not None and can.proof.tries_password and can.tries_ended is not None


def _wait(facts: Facts, ended: Ended) -> Hold | None:
    account, published = ended.credential.account, facts.state.published
    changed = published is not None and has_other_identity(facts, published)
    if changed or has_other_identity(facts, ended.credential) or is_being_replaced(facts.state):
        return Hold(HoldReason.NOT_DUE, "what was ended is tried when what is published can be proved beside it")
    turn = facts.ended_turns.get(account)
    if turn is not None and turn > facts.now and not ended.compromised:
        message = f"what was ended at {account} is tried later: each of these log-ins is a wrong one"
        return Hold(HoldReason.NOT_DUE, message, turn)
    return log_in_hold(facts, account)


def after_end(state: TargetState, entry: LedgerEntry, by: EndedBy, now: datetime, *, tries: bool) -> TargetState:
    """Notes what was ended, to be tried. What is known of an earlier end of it, which was not enough, is kept.

    Args:
        entry: as it was before.
        tries: log-ins may show that it is refused.
    """
    known = next((one for one in state.ended if _is_of(entry, one)), None)
    if known is not None and (entry.cut_off or entry.is_random):
        return _swapped(state, known, replace(known, by=by, at=now, not_before=None, accepted=0, tries=0))
    if entry.cut_off:
        return state  # whether it is refused was settled before
    if known is not None:  # one of two standing ones, which had another password then
        state = after_giving_up(state, known, "it got another password, and was ended again")
    password = entry.devices_password if entry.is_random else entry.credential.password
    credential = replace(entry.credential, password=password)
    ended = Ended(credential, by, now, entry.compromised, origin=entry.origin)
    return _with_ended(state, ended, tries=tries)


def after_replacing(state: TargetState, attempt: Attempt, now: datetime, *, tries: bool) -> TargetState:
    """Notes the password that an attempt of `in-place` replaced, to be tried."""
    old, new = attempt.predecessor, attempt.staged
    if old is None or not is_same_credential(old, new) or old.password == new.password:
        return state
    ended = Ended(old, EndedBy.REPLACED, now, attempt.compromised, origin=attempt.origin)
    return _with_ended(state, ended, tries=tries)


def _with_ended(state: TargetState, ended: Ended, *, tries: bool) -> TargetState:
    """Adds what was ended, or says that its end is not shown if no log-in can show it."""
    if not tries:
        return _not_shown(state, ended, _UNCONFIGURED)
    if ended.credential.password is None:
        return _not_shown(state, ended, "its password is not known")
    return replace(state, ended=(*state.ended, ended))


def after_refusal(state: TargetState, ended: Ended, how: str, now: datetime) -> TargetState:
    """Records the evidence: a log-in with it was refused, and one with what is published accepted."""
    ledger = tuple(replace(entry, refused_at=now) if _is_of(entry, ended) else entry for entry in state.ledger)
    return replace(
        state,
        ledger=ledger,
        ended=_without(state, ended),
        last_end=LastEnd(ended.credential.username, ended.by, ended.at, now, how),
        counts=replace(state.counts, ends_shown=state.counts.ends_shown + 1),
    )


def after_giving_up(state: TargetState, ended: Ended, why: str) -> TargetState:
    """Records that nothing can show the end; what is used again has none."""
    left = replace(state, ended=_without(state, ended))
    return left if why == USED_AGAIN else _not_shown(left, ended, why)


def after_nothing(state: TargetState, ended: Ended, why: str, later: datetime) -> TargetState:
    """Records a log-in that showed nothing. It is tried again."""
    return _swapped(state, ended, replace(ended, tries=ended.tries + 1, not_before=later, note=why))


def after_acceptance(
    state: TargetState, ended: Ended, how: str, now: datetime, can: Capabilities, password: Secret
) -> TargetState:
    """Records that it is still accepted, and takes the next means of ending it, if there is one.

    Until the propagation time has passed that shows nothing, but what is compromised does not wait for it. The means
    come by the ledger, in which what is published never is: a random password, then deleting. What can be neither is
    tried again, and somebody is told.
    """
    window = ended.at + can.propagation
    accepted = ended.accepted + (not ended.at <= now < window)  # what ends in the future was stored by a wrong clock
    pauses = _AFTER_LEAKED if ended.compromised else _AFTER_ACCEPTANCES
    later = now + pauses[min(accepted, len(pauses)) - 1] if accepted else window
    noted = _swapped(state, ended, replace(ended, accepted=accepted, not_before=later, note=how))
    if accepted < BELIEVED and not ended.compromised:
        return noted
    entry = next((one for one in state.ledger if _is_of(one, ended)), None)
    if entry is None or entry.ending is Ending.FORGET:  # its other password is what is published
        return noted
    return _with_stronger_end(noted, entry, can, password, leaks=ended.compromised and accepted > 0)


def _with_stronger_end(
    state: TargetState, entry: LedgerEntry, can: Capabilities, password: Secret, *, leaks: bool
) -> TargetState:
    if entry.cut_off and can.sets_password and not entry.is_random:
        accepted = replace(entry, disabled_at=None, overwritten_at=None, not_before=None, ended_before=True)
        return after_new_password(
            replace(state, ledger=swap(state.ledger, entry, accepted)), accepted, password, Cutoff.OVERWRITE
        )
    if entry.cut_off and can.deletes and (leaks or entry.ending is Ending.DELETE):  # an undo has nothing to bring back
        last = replace(entry, ending=Ending.DELETE, quarantine=timedelta())
        return replace(state, ledger=swap(state.ledger, entry, last))
    return state


def _not_shown(state: TargetState, ended: Ended, why: str) -> TargetState:
    return replace(
        state,
        last_end=LastEnd(ended.credential.username, ended.by, ended.at, None, why),
        counts=replace(state.counts, ends_not_shown=state.counts.ends_not_shown + 1),
    )


def _is_of(entry: LedgerEntry, ended: Ended) -> bool:
    """True if an entry of the ledger is that of what was ended, and not of another password of the same credential."""
    if (entry.ending is Ending.FORGET) is not (ended.by is EndedBy.REPLACED):
        return False
    same_password = ended.by is not EndedBy.REPLACED or entry.credential.password == ended.credential.password
    return same_password and is_same_credential(entry.credential, ended.credential)


def _without(state: TargetState, ended: Ended) -> tuple[Ended, ...]:
    return tuple(one for one in state.ended if one != ended)


def _swapped(state: TargetState, old: Ended, new: Ended) -> TargetState:
    return replace(state, ended=tuple(new if one == old else one for one in state.ended))
