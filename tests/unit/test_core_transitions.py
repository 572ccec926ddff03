"""The transition tables: every legal pair, every other raises, and every place can be reached and left."""

from itertools import product

import pytest

from rotator.core.model import Phase
from rotator.core.transitions import (
    ATTEMPT,
    LEDGER,
    Event,
    Fate,
    IllegalTransitionError,
    Standing,
    next_phase,
    next_standing,
)

PHASES = (None, *Phase)


@pytest.mark.parametrize(("phase", "event"), list(product(PHASES, Event)))
def test_an_attempt_goes_where_the_table_says_and_nowhere_else(phase, event):
    if (phase, event) in ATTEMPT:
        assert next_phase(phase, event) is ATTEMPT[phase, event]
    else:
        with pytest.raises(IllegalTransitionError, match=f"attempt: {event.value} in phase"):
            next_phase(phase, event)


@pytest.mark.parametrize(("standing", "fate"), list(product(Standing, Fate)))
def test_a_ledger_entry_goes_where_the_table_says_and_nowhere_else(standing, fate):
    if (standing, fate) in LEDGER:
        assert next_standing(standing, fate) is LEDGER[standing, fate]
    else:
        with pytest.raises(IllegalTransitionError, match=f"ledger: {fate.value} while {standing.value}"):
            next_standing(standing, fate)


def reachable(table, start):
    seen, new = set(), {start}
    while new:
        seen |= new
        new = {to for (place, _), to in table.items() if place in seen} - seen
    return seen


def test_every_phase_is_reached_and_left():
    assert reachable(ATTEMPT, None) == set(PHASES)
    assert all(None in reachable(ATTEMPT, phase) for phase in PHASES)


def test_every_standing_is_reached_and_gone_is_the_end():
    assert reachable(LEDGER, Standing.WAITING) == set(Standing)
    assert not any(place is Standing.GONE for place, _ in LEDGER)


def test_nothing_is_staged_over_an_open_attempt_or_published_unproved():
    assert [phase for phase, event in ATTEMPT if event is Event.STAGE] == [None]
    assert [phase for phase, event in ATTEMPT if event is Event.CLOSE] == [Phase.PROVED]
    assert [phase for phase, event in ATTEMPT if event is Event.ABANDON] == [Phase.STAGED]


def test_the_tables_cannot_be_changed():
    with pytest.raises(TypeError):
        ATTEMPT[None, Event.CLOSE] = None
