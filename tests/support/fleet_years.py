"""Years of a fleet in minutes: one seed makes accounts, people, clocks, faults and processes; a failure replays.

    python tests/support/fleet_years.py --years 100 --seed 7

prints simulated years per minute, what happened how often, and the shortest history found of a broken promise.
"""

import argparse
import gc
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from fleet_accounts import registrar_in_process
from fleet_events import YEAR, FleetEvent, apply_event, draw_events
from fleet_judge import PromiseBroken
from fleet_rest import judge_at_rest
from fleet_world import FleetWorld, HistoryLine

from rotator.testing.clock import START

_LINES = 40  # of a failing target's history
_SHRINKING = 60.0  # seconds


@dataclass(frozen=True)
class FleetRun:
    """What came of a run."""

    seed: int
    years: float
    happened: Counter[str]  # events by kind
    rotations: int
    effects: int
    looks: int
    trace: str
    broken: PromiseBroken | None = None
    history: tuple[HistoryLine, ...] = ()
    events: tuple[FleetEvent, ...] = ()

    def report(self) -> str:
        """The seed, the broken promise, the shortest history found, and the command that replays it."""
        lines = [f"seed {self.seed}: {self.broken}", *map(str, self.history[-_LINES:])]
        return "\n".join([*lines, f"python tests/support/fleet_years.py --seed {self.seed} --years {self.years:g}"])


def run_fleet(seed: int, years: float, targets: int = 100, events: Sequence[FleetEvent] | None = None) -> FleetRun:
    """Simulates a fleet for so many years, or until a promise is broken."""
    world = FleetWorld(seed, targets)
    drawn = list(events) if events is not None else draw_events(seed, years, list(world.targets))
    happened: Counter[str] = Counter()
    broken: PromiseBroken | None = None
    done: list[FleetEvent] = []
    with registrar_in_process(world.clock, world.lag), _without_collector():
        try:
            rest = YEAR / 4
            checks = [rest * (number + 1) for number in range(int(years * 4))]
            for event in drawn:
                while checks and checks[0] <= event.after:
                    world.run_until(START + checks.pop(0))
                    judge_at_rest(world)
                world.run_until(START + event.after)
                happened[event.kind] += 1
                done.append(event)
                apply_event(world, event)
            for check in checks:
                world.run_until(START + check)
                judge_at_rest(world)
        except PromiseBroken as error:
            broken = error
    concerned = "" if broken is None else broken.target
    return FleetRun(
        seed,
        years,
        happened,
        sum(one.rotations for one in world.judge.fleet),
        world.judge.effects,
        world.looks,
        world.trace,
        broken,
        tuple(line for line in world.history if line.target in (concerned, "")) if broken else (),
        tuple(done),
    )


@contextmanager
def _without_collector() -> Iterator[None]:
    """Almost nothing here is a cycle but the world itself, and searching for them takes a fifth of the time."""
    gc.collect()  # the world of the run before: what is frozen as garbage stays for good
    gc.freeze()  # what is imported is never searched again
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def shortest(run: FleetRun, targets: int = 100, seconds: float = _SHRINKING) -> FleetRun:
    """Leaves out events for as long as the same promise stays broken: by kind, then by halves."""
    best, deadline = run, time.monotonic() + seconds

    def fails_without(dropped: set[FleetEvent]) -> bool:
        nonlocal best
        if time.monotonic() > deadline or run.broken is None:
            return False
        kept = [event for event in best.events if event not in dropped]
        tried = run_fleet(run.seed, run.years, targets, kept)
        if tried.broken is None or tried.broken.rule != run.broken.rule:
            return False
        best = tried
        return True

    if run.broken is not None:
        fails_without({event for event in best.events if event.target != run.broken.target})
    for kind in sorted({event.kind for event in best.events}):
        fails_without({event for event in best.events if event.kind == kind})
    size = max(len(best.events) // 2, 1)
    while size and time.monotonic() < deadline:
        start = 0
        while start < len(best.events) and time.monotonic() < deadline:
            if not fails_without(set(best.events[start : start + size])):
                start += size
        size //= 2
    return best


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs seeds until so many years have been simulated; 1 if a promise was broken."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--years", type=float, default=5.0, help="simulated years of each seed")
    parser.add_argument("--seed", type=int, default=1, help="the first seed")
    parser.add_argument("--seeds", type=int, default=1, help="how many seeds")
    parser.add_argument("--targets", type=int, default=100)
    parser.add_argument("--without", default="", help="kinds of events to leave out, separated by commas")
    parser.add_argument("--whole", action="store_true", help="do not look for a shorter history")
    asked = parser.parse_args(arguments)
    failures = 0
    for seed in range(asked.seed, asked.seed + asked.seeds):
        started = time.process_time()
        left_out = set(asked.without.split(","))
        names = [f"phone{number:02d}" for number in range(asked.targets)]
        events = [event for event in draw_events(seed, asked.years, names) if event.kind not in left_out]
        run = run_fleet(seed, asked.years, asked.targets, events)
        took = time.process_time() - started
        pace = f"{asked.years:g} years in {took:.1f} s of CPU: {asked.years / took * 60:.0f} years a minute"
        what = f"{run.rotations} rotations, {run.effects} effects, {run.looks} looks, {run.happened.total()} events"
        print(f"seed {seed}: {pace}; {what}; {run.trace[:12]}", flush=True)
        if run.broken is not None:
            failures += 1
            print((run if asked.whole else shortest(run, asked.targets)).report(), flush=True)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
