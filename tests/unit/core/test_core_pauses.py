"""Pauses and blackouts: whom they concern, when they end, and what they hold."""

from dataclasses import replace
from datetime import timedelta

import pytest
from core_facts import (
    ALTERNATING,
    CHOSEN,
    DAY,
    ENTRY,
    HOUR,
    NEW,
    NOW,
    OLD,
    POLICY,
    REQUEST,
    TARGET,
    UNDO,
    document,
    facts,
    opened,
)

from rotator.core import actions as do
from rotator.core import drift
from rotator.core.blackouts import Blackout, Extent, end_after, longest_stretch
from rotator.core.clocks import Clocks
from rotator.core.decide import decide
from rotator.core.facts import Facts
from rotator.core.forecast import forecast
from rotator.core.forecast_events import ForecastEvent
from rotator.core.freezes import Freezes, freezes
from rotator.core.holding import Hold, HoldReason
from rotator.core.model import FormerPath, Listed, Target, Verification
from rotator.core.origin import Origin
from rotator.core.pauses import MOST_NAMES, MOST_PAUSES, Pause, Pauses, Scope

ORIGIN = Origin("vault:alice", "PBX is being replaced", "ticket CHG-7")
FLEET = Pause(Scope(), NOW - HOUR, NOW + DAY, ORIGIN)
BERLIN = replace(TARGET, labels=(("site", "berlin"), ("stage", "prod")))


def held_by(*pauses: Pause, target: Target = TARGET, vault_ahead: timedelta = timedelta()) -> Freezes:
    return freezes(target, Pauses(1, pauses), Clocks(NOW, NOW + vault_ahead))


def paused(target: Target = TARGET, *, extent: Extent = Extent.CHANGES, **changes: object) -> Facts:
    return facts(target, freezes=held_by(replace(FLEET, extent=extent), target=target), **changes)


@pytest.mark.parametrize(
    ("scope", "covers"),
    [
        (Scope(), True),
        (Scope(targets=("lobby", "office")), True),
        (Scope(targets=("lobby",)), False),
        (Scope(account="fake"), True),
        (Scope(account="other"), False),
        (Scope(labels=(("site", "berlin"),)), True),
        (Scope(labels=(("site", "berlin"), ("stage", "prod"))), True),
        (Scope(labels=(("site", "berlin"), ("stage", "test"))), False),
        (Scope(account="other", labels=(("site", "berlin"),)), False),
    ],
)
def test_a_scope_covers_what_meets_all_of_it(scope, covers):
    assert scope.covers(BERLIN) is covers


def test_a_due_rotation_waits_and_the_hold_says_who_why_until_when_and_what_passes():
    """Everything that an operator asks who meets it."""
    decision = decide(paused(state_next_rotation=NOW - HOUR))

    assert isinstance(decision, Hold)
    assert (decision.reason, decision.until) == (HoldReason.PAUSED, FLEET.until)
    for words in ("vault:alice", "CHG-7", "PBX is being replaced", "2026-01-06 12:00 UTC", "--despite-pause"):
        assert words in decision.message


def test_a_pause_shows_although_nothing_is_due():
    """It is what a person looks for first."""
    assert decide(paused()).reason is HoldReason.PAUSED


@pytest.mark.parametrize(
    "request_", [REQUEST, replace(REQUEST, requested_by="SIGUSR1"), replace(REQUEST, take_over=True)]
)
def test_an_ordinary_request_waits(request_):
    assert decide(paused(state_request=request_)).reason is HoldReason.PAUSED


@pytest.mark.parametrize("request_", [replace(REQUEST, compromised=True), replace(REQUEST, despite_pause=True)])
def test_an_emergency_and_what_is_let_pass_begin(request_):
    assert isinstance(decide(paused(state_request=request_)), do.Stage)


def test_an_undo_begins():
    """Going back to what worked is how a change is ended."""
    undone = paused(state_request=UNDO, state_published=NEW, state_ledger=(replace(ENTRY, credential=OLD),))

    assert isinstance(decide(replace(undone, consumer=document(NEW))), do.Stage)


def test_an_open_attempt_goes_on():
    """Devices may be out until it ends."""
    going_on = replace(paused(), state=opened())

    assert isinstance(decide(going_on), do.Apply)


@pytest.mark.parametrize(("extent", "waits"), [(Extent.CHANGES, True), (Extent.ROTATIONS, False)])
def test_a_retirement_waits_where_changes_are_held(extent, waits):
    decision = decide(paused(extent=extent, state_ledger=(ENTRY,)))

    assert isinstance(decision, Hold) is waits
    assert waits or isinstance(decision, do.Disable)


def test_an_emergency_is_ended_whatever_is_paused():
    decision = decide(paused(state_ledger=(replace(ENTRY, compromised=True),)))

    assert isinstance(decision, do.Disable)


def test_a_provider_is_not_told_of_an_end_while_changes_are_held():
    """It would end the credential by itself, within the freeze."""
    can = replace(CHOSEN, expires=True)
    entry = replace(ENTRY, disable_at=NOW + HOUR)

    assert isinstance(decide(facts(state_ledger=(entry,), capabilities={"fake": can})), do.Expire)
    assert isinstance(decide(paused(state_ledger=(entry,), capabilities={"fake": can})), Hold)


def test_a_document_at_a_former_path_stays_while_changes_are_held():
    """Devices may still read it."""
    former = {"state_former_paths": (FormerPath("sip/old", NOW - HOUR, TARGET.path),), "state_path": TARGET.path}
    there = {"other_documents": {"sip/old": document(OLD)}}

    assert isinstance(decide(facts(**former, **there)), do.Withdraw)
    held = decide(paused(**former, **there))
    assert held.reason is HoldReason.PAUSED
    assert held.message.endswith("; sip/old is not withdrawn meanwhile")
    assert "vault:alice" in held.message


def test_nothing_is_repaired_by_itself():
    """Somebody may be changing it at the provider by hand: the alert tells of it, and a person may rotate."""
    refused = {"state_verification": Verification(NOW, accepted=False, refusals=2, listed=Listed.GONE)}
    refused |= {"state_verify_at": NOW + HOUR, "state_verify_failures": 0}

    assert isinstance(decide(facts(**refused)), do.Repair)
    held = decide(paused(**refused))
    assert held.reason is HoldReason.PUBLISHED_REFUSED
    assert "--despite-pause" in held.message


def test_a_pause_ends_by_both_clocks():
    """Whichever of them is wrong."""
    ending = replace(FLEET, until=NOW + HOUR)

    assert held_by(ending, vault_ahead=2 * HOUR).of_rotations
    assert held_by(replace(ending, until=NOW - HOUR), vault_ahead=-2 * HOUR).of_rotations
    assert not held_by(replace(ending, until=NOW - HOUR)).of_rotations


def test_the_longest_one_counts():
    """For retirements the longest of those that hold them."""
    short = replace(FLEET, until=NOW + HOUR)
    long = replace(FLEET, until=NOW + 3 * DAY, extent=Extent.ROTATIONS)

    found = held_by(short, long)

    assert (found.of_rotations.until, found.of_retirements.until) == (long.until, short.until)


@pytest.mark.parametrize("target", [TARGET, ALTERNATING])
def test_what_came_due_under_a_freeze_is_drawn_again_when_it_ends(target):
    """All of it would be due at once. What has come due since is due."""
    came_due = facts(target, state_next_rotation=NOW - DAY)
    thawed = Freezes(thawed_at=NOW - HOUR)

    assert isinstance(decide(replace(came_due, freezes=thawed)), do.DrawDueTime)
    drawn = replace(came_due.state, next_rotation=NOW - timedelta(minutes=1))
    assert not isinstance(decide(replace(came_due, freezes=thawed, state=drawn)), do.DrawDueTime)


def test_a_policys_blackout_holds_like_a_pause():
    """It says whose it is, until when and why."""
    freeze = Blackout(NOW - HOUR, NOW + DAY, "end of the year")
    target = replace(TARGET, policy=replace(POLICY, blackouts=(freeze,)))
    clocks = Clocks(NOW, NOW)

    decision = decide(facts(target, freezes=freezes(target, Pauses(), clocks), state_next_rotation=NOW - HOUR))

    assert (decision.reason, decision.until) == (HoldReason.BLACKOUT, freeze.end)
    assert "end of the year" in decision.message
    assert freezes(target, Pauses(), Clocks(NOW - 2 * HOUR, NOW - 2 * HOUR)) == Freezes()
    assert freezes(target, Pauses(), Clocks(NOW - 2 * HOUR, NOW)).of_rotations, "it has begun by one clock"


def test_a_freeze_began_with_the_first_of_what_is_in_force():
    blackout = Blackout(NOW - 3 * HOUR, NOW + HOUR, "launch", Extent.ROTATIONS)
    target = replace(TARGET, policy=replace(TARGET.policy, blackouts=(blackout,)))
    pauses = tuple(
        Pause(Scope(targets=(TARGET.name,)), NOW - begun * HOUR, NOW + (9 - begun) * HOUR, Origin("uid:1000", "why"))
        for begun in (1, 2)
    )
    found = freezes(target, Pauses(1, pauses), Clocks(NOW, NOW))
    assert (found.rotations_since, found.retirements_since) == (NOW - 3 * HOUR, NOW - 2 * HOUR)
    found = freezes(target, Pauses(), Clocks(NOW, NOW))
    assert (found.rotations_since, found.retirements_since) == (NOW - 3 * HOUR, None)
    found = freezes(TARGET, Pauses(problem="what is paused was deleted"), Clocks(NOW, NOW + HOUR))
    assert (found.rotations_since, found.retirements_since) == (NOW, NOW)
    assert (Freezes().rotations_since, Freezes().retirements_since) == (None, None)


def test_blackouts_that_meet_are_one():
    """What is due in them begins after all of them."""
    first, second = Blackout(NOW, NOW + DAY, "one"), Blackout(NOW + DAY, NOW + 3 * DAY, "two")
    later = Blackout(NOW + 5 * DAY, NOW + 6 * DAY, "three")
    known = (later, second, first)

    assert end_after(known, NOW + HOUR) == NOW + 3 * DAY
    assert end_after(known, NOW + 4 * DAY) == NOW + 4 * DAY
    assert longest_stretch(known) == 3 * DAY
    assert longest_stretch(()) == timedelta()


def test_while_nobody_knows_what_is_paused_everything_is():
    """A freeze must not be lifted by a document that cannot be read."""
    found = freezes(TARGET, Pauses(3, problem="what is paused was deleted in Vault"), Clocks(NOW, NOW))

    assert "deleted in Vault" in found.of_rotations.words


def test_over_a_document_that_cannot_be_read_only_everything_is_lifted():
    """No pause, and no end of one, may lift others that nobody knows of."""
    unknown = Pauses(3, problem="what is paused was deleted in Vault")
    with pytest.raises(ValueError, match="deleted in Vault"):
        unknown.with_pause(FLEET, NOW)
    with pytest.raises(ValueError, match="deleted in Vault"):
        unknown.without(Scope(targets=("office",)), NOW)
    assert unknown.without(Scope(), NOW) == Pauses(4)


def test_the_same_scope_makes_way_and_others_stay():
    """To give a pause another end, it is paused again."""
    account = replace(FLEET, scope=Scope(account="fake"))
    pauses = Pauses().with_pause(FLEET, NOW).with_pause(account, NOW)

    longer = pauses.with_pause(replace(FLEET, until=NOW + 2 * DAY), NOW)

    assert [(pause.scope, pause.until) for pause in longer.at(NOW)] == [
        (account.scope, account.until),
        (FLEET.scope, NOW + 2 * DAY),
    ]
    assert longer.version == 3


def test_names_end_one_by_one():
    """Whatever they were paused with."""
    pauses = Pauses().with_pause(replace(FLEET, scope=Scope(targets=("a", "b", "c"))), NOW)

    left = pauses.without(Scope(targets=("b", "x")), NOW)

    assert [pause.scope.targets for pause in left.at(NOW)] == [("a", "c")]
    assert left.without(Scope(), NOW).at(NOW) == left.at(NOW), "the fleet was not paused"
    assert [pause.scope.targets for pause in left.entries if pause.lifted_at == NOW] == [("b",)], "kept for the spread"


def test_what_a_person_ends_has_ended_whatever_the_clocks_say():
    """Of the person, of a process that looks later, or of Vault."""
    pauses = Pauses().with_pause(FLEET, NOW).without(Scope(), NOW + HOUR)

    for clock in (NOW - 40 * DAY, NOW, NOW + 40 * DAY):
        assert not freezes(TARGET, pauses, Clocks(clock, NOW)).in_force


def test_a_pause_that_was_ended_by_a_clock_that_was_ahead_does_not_draw_again_and_again():
    """What is drawn now would lie before that moment, whatever is drawn."""
    pauses = Pauses().with_pause(FLEET, NOW).without(Scope(), NOW + 40 * DAY)
    assert freezes(TARGET, pauses, Clocks(NOW, NOW)) == Freezes()

    due = facts(state_next_rotation=NOW, freezes=freezes(TARGET, pauses, Clocks(NOW, NOW)))
    assert isinstance(decide(due), do.Stage)


def test_a_pause_that_has_ended_is_kept_for_a_while_and_then_dropped():
    """What came due under it is spread by it."""
    pauses = Pauses().with_pause(FLEET, NOW).without(Scope(), NOW + HOUR)

    assert freezes(TARGET, pauses, Clocks(NOW + 2 * HOUR, NOW + 2 * HOUR)).thawed_at == NOW + HOUR
    assert pauses.without(Scope(account="x"), NOW + 60 * DAY).entries == ()


def test_a_renamed_target_stays_paused():
    pauses = Pauses().with_pause(replace(FLEET, scope=Scope(targets=("lobby", "office"))), NOW)

    assert pauses.renamed("office", "desk", NOW).at(NOW)[0].scope.targets == ("lobby", "desk")


@pytest.mark.unmeasured
def test_the_document_has_bounds():
    """In names, in pauses, and in those that have ended."""
    names = tuple(f"t{number}" for number in range(MOST_NAMES + 1))
    with pytest.raises(ValueError, match="--label"):
        Pauses().with_pause(replace(FLEET, scope=Scope(targets=names)), NOW)
    many = Pauses()
    for number in range(MOST_PAUSES):
        many = many.with_pause(replace(FLEET, scope=Scope(account=f"a{number}")), NOW)
    with pytest.raises(ValueError, match="at most 200"):
        many.with_pause(FLEET, NOW)
    for number in range(2 * MOST_PAUSES):
        one, now = replace(FLEET, scope=Scope(targets=names[:50])), NOW + number * timedelta(minutes=1)
        many = many.without(Scope(account="a0"), now).with_pause(one, now).without(one.scope, now)
    assert sum(len(pause.scope.targets) for pause in many.entries) <= MOST_NAMES
    assert len(many.entries) <= 2 * MOST_PAUSES


def rotation(known: Facts) -> ForecastEvent:
    return next(event for event in forecast(known).events if event.what == "rotation")


def test_the_plan_puts_a_rotation_after_what_holds_it():
    """After a pause of now, and after a blackout of the future; a retirement as well, if that is held."""
    due = NOW + 5 * DAY
    freeze = Blackout(due - DAY, due + 3 * DAY, "end of the year")
    frozen = replace(TARGET, policy=replace(POLICY, blackouts=(freeze,)))

    assert rotation(facts(state_next_rotation=due)).at == due
    assert rotation(facts(frozen, state_next_rotation=due)).at == freeze.end
    assert "spread after it" in rotation(facts(frozen, state_next_rotation=due)).why
    assert rotation(paused(state_next_rotation=NOW)).at == FLEET.until
    ends = {}
    for extent in Extent:
        policy = replace(POLICY, blackouts=(replace(freeze, extent=extent),))
        known = facts(replace(TARGET, policy=policy), state_ledger=(replace(ENTRY, disable_at=due),))
        ends[extent] = forecast(known).events[0].at
    assert ends == {Extent.CHANGES: freeze.end, Extent.ROTATIONS: due}


def test_the_plan_says_what_a_pause_means_now():
    """In the words of the hold."""
    assert "PBX is being replaced" in forecast(paused(state_next_rotation=NOW - HOUR)).waits_for


GONE_AT_PROVIDER = {
    "state_verification": Verification(NOW, accepted=False, refusals=2, listed=Listed.GONE),
    "state_verify_at": NOW + HOUR,
}
REPAIR = replace(REQUEST, requested_by="rotator", reason="drift", repairs=True)


def blacked_out(**changes: object) -> Facts:
    freeze = Blackout(NOW - HOUR, NOW + DAY, "end of the year")
    target = replace(TARGET, policy=replace(POLICY, blackouts=(freeze,)))
    return facts(target, freezes=freezes(target, Pauses(), Clocks(NOW, NOW)), **changes)


def test_a_blackout_lets_a_repair_pass_from_its_request_to_its_attempt():
    """Devices are out, and nobody works by hand because a calendar says so: incident fixes pass a change freeze."""
    repair = decide(blacked_out(**GONE_AT_PROVIDER))

    assert isinstance(repair, do.Repair)
    requested = {**GONE_AT_PROVIDER, "state_request": repair.request, "lookups": {"fake/id-old": ()}}
    assert isinstance(decide(blacked_out(**requested)), do.Stage)
    assert decide(blacked_out(state_next_rotation=NOW - HOUR)).reason is HoldReason.BLACKOUT, "nothing else passes"


@pytest.mark.parametrize(
    ("scope", "command"),
    [
        (Scope(targets=("lobby", "office")), "rotator resume office"),
        (Scope(account="fake"), "rotator resume --account fake"),
        (Scope(), "rotator resume --all"),
    ],
)
def test_a_pause_holds_a_repair_and_names_the_commands_that_end_the_outage(scope, command):
    """Also beside a blackout, and where the request was written before the pause."""
    blackout = blacked_out().freezes.in_force
    held = held_by(replace(FLEET, scope=scope))
    both = replace(held, in_force=(*blackout, *held.in_force))
    for request in (None, REPAIR, replace(REPAIR, purpose=UNDO.purpose)):
        hold = decide(facts(freezes=both, state_request=request, **GONE_AT_PROVIDER))
        assert hold.reason is HoldReason.PUBLISHED_REFUSED
        for words in (f"{command}, or at once: rotator rotate office --despite-pause", "PBX is being replaced"):
            assert words in hold.message


def test_a_repair_that_waited_is_taken_up_only_if_its_reason_is_still_there():
    """Somebody may have mended it by hand meanwhile: then a rotation would be a change that nobody asked for."""
    waiting = {"state_request": REPAIR, "lookups": {"fake/id-old": ()}}
    old = replace(GONE_AT_PROVIDER["state_verification"], at=NOW - 6 * timedelta(minutes=1))

    assert isinstance(decide(facts(**waiting, **GONE_AT_PROVIDER)), do.Stage)
    stale = {**GONE_AT_PROVIDER, **waiting, "state_verification": old}
    assert isinstance(decide(facts(**stale)), do.Verify)
    assert isinstance(decide(facts(**stale, state_verify_failures=1)), do.Stage), "nobody can say otherwise"
    resting = {"log_ins_rest_until": {"fake": NOW + HOUR}}
    assert decide(facts(**stale, **resting)).reason is HoldReason.LOG_INS_REST
    for mended in (None, Verification(NOW, accepted=True)):
        dropped = decide(facts(**{**waiting, "state_verification": mended}))
        assert dropped == do.Drop("what is published is accepted again: nothing needs repair", needless=True)


def test_while_a_repair_waits_for_the_end_of_a_pause_what_is_published_is_still_proved():
    """Or the alert would go on for as long as the pause, whatever somebody has mended by hand."""
    waiting = {**GONE_AT_PROVIDER, "state_request": REPAIR, "state_verify_at": NOW - HOUR}

    assert isinstance(decide(paused(**waiting)), do.Verify)
    assert isinstance(
        decide(paused(state_request=REPAIR, state_verification=Verification(NOW, accepted=True))), do.Drop
    )


def test_what_somebody_has_requested_before_a_blackout_repairs_as_well_and_is_not_lost():
    """The request waits for the end of the blackout. Meanwhile what is published is proved, and refused."""
    waiting = {**GONE_AT_PROVIDER, "state_request": REQUEST}
    assert isinstance(decide(blacked_out(**{**waiting, "state_verify_at": NOW - HOUR})), do.Verify)

    repair = decide(blacked_out(**waiting))

    assert isinstance(repair, do.Repair)
    known = blacked_out(**waiting, lookups={"fake/id-old": ()})
    both = drift.after_repair(known.state, repair.request)
    assert both.request == replace(REQUEST, repairs=True)
    assert isinstance(decide(replace(known, state=both)), do.Stage)
    mended = replace(both, verification=Verification(NOW, accepted=True))
    assert isinstance(decide(replace(known, state=mended)), do.Drop)
    assert drift.after_needless_repair(mended).request == REQUEST
    assert drift.after_needless_repair(replace(mended, request=REPAIR)).request is None
    assert decide(paused(**waiting)).reason is HoldReason.PUBLISHED_REFUSED, "a pause holds both"
