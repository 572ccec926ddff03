"""A daemon that is measured: from the start of its process, or while a command hands its requests to it."""

import os
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from bench_world import BenchWorld, MeasuredRun, running

LIMIT = 900.0  # seconds that anything may take
_TICK = os.sysconf("SC_CLK_TCK")


def run_beside_daemon(
    world: BenchWorld, config: Path, probes: int, targets: int, words: Sequence[str], latency: float
) -> MeasuredRun:
    """Runs a command while a daemon lives that has looked at all its targets. The CPU time is that of both."""
    log, before = world.folder / "daemon.log", world.vault_requests()["READ"]
    with (
        log.open("wb") as output,
        running(world.rotator(config, "run"), env=world.environment, stdout=output, stderr=output) as daemon,
    ):
        until(lambda: answers(f"http://127.0.0.1:{probes}/readyz"), log)
        until(lambda: world.vault_requests()["READ"] - before >= 2 * targets, log)
        used = cpu_of(daemon)
        run = world.run(words, latency)
        return replace(run, cpu=run.cpu + cpu_of(daemon) - used)


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
