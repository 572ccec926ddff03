"""Trunks: what a new credential takes over is pointed to it before it is published, and nothing that works is retired.

Both readings: a provider where any enabled credential is let in, and one where only what a trunk names is.
"""

from dataclasses import replace
from datetime import timedelta
from itertools import count

import pytest
from engine_harness import ALTERNATING, DAY, REPLACE, EngineHarness

from rotator.core.answers import Refusal, Refused
from rotator.core.backoff import Backoff
from rotator.core.consumer_document import ConsumerDocument
from rotator.core.model import Credential, Phase, Proof, Purpose
from rotator.core.origin import Origin
from rotator.core.secret import Secret
from rotator.testing import ATTACHING, FakeFault

READ_BACK = replace(ATTACHING, proof=Proof("listed", tries_password=False))
BOTH = pytest.mark.parametrize("target", [REPLACE, ALTERNATING], ids=lambda target: str(target.strategy.value))
READINGS = pytest.mark.parametrize("attached_only", [False, True], ids=["any is let in", "only attached"])
MINUTE = timedelta(minutes=1)


def rotated(target=REPLACE, *, attached_only: bool = True, capabilities=ATTACHING) -> EngineHarness:
    """The configured credential, which two trunks name, was replaced once; a third trunk names somebody else's."""
    harness = EngineHarness(replace(target, new=target is ALTERNATING), capabilities)
    harness.provider.attached_only = attached_only
    old, other = harness.provider.add(target.usernames[0]), harness.provider.add("theirs")
    harness.provider.trunks = {"t1": old.id, "t2": old.id, "t3": other.id, "t4": None}
    harness.until_rotated(harness.engine())
    return harness


def named(harness: EngineHarness) -> list[str | None]:
    """What the target's trunks name, after a look at those that are none of ours."""
    assert harness.provider.credentials[harness.provider.trunks["t3"]].username == "theirs"
    assert harness.provider.trunks["t4"] is None
    return [harness.provider.trunks["t1"], harness.provider.trunks["t2"]]


def at_rest(harness: EngineHarness) -> None:
    harness.settle(harness.engine(), 20 * DAY)
    assert harness.state.attempt is None
    assert harness.state.ledger == ()
    assert harness.published_works
    assert named(harness) == [harness.state.published.id] * 2


def lines(harness: EngineHarness) -> list[tuple[str, str, object]]:
    return [(one.verb, one.outcome, one.facts.get("detail")) for one in harness.audit.records if one.verb == "attach"]


@BOTH
@READINGS
def test_trunks_are_pointed_to_the_new_credential_before_it_is_proved_and_published(target, attached_only):
    harness = rotated(target, attached_only=attached_only)
    assert harness.provider.calls[-4:] == ["create", "attachments", "attach", "prove"]
    assert named(harness) == [harness.state.published.id] * 2
    assert harness.published_works
    assert lines(harness) == [("attach", "done", "trunk t1, trunk t2")]
    at_rest(harness)


@BOTH
def test_where_no_password_is_tried_they_are_pointed_there_after_the_read_back(target):
    harness = rotated(target, capabilities=READ_BACK)
    assert harness.provider.calls[-4:] == ["create", "prove", "attachments", "attach"]
    at_rest(harness)


def test_what_no_trunk_names_costs_one_look_for_a_rotation_and_one_before_it_is_disabled():
    harness = EngineHarness(replace(REPLACE, new=False), ATTACHING)
    harness.provider.add("office")
    harness.until_rotated(harness.engine())
    harness.settle(harness.engine(), 20 * DAY)
    assert harness.provider.calls.count("attachments") == 2
    assert "attach" not in harness.provider.calls
    assert lines(harness) == []


@BOTH
@READINGS
def test_what_is_not_accepted_in_time_gives_the_trunks_back(target, attached_only):
    harness = rotated(target, attached_only=attached_only)
    at_rest(harness)
    before = harness.consumer.username
    harness.provider.slow_to_accept = 1000
    harness.request(harness.engine())
    out = [harness.clock.now()]
    for _ in range(20):
        harness.engine().look(harness.target)
        if harness.state.attempt is not None and not harness.published_works:
            out.append(harness.clock.now())
        harness.clock.advance(timedelta(seconds=5))
    assert out[-1] - out[0] <= timedelta(seconds=50)  # the propagation window and one recovery
    assert harness.state.attempt is None
    assert "the trunks were pointed back" in harness.state.last_error
    assert harness.state.not_before - harness.clock.now() > timedelta(hours=5)
    harness.provider.slow_to_accept = 0
    assert harness.consumer.username == before
    at_rest(harness)
    assert harness.state.published.username == before


def test_a_compromised_one_stays_replaced_however_long_it_takes():
    harness = rotated()
    harness.provider.slow_to_accept = 25
    harness.request(harness.engine(), compromised=True)
    harness.until_rotated(harness.engine(), 200)
    assert [line[2] for line in lines(harness)] == ["trunk t1, trunk t2"] * 2
    at_rest(harness)


@READINGS
def test_what_a_trunk_names_again_is_not_ended_until_it_is_pointed_elsewhere(attached_only):
    harness = rotated(attached_only=attached_only)
    old = harness.state.ledger[0].credential
    harness.settle(harness.engine(), DAY - MINUTE)
    harness.provider.trunks["t2"] = old.id  # somebody's hand
    harness.clock.advance(2 * MINUTE)
    harness.engine().look(harness.target)
    entry = harness.state.ledger[0]
    assert entry.note == f"trunk t2 still uses it: point it to {harness.consumer.username} at the provider"
    assert entry.not_before is not None
    harness.settle(harness.engine(), DAY)
    assert harness.provider.credentials[old.id].enabled
    assert not {"disable", "delete"} & set(harness.provider.calls)
    harness.provider.trunks["t2"] = harness.state.published.id
    at_rest(harness)
    assert old.id not in harness.provider.credentials


def test_a_rotation_takes_back_what_a_trunk_names_again():
    harness = rotated()
    harness.provider.trunks["t2"] = harness.state.ledger[0].credential.id
    harness.request(harness.engine())
    harness.until_rotated(harness.engine())
    assert named(harness) == [harness.state.published.id] * 2


@pytest.mark.parametrize("fault", [None, FakeFault.UNAUTHORIZED, FakeFault.RATE_LIMITED])
def test_what_is_compromised_ends_at_once_and_its_trunks_are_pointed_elsewhere_first(fault):
    harness = rotated()
    old = harness.state.ledger[0].credential
    harness.provider.trunks["t2"] = old.id
    versioned = harness.store.states["office"]
    entry = replace(versioned.state.ledger[0], compromised=True, disable_at=harness.clock.now())
    harness.store.states["office"] = replace(versioned, state=replace(versioned.state, ledger=(entry,)))
    harness.provider.faults["attach"] = [fault]
    harness.provider.calls.clear()
    harness.engine().look(harness.target)
    assert [one for one in harness.provider.calls if one != "prove"][:3] == ["attachments", "attach", "disable"]
    assert not harness.provider.accepts(old.username, old.password)


def test_while_nobody_knows_what_trunks_name_nothing_is_ended():
    harness = rotated()
    harness.provider.faults["attachments"] = [FakeFault.LOST_BEFORE] * 3
    harness.clock.advance(DAY + MINUTE)
    harness.engine().look(harness.target)
    assert "disable" not in harness.provider.calls
    assert harness.state.ledger[0].note == "the answer was lost"
    at_rest(harness)


@pytest.mark.parametrize("capabilities", [ATTACHING, READ_BACK], ids=["log-in", "read-back"])
def test_an_undo_points_them_back_at_once(capabilities):
    harness = rotated(capabilities=capabilities)
    at_rest(harness)
    first = harness.state.published
    harness.request(harness.engine())
    harness.until_rotated(harness.engine())
    harness.request(harness.engine(), Purpose.UNDO)
    harness.settle(harness.engine(), MINUTE)
    assert harness.state.published.id == first.id
    assert named(harness) == [first.id] * 2
    at_rest(harness)


def test_giving_up_points_them_back_before_the_rest():
    harness = rotated()
    before = harness.state.published
    harness.provider.slow_to_accept = 1
    harness.request(harness.engine())
    harness.engine().look(harness.target)
    attempt = harness.state.attempt
    assert attempt.detaches
    assert not harness.published_works
    plan = harness.engine().abandon(harness.target, attempt.id, Origin("somebody", "because"))
    assert plan.consequence.startswith(f"The trunks are pointed back to {before.username} of fake, which devices use.")
    assert harness.published_works
    assert harness.state.request is None
    at_rest(harness)
    assert harness.state.published.id == before.id


def test_where_they_cannot_be_pointed_back_what_is_given_up_stays_and_another_rotation_is_requested():
    harness = rotated()
    harness.provider.slow_to_accept = 1
    harness.request(harness.engine())
    harness.engine().look(harness.target)
    attempt = harness.state.attempt
    harness.provider.faults["attach"] = [FakeFault.LOST_BEFORE]
    harness.engine().abandon(harness.target, attempt.id, Origin("somebody", "because"))
    assert harness.state.request is not None
    assert named(harness) == [attempt.staged.id] * 2
    harness.until_rotated(harness.engine())
    assert harness.published_works
    at_rest(harness)
    assert attempt.staged.id not in harness.provider.credentials


@READINGS
def test_where_the_key_may_not_change_trunks_nothing_is_cut_off_and_a_person_can_do_it(attached_only):
    harness = rotated(attached_only=attached_only)
    harness.provider.attach = lambda *_: Refused(Refusal.PERMISSION, "the provider answered 403")
    harness.request(harness.engine())
    harness.settle(harness.engine(), 2 * MINUTE)
    attempt = harness.state.attempt
    assert attempt.phase is Phase.APPLIED
    assert not attempt.detaches
    assert harness.state.last_error == "the provider answered 403"
    assert harness.published_works
    harness.provider.trunks |= {"t1": attempt.staged.id, "t2": attempt.staged.id}
    del harness.provider.attach
    harness.until_rotated(harness.engine())
    at_rest(harness)


@pytest.mark.parametrize("fault", [FakeFault.LOST_AFTER, FakeFault.LOST_BEFORE, FakeFault.UNREACHABLE])
@pytest.mark.parametrize("capabilities", [ATTACHING, READ_BACK], ids=["log-in", "read-back"])
def test_a_lost_answer_is_looked_into(fault, capabilities):
    harness = rotated(capabilities=capabilities)
    harness.provider.faults["attach"] = [fault]
    harness.request(harness.engine())
    harness.until_rotated(harness.engine())
    at_rest(harness)


@pytest.mark.parametrize("capabilities", [ATTACHING, READ_BACK], ids=["log-in", "read-back"])
def test_what_vault_does_not_let_us_publish_gives_the_trunks_back(capabilities):
    harness = rotated(capabilities=capabilities)
    published = harness.state.published
    harness.request(harness.engine())
    harness.store.check_publishable = lambda _: None  # the right is taken away after it was checked
    harness.store.unpublishable.add(harness.target.path)
    harness.engine().look(harness.target)
    assert named(harness) == [published.id] * 2
    assert harness.published_works
    assert "the trunks were pointed back" in harness.state.last_error
    harness.store.unpublishable.clear()
    at_rest(harness)


def test_somebody_elses_document_keeps_the_trunks_where_they_are():
    harness = rotated()
    harness.request(harness.engine())
    harness.provider.faults["create"] = [FakeFault.LOST_AFTER]
    harness.engine().look(harness.target)
    before, calls = harness.consumer, len(lines(harness))
    theirs = ConsumerDocument(before.version + 1, exists=True, username="typed", password=Secret("typed"))
    harness.store.consumers[harness.target.path] = theirs
    harness.settle(harness.engine(), MINUTE)
    assert len(lines(harness)) == calls
    assert named(harness) == [harness.state.published.id] * 2


@pytest.mark.unmeasured
@BOTH
@READINGS
@pytest.mark.parametrize("capabilities", [ATTACHING, READ_BACK], ids=["log-in", "read-back"])
def test_a_crash_anywhere_leaves_what_vault_holds_accepted(target, attached_only, capabilities):
    for number in count(1):
        harness = rotated(target, attached_only=attached_only, capabilities=capabilities)
        at_rest(harness)

        def something_works(label: str, harness: EngineHarness = harness) -> None:
            attempt = harness.state.attempt
            staged = attempt.staged if attempt is not None and attempt.detaches else Credential("fake", "")
            works = harness.published_works or harness.provider.accepts(staged.username, staged.password)
            assert works, label

        harness.request(harness.engine())
        points = harness.cut_at(number, something_works)
        harness.crash(lambda harness=harness: harness.settle(harness.engine(), 10 * DAY))
        harness.cut_at(0, something_works)
        harness.settle(harness.engine(), DAY)
        at_rest(harness)
        if len(points.passed) < number:
            break
    assert number > 20


def test_what_a_late_call_points_to_an_older_credential_is_pointed_back():
    harness = rotated()
    at_rest(harness)
    published, send = harness.state.published, harness.provider.attach

    def send_late(credential: Credential, to: object) -> object:
        """Meanwhile somebody else has given the attempt up."""
        harness.provider.attach = send
        before = harness.store.states["office"]
        closed = replace(before.state, attempt=None, claim=None, request=None)
        harness.store.states["office"] = replace(before, state=closed, version=before.version + 1)
        harness.store.write_consumer(harness.target.path, published, harness.clock.now(), harness.consumer)
        return send(credential, to)

    harness.provider.attach = send_late
    harness.request(harness.engine())
    harness.engine().look(harness.target)
    assert harness.state.published == published
    assert named(harness) == [published.id] * 2
    assert harness.published_works


@pytest.mark.parametrize(
    ("account_tells", "read"), [("", "main.sip.example.com"), ("sip.own.example", "sip.own.example")]
)
def test_devices_read_the_host_of_the_trunk_unless_the_configuration_names_one(account_tells, read):
    harness = EngineHarness(REPLACE, ATTACHING)
    harness.provider.host = account_tells
    engine = harness.engine()
    harness.until_rotated(engine)
    assert harness.consumer.host == account_tells  # no trunk names it yet
    harness.provider.trunks = {"main": harness.state.published.id}
    harness.request(engine)
    harness.until_rotated(engine)
    assert harness.consumer.host == read


def test_where_what_is_published_is_gone_the_staged_one_is_tried_again_after_the_shortest_wait():
    """Trunks cannot be pointed back to it."""
    harness = rotated()
    harness.limits = replace(harness.limits, backoff=Backoff(MINUTE, DAY))
    harness.provider.slow_to_accept = 1000
    harness.request(harness.engine())
    harness.engine().look(harness.target)
    gone, point = harness.state.published.id, harness.provider.attach
    harness.provider.attach = lambda credential, to: (
        Refused(Refusal.NOT_FOUND, "it is gone") if credential.id == gone else point(credential, to)
    )
    for _ in range(20):
        harness.engine().look(harness.target)
        if harness.state.last_error == "it is gone":
            break
        harness.clock.advance(timedelta(seconds=5))
    assert harness.state.not_before - harness.clock.now() <= MINUTE  # the first failure
    assert not harness.state.attempt.put_back
    assert named(harness) == [harness.state.attempt.staged.id] * 2
