"""The rate limit of one account, used by a daemon, two replicas and a command at the same time."""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Event
from typing import Any

import pytest
import short_calls
from daemon_environment import ACCOUNT, DaemonEnvironment, daemon_environment
from polling import eventually

from rotator.core.secret import Secret
from rotator.daemon.clock import SystemClock
from rotator_simulator.rate_limits import SimulatedRateLimit

RATE = 8
TARGETS = 240
MEASURED = 20.0  # seconds in which everybody has something to do


@pytest.fixture
def environment(bao, tmp_path) -> Iterator[DaemonEnvironment]:
    with daemon_environment(bao, tmp_path) as made:
        yield made


def in_place_targets(environment, number: int) -> list[dict[str, Any]]:
    names = [f"pace{each:03}" for each in range(number)]
    for name in names:
        environment.account.create("credential", name, Secret("old-password-1!"))
    return [
        {"name": name, "strategy": "in-place", "path": f"sip/{name}", "credential": {"username": name}}
        for name in names
    ]


def rotate_all(environment, *words: str) -> subprocess.CompletedProcess[str]:
    command = [
        sys.executable,
        "-P",
        short_calls.__file__,
        "rotate",
        "--all",
        *words,
        "--config",
        str(environment.config),
    ]
    return subprocess.run(command, env=environment.variables, capture_output=True, text=True, timeout=100, check=False)


def changed(environment, key: str, **changes: Any) -> None:
    """Changes a section of the configuration's only provider account, or of the daemon."""
    document = json.loads(environment.config.read_text())
    section = document["providers"]["vobiz"] if key == "providers" else document[key]
    section |= changes
    environment.config.write_text(json.dumps(document))


@pytest.mark.timeout(240)
def test_a_daemon_two_replicas_and_a_command_use_the_limit_together_and_never_exceed_it(environment, count_run):
    count_run("vobiz", "in-place", "4 processes at a limit of 8/s", TARGETS)
    limit = SimulatedRateLimit(SystemClock(Event()), RATE, burst=RATE)
    environment.sandbox.limits.set(ACCOUNT, limit)
    environment.configure(in_place_targets(environment, TARGETS), daemon={"workers": 8})
    changed(environment, "providers", rate_limit=f"{RATE}/s")
    daemons = [environment.start() for _ in range(3)]
    for daemon in daemons:
        daemon.wait_for("started")
    with ThreadPoolExecutor(1) as pool:
        pool.submit(rotate_all, environment)
        eventually(lambda: len(limit.admitted) > RATE, "the work has begun", limit=60)
        time.sleep(2)  # each has seen the others
        begin = time.monotonic()
        time.sleep(MEASURED)
        end = time.monotonic()
        for daemon in daemons:
            daemon.process.kill()
        used = sum(begin <= one < end for one in limit.admitted) / (RATE * (end - begin))
    print(f"{used:.3f} of {RATE}/s used by 4 processes; {limit.refused} answered 429, {limit.too_early} too early")
    assert limit.refused == 0
    assert used >= 0.9
