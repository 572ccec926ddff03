"""How much faster a fleet is rotated by two and three daemons than by one."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from bench_world import BenchWorld, bench_world
from daemons import cpu_of, run_beside_daemons
from free_ports import free_port
from speed import rotate_all, target_of

_LATENCY = 0.08  # seconds, of the provider
_WORKERS = 4


def measure_replicas(folder: Path, rotations: int, say: Callable[[str], None]) -> dict[str, Any]:
    """Returns a row for each number of daemons. Each has four workers: two cores suffice for three, and OpenBao."""
    with bench_world(folder, rotations) as world:
        targets = [target_of("in-place", number, f"t{number}") for number in range(rotations)]
        say(f"{rotations} first rotations")
        world.run(rotate_all(world, world.configure("first", targets, workers=32)), 0.0)
        rows: list[dict[str, Any]] = []
        for daemons in (1, 2, 3):
            say(f"{daemons} daemons")
            rows.append(_measured(world, daemons, targets))
            rows[-1]["of_one"] = round(rows[-1]["per_second_at_provider"] / rows[0]["per_second_at_provider"], 2)
        return {"replicas": rows}


def _measured(world: BenchWorld, daemons: int, targets: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    configs = {}
    for number in range(daemons):
        probes = free_port()
        http = {"listen": "127.0.0.1:0", "probes": f"127.0.0.1:{probes}"}
        configs[world.configure(f"replica{number}", targets, workers=_WORKERS, http=http)] = probes
    words, used = rotate_all(world, next(iter(configs)), here=False), sum(map(cpu_of, world.servers))
    run = run_beside_daemons(world, configs, len(targets), words, _LATENCY)
    return {
        "daemons": daemons,
        "latency_ms": round(1000 * _LATENCY),
        "rotations": len(targets),
        "failed": run.failed,
        "per_second_at_provider": round(len(targets) / run.rotating, 1),
        "cpu_ms": round(1000 * run.cpu / len(targets), 2),
        "servers_cpu_ms": round(1000 * (sum(map(cpu_of, world.servers)) - used) / len(targets), 2),
        "requests": run.calls(len(targets)),
    }
