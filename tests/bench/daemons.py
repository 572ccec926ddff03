"""Daemons that are measured: from the start of a process, or while a command hands its requests to them."""

import os
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from bench_world import BenchWorld, MeasuredRun, running

LIMIT = 900.0  # seconds that anything may take
_KNOWN_TO_ALL = 5.0  # seconds: each daemon has heard of each other
_TICK = os.sysconf("SC_CLK_TCK")


def run_beside_daemons(
    world: BenchWorld,
    configs: Mapping[Path, int],
    targets: int,
    words: Sequence[str],
    latency: float,
    ready: Callable[[], None] = lambda: None,
) -> MeasuredRun:
    """Runs a command while daemons live that have looked at all their targets. The CPU time is that of all of them.

    `configs` has the configuration of each daemon, and its port for probes; `ready` is called before the command.
    """
    log, before = world.folder / "daemon.log", world.vault_requests()["READ"]
    with log.open("wb") as output, ExitStack() as started:
        daemons = []
        for config in configs:
            daemon = running(world.rotator(config, "run"), env=world.environment, stdout=output, stderr=output)
            daemons.append(started.enter_context(daemon))
        until(lambda: all(answers(f"http://127.0.0.1:{probes}/readyz") for probes in configs.values()), log)
        until(lambda: world.vault_requests()["READ"] - before >= 2 * targets, log)
        time.sleep(_KNOWN_TO_ALL if len(daemons) > 1 else 0.0)
        ready()
        used = sum(map(cpu_of, daemons))
        run = world.run(words, latency)
        used = sum(map(cpu_of, daemons)) - used
        return replace(run, cpu=run.cpu + used, daemons=used)


def until(true: Callable[[], bool], log: Path) -> None:
    """Waits for something. Raises RuntimeError with the end of the log if it takes too long."""
    end = time.monotonic() + LIMIT
    while not true():
        if time.monotonic() > end:
            raise RuntimeError(f"took too long: {log.read_text()[-2000:]}")
        time.sleep(0.1)


def answers(url: str) -> bool:
    """True if there is a good answer."""
    try:
        urllib.request.urlopen(url).read()
    except (urllib.error.URLError, ConnectionError):
        return False
    return True


def cpu_of(process: "subprocess.Popen[bytes]") -> float:
    """Returns the seconds of CPU time that a living process has used."""
    fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICK
