"""A target that changes its path, is removed, or is retired: what devices read, and what is carried out."""

from dataclasses import replace
from datetime import timedelta

import pytest
from engine_harness import ALTERNATING, DAY, IN_PLACE, REPLACE, EngineHarness
from lagging_standby import StandbyStore
from process_variants import act_at_boundary
from single_effect import naming

from rotator.core.adoption import KnownToOperator
from rotator.core.audit_words import AuditOutcome, AuditVerb
from rotator.core.holding import Hold, HoldReason
from rotator.core.ledger import end_now
from rotator.core.left_over import OrphanKind, is_empty, left_over, orphans
from rotator.core.model import Claim, Credential, Purpose, Request
from rotator.core.origin import Origin
from rotator.core.pauses import Pause, Scope
from rotator.core.removal import RemovalImpossible, after_forgetting, forgotten
from rotator.engine import Outcome, PauseBook
from rotator.testing import GENERATED, Crash, FakeFault
from rotator.testing.clock import START

MOVED_PATH = "phones/office"
STRATEGIES = [REPLACE, ALTERNATING, IN_PLACE]


def rotated(target=REPLACE) -> EngineHarness:
    """A target that has published a credential, and has replaced the one that was there before."""
    world = EngineHarness(target)
    for username in target.usernames:
        world.provider.add(username)
    world.until_rotated(world.engine())
    return world


def move(world) -> None:
    world.target = replace(world.target, path=MOVED_PATH)


def works(world, path) -> bool:
    document = world.store.read_consumer(path)
    return world.provider.accepts(document.username, document.password)


# A path that is changed in the configuration.


def test_a_credential_whose_password_is_unknown_is_written_nowhere():
    """Taken up without its password, then moved: both documents were written without one, 30 times in a look."""
    world = EngineHarness(IN_PLACE)
    world.provider.add("office", "known to devices")
    engine = world.engine()
    world.store.write_consumer("sip/office", Credential("fake", "office"), None, world.consumer)
    known = KnownToOperator(rotates=True)
    engine.adopt(world.target, known, engine.plan_adoption(world.target, known), Origin("tester", "because"))
    before = world.consumer
    move(world)
    look = engine.look(world.target)
    assert len(look.steps) <= 2
    assert world.store.read_consumer("sip/office") == before
    assert not world.consumer.exists
    world.request(engine, take_over=True)
    engine.look(world.target)
    assert world.published_works


@pytest.mark.parametrize("target", STRATEGIES, ids=lambda target: target.strategy.value)
def test_both_paths_hand_out_what_works_for_the_overlap_then_the_old_one_nothing(target):
    world = rotated(target)
    move(world)
    engine, before = world.engine(), world.state
    engine.look(world.target)
    assert works(world, "sip/office")
    assert works(world, MOVED_PATH)
    assert world.state.published == before.published, "a new path needs no new password"
    assert world.state.counts.succeeded == 1
    world.settle(engine, DAY - DAY / 24)
    assert works(world, "sip/office")
    world.settle(engine, DAY / 12)
    old = world.store.read_consumer("sip/office")
    assert (old.withdrawn, old.username, old.password) == (True, None, None)
    assert works(world, MOVED_PATH)
    assert world.state.former_paths == ()
    assert "withdraw" in world.audit.verbs("office")


@pytest.mark.parametrize("target", STRATEGIES, ids=lambda target: target.strategy.value)
@pytest.mark.parametrize("compromised", [False, True])
def test_a_rotation_during_the_overlap_of_paths_reaches_both(target, compromised):
    world = rotated(target)
    world.settle(world.engine(), 2 * DAY)  # the first predecessor is disabled
    move(world)
    engine = world.engine()
    engine.look(world.target)
    world.request(engine, compromised=compromised)
    world.until_rotated(engine)
    engine.look(world.target)
    assert works(world, "sip/office")
    assert works(world, MOVED_PATH)


@pytest.mark.parametrize("target", STRATEGIES, ids=lambda target: target.strategy.value)
@pytest.mark.parametrize("compromised", [False, True])
def test_a_document_that_a_pause_keeps_at_the_old_path_stays_true(target, compromised):
    """Past its time it was not written again: in place, devices that read there were out until the pause ended."""
    world = rotated(target)
    engine = world.engine()
    world.settle(engine, 2 * DAY)
    move(world)
    engine.look(world.target)
    now = world.clock.now()
    pause = Pause(Scope(), now, now + 20 * DAY, Origin("tester", "freeze"))
    PauseBook(world.store, world.clock).change(lambda pauses: pauses.with_pause(pause, now))
    world.settle(engine, 2 * DAY)
    assert works(world, "sip/office")
    world.request(engine, compromised=compromised, despite_pause=not compromised)
    world.until_rotated(engine)
    look = engine.look(world.target)
    assert works(world, "sip/office")
    assert world.store.read_consumer("sip/office").password == world.consumer.password
    assert look.hold.reason is HoldReason.PAUSED
    world.settle(engine, 20 * DAY)
    assert world.store.read_consumer("sip/office").withdrawn


@pytest.mark.parametrize("moment", ["staged", "proved"])
def test_a_path_that_changes_while_an_attempt_is_open_cuts_nobody_off(moment):
    world = rotated()
    if moment == "staged":
        world.provider.faults["create"] = [FakeFault.LOST_AFTER]
    else:
        world.provider.slow_to_accept = 1
    engine = world.engine()
    world.request(engine)
    engine.look(world.target)
    assert world.state.attempt is not None
    move(world)
    world.until_rotated(world.engine())
    world.engine().look(world.target)
    assert works(world, "sip/office")
    assert works(world, MOVED_PATH)
    world.settle(world.engine(), 10 * DAY)
    assert world.store.read_consumer("sip/office").withdrawn
    assert [held.username for held in world.provider.credentials.values()] == [world.state.published.username]


def test_a_move_that_is_cut_anywhere_is_finished():
    boundaries = 0
    for number in range(1, 40):
        world = rotated()
        move(world)
        world.cut_at(number)
        cut = world.crash(lambda world=world: world.engine().look(world.target))
        world.cut_at(0)
        world.settle(world.engine(), DAY / 2)
        assert works(world, "sip/office")
        assert works(world, MOVED_PATH)
        if cut is None:
            break
        boundaries += 1
        world.settle(world.engine(), DAY)
        assert world.store.read_consumer("sip/office").withdrawn, cut
    assert boundaries >= 6


def test_a_foreign_document_at_the_new_path_holds_and_the_old_one_stays():
    world = rotated()
    move(world)
    world.store.tamper(MOVED_PATH, "somebody")
    look = world.engine().look(world.target)
    assert look.hold.reason is HoldReason.FOREIGN_DOCUMENT
    world.settle(world.engine(), 30 * DAY)
    assert works(world, "sip/office")
    assert len(world.provider.credentials) == 2, "what the old path hands out, and its predecessor"
    engine = world.engine()
    world.request(engine, take_over=True)
    world.until_rotated(engine)
    engine.look(world.target)
    assert works(world, MOVED_PATH)
    assert works(world, "sip/office"), "the old path gets its overlap all the same"


def test_a_target_that_moves_back_withdraws_the_other_path():
    world = rotated()
    home = world.target
    move(world)
    world.engine().look(world.target)
    world.target = home
    world.settle(world.engine(), 2 * DAY)
    assert works(world, "sip/office")
    assert world.store.read_consumer(MOVED_PATH).withdrawn
    assert world.state.former_paths == ()


def test_a_document_at_the_old_path_that_is_another_targets_by_now_is_left_alone():
    world = rotated()
    move(world)
    world.engine().look(world.target)
    world.store.tamper("sip/office", "another")
    world.store.consumers["sip/office"] = replace(world.store.consumers["sip/office"], credential_id="theirs")
    world.settle(world.engine(), 2 * DAY)
    assert world.store.read_consumer("sip/office").username == "another"
    assert world.state.former_paths == ()


@pytest.mark.parametrize("rotations", [1, 2], ids=["nothing before", "an older credential before"])
def test_a_document_at_the_old_path_is_not_left_because_a_standby_lags(rotations):
    """Found by the years of a fleet, seeds 45 and 139: it was taken for somebody else's, and what it handed out ended.

    The standby answers with what stood there before: nothing, or a credential that was forgotten long ago.
    """
    world = EngineHarness(REPLACE)
    world.store = StandbyStore(world.clock)
    engine = world.engine()
    for _ in range(rotations):
        world.request(engine)
        world.until_rotated(engine)
        world.settle(engine, 10 * DAY)
    move(world)
    engine.look(world.target)
    world.clock.advance(DAY)
    world.store.lags = [True, True]  # when the documents at both paths are read
    engine.look(world.target, fresh=False)
    assert not world.store.lags
    world.settle(engine, DAY / 2)
    assert world.store.read_consumer("sip/office").withdrawn
    assert works(world, MOVED_PATH)


def test_what_is_not_ours_at_the_old_path_is_written_again_as_it_was_read_with_keys_of_all_kinds():
    world = rotated()
    move(world)
    world.engine().look(world.target)
    world.store.tamper("sip/office", "another")
    theirs = replace(world.store.consumers["sip/office"], credential_id="theirs", kept={"port": 5060})
    world.store.consumers["sip/office"] = theirs
    world.settle(world.engine(), 2 * DAY)
    left = world.store.read_consumer("sip/office")
    assert left == replace(theirs, version=theirs.version + 1, written_at=left.written_at)
    ((outcome, facts),) = told(world, AuditVerb.WITHDRAW)
    assert outcome is AuditOutcome.NOTICED
    assert "check-and-set" in facts["detail"]


@pytest.mark.parametrize("removed", [False, True])
def test_a_document_that_people_took_away_from_the_old_path_says_where_to_read_instead(removed):
    """It hands out nothing, now or if somebody restores it."""
    world = rotated()
    move(world)
    world.engine().look(world.target)
    (world.store.remove if removed else world.store.delete)("sip/office")
    world.settle(world.engine(), 2 * DAY)
    assert world.store.read_consumer("sip/office").withdrawn
    assert world.state.former_paths == ()


def test_what_an_old_path_still_hands_out_is_in_use_until_it_can_be_written():
    world = rotated()
    world.settle(world.engine(), 10 * DAY)
    move(world)
    engine = world.engine()
    engine.look(world.target)
    world.store.unpublishable.add("sip/office")
    world.request(engine)
    world.until_rotated(engine)
    look = world.settle(engine, 2 * DAY)
    assert look.hold.reason is HoldReason.FORMER_PATH
    assert works(world, "sip/office"), "its predecessor is neither disabled nor deleted"
    world.store.unpublishable.clear()
    world.settle(engine, DAY / 2)
    assert world.store.read_consumer("sip/office").withdrawn
    predecessor = world.state.ledger[0]
    assert not predecessor.disabled, "its devices have been told only now"
    world.settle(engine, 10 * DAY)
    assert world.state.ledger == ()


def told(world, verb) -> list[tuple[AuditOutcome, dict]]:
    """The audit of one verb: outcomes with their facts."""
    return [(one.outcome, dict(one.facts)) for one in world.audit.records if one.verb is verb]


def test_the_audit_tells_of_each_document_that_was_written_withdrawn_or_could_not_be():
    world = rotated()
    world.settle(world.engine(), 10 * DAY)
    first = world.state.published
    move(world)
    engine = world.engine()
    world.store.unpublishable.add(MOVED_PATH)
    engine.look(world.target)
    assert world.state.last_error == f"the token may not write {MOVED_PATH}"
    world.store.unpublishable.clear()
    world.settle(engine, DAY / 24)
    refused, done = told(world, AuditVerb.MOVE)
    assert refused[0] is AuditOutcome.REFUSED
    assert refused[1] == {
        **naming(first),
        "path": MOVED_PATH,
        "detail": f"the token may not write {MOVED_PATH}",
    }
    assert done[0] is AuditOutcome.DONE
    assert (done[1]["credential"], done[1]["path"], done[1]["moved_from"]) == (first.id, MOVED_PATH, "sip/office")
    assert world.store.read_consumer(MOVED_PATH).rotated_at == world.store.read_consumer("sip/office").rotated_at
    world.store.unpublishable.add("sip/office")
    world.request(engine)
    world.until_rotated(engine)
    world.settle(engine, DAY / 24)
    outcome, facts = told(world, AuditVerb.PUBLISH)[-1]
    assert (outcome, facts["path"], facts["detail"]) == (
        AuditOutcome.REFUSED, "sip/office", "the token may not write sip/office",
    )  # fmt: skip
    world.store.unpublishable.clear()
    world.settle(engine, DAY / 4)
    outcome, facts = told(world, AuditVerb.PUBLISH)[-1]
    second = world.state.published
    assert (outcome, facts["credential"], facts["path"]) == (AuditOutcome.DONE, second.id, "sip/office")
    world.settle(engine, 2 * DAY)
    ((outcome, facts),) = told(world, AuditVerb.WITHDRAW)
    assert outcome is AuditOutcome.DONE
    assert facts == {"path": "sip/office", "moved_to": MOVED_PATH}


# A target that was removed from the configuration.


def sweep(world, span) -> None:
    """Looks at what is left as the daemon does, until `span` has passed."""
    end = world.clock.now() + span
    engine = world.engine()
    while world.clock.now() < end:
        target = left_over(world.store.read_state("office").state)
        if target is not None:
            engine.look(target)
        world.clock.advance(DAY / 24)


@pytest.mark.parametrize("compromised", [False, True])
def test_the_ledger_of_a_removed_target_is_carried_out(compromised):
    world = rotated()
    if compromised:
        world.provider.faults["disable"] = [FakeFault.UNREACHABLE] * 3
        world.request(world.engine(), compromised=True)
        world.until_rotated(world.engine())
    assert world.state.ledger
    sweep(world, 9 * DAY)
    assert world.state.ledger == ()
    assert [held.username for held in world.provider.credentials.values()] == [world.state.published.username]
    assert world.published_works, "what is published stays until somebody retires it"
    assert world.state.counts.succeeded == 1 + compromised


def test_an_open_attempt_of_a_removed_target_ends_and_nothing_new_begins():
    world = rotated(ALTERNATING)
    world.settle(world.engine(), 2 * DAY)
    engine = world.engine()
    world.request(engine)
    world.provider.faults["set_password"] = [FakeFault.LOST_AFTER]
    engine.look(world.target)
    assert world.state.attempt is not None
    sweep(world, 200 * DAY)
    assert world.state.attempt is None
    assert world.state.counts.succeeded == 2
    assert world.state.ledger == ()
    assert len(world.provider.credentials) == 2, "standing credentials are nobody's to delete"
    assert world.published_works


def test_nothing_that_the_document_of_a_removed_target_hands_out_is_touched():
    world = rotated()
    predecessor = world.state.ledger[0].credential
    world.store.tamper(world.target.path, predecessor.username)
    world.store.consumers[world.target.path] = replace(world.consumer, credential_id=predecessor.id)
    sweep(world, 9 * DAY)
    assert world.provider.credentials[predecessor.id].enabled


def test_what_nobody_can_end_is_an_orphan():
    state = rotated().state
    assert [each.kind for each in orphans(state, {"fake"}, configured=True)] == []
    assert [each.kind for each in orphans(state, {}, configured=True)] == [OrphanKind.LEDGER]
    assert [each.kind for each in orphans(state, {"fake"}, configured=False)] == [OrphanKind.PUBLISHED]
    both = [OrphanKind.PUBLISHED, OrphanKind.LEDGER]
    assert [each.kind for each in orphans(state, {}, configured=False)] == both


# A target that was renamed in the configuration only.


@pytest.mark.parametrize("path", ["sip/office", "sip/reception"])
@pytest.mark.parametrize("take_over", [False, True])
def test_another_name_for_the_same_path_or_username_never_begins_anew(path, take_over):
    world = rotated()
    before = world.store.consumers.copy()
    renamed = replace(world.target, name="reception", path=path)
    engine = world.engine()
    world.target = renamed
    world.request(engine, take_over=take_over, compromised=take_over)
    look = engine.look(renamed)
    assert look.outcome is Outcome.HELD
    assert look.hold.reason is HoldReason.RENAMED
    assert "rotator rename office reception" in look.message
    assert world.store.consumers == before


# A target that a person renames or retires.

WHO = {"origin": Origin("tester", "because")}


def rename(world, new="reception") -> None:
    world.engine().removal.rename("office", new, **WHO)


@pytest.mark.parametrize("moment", ["at rest", "attempt open"])
def test_a_renamed_target_goes_on_where_it_was(moment):
    world = rotated()
    if moment == "attempt open":
        world.provider.faults["create"] = [FakeFault.LOST_AFTER]
        world.request(world.engine())
        world.engine().look(world.target)
    before = world.state
    rename(world)
    world.target = replace(world.target, name="reception")
    assert world.state == replace(before, target="reception", renamed_from="office", not_before=None)
    old = world.store.read_state("office").state
    assert (is_empty(old), old.renamed_to) == (True, "reception")
    assert left_over(old) is None
    world.settle(world.engine(), 10 * DAY)
    assert world.state.ledger == ()
    assert world.published_works
    assert len(world.provider.credentials) == 1


def test_a_target_that_could_not_begin_under_its_new_name_and_moved_can_still_be_renamed():
    """Seed 4 of the years: the move noted a path at which nothing was ever written, so the rename was refused."""
    world = rotated()
    published = world.state.published
    engine, new = world.engine(), replace(world.target, name="reception", usernames=("elsewhere",), new=False)
    for path in ("sip/reception", "sip/desk"):
        world.target = replace(new, path=path)
        world.request(engine)  # dropped: the account has no such username
        world.settle(engine, timedelta(hours=1))
        assert (world.state.path, world.state.former_paths) == (path, ())
    rename(world)
    world.target = replace(new, path="sip/desk", usernames=("office",))
    world.settle(world.engine(), timedelta(hours=1))
    assert world.state.published == published
    assert world.published_works


@pytest.mark.parametrize("before", [None, Request(Purpose.ROTATE, "somebody", "earlier", START)])
def test_what_was_asked_for_under_the_new_name_before_the_rename_is_carried_out(before):
    """The configuration had the new name already, so an emergency was asked for there; the rename forgot it."""
    world = rotated()
    if before is not None:
        world.engine().request(world.target, before)
    leaked = world.consumer
    home, world.target = world.target, replace(world.target, name="reception")
    world.request(world.engine(), compromised=True)
    asked_at = world.state.asked_at
    assert world.engine().look(world.target).hold.reason is HoldReason.RENAMED
    rename(world)
    request = world.state.request
    assert (request.compromised, request.requested_by, world.state.asked_at) == (True, "tester", asked_at)
    assert world.store.read_state(home.name).state.request is None
    world.until_rotated(world.engine())
    world.settle(world.engine(), timedelta(hours=1))
    assert not world.provider.accepts(leaked.username, leaked.password)
    assert world.published_works


def test_a_rename_that_is_cut_anywhere_is_finished_and_nothing_is_done_twice():
    boundaries = 0
    for number in range(1, 20):
        world = rotated()
        home, away = world.target, replace(world.target, name="reception")
        before = world.state
        world.cut_at(number)
        cut = world.crash(lambda world=world: rename(world))
        world.cut_at(0)
        calls = list(world.provider.calls)
        if cut is not None:  # whoever looks now finds the target under one of the names, or waits
            world.engine().look(away)
            world.engine().look(home)
            assert world.provider.calls == calls
            rename(world)
        world.target = away
        assert replace(world.state, next_rotation=None) == replace(
            before, target="reception", renamed_from="office", next_rotation=None
        )
        assert is_empty(world.store.read_state("office").state)
        if cut is None:
            break
        boundaries += 1
    assert boundaries == 6


def test_a_target_that_is_removed_after_its_rename_was_cut_is_told_of_until_that_is_repeated():
    """Seed 1436 of the years: no process looked at it, no alert told of it, and its ledger was never carried out."""
    world = rotated()
    before = world.state
    world.cut_at(3)  # the old document is marked
    assert world.crash(lambda: rename(world)) is not None
    world.cut_at(0)
    marked = world.store.read_state("office").state
    assert (marked.renamed_to, marked.published) == ("reception", before.published)
    left = left_over(marked)
    assert {each.kind for each in orphans(marked, ["fake"], configured=False)} == {OrphanKind.RENAMED}
    calls = list(world.provider.calls)
    hold = world.engine().look(left).hold
    assert (hold.reason, "rotator rename office reception" in hold.message) == (HoldReason.RENAMED, True)
    with pytest.raises(RemovalImpossible, match="finish that first: rotator rename office reception"):
        world.engine().removal.change("office", lambda state: state, AuditVerb.REQUEST_RETIREMENT, **WHO)
    assert (world.store.read_state("office").state, world.provider.calls) == (marked, calls)
    rename(world)
    world.target = left_over(world.store.read_state("reception").state)
    world.settle(world.engine(), 10 * DAY)
    assert (world.state.published, world.state.ledger) == (before.published, ())


def test_a_rename_waits_for_the_process_that_works_on_the_target():
    world = rotated()
    claimed = replace(world.state, claim=Claim("another", world.clock.now() + DAY))
    world.store.write_state(claimed, world.store.states["office"].version)
    engine = world.engine()
    held = engine.removal.rename("office", "reception", **WHO)
    assert (isinstance(held, Hold), held.reason) == (True, HoldReason.CLAIMED)
    assert world.state == claimed
    world.clock.advance(world.limits.claim)
    assert engine.removal.rename("office", "reception", **WHO).claim is None


def test_a_rename_refuses_what_would_lose_something():
    world = rotated()
    other = replace(world.target, name="reception", path="sip/reception", usernames=())
    world.engine().look(other)
    with pytest.raises(RemovalImpossible, match="has published a credential of its own"):
        rename(world)
    with pytest.raises(RemovalImpossible, match="nothing is known of nobody"):
        world.engine().removal.rename("nobody", "reception", **WHO)
    assert world.state.published is not None


@pytest.mark.parametrize("target", STRATEGIES, ids=lambda target: target.strategy.value)
@pytest.mark.parametrize("configured", [True, False])
def test_what_is_retired_is_withdrawn_first_then_disabled_then_deleted(target, configured):
    world = rotated(target)
    world.retire()
    published = {held.id: held for held in world.provider.credentials.values()}[world.state.ledger[-1].credential.id]
    if not configured:
        world.target = left_over(world.state)
    look = world.engine().look(world.target)
    assert look.hold.reason in (HoldReason.RETIRED, HoldReason.NOT_DUE)
    assert world.consumer.withdrawn
    assert published.enabled, "its overlap begins with the withdrawal"
    world.settle(world.engine(), DAY + DAY / 24)
    assert not published.enabled
    assert published.id in world.provider.credentials
    world.settle(world.engine(), 8 * DAY)
    assert world.provider.credentials == {}
    assert is_empty(world.state)
    assert world.state.counts.succeeded == 1, "nothing new begins"


def test_a_document_that_cannot_be_withdrawn_keeps_its_credential_and_its_whole_overlap():
    world = rotated()
    world.retire()
    world.store.unpublishable.add(world.target.path)
    look = world.settle(world.engine(), 2 * DAY)
    assert look.hold.reason is HoldReason.FORMER_PATH
    assert world.published_works
    world.store.unpublishable.clear()
    world.settle(world.engine(), DAY / 2)
    assert world.consumer.withdrawn
    enabled = [held.username for held in world.provider.credentials.values() if held.enabled]
    assert enabled == [world.state.ledger[-1].credential.username]


@pytest.mark.parametrize("rotating", [False, True])
def test_a_document_whose_record_was_lost_is_kept_true_and_withdrawn(rotating):
    """Found by the years of a fleet, seed 12: a process with an older configuration wrote at the old path, and died."""
    world = rotated()

    def die() -> None:
        raise Crash

    move(world)
    if rotating:
        world.request(world.engine())
    act_at_boundary(world, "after write consumer", die)
    with pytest.raises(Crash):
        world.engine().look(world.target)
    assert works(world, MOVED_PATH)
    world.target = replace(world.target, path="sip/office")
    world.settle(world.engine(), DAY / 2)
    world.request(world.engine())
    world.until_rotated(world.engine())
    assert works(world, MOVED_PATH)
    world.settle(world.engine(), 3 * DAY)
    assert world.store.read_consumer(MOVED_PATH).withdrawn
    assert works(world, "sip/office")


def test_an_overlap_begins_with_the_withdrawal_although_its_record_was_lost():
    """Found by the years of a fleet, seed 12: the document was withdrawn already, and seemed to concern nobody."""
    world = rotated()
    world.retire()
    world.clock.advance(2 * DAY)  # no process ran

    def die() -> None:
        raise Crash

    act_at_boundary(world, "after write consumer", die)
    with pytest.raises(Crash):
        world.engine().look(world.target)
    assert world.consumer.withdrawn
    world.settle(world.engine(), DAY / 2)
    assert not world.state.former_paths
    enabled = [held.username for held in world.provider.credentials.values() if held.enabled]
    assert world.state.ledger[-1].credential.username in enabled


def test_what_a_person_gives_up_is_announced_and_recorded_with_its_detail():
    world = rotated()
    world.engine().removal.change("office", lambda state: state, AuditVerb.GIVE_UP, **WHO, detail="phone at fake")
    for told in (world.audit.intended[-1], world.audit.records[-1]):
        assert (told.verb, told.facts["detail"], told.facts["requested_by"]) == (
            AuditVerb.GIVE_UP,
            "phone at fake",
            WHO["origin"].facts["requested_by"],
        )


def test_at_once_leaves_out_overlap_and_quarantine_but_not_the_order():
    world = rotated()
    world.retire(at_once=True)
    world.engine().removal.change(
        "office",
        lambda state: replace(state, ledger=end_now(state.ledger, world.clock.now(), Origin("tester", "because"))),
        AuditVerb.REQUEST_RETIREMENT,
        **WHO,
    )
    world.engine().look(world.target)
    verbs = world.audit.verbs("office")
    assert verbs.index("withdraw") < verbs.index("disable")
    assert world.provider.credentials == {}


@pytest.mark.parametrize("dies", [False, True])
def test_what_a_rolled_back_document_handed_out_has_its_overlap_from_when_that_is_corrected(dies):
    """The years, seed 1308: the document at the old path was written again, and what it had handed out was disabled."""
    world = rotated()
    engine = world.engine()
    world.request(engine)
    world.until_rotated(engine)
    used = world.state.ledger[-1].credential
    world.store.roll_back(world.target.path)
    world.settle(engine, 3 * DAY)
    assert world.provider.accepts(used.username, used.password)
    old = world.target.path
    move(world)
    if dies:  # between the document and its record

        def watch(label: str) -> None:
            if label == "after write consumer" and world.store.read_consumer(old).username != used.username:
                raise Crash(label)

        world.cut_at(0, watch)
        with pytest.raises(Crash):
            world.settle(world.engine(), timedelta(hours=1))
        world.cut_at(0)
    world.settle(world.engine(), timedelta(hours=1))
    assert world.store.read_consumer(old).username == world.state.published.username
    world.settle(world.engine(), DAY - timedelta(hours=2))
    assert world.provider.accepts(used.username, used.password)
    world.settle(world.engine(), timedelta(hours=2))
    assert not world.provider.accepts(used.username, used.password)


def test_no_end_is_told_before_the_withdrawal_is_on_record():
    """The years, seed 1040: a crash after the withdrawal, and a clock behind. The overlap begins with the record."""
    world = EngineHarness(replace(REPLACE, usernames=()), GENERATED)
    world.until_rotated(world.engine())
    world.retire()
    over = world.store.read_consumer(world.target.path)
    world.store.withdraw_consumer(world.target.path, world.clock.now(), "", over)
    world.store.ahead = -timedelta(minutes=5)
    engine = world.engine()
    engine.look(world.target)
    assert "expire" not in world.provider.calls
    world.store.ahead = timedelta()
    world.clock.advance(timedelta(hours=2))
    recorded = world.clock.now()
    engine.look(world.target)
    assert world.state.former_paths == ()
    assert world.state.ledger[-1].expires_at >= recorded + DAY


def test_no_end_is_told_while_a_document_at_an_old_path_may_hand_it_out():
    """The years, seed 1654: a standby that lagged showed nothing there, while it handed out what was replaced."""
    world = EngineHarness(replace(REPLACE, usernames=()), GENERATED)
    world.store = StandbyStore(world.clock)
    world.until_rotated(world.engine())
    old, used = world.target.path, world.consumer
    move(world)
    world.engine().look(world.target)
    world.clock.advance(timedelta(hours=6))
    engine = world.engine()
    world.request(engine)
    world.store.lags = [False, False, True]  # the state, the document at the new path, and at the old one
    assert engine.look(world.target).outcome is Outcome.ROTATED
    assert not world.store.lags
    assert world.store.read_consumer(old).username == used.username
    assert world.provider.credentials[used.credential_id].expires_at is None
    world.settle(engine, timedelta(hours=1))
    assert world.store.read_consumer(old).username == world.state.published.username
    world.settle(engine, timedelta(hours=18))
    assert world.store.read_consumer(old).withdrawn
    assert world.provider.credentials[used.credential_id].expires_at is not None
    assert world.provider.accepts(used.username, used.password)
    world.settle(engine, DAY)
    assert not world.provider.accepts(used.username, used.password)


def test_a_retirement_refuses_while_an_attempt_is_open():
    world = rotated()
    world.provider.faults["create"] = [FakeFault.UNREACHABLE]
    world.request(world.engine())
    world.engine().look(world.target)
    with pytest.raises(RemovalImpossible, match="rotator abandon office"):
        world.retire()


def test_what_cannot_be_reached_is_given_up_by_name():
    state = rotated().state
    assert [each.username for each in forgotten(state, {"fake"}, configured=False)] == [state.published.username]
    assert len(forgotten(state, (), configured=False)) == 2
    assert [each.username for each in forgotten(state, (), configured=True)] == ["office"]
    assert is_empty(after_forgetting(state, (), configured=False))
    kept = after_forgetting(state, {"fake"}, configured=False)
    assert (kept.published, kept.ledger) == (None, state.ledger), "what can be reached is still carried out"
    assert after_forgetting(state, (), configured=True) == replace(state, ledger=())
