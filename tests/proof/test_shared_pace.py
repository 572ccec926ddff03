"""The rate limit of one account, used by several processes at the same time, and a fleet that nothing holds up."""

import json
import subprocess
import sys
import time
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Event
from typing import Any

import paced_process
import pytest
import short_calls
from daemon_environment import ACCOUNT, DaemonEnvironment, daemon_environment
from polling import eventually

from rotator.core.secret import Secret
from rotator.daemon.clock import SystemClock
from rotator_simulator.faults import fault_named
from rotator_simulator.rate_limits import SimulatedRateLimit


@pytest.fixture
def environment(bao, tmp_path) -> Iterator[DaemonEnvironment]:
    with daemon_environment(bao, tmp_path) as made:
        yield made


def used_in_best_stretch(moments: Sequence[float], rate: float, seconds: float) -> float:
    """Returns the share of a limit of `rate` a second that was used in the best stretch that is so long.

    On a busy machine nobody is awake for some slots, now and then. What the pace itself leaves unused, such as gaps
    between processes or fixed shares, it leaves unused in each stretch; and no stretch can have more than the limit.
    """
    ends = ((first, bisect_left(moments, moment + seconds)) for first, moment in enumerate(moments))
    shares = [(end - first) / (moments[end] - moments[first]) for first, end in ends if end < len(moments)]
    return max(shares) / rate


@pytest.mark.parametrize("rate", [8, 50])
def test_processes_use_a_limit_together_and_no_second_has_more(bao, rate, count_run):
    """With slots in Vault's time, beside each other, whoever needs them: nothing is left and nothing too much."""
    count_run("-", "-", f"4 processes at a limit of {rate}/s", 1)
    seconds = 16
    command = [sys.executable, "-P", paced_process.__file__, bao.address, bao.root_token.reveal()]
    processes = [
        subprocess.Popen(
            [*command, f"pace-{rate}/state", f"process-{number}", str(rate), str(seconds)], stdout=subprocess.PIPE
        )
        for number in range(4)
    ]
    each = [sorted(json.loads(process.communicate(timeout=100)[0])) for process in processes]
    every = sorted(moment for sent in each for moment in sent)
    assert max(bisect_left(every, moment + 1) - place for place, moment in enumerate(every)) <= rate
    begin, end = max(sent[0] for sent in each) + 2, min(sent[-1] for sent in each) - 1
    used = used_in_best_stretch([moment for moment in every if begin <= moment < end], rate, 5.0)
    print(f"{used:.3f} of {rate}/s used by 4 processes; each sent {[len(sent) for sent in each]}")
    assert used >= 0.95
    assert min(len(sent) for sent in each) > 0.1 * len(every)


def in_place_targets(environment, number: int) -> list[dict[str, Any]]:
    names = [f"pace{each:03}" for each in range(number)]
    for name in names:
        environment.account.create("credential", name, Secret("old-password-1!"))
    return [
        {"name": name, "strategy": "in-place", "path": f"sip/{name}", "credential": {"username": name}}
        for name in names
    ]


def rotate_all(environment) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-P", short_calls.__file__, "rotate", "--all", "--config", str(environment.config)]
    return subprocess.run(command, env=environment.variables, capture_output=True, text=True, timeout=200, check=False)


def change_account(environment, **changes: Any) -> None:
    document = json.loads(environment.config.read_text())
    document["providers"]["vobiz"] |= changes
    environment.config.write_text(json.dumps(document))


@pytest.mark.timeout(240)
def test_a_daemon_two_replicas_and_a_command_share_a_limit_and_are_never_answered_429(environment, count_run, long_run):
    """By the minute: of a limit by the second, a thread that a busy machine wakes 20 ms late loses its slot."""
    rate, targets = 4, 120
    count_run("vobiz", "in-place", f"4 processes at a limit of {60 * rate}/m", targets)
    limit = environment.sandbox.limits.set(ACCOUNT, SimulatedRateLimit(SystemClock(Event()), rate, burst=2 * rate))
    environment.configure(in_place_targets(environment, targets), daemon={"workers": 8})
    change_account(environment, rate_limit=f"{60 * rate}/m")
    daemons = [environment.start() for _ in range(3)]
    with ThreadPoolExecutor(1) as pool:
        for daemon in daemons:
            daemon.wait_for("listening")
        command = pool.submit(rotate_all, environment)
        eventually(lambda: len(limit.admitted) > 4 * rate, "the work has begun")
        begin = time.monotonic()
        eventually(lambda: len(limit.admitted) > targets, "each target was rotated once")
        end = limit.admitted[targets]
        used = sum(begin <= one < end for one in limit.admitted) / (rate * (end - begin))
        for daemon in daemons:
            daemon.process.kill()
        command.result()
    print(f"{used:.3f} of {60 * rate}/m used by 3 daemons and a command; {limit.refused} answered 429")
    assert (limit.refused, limit.too_early) == (0, 0)
    # What else the machine does counts here: the daemons have their work to do. That the pace by itself leaves nothing
    # is asserted above. 0.92 was measured with fifteen programs on each core; four fixed shares would give 0.75.
    assert used >= (0.95 if long_run else 0.85)


@pytest.mark.timeout(240)
@pytest.mark.parametrize("workers", [8, 32])
def test_a_fleet_in_one_account_is_rotated_in_place_by_one_command(environment, workers, count_run):
    """What is only in flight is not in doubt: nothing ends as waiting, whatever the latency and the workers."""
    number = 200
    count_run("vobiz", "in-place", f"{number} targets, 50 ms, {workers} workers", number)
    environment.sandbox.faults.plan(fault_named("latency", seconds=0.05), times=None)
    environment.configure(in_place_targets(environment, number), daemon={"workers": workers})
    began = time.monotonic()
    done = rotate_all(environment)
    print(f"{number} targets with {workers} workers in {time.monotonic() - began:.1f} s")
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    assert "waiting" not in done.stdout
    assert all(environment.rotations(f"pace{each:03}") == 1 for each in range(number))
