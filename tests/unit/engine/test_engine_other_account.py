"""The key of another account under the same name in the configuration: nothing is sent, and nothing is forgotten."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest
from engine_harness import ALTERNATING, DAY, IN_PLACE, POLICY, REPLACE, EngineHarness
from simulated_accounts import SETUPS, SimulatedHarness

from rotator.core.adoption import AdoptionImpossible, KnownToOperator
from rotator.core.holding import HoldReason
from rotator.core.model import Ending, Proof, Purpose, Target
from rotator.core.origin import Origin
from rotator.engine import Engine
from rotator.testing import CHOSEN, FakeFault, FakeProvider

HOUR = timedelta(hours=1)
TARGETS = pytest.mark.parametrize(
    "target", [REPLACE, IN_PLACE, ALTERNATING], ids=lambda target: str(target.strategy.value)
)


def rotated(target) -> EngineHarness:
    """A target that was rotated twice at `fake`: what was replaced is in the ledger."""
    harness = EngineHarness(target)
    for username in target.usernames:
        harness.provider.add(username)
    engine = harness.engine()
    harness.until_rotated(engine)
    harness.settle(engine, 10 * DAY)
    harness.request(engine)
    engine.look(target)
    return harness


def other_key(harness: EngineHarness) -> FakeProvider:
    """Another account under the same name; returns the right one."""
    right: FakeProvider = harness.provider
    harness.provider = FakeProvider(account="fake")
    harness.provider.identity = "another account"
    return right


@TARGETS
def test_nothing_is_sent_to_another_account_and_the_ledger_stays(target):
    """Finding 11: the ledger's entry was dropped, and a pair of the wrong account was published."""
    harness = rotated(target)
    ledger, published = harness.state.ledger, harness.consumer
    right = other_key(harness)
    engine = harness.engine()
    harness.request(engine, compromised=True)
    look = harness.settle(engine, 20 * DAY)
    assert look.hold.reason is HoldReason.ACCOUNT_CHANGED
    assert "fake is now another account, but" in look.message
    assert "identity of fake" in look.message
    assert harness.provider.calls == []
    assert [entry for entry in ledger if entry.ending is not Ending.FORGET] == list(harness.state.ledger)
    assert harness.consumer == published
    harness.provider = right
    engine = harness.engine()
    harness.until_rotated(engine)
    harness.settle(engine, HOUR)
    assert harness.published_works
    assert [stored.enabled for stored in right.credentials.values()].count(True) == 1


def test_an_entry_of_another_account_holds_up_no_other_entry():
    harness = rotated(REPLACE)
    harness.others["other"] = FakeProvider(account="other")
    harness.target = replace(REPLACE, account="other")
    engine = harness.engine()
    for _ in range(2):
        harness.request(engine)
        harness.until_rotated(engine)
    other_key(harness)
    look = harness.settle(harness.engine(), 20 * DAY)
    assert look.hold.reason is HoldReason.ACCOUNT_CHANGED
    assert {entry.credential.account for entry in harness.state.ledger} == {"fake"}
    assert len(harness.others["other"].credentials) == 1
    assert harness.provider.calls == []


@TARGETS
def test_a_target_does_not_move_to_another_name_of_its_own_account(target):
    """With the wrong key under the new name, what is published was its own successor, and was disabled a day later.

    `replace` created a first credential in the wrong account, which a corrected key could not end any more.
    """
    harness = rotated(target)
    published, right = harness.consumer, harness.provider
    by_mistake = FakeProvider(account="other")
    by_mistake.identity, by_mistake.credentials = right.identity, right.credentials
    harness.others["other"] = by_mistake
    harness.account_keys = {"fake": "the account", "other": "the account"}
    harness.target = replace(target, account="other")
    engine = harness.engine()
    harness.request(engine)
    look = harness.settle(engine, 20 * DAY)
    assert look.hold.reason is HoldReason.ACCOUNT_CHANGED
    assert look.message.startswith("other and fake mean the same account, in which ")
    remedies = (
        "correct the key of other, or move the target back to fake; if both names are right, go on under this one"
    )
    assert look.message.endswith(f": {remedies}: rotator adopt office")
    assert harness.consumer == published
    assert harness.published_works
    assert harness.state.request is not None

    harness.others["other"] = FakeProvider(account="other")  # the key is corrected
    for username in target.usernames:
        harness.others["other"].add(username)
    harness.account_keys = {}
    engine = harness.engine()
    harness.until_rotated(engine)
    assert harness.state.published.account == "other"


@TARGETS
@pytest.mark.parametrize("former", ["still configured", "gone"])
def test_a_target_goes_on_under_another_name_of_its_account_if_somebody_says_so(target, former):
    """No rotation, and nothing changes for devices; the ledger is carried out under the new name."""
    harness = rotated(target)
    published, calls = harness.consumer, list(harness.provider.calls)
    before, target = harness.state, under_another_name(harness, former)
    engine, asked = harness.engine(), KnownToOperator()
    plan = engine.plan_adoption(target, asked)
    assert (plan.moved_from, plan.writes_document, plan.replaced) == ("fake", False, None)
    adopted = engine.adopt(target, asked, plan, Origin("somebody", "one account"))
    assert adopted.published == replace(before.published, account="other")
    assert [entry.credential.account for entry in adopted.ledger] == ["other"] * len(before.ledger)
    assert adopted.next_rotation == before.next_rotation
    assert harness.consumer == published
    assert harness.provider.calls == calls
    harness.target = target
    harness.settle(engine, 20 * DAY)
    assert harness.state.ledger == ()
    harness.request(engine)
    harness.until_rotated(engine)
    assert harness.others["other"].accepts(harness.consumer.username, harness.consumer.password)


def under_another_name(harness: EngineHarness, former: str) -> Target:
    """The account gets another name in the configuration, and the target with it."""
    renamed = FakeProvider(account="other")
    renamed.identity = harness.provider.identity
    renamed.credentials = harness.provider.credentials
    harness.others["other"] = renamed
    if former == "gone":
        harness.unconfigured = {"fake"}
    else:
        harness.account_keys = {"fake": "the account", "other": "the account"}
    return replace(harness.target, account="other")


@TARGETS
def test_another_account_is_not_taken_for_another_name(target):
    harness = rotated(target)
    other = FakeProvider(account="other")
    other.identity, other.credentials = "another account", harness.provider.credentials
    harness.others["other"] = other
    with pytest.raises(AdoptionImpossible, match="there is nothing to take up"):
        harness.engine().plan_adoption(replace(target, account="other"), KnownToOperator())


def test_an_emergency_does_not_wait_for_whoever_mixed_up_two_names():
    harness = rotated(REPLACE)
    leaked = harness.consumer
    harness.target = under_another_name(harness, "still configured")
    engine = harness.engine()
    harness.request(engine, compromised=True)
    harness.until_rotated(engine)
    harness.settle(engine, HOUR)
    assert not harness.provider.accepts(leaked.username, leaked.password)


def test_what_is_published_is_not_retired_under_an_earlier_name_of_its_account():
    """The account was renamed in the configuration, and its earlier name came back beside the new one."""
    harness = rotated(IN_PLACE)
    renamed = FakeProvider(account="other")
    renamed.identity, renamed.credentials = harness.provider.identity, harness.provider.credentials
    harness.others["other"], harness.unconfigured = renamed, {"fake"}
    harness.target = replace(IN_PLACE, account="other")
    engine = harness.engine()
    harness.request(engine)
    harness.until_rotated(engine)
    assert harness.state.published.account == "other"
    harness.unconfigured = set()
    harness.account_keys = {"fake": "the account", "other": "the account"}
    harness.settle(harness.engine(), 20 * DAY)
    assert harness.published_works


def test_an_open_attempt_waits_for_its_own_account_or_is_given_up():
    harness = rotated(IN_PLACE)
    harness.provider.faults["set_password"] = [FakeFault.LOST_AFTER]
    engine = harness.engine()
    harness.request(engine)
    engine.look(harness.target)
    attempt = harness.state.attempt
    other_key(harness)
    engine = harness.engine()
    assert harness.settle(engine, DAY).hold.reason is HoldReason.ACCOUNT_CHANGED
    assert harness.state.attempt == attempt
    engine.abandon(harness.target, attempt.id, Origin("somebody", "because"))
    assert harness.provider.calls == []
    assert attempt.staged.password in [entry.credential.password for entry in harness.state.ledger]


def test_an_attempt_of_which_nothing_was_sent_ends_when_its_account_is_another_one():
    harness = rotated(REPLACE)
    harness.provider.dead = True
    engine = harness.engine()
    harness.request(engine)
    engine.look(harness.target)
    assert harness.state.attempt is not None
    other_key(harness)
    look = harness.engine().look(harness.target)
    assert harness.state.attempt is None
    assert harness.state.request is not None
    assert look.hold.reason is HoldReason.ACCOUNT_CHANGED


def test_an_undo_does_not_enable_at_another_account():
    harness = rotated(REPLACE)
    harness.others["other"] = FakeProvider(account="other")
    harness.target = replace(REPLACE, account="other")
    engine = harness.engine()
    harness.request(engine)
    harness.until_rotated(engine)
    other_key(harness)
    engine = harness.engine()
    harness.request(engine, Purpose.UNDO)
    assert engine.look(harness.target).hold.reason is HoldReason.ACCOUNT_CHANGED
    assert harness.provider.calls == []


@pytest.mark.parametrize("after", [DAY + HOUR, 6 * DAY + HOUR], ids=["disable", "delete"])
def test_a_key_that_alone_names_its_account_does_not_make_the_ledger_forget(after):
    """Finding 11: a listing of the wrong account confirms that the entry is gone, and it was dropped."""
    harness = rotated(replace(REPLACE, policy=replace(POLICY, verify=None)))
    harness.provider.identity = ""
    if after > 2 * POLICY.overlap:
        harness.settle(harness.engine(), 2 * DAY)
    right = other_key(harness)
    harness.provider.identity = ""
    harness.provider.prove = right.prove  # as a registrar that serves both accounts
    (entry,) = harness.state.ledger
    harness.settle(harness.engine(), after)
    (kept,) = harness.state.ledger
    assert kept.credential == entry.credential
    assert "what is published is not there either; is the key that of another account?" in kept.note
    harness.provider = right
    harness.settle(harness.engine(), 20 * DAY)
    assert harness.state.ledger == ()
    assert len(right.credentials) == 1
    assert harness.published_works


def test_what_is_gone_is_believed_where_what_is_published_is_there():
    harness = rotated(REPLACE)
    (entry,) = harness.state.ledger
    del harness.provider.credentials[entry.credential.id]
    harness.settle(harness.engine(), 2 * DAY)
    assert harness.state.ledger == ()


def test_where_only_a_listing_shows_what_is_gone_no_target_is_rotated_into_another_account():
    """Each was taken for deleted by hand, created at the other account and published there, within a day."""
    world, targets, pass_time = read_back_fleet()
    engine, ours = world.engine(), world.provider.credentials
    pass_time(engine, 2 * HOUR)
    world.provider.credentials = {}
    pass_time(engine, 2 * DAY)
    states = [world.store.states[target.name].state for target in targets]
    assert [state.counts.succeeded for state in states] == [1] * len(targets)
    held = engine.look(targets[0]).hold
    assert held.reason is HoldReason.PUBLISHED_REFUSED
    assert "the key is that of another account" in held.message
    world.provider.credentials = ours
    pass_time(engine, DAY)
    assert all(world.store.states[target.name].state.verification.accepted for target in targets)


def test_where_only_a_listing_shows_what_is_gone_it_is_repaired_once_another_one_was_accepted():
    world, targets, pass_time = read_back_fleet()
    engine = world.engine()
    pass_time(engine, 2 * HOUR)
    del world.provider.credentials[world.store.states["t0"].state.published.id]
    pass_time(engine, 2 * DAY)
    states = [world.store.states[target.name].state for target in targets]
    assert [state.counts.succeeded for state in states] == [2, 1, 1]
    assert all(state.verification.accepted for state in states)


def read_back_fleet() -> tuple[EngineHarness, list[Target], Callable[[Engine, timedelta], None]]:
    """Three targets of an account whose listing is the only proof, and what lets time pass for them."""
    world = EngineHarness(capabilities=replace(CHOSEN, proof=Proof("the listing", tries_password=False)))
    daily = replace(POLICY, verify=DAY)
    names = ["t0", "t1", "t2"]
    targets = [replace(REPLACE, name=name, usernames=(name,), path=f"sip/{name}", policy=daily) for name in names]

    def pass_time(engine: Engine, span: timedelta) -> None:
        end = world.clock.now() + span
        while world.clock.now() < end:
            for target in targets:
                engine.look(target)
            world.clock.advance(timedelta(minutes=10))

    return world, targets, pass_time


def test_telnyx_with_the_key_of_another_account():
    """With the real adapter: both accounts register at one domain, and only the key tells them apart."""
    setup = next(setup for setup in SETUPS if setup.kind == "telnyx")
    harness = SimulatedHarness(setup, accounts=("one", "two"))
    engine = harness.engine()
    for _ in range(2):
        harness.request(engine)
        harness.until_rotated(engine)
    (entry,) = harness.state.ledger
    right = harness.accounts["one"]
    before = dict(right.stored_credentials())
    harness.accounts["one"] = replace(harness.accounts["two"], options=right.options)
    harness.settle(harness.engine(), DAY + 6 * HOUR)  # its overlap ends, and disabling it is tried every ten minutes
    assert [left.credential for left in harness.state.ledger] == [entry.credential]
    assert right.stored_credentials().keys() == before.keys()
    harness.accounts["one"] = right
    harness.settle(harness.engine(), 30 * DAY)
    assert harness.state.ledger == ()
    assert harness.published_works


def test_a_proof_by_hand_asks_no_other_account():
    harness = rotated(REPLACE)
    before = harness.state
    other_key(harness)
    assert harness.engine().verify(harness.target) == (None, before)
    assert harness.state == before
