"""The rules for proving again what is published: a proof ages.

Before each retirement what is published has a fresh proof. A refused log-in is believed once a second one, spaced by
the propagation time, was refused as well; then nothing is retired until the provider accepts what is published.
"""

from dataclasses import replace
from datetime import datetime, timedelta

from rotator.core.actions import Decision, DrawVerification, Verify
from rotator.core.attempts import may_cut_off
from rotator.core.backoff import LONGEST_ASKED, is_waiting
from rotator.core.clocks import RESOLUTION, Clocks
from rotator.core.facts import Facts, has_other_identity, is_same_credential
from rotator.core.holding import Hold, HoldReason
from rotator.core.holds import log_in_hold
from rotator.core.ledger import VERIFIED_BEFORE_END, keeps_devices
from rotator.core.model import (
    Credential,
    LedgerEntry,
    Listed,
    Policy,
    Strategy,
    Target,
    TargetState,
    Verification,
    is_same_name,
)
from rotator.core.schedule import SPREAD

FRESH = timedelta(minutes=5)
"""A proof that is older is made again before anything rests on it."""
BELIEVED = 2
"""So many refused proofs in a row are believed: the first may have met a change that was still propagating."""
# Registrars lock addresses out after a number of wrong log-ins.
_AFTER_REFUSALS = (timedelta(minutes=1), timedelta(minutes=10), timedelta(hours=1))
_LONGEST_ASKED_OF_DEVICES = timedelta(minutes=2)


def is_fresh(proved_at: datetime | None, facts: Facts, within: timedelta = FRESH) -> bool:
    """True if a proof is recent. All processes stamp it by Vault's time, so their own clocks do not matter."""
    return proved_at is not None and abs(facts.clocks.vault - proved_at) <= within


def is_refused(state: TargetState) -> bool:
    """True if the provider definitely does not accept what is published."""
    last = state.verification
    return last is not None and not last.accepted and last.refusals >= BELIEVED


def longest_asked(state: TargetState) -> timedelta:
    """Returns the longest Retry-After that is obeyed: minutes while what is published may not be accepted."""
    refused = state.verification is not None and not state.verification.accepted
    cut_off = state.attempt is not None and may_cut_off(state.attempt)
    return _LONGEST_ASKED_OF_DEVICES if refused or cut_off else LONGEST_ASKED


def before_retirement(facts: Facts, entry: LedgerEntry) -> Decision | None:
    """Returns what must come before a replaced credential is ended; None if what is published has a fresh proof.

    An emergency waits for a definite refusal only, and not for a provider that cannot be asked. What was refused last
    counts as refused until somebody can be asked again, unless nobody ever can: the account is not configured.
    """
    published, last, name = facts.state.published, facts.state.verification, facts.target.name
    if published is None:
        message = f"{entry.label} is not retired before something is published in its place"
        remedy = f"publish it (rotator rotate {name}), or retire the target again (rotator retire {name} --published)"
        return Hold(HoldReason.UNVERIFIED, f"{message}: {remedy}") if is_all_that_works(facts, entry) else None
    decision = fresh_verification(facts)
    refused = last is not None and not last.accepted and published.account in facts.capabilities
    return None if entry.compromised and isinstance(decision, Hold) and not refused else decision


def is_all_that_works(facts: Facts, entry: LedgerEntry) -> bool:
    """True if devices use a replaced credential and nothing is published: somebody has taken a retired target back."""
    return facts.state.published is None and not facts.only_ends and keeps_devices(entry)


def fresh_verification(facts: Facts) -> Decision | None:
    """Returns the next step towards a fresh proof of what is published; None if there is one.

    A provider that does not accept it, or cannot be asked, is a hold until the stored time of the next try.
    """
    state, last = facts.state, facts.state.verification
    if last is not None and not last.accepted:
        return refused_hold(facts, last) if _waits(facts) else ask(facts)
    # When a short overlap ends, a proof from its beginning must not count.
    within = max(min(FRESH, facts.target.policy.overlap / 2), RESOLUTION)
    if last is not None and is_fresh(last.at, facts, within):
        return None
    if state.verify_failures and _waits(facts):
        return Hold(HoldReason.UNVERIFIED, "the provider could not be asked whether it accepts what is published")
    return ask(facts)


def _waits(facts: Facts) -> bool:
    """True until the next try after a refusal or a lost answer. By Vault's time: processes share the wrong log-ins."""
    return is_waiting(facts.state.verify_at, facts.clocks.vault)


def ask(facts: Facts) -> Decision:
    """Returns the proof of what is published, or why nobody can be asked now."""
    published = facts.state.published
    if published is None:
        return Hold(HoldReason.UNVERIFIED, "nothing is published yet")
    if is_being_replaced(facts.state):
        return Hold(HoldReason.UNVERIFIED, "the published credential is being replaced")
    if has_other_identity(facts, published):
        return Hold(HoldReason.UNVERIFIED, f"{published.account} is another account now and cannot be asked")
    if published.account not in facts.capabilities or published.account in facts.open_circuits:
        return Hold(HoldReason.UNVERIFIED, f"{published.account} cannot be asked whether it accepts what is published")
    return log_in_hold(facts, published.account) or Verify(published)


def is_being_replaced(state: TargetState) -> bool:
    """True while the open attempt may refuse what is published, as it takes its place: a proof would show nothing."""
    attempt, published = state.attempt, state.published
    if attempt is not None and attempt.before:
        return False  # nothing was sent yet
    if attempt is not None and attempt.detaches:
        return True
    if attempt is None or published is None or attempt.strategy is not Strategy.IN_PLACE:
        return False
    return is_same_credential(attempt.staged, published)


def refused_hold(facts: Facts, last: Verification, more: str = "") -> Hold:
    """Holds what relies on a published credential that the provider did not accept the last time."""
    name = facts.state.published.username if facts.state.published else facts.target.name
    if facts.only_ends:  # nobody repairs it
        more = f"; end it with the rest: rotator retire {facts.target.name} --published"
    message = f"the provider does not accept {name}, which is published ({last.proof}): nothing is retired meanwhile"
    return Hold(HoldReason.PUBLISHED_REFUSED, message + more)


def periodic(facts: Facts) -> Decision | None:
    """Verifies what is published when that is due: between rotations, and again after a refusal or a lost answer."""
    state, interval = facts.state, facts.target.policy.verify
    if state.verify_at is None:
        return DrawVerification() if interval is not None else None
    again = state.verify_failures or (state.verification is not None and not state.verification.accepted)
    if again:
        return None if _waits(facts) else ask(facts)
    if interval is not None and state.verify_at > facts.clocks.vault + interval + RESOLUTION:
        return DrawVerification()  # Vault's clock was ahead when it was stored, or the interval was longer
    wanted = interval is not None or ends_by_itself(state)
    return ask(facts) if wanted and state.verify_at <= facts.clocks.vault else None


def ends_by_itself(state: TargetState) -> bool:
    """True if the provider was told to end a replaced credential, and does so if nobody takes that back."""
    return any(entry.expires_at is not None and not entry.cut_off for entry in state.ledger)


def after_verification_draw(state: TargetState, policy: Policy, now: datetime, fraction: float) -> TargetState:
    """Stores the time of the next verification, which is not there yet or lies too far ahead: then as if after one now.

    The first is spread over a whole interval: a fleet may begin at the same time.
    """
    if state.verify_at is not None:
        return replace(state, verify_at=next_verification(state.ledger, policy, now, fraction))
    return replace(state, verify_at=None if policy.verify is None else now + policy.verify * fraction)


def next_verification(
    ledger: tuple[LedgerEntry, ...], policy: Policy, proved: datetime, fraction: float
) -> datetime | None:
    """Returns when what is published is verified next, up to a tenth of the interval earlier; None: never.

    It is verified in any case before the provider, as it was told, ends a replaced credential by itself.
    """
    moments = [] if policy.verify is None else [proved + policy.verify * (1 - SPREAD * fraction)]
    moments += [entry.expires_at - VERIFIED_BEFORE_END for entry in ledger if entry.expires_at is not None]
    return min((moment for moment in moments if moment > proved), default=None)


def overdue_from(state: TargetState, policy: Policy) -> datetime | None:
    """Returns when it is two intervals that nobody answered whether what is published is accepted; None: never."""
    last = state.verification.at if state.verification is not None else state.verify_at
    return None if policy.verify is None or last is None else last + 2 * policy.verify


def is_overdue(state: TargetState, policy: Policy, now: datetime) -> bool:
    """True if nobody has answered for two intervals whether what is published is accepted."""
    since = overdue_from(state, policy)
    return since is not None and now > since


def after_acceptance(state: TargetState, target: Target, how: str, clocks: Clocks, fraction: float) -> TargetState:
    """Records that the provider accepts what is published."""
    accepted = Verification(clocks.vault, accepted=True, proof=how)
    following = next_verification(state.ledger, target.policy, clocks.vault, fraction)
    return replace(state, verification=accepted, verify_at=following, verify_failures=0)


def after_refused_proof(
    state: TargetState,
    message: str,
    clocks: Clocks,
    propagation: timedelta,
    listed: Listed | None = None,
) -> TargetState:
    """Records that the provider did not accept what is published, and spaces the next try.

    A refusal that follows too soon, as somebody asked by hand, is not another one.
    """
    last, spacing = state.verification, max(_AFTER_REFUSALS[0], propagation)
    refusals = last.refusals if last is not None else 0
    if last is not None and refusals and abs(clocks.vault - last.at) < spacing - RESOLUTION:
        soon = clocks.vault + spacing
        again = replace(last, proof=message, listed=listed or last.listed)
        return replace(state, verification=again, verify_at=max(state.verify_at or soon, soon), verify_failures=0)
    refusals += 1
    repaired = last is not None and last.repaired
    refused = Verification(
        clocks.vault,
        accepted=False,
        proof=message,
        refusals=refusals,
        repaired=repaired,
        listed=listed,
    )
    spacing = max(_AFTER_REFUSALS[min(refusals, len(_AFTER_REFUSALS)) - 1], propagation)
    return replace(state, verification=refused, verify_at=clocks.vault + spacing, verify_failures=0)


def compare(published: Credential, matches: tuple[Credential, ...]) -> Listed:
    """Returns what a listing shows of a published credential that is refused."""
    if not matches:
        return Listed.GONE
    if not matches[0].enabled:
        return Listed.DISABLED
    if not is_same_name(matches[0].username, published.username):
        return Listed.OTHER_USERNAME
    shown = matches[0].password
    return Listed.UNCHANGED if shown is None or shown == published.password else Listed.OTHER_PASSWORD


def after_no_answer(state: TargetState, again: datetime) -> TargetState:
    """Records that the provider could not be asked until `again`, by Vault's clock. What it answered last holds."""
    return replace(state, verify_failures=state.verify_failures + 1, verify_at=again)
