"""Several daemons on the same targets: each target is rotated once, whoever does it, and a killed one is replaced."""

import json
import signal
import time
from collections.abc import Iterator
from typing import Any

import pytest
from daemon_environment import Daemon, DaemonEnvironment, daemon_environment
from long_runs import only_long
from polling import eventually
from raft_cluster import running_raft_cluster

from rotator.daemon.rotate_now import TOGETHER
from rotator_simulator.faults import fault_named

TARGETS, FEW = 60, 12
WORKERS = 4
# Seconds: 15 until a process counts as dead, 6 until its claims do, the rest of the work, and a busy machine.
TAKEOVER = 30 + 30
ELECTION = 15  # seconds: of a leader, and until everybody has found it
LATENCY = 0.08  # seconds for each call to the provider: what a public API over a continent takes


@pytest.fixture
def environment(bao, tmp_path) -> Iterator[DaemonEnvironment]:
    with daemon_environment(bao, tmp_path) as made:
        made.sandbox.faults.plan(fault_named("latency", seconds=LATENCY), times=None)
        yield made


def many_targets(prefix, number=TARGETS) -> tuple[list[str], list[dict[str, Any]]]:
    names = [f"{prefix}-{each:03}" for each in range(number)]
    return names, [
        {
            "name": name,
            "strategy": "replace",
            "path": f"sip/{name}",
            "credential": {"username": name.replace("-", ""), "new": True},
        }
        for name in names
    ]


def all_rotated(environment, names) -> bool:
    return all(environment.state(name).counts.succeeded for name in names)


def counts(environment, names) -> list[int]:
    return [environment.state(name).counts.succeeded for name in names]


def assert_each_rotated_once(environment, names):
    """Every target rotated exactly once, and nothing at the provider that is not named in Vault."""
    assert counts(environment, names) == [1] * len(names)
    published = {environment.consumer_document(f"sip/{name}").credential_id for name in names}
    assert {record.id for record in environment.account.credentials()} == published


def divided(daemon, replicas) -> bool:
    """True once the daemon has divided the targets among so many."""
    return any(line["daemons"] == replicas for line in daemon.events() if line["event"] == "targets divided")


def names_reported(daemon) -> list[str]:
    """The targets that a daemon reports: those that it looks at."""
    return [row["name"] for row in json.loads(daemon.get("/status"))["targets"]]


def give_targets(environment, names, targets, replicas) -> list[Daemon]:
    """Starts daemons with nothing to do, then gives them the targets."""
    environment.configure(targets[:1], daemon={"workers": WORKERS})
    daemons = [environment.start() for _ in range(replicas)]
    eventually(lambda: all(divided(daemon, replicas) for daemon in daemons), "each one knows of the others")
    eventually(lambda: all_rotated(environment, names[:1]), "the first target")
    environment.configure(targets, daemon={"workers": WORKERS})
    for daemon in daemons:
        daemon.send(signal.SIGHUP)
    return daemons


def rotate_first_time(environment, names, targets, replicas) -> tuple[float, list[Daemon]]:
    """Returns how long it took all of the daemons to rotate all of the targets, and the daemons."""
    daemons = give_targets(environment, names, targets, replicas)
    began = time.monotonic()
    eventually(lambda: all_rotated(environment, names), "all targets")
    return time.monotonic() - began, daemons


@pytest.mark.parametrize("replicas", [*only_long(1, 2), 3])
def test_each_target_is_rotated_once_however_many_daemons_run(environment, replicas, count_run):
    count_run("vobiz", "replace", f"{replicas} daemons on {TARGETS} targets", TARGETS)
    names, targets = many_targets(f"many{replicas}")
    seconds, daemons = rotate_first_time(environment, names, targets, replicas)
    assert_each_rotated_once(environment, names)
    reported = [name for daemon in daemons for name in names_reported(daemon)]
    assert sorted(reported) == names, "each target is reported by one daemon"
    print(f"{replicas} daemons: {TARGETS - 1} rotations in {seconds:.1f} s, {(TARGETS - 1) / seconds:.1f} a second")


def test_a_signal_rotates_each_target_once_whoever_looks_at_it_and_however_many_got_it(environment, count_run):
    count_run("vobiz", "replace", "2 daemons, a signal to one and to both", FEW)
    names, targets = many_targets("signal", FEW)
    _, daemons = rotate_first_time(environment, names, targets, 2)

    def rotated(times: int) -> bool:
        return all(environment.state(name).counts.succeeded == times for name in names)

    time.sleep(TOGETHER)  # what was rotated within so many seconds is not rotated again
    daemons[0].send(signal.SIGUSR1)
    eventually(lambda: rotated(2), lambda: counts(environment, names))
    time.sleep(TOGETHER)
    for daemon in daemons:
        daemon.send(signal.SIGUSR1)
    eventually(lambda: rotated(3), lambda: counts(environment, names))
    heard = ["rotating now" in [line["event"] for line in daemon.events()] for daemon in daemons]
    assert heard == [True, True]
    assert rotated(3), counts(environment, names)


def test_what_a_daemon_that_stops_looked_at_is_taken_up_in_seconds(environment, count_run):
    count_run("vobiz", "replace", "one of two daemons stopped", FEW)
    names, targets = many_targets("stopped", FEW)
    _, daemons = rotate_first_time(environment, names, targets, 2)
    share = names_reported(daemons[0])
    assert 0 < len(share) < FEW
    daemons[0].stop(signal.SIGTERM)
    stopped = time.monotonic()
    eventually(lambda: sorted(names_reported(daemons[1])) == names, "the other one reports all targets", 15)
    print(f"{len(share)} of {FEW} targets taken over {time.monotonic() - stopped:.1f} s after the stop")
    assert_each_rotated_once(environment, names)


def test_what_a_killed_daemon_leaves_is_carried_on_by_another_one_in_seconds(environment, count_run):
    count_run("vobiz", "replace", "one of three daemons killed in mid-rotation", TARGETS)
    names, targets = many_targets("killed")
    first, *others = give_targets(environment, names, targets, 3)

    def at_work() -> bool:
        claims = [environment.state(name).claim for name in names]
        return any(claim and f"-{first.process.pid}-" in claim.holder for claim in claims)

    eventually(at_work, "the first one is in the middle of a rotation")
    first.stop(signal.SIGKILL)
    killed = time.monotonic()
    end = killed + TAKEOVER
    while not all_rotated(environment, names):
        assert time.monotonic() < end, "not carried on in time"
        assert [other.process.poll() for other in others] == [None, None]
        time.sleep(0.2)
    assert_each_rotated_once(environment, names)
    print(f"everything rotated {time.monotonic() - killed:.1f} s after the kill")


@pytest.mark.timeout(300)
def test_three_replicas_on_three_nodes_lose_a_replica_and_the_leader_and_rotate_each_target_once(tmp_path, count_run):
    count_run("vobiz", "replace", "3 daemons, 3 nodes: one of each killed", TARGETS)
    names, targets = many_targets("raft")
    cluster = tmp_path / "raft"
    cluster.mkdir()
    with running_raft_cluster(cluster, standby_reads=True) as raft, daemon_environment(raft, tmp_path) as environment:
        environment.sandbox.faults.plan(fault_named("latency", seconds=LATENCY), times=None)
        leader = raft.leader()
        replicas = []
        for node in [leader, *raft.standbys()]:
            environment.config = environment.folder / f"config-{len(replicas)}.yaml"
            vault = {"address": node.address, "timeout": "3s", "connect_timeout": "2s"}
            environment.configure(targets, daemon={"workers": 2}, vault=vault)
            replicas.append(environment.start())
        eventually(lambda: any(environment.state(name).counts.succeeded for name in names), "the work has begun")
        replicas[1].stop(signal.SIGKILL)
        leader.kill()
        began = time.monotonic()
        raft.successor(leader)
        environment.vault = raft.client()
        while not all_rotated(environment, names):
            assert time.monotonic() < began + TAKEOVER + ELECTION, "not all rotated in time"
            time.sleep(0.2)
        assert_each_rotated_once(environment, names)
        print(f"one replica and the leader killed: everything rotated {time.monotonic() - began:.1f} s after it")
