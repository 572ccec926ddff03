"""The daemon as a process, killed at random moments, alone and with a twin, while devices register all the time."""

import json
import signal
import subprocess
import sys
import time

import pytest
import short_calls
import torn_audit
from killed_daemons import PublicationWatcher, daemon_run, random_pause, run_targets
from polling import eventually
from run_verdict import audit_whole, violations

from rotator_simulator.faults import fault_named


def kill_at_random(run, random_source, kills):
    """Daemons one after the other, each killed at a random moment: at its start, while it waits, or amid its work."""
    for number in range(kills):
        daemon = run.environment.start()
        if number % 4 == 0:
            random_pause(random_source, 0.5, 2.0)
        else:
            run.wait_for_open_attempt(daemon)
            random_pause(random_source, 0.0, 1.5)
        run.kill(daemon)


@pytest.mark.timeout(1800)
def test_killed_at_random_moments_loses_nothing_and_cuts_nobody_off(bao, tmp_path, random_source, count_run, long_run):
    targets = run_targets("storm", 3)
    with daemon_run(bao, tmp_path, targets) as run, PublicationWatcher(run, targets) as watcher:
        run.configure()
        run.slow_provider(random_source.randrange(10**6))
        while True:
            kill_at_random(run, random_source, 8)
            daemon = run.environment.start()
            run.heal(daemon)
            if run.rotations() >= (300 if long_run else 25):
                break
            run.kill(daemon)
        run.come_to_rest(daemon)
        run.count(count_run, "SIGKILL at a random moment")
        print(run.figures(looks=watcher.looks))
        assert violations(run) == []
        assert watcher.found == []
        assert run.rotations() >= 25
        assert run.interrupted
        damage_is_found(run.environment, tmp_path / "damaged.jsonl")


@pytest.mark.timeout(600)
def test_two_daemons_do_each_due_rotation_once_whichever_of_them_is_killed(bao, tmp_path, random_source, count_run):
    targets = run_targets("twin", 3)
    with daemon_run(bao, tmp_path, targets) as run, PublicationWatcher(run, targets) as watcher:
        run.configure()
        run.slow_provider(random_source.randrange(10**6))
        first, second = run.environment.start(), run.environment.start()
        run.heal(first, second)
        run.wait_for_open_attempt(first)
        random_pause(random_source, 0.0, 0.3)
        run.kill(first)
        third = run.environment.start()
        run.wait_for_open_attempt(third)
        run.wait_for_open_attempt(second)
        random_pause(random_source, 0.0, 0.3)
        run.kill(second)
        fourth = run.environment.start()
        run.heal(third, fourth)
        run.come_to_rest(third, fourth)
        run.count(count_run, "two daemons, SIGKILL of one, then of the other")
        print(run.figures(looks=watcher.looks))
        assert violations(run) == []
        assert watcher.found == []
        holders = {line["holder"] for daemon in (third, fourth) for line in daemon.events() if "holder" in line}
        assert len(holders) == 2
        assert run.interrupted


@pytest.mark.timeout(120)
def test_killed_after_a_password_was_set_in_place_serves_devices_again_within_20_seconds(bao, tmp_path, count_run):
    count_run("vobiz (process)", "in-place", "SIGKILL after a password was set")
    targets = run_targets("served", 1, ("in-place",))
    with daemon_run(bao, tmp_path, targets) as run:
        run.configure(daemon={"poll": "10s"})  # first looks are spread over a tenth of it
        first = run.environment.start()
        run.heal(first)
        path, before = targets[0].path, run.environment.consumer_document(targets[0].path).password
        late = run.environment.sandbox.faults.plan(fault_named("late-answer", seconds=4), verb="update", times=1)
        eventually(lambda: late.fired and not run.environment.published_works(path), "the password is set")
        run.kill(first)
        killed = time.monotonic()
        second = run.environment.start()
        second.wait_for("started")
        start = time.monotonic() - killed
        eventually(lambda: run.environment.published_works(path), "served again", 60.0)
        seconds = time.monotonic() - killed
        print(f"served again {seconds:.1f} s after the kill, {start:.1f} s of them to start a process")
        assert run.environment.consumer_document(path).password != before
        assert run.interrupted == {"staged": 1}
        # A process is up after 2 s; how much longer that takes on a busy machine says nothing about rotator.
        assert seconds - max(start - 2, 0) < 20
        assert second.stop() == 0


@pytest.mark.timeout(600)
def test_killed_in_the_middle_of_a_line_of_the_audit_leaves_a_file_that_goes_on_and_verifies(bao, tmp_path, count_run):
    count_run("vobiz (process)", "replace", "SIGKILL amid a line of the audit")
    targets = run_targets("torn", 1, ("replace",))
    with daemon_run(bao, tmp_path, targets) as run:
        run.configure()
        first = run.environment.start(torn_audit.__file__)
        assert first.process.wait(120) == -signal.SIGKILL, first.err.read_text()[-2000:]
        torn = run.environment.audit_file.read_bytes()
        assert not torn.endswith(b"\n")
        assert torn.splitlines()[-1].startswith(b'{"chain":"')
        second = run.environment.start()
        run.heal(second)
        assert second.stop() == 0
        assert run.environment.audit_file.read_bytes().startswith(torn + b"\n")
        assert list(audit_whole(run)) == []
        code, printed = verify_audit(run.environment, run.environment.audit_file)
        assert (code, printed.count("this record was cut short")) == (0, 1), printed


def damage_is_found(environment, copy):
    """`rotator verify-audit` on the file of a run, and on copies of it that somebody changed."""
    lines = environment.audit_file.read_bytes().splitlines(keepends=True)
    chains = [json.loads(line)["chain"] for line in lines]
    # Not the last record of a process that was killed before Vault had it: nothing shows that it was there.
    middle = next(
        n
        for n in range(len(lines) // 2, len(lines))
        if b'"verb":"publish"' in lines[n] and chains[n] in chains[n + 1 :]
    )
    before, line, after = lines[:middle], lines[middle], lines[middle + 1 :]
    assert verify_audit(environment, environment.audit_file)[0] == 0
    assert verify_audit(environment)[0] == 0
    changed = line.replace(b'"outcome":"done"', b'"outcome":"gone"')
    assert changed != line
    for damaged in (
        [*before, *after],
        [*before, changed, *after],
        [*before, b'{"verb": "made up"}\n', line, *after],
        lines[:-1],  # the last process has stopped in time, so Vault has its end
    ):
        copy.write_bytes(b"".join(damaged))
        code, printed = verify_audit(environment, copy)
        assert code == 1, printed


def verify_audit(environment, *files) -> tuple[int, str]:
    """The exit code of the command and what it prints."""
    done = subprocess.run(
        [
            sys.executable,
            "-P",
            short_calls.__file__,
            "verify-audit",
            *map(str, files),
            "--config",
            str(environment.config),
        ],
        env=environment.variables,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert not done.stderr, done.stderr
    return done.returncode, done.stdout
