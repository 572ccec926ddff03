"""A target at rest, and what may be going on with it: the facts that tests of `core` start from."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from rotator.core.consumer_document import ConsumerDocument
from rotator.core.facts import Facts
from rotator.core.hook_rules import HookCall, HookMoment, OwedHook
from rotator.core.model import (
    Attempt,
    Claim,
    Credential,
    Ending,
    LedgerEntry,
    Phase,
    Policy,
    Purpose,
    Request,
    Strategy,
    Target,
    TargetState,
    Verification,
)
from rotator.core.passwords import PasswordRules
from rotator.core.schedule import Every
from rotator.core.secret import Secret
from rotator.testing import CHOSEN

NOW = datetime(2026, 1, 5, 12, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
POLICY = Policy("p", Every(90 * DAY), None, DAY, 7 * DAY, PasswordRules())
TARGET = Target("office", "fake", Strategy.REPLACE, ("office",), "sip/office", POLICY)
ALTERNATING = replace(TARGET, strategy=Strategy.ALTERNATING, usernames=("a", "b"))
IN_PLACE = replace(TARGET, strategy=Strategy.IN_PLACE)
OLD = Credential("fake", "old", "id-old", Secret("old password"), attempt="1")
NEW = Credential("fake", "new", "id-new", Secret("new password"), attempt="2")
STAGED = replace(NEW, id=None)
OTHER = Credential("fake", "other", "id-other", Secret("other password"), attempt="0")
ATTEMPT = Attempt(
    "2", Purpose.ROTATE, Strategy.REPLACE, Phase.STAGED, STAGED, OLD, NOW, "schedule", "due", proved_at=NOW
)
CALL = HookCall("tell", HookMoment.AFTER_ROTATION, "2.k", "fake", "new", "id-new", "rotate", False, ATTEMPT.origin)
OWED = OwedHook(CALL, NOW)
VERIFIED = Verification(NOW, accepted=True, proof="asking the fake")
ENTRY = LedgerEntry(NEW, Ending.DELETE, NOW - DAY, NOW, 7 * DAY)
REQUEST = Request(Purpose.ROTATE, "somebody", "because", NOW)
UNDO = replace(REQUEST, purpose=Purpose.UNDO)
LATER = NOW + timedelta(minutes=1)
CLAIM = Claim("me", LATER)
# Two entries of one credential: its old password, and itself.
FIRST = LedgerEntry(OLD, Ending.FORGET, NOW - HOUR, NOW, HOUR)
SECOND = LedgerEntry(replace(OLD, password=NEW.password), Ending.DELETE, NOW, NOW + DAY, DAY)


def document(credential: Credential) -> ConsumerDocument:
    """The consumer document that hands `credential` out."""
    return ConsumerDocument(3, exists=True, username=credential.username, password=credential.password,
                            credential_id=credential.id, attempt=credential.attempt)  # fmt: skip


def facts(target: Target = TARGET, consumer: ConsumerDocument | None = None, **changes: Any) -> Facts:
    """A target at rest: `OLD` is published, nothing is due. `state_...` changes its state, the rest the facts."""
    state = TargetState("office", published=OLD, last_rotation=NOW - 60 * DAY, next_rotation=NOW + 80 * DAY)
    state = replace(state, scheduled_by=target.policy.schedule_key, verification=VERIFIED)
    state = replace(
        state, **{name.removeprefix("state_"): v for name, v in changes.items() if name.startswith("state_")}
    )
    rest = {name: value for name, value in changes.items() if not name.startswith("state_")}
    known: dict[str, Any] = {
        "holds_claim": True,
        "capabilities": {"fake": CHOSEN},
        "other_claim_remaining": timedelta(),
        "now": NOW,
    } | rest
    return Facts(target=target, state=state, consumer=consumer or document(OLD), **known)


def attempt(**changes: Any) -> Attempt:
    """The open attempt, with some fields changed."""
    return replace(ATTEMPT, **changes)


def opened(phase: Phase = Phase.STAGED, **changes: Any) -> TargetState:
    """The state of a target with an open attempt, some fields of which are changed."""
    return TargetState(
        "office", published=OLD, claim=CLAIM, attempt=attempt(**{"phase": phase, "staged": NEW} | changes)
    )
