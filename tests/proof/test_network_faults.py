"""Faults of the network at the provider and at Vault: nothing hangs, a stop is in time, and all comes right again.

Each kind of fault has a daemon of its own, and all of them run at the same time: most of what they do is to wait.
"""

import json
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any

import pytest
from breakable_proxy import BreakableProxy, ProxyMode
from daemon_environment import TOKEN, DaemonEnvironment, daemon_environment
from polling import eventually
from short_calls import CALL, STOP_WITHIN

from rotator.core.secret import Secret
from rotator_simulator.faults import fault_named

VAULT_CONNECT, VAULT_TIMEOUT = 1.0, 2.0  # seconds for one connection to Vault and one answer of it, as configured
VAULT_CALL = 7.0 + 10 * (VAULT_CONNECT + VAULT_TIMEOUT)  # what `VaultClient.longest_call` states for these timeouts
LOAD = 15.0  # seconds that a machine with other work to do may add to any of these
PATIENCE = 120.0  # seconds that anything may take here, on the same machine
FAULTS = [mode for mode in ProxyMode if mode is not ProxyMode.THROUGH]


@pytest.fixture
def environments(bao, tmp_path) -> Iterator[dict[ProxyMode, DaemonEnvironment]]:
    """Returns an environment for each fault."""
    with ExitStack() as exit_:
        made = {}
        for mode in FAULTS:
            folder = tmp_path / mode.name.lower()
            folder.mkdir()
            made[mode] = exit_.enter_context(daemon_environment(bao, folder, f"rotator/{folder.name}"))
        yield made


def configure(environment, target, *, vault="", provider=""):
    """One target, with a proxy before Vault or before the provider."""
    environment.configure(
        [
            {
                "name": target,
                "strategy": "replace",
                "credential": {"username": target, "new": True},
                "path": f"sip/{target}",
            }
        ],
        vault={
            "timeout": f"{VAULT_TIMEOUT:g}s",
            "connect_timeout": f"{VAULT_CONNECT:g}s",
            **({"address": vault} if vault else {}),
        },
        daemon={"stop_within": f"{STOP_WITHIN:g}s", "circuit": {"failures": 1000}},
    )
    if provider:
        document = json.loads(environment.config.read_text())
        document["providers"]["vobiz"]["base_url"] = provider
        environment.config.write_text(json.dumps(document))


def wait_until_settled(environment, target, rotations):
    """Waits until so many rotations are done and nothing is left to do."""

    def done() -> bool:
        daemon = environment.daemons[-1]
        assert daemon.process.poll() is None, daemon.err.read_text()[-2000:]
        state = environment.state(target)
        return state.counts.succeeded == rotations and not state.attempt and not state.ledger and not state.claim

    eventually(done, lambda: environment.state(target), PATIENCE)
    assert environment.published_works(f"sip/{target}")
    assert [record.username for record in environment.account.credentials()] == [
        environment.consumer_document(f"sip/{target}").username
    ]


def stop_in_time(daemon) -> float:
    """SIGTERM; the seconds until the end, which is a good one."""
    began = time.monotonic()
    daemon.send(signal.SIGTERM)
    assert daemon.process.wait(STOP_WITHIN + 60) == 0, daemon.err.read_text()[-2000:]
    took = time.monotonic() - began
    assert took < STOP_WITHIN + LOAD
    return took


def logged_runs(daemon) -> list[dict[str, Any]]:
    """The log's line of each look."""
    return [line for line in daemon.events() if line["event"] == "run"]


def wait_for_fault(proxy):
    """Waits until one more connection met the fault: something is in the middle of it now."""
    before = proxy.faulted_connections
    eventually(lambda: proxy.faulted_connections > before, "a connection meets the fault", PATIENCE)


def assert_no_secret_written(environment, *credentials):
    """No password of this run, and no token, in anything that its daemons wrote, DEBUG included."""
    written = "".join(path.read_text(errors="replace") for path in environment.folder.iterdir() if path.is_file())
    assert '"level": "debug"' in written
    secrets = [TOKEN, environment.login.secret_id.reveal(), *(one.password.reveal() for one in credentials)]
    for secret in secrets:
        for form in (secret, json.dumps(secret)[1:-1]):
            assert form not in written


def run_with_provider_fault(environment, mode) -> str:
    """Runs one daemon with one fault before its provider; returns what was measured."""
    target = f"provider{mode.name.lower()}"
    environment.account.create("credential", target, Secret("old-password-1!"))
    with BreakableProxy(environment.sandbox.http_url) as proxy:
        configure(environment, target, provider=proxy.address)
        daemon = environment.start()
        wait_until_settled(environment, target, 1)
        proxy.mode = mode
        daemon.send(signal.SIGUSR1)
        opened = eventually(lambda: environment.state(target).attempt, "an attempt is open", PATIENCE)
        began = time.monotonic()
        eventually(lambda: environment.state(target).failures, lambda: environment.state(target), PATIENCE)
        noticed = time.monotonic() - began
        assert noticed < CALL + LOAD
        assert daemon.probe("/healthz") == 200
        wait_for_fault(proxy)
        stop = stop_in_time(daemon)
        daemon = environment.start()
        wait_for_fault(proxy)
        assert environment.consumer_document(f"sip/{target}").password != opened.staged.password
        assert environment.published_works(f"sip/{target}")
        proxy.mode = ProxyMode.THROUGH
        wait_until_settled(environment, target, 2)
        assert environment.consumer_document(f"sip/{target}").password == opened.staged.password
        stop_in_time(daemon)
        assert_no_secret_written(environment, opened.staged, opened.predecessor)
    return f"{mode.value}: noticed after {noticed:.1f} s, stopped after {stop:.1f} s"


def run_with_vault_fault(environment, mode) -> str:
    """Runs one daemon with one fault before its Vault; returns what was measured."""
    target = f"vault{mode.name.lower()}"
    environment.account.create("credential", target, Secret("old-password-1!"))
    with BreakableProxy(environment.bao.address) as proxy:
        configure(environment, target, vault=proxy.address)
        daemon = environment.start()
        wait_until_settled(environment, target, 1)
        environment.sandbox.faults.plan(fault_named("latency", seconds=1.0), verb="create")
        daemon.send(signal.SIGUSR1)
        opened = eventually(lambda: environment.state(target).attempt, "an attempt is open", PATIENCE)
        proxy.mode = mode
        began = time.monotonic()
        eventually(
            lambda: any(run["outcome"] == "vault" for run in logged_runs(daemon)),
            "a look fails for want of Vault",
            PATIENCE,
        )
        noticed = time.monotonic() - began
        assert noticed < VAULT_CALL + LOAD
        assert daemon.probe("/healthz") == 200
        proxy.mode = ProxyMode.THROUGH
        wait_until_settled(environment, target, 2)
        assert environment.consumer_document(f"sip/{target}").password == opened.staged.password
        proxy.mode = mode
        wait_for_fault(proxy)
        stop = stop_in_time(daemon)
        look = max(run["seconds"] for run in logged_runs(daemon))
        assert look < VAULT_CALL + LOAD
        waiting = environment.start()
        waiting.wait_for("waiting for Vault")
        wait_for_fault(proxy)
        stop_waiting = stop_in_time(waiting)
        proxy.mode = ProxyMode.THROUGH
        daemon = environment.start()
        daemon.wait_for("started")
        wait_until_settled(environment, target, 2)
        stop_in_time(daemon)
        assert_no_secret_written(environment, opened.staged, opened.predecessor)
    stops = f"stopped after {stop:.1f} s, at its start after {stop_waiting:.1f} s"
    return f"{mode.value}: noticed after {noticed:.1f} s, the longest look took {look:.1f} s, {stops}"


@pytest.mark.timeout(600)
@pytest.mark.parametrize("life", [run_with_provider_fault, run_with_vault_fault])
def test_nothing_hangs_a_stop_is_in_time_and_all_comes_right_again(environments, count_run, life):
    with ThreadPoolExecutor(len(environments)) as pool:
        lives = {mode: pool.submit(life, environment, mode) for mode, environment in environments.items()}
    for mode, done in lives.items():
        count_run("vobiz (process)", "replace", f"network {life.__name__}: {mode.name.lower()}")
        print(life.__name__, done.result())
