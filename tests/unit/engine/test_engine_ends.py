"""Evidence that what was ended is refused: a log-in with it, beside one with what is published."""

from dataclasses import replace
from datetime import timedelta
from itertools import pairwise

import pytest
from engine_harness import ALTERNATING, DAY, IN_PLACE, REPLACE, EngineHarness

from rotator.core.answers import Answer, Done, Retry, Wait
from rotator.core.ends import MOST_ENDED, SHOWN_WITHIN
from rotator.core.model import Capabilities, Credential, EndedBy, Proof, Purpose, Target
from rotator.engine import Engine
from rotator.testing import CHOSEN, GENERATED, FakeFault, FakeProvider

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
TRIED = replace(CHOSEN, tries_ended=10 * MINUTE)
MADE_THERE = replace(GENERATED, tries_ended=10 * MINUTE)


def rotated_twice(
    target: Target = REPLACE, capabilities: Capabilities = TRIED, **request: bool
) -> tuple[EngineHarness, Engine]:
    """A harness whose second rotation has just replaced something that devices had, and its engine."""
    harness = EngineHarness(target, capabilities)
    if target is IN_PLACE:
        harness.provider.add("office")
    engine = harness.engine()
    harness.until_rotated(engine)
    harness.settle(engine, 20 * DAY)
    harness.audit.records.clear()
    harness.provider.calls.clear()
    harness.request(engine, **request)
    harness.until_rotated(engine)
    return harness, engine


def tried(harness: EngineHarness) -> list[tuple[str, object]]:
    """The outcomes on record of what was ended."""
    return [(one.outcome, one.facts["ended_by"]) for one in harness.audit.records if one.verb == "try_ended"]


def still_accepted(harness: EngineHarness) -> list[str]:
    return [one.credential.username for one in harness.state.ended if one.accepted]


def wrong_log_ins(harness: EngineHarness) -> int:
    return harness.provider.calls.count("log_in")


@pytest.mark.parametrize(("target", "capabilities"), [(REPLACE, TRIED), (ALTERNATING, TRIED), (REPLACE, MADE_THERE)])
def test_one_log_in_shows_that_what_was_disabled_is_refused(target, capabilities):
    harness, engine = rotated_twice(target, capabilities)
    harness.settle(engine, DAY + HOUR)
    assert tried(harness) == [("done", "disabled")]
    last = harness.state.last_end
    assert last.by is EndedBy.DISABLED
    assert timedelta() < last.refused_at - last.at <= 2 * MINUTE
    assert "what is published is accepted" in last.detail
    assert harness.state.ledger[-1].refused_at == last.refused_at
    assert harness.state.ended == ()
    harness.settle(engine, 20 * DAY)
    assert wrong_log_ins(harness) == 1  # nothing more when it is deleted
    assert harness.state.counts.ends_shown == 1


def test_one_log_in_shows_that_a_password_set_in_place_has_ended_the_old_one():
    harness, engine = rotated_twice(IN_PLACE)
    old = harness.state.ledger[-1].credential.password
    assert harness.state.ended[0].credential.password == old
    harness.settle(engine, HOUR)
    assert tried(harness) == [("done", "replaced")]
    assert harness.state.ledger[-1].refused_at is not None
    assert harness.published_works


def test_where_no_log_in_is_configured_the_status_says_that_nothing_shows_it():
    harness, engine = rotated_twice(capabilities=CHOSEN)
    harness.settle(engine, 20 * DAY)
    assert harness.state.last_end.refused_at is None
    assert harness.state.last_end.detail == "no log-in is configured that could show it"
    assert harness.state.counts.ends_not_shown == 1
    assert wrong_log_ins(harness) == 0


def test_an_unknown_password_cannot_be_tried():
    harness = EngineHarness(replace(REPLACE, new=False), TRIED)
    harness.provider.add("office")
    engine = harness.engine()
    harness.until_rotated(engine)
    harness.settle(engine, 20 * DAY)
    assert harness.state.last_end.detail == "its password is not known"
    assert harness.state.ended == ()


def test_an_address_that_is_locked_out_shows_nothing():
    harness, engine = rotated_twice()
    harness.settle(engine, DAY - MINUTE)
    harness.provider.faults["prove"] = []
    refused = Retry(Wait.NOT_YET, "refused (403)")
    log_in = harness.provider.log_in
    harness.provider.log_in = lambda _: refused  # whatever is tried, as the first proof still came through

    def locked(_: Credential) -> Answer[Proof]:
        return refused if "disable" in harness.provider.calls else Done(CHOSEN.proof)

    prove, harness.provider.prove = harness.provider.prove, locked
    harness.settle(engine, 3 * MINUTE)
    assert harness.state.ended[0].tries == 1
    assert "not accepted beside it" in harness.state.ended[0].note
    assert tried(harness) == [("unknown", "disabled")]
    harness.provider.log_in, harness.provider.prove = log_in, prove
    harness.settle(engine, DAY)
    assert tried(harness)[-1] == ("done", "disabled")


def test_a_registrar_that_does_not_answer_shows_nothing_and_is_given_up_after_a_week():
    harness, engine = rotated_twice()
    harness.provider.faults["log_in"] = [FakeFault.UNREACHABLE] * 50
    harness.settle(engine, DAY + HOUR)
    assert harness.state.ended[0].tries == 2
    harness.settle(engine, 7 * DAY + SHOWN_WITHIN)  # it is deleted meanwhile, and tried for another week
    assert harness.state.ended == ()
    assert harness.state.last_end.detail.startswith("no log-in showed it within 7 days: ")
    assert tried(harness) == [("unknown", "disabled"), ("unknown", "deleted"), ("unknown", "deleted")]
    assert wrong_log_ins(harness) < 22


def test_what_is_disabled_and_still_accepted_gets_a_random_password():
    harness, engine = rotated_twice()
    used = harness.state.ledger[-1].credential
    harness.provider.ignores = {"disable"}
    harness.settle(engine, DAY + 2 * MINUTE)
    assert harness.state.ended[0].accepted == 1  # it is tried once more: perhaps the provider is slow
    assert tried(harness) == [("refused", "disabled")]
    assert harness.provider.accepts(used.username, used.password)
    harness.settle(engine, HOUR)
    assert not harness.provider.accepts(used.username, used.password)
    assert [verb for verb in harness.provider.calls if verb in ("disable", "set_password", "delete")] == [
        "disable",
        "set_password",
    ]
    assert tried(harness) == [("refused", "disabled")] * 2 + [("done", "overwritten")]
    assert harness.published_works
    harness.settle(engine, 20 * DAY)
    assert harness.state.ledger == ()
    assert len(harness.provider.credentials) == 1


def test_what_a_random_password_does_not_end_is_deleted():
    harness, engine = rotated_twice()
    harness.settle(engine, DAY - MINUTE)
    harness.provider.ignores = {"disable", "set_password"}
    harness.settle(engine, 2 * HOUR)
    assert harness.provider.calls[-1] == "prove"
    assert [verb for verb in harness.provider.calls if verb in ("disable", "set_password", "delete")] == [
        "disable",
        "set_password",
        "delete",
    ]
    assert tried(harness)[-1] == ("done", "deleted")
    assert harness.published_works


def test_what_is_accepted_even_after_it_was_deleted_is_an_alarm_until_it_is_refused():
    harness, engine = rotated_twice()
    harness.provider.ignores = {"disable", "set_password", "delete"}
    harness.settle(engine, 30 * DAY)
    (ended,) = harness.state.ended
    assert ended.by is EndedBy.DELETED
    assert ended.accepted > 10
    assert harness.published_works
    harness.provider.credentials = {key: one for key, one in harness.provider.credentials.items() if "," not in key}
    harness.settle(engine, 2 * DAY)
    assert harness.state.ended == ()
    assert tried(harness)[-1] == ("done", "deleted")


def test_a_standing_credential_is_not_deleted_for_that():
    harness, engine = rotated_twice(ALTERNATING)
    harness.provider.ignores = {"disable"}
    harness.settle(engine, 3 * DAY)
    assert "delete" not in harness.provider.calls
    assert harness.state.counts.overwritten == 1
    assert tried(harness)[-1][0] == "done"


def test_a_generating_provider_deletes_at_once_what_it_does_not_disable():
    harness, engine = rotated_twice(capabilities=MADE_THERE)
    harness.provider.ignores = {"disable"}
    harness.settle(engine, DAY + HOUR)
    assert tried(harness) == [("refused", "disabled")] * 2 + [("done", "deleted")]


def test_an_emergency_is_tried_at_once_and_takes_the_next_means_at_once():
    harness, engine = rotated_twice(compromised=True)
    harness.provider.ignores = {"disable"}
    harness.settle(engine, MINUTE)
    assert harness.provider.calls.count("delete") == 1
    assert tried(harness)[-1] == ("done", "deleted")


@pytest.mark.parametrize("ahead", [3, -3])
@pytest.mark.parametrize("target", [REPLACE, IN_PLACE], ids=["replace", "in-place"])
def test_clocks_that_are_days_apart_cause_no_series_of_wrong_log_ins(target, ahead):
    """The years, seed 1042: the moment of the end was that of the clock ahead, and its pause was not believed."""
    harness = EngineHarness(target, TRIED)
    if target is IN_PLACE:
        harness.provider.add("office")
    engine = harness.engine()
    harness.until_rotated(engine)
    harness.settle(engine, 20 * DAY)
    harness.store.ahead = -ahead * DAY
    harness.provider.ignores = {"disable", "set_password", "delete"} if target is REPLACE else set()
    harness.provider.calls.clear()
    harness.request(engine, compromised=True)
    for offset in (-ahead * DAY, -ahead * DAY, timedelta(), timedelta()):
        harness.store.ahead = offset  # right again at last
        engine.look(harness.target)
        harness.clock.advance(timedelta(seconds=5))
    assert harness.provider.calls.count("log_in") in range(1, 6)


def test_an_emergency_that_active_calls_keep_alive_overwrites_what_is_still_accepted():
    harness = EngineHarness(REPLACE, TRIED)
    engine = harness.engine()
    harness.until_rotated(engine)
    harness.settle(engine, 20 * DAY)
    next(iter(harness.provider.credentials.values())).busy = True
    used = harness.state.published
    harness.provider.ignores = {"disable"}
    harness.request(engine, compromised=True)
    harness.until_rotated(engine)
    engine.look(harness.target)
    assert not harness.provider.accepts(used.username, used.password)
    assert harness.published_works


def test_what_is_still_accepted_is_not_given_up_when_the_target_moves_to_another_account():
    harness, engine = rotated_twice(capabilities=MADE_THERE)
    harness.provider.ignores = {"disable", "delete"}
    leaked = harness.consumer.username
    harness.request(engine, compromised=True)
    harness.settle(engine, HOUR)
    assert leaked in still_accepted(harness)
    harness.others["other"] = FakeProvider(MADE_THERE, "other")
    harness.target = replace(harness.target, account="other")
    engine = harness.engine()
    harness.request(engine)
    harness.until_rotated(engine)
    harness.settle(engine, 3 * DAY)
    assert leaked in still_accepted(harness)

    harness.provider.credentials.clear()  # somebody ends it by hand, and nothing is published beside it any more
    harness.settle(engine, 2 * DAY)

    assert harness.state.ended == ()
    assert harness.state.counts.ends_shown == 0


def test_an_emergency_in_place_is_tried_at_once():
    harness, engine = rotated_twice(IN_PLACE, compromised=True)
    engine.look(harness.target)
    assert tried(harness) == [("done", "replaced")]
    assert harness.state.ended == ()


def test_what_an_undo_publishes_again_is_not_tried():
    harness, engine = rotated_twice(IN_PLACE)
    harness.request(engine, Purpose.UNDO)
    harness.settle(engine, 10 * MINUTE)
    assert harness.state.counts.undone == 1
    harness.settle(engine, DAY)
    # The password that was undone is refused; the one that is published again is not among what was ended.
    assert all(outcome == "done" for outcome, _ in tried(harness))
    assert harness.state.ended == ()
    assert harness.published_works


def test_the_log_ins_of_many_targets_are_spaced():
    harness = EngineHarness(IN_PLACE, TRIED)
    targets = [replace(IN_PLACE, name=f"phone{n}", usernames=(f"phone{n}",), path=f"sip/{n}") for n in range(4)]
    for target in targets:
        harness.provider.add(target.usernames[0])
    engine = harness.engine()
    moments = []
    log_in = harness.provider.log_in

    def noted(credential: Credential) -> Answer[Proof]:
        moments.append(harness.clock.now())
        return log_in(credential)

    harness.provider.log_in = noted
    for _ in range(2):
        for target in targets:
            harness.target = target
            harness.request(engine)
            harness.until_rotated(engine)
    for _ in range(80):
        for target in targets:
            engine.look(target)
        harness.clock.advance(MINUTE)
    assert len(moments) == 4
    assert min(later - earlier for earlier, later in pairwise(moments)) >= 9 * MINUTE


@pytest.mark.unmeasured
def test_where_a_provider_ignores_every_end_the_oldest_and_the_newest_are_tried_on():
    """Each rotation left one more that is tried every day, for ever. The alert's age is that of the oldest."""
    harness, engine = rotated_twice()
    harness.provider.ignores = {"disable", "set_password", "delete"}
    oldest = harness.state.ledger[-1].credential.username
    for _ in range(2 * MOST_ENDED):
        harness.settle(engine, 3 * DAY)
        harness.request(engine)
        harness.until_rotated(engine)
    newest = harness.state.ledger[-1].credential.username
    harness.settle(engine, 3 * DAY)

    assert len(harness.state.ended) == MOST_ENDED
    names = [one.credential.username for one in harness.state.ended]
    assert (names[0], names[-1]) == (oldest, newest)
    assert harness.state.counts.ends_not_shown == harness.state.counts.succeeded - 1 - MOST_ENDED
    given_up = [one.facts["detail"] for one in harness.audit.records if "others are still tried" in str(one.facts)]
    assert len(given_up) == harness.state.counts.ends_not_shown
    log_ins = wrong_log_ins(harness)
    harness.settle(engine, 10 * DAY)
    assert wrong_log_ins(harness) - log_ins <= 10 * MOST_ENDED + 2
    harness.provider.ignores = set()


@pytest.mark.unmeasured
def test_what_leaked_is_not_given_up_for_others():
    harness, engine = rotated_twice(compromised=True)
    harness.provider.ignores = {"disable", "set_password", "delete"}
    leaked = harness.consumer.username
    harness.settle(engine, DAY)
    harness.request(engine, compromised=True)
    for _ in range(MOST_ENDED + 3):
        harness.until_rotated(engine)
        harness.settle(engine, 3 * DAY)
        harness.request(engine)
    assert leaked in still_accepted(harness)
    assert len(harness.state.ended) == MOST_ENDED
