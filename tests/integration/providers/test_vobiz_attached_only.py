"""Devices at a Vobiz whose trunks let in only what they name: for how long each is refused, by the simulation's clock.

The SIP side follows the API by two to four seconds; each device reads Vault once a minute and logs in each second.
"""

from datetime import timedelta

import pytest
from engine_harness import DAY
from simulated_accounts import Setup, SimulatedHarness, vobiz, vobiz_at_trunk, vobiz_without_registrar

from rotator.core.model import Strategy

EVERY = 60  # seconds from one reading of Vault to the next
PHASES = range(0, EVERY, 5)
SECOND = timedelta(seconds=1)
BOTH = pytest.mark.parametrize("strategy", [Strategy.REPLACE, Strategy.ALTERNATING], ids=lambda one: one.value)


def refused_seconds(make, strategy: Strategy, *, attached_only: bool) -> tuple[int, list[int]]:
    """For how long what Vault hands out was refused around a rotation, and each device."""
    harness = SimulatedHarness(Setup("vobiz", strategy, make, readings=(("attached_only", attached_only),)))
    harness.until_rotated(harness.engine())
    harness.settle(harness.engine(), 20 * DAY)
    engine, before = harness.engine(), harness.consumer.username
    harness.request(engine)
    read, published, refused = {}, 0, dict.fromkeys(PHASES, 0)
    for second in range(3 * EVERY):
        for phase in PHASES:
            if second % EVERY == phase or phase not in read:
                read[phase] = (harness.consumer.username, harness.consumer.password)
        if second >= EVERY:
            engine.look(harness.target)
        published += not harness.published_works
        for phase, pair in read.items():
            refused[phase] += not harness.provider.accepts(*pair)
        harness.clock.advance(SECOND)
    assert harness.consumer.username != before
    assert harness.state.attempt is None
    return published, list(refused.values())


@BOTH
@pytest.mark.parametrize("make", [vobiz, vobiz_at_trunk])
def test_with_a_log_in_a_device_is_refused_until_it_reads_vault_and_vault_hands_out_what_works(strategy, make):
    published, devices = refused_seconds(make, strategy, attached_only=True)
    assert published <= 2
    assert max(devices) <= EVERY
    assert sum(devices) > 0


@BOTH
def test_without_a_log_in_it_is_no_longer(strategy):
    published, devices = refused_seconds(vobiz_without_registrar, strategy, attached_only=True)
    assert published == 0
    assert max(devices) <= EVERY


@BOTH
@pytest.mark.parametrize("make", [vobiz, vobiz_without_registrar])
def test_where_any_enabled_one_is_let_in_no_device_is_refused(strategy, make):
    assert refused_seconds(make, strategy, attached_only=False) == (0, [0] * len(PHASES))
