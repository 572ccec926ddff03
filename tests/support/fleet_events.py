"""The events of a simulated fleet: one table says what happens and how often."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from random import Random

import fleet_configuration as configuration
import fleet_freezes as freezes
import fleet_mishaps as mishaps
import fleet_operator as operator
import fleet_people as people
from engine_harness import DAY
from fleet_world import FleetWorld

YEAR = 365 * DAY


@dataclass(frozen=True)
class FleetEvent:
    """One thing that will happen: what it does is drawn from its own seed, so that others may be left out."""

    after: timedelta  # from the beginning
    kind: str
    target: str
    seed: str


Happening = Callable[[FleetWorld, str, Random], str | None]
"""Applies an event to a world; returns what was done, or None where nothing was."""


@dataclass(frozen=True)
class Weight:
    """How often something happens: times a year in a fleet of a hundred targets."""

    happening: Happening
    times: float
    regular: bool = False  # it comes at about the same intervals, however many targets there are

    def pause(self, rng: Random, targets: float) -> timedelta:
        """Returns how long it takes until it happens again in a fleet of so many."""
        mean = YEAR / self.times
        return mean * rng.uniform(0.5, 1.5) if self.regular else mean * (100 / targets) * rng.expovariate(1.0)


_BY_PEOPLE = (
    Weight(people.rotation_asked, 60),
    Weight(people.compromised, 15),
    Weight(people.undo_asked, 15),
    Weight(people.take_over_asked, 10),
    Weight(people.attempt_given_up, 12),
    Weight(people.adopted, 6),
    Weight(people.credential_deleted, 8),
    Weight(people.credential_disabled, 8),
    Weight(people.password_set, 8),
    Weight(people.credential_created_again, 4),
    Weight(operator.operator_attends, 26, regular=True),
    Weight(people.document_rolled_back, 6),
    Weight(people.document_edited, 4),
    Weight(people.document_deleted, 3),
    Weight(people.document_restored, 6),
    Weight(people.state_deleted, 1),
    Weight(people.state_restored, 4),
    Weight(people.state_rolled_back, 1),
    Weight(configuration.policy_changed, 6),
    Weight(configuration.target_removed, 5),
    Weight(configuration.target_added_again, 5),
    Weight(configuration.target_renamed, 5),
    Weight(configuration.path_moved, 8),
    Weight(configuration.account_moved, 5),
    Weight(configuration.strategy_changed, 6),
    Weight(configuration.target_retired, 3),
    Weight(configuration.configuration_reloaded, 24),
)
_BY_ITSELF = (
    Weight(mishaps.clock_of_one_process, 6),
    Weight(mishaps.clocks_of_all_processes, 2),
    Weight(mishaps.clock_of_vault, 2),
    Weight(mishaps.clocks_are_right, 12),
    Weight(mishaps.account_fails, 60),
    Weight(mishaps.account_refuses_a_verb, 6),
    Weight(mishaps.account_fails_now_and_then, 80),
    Weight(mishaps.account_is_gone_for_long, 2),
    Weight(mishaps.account_never_comes_back, 0.5),
    Weight(mishaps.call_is_active, 40),
    Weight(mishaps.registrar_does_not_follow, 12),
    Weight(mishaps.vault_fails, 12),
    Weight(mishaps.vault_loses_an_answer, 60),
    Weight(mishaps.standby_lags, 60),
    Weight(mishaps.process_crashes, 200),
    Weight(mishaps.process_restarts, 40),
    Weight(mishaps.process_has_another_key, 2),
)
# Last, so that what is drawn of all others stays as it was.
_FREEZES = (Weight(freezes.paused, 8), Weight(freezes.resumed, 5))
_LETTERS = (Weight(people.document_respelt, 3),)
_BLACKOUTS = (Weight(configuration.blackout_planned, 6),)
_LAST = (*_FREEZES, *_LETTERS, *_BLACKOUTS)
EVENTS: Mapping[str, Weight] = {one.happening.__name__: one for one in _BY_PEOPLE + _BY_ITSELF + _LAST}
_PEOPLE = {*_BY_PEOPLE, *_LAST}


def draw_events(seed: int, years: float, targets: list[str], people: float = 1.0) -> list[FleetEvent]:
    """Every event of a run, in order.

    Args:
        people: how many times as often as usual people do something to a target; the operator comes as usual.
    """
    drawn: list[FleetEvent] = []
    for kind, weight in EVENTS.items():
        rng = Random(f"{seed} {kind}")
        often = len(targets) * (people if weight in _PEOPLE else 1.0)
        after = weight.pause(rng, often)
        while after < years * YEAR:
            drawn.append(FleetEvent(after, kind, rng.choice(targets), f"{seed} {kind} {len(drawn)}"))
            after += weight.pause(rng, often)
    return sorted(drawn, key=lambda event: (event.after, event.kind))


def apply_event(world: FleetWorld, event: FleetEvent) -> None:
    """Lets an event happen, and judges what it changed."""
    watched = world.judge.targets[event.target]
    done = EVENTS[event.kind].happening(world, watched.name, Random(event.seed))
    if done is None:
        return
    world.note(watched.name, f"[{event.kind}] {done}")
    world.judge.settle(watched, by_us=False)
    world.judge.raise_broken()
    if EVENTS[event.kind] in (*_BY_PEOPLE, *_LETTERS):
        world.wake(watched.name)
