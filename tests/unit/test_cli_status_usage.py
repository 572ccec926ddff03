"""What the status says of a replaced credential that devices still use, past its overlap."""

from dataclasses import replace
from datetime import timedelta

import pytest
from core_facts import DAY, ENTRY, NOW, POLICY, TARGET

from rotator.core.model import TargetState
from rotator.core.usage_rules import AfterExtension, Sighting, UsageRules
from rotator.observe.status import status_document
from rotator.observe.status_words import StatusWords
from rotator.observe.surroundings import Surroundings
from rotator.testing import CHOSEN

RULES = UsageRules(("provider",), timedelta(minutes=15), 3 * DAY)
SEEN = Sighting(NOW, in_use=True, evidence="provider: registered", seen_at=NOW)
UNKNOWN = Sighting(NOW, in_use=None, evidence="pbx: no answer")
NOBODY = Sighting(NOW, in_use=False, evidence="provider: not registered")


def entry_of(sighting, then=AfterExtension.RETIRE) -> dict:
    target = replace(TARGET, policy=replace(POLICY, usage=replace(RULES, then=then)))
    state = TargetState("office", ledger=(replace(ENTRY, sighting=sighting),))
    around = Surroundings("me", "1", {"fake": "fake"}, {"fake": CHOSEN})
    return status_document([target], {"office": state}, NOW, around)["targets"][0]["ledger"][0]


def test_the_document_says_who_was_found_and_until_when():
    assert entry_of(SEEN)["usage"] == {
        "in_use": True,
        "asked_at": NOW.isoformat(),
        "seen_at": NOW.isoformat(),
        "evidence": "provider: registered",
        "until": (NOW + 3 * DAY).isoformat(),
    }
    assert entry_of(SEEN, AfterExtension.HOLD)["usage"]["until"] is None
    assert entry_of(None)["usage"] is None
    assert entry_of(SEEN)["overdue"] is False


@pytest.mark.parametrize(
    ("sighting", "then", "says"),
    [
        (SEEN, AfterExtension.RETIRE, "new: still in use, disabled in 3 d"),
        (UNKNOWN, AfterExtension.RETIRE, "new: may be in use, disabled in 3 d"),
        (SEEN, AfterExtension.HOLD, "new: still in use, kept until nobody uses it"),
        (NOBODY, AfterExtension.RETIRE, "new: to be disabled"),
        (None, AfterExtension.RETIRE, "new: to be disabled"),
    ],
)
def test_the_table_says_that_it_is_in_use(sighting, then, says):
    assert StatusWords(NOW).entry(entry_of(sighting, then)).startswith(says)


def test_below_the_table_stands_who_was_asked():
    (line, *_) = StatusWords(NOW).about(entry_of(SEEN))
    assert line.startswith("new: asked ")
    assert "provider: registered, last seen " in line
    assert not any("asked" in line for line in StatusWords(NOW).about(entry_of(NOBODY)))
