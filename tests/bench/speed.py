"""How many rotations a second, side by side: each in turn, round after round, so that load meets all alike."""

import json
import statistics
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from bench_world import HERE, ROOT_TOKEN, BenchWorld, MeasuredRun, bench_world
from daemons import run_beside_daemons
from free_ports import free_port
from static_roles import find_postgres, static_roles

_BY_LOG_IN = "in-place, log-in"  # the passwords are proved at a registrar, not read back
_NAIVE_FAST, _NAIVE_SLOW = 200, 60  # rotations of what does one after the other, without and with latency
_STATIC_FAST, _STATIC_SLOW = 300, 60


@dataclass(frozen=True, slots=True)
class Size:
    """How much is measured."""

    in_place: int = 1000
    replace: int = 300
    credentials: int = 3000  # in the account
    workers: int = 32
    rounds: int = 3
    latencies: tuple[float, ...] = (0.0, 0.05)
    others: bool = True  # a daemon, naive scripts, static roles


@dataclass(slots=True)
class Measured:
    """One contestant at one latency."""

    contestant: str
    latency: float
    rotations: int
    runs: list[MeasuredRun] = field(default_factory=list)
    against: "tuple[Measured, Measured] | None" = None  # bare pools that made the same calls in the same rounds

    def rate(self) -> float:
        """Rotations a second of the whole command, start-up included: the median of the rounds."""
        return statistics.median(self.rotations / run.seconds for run in self.runs)

    def at_provider(self) -> float:
        """Rotations a second between the first and the last write at the provider; 0 where there was none."""
        return statistics.median(self.rotations / run.rotating if run.rotating else 0.0 for run in self.runs)

    def row(self) -> dict[str, Any]:
        """Returns the row of the table."""
        row: dict[str, Any] = {
            "contestant": self.contestant,
            "latency_ms": round(self.latency * 1000),
            "rotations": self.rotations,
            "failed": sum(run.failed for run in self.runs),
            "per_second": round(self.rate(), 1),
            "per_second_at_provider": round(self.at_provider(), 1) or None,
            "cpu_ms": round(statistics.median(1000 * run.cpu / self.rotations for run in self.runs), 2),
            "requests": self.runs[-1].calls(self.rotations),
        }
        for name, place in (("plain", 0), ("own", 1)):
            pairs = list(zip(self.runs, self.against[place].runs, strict=True)) if self.against is not None else []
            row |= {
                f"of_{name}_pool": _median(bare.seconds / run.seconds for run, bare in pairs),
                f"cpu_of_{name}_pool": _median(run.cpu / bare.cpu for run, bare in pairs),
            }
        return row


def _median(values: Iterator[float]) -> float | None:
    some = list(values)
    return round(statistics.median(some), 2) if some else None


def measure_speed(folder: Path, size: Size, say: Callable[[str], None]) -> dict[str, Any]:
    """Returns a row for each contestant and latency."""
    with bench_world(folder, size.credentials) as world:
        configs, probes = {}, free_port()
        http = {"listen": "127.0.0.1:0", "probes": f"127.0.0.1:{probes}"}
        first = 0
        for kind, number in _kinds(size).items():
            say(f"{number} first rotations, {kind}")
            name, by_log_in = kind.replace(", ", "-"), kind == _BY_LOG_IN
            strategy = "in-place" if by_log_in else kind
            targets = [target_of(strategy, first + count, f"{name}{count}") for count in range(number)]
            first += number
            configs[kind] = world.configure(name, targets, log_in=by_log_in, workers=size.workers, http=http)
            world.run(rotate_all(world, configs[kind]), 0.0)
        return {"speed": [row for latency in size.latencies for row in _at(world, size, configs, latency, probes, say)]}


def _kinds(size: Size) -> dict[str, int]:
    """Returns how many rotations there are of each kind."""
    return {"in-place": size.in_place, "replace": size.replace, _BY_LOG_IN: size.in_place}


def _at(
    world: BenchWorld,
    size: Size,
    configs: Mapping[str, Path],
    latency: float,
    probes: int,
    say: Callable[[str], None],
) -> Iterator[dict[str, Any]]:
    measured: list[Measured] = []
    pairs = []
    for kind, number in _kinds(size).items():
        rotator = Measured(f"rotate --all, {kind}", latency, number)
        rotator.against = (
            Measured(f"bare pool, {kind}", latency, number),
            Measured(f"bare pool over rotator's connections, {kind}", latency, number),
        )
        pairs.append((rotator, rotator.against, configs[kind], kind))
        measured += [rotator, *rotator.against]
    handed = Measured("rotate --all by a daemon, in-place", latency, size.in_place)
    ceilings = {}
    if find_spec("aiohttp") is not None:
        ceilings = {each[3]: Measured(f"aiohttp, {each[3]}", latency, each[0].rotations) for each in pairs}
        del ceilings[_BY_LOG_IN]  # it speaks no SIP
    with ExitStack() as servers:
        others = list(_others(world, size, latency, servers))
        for turn in range(size.rounds):
            say(f"round {turn + 1} of {size.rounds} at {latency * 1000:g} ms")
            for rotator, pools, config, kind in pairs:
                rotator.runs.append(world.run(rotate_all(world, config), latency))
                calls = {call: round(value / rotator.rotations) for call, value in rotator.runs[-1].requests.items()}
                words = [kind.replace(", ", "-"), str(rotator.rotations), str(size.workers), json.dumps(calls)]
                for pool, which in zip(pools, ("plain", "own"), strict=True):
                    pool.runs.append(world.run(_script("bare_pool.py", *words, which), latency))
                if kind in ceilings:
                    ceilings[kind].runs.append(world.run(_script("ceiling.py", *words), latency))
            _hand_over(world, size, configs["in-place"], probes, handed)
            for each, words in others:
                each.runs.append(world.run(words, latency))
    for each in (*measured, handed, *ceilings.values(), *(one for one, _ in others)):
        if each.runs:
            yield each.row()


def _hand_over(world: BenchWorld, size: Size, config: Path, probes: int, handed: Measured) -> None:
    if size.others:
        words = rotate_all(world, config, here=False)
        handed.runs.append(run_beside_daemons(world, {config: probes}, handed.rotations, words, handed.latency))


def _others(world: BenchWorld, size: Size, latency: float, servers: ExitStack) -> Iterator[tuple[Measured, list[str]]]:
    if not size.others:
        return
    number = min(_NAIVE_FAST if not latency else _NAIVE_SLOW, size.in_place)
    yield Measured("naive script", latency, number), _script("naive.py", str(number))
    yield Measured("bash and curl", latency, number), ["bash", str(HERE / "naive.sh"), str(number)]
    if find_postgres() is not None:
        number = _STATIC_SLOW if latency else _STATIC_FAST
        mount = servers.enter_context(static_roles(world.vault, ROOT_TOKEN, number, latency))
        words = _script("static_roles.py", mount, str(number), str(size.workers))
        yield Measured("static roles of OpenBao, PostgreSQL", latency, number), words


def rotate_all(world: BenchWorld, config: Path, *, here: bool = True) -> list[str]:
    """Returns the command that is measured; `here`: it does the work itself, even if a daemon lives."""
    return world.rotator(config, "rotate", "--all", *(["--here"] if here else []), "--output", "json")


def _script(name: str, *words: str) -> list[str]:
    return [sys.executable, str(HERE / name), *words]


def target_of(strategy: str, credential: int, name: str) -> Mapping[str, Any]:
    """Returns a target in a configuration, for the credential with this number."""
    return {
        "name": name,
        "strategy": strategy,
        "credential": {"username": f"phone{credential}"},
        "path": f"sip/{name}",
    }
