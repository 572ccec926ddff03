"""SIGUSR1 rotates what `daemon.signal_rotates` names: never more, and each target once."""

import signal
from dataclasses import replace
from typing import Any

import pytest
from daemon_environment import DaemonEnvironment
from openbao_server import TamperingProxy
from polling import eventually


def targets(*names: str) -> list[dict[str, Any]]:
    return [
        {"name": name, "strategy": "replace", "credential": {"username": name, "new": True}, "path": f"sip/{name}"}
        for name in names
    ]


def requests(environment: DaemonEnvironment) -> list[tuple[str, str]]:
    lines = [line for line in environment.audit() if line["verb"] == "request_rotation"]
    return [(line["target"], line["facts"]["requested_by"].split(":")[0]) for line in lines]


def wait_for_rotations(environment: DaemonEnvironment, times: dict[str, int]) -> None:
    eventually(lambda: all(environment.rotations(name) >= times[name] for name in times), f"rotations: {times}")


@pytest.mark.parametrize("both_named", [False, True])
def test_a_request_and_then_a_signal_rotate_what_they_name_once_and_nothing_else(environment, both_named):
    """The request is carried out before the signal: once, "every target" was concluded from nothing that waits."""
    asked, named, other = (f"{name}{both_named:d}" for name in ("asked", "named", "other"))
    environment.configure(
        targets(asked, named, other), daemon={"signal_rotates": [asked, named] if both_named else [named]}
    )
    daemon = environment.start()
    wait_for_rotations(environment, {asked: 1, named: 1, other: 1})
    environment.run_rotator("rotate", asked, "--no-wait")
    wait_for_rotations(environment, {asked: 2})
    daemon.send(signal.SIGUSR1)
    wait_for_rotations(environment, {named: 2})
    daemon.wait_for("rotating now")
    assert daemon.stop() == 0
    assert [environment.rotations(name) for name in (asked, named, other)] == [2, 2, 1]
    assert requests(environment) == [(asked, "vault"), (named, "SIGUSR1")]


def test_what_vault_does_not_let_a_signal_ask_for_is_said_and_the_others_rotate(environment):
    with TamperingProxy(environment.bao.address) as proxy:
        environment.configure(targets("refused", "allowed"), vault={"address": proxy.address})
        daemon = environment.start()
        wait_for_rotations(environment, {"refused": 1, "allowed": 1})
        eventually(lambda: not environment.state("refused").ledger, "nothing is left to do")
        proxy.tamper = lambda seen: (
            replace(seen, status=400, body=b'{"errors":["no"]}') if "state/refused" in seen.path else seen
        )
        daemon.send(signal.SIGUSR1)
        assert daemon.wait_for("request not written")["target"] == "refused"
        wait_for_rotations(environment, {"allowed": 2})
    assert environment.rotations("refused") == 1


def test_a_signal_during_a_reload_rotates_what_the_new_configuration_names(environment):
    environment.configure(targets("before"))
    daemon = environment.start()
    wait_for_rotations(environment, {"before": 1})
    plan = environment.sandbox.faults.plan("latency", verb="create", times=1)
    environment.run_rotator("rotate", "before", "--no-wait")
    eventually(lambda: plan.fired, "a look is running, for which the reload waits")
    environment.configure(targets("before", "after"), daemon={"signal_rotates": ["after"]})
    daemon.send(signal.SIGHUP)
    daemon.send(signal.SIGUSR1)
    daemon.wait_for("rotating now")
    assert daemon.logged("configuration reloaded")
    assert daemon.stop() == 0
    assert [target for target, by in requests(environment) if by == "SIGUSR1"] == ["after"]
