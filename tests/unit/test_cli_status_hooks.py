"""What the status says of a hook that follows something that was done."""

from dataclasses import replace
from datetime import timedelta

from core_facts import NOW, OWED, TARGET

from rotator.core.model import TargetState
from rotator.observe.status import status_document
from rotator.observe.status_words import StatusWords
from rotator.observe.surroundings import Surroundings
from rotator.testing import CHOSEN


def test_a_hook_that_fails_is_told_with_its_reason_and_its_next_run():
    failed = replace(
        OWED, failures=2, not_before=NOW + timedelta(minutes=5), note="the hook tell failed: it answers 503"
    )
    around = Surroundings("me", "1", {"fake": "fake"}, {"fake": CHOSEN})
    states = {"office": TargetState("office", owed=(failed, OWED))}
    (row,) = status_document([TARGET], states, NOW, around)["targets"]
    said = "after rotation: the hook tell failed: it answers 503 (2 times in a row, again in 5 min)"
    words = StatusWords(NOW)
    assert words.remarks(row, everything=False) == [said]
    assert words.remarks(row, everything=True)[1:] == ["after rotation: the hook tell has not run yet"]
