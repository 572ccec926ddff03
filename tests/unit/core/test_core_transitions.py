"""The transitions of an attempt: every legal pair, every other raises, and every phase can be reached and left."""

from itertools import product
from typing import Any

import pytest

from rotator.core.model import Phase
from rotator.core.transitions import ATTEMPT, AttemptEvent, IllegalTransitionError, next_phase

PHASES = (None, *Phase)


@pytest.mark.parametrize(("phase", "event"), list(product(PHASES, AttemptEvent)))
def test_an_attempt_goes_where_the_table_says_and_nowhere_else(phase, event):
    if (phase, event) in ATTEMPT:
        assert next_phase(phase, event) is ATTEMPT[phase, event]
    else:
        with pytest.raises(IllegalTransitionError, match=f"attempt: {event.value} in phase"):
            next_phase(phase, event)


def reachable(table, start) -> set[Any]:
    seen, new = set(), {start}
    while new:
        seen |= new
        new = {to for (place, _), to in table.items() if place in seen} - seen
    return seen


def test_every_phase_is_reached_and_left():
    assert reachable(ATTEMPT, None) == set(PHASES)
    assert all(None in reachable(ATTEMPT, phase) for phase in PHASES)


def test_nothing_is_staged_over_an_open_attempt_or_published_unproved():
    assert [phase for phase, event in ATTEMPT if event is AttemptEvent.STAGE] == [None]
    assert [phase for phase, event in ATTEMPT if event is AttemptEvent.CLOSE] == [Phase.PROVED]
    assert [phase for phase, event in ATTEMPT if event is AttemptEvent.ABANDON] == list(Phase)


def test_the_table_cannot_be_changed():
    with pytest.raises(TypeError):
        ATTEMPT[None, AttemptEvent.CLOSE] = None
