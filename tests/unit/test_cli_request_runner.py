"""Carrying a request out in the foreground: what is waited for, what is told, and when it ends. No process, no wait."""

from dataclasses import replace
from datetime import timedelta

import pytest
from world import ALTERNATING, IN_PLACE, World

from rotator.cli.request_runner import PendingRequest, RequestRunner, Result, RotationReport
from rotator.core.model import Claim, Purpose, Request
from rotator.ports import StoreUnavailable, Versioned
from rotator.testing import FakeFault


class Bench:
    """One foreground process on a world."""

    def __init__(self, world: World) -> None:
        self.world, self.engine, self.told = world, world.engine(), []
        self.runner = RequestRunner(
            self.engine,
            world.clock,
            claim=world.limits.claim,
            capabilities=lambda _: world.provider.capabilities,
            tell=lambda target, why: self.told.append(why),
        )

    def ask(self, purpose: Purpose = Purpose.ROTATE, **flags: bool) -> PendingRequest:
        request = Request(purpose, "cli:me", "because", self.world.clock.now(), **flags)
        state = self.engine.request(self.world.target, request)
        return PendingRequest(self.world.target, purpose, state, flags.get("compromised", False))

    def do(self, purpose: Purpose = Purpose.ROTATE, **flags: bool) -> RotationReport:
        return self.runner.carry_out(self.ask(purpose, **flags))


@pytest.fixture
def bench() -> Bench:
    world = World()
    world.provider.add("office")
    return Bench(world)


def claimed_by(world: World, holder: str) -> None:
    found = world.store.read_state(world.target.name)
    state = replace(found.state, claim=Claim(holder, world.clock.now() + world.limits.claim))
    world.store.states[world.target.name] = Versioned(state, found.version + 1)


def test_a_rotation_is_done_when_it_is_published(bench):
    report = bench.do()
    assert (report.result, report.elsewhere, report.good) == (Result.ROTATED, False, True)
    assert bench.world.published_works


def test_a_proof_that_takes_its_time_is_waited_for(bench):
    bench.world.provider.slow_to_accept = 4
    assert bench.do().result is Result.ROTATED
    assert "not accepted yet" in bench.told


def test_a_failure_before_the_request_does_not_count_against_it(bench):
    """The failures in a row are still there, so that a proof that takes its time looks like a failure."""
    bench.world.provider.faults["create"] = [FakeFault.UNAUTHORIZED]
    assert bench.do().result is Result.FAILED
    bench.world.provider.slow_to_accept = 3
    assert bench.do().result is Result.ROTATED


def test_the_claim_of_a_process_that_died_is_outlived(bench):
    request = bench.ask()
    claimed_by(bench.world, "dead")
    began = bench.world.clock.now()
    assert bench.runner.carry_out(request).result is Result.ROTATED
    assert bench.told[0] == "dead is working on it"
    assert bench.world.clock.now() - began >= bench.world.limits.claim


def test_what_another_process_does_meanwhile_counts(bench):
    request = bench.ask()
    bench.world.until_rotated(bench.world.engine())
    report = bench.runner.carry_out(request)
    assert (report.result, report.elsewhere) == (Result.ROTATED, True)


def test_an_unknown_answer_is_looked_into_and_not_reported_as_a_failure(bench):
    bench.world.provider.faults["create"] = [FakeFault.LOST_AFTER]
    report = bench.do()
    assert report.result is Result.ROTATED
    assert any(text.startswith("retries soon: the answer was lost") for text in bench.told)
    assert bench.world.provider.calls.count("create") == 1


def test_a_refused_api_key_is_reported_at_once_with_what_happens_next(bench):
    bench.world.provider.faults["create"] = [FakeFault.UNAUTHORIZED] * 9
    report = bench.do()
    assert report.result is Result.FAILED
    assert report.message == (
        "the API key was refused; the attempt stays open, and the daemon retries with the same password"
    )
    assert bench.world.provider.calls.count("create") == 1


def test_patience_ends(bench):
    bench.world.provider.faults["create"] = [FakeFault.LOST_BEFORE] * 999
    began = bench.world.clock.now()
    report = bench.do()
    assert report.result is Result.WAITING
    assert timedelta(minutes=4) < bench.world.clock.now() - began < timedelta(minutes=6)


def test_a_document_of_somebody_else_is_named_with_the_way_out(bench):
    assert bench.do().good
    bench.world.store.tamper("sip/office", "mine")
    report = bench.do()
    assert report.result is Result.FAILED
    assert "rotator rotate office --take-over" in report.message


def test_an_idle_credential_in_its_overlap_is_said_to_wait():
    world = World(ALTERNATING)
    world.provider.add("officea")
    world.provider.add("officeb")
    bench = Bench(world)
    assert bench.do().good
    report = bench.do()
    assert report.result is Result.WAITING
    assert "devices may still use the idle credential" in report.message
    assert world.state.request is not None
    assert bench.do(compromised=True).result is Result.ROTATED


def test_what_cannot_be_done_at_all_is_dropped_and_said():
    bench = Bench(World(IN_PLACE))
    report = bench.do()
    assert report.result is Result.FAILED
    assert report.message.endswith("check the username; the request was dropped")


def test_compromised_is_only_done_when_the_old_one_is_refused(bench):
    assert bench.do().good
    bench.world.provider.faults["disable"] = [FakeFault.UNREACHABLE] * 99
    report = bench.do(compromised=True)
    assert report.result is Result.FAILED
    assert report.message.startswith("rotated, but still accepted by the provider: office")
    assert bench.world.published_works


def test_an_undo(bench):
    assert bench.do().good
    first = bench.world.consumer.username
    assert bench.do().good
    report = bench.do(Purpose.UNDO)
    assert report.result is Result.UNDONE
    assert bench.world.consumer.username == first
    assert bench.world.published_works


def test_an_undo_that_is_impossible_is_said(bench):
    assert bench.do().good
    report = bench.do(Purpose.UNDO)
    assert report.result is Result.FAILED
    assert report.message == "nothing can be undone: office: its password is unknown"


def test_a_stop_leaves_the_request(bench):
    request = bench.ask()
    bench.world.stopping = True
    report = bench.runner.carry_out(request)
    assert report.result is Result.INTERRUPTED
    assert bench.world.state.request is not None


def test_a_vault_that_goes_away_is_said(bench):
    request = bench.ask()
    bench.world.store.failing = [StoreUnavailable("sealed")]
    report = bench.runner.carry_out(request)
    assert (report.result, report.message) == (Result.VAULT, "sealed")
