"""Years of a fleet in minutes: one seed makes accounts, people, clocks, faults and processes; a failure replays.

    python tests/support/fleet_years.py --seeds 1000-1999 --processes 2 --results years.txt
    python tests/support/fleet_years.py --seeds 1-30 --targets 40 --people 4

simulates a year from each seed, prints a line for each, and the shortest history found of a broken promise. The same
command again goes on after the seeds that have a line in the file of results. The second one makes denser years: four
times as much is done to each target by hand, so that more of it comes together, among as many faults for each.
"""

import argparse
import gc
import logging
import multiprocessing
import re
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from fleet_accounts import registrar_in_process
from fleet_events import YEAR, FleetEvent, apply_event, draw_events
from fleet_judge import PromiseBroken
from fleet_rest import judge_at_rest
from fleet_world import FleetWorld, HistoryLine
from simulated_accounts import CURRENT_REALMS

from rotator.testing.clock import START

_LINES = 40  # of a failing target's history
_SHRINKING = 60.0  # seconds


@dataclass(frozen=True)
class Lives:
    """What is simulated of a seed."""

    years: float = 1.0
    targets: int = 100
    people: float = 1.0  # how many times as often as usual they do something to a target
    without: tuple[str, ...] = ()  # kinds of events that are left out

    @property
    def options(self) -> str:
        """The options of the command that simulates the same."""
        without = f" --without {','.join(self.without)}" if self.without else ""
        return f"--years {self.years:g} --targets {self.targets} --people {self.people:g}{without}"

    def events(self, seed: int) -> list[FleetEvent]:
        """Draws what happens."""
        names = [f"phone{number:02d}" for number in range(self.targets)]
        drawn = draw_events(seed, self.years, names, self.people)
        return [event for event in drawn if event.kind not in self.without]


@dataclass(frozen=True)
class FleetRun:
    """What came of a run."""

    seed: int
    lives: Lives
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
        return "\n".join([*lines, f"python tests/support/fleet_years.py --seeds {self.seed} {self.lives.options}"])


def run_fleet(seed: int, lives: Lives, events: Sequence[FleetEvent] | None = None) -> FleetRun:
    """Simulates a fleet for so many years, or until a promise is broken; `events` in place of those of the seed."""
    with _without_collector():
        return _run_fleet(seed, lives, events)


def _run_fleet(seed: int, lives: Lives, events: Sequence[FleetEvent] | None) -> FleetRun:
    world = FleetWorld(seed, lives.targets)
    drawn = lives.events(seed) if events is None else events
    happened: Counter[str] = Counter()
    broken: PromiseBroken | None = None
    done: list[FleetEvent] = []
    with registrar_in_process(world.lag):
        try:
            rest = YEAR / 4
            checks = [rest * (number + 1) for number in range(int(lives.years * 4))]
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
    CURRENT_REALMS.forget()  # the next run freezes what is still alive: this world would stay for good
    concerned = [] if broken is None else [*world.judge.targets[broken.target].names, ""]
    return FleetRun(
        seed,
        lives,
        happened,
        sum(one.rotations for one in world.judge.fleet),
        world.judge.effects,
        world.looks,
        world.trace,
        broken,
        tuple(line for line in world.history if line.target in concerned),
        tuple(done),
    )


@contextmanager
def _without_collector() -> Iterator[None]:
    """Almost nothing here is a cycle but the world itself, and searching for them takes a fifth of the time."""
    gc.collect()  # the world of the run before: what is frozen as garbage stays for good
    gc.freeze()  # what is imported is never searched again; what begins before this is never freed
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def shortest(run: FleetRun, seconds: float = _SHRINKING) -> FleetRun:
    """Leaves out events for as long as the same promise stays broken: by kind, then by halves."""
    best, deadline = run, time.monotonic() + seconds

    def fails_without(dropped: set[FleetEvent]) -> bool:
        nonlocal best
        if time.monotonic() > deadline or run.broken is None:
            return False
        kept = [event for event in best.events if event not in dropped]
        tried = run_fleet(run.seed, run.lives, kept)
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


@dataclass(frozen=True)
class SeedResult:
    """What is told of one seed."""

    seed: int
    line: str
    report: str = ""  # of a broken promise

    @property
    def cpu_seconds(self) -> float:
        """What its line says that it took."""
        taken = _LINE.fullmatch(self.line)
        return float(taken["cpu"]) if taken else 0.0

    @property
    def is_broken(self) -> bool:
        """True if its line tells of a broken promise."""
        return _BROKEN in self.line

    @staticmethod
    def kept_in(results: Path | None, lives: Lives) -> "list[SeedResult]":
        """Reads the results of earlier runs of the same; a line that was cut off counts for nothing."""
        lines = results.read_text(encoding="utf-8").splitlines() if results is not None and results.exists() else []
        found = [match for match in map(_LINE.fullmatch, lines) if match and match["options"] == lives.options]
        return [SeedResult(int(match["seed"]), match[0]) for match in found]


_BROKEN = "; broken: "
_LINE = re.compile(
    r"seed (?P<seed>\d+): (?P<options>.*): (?P<cpu>\d+\.\d\d) s of CPU; .*; [0-9a-f]{12}(?:; broken: .*)?"
)


def result_of(seed: int, lives: Lives, *, whole: bool) -> SeedResult:
    """Simulates one seed, and looks for a shorter history if it breaks a promise, unless the `whole` is wanted."""
    started = time.process_time()
    try:
        run = run_fleet(seed, lives)
    except Exception as error:
        error.add_note(f"in the simulation of seed {seed}")
        raise
    took = time.process_time() - started
    what = f"{run.rotations} rotations, {run.effects} effects, {run.looks} looks, {run.happened.total()} events"
    line = f"seed {seed}: {lives.options}: {took:.2f} s of CPU; {what}; {run.trace[:12]}"
    if run.broken is None:
        return SeedResult(seed, line)
    report = (run if whole else shortest(run)).report()
    return SeedResult(seed, f"{line}{_BROKEN}{run.broken}", report)


def results_of(seeds: Sequence[int], lives: Lives, processes: int, *, whole: bool) -> Iterator[SeedResult]:
    """Simulates seeds, in as many processes as are asked for; each result as soon as there is one."""
    simulate = partial(result_of, lives=lives, whole=whole)
    quiet = partial(logging.basicConfig, level=logging.CRITICAL)  # nobody reads what the adapters warn of
    quiet()
    if processes == 1:
        yield from map(simulate, seeds)
        return
    with multiprocessing.get_context("spawn").Pool(processes, quiet) as pool:
        yield from pool.imap_unordered(simulate, seeds)


def seed_range(text: str) -> range:
    """Reads `7` or `1000-1999`. Raises ValueError."""
    first, _, last = text.partition("-")
    return range(int(first), int(last or first) + 1)


def summary(results: Iterable[SeedResult], years: float, new: int, seconds: float) -> str:
    """One line about all seeds, those of earlier runs included; the pace is that of this run."""
    results = list(results)
    cpu = sum(one.cpu_seconds for one in results) / max(years * len(results), 1e-9)
    pace = f"{years * len(results):g} years, {cpu:.2f} s of CPU a year, {years * new / seconds * 60:.0f} years a minute"
    return f"{pace}; {sum(one.is_broken for one in results)} of {len(results)} seeds broke a promise"


def main(arguments: Sequence[str] | None = None) -> int:
    """Simulates every seed that is asked for; 1 if a promise was broken."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=seed_range, default=range(1, 2), help="one, or the first and the last: 1-100")
    parser.add_argument("--years", type=float, default=1.0, help="simulated years of each seed")
    parser.add_argument("--targets", type=int, default=100)
    parser.add_argument("--people", type=float, default=1.0, help="how many times as often as usual people do things")
    parser.add_argument("--without", default="", help="kinds of events to leave out, separated by commas")
    parser.add_argument("--whole", action="store_true", help="do not look for a shorter history")
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument(
        "--results", type=Path, help="append each line to this file; seeds in it are not simulated again"
    )
    asked = parser.parse_args(arguments)
    lives = Lives(asked.years, asked.targets, asked.people, tuple(filter(None, asked.without.split(","))))
    started = time.monotonic()
    results = {one.seed: one for one in SeedResult.kept_in(asked.results, lives) if one.seed in asked.seeds}
    left = [seed for seed in asked.seeds if seed not in results]
    for one in results_of(left, lives, asked.processes, whole=asked.whole):
        results[one.seed] = one
        print(one.line, *([one.report] if one.report else []), sep="\n", flush=True)
        if asked.results is not None:
            with asked.results.open("a", encoding="utf-8") as file:
                file.write(f"{one.line}\n")
    print(summary(results.values(), asked.years, len(left), time.monotonic() - started))
    return 1 if any(one.is_broken for one in results.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
