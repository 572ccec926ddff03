"""The status document: what it says, that its keys are stable, that no value is in it."""

import json
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from core_facts import OWED

from rotator.core.audit_chain import Position
from rotator.core.holding import Hold, HoldReason
from rotator.core.model import (
    Attempt,
    Claim,
    Counts,
    Credential,
    Ended,
    EndedBy,
    Ending,
    LastEnd,
    LedgerEntry,
    Listed,
    Phase,
    Policy,
    Purpose,
    Request,
    Strategy,
    Target,
    TargetState,
    Verification,
)
from rotator.core.origin import Origin
from rotator.core.passwords import PasswordRules
from rotator.core.pauses import Pause, Pauses, Scope
from rotator.core.schedule import Every, Window
from rotator.core.secret import Secret
from rotator.observe import ledger_status, status, target_status
from rotator.observe.audit import AuditStatus
from rotator.observe.audit_outlet import OutletStatus
from rotator.observe.status import status_document
from rotator.observe.status_words import orphan_words
from rotator.observe.surroundings import Surroundings
from rotator.testing import CHOSEN, GENERATED, FakeClock

SENTINEL = "Sentinel-Value-77"
DAY = timedelta(days=1)
NOW = FakeClock().now()
PAUSE = Pause(Scope(account="acc"), NOW, NOW + timedelta(hours=1), Origin("anna", "incident", "ticket 7"))
TERMINAL = replace(GENERATED, re_enables=False)
POLICY = Policy("quarterly", Every(90 * DAY), Window("0 2 * * *", timedelta(hours=4)), DAY, 7 * DAY, PasswordRules())
TARGET = Target("phone", "acc", Strategy.REPLACE, ("user1",), "sip/phone", POLICY)
AROUND = Surroundings("me", "1.2.3", {"acc": "vobiz", "tel": "telnyx"}, {"acc": CHOSEN, "tel": TERMINAL})


def credential(name: str, *, account: str = "acc", known: bool = True) -> Credential:
    return Credential(account, name, f"id-{name}", Secret(SENTINEL) if known else None, "sip:realm", "a0")


def entry(**changes: Any) -> LedgerEntry:
    made = LedgerEntry(credential("old"), Ending.DELETE, NOW - DAY, NOW + DAY, 7 * DAY)
    return replace(made, **changes)


def full_state() -> TargetState:
    """Everything that a state document can hold."""
    attempt = Attempt(
        "a1",
        Purpose.ROTATE,
        Strategy.REPLACE,
        Phase.APPLIED,
        credential("new"),
        credential("pub"),
        NOW,
        "anna",
        "leaver",
    )
    return TargetState(
        "phone",
        published=replace(credential("pub"), made_at=NOW - 5 * DAY),
        published_since=NOW - 3 * DAY,
        standby=credential("by"),
        attempt=replace(attempt, uncertain=True, applied_at=NOW, compromised=True),
        ledger=(entry(note="active calls", failures=2),),
        last_rotation=NOW - 3 * DAY,
        next_rotation=NOW + 80 * DAY,
        failures=2,
        not_before=NOW + timedelta(minutes=5),
        last_error="refused",
        request=Request(Purpose.UNDO, "bob", "wrong one", NOW, take_over=True),
        claim=Claim("other", NOW + timedelta(minutes=1)),
        ended=(
            Ended(
                credential("old"),
                EndedBy.DISABLED,
                NOW,
                compromised=True,
                accepted=1,
                not_before=NOW + timedelta(minutes=5),
                note="SIP REGISTER",
            ),
        ),
        last_end=LastEnd("older", EndedBy.DELETED, NOW - DAY, NOW, "refused (401)"),
        counts=Counts(
            succeeded=7, failed=1, undone=2, disabled=3, deleted=4, ends_shown=5, ends_not_shown=6, seconds=9.5
        ),
        verification=Verification(NOW, accepted=False, proof="403 Forbidden", refusals=2, listed=Listed.GONE),
        verify_at=NOW,
        owed=(replace(OWED, failures=2, not_before=NOW + DAY, note="the hook tell failed: it answers 503"),),
    )


def only(state: TargetState, around: Surroundings = AROUND, target: Target = TARGET) -> dict[str, Any]:
    (found,) = status_document([target], {"phone": state}, NOW, around)["targets"]
    return dict(found)


_NOW = NOW.isoformat()
IN_THE_MIDDLE_OF_THINGS: dict[str, Any] = {
    "name": "phone",
    "provider": "vobiz",
    "account": "acc",
    "strategy": "replace",
    "policy": "quarterly",
    "path": "sip/phone",
    "usernames": ["user1"],
    "state": "failing",
    "published": {
        "account": "acc",
        "id": "id-pub",
        "username": "pub",
        "attempt": "a0",
        "since": "2026-01-02T12:00:00+00:00",
        "made_at": "2025-12-31T12:00:00+00:00",
    },
    "age_seconds": 5 * 86_400.0,
    "max_age_seconds": 90 * 86_400.0 + 4 * 3_600,
    "age_limit": None,
    "last_rotation": "2026-01-02T12:00:00+00:00",
    "next_rotation": {"at": "2026-03-26T12:00:00+00:00", "why": "undo requested by bob: wrong one"},
    "attempt": {
        "id": "a1",
        "purpose": "rotate",
        "phase": "applied",
        "since": _NOW,
        "applied_at": _NOW,
        "uncertain": True,
        "compromised": True,
        "requested_by": "anna",
        "reason": "leaver",
        "credential": {"account": "acc", "id": "id-new", "username": "new"},
    },
    "ledger": [
        {
            "account": "acc",
            "id": "id-old",
            "username": "old",
            "ending": "delete",
            "made_at": None,
            "replaced_at": (NOW - DAY).isoformat(),
            "disable_at": (NOW + DAY).isoformat(),
            "disabled_at": None,
            "overwritten_at": None,
            "refused_at": None,
            "ends_at": (NOW + 8 * DAY).isoformat(),
            "undo_until": (NOW + 8 * DAY).isoformat(),
            "undo_refused": None,
            "overdue": False,
            "usage": None,
            "failures": 2,
            "note": "active calls",
        }
    ],
    "ended": [
        {
            "account": "acc",
            "id": "id-old",
            "username": "old",
            "by": "disabled",
            "at": _NOW,
            "compromised": True,
            "accepted": 1,
            "next": (NOW + timedelta(minutes=5)).isoformat(),
            "note": "SIP REGISTER",
        }
    ],
    "last_end": {
        "username": "older",
        "by": "deleted",
        "at": (NOW - DAY).isoformat(),
        "refused_at": _NOW,
        "detail": "refused (401)",
    },
    "failures": 2,
    "back_off_until": (NOW + timedelta(minutes=5)).isoformat(),
    "last_error": "refused",
    "waiting": {"reason": "backing off", "message": "refused", "until": _NOW},
    "pauses": [{"kind": "paused", "until": PAUSE.until.isoformat(), "holds": "changes", "why": PAUSE.words}],
    "request": {
        "purpose": "undo",
        "requested_by": "bob",
        "reason": "wrong one",
        "at": _NOW,
        "compromised": False,
        "take_over": True,
    },
    "claim": {"holder": "other", "until": (NOW + timedelta(minutes=1)).isoformat(), "ours": False},
    "counts": {
        "succeeded": 7,
        "failed": 1,
        "undone": 2,
        "disabled": 3,
        "overwritten": 0,
        "deleted": 4,
        "ends_shown": 5,
        "ends_not_shown": 6,
        "seconds": 9.5,
    },
    "verification": {
        "at": NOW.isoformat(),
        "accepted": False,
        "proof": "403 Forbidden",
        "refusals": 2,
        "listed": "gone",
        "repaired": False,
        "next": NOW.isoformat(),
    },
    "former_paths": [],
    "hooks": [
        {
            "hook": "tell",
            "moment": "after_rotation",
            "since": OWED.since.isoformat(),
            "failures": 2,
            "next": (NOW + DAY).isoformat(),
            "note": "the hook tell failed: it answers 503",
        }
    ],
}


def test_it_says_all_of_a_target_in_the_middle_of_things() -> None:
    held = {"phone": Hold(HoldReason.BACKING_OFF, "refused", NOW)}
    said = only(full_state(), replace(AROUND, holds=held, pauses=Pauses(1, (PAUSE,))))
    assert said == IN_THE_MIDDLE_OF_THINGS


def test_no_password_of_any_state_is_in_it() -> None:
    document = status_document([TARGET], {"phone": full_state(), "gone": full_state()}, NOW, AROUND)
    assert SENTINEL not in json.dumps(document, allow_nan=False)
    assert SENTINEL not in repr(document)


def _keys(value: Any) -> set[str]:
    if isinstance(value, dict):
        return set(value).union(*(_keys(inner) for inner in value.values()))
    return set().union(*(_keys(inner) for inner in value)) if isinstance(value, list) else set()


def test_every_key_is_documented() -> None:
    around = replace(
        AROUND,
        audit=AuditStatus(Position("c", 4, "h"), (OutletStatus("file", "/log", 1, 0, "full"),)),
        holds={"phone": Hold(HoldReason.NOT_DUE, "nothing is due")},
    )
    document = status_document([TARGET], {"phone": full_state(), "gone": full_state()}, NOW, around)
    documented = "".join(module.__doc__ or "" for module in (status, target_status, ledger_status))
    words = {key for key in _keys(document) if f"`{key}`" not in documented}
    assert words <= set(Counts.__dataclass_fields__)
    assert document["audit"] == {"chain": "c", "sequence": 4, "mac": "h", "waiting": 1, "problem": "/log: full"}


@pytest.mark.parametrize(
    ("vault_now", "offset"),
    [(None, None), (NOW - timedelta(seconds=1), 0.0), (NOW - DAY, 86_400.0), (NOW + DAY, -86_400.0)],
)
def test_it_says_how_far_this_machines_clock_is_ahead_of_vaults(
    vault_now: datetime | None, offset: float | None
) -> None:
    document = status_document([], {}, NOW, replace(AROUND, vault_now=vault_now))
    assert document["clock_offset_seconds"] == offset


def test_a_target_that_was_never_looked_at_is_listed() -> None:
    (said,) = status_document([TARGET], {}, NOW, AROUND)["targets"]
    assert (said["state"], said["published"], said["age_seconds"], said["waiting"]) == (
        "never rotated",
        None,
        None,
        None,
    )
    assert said["next_rotation"] == {"at": None, "why": "not scheduled yet"}


def test_states_of_targets_that_are_not_configured_are_listed_as_orphans() -> None:
    orphan = replace(full_state(), target="gone")
    document = status_document([TARGET], {"phone": full_state(), "gone": orphan}, NOW, AROUND)
    (said,) = document["orphans"]
    assert (said["name"], said["published"]["username"], said["attempt"]["id"]) == ("gone", "pub", "a1")
    assert [(held["username"], held["undo_until"], held["undo_refused"]) for held in said["ledger"]] == [
        ("old", None, "its target is not in the configuration")
    ]


def test_what_a_rename_that_was_cut_has_not_moved_is_told_with_the_command_that_finishes_it() -> None:
    moved = TargetState("emptied", renamed_to="lobby")
    states = {"gone": replace(full_state(), target="gone", renamed_to="reception"), "emptied": moved}
    (said,) = status_document([TARGET], states, NOW, AROUND)["orphans"]
    assert (said["renamed_to"], said["published"]["username"]) == ("reception", "pub")
    assert "(rotator rename gone reception)" in orphan_words(said)


@pytest.mark.parametrize(
    ("held", "until", "refused"),
    [
        (entry(), NOW + 8 * DAY, None),
        (entry(disabled_at=NOW), NOW + 7 * DAY, None),
        (entry(credential=credential("old", known=False)), None, "its password is unknown"),
        (entry(disabled_at=NOW - 8 * DAY), None, "its quarantine has ended"),
        (entry(credential=credential("t", account="tel")), NOW + DAY, None),
        (entry(credential=credential("t", account="tel"), disabled_at=NOW), None, "it was disabled, and this provider"),
        (entry(credential=credential("x", account="gone")), None, "its account gone is not in the configuration"),
        (entry(ending=Ending.FORGET), NOW + 8 * DAY, None),
    ],
)
def test_it_says_until_when_a_replaced_credential_can_come_back_or_why_not(
    held: LedgerEntry, until: datetime | None, refused: str | None
) -> None:
    (said,) = only(replace(full_state(), ledger=(held,)))["ledger"]
    assert said["undo_until"] == (until.isoformat() if until is not None else None)
    assert (said["undo_refused"] is None) == (refused is None)
    assert refused is None or said["undo_refused"].startswith(refused)


@pytest.mark.parametrize(
    ("state", "hold", "word"),
    [
        (TargetState("phone"), None, "never rotated"),
        (TargetState("phone", published=credential("pub")), Hold(HoldReason.NOT_DUE, "nothing is due"), "idle"),
        (replace(full_state(), failures=0), None, "rotating"),
        (full_state(), Hold(HoldReason.BACKING_OFF, "x"), "failing"),
        (full_state(), Hold(HoldReason.CIRCUIT_OPEN, "x"), "blocked"),
        (TargetState("phone", published=credential("pub")), Hold(HoldReason.CLOCKS_DIFFER, "x"), "blocked"),
        (TargetState("phone", published=credential("pub")), Hold(HoldReason.FOREIGN_DOCUMENT, "x"), "blocked"),
    ],
)
def test_one_word_says_how_a_target_is(state: TargetState, hold: Hold | None, word: str) -> None:
    holds = {"phone": hold} if hold is not None else {}
    assert only(state, replace(AROUND, holds=holds))["state"] == word


def test_why_a_rotation_comes_next() -> None:
    first = only(TargetState("phone", next_rotation=NOW))["next_rotation"]["why"]
    later = only(TargetState("phone", published=credential("p"), next_rotation=NOW))["next_rotation"]["why"]
    asked = Request(Purpose.ROTATE, "anna", "", NOW)
    wanted = only(TargetState("phone", request=asked, next_rotation=NOW))["next_rotation"]["why"]
    assert first == "policy quarterly in its maintenance window, first rotation"
    assert later == "policy quarterly in its maintenance window"
    assert wanted == "rotate requested by anna: no reason given"


def test_a_claim_that_ran_out_is_no_claim_and_ones_own_is_named() -> None:
    assert only(replace(full_state(), claim=Claim("other", NOW)))["claim"] is None
    ours = only(replace(full_state(), claim=Claim("me", NOW + DAY)))["claim"]
    assert ours["ours"] is True


def test_a_retired_target_is_not_rotated_again_until_somebody_asks() -> None:
    retired = TargetState("phone", next_rotation=NOW + 80 * DAY, retired_at=NOW)
    assert only(retired)["next_rotation"] == {"at": None, "why": "none: it was retired"}
    assert only(retired)["state"] == "retired"
