"""The lifecycle of an Apinizer credential under each strategy: real engine, real adapter, a simulated project.

What crosses the socket is held against the contract in `tests/contracts/apinizer.yaml`.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta

import pytest
from apinizer_fixtures import (
    ALL,
    ENVIRONMENTS,
    GENERATIONS,
    NEW,
    OLD,
    ORDERS,
    PROJECT,
    ApinizerProject,
    apinizer_project,
)
from engine_harness import ALTERNATING, DAY, IN_PLACE, POLICY, REPLACE, EngineHarness
from long_runs import only_long

from rotator.core.audit_words import AuditVerb
from rotator.core.model import Phase, Purpose, Target
from rotator.core.passwords import PasswordRules, generate
from rotator.core.secret import Secret
from rotator.engine import Look, Outcome
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


class ApinizerHarness(EngineHarness):
    """An `EngineHarness` whose provider is the real adapter."""

    project: ApinizerProject

    def add_project(self, project: ApinizerProject) -> None:
        """The credentials that are there before `rotator` comes: those that the target names, all with access."""
        self.project, self.provider = project, project.provider
        passwords = FakeRandomness(99)
        for name in self.target.usernames:
            project.api.add(PROJECT, name, generate(PasswordRules(), passwords.text), [ORDERS, ALL], **FIELDS)
        project.api.add(PROJECT, "somebody-else", Secret("not-ours"))

    @property
    def published_works(self) -> bool:
        """True where every environment lets in who reads Vault now, to every API."""
        return all(
            self.project.accepted_everywhere(self.consumer.username, self.consumer.password, api)
            for api in ("Orders", "Invoices")
        )

    def watch_every_boundary(self) -> None:
        """From now on a published credential has to work at every boundary between two writes to Vault."""

        def watch(label: str) -> None:
            if self.consumer.exists:
                assert self.published_works, label

        self.store.points = self.cut_at(0, watch)

    @property
    def our_credentials(self) -> dict[str, bool]:
        held = self.project.enabled_by_username()
        assert held.pop("somebody-else") is True
        assert self.project.accepted_everywhere("somebody-else", "not-ours")
        return held

    def api_fields(self, username: str) -> dict:
        """What the API shows of a credential, without what is its own."""
        record = self.project.account.by_username(username)
        fields = self.project.api._details[record.id]
        return {**fields.fields, "access": sorted(fields.access)}


@contextmanager
def apinizer_harness(
    strategy: str = "replace", generation: str = OLD, target: Target | None = None, **more
) -> Iterator[ApinizerHarness]:
    harness = ApinizerHarness(target or TARGETS[strategy])
    with apinizer_project(generation, clock=harness.clock, **more) as project:
        harness.add_project(project)
        yield harness


def rotate(harness: ApinizerHarness, engine, **flags) -> Look:
    harness.request(engine, **flags)
    return harness.until_rotated(engine)


# -- the whole lifecycle


@BOTH
@pytest.mark.parametrize("proof", [None, "probe", "token"])
def test_replace_from_the_first_rotation_to_the_deletion_of_the_old(generation, proof):
    with apinizer_harness("replace", generation, proof=proof) as harness:
        harness.watch_every_boundary()
        engine = harness.engine()
        harness.until_rotated(engine)
        new = harness.consumer.username
        assert harness.audit.verbs("office") == ["stage", "create", "prove", "publish", "close"]
        assert harness.api_fields(new) == {**FIELDS, "access": sorted([ORDERS, ALL])}
        assert harness.our_credentials == {"office": True, new: True}
        harness.settle(engine, DAY + MINUTE)
        assert harness.our_credentials == {"office": False, new: True}
        harness.settle(engine, 8 * DAY)
        assert harness.our_credentials == {new: True}
        assert harness.state.ledger == ()


@BOTH
def test_the_grants_are_there_before_it_is_published(generation):
    with apinizer_harness("replace", generation) as harness:
        seen = []

        def watch(label: str) -> None:
            attempt = harness.store.states["office"].state.attempt if harness.store.states else None
            if label == "before write consumer":
                staged = attempt.staged
                seen.append(harness.project.accepted_everywhere(staged.username, staged.password, "Invoices"))

        harness.cut_at(0, watch)
        harness.until_rotated(harness.engine())
        assert seen == [True]


@BOTH
@pytest.mark.parametrize("after", [MINUTE, 2 * DAY])
@OVERLAPPING
def test_undo_from_the_overlap_and_from_the_quarantine(strategy, after, generation):
    with apinizer_harness(strategy, generation) as harness:
        harness.watch_every_boundary()
        engine = harness.engine()
        harness.until_rotated(engine)
        harness.settle(engine, 2 * DAY)
        old = harness.consumer
        rotate(harness, engine)
        new = harness.consumer
        harness.settle(engine, after)
        assert harness.project.accepted_everywhere(old.username, old.password) is (after == MINUTE)
        harness.request(engine, Purpose.UNDO)
        assert engine.look(harness.target).outcome is Outcome.UNDONE
        assert (harness.consumer.username, harness.consumer.password) == (old.username, old.password)
        harness.settle(engine, 9 * DAY)
        assert harness.published_works
        assert harness.project.accepted_nowhere(new.username, new.password)
        assert [name for name, enabled in harness.our_credentials.items() if enabled] == [old.username]


def test_what_was_disabled_is_dead_even_where_the_gateway_does_not_look_at_enabled():
    with apinizer_harness(enabled_enforced=False) as harness:
        engine = harness.engine()
        harness.until_rotated(engine)
        old = harness.consumer
        rotate(harness, engine)
        assert harness.project.accepted_everywhere(old.username, old.password)
        harness.settle(engine, DAY + MINUTE)
        assert harness.project.accepted_nowhere(old.username, old.password)
        harness.request(engine, Purpose.UNDO)
        engine.look(harness.target)
        assert harness.project.accepted_everywhere(old.username, old.password)


@BOTH
def test_alternating_takes_turns_and_never_makes_a_third(generation):
    with apinizer_harness("alternating", generation) as harness:
        harness.watch_every_boundary()
        engine, seen = harness.engine(), []
        harness.until_rotated(engine)
        for _ in range(3):
            seen.append(harness.consumer.username)
            harness.settle(engine, 9 * DAY)
            rotate(harness, engine)
        assert seen in (["officeb", "officea", "officeb"], ["officea", "officeb", "officea"])
        harness.settle(engine, 9 * DAY)
        assert sorted(harness.our_credentials.values()) == [False, True]
        for name in ("officea", "officeb"):
            assert harness.api_fields(name) == {**FIELDS, "access": sorted([ORDERS, ALL])}


def test_alternating_makes_the_second_one_with_all_that_the_first_has():
    with apinizer_harness("alternating") as harness:
        harness.project.account.delete("credential", harness.project.account.by_username("officeb").id)
        engine = harness.engine()
        harness.until_rotated(engine)
        assert harness.consumer.username == "officeb"
        assert harness.api_fields("officeb") == {**FIELDS, "access": sorted([ORDERS, ALL])}
        assert harness.published_works


@BOTH
def test_in_place_keeps_everything_but_the_password_and_can_be_undone(generation):
    with apinizer_harness("in-place", generation) as harness:
        engine = harness.engine()
        harness.until_rotated(engine)
        old = harness.consumer
        rotate(harness, engine)
        assert harness.published_works
        assert harness.project.accepted_nowhere("office", old.password)
        assert not [line for line in harness.project.request_lines() if line.startswith(("PUT", "POST", "DELETE"))]
        harness.request(engine, Purpose.UNDO)
        assert engine.look(harness.target).outcome is Outcome.UNDONE
        assert harness.consumer.password == old.password
        assert harness.published_works
        assert harness.our_credentials == {"office": True}


@BOTH
@STRATEGIES
def test_compromised_leaves_the_old_password_in_no_environment(strategy, generation):
    with apinizer_harness(strategy, generation) as harness:
        engine = harness.engine()
        harness.until_rotated(engine)
        harness.settle(engine, 2 * DAY)
        old = harness.consumer
        rotate(harness, engine, compromised=True)
        harness.settle(engine, MINUTE)
        assert harness.project.accepted_nowhere(old.username, old.password)
        assert harness.published_works
        assert harness.state.ledger == ()
        left = {"replace": 1, "alternating": 2, "in-place": 1}[strategy]
        assert len(harness.our_credentials) == left


# -- partial deployments


@BOTH
@pytest.mark.parametrize("fault", ["partial-deployment", "null-deployment", "empty-deployment"])
@STRATEGIES
def test_a_partial_deployment_is_sent_again_with_the_same_password_and_is_visible(strategy, fault, generation):
    with apinizer_harness(strategy, generation) as harness:
        if strategy != "in-place":
            harness.watch_every_boundary()
        verb = "create" if strategy == "replace" else "update"
        harness.project.sandbox.faults.plan(fault, verb=verb)
        engine = harness.engine()
        look = engine.look(harness.target)
        attempt = harness.state.attempt
        assert (look.outcome, attempt.phase, attempt.uncertain) == (Outcome.FAILED, Phase.STAGED, True)
        assert ("staging" if fault == "partial-deployment" else "names no environment") in harness.state.last_error
        assert not harness.consumer.exists
        harness.until_rotated(engine)
        assert (harness.consumer.password, harness.consumer.username) == (
            attempt.staged.password,
            attempt.staged.username,
        )
        assert harness.published_works
        harness.settle(engine, 9 * DAY)
        assert harness.state.ledger == ()


def test_an_environment_that_never_takes_it_holds_the_publication_back():
    with apinizer_harness() as harness:
        harness.project.sandbox.faults.plan(fault_named("partial-deployment", environment="production"), verb="create")
        harness.project.sandbox.faults.plan(
            fault_named("partial-deployment", environment="production"), verb="update", times=None
        )
        engine = harness.engine()
        harness.settle(engine, 2 * timedelta(hours=1))
        attempt = harness.state.attempt
        assert not harness.consumer.exists
        assert "not deployed to production" in harness.state.last_error
        assert harness.project.lets_in(attempt.staged.username, attempt.staged.password) == {
            "production": False,
            "staging": True,
        }
        assert engine.throttles.open_circuits() == ()
        harness.project.sandbox.faults.clear()
        harness.until_rotated(engine)
        assert harness.published_works


def test_what_is_disabled_only_in_part_is_not_disabled_yet():
    with apinizer_harness() as harness:
        engine = harness.engine()
        harness.until_rotated(engine)
        old = harness.consumer
        rotate(harness, engine)
        harness.project.sandbox.faults.plan("partial-deployment", verb="update", times=3)
        harness.settle(engine, DAY + timedelta(seconds=1))
        assert [entry.disabled for entry in harness.state.ledger] == [False, False]
        assert all("staging" in entry.note for entry in harness.state.ledger)
        harness.settle(engine, timedelta(hours=2))
        assert harness.project.accepted_nowhere(old.username, old.password)
        assert sum(record.verb == "disable" for record in harness.audit.records) >= 4


# -- lost answers


class AtCall(PlannedFault):
    """One fault at the n-th call of the API, whichever it is."""

    def __init__(self, fault, number):
        super().__init__(fault, account="*", verb="*", times=None, probability=1.0, seed=0)
        self.rest = number

    def applies(self, account, verb) -> bool:
        self.rest -= verb != "gateway"
        if self.rest or self.fired:
            return False
        self.fired += 1
        return True


MOST_CALLS = 16
FAULTS = ["lost-answer", "error", "partial-deployment", "null-deployment", "rate-limited", "forbidden"]
# The conformance suite shows that the adapter answers these as it answers the first two.
FAULTS += only_long("reset", "error-after-commit", "html-after-commit", "empty-after-commit", "half-body")


@pytest.mark.unmeasured
@pytest.mark.parametrize("fault", FAULTS)
@STRATEGIES
def test_a_fault_at_any_call_leaves_neither_an_orphan_nor_a_lost_grant(strategy, fault):
    """Every call of a rotation in turn: the listing, the grants of the old, the create, the grants of the new, ..."""
    for number in range(1, MOST_CALLS):
        with apinizer_harness(strategy, NEW if number % 2 else OLD, lenient=True) as harness:
            if strategy != "in-place":
                harness.watch_every_boundary()
            planned = AtCall(fault_named(fault), number)
            harness.project.sandbox.faults._plans.append(planned)
            engine = harness.engine()
            harness.until_rotated(engine)
            assert harness.published_works, number
            harness.settle(engine, 10 * DAY)
            assert harness.published_works, number
            assert harness.state.ledger == ()
            assert harness.api_fields(harness.consumer.username) == {**FIELDS, "access": sorted([ORDERS, ALL])}
            left = {name for name, enabled in harness.our_credentials.items() if enabled}
            assert left == {harness.consumer.username}, number
            assert len(harness.our_credentials) == (2 if strategy == "alternating" else 1)
            if not planned.fired:
                assert number > 4
                return
    pytest.fail("a rotation takes more calls than were tried")


# -- the project


@BOTH
@pytest.mark.parametrize("reading", ["project_visible", "permitted"])
def test_a_project_that_cannot_be_seen_stops_what_needs_it_and_says_what_to_check(reading, generation):
    with apinizer_harness("replace", generation) as harness:
        engine = harness.engine()
        harness.until_rotated(engine)
        harness.project.api.read_as(**{reading: False})
        harness.settle(engine, DAY + timedelta(hours=3))
        assert engine.throttles.forbidden_verbs() == (("fake", "list"),)
        (entry,) = harness.state.ledger
        assert not entry.disabled  # what is published cannot be proved again
        (told,) = [record for record in harness.audit.records if record.verb is AuditVerb.VERIFY]
        assert "case-sensitive" in told.facts["detail"]
        assert harness.published_works
        assert len(harness.our_credentials) == 2
        harness.project.api.read_as(**{reading: True})
        harness.settle(engine, 9 * DAY)
        assert len(harness.our_credentials) == 1


def test_a_username_that_another_project_has_is_not_taken_from_it():
    with apinizer_harness("alternating") as harness:
        harness.project.account.delete("credential", harness.project.account.by_username("officeb").id)
        harness.project.api.add("Elsewhere", "officeb", Secret("theirs"))
        engine = harness.engine()
        look = engine.look(harness.target)
        assert look.outcome is not Outcome.ROTATED
        assert "taken" in harness.state.last_error
        assert harness.project.accepted_everywhere("officeb", "theirs")
        assert not harness.consumer.exists


def test_an_expired_predecessor_is_not_copied():
    with apinizer_harness() as harness:
        harness.project.api._details[harness.project.account.by_username("office").id].fields["expireDate"] = (
            "2020-01-01T00:00:00.000Z"
        )
        harness.engine().look(harness.target)
        assert "expireDate" in harness.state.last_error
        assert set(harness.our_credentials) == {"office"}


def test_the_environments_of_these_tests_can_differ():
    """A check that could not fail would prove nothing."""
    with apinizer_harness() as harness:
        harness.project.sandbox.faults.plan("partial-deployment", verb="create")
        harness.engine().look(harness.target)
        staged = harness.state.attempt.staged
        assert sorted(harness.project.lets_in(staged.username, staged.password).values()) == [False, True]
        assert len(ENVIRONMENTS) == 2
