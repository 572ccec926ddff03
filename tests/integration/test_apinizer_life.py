"""The life of an Apinizer credential under each strategy: the real engine and the real adapter on a simulated project.

What crosses the socket is held against the contract in `tests/contracts/apinizer.yaml`.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta

import pytest
from apinizer_bench import ALL, ENVIRONMENTS, GENERATIONS, NEW, OLD, ORDERS, PROJECT, Place, place
from examples import only_long
from world import ALTERNATING, DAY, IN_PLACE, POLICY, REPLACE, World

from rotator.core.model import Phase, Purpose, Target
from rotator.core.passwords import PasswordRules, generate
from rotator.core.secret import Secret
from rotator.engine import Outcome
from rotator.testing import FakeRandomness
from rotator_simulator.faults import PlannedFault, fault_named

MINUTE = timedelta(minutes=1)
FIELDS = {
    "email": "team@example.com",
    "fullName": "The Team",
    "description": "billing",
    "roleNameList": ["API_USER", "BILLING"],
    "ipList": ["10.0.0.0/8"],
    "expireDate": "2031-12-31T23:59:59.000Z",
}
RULES = replace(POLICY, password=PasswordRules())
TARGETS = {
    "replace": replace(REPLACE, policy=RULES),
    "alternating": replace(ALTERNATING, policy=RULES),
    "in-place": replace(IN_PLACE, policy=RULES),
}
STRATEGIES = pytest.mark.parametrize("strategy", TARGETS)
OVERLAPPING = pytest.mark.parametrize("strategy", ["replace", "alternating"])
BOTH = pytest.mark.parametrize("generation", GENERATIONS)


class Life(World):
    """A `World` whose provider is the real adapter."""

    place: Place

    def use(self, found: Place) -> None:
        """The credentials that are there before `rotator` comes: those that the target names, all with access."""
        self.place, self.provider = found, found.provider
        passwords = FakeRandomness(99)
        for name in self.target.usernames:
            found.api.add(PROJECT, name, generate(PasswordRules(), passwords.choice), [ORDERS, ALL], **FIELDS)
        found.api.add(PROJECT, "somebody-else", Secret("not-ours"))

    @property
    def published_works(self) -> bool:
        """True where every environment lets in who reads Vault now, to every API."""
        return all(
            self.place.everywhere(self.consumer.username, self.consumer.password, api) for api in ("Orders", "Invoices")
        )

    def watching(self) -> None:
        """From now on a published credential has to work at every boundary between two writes to Vault."""

        def watch(label: str) -> None:
            if self.consumer.exists:
                assert self.published_works, label

        self.store.points = self.cut_at(0, watch)

    @property
    def ours(self) -> dict[str, bool]:
        held = self.place.held()
        assert held.pop("somebody-else") is True
        assert self.place.everywhere("somebody-else", "not-ours")
        return held

    def shown(self, username: str) -> dict:
        """What the API shows of a credential, without what is its own."""
        record = self.place.account.by_username(username)
        fields = self.place.api._details[record.id]
        return {**fields.fields, "access": sorted(fields.access)}


@contextmanager
def life(strategy: str = "replace", generation: str = OLD, target: Target | None = None, **more) -> Iterator[Life]:
    world = Life(target or TARGETS[strategy])
    with place(generation, clock=world.clock, **more) as found:
        world.use(found)
        yield world


def rotate(world: Life, engine, **flags):
    world.request(engine, **flags)
    return world.until_rotated(engine)


# -- the whole life


@BOTH
@pytest.mark.parametrize("proof", [None, "probe", "token"])
def test_replace_from_the_first_rotation_to_the_deletion_of_the_old(generation, proof):
    with life("replace", generation, proof=proof) as world:
        world.watching()
        engine = world.engine()
        world.until_rotated(engine)
        new = world.consumer.username
        assert world.audit.verbs("office") == ["stage", "create", "prove", "publish", "close"]
        assert world.shown(new) == {**FIELDS, "access": sorted([ORDERS, ALL])}
        assert world.ours == {"office": True, new: True}
        world.settle(engine, DAY + MINUTE)
        assert world.ours == {"office": False, new: True}
        world.settle(engine, 8 * DAY)
        assert world.ours == {new: True}
        assert world.state.ledger == ()


@BOTH
def test_the_grants_are_there_before_it_is_published(generation):
    with life("replace", generation) as world:
        seen = []

        def watch(label: str) -> None:
            attempt = world.store.states["office"].state.attempt if world.store.states else None
            if label == "before write consumer":
                staged = attempt.staged
                seen.append(world.place.everywhere(staged.username, staged.password, "Invoices"))

        world.cut_at(0, watch)
        world.until_rotated(world.engine())
        assert seen == [True]


@BOTH
@pytest.mark.parametrize("after", [MINUTE, 2 * DAY])
@OVERLAPPING
def test_undo_from_the_overlap_and_from_the_quarantine(strategy, after, generation):
    with life(strategy, generation) as world:
        world.watching()
        engine = world.engine()
        world.until_rotated(engine)
        world.settle(engine, 2 * DAY)
        old = world.consumer
        rotate(world, engine)
        new = world.consumer
        world.settle(engine, after)
        assert world.place.everywhere(old.username, old.password) is (after == MINUTE)
        world.request(engine, Purpose.UNDO)
        assert engine.look(world.target).outcome is Outcome.UNDONE
        assert (world.consumer.username, world.consumer.password) == (old.username, old.password)
        world.settle(engine, 9 * DAY)
        assert world.published_works
        assert world.place.nowhere(new.username, new.password)
        assert [name for name, enabled in world.ours.items() if enabled] == [old.username]


def test_what_was_disabled_is_dead_even_where_the_gateway_does_not_look_at_enabled():
    with life(enabled_enforced=False) as world:
        engine = world.engine()
        world.until_rotated(engine)
        old = world.consumer
        rotate(world, engine)
        assert world.place.everywhere(old.username, old.password)
        world.settle(engine, DAY + MINUTE)
        assert world.place.nowhere(old.username, old.password)
        world.request(engine, Purpose.UNDO)
        engine.look(world.target)
        assert world.place.everywhere(old.username, old.password)


@BOTH
def test_alternating_takes_turns_and_never_makes_a_third(generation):
    with life("alternating", generation) as world:
        world.watching()
        engine, seen = world.engine(), []
        world.until_rotated(engine)
        for _ in range(3):
            seen.append(world.consumer.username)
            world.settle(engine, 9 * DAY)
            rotate(world, engine)
        assert seen in (["officeb", "officea", "officeb"], ["officea", "officeb", "officea"])
        world.settle(engine, 9 * DAY)
        assert sorted(world.ours.values()) == [False, True]
        for name in ("officea", "officeb"):
            assert world.shown(name) == {**FIELDS, "access": sorted([ORDERS, ALL])}


def test_alternating_makes_the_second_one_with_all_that_the_first_has():
    with life("alternating") as world:
        world.place.account.delete("credential", world.place.account.by_username("officeb").id)
        engine = world.engine()
        world.until_rotated(engine)
        assert world.consumer.username == "officeb"
        assert world.shown("officeb") == {**FIELDS, "access": sorted([ORDERS, ALL])}
        assert world.published_works


@BOTH
def test_in_place_keeps_everything_but_the_password_and_can_be_undone(generation):
    with life("in-place", generation) as world:
        engine = world.engine()
        world.until_rotated(engine)
        old = world.consumer
        rotate(world, engine)
        assert world.published_works
        assert world.place.nowhere("office", old.password)
        assert not [line for line in world.place.lines() if line.startswith(("PUT", "POST", "DELETE"))]
        world.request(engine, Purpose.UNDO)
        assert engine.look(world.target).outcome is Outcome.UNDONE
        assert world.consumer.password == old.password
        assert world.published_works
        assert world.ours == {"office": True}


@BOTH
@STRATEGIES
def test_compromised_leaves_the_old_password_in_no_environment(strategy, generation):
    with life(strategy, generation) as world:
        engine = world.engine()
        world.until_rotated(engine)
        world.settle(engine, 2 * DAY)
        old = world.consumer
        rotate(world, engine, compromised=True)
        world.settle(engine, MINUTE)
        assert world.place.nowhere(old.username, old.password)
        assert world.published_works
        assert world.state.ledger == ()
        left = {"replace": 1, "alternating": 2, "in-place": 1}[strategy]
        assert len(world.ours) == left


# -- partial deployments


@BOTH
@pytest.mark.parametrize("fault", ["partial-deployment", "null-deployment", "empty-deployment"])
@STRATEGIES
def test_a_partial_deployment_is_sent_again_with_the_same_password_and_is_visible(strategy, fault, generation):
    with life(strategy, generation) as world:
        if strategy != "in-place":
            world.watching()
        verb = "create" if strategy == "replace" else "update"
        world.place.sandbox.faults.plan(fault, verb=verb)
        engine = world.engine()
        look = engine.look(world.target)
        attempt = world.state.attempt
        assert (look.outcome, attempt.phase, attempt.uncertain) == (Outcome.FAILED, Phase.STAGED, True)
        assert ("staging" if fault == "partial-deployment" else "names no environment") in world.state.last_error
        assert not world.consumer.exists
        world.until_rotated(engine)
        assert (world.consumer.password, world.consumer.username) == (attempt.staged.password, attempt.staged.username)
        assert world.published_works
        world.settle(engine, 9 * DAY)
        assert world.state.ledger == ()


def test_an_environment_that_never_takes_it_holds_the_publication_back():
    with life() as world:
        world.place.sandbox.faults.plan(fault_named("partial-deployment", environment="production"), verb="create")
        world.place.sandbox.faults.plan(
            fault_named("partial-deployment", environment="production"), verb="update", times=None
        )
        engine = world.engine()
        world.settle(engine, 2 * timedelta(hours=1))
        attempt = world.state.attempt
        assert not world.consumer.exists
        assert "not deployed to production" in world.state.last_error
        assert world.place.lets_in(attempt.staged.username, attempt.staged.password) == {
            "production": False,
            "staging": True,
        }
        assert engine.throttles.open_circuits() == ()
        world.place.sandbox.faults.clear()
        world.until_rotated(engine)
        assert world.published_works


def test_what_is_disabled_only_in_part_is_not_disabled_yet():
    with life() as world:
        engine = world.engine()
        world.until_rotated(engine)
        old = world.consumer
        rotate(world, engine)
        world.place.sandbox.faults.plan("partial-deployment", verb="update", times=3)
        world.settle(engine, DAY + timedelta(seconds=1))
        assert [entry.disabled for entry in world.state.ledger] == [False, False]
        assert all("staging" in entry.note for entry in world.state.ledger)
        world.settle(engine, timedelta(hours=2))
        assert world.place.nowhere(old.username, old.password)
        assert sum(record.verb == "disable" for record in world.audit.records) >= 4


# -- lost answers


class AtCall(PlannedFault):
    """One fault at the n-th call of the API, whichever it is."""

    def __init__(self, fault, number):
        super().__init__(fault, account="*", verb="*", times=None, probability=1.0, seed=0)
        self.rest = number

    def applies(self, account, verb):
        self.rest -= verb != "gateway"
        if self.rest or self.fired:
            return False
        self.fired += 1
        return True


MOST_CALLS = 16
FAULTS = ["lost-answer", "error", "partial-deployment", "null-deployment", "rate-limited", "forbidden"]
# The conformance suite shows that the adapter answers these as it answers the first two.
FAULTS += only_long("reset", "error-after-commit", "html-after-commit", "empty-after-commit", "half-body")


@pytest.mark.parametrize("fault", FAULTS)
@STRATEGIES
def test_a_fault_at_any_call_leaves_neither_an_orphan_nor_a_lost_grant(strategy, fault):
    """Every call of a rotation in turn: the listing, the grants of the old, the create, the grants of the new, ..."""
    for number in range(1, MOST_CALLS):
        with life(strategy, NEW if number % 2 else OLD, lenient=True) as world:
            if strategy != "in-place":
                world.watching()
            planned = AtCall(fault_named(fault), number)
            world.place.sandbox.faults._plans.append(planned)
            engine = world.engine()
            world.until_rotated(engine)
            assert world.published_works, number
            world.settle(engine, 10 * DAY)
            assert world.published_works, number
            assert world.state.ledger == ()
            assert world.shown(world.consumer.username) == {**FIELDS, "access": sorted([ORDERS, ALL])}
            left = {name for name, enabled in world.ours.items() if enabled}
            assert left == {world.consumer.username}, number
            assert len(world.ours) == (2 if strategy == "alternating" else 1)
            if not planned.fired:
                assert number > 4
                return
    pytest.fail("a rotation takes more calls than were tried")


# -- the project


@BOTH
@pytest.mark.parametrize("reading", ["project_visible", "permitted"])
def test_a_project_that_cannot_be_seen_stops_the_account_and_says_what_to_check(reading, generation):
    with life("replace", generation) as world:
        engine = world.engine()
        world.until_rotated(engine)
        world.place.api.read_as(**{reading: False})
        world.settle(engine, DAY + timedelta(hours=3))
        assert engine.throttles.open_circuits() == ("fake",)
        (entry,) = world.state.ledger
        assert not entry.disabled
        assert "letter case" in entry.note
        assert world.published_works
        assert len(world.ours) == 2
        world.place.api.read_as(**{reading: True})
        world.settle(engine, 9 * DAY)
        assert len(world.ours) == 1


def test_a_username_that_another_project_has_is_not_taken_from_it():
    with life("alternating") as world:
        world.place.account.delete("credential", world.place.account.by_username("officeb").id)
        world.place.api.add("Elsewhere", "officeb", Secret("theirs"))
        engine = world.engine()
        look = engine.look(world.target)
        assert look.outcome is not Outcome.ROTATED
        assert "taken" in world.state.last_error
        assert world.place.everywhere("officeb", "theirs")
        assert not world.consumer.exists


def test_an_expired_predecessor_is_not_copied():
    with life() as world:
        world.place.api._details[world.place.account.by_username("office").id].fields["expireDate"] = (
            "2020-01-01T00:00:00.000Z"
        )
        world.engine().look(world.target)
        assert "expireDate" in world.state.last_error
        assert set(world.ours) == {"office"}


def test_the_environments_of_these_tests_can_differ():
    """A check that could not fail would prove nothing."""
    with life() as world:
        world.place.sandbox.faults.plan("partial-deployment", verb="create")
        world.engine().look(world.target)
        staged = world.state.attempt.staged
        assert sorted(world.place.lets_in(staged.username, staged.password).values()) == [False, True]
        assert len(ENVIRONMENTS) == 2
