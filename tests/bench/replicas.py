"""How much faster a fleet is rotated by two and three daemons than by one."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from bench_world import BenchWorld, bench_world
from daemons import cpu_of, run_beside_daemons
from free_ports import free_port
from speed import rotate_all, target_of

_LATENCY = 0.08  # seconds, of the provider
FEW, USUAL = 4, 8
"""Workers of a daemon: so few that latency bounds one daemon, and not the machine; and as many as it has by default."""


def measure_replicas(
    folder: Path, rotations: int, most: int, workers_each: Sequence[int], say: Callable[[str], None]
) -> dict[str, Any]:
    """Returns a row for each number of daemons, at most so many, and of workers in each."""
    with bench_world(folder, rotations) as world:
        targets = [target_of("in-place", number, f"t{number}") for number in range(rotations)]
        say(f"{rotations} first rotations")
        world.run(rotate_all(world, world.configure("first", targets, workers=32)), 0.0)
        rows: list[dict[str, Any]] = []
        for workers in workers_each:
            alone = 0.0
            for daemons in range(1, most + 1):
                say(f"{daemons} daemons with {workers} workers")
                row = _measured(world, daemons, workers, targets)
                alone = alone or row["per_second_at_provider"]
                rows.append({**row, "of_one": round(row["per_second_at_provider"] / alone, 2)})
        return {"replicas": rows}


def _measured(world: BenchWorld, daemons: int, workers: int, targets: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    configs = {}
    for number in range(daemons):
        probes = free_port()
        http = {"listen": "127.0.0.1:0", "probes": f"127.0.0.1:{probes}"}
        configs[world.configure(f"replica{number}", targets, workers=workers, http=http)] = probes
    words = rotate_all(world, next(iter(configs)), here=False)
    before: list[float] = []
    run = run_beside_daemons(
        world, configs, len(targets), words, _LATENCY, ready=lambda: before.extend(map(cpu_of, world.servers))
    )
    vault, vobiz = (cpu_of(server) - used for server, used in zip(world.servers, before, strict=True))
    each = {"daemons": run.daemons, "command": run.cpu - run.daemons, "openbao": vault, "vobiz": vobiz}
    return {
        "daemons": daemons,
        "workers": workers,
        "latency_ms": round(1000 * _LATENCY),
        "rotations": len(targets),
        "failed": run.failed,
        "per_second_at_provider": round(len(targets) / run.rotating, 1),
        "cpu_ms": {name: round(1000 * seconds / len(targets), 1) for name, seconds in each.items()},
        "cores_busy": round(sum(each.values()) / run.seconds, 2),
        "requests": run.calls(len(targets)),
    }
