"""Whatever somebody has to mend is shown: as blocked, and with a word of its own in the metrics."""

import pytest

from rotator.core.actions import Hold, HoldReason
from rotator.core.model import TargetState
from rotator.daemon import snapshot
from rotator.observe import status
from rotator.observe.catalogue import METRICS


@pytest.mark.parametrize(
    "reason",
    [HoldReason.ACCOUNT_MISSING, HoldReason.CLOCKS_DIFFER, HoldReason.FOREIGN_DOCUMENT, HoldReason.UNPROVED],
)
def test_what_somebody_has_to_mend_is_blocked_in_the_status_and_in_the_metrics(reason):
    assert status._state(TargetState("phone"), Hold(reason, "look there first")) == "blocked"
    assert snapshot._BLOCKED[reason]


def test_the_page_of_metrics_names_every_word():
    described = next(metric.help for metric in METRICS if metric.name == "rotator_target_blocked")
    assert all(word in described for word in snapshot._BLOCKED.values())
