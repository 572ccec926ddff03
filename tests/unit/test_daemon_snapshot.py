"""What somebody has to mend is shown: as blocked, and with a word in the metrics that the runbook explains."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from engine_harness import REPLACE
from structlog.testing import capture_logs

from rotator.core.holding import Hold, HoldReason
from rotator.core.model import TargetState
from rotator.daemon.snapshot import Snapshot
from rotator.engine import Look, Outcome
from rotator.observe.fleet import KnownFleet
from rotator.observe.target_words import BLOCKED, state_word
from rotator.testing import FakeClock

HAS_AN_ALERT_OF_ITS_OWN = {HoldReason.CIRCUIT_OPEN, HoldReason.PUBLISHED_REFUSED, HoldReason.NOT_RETIRED}


def test_whatever_does_not_end_by_itself_has_a_word_in_the_metrics_or_an_alert_of_its_own():
    blocking = {reason for reason in HoldReason if reason.end.blocks}
    assert blocking - HAS_AN_ALERT_OF_ITS_OWN <= set(BLOCKED)


@pytest.mark.parametrize("reason", sorted((reason for reason in HoldReason if reason.end.blocks), key=str))
def test_what_somebody_has_to_mend_is_blocked_in_the_status_too(reason):
    assert state_word(TargetState("phone"), Hold(reason, "look there first")) == "blocked"


@pytest.mark.parametrize("word", sorted(BLOCKED.values()))
def test_the_runbook_explains_every_word(word):
    runbook = (Path(__file__).parents[2] / "docs/operations.md").read_text()
    assert f"- `{word}`: " in runbook


class LookedAt:
    """A snapshot of looks, and what is logged of them that somebody has to read."""

    def __init__(self) -> None:
        composition: Any = SimpleNamespace(fleet=KnownFleet(FakeClock()))
        self.snapshot = Snapshot(composition)
        self.snapshot.keep_only(["a", "b"], lambda name: name in "ab")

    def logged(self, name: str, outcome: Outcome, message: str = "") -> list[tuple[str, str]]:
        with capture_logs() as lines:
            self.snapshot.update_look(
                replace(REPLACE, name=name), Look(name, outcome, message, (), None, None, None, 0.1)
            )
        return [(line["log_level"], line["event"]) for line in lines if line["log_level"] != "debug"]


WARNED, OVER = [("warning", "run")], [("info", "Vault takes the requests again")]


def test_a_token_that_is_refused_is_one_warning_for_all_targets_and_its_end_is_told():
    looked = LookedAt()
    assert looked.logged("a", Outcome.VAULT, "the token was revoked") == WARNED
    assert looked.logged("b", Outcome.VAULT, "the token was revoked") == []
    assert looked.logged("a", Outcome.VAULT, "the token was revoked") == []
    assert looked.logged("a", Outcome.HELD) == []
    assert looked.logged("b", Outcome.HELD) == OVER
    assert looked.logged("b", Outcome.HELD) == []
    assert looked.logged("b", Outcome.VAULT, "the token was revoked") == WARNED


def test_each_other_error_of_vault_is_a_warning_and_so_is_every_failure_at_a_provider():
    looked = LookedAt()
    assert looked.logged("a", Outcome.VAULT, "may not write sip/a") == WARNED
    assert looked.logged("b", Outcome.VAULT, "may not write sip/b") == WARNED
    assert looked.logged("a", Outcome.VAULT, "may not read sip/a") == WARNED
    assert looked.logged("b", Outcome.FAILED, "no answer") == WARNED
    assert looked.logged("b", Outcome.FAILED, "no answer") == WARNED


@pytest.mark.parametrize("forget", [lambda one: one.forget("a"), lambda one: one.keep_only(["b"], "b".__eq__)])
def test_an_error_of_a_target_that_others_look_at_now_keeps_no_warning_back(forget):
    looked = LookedAt()
    assert looked.logged("a", Outcome.VAULT, "the token was revoked") == WARNED
    forget(looked.snapshot)
    assert looked.logged("b", Outcome.VAULT, "the token was revoked") == WARNED
