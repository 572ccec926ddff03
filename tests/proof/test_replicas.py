"""Several daemons on the same targets: each target is rotated once, whoever does it, and a killed one is replaced."""

import signal
import time

import pytest
import short_calls
from bao import eventually
from examples import only_long
from raft import running_raft
from stage import stage_on

from rotator_simulator.faults import fault_named

TARGETS = 60
CLAIM = f"{short_calls.CLAIM:g}s"
TAKEOVER = short_calls.CLAIM + 50  # seconds: the claim of a dead one, an election (5), a poll, and the rest of the work
LATENCY = 0.08  # seconds for each call to the provider: what a public API over a continent takes


@pytest.fixture
def stage(bao, tmp_path):
    with stage_on(bao, tmp_path) as made:
        made.sandbox.faults.plan(fault_named("latency", seconds=LATENCY), times=None)
        yield made


def fleet(prefix):
    names = [f"{prefix}-{number:03}" for number in range(TARGETS)]
    return names, [
        {"name": name, "strategy": "replace", "path": f"sip/{name}", "credential": {"username": name.replace("-", "")}}
        for name in names
    ]


def all_rotated(stage, names):
    return all(stage.state(name).counts.succeeded for name in names)


def once_each(stage, names):
    """Every target rotated exactly once, and nothing at the provider that is not named in Vault."""
    assert [stage.state(name).counts.succeeded for name in names] == [1] * len(names)
    published = {stage.published(f"sip/{name}").credential_id for name in names}
    assert {record.id for record in stage.account.credentials()} == published


@pytest.mark.parametrize("replicas", [*only_long(1, 2), 3])
def test_each_target_is_rotated_once_however_many_daemons_run(stage, replicas, tally):
    tally("vobiz", "replace", f"{replicas} daemons on {TARGETS} targets", TARGETS)
    names, targets = fleet(f"many{replicas}")
    # Started with nothing to do, so that starting is not measured.
    stage.configure(targets[:1], daemon={"workers": 4})
    daemons = [stage.start() for _ in range(replicas)]
    for daemon in daemons:
        daemon.wait_for("started")
    eventually(lambda: all_rotated(stage, names[:1]), "the first target")
    stage.configure(targets, daemon={"workers": 4})
    began = time.monotonic()
    for daemon in daemons:
        daemon.send(signal.SIGHUP)
    eventually(lambda: all_rotated(stage, names), "all targets")
    seconds = time.monotonic() - began
    once_each(stage, names)
    print(f"{replicas} daemons: {TARGETS - 1} rotations in {seconds:.1f} s, {(TARGETS - 1) / seconds:.1f} a second")


def test_what_a_killed_daemon_leaves_is_carried_on_by_another_when_its_claim_ends(stage, tally):
    tally("vobiz", "replace", "one of two daemons killed in mid-rotation", TARGETS)
    names, targets = fleet("killed")
    stage.configure(targets, daemon={"workers": 4, "claim": CLAIM})
    first = stage.start()
    first.wait_for("started")
    second = stage.start()
    second.wait_for("started")

    def at_work():
        claims = [stage.state(name).claim for name in names]
        return any(claim and f"-{first.process.pid}-" in claim.holder for claim in claims)

    eventually(at_work, "the first one is in the middle of a rotation")
    first.stop(signal.SIGKILL)
    killed = time.monotonic()
    end = killed + TAKEOVER
    while not all_rotated(stage, names):
        assert time.monotonic() < end, "not carried on within the claim and a poll"
        assert second.process.poll() is None
        time.sleep(0.2)
    once_each(stage, names)
    print(f"everything rotated {time.monotonic() - killed:.1f} s after the kill")


@pytest.mark.timeout(300)
def test_three_replicas_on_three_nodes_lose_a_replica_and_the_leader_and_rotate_each_target_once(tmp_path, tally):
    tally("vobiz", "replace", "3 daemons, 3 nodes: one of each killed", TARGETS)
    names, targets = fleet("raft")
    cluster = tmp_path / "raft"
    cluster.mkdir()
    with running_raft(cluster, standby_reads=True) as raft, stage_on(raft, tmp_path) as stage:
        stage.sandbox.faults.plan(fault_named("latency", seconds=LATENCY), times=None)
        leader = raft.leader()
        replicas = []
        for node in [leader, *raft.standbys()]:
            stage.config = stage.folder / f"config-{len(replicas)}.yaml"
            vault = {"address": node.address, "timeout": "3s", "connect_timeout": "2s"}
            stage.configure(targets, daemon={"workers": 2, "claim": CLAIM}, vault=vault)
            replicas.append(stage.start())
        eventually(lambda: any(stage.state(name).counts.succeeded for name in names), "the work has begun")
        replicas[1].stop(signal.SIGKILL)
        leader.kill()
        began = time.monotonic()
        raft.successor(leader)
        stage.vault = raft.client()
        while not all_rotated(stage, names):
            assert time.monotonic() < began + TAKEOVER, "not all rotated within the claim, an election and a poll"
            time.sleep(0.2)
        once_each(stage, names)
        print(f"one replica and the leader killed: everything rotated {time.monotonic() - began:.1f} s after it")
