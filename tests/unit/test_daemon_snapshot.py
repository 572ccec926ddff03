"""What somebody has to mend is shown: as blocked, and with a word in the metrics that the runbook explains."""

from pathlib import Path

import pytest

from rotator.core.actions import Hold, HoldReason
from rotator.core.model import TargetState
from rotator.observe.target_words import BLOCKED, state_word

ENDS_BY_ITSELF = {HoldReason.IDLE_IN_OVERLAP}


@pytest.mark.parametrize("reason", sorted(set(BLOCKED) - ENDS_BY_ITSELF, key=str))
def test_what_somebody_has_to_mend_is_blocked_in_the_status_too(reason):
    assert state_word(TargetState("phone"), Hold(reason, "look there first")) == "blocked"


@pytest.mark.parametrize("word", sorted(BLOCKED.values()))
def test_the_runbook_explains_every_word(word):
    runbook = (Path(__file__).parents[2] / "docs/operations.md").read_text()
    assert f"- `{word}`: " in runbook
