"""Three OpenBao nodes, the daemons at two standbys: stale answers, a leader that is killed, a leader that is sealed.

With `disable_standby_reads` and without: a standby then answers reads and judges check-and-set from stale state.
"""

import time
from dataclasses import replace
from typing import Any

import pytest
from daemon_environment import Daemon
from killed_daemons import PublicationWatcher, daemon_run, run_targets
from long_runs import only_long
from polling import eventually
from raft_cluster import running_raft_cluster
from run_verdict import violations

from rotator.core.model import TargetState
from rotator.vault.policy import rotator_policy

STALE = 1.0  # seconds by which an answer of a standby may be old on a loaded machine; 0.1 were measured
RECOVERY = 60.0  # seconds: an election, then at most 5 s to the next look; the rest is for a loaded machine
CYCLES = 8
LOGINS = 30


@pytest.mark.timeout(600)
@pytest.mark.parametrize("standby_reads", [True, *only_long(False)])
def test_a_cluster_loses_its_leader_twice_and_no_stale_answer_does_harm(tmp_path, count_run, standby_reads):
    folder = tmp_path / "raft"
    folder.mkdir()
    targets = run_targets("raft", 3)
    with running_raft_cluster(folder, standby_reads=standby_reads) as cluster:
        conflicts = false_conflicts(cluster)
        assert (conflicts > 0) is standby_reads
        refused = first_refusals(
            cluster, cluster.app_role(cluster.policy("own", rotator_policy("secret", "own/state", ["*"])))
        )
        with daemon_run(cluster, tmp_path, targets, standby_lag=STALE) as run:
            with PublicationWatcher(run, [target for target in targets if target.overlaps]) as watcher:
                figures = lose_leaders(run, cluster)
            run.count(
                count_run, f"raft, {'stale standbys' if standby_reads else 'no stale reads'}: leader killed, sealed"
            )
            stale = {
                "false conflicts": f"{conflicts} of {2 * CYCLES}",
                "tokens unknown at first": f"{refused} of {LOGINS}",
            }
            print(run.figures(looks=watcher.looks, **stale, **figures))
            assert violations(run) == []
            assert watcher.found == []


def lose_leaders(run, cluster) -> dict[str, Any]:
    """Two daemons at two standbys, while the leader is killed and its successor is sealed."""
    daemons = [start_daemon_at(run, node.address) for node in cluster.standbys()]
    run.heal(*daemons)
    killed = cluster.leader()
    after_kill = recover(run, cluster, killed, killed.kill)
    killed.start()
    cluster.wait_until_whole()
    sealed = cluster.leader()
    after_seal = recover(run, cluster, sealed, lambda: cluster.seal(sealed))
    cluster.unseal(sealed)
    cluster.wait_until_whole()
    run.heal(*daemons)
    refused = sum(vault_conflicts(daemon) for daemon in daemons)
    run.come_to_rest(*daemons)
    return {"after the kill": after_kill, "after the seal": after_seal, "conflicts met by the daemons": refused}


def start_daemon_at(run, address) -> Daemon:
    """A daemon that talks to the node at `address`; each has a configuration file of its own."""
    run.environment.config = run.environment.folder / f"config-{len(run.environment.daemons)}.yaml"
    run.configure(vault={"address": address, "timeout": "3s", "connect_timeout": "2s"})
    return run.environment.start()


def recover(run, cluster, lost, lose) -> str:
    """Loses the leader, and waits until rotations go on; how long that took."""
    began = time.monotonic()
    lose()
    cluster.successor(lost)
    elected = time.monotonic() - began
    run.environment.vault = cluster.client()
    before = {state.target: state.counts.succeeded for state in run.states()}
    eventually(lambda: any(s.counts.succeeded > before[s.target] for s in run.states()), "a rotation", RECOVERY)
    first = time.monotonic() - began
    eventually(lambda: all(s.counts.succeeded > before[s.target] for s in run.states()), "every target", RECOVERY)
    every = time.monotonic() - began
    assert every < RECOVERY
    return f"a leader in {elected:.1f} s, a rotation in {first:.1f} s, one of each target in {every:.1f} s"


def vault_conflicts(daemon) -> int:
    """How many check-and-set writes Vault refused this daemon, rightly or not."""
    lines = daemon.get("/metrics").splitlines()
    counted = [line for line in lines if line.startswith("rotator_vault_requests_total") and '"conflict"' in line]
    return sum(int(float(line.rsplit(" ", 1)[1])) for line in counted)


def false_conflicts(cluster) -> int:
    """Right writes at a standby, each at once after the one before: none may fail; how many it refused at first."""
    session = cluster.client()
    store, version = session.store, 0
    for number in range(2 * CYCLES):
        written = store.write_state(replace(TargetState("alone"), failures=number), version)
        assert written == version + 1
        version = written
        if number % 2:
            read = store.read_state("alone")
            assert (read.version, read.state.failures) == (version, number)
    return session.meter.count("write_state", "conflict")


def first_refusals(cluster, role) -> int:
    """Logins at a standby, for which the leader makes the token: that the standby learns of it later is no refusal."""
    refused = 0
    for _ in range(LOGINS):
        session = cluster.client(role)
        session.store.check()
        refused += session.meter.count("check", "denied")
    return refused
