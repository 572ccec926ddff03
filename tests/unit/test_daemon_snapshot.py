"""What somebody has to mend is shown: as blocked, and with a word in the metrics that the runbook explains."""

from pathlib import Path

import pytest

from rotator.core.holding import Hold, HoldReason
from rotator.core.model import TargetState
from rotator.observe.target_words import BLOCKED, state_word

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
