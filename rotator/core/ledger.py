"""The ledger's entries, and the state document after each event that concerns one. Pure, like `advance`."""

from dataclasses import replace
from datetime import datetime, timedelta

from rotator.core.consumer_document import ConsumerDocument
from rotator.core.facts import is_same_credential
from rotator.core.model import (
    Attempt,
    Capabilities,
    Credential,
    Cutoff,
    Ending,
    LedgerEntry,
    Policy,
    Strategy,
    Target,
    TargetState,
)
from rotator.core.origin import Origin
from rotator.core.secret import Secret

# How long a provider may still carry out a create whose answer was lost. A generous guess: no provider documents it,
# and it delays only the removal of a credential that no device ever received.
LATE_COMMIT = timedelta(minutes=10)
_ONCE_A_DAY = timedelta(days=1)
VERIFIED_BEFORE_END = timedelta(hours=1)  # enough to believe a refusal and to rotate


def replaced_entry(attempt: Attempt, target: Target, now: datetime) -> LedgerEntry | None:
    """Returns the entry for the credential that an attempt replaced, if there is anything to retire or keep."""
    predecessor = attempt.predecessor
    if predecessor is None:
        return None
    overlap, quarantine = target.policy.overlap, target.policy.quarantine
    if attempt.compromised:
        overlap = quarantine = timedelta()
    if is_same_credential(predecessor, attempt.staged):
        known = predecessor.password is not None and predecessor.password != attempt.staged.password
        worth_keeping = known and not attempt.compromised
        return (
            LedgerEntry(predecessor, Ending.FORGET, now, now, quarantine, origin=attempt.origin)
            if worth_keeping
            else None
        )
    ending = ending_of(predecessor, target)
    compromised, origin = attempt.compromised, attempt.origin
    return LedgerEntry(predecessor, ending, now, now + overlap, quarantine, compromised=compromised, origin=origin)


def ending_of(credential: Credential, target: Target) -> Ending:
    """Returns how a replaced credential ends: one of the two that `alternating` configures stays."""
    here = credential.account == target.account and target.names(credential.username)
    return Ending.STAND_BY if target.strategy is Strategy.ALTERNATING and here else Ending.DELETE


def strays_entry(attempt: Attempt, now: datetime) -> LedgerEntry:
    """Returns an entry for any further credential that the provider created. It is due once no create is under way."""
    unknown = Credential(attempt.staged.account, username="", attempt=attempt.id)
    return LedgerEntry(unknown, Ending.DELETE, now, now + LATE_COMMIT, timedelta(), origin=attempt.origin)


def end_now(
    ledger: tuple[LedgerEntry, ...], now: datetime, origin: Origin, *, compromised: bool = False
) -> tuple[LedgerEntry, ...]:
    """Removes overlap and quarantine. A create that may be under way is still waited for.

    Args:
        origin: what these ends follow from now.
        compromised: it is an emergency.
    """
    return tuple(
        replace(
            entry,
            disable_at=min(entry.disable_at, now),
            quarantine=timedelta(),
            not_before=None,
            compromised=entry.compromised or compromised,
            unasked=True,
            origin=origin,
        )
        if entry.credential.id is not None
        else entry
        for entry in ledger
    )


def end_despite_use(ledger: tuple[LedgerEntry, ...], now: datetime, origin: Origin) -> tuple[LedgerEntry, ...]:
    """Ends what is past its overlap, although devices may still use it. Its quarantine stays: it can be undone.

    Args:
        origin: what these ends follow from now.
    """
    return tuple(
        replace(entry, unasked=True, not_before=None, origin=origin)
        if entry.ending is not Ending.FORGET and not entry.cut_off and entry.disable_at <= now
        else entry
        for entry in ledger
    )


def tried_at_once(ledger: tuple[LedgerEntry, ...]) -> tuple[LedgerEntry, ...]:
    """Returns the ledger with nothing that waits because its last try failed: a person asks for another one."""
    return tuple(replace(entry, not_before=None) for entry in ledger)


def keeps_devices(entry: LedgerEntry) -> bool:
    """True if devices may still use what was replaced: it has an overlap that nobody ended, and is not cut off."""
    has_overlap = entry.disable_at > entry.replaced_at and not entry.unasked and not entry.compromised
    return has_overlap and not entry.cut_off and entry.ending is not Ending.FORGET


def handed_out_entry(state: TargetState, consumer: ConsumerDocument) -> LedgerEntry | None:
    """Returns the entry of a replaced credential that the consumer document hands out and that is still accepted.

    The document names no account, and other accounts may have the same username and id: what it names with its password
    comes first.
    """
    if state.published is not None and consumer.names(state.published):
        return None
    accepted = [one for one in state.ledger if one.ending is not Ending.FORGET and not one.cut_off]
    handed_out = [entry for entry in accepted if consumer.concerns(entry.credential)]
    return min(handed_out, key=lambda entry: not consumer.names(entry.credential), default=None)


def with_overlap_from(
    ledger: tuple[LedgerEntry, ...], credential: Credential, now: datetime, policy: Policy
) -> tuple[LedgerEntry, ...]:
    """Returns the ledger with a whole overlap from `now` for a replaced credential that was handed out until now.

    What leaked keeps its end.
    """

    def in_use_until_now(entry: LedgerEntry) -> bool:
        accepted = entry.ending is not Ending.FORGET and not entry.cut_off
        return accepted and not entry.compromised and is_same_credential(entry.credential, credential)

    return tuple(
        replace(
            entry,
            replaced_at=now,
            disable_at=max(entry.disable_at, now + policy.overlap),
            hooked=(),
            held_by="",
            ended_before=False,
        )
        if in_use_until_now(entry)
        else entry
        for entry in ledger
    )


def with_overlap_for_all(ledger: tuple[LedgerEntry, ...], now: datetime, policy: Policy) -> tuple[LedgerEntry, ...]:
    """Returns the ledger with a whole overlap from `now` for each replaced credential that is still accepted.

    Devices live on one of them if the provider refused what was published after it. What leaked keeps its end.
    """
    for credential in [entry.credential for entry in ledger if entry.credential.id is not None]:
        ledger = with_overlap_from(ledger, credential, now, policy)
    return ledger


def without_credential(
    ledger: tuple[LedgerEntry, ...], credential: Credential, but: Ending | None = None
) -> tuple[LedgerEntry, ...]:
    """Returns the ledger without the entries of one credential, except for those with the ending `but`."""
    return tuple(
        entry for entry in ledger if entry.ending is but or not is_same_credential(entry.credential, credential)
    )


def after_expire(state: TargetState, entry: LedgerEntry, at: datetime) -> TargetState:
    """Records that the provider was told when to end a replaced credential by itself."""
    expiring = replace(entry, expires_at=at, failures=0, not_before=None, note="", uncertain=False)
    # What is published is proved once more before the provider carries that out by itself.
    verify_at = min(state.verify_at or at, at - VERIFIED_BEFORE_END)
    return replace(state, ledger=swap(state.ledger, entry, expiring), verify_at=verify_at, claim=None)


def after_lift(state: TargetState, entry: LedgerEntry) -> TargetState:
    """Records that the provider no longer ends a replaced credential by itself."""
    lasting = replace(entry, expires_at=None, failures=0, not_before=None, note="", uncertain=False)
    return replace(state, ledger=swap(state.ledger, entry, lasting), claim=None)


def after_disable(state: TargetState, entry: LedgerEntry, now: datetime) -> TargetState:
    """Records that a replaced credential was disabled. Its quarantine begins now, even if that is late."""
    ended = replace(entry, disabled_at=now, failures=0, not_before=None, note="", uncertain=False)
    counts, standby = replace(state.counts, disabled=state.counts.disabled + 1), state.standby
    if standby is not None and is_same_credential(standby, entry.credential):
        # A provider that can enables it again by the request that sets its next password.
        standby = replace(standby, enabled=False)
    return replace(state, ledger=swap(state.ledger, entry, ended), standby=standby, counts=counts, claim=None)


def after_overwrite(state: TargetState, entry: LedgerEntry, now: datetime) -> TargetState:
    """Records that a replaced credential has a random password. One that stays at the provider is disabled next."""
    ended = replace(entry, overwritten_at=now, failures=0, not_before=None, note="")
    counts = replace(state.counts, overwritten=state.counts.overwritten + 1)
    return replace(state, ledger=swap(state.ledger, entry, ended), counts=counts, claim=None)


def is_overwritten_first(entry: LedgerEntry, can: Capabilities) -> bool:
    """True if a random password comes before disabling, or in its place.

    A leaked standing credential also ends this way, since it is never deleted: a provider may say that it is disabled,
    and ignore that.
    """
    leaked = entry.compromised and entry.ending is Ending.STAND_BY and not entry.cut_off
    return not can.disables or (leaked and can.sets_password)


def after_new_password(
    state: TargetState, entry: LedgerEntry, password: Secret, cutoff: Cutoff = Cutoff.DISABLE
) -> TargetState:
    """Stores a new password for a replaced credential before the provider gets it.

    Either its password is unknown, and the provider needs one, or the new one is to stop it from being accepted.
    """
    used = entry.devices_password if entry.is_random else entry.credential.password
    random = replace(entry.credential, password=password)
    known = replace(entry, credential=random, cutoff=cutoff, is_random=True, devices_password=used)
    return replace(state, ledger=swap(state.ledger, entry, known))


def after_no_cutoff(state: TargetState, entry: LedgerEntry, note: str) -> TargetState:
    """Records that only deleting is left: if it is compromised, even for a standing credential of `alternating`."""
    left = replace(entry, cutoff=Cutoff.NONE, ending=Ending.DELETE, note=note)
    return replace(state, ledger=swap(state.ledger, entry, left))


def after_removal(state: TargetState, entry: LedgerEntry, *, deleted: bool) -> TargetState:
    """Removes all entries of a replaced credential that no longer exists at the provider."""
    counts = replace(state.counts, deleted=state.counts.deleted + 1) if deleted else state.counts
    ledger, standby = without_credential(state.ledger, entry.credential), state.standby
    if standby is not None and is_same_credential(standby, entry.credential):
        standby = None
    return replace(state, ledger=ledger, standby=standby, counts=counts, claim=None)


def after_forget(state: TargetState, entry: LedgerEntry) -> TargetState:
    """Removes this one entry. Another entry of the same credential, with another ending, stays.

    The idle credential of `alternating`, which an abandoned attempt may have created, stays known.
    """
    idle = replace(entry.credential, password=None) if entry.ending is Ending.STAND_BY else None
    kept = tuple(other for other in state.ledger if other != entry)
    return replace(state, ledger=kept, standby=state.standby or idle, claim=None)


def after_stray_removal(state: TargetState) -> TargetState:
    """Counts a stray credential as deleted. There may be more of them, so the entry stays."""
    return replace(state, counts=replace(state.counts, deleted=state.counts.deleted + 1), claim=None)


def after_postponement(state: TargetState, entry: LedgerEntry, note: str, not_before: datetime) -> TargetState:
    """Notes why a credential could not be retired yet; the entry stays for as long as it takes."""
    later = replace(entry, failures=entry.failures + 1, not_before=not_before, note=note, held_by="")
    return replace(state, ledger=swap(state.ledger, entry, later), claim=None)


def worth_trying_at(entry: LedgerEntry, earliest: datetime) -> datetime:
    """Returns when to try again to end what a key has no right to end: in a day, or at its next stage.

    Each try costs a proof of what is published. The same holds for disabling what has a random password.
    """
    stages = (entry.disable_at, entry.ends_at)
    return min([earliest + _ONCE_A_DAY, *(stage for stage in stages if stage > earliest)])


def after_lost_answer(state: TargetState, entry: LedgerEntry, note: str, not_before: datetime) -> TargetState:
    """Notes that the provider may have been told when to end a credential by itself; it is told again."""
    lost = replace(entry, uncertain=True)
    return after_postponement(replace(state, ledger=swap(state.ledger, entry, lost)), lost, note, not_before)


def swap(ledger: tuple[LedgerEntry, ...], old: LedgerEntry, new: LedgerEntry) -> tuple[LedgerEntry, ...]:
    """Returns the ledger with one entry changed."""
    return tuple(new if entry == old else entry for entry in ledger)
