"""Daemons as processes whose wall clock is days off, with a real OpenBao whose clock is right, and registering devices.

Overlaps are timed by Vault, from when it wrote a consumer document, and by what happened at the provider.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
import short_calls
from killed_daemons import DaemonRun, RunPolicy, daemon_run, run_targets
from polling import eventually
from run_verdict import devices_served, done_once, overlap_kept, publications, published_works, violations
from shifted_clocks import ShiftedClock, build_shim

pytestmark = [pytest.mark.ci, pytest.mark.timeout(300)]

OFFSET = "rotator_clock_offset_seconds"
MakeClock = Callable[[timedelta], ShiftedClock]


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_shim(tmp_path_factory.mktemp("shim"))


@pytest.fixture
def make_clock(library: Path, tmp_path_factory: pytest.TempPathFactory) -> MakeClock:
    """Makes a clock that is off by so much."""
    return lambda off: ShiftedClock(library, tmp_path_factory.mktemp("clock") / "shift", off)


def published(run: DaemonRun) -> int:
    return sum(len(publications(run, target)) for target in run.targets)


def test_the_shim_shifts_the_wall_clock_alone_also_while_a_process_runs(make_clock):
    clock = make_clock(timedelta(days=-3))
    program = "import time\nwhile input(): print(time.time(), time.monotonic(), flush=True)"
    with subprocess.Popen(
        [sys.executable, "-c", program],
        env={**os.environ, **clock.variables},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as child:
        assert child.stdin
        assert child.stdout

        def ask() -> list[float]:
            print("?", file=child.stdin, flush=True)
            return [float(word) for word in child.stdout.readline().split()]

        wall, monotonic = ask()
        clock.set(timedelta())
        wall_later, monotonic_later = ask()
        assert wall_later - wall == pytest.approx(3 * 86400, abs=10)
        assert monotonic_later - monotonic < 10
        print(file=child.stdin, flush=True)


def test_a_daemon_three_days_behind_and_then_right_again_shortens_no_overlap(bao, tmp_path, make_clock, count_run):
    targets, policy, clock = run_targets("behind", 1), RunPolicy(every=14, overlap=9), make_clock(timedelta())
    behind = []
    with daemon_run(bao, tmp_path, targets, policy=policy) as run:
        run.configure()
        daemon = run.environment.start(**clock.variables)
        while len(behind) < 3 or min(behind[1:]) >= policy.overlap:  # the first rotation replaces nothing of ours
            count_run("vobiz (process)", "all", "a clock three days behind, and right again")
            number = len(behind) + 1
            eventually(lambda n=number: published(run) >= n * len(targets), f"rotation {number}")
            began = time.monotonic()  # what was replaced is in its overlap
            clock.set(timedelta(days=-3))
            wait_for_looks(daemon, 2 * len(targets))
            clock.set(timedelta())
            behind.append(time.monotonic() - began)
        run.come_to_rest(daemon)
        print(run.figures(behind=[f"{seconds:.1f} s" for seconds in behind]))
        assert violations(run) == []


@pytest.mark.parametrize("days", [2, -2])
def test_two_daemons_two_days_apart_rotate_no_more_often_than_one(bao, tmp_path, make_clock, count_run, days):
    targets, clock = run_targets(f"apart{days % 7}", 1), make_clock(timedelta(days=days))
    off = pytest.approx(days * 86400, abs=5)
    with daemon_run(bao, tmp_path, targets, policy=RunPolicy(every=86400)) as run:
        for target in targets:
            count_run("vobiz (process)", target.strategy, "two daemons, their clocks two days apart")
        run.configure()
        wrong, right = run.environment.start(**clock.variables), run.environment.start()
        run.heal(wrong, right)
        # Which of them looks at what is a matter of luck, so each is the only one for a while.
        wrong.stop()
        wait_for_looks(right, 3 * len(targets))
        wrong = run.environment.start(**clock.variables)
        right.stop()
        wait_for_looks(wrong, 3 * len(targets))
        right = run.environment.start()
        eventually(lambda: right.metric(OFFSET) is not None, "an answer of Vault")
        assert [len(publications(run, target)) for target in targets] == [1] * len(targets)  # the first of each
        assert [*done_once(run), *overlap_kept(run), *published_works(run), *devices_served(run)] == []
        assert (wrong.metric(OFFSET), right.metric(OFFSET)) == (off, 0)
        assert json.loads(wrong.get("/status"))["clock_offset_seconds"] == off
        assert printed_status(run, clock).startswith("this machine's clock is 2 d " if days > 0 else "this machine's ")


def wait_for_looks(daemon, number):
    """Until the daemon has looked so many times more, all round all that is its own."""
    before = looks(daemon)
    eventually(lambda: looks(daemon) >= before + number, f"{number} looks")


def looks(daemon) -> int:
    return sum(line["event"] == "run" for line in daemon.events())


def printed_status(run: DaemonRun, clock: ShiftedClock) -> str:
    """What `rotator status` says of the clocks."""
    done = subprocess.run(
        [sys.executable, "-P", short_calls.__file__, "status", "--config", str(run.environment.config)],
        env={**run.environment.variables, **clock.variables},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return next(line for line in done.stdout.splitlines() if "clock" in line)
