"""The usage check: a replaced credential is retired when nobody uses it, or when its overlap was extended enough."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from core_facts import DAY, ENTRY, HOUR, NOW, POLICY, REQUEST, TARGET, facts

from rotator.core import staging
from rotator.core.actions import CheckUsage, Disable, Expire, LiftEnd, Stage, Verify
from rotator.core.answers import Done, Refusal, Refused, Unknown
from rotator.core.decide import decide
from rotator.core.forecast import forecast
from rotator.core.freezes import Freezes
from rotator.core.holding import Hold, HoldReason
from rotator.core.ledger import end_despite_use, end_now
from rotator.core.model import Credential, Ending, Strategy
from rotator.core.origin import Origin
from rotator.core.usage import extended_until, in_words, summed_up
from rotator.core.usage_rules import MOST_KEPT, AfterExtension, Sighting, Usage, UsageRules
from rotator.testing import CHOSEN, GENERATED

MINUTE = timedelta(minutes=1)
RULES = UsageRules(("provider", "pbx"), every=15 * MINUTE, extend_at_most=3 * DAY)
ASKING = replace(TARGET, policy=replace(POLICY, usage=RULES))
HOLDING = replace(TARGET, policy=replace(POLICY, usage=replace(RULES, then=AfterExtension.HOLD)))
NOBODY = Sighting(NOW, in_use=False, evidence="provider: not registered")
SOMEBODY = Sighting(NOW, in_use=True, evidence="provider: registered", seen_at=NOW)
UNKNOWN = Sighting(NOW, in_use=None, evidence="pbx: no connection")


def decided(sighting=None, target=ASKING, entry=ENTRY, **changes) -> Any:
    return decide(facts(target, state_ledger=(replace(entry, sighting=sighting),), **changes))


def test_without_rules_nobody_is_asked():
    assert isinstance(decided(target=TARGET), Disable)


def test_at_the_end_of_the_overlap_every_source_is_asked_first():
    assert decided() == CheckUsage(ENTRY, ("provider", "pbx"))


def test_during_the_overlap_nobody_is_asked():
    assert isinstance(decided(entry=replace(ENTRY, disable_at=NOW + MINUTE)), Hold)


def test_nobody_uses_it_so_it_is_disabled():
    assert isinstance(decided(NOBODY), Disable)


def test_before_that_what_is_published_is_proved_as_ever():
    assert isinstance(decided(NOBODY, state_verification=None), Verify)


def test_a_no_ages_like_a_proof():
    assert isinstance(decided(replace(NOBODY, at=NOW - 6 * MINUTE)), CheckUsage)


@pytest.mark.parametrize("sighting", [SOMEBODY, UNKNOWN])
def test_who_is_there_or_may_be_extends_the_overlap(sighting):
    hold = decided(replace(sighting, at=NOW - 5 * MINUTE))
    assert hold.reason is HoldReason.IN_USE
    assert hold.until == NOW + 10 * MINUTE, "they are asked again"
    assert sighting.evidence in hold.message
    assert "2026-01-08 12:00 UTC" in hold.message


@pytest.mark.parametrize("sighting", [SOMEBODY, UNKNOWN])
def test_they_are_asked_again_after_the_interval(sighting):
    assert isinstance(decided(replace(sighting, at=NOW - 15 * MINUTE)), CheckUsage)


def test_a_moment_of_another_clock_counts_no_less():
    assert isinstance(decided(replace(SOMEBODY, at=NOW + 15 * MINUTE)), CheckUsage)


AT_THE_BOUND = replace(ENTRY, replaced_at=NOW - 4 * DAY, disable_at=NOW - 3 * DAY)


@pytest.mark.parametrize("sighting", [SOMEBODY, UNKNOWN])
def test_at_the_bound_it_is_retired_although_it_may_be_in_use(sighting):
    assert isinstance(decided(sighting, entry=AT_THE_BOUND), Disable)


def test_a_moment_before_the_bound_it_is_not():
    before = replace(AT_THE_BOUND, disable_at=AT_THE_BOUND.disable_at + MINUTE)
    hold = decided(SOMEBODY, entry=before)
    assert hold.reason is HoldReason.IN_USE
    assert hold.until == NOW + MINUTE, "the bound comes before the next question"


def test_even_at_the_bound_they_are_asked_once_more():
    assert isinstance(decided(replace(SOMEBODY, at=NOW - HOUR), entry=AT_THE_BOUND), CheckUsage)


def test_a_policy_that_holds_keeps_it_and_a_person_is_told():
    hold = decided(SOMEBODY, target=HOLDING, entry=AT_THE_BOUND)
    assert hold.reason is HoldReason.KEPT_IN_USE
    assert hold.reason.end.blocks
    assert hold.until == NOW + 15 * MINUTE
    assert "it stays until nobody uses it" in hold.message
    assert "rotator retire office --despite-use" in hold.message
    assert isinstance(decided(NOBODY, target=HOLDING, entry=AT_THE_BOUND), Disable)


def test_before_the_bound_a_policy_that_holds_waits_like_any_other():
    assert decided(SOMEBODY, target=HOLDING).reason is HoldReason.IN_USE


@pytest.mark.parametrize(
    "entry",
    [
        replace(ENTRY, compromised=True),
        replace(ENTRY, unasked=True),
        replace(ENTRY, replaced_at=ENTRY.disable_at),
    ],
    ids=["an emergency", "ended by a person", "without an overlap"],
)
def test_what_waits_for_nobody(entry):
    assert isinstance(decided(SOMEBODY, entry=entry), Disable)


def test_a_person_who_ends_an_overlap_is_not_held_up():
    (ended,) = end_now((ENTRY,), NOW, Origin("somebody", "because"))
    assert ended.unasked


def test_what_is_cut_off_is_deleted_without_a_question():
    entry = replace(ENTRY, disabled_at=NOW - 8 * DAY)
    assert "Delete" in type(decided(SOMEBODY, entry=entry)).__name__


def test_what_can_only_be_deleted_is_asked_about_before_that():
    only = {"fake": replace(CHOSEN, disables=False)}
    entry = replace(ENTRY, disable_at=NOW - 9 * DAY, replaced_at=NOW - 10 * DAY)
    assert isinstance(decided(entry=entry, capabilities=only), CheckUsage)


def test_an_old_password_is_forgotten_without_a_question():
    entry = replace(ENTRY, ending=Ending.FORGET, disable_at=NOW - 8 * DAY, replaced_at=NOW - 9 * DAY)
    assert "Forget" in type(decided(entry=entry)).__name__


def test_each_one_in_use_is_asked_about_in_time():
    other = replace(ENTRY, credential=replace(ENTRY.credential, id="id-3", username="third"))
    soon, late = replace(ENTRY, sighting=replace(SOMEBODY, at=NOW - 10 * MINUTE)), replace(other, sighting=SOMEBODY)
    for ledger in ((soon, late), (late, soon)):
        assert decide(facts(ASKING, state_ledger=ledger)).until == NOW + 5 * MINUTE


def test_one_in_use_does_not_hold_up_another():
    other = replace(ENTRY, credential=replace(ENTRY.credential, id="id-3", username="third"), sighting=NOBODY)
    action = decide(facts(ASKING, state_ledger=(replace(ENTRY, sighting=SOMEBODY), other)))
    assert action == Disable(other)


def test_the_provider_is_not_told_an_end_that_users_may_outlast():
    entry = replace(ENTRY, disable_at=NOW + HOUR)
    generated = {"fake": GENERATED}
    assert isinstance(decided(target=TARGET, entry=entry, capabilities=generated), Expire)
    assert isinstance(decided(entry=entry, capabilities=generated), Hold)


def test_an_end_that_was_told_before_is_taken_back():
    entry = replace(ENTRY, disable_at=NOW + HOUR, expires_at=NOW + HOUR)
    assert isinstance(decided(entry=entry, capabilities={"fake": GENERATED}), LiftEnd)


def test_a_request_does_not_take_the_idle_credential_from_its_users():
    both = replace(ASKING, strategy=Strategy.ALTERNATING, usernames=("old", "new"))
    waiting = replace(ENTRY, ending=Ending.STAND_BY, not_before=NOW + HOUR)  # disabling it failed
    idle = Credential("fake", "new", "id-new")
    known = {"state_request": REQUEST, "state_standby": idle}
    in_use = facts(both, state_ledger=(replace(waiting, sighting=SOMEBODY),), **known)
    assert decide(in_use).reason is HoldReason.IDLE_IN_OVERLAP
    unused = facts(both, state_ledger=(replace(waiting, sighting=NOBODY),), **known)
    assert isinstance(decide(unused), Stage)


YES, NO = Done(Usage(in_use=True, evidence="registered")), Done(Usage(in_use=False, evidence="0"))
LOST, NEVER = Unknown("no answer"), Refused(Refusal.UNSUPPORTED, "cannot say")


@pytest.mark.parametrize(
    ("answers", "in_use"),
    [
        ((NO,), False),
        ((NO, NO), False),
        ((NO, YES), True),
        ((LOST, YES), True),
        ((NO, LOST), None),
        ((NEVER,), None),
    ],
)
def test_one_yes_is_enough_and_a_no_takes_all_of_them(answers, in_use):
    said = [(f"source{number}", answer) for number, answer in enumerate(answers)]
    assert summed_up(None, said, NOW).in_use is in_use


def test_a_sighting_says_who_said_what_and_when_somebody_was_last_seen():
    seen = summed_up(None, [("provider", YES)], NOW)
    assert seen == Sighting(NOW, in_use=True, evidence="provider: registered", seen_at=NOW)
    gone = summed_up(seen, [("provider", NO), ("pbx", LOST)], NOW + HOUR)
    assert gone == Sighting(NOW + HOUR, in_use=None, evidence="provider: 0; pbx: no answer", seen_at=NOW)
    words = "may be in use: asked 2026-01-05T13:00:00Z, provider: 0; pbx: no answer, last seen 2026-01-05T12:00:00Z"
    assert in_words(gone) == words
    assert in_words(seen) == "still in use: asked 2026-01-05T12:00:00Z, provider: registered"


def test_what_is_known_of_its_users_says_how_long_an_overlap_lasts():
    assert extended_until(RULES, ENTRY) == ENTRY.disable_at, "not asked yet"
    assert extended_until(RULES, replace(ENTRY, sighting=NOBODY)) == ENTRY.disable_at
    assert extended_until(RULES, replace(ENTRY, sighting=SOMEBODY)) == ENTRY.disable_at + 3 * DAY
    assert extended_until(None, replace(ENTRY, sighting=SOMEBODY)) == ENTRY.disable_at


def kept(number: int, sighting: Sighting = SOMEBODY) -> tuple[Any, ...]:
    """As many replaced credentials as that, past the bound of their extension, and in use."""
    credentials = [replace(ENTRY.credential, id=f"id-{one}", username=f"phone{one}") for one in range(number)]
    return tuple(replace(AT_THE_BOUND, credential=one, sighting=sighting) for one in credentials)


DUE = {"state_next_rotation": NOW - HOUR}


@pytest.mark.parametrize("sighting", [SOMEBODY, UNKNOWN])
def test_no_rotation_begins_by_schedule_while_as_many_are_kept_as_may_be(sighting):
    """Each would leave one more, and a source that cannot say may stay so for ever."""
    assert isinstance(decide(facts(HOLDING, state_ledger=kept(MOST_KEPT - 1, sighting), **DUE)), Stage)
    hold = decide(facts(HOLDING, state_ledger=kept(MOST_KEPT, sighting), **DUE))
    assert hold.reason is HoldReason.KEPT_IN_USE
    assert "no rotation begins by schedule while 3 are kept" in hold.message
    assert "rotator retire office --despite-use" in hold.message
    (rotation,) = [one for one in forecast(facts(HOLDING, state_ledger=kept(MOST_KEPT))).events if "rot" in one.what]
    assert rotation.why == "policy p; not while 3 replaced credentials are kept, as they may be in use"
    asked = facts(HOLDING, state_ledger=kept(MOST_KEPT, sighting), state_request=REQUEST)
    assert isinstance(decide(asked), Stage)


def test_what_is_not_kept_holds_no_rotation():
    others = [
        facts(HOLDING, state_ledger=kept(MOST_KEPT, NOBODY), freezes=Freezes(), **DUE),
        facts(ASKING, state_ledger=kept(MOST_KEPT), **DUE),
        facts(HOLDING, state_ledger=tuple(replace(one, unasked=True) for one in kept(MOST_KEPT)), **DUE),
        facts(
            HOLDING,
            state_ledger=tuple(replace(one, disable_at=NOW - DAY, replaced_at=NOW - 2 * DAY) for one in kept(4)),
            **DUE,
        ),
    ]
    for known in others:
        assert staging.stage(known) != decide(facts(HOLDING, state_ledger=kept(MOST_KEPT), **DUE))
        assert isinstance(staging.stage(known), Stage)


def test_a_person_ends_what_is_past_its_overlap_although_it_is_in_use_and_it_keeps_its_quarantine():
    origin = Origin("vault:alice", "the phone is lost")
    (held,), later = kept(1), replace(ENTRY, disable_at=NOW + HOUR, sighting=SOMEBODY)
    password, gone = replace(held, ending=Ending.FORGET), replace(held, disabled_at=NOW)
    ended, *rest = end_despite_use((replace(held, not_before=NOW + HOUR), later, password, gone), NOW, origin)
    assert ended == replace(held, unasked=True, origin=origin)
    assert tuple(rest) == (later, password, gone)
    assert isinstance(decide(facts(HOLDING, state_ledger=(ended,))), Disable)


def test_a_plan_says_who_is_asked_and_when_it_ends_at_the_latest():
    entry = replace(ENTRY, disable_at=NOW + HOUR)
    first, *_ = forecast(facts(ASKING, state_ledger=(entry,))).events
    assert (first.what, first.at, first.until) == ("disable new", NOW + HOUR, NOW + HOUR + 3 * DAY)
    assert first.why == "its overlap ends, if nobody uses it any more (asked: provider, pbx)"
    seen, *_ = forecast(facts(ASKING, state_ledger=(replace(entry, sighting=SOMEBODY),))).events
    assert seen.why == f"its overlap ends, once nobody uses it any more ({in_words(SOMEBODY)})"
    held, *_ = forecast(facts(HOLDING, state_ledger=(entry,))).events
    assert held.until is None


def test_a_forecast_goes_on_as_if_nobody_used_it():
    plan = forecast(facts(ASKING, state_ledger=(ENTRY,)))
    asked, disabled = plan.steps
    assert (asked.what, asked.why) == (
        "ask whether devices still log in with new",
        "its overlap ends; asked: provider, pbx",
    )
    assert disabled.what == "disable new"
