"""When an attempt of which nothing was carried out no longer fits its target, and what giving one up does."""

from dataclasses import replace

import pytest
from core_facts import ALTERNATING, CLAIM, IN_PLACE, NEW, OLD, STAGED, TARGET, attempt, document, facts

from rotator.core.abandonment import Abandonment, AbandonmentImpossible, abandonment, change_since_staging
from rotator.core.actions import Abandon, TakeClaim
from rotator.core.attempts import is_unsent
from rotator.core.decide import decide
from rotator.core.model import Phase, Purpose, Strategy

IDLE = replace(STAGED, username="b", id="id-b")
SET = {"strategy": Strategy.IN_PLACE, "staged": OLD}
SPARE = {"strategy": Strategy.ALTERNATING, "staged": IDLE}
MADE_AGAIN = {"strategy": Strategy.IN_PLACE, "staged": replace(OLD, username="office", id="id-again")}
MOVED_HERE = {"strategy": Strategy.ALTERNATING, "staged": replace(NEW, username="office")}
ELSEWHERE = {"state_published": replace(OLD, account="elsewhere")}
UNDONE = {"purpose": Purpose.UNDO, "staged": replace(OLD, account="other")}
OTHER_ACCOUNT = "office has moved from fake to other"
OTHER_CONFIGURATION = "the strategy or the usernames of office have changed"


@pytest.mark.parametrize(
    ("target", "changes", "known", "change"),
    [
        (TARGET, {}, {}, ""),
        (replace(TARGET, usernames=("another",)), {}, {}, ""),  # every name is new
        (replace(TARGET, account="other"), {}, {}, OTHER_ACCOUNT),
        (TARGET, SET, {}, OTHER_CONFIGURATION),
        (TARGET, SPARE, {}, OTHER_CONFIGURATION),
        (IN_PLACE, SET, {}, ""),
        (replace(IN_PLACE, usernames=("another",)), SET, {}, ""),  # what is published is rotated
        (IN_PLACE, {}, {}, OTHER_CONFIGURATION),
        (IN_PLACE, MADE_AGAIN, {}, ""),
        (replace(IN_PLACE, usernames=("another",)), MADE_AGAIN, {}, OTHER_CONFIGURATION),
        (IN_PLACE, MADE_AGAIN, {"state_published": None}, ""),
        (IN_PLACE, MOVED_HERE, ELSEWHERE, ""),
        (replace(IN_PLACE, usernames=("another",)), MOVED_HERE, ELSEWHERE, OTHER_CONFIGURATION),
        (replace(IN_PLACE, usernames=("b",)), SPARE, {}, OTHER_CONFIGURATION),
        (ALTERNATING, SPARE, {}, ""),
        (replace(ALTERNATING, usernames=("a", "c")), SPARE, {}, OTHER_CONFIGURATION),
        (replace(ALTERNATING, usernames=("old", "b")), SET, {}, OTHER_CONFIGURATION),
        (ALTERNATING, {}, {}, OTHER_CONFIGURATION),
        (replace(TARGET, account="elsewhere"), UNDONE, {"capabilities": {"other": None}}, ""),
        (TARGET, UNDONE, {}, "other has left the configuration"),
    ],
)
def test_an_attempt_fits_while_its_credential_would_be_staged_again(target, changes, known, change):
    opened = attempt(**changes)
    assert change_since_staging(facts(target, state_attempt=opened, **known), opened) == change


@pytest.mark.parametrize(
    ("changes", "unsent"),
    [({}, True), ({"uncertain": True}, False), ({"phase": Phase.APPLIED}, False), ({"phase": Phase.PROVED}, False)],
)
def test_only_what_was_never_carried_out_ends_because_its_target_changed(changes, unsent):
    opened = attempt(**changes)
    moved = facts(replace(TARGET, account="other"), state_attempt=opened)
    assert is_unsent(opened) is unsent
    assert (decide(moved) == Abandon(OTHER_ACCOUNT)) is unsent


def test_a_claim_comes_before_the_end_and_tells_what_a_crash_left():
    moved = facts(replace(TARGET, account="other"), state_attempt=attempt(), holds_claim=False)
    assert decide(moved) == TakeClaim()


KNOWN_SET = {"strategy": Strategy.IN_PLACE, "staged": replace(OLD, password=NEW.password)}
STAYS = "Devices keep old of fake, which stays published."
KEEP = "Nothing has been published yet, so devices keep what they use."
DISCARDED = "Nothing was carried out at fake: the staged password of"


@pytest.mark.parametrize(
    ("changes", "known", "restores", "consequence"),
    [
        ({}, {}, False, f"{STAYS} {DISCARDED} new is discarded."),
        (
            {"staged": replace(STAGED, username="")},
            {"state_published": None},
            False,
            f"{KEEP} {DISCARDED} a new credential is discarded.",
        ),
        (KNOWN_SET, {}, False, f"{STAYS} {DISCARDED} old is discarded."),
        (
            {"uncertain": True},
            {},
            False,
            f"{STAYS} new may exist at fake with the staged password: the ledger deletes it there.",
        ),
        (
            {**SPARE, "phase": Phase.APPLIED},
            {},
            False,
            f"{STAYS} b may exist at fake with the staged password: the ledger disables it there.",
        ),
        (
            {**KNOWN_SET, "uncertain": True},
            {},
            True,
            (
                "The old password of old, which devices use, is set again at fake. "
                "The staged password of old may come into force late at fake: the ledger keeps it for a while."
            ),
        ),
        (
            {**KNOWN_SET, "phase": Phase.PROVED},
            {"capabilities": {}},
            False,
            f"{STAYS} The staged password of old may come into force at fake: the ledger keeps it for a while.",
        ),
        (
            {**KNOWN_SET, "uncertain": True, "predecessor": replace(OLD, password=None)},
            {},
            False,
            f"{STAYS} The staged password of old may come into force at fake: the ledger keeps it for a while.",
        ),
        (
            {**UNDONE, "strategy": Strategy.ALTERNATING, "uncertain": True},
            {},
            False,
            f"{STAYS} old may have been enabled at other: the ledger disables it again.",
        ),
    ],
)
def test_what_giving_up_does_is_said_before_it_is_done(changes, known, restores, consequence):
    opened = attempt(**changes)
    assert abandonment(facts(state_attempt=opened, **known)) == Abandonment(
        opened, OLD if restores else None, consequence
    )


def test_what_a_process_sent_that_died_is_not_on_record():
    left = facts(state_attempt=attempt(), state_claim=CLAIM, holds_claim=False)
    assert abandonment(left) == abandonment(facts(state_attempt=attempt(uncertain=True)))
    assert "may exist" in abandonment(left).consequence
    assert "Nothing was carried out" in abandonment(facts(state_attempt=attempt(), state_claim=CLAIM)).consequence


def test_there_is_nothing_to_give_up_without_an_attempt_or_once_it_is_published():
    assert abandonment(facts()) == AbandonmentImpossible("no attempt is open, and no request waits")
    published = facts(state_attempt=attempt(phase=Phase.PROVED, staged=NEW), consumer=document(NEW))
    reason = "its new password is published already: the attempt ends by itself"
    assert abandonment(published) == AbandonmentImpossible(reason)
    assert isinstance(abandonment(facts(state_attempt=attempt(phase=Phase.PROVED, staged=NEW))), Abandonment)
    unrecorded = facts(state_attempt=attempt(), consumer=document(NEW))
    assert abandonment(unrecorded) == AbandonmentImpossible(reason)
    by_hand = replace(document(NEW), attempt=None)
    assert isinstance(abandonment(facts(state_attempt=attempt(staged=NEW), consumer=by_hand)), Abandonment)
