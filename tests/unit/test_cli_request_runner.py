"""Carrying a request out in the foreground: what is waited for, what is told, and when it ends. No process, no wait."""

from dataclasses import replace
from datetime import timedelta

import pytest
from engine_harness import ALTERNATING, IN_PLACE, EngineHarness

from rotator.cli.request_runner import PendingRequest, RequestRunner, Result, RotationReport
from rotator.core.answers import Refusal, Refused
from rotator.core.model import Claim, Purpose, Request
from rotator.ports import StoreUnavailable, Versioned
from rotator.testing import FakeFault


class ForegroundProcess:
    """One foreground process on a world."""

    def __init__(self, harness: EngineHarness) -> None:
        self.harness, self.engine, self.reported = harness, harness.engine(), []
        self.runner = RequestRunner(
            self.engine,
            harness.clock,
            claim=harness.limits.claim,
            capabilities=lambda _: harness.provider.capabilities,
            tell=lambda target, why: self.reported.append(why),
        )

    def ask(self, purpose: Purpose = Purpose.ROTATE, **flags: bool) -> PendingRequest:
        request = Request(purpose, "cli:me", "because", self.harness.clock.now(), **flags)
        state = self.engine.request(self.harness.target, request)
        return PendingRequest(self.harness.target, purpose, state, flags.get("compromised", False))

    def do(self, purpose: Purpose = Purpose.ROTATE, **flags: bool) -> RotationReport:
        return self.runner.carry_out(self.ask(purpose, **flags))


@pytest.fixture
def foreground() -> ForegroundProcess:
    harness = EngineHarness()
    harness.provider.add("office")
    return ForegroundProcess(harness)


def claimed_by(harness: EngineHarness, holder: str) -> None:
    found = harness.store.read_state(harness.target.name)
    state = replace(found.state, claim=Claim(holder, harness.clock.now() + harness.limits.claim))
    harness.store.states[harness.target.name] = Versioned(state, found.version + 1)


def test_a_rotation_is_done_when_it_is_published(foreground):
    report = foreground.do()
    assert (report.result, report.elsewhere, report.good) == (Result.ROTATED, False, True)
    assert foreground.harness.published_works


def test_a_proof_that_takes_its_time_is_waited_for(foreground):
    foreground.harness.provider.slow_to_accept = 4
    assert foreground.do().result is Result.ROTATED
    assert "not accepted yet" in foreground.reported


def test_a_failure_before_the_request_does_not_count_against_it(foreground):
    """The failures in a row are still there, so that a proof that takes its time looks like a failure."""
    foreground.harness.provider.faults["create"] = [FakeFault.UNAUTHORIZED]
    assert foreground.do().result is Result.FAILED
    foreground.harness.provider.slow_to_accept = 3
    assert foreground.do().result is Result.ROTATED


def test_the_claim_of_a_process_that_died_is_outlived(foreground):
    request = foreground.ask()
    claimed_by(foreground.harness, "dead")
    began = foreground.harness.clock.now()
    assert foreground.runner.carry_out(request).result is Result.ROTATED
    assert foreground.reported[0] == "dead is working on it"
    assert foreground.harness.clock.now() - began >= foreground.harness.limits.claim


def test_what_another_process_does_meanwhile_counts(foreground):
    request = foreground.ask()
    foreground.harness.until_rotated(foreground.harness.engine())
    report = foreground.runner.carry_out(request)
    assert (report.result, report.elsewhere) == (Result.ROTATED, True)


def test_an_unknown_answer_is_looked_into_and_not_reported_as_a_failure(foreground):
    foreground.harness.provider.faults["create"] = [FakeFault.LOST_AFTER]
    report = foreground.do()
    assert report.result is Result.ROTATED
    assert any(text.startswith("retries soon: the answer was lost") for text in foreground.reported)
    assert foreground.harness.provider.calls.count("create") == 1


def test_a_refused_api_key_is_reported_at_once_with_what_happens_next(foreground):
    foreground.harness.provider.faults["create"] = [FakeFault.UNAUTHORIZED] * 9
    report = foreground.do()
    assert report.result is Result.FAILED
    assert report.message == (
        "the API key was refused; the attempt stays open: "
        "a daemon, or this command again, retries with the same password"
    )
    assert foreground.harness.provider.calls.count("create") == 1


def test_patience_ends(foreground):
    foreground.harness.provider.faults["create"] = [FakeFault.LOST_BEFORE] * 999
    began = foreground.harness.clock.now()
    report = foreground.do()
    assert report.result is Result.WAITING
    assert timedelta(minutes=3) < foreground.harness.clock.now() - began < timedelta(minutes=5)


def test_waiting_for_the_accounts_pace_is_no_end_however_long_it_takes(foreground):
    foreground.harness.provider.faults["create"] = [FakeFault.RATE_LIMITED] * 600
    began = foreground.harness.clock.now()
    report = foreground.do()
    assert report.result is Result.ROTATED
    assert foreground.harness.clock.now() - began > timedelta(minutes=9)
    assert foreground.harness.state.counts.failed == 0


def test_a_document_of_somebody_else_is_named_with_the_way_out(foreground):
    assert foreground.do().good
    foreground.harness.store.tamper("sip/office", "mine")
    report = foreground.do()
    assert report.result is Result.FAILED
    assert "rotator rotate office --take-over" in report.message


def test_an_idle_credential_in_its_overlap_is_said_to_wait():
    harness = EngineHarness(ALTERNATING)
    harness.provider.add("officea")
    harness.provider.add("officeb")
    foreground = ForegroundProcess(harness)
    assert foreground.do().good
    report = foreground.do()
    assert report.result is Result.WAITING
    assert "devices may still use the idle credential" in report.message
    assert harness.state.request is not None
    assert foreground.do(compromised=True).result is Result.ROTATED


def test_what_cannot_be_done_at_all_is_dropped_and_said():
    foreground = ForegroundProcess(EngineHarness(IN_PLACE))
    report = foreground.do()
    assert report.result is Result.FAILED
    assert report.message.endswith("correct the username, since in-place cannot create one; the request was dropped")


def test_compromised_is_only_done_when_the_old_one_is_refused(foreground):
    assert foreground.do().good
    foreground.harness.provider.faults["disable"] = [FakeFault.UNREACHABLE] * 99
    report = foreground.do(compromised=True)
    assert report.result is Result.FAILED
    assert report.message.startswith("rotated, but still accepted by the provider: office")
    assert foreground.harness.published_works


def test_an_undo(foreground):
    assert foreground.do().good
    first = foreground.harness.consumer.username
    assert foreground.do().good
    report = foreground.do(Purpose.UNDO)
    assert report.result is Result.UNDONE
    assert foreground.harness.consumer.username == first
    assert foreground.harness.published_works


def test_an_undo_that_is_impossible_is_said(foreground):
    assert foreground.do().good
    report = foreground.do(Purpose.UNDO)
    assert report.result is Result.FAILED
    assert report.message == "nothing can be undone: office: its password is unknown"


def test_a_stop_leaves_the_request(foreground):
    request = foreground.ask()
    foreground.harness.stopping = True
    report = foreground.runner.carry_out(request)
    assert report.result is Result.INTERRUPTED
    assert foreground.harness.state.request is not None


def test_a_vault_that_goes_away_is_said(foreground):
    request = foreground.ask()
    foreground.harness.store.failing = [StoreUnavailable("sealed")]
    report = foreground.runner.carry_out(request)
    assert (report.result, report.message) == (Result.VAULT, "sealed")


def test_an_emergency_that_ended_nothing_is_a_failure_and_says_so():
    """The configured username is not there: nothing was replaced, and the stolen credential may still be accepted."""
    foreground = ForegroundProcess(EngineHarness())
    foreground.harness.provider.add("Office")
    report = foreground.do(compromised=True)
    assert (report.result, report.good) == (Result.FAILED, False)
    assert report.message.startswith("rotated, but no credential was there to be ended")
    assert foreground.harness.published_works


def test_an_emergency_whose_old_credential_is_gone_says_that_it_ended_nothing(foreground):
    assert foreground.do().good
    foreground.harness.provider.credentials.clear()
    foreground.harness.provider.disable = lambda _: Refused(Refusal.NOT_FOUND, "no such credential")
    assert foreground.do(compromised=True).result is Result.FAILED


def test_an_emergency_in_place_ends_the_old_password_by_setting_the_new_one():
    foreground = ForegroundProcess(EngineHarness(IN_PLACE))
    foreground.harness.provider.add("office")
    assert foreground.do(compromised=True).result is Result.ROTATED
