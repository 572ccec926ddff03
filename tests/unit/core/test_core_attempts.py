"""What an open attempt may have done at the provider."""

import pytest
from core_facts import attempt

from rotator.core.attempts import may_cut_off
from rotator.core.model import Phase, Strategy


@pytest.mark.parametrize(
    ("changes", "cut_off"),
    [
        ({"phase": Phase.APPLIED}, True),
        ({"phase": Phase.STAGED, "uncertain": True}, True),
        ({"phase": Phase.STAGED}, False),
        ({"phase": Phase.PROVED}, True),
        ({"phase": Phase.APPLIED, "strategy": Strategy.REPLACE}, False),
    ],
)
def test_a_password_in_place_may_cut_devices_off_from_when_it_may_be_set_until_it_is_published(changes, cut_off):
    assert may_cut_off(attempt(**{"strategy": Strategy.IN_PLACE} | changes)) is cut_off
