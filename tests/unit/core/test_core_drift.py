"""What follows if the provider refuses what is published: a repair, or a hold that says what to do."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from core_facts import ALTERNATING, ENTRY, HOUR, NOW, OLD, REQUEST, TARGET, attempt, facts

from rotator.core import advance, drift
from rotator.core.actions import Drop, Repair, Stage, Verify
from rotator.core.decide import decide
from rotator.core.drift import ALONE
from rotator.core.facts import Facts
from rotator.core.holding import Hold, HoldReason
from rotator.core.model import Ending, Listed, Proof, Purpose, Request, Target, TargetState, Verification
from rotator.core.verification import after_refused_proof
from rotator.testing import CHOSEN

REFUSED = Verification(NOW - HOUR, accepted=False, proof="403", refusals=2)
BEGINNING = "the provider does not accept old, which is published (403): nothing is retired meanwhile; "
ELSEWHERE = (
    "it is gone, or the key is that of another account, where nothing else of ours was seen either: "
    "correct the key, or rotator rotate office"
)
READ_BACK = {"fake": replace(CHOSEN, proof=Proof("the listing", tries_password=False))}


def refused(target: Target = TARGET, **changes: Any) -> Facts:
    """What is published is refused, and is not due to be proved again."""
    verification = {name: changes.pop(name) for name in ("refusals", "listed", "repaired") if name in changes}
    known = {
        "state_verification": replace(REFUSED, **verification),
        "state_verify_at": NOW + HOUR,
        "refused_targets": 1,
    }
    return facts(target, **{**known, "refused_for": ALONE, **changes})


@pytest.mark.parametrize(
    ("known", "message"),
    [
        (refused(refusals=1), "it is proved once more before anything is done about it"),
        (refused(), "it could not be looked up yet"),
        (
            refused(listed=Listed.GONE, repaired=True),
            "it was rotated once because of that: rotator rotate office",
        ),
        (
            refused(listed=Listed.GONE, capabilities=READ_BACK, account_vouched_for=False),
            ELSEWHERE,
        ),
        (
            refused(listed=Listed.UNCHANGED, refused_targets=2),
            "2 targets of its account are refused and listed unchanged: find the cause at the registrar",
        ),
    ],
)
def test_a_hold_says_what_is_known_and_what_ends_it(known, message):
    assert drift.verify(known) == Hold(HoldReason.PUBLISHED_REFUSED, BEGINNING + message)


def test_what_is_listed_unchanged_is_repaired_after_a_quarter_of_an_hour_in_which_no_other_was_refused():
    early = refused(listed=Listed.UNCHANGED, refused_for=ALONE - timedelta(minutes=1))
    message = BEGINNING + "it is listed unchanged, and is rotated soon if no other target is refused"
    until = NOW + timedelta(minutes=1)
    assert drift.verify(early) == Hold(HoldReason.PUBLISHED_REFUSED, message, until)
    assert isinstance(drift.verify(refused(listed=Listed.UNCHANGED)), Repair)


@pytest.mark.parametrize("listed", [Listed.GONE, Listed.DISABLED])
def test_what_the_account_shows_as_changed_is_repaired_at_once_by_a_request_of_rotators_own(listed):
    reason = f"drift: old at fake is refused and {listed.value}"
    expected = Repair(Request(Purpose.ROTATE, "rotator", reason, NOW, repairs=True))
    assert drift.verify(refused(listed=listed, refused_targets=9, refused_for=timedelta())) == expected


def test_what_only_a_listing_shows_as_gone_is_believed_once_the_account_is_vouched_for():
    known = refused(listed=Listed.GONE, capabilities=READ_BACK, account_vouched_for=True)
    assert isinstance(drift.verify(known), Repair)


@pytest.mark.parametrize("stays", [True, False])
def test_the_predecessor_of_a_pair_is_published_again_while_it_can_be(stays):
    entry = replace(ENTRY, ending=Ending.STAND_BY, disable_at=NOW + HOUR)
    known = refused(ALTERNATING, listed=Listed.GONE, state_ledger=(entry,) if stays else ())
    assert drift.verify(known).request.purpose is (Purpose.UNDO if stays else Purpose.ROTATE)
    assert drift.verify(replace(known, target=TARGET)).request.purpose is Purpose.ROTATE


@pytest.mark.parametrize("busy", [{"state_attempt": attempt()}, {"state_request": REQUEST}, {"state_published": None}])
def test_nothing_is_repaired_while_something_is_under_way_or_before_anything_is_published(busy):
    assert drift.verify(refused(listed=Listed.GONE, **busy)) is None


def test_a_repair_keeps_the_back_off_and_happens_once():
    request = Request(Purpose.ROTATE, "rotator", "drift", NOW)
    before = TargetState("office", published=OLD, verification=REFUSED, not_before=NOW + HOUR, failures=2)
    after = drift.after_repair(before, request)
    assert after == replace(before, request=request, verification=replace(REFUSED, repaired=True))


def test_an_undo_that_came_too_late_to_repair_is_followed_by_a_rotation():
    """It waited until its predecessor was gone, and nothing else was tried: devices were out until somebody came."""
    waiting = Request(Purpose.UNDO, "rotator", "drift", NOW, repairs=True)
    known = refused(ALTERNATING, listed=Listed.GONE, repaired=True, state_request=waiting)
    known = replace(known, state=replace(known.state, verification=replace(known.state.verification, at=NOW)))
    dropped = decide(known)
    assert isinstance(dropped, Drop)
    assert not dropped.needless
    after = advance.after_drop(known.state, dropped.message, NOW)
    repair = drift.verify(replace(known, state=after))
    assert isinstance(repair, Repair)
    assert repair.request.purpose is Purpose.ROTATE
    by_hand = replace(known.state, request=replace(waiting, repairs=False))
    assert advance.after_drop(by_hand, "no", NOW).verification.repaired, "a person's undo starts no repair"


def test_a_repair_that_has_waited_is_not_proved_again_and_again_where_changes_are_slow():
    """A refusal that follows too soon left its time as it was: each step of a look was another wrong log-in."""
    slow = {"fake": replace(CHOSEN, propagation=timedelta(minutes=20))}
    waiting = Request(Purpose.ROTATE, "rotator", "drift", NOW, repairs=True)
    known = refused(listed=Listed.GONE, repaired=True, state_request=waiting, capabilities=slow)
    last = replace(known.state.verification, at=NOW - timedelta(minutes=10))
    proved = after_refused_proof(
        replace(known.state, verification=last), "403", known.clocks, slow["fake"].propagation, Listed.GONE
    )
    assert isinstance(decide(replace(known, state=proved)), Stage)
    old = replace(last, at=NOW - timedelta(minutes=21))
    assert isinstance(decide(replace(known, state=replace(known.state, verification=old))), Verify)
