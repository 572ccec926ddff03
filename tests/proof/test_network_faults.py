"""Faults of the network at the provider and at Vault: nothing hangs, a stop is in time, and all comes right again.

Each kind of fault has a daemon of its own, and all of them run at the same time: most of what they do is to wait.
"""

import json
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import pytest
from chaos import patiently
from chaos_wire import Mode, Wire
from short_calls import CALL, STOP_WITHIN
from stage import TOKEN, stage_on

from rotator.core.secret import Secret
from rotator_simulator.faults import fault_named

VAULT_CONNECT, VAULT_TIMEOUT = 1.0, 2.0  # seconds for one connection to Vault and one answer of it, as configured
VAULT_CALL = 7.0 + 10 * (VAULT_CONNECT + VAULT_TIMEOUT)  # what `VaultClient.longest_call` states for these timeouts
LOAD = 15.0  # seconds that a machine with other work to do may add to any of these
FAULTS = [mode for mode in Mode if mode is not Mode.THROUGH]


@pytest.fixture
def grounds(bao, tmp_path):
    """A stage for each fault."""
    with ExitStack() as exit_:
        made = {}
        for mode in FAULTS:
            folder = tmp_path / mode.name.lower()
            folder.mkdir()
            made[mode] = exit_.enter_context(stage_on(bao, folder))
        yield made


def configured(stage, target, *, vault="", provider=""):
    """One target, with a wire before Vault or before the provider."""
    stage.configure(
        [{"name": target, "strategy": "replace", "credential": {"username": target}, "path": f"sip/{target}"}],
        vault={
            "timeout": f"{VAULT_TIMEOUT:g}s",
            "connect_timeout": f"{VAULT_CONNECT:g}s",
            **({"address": vault} if vault else {}),
        },
        daemon={"stop_within": f"{STOP_WITHIN:g}s", "circuit": {"failures": 1000}},
    )
    if provider:
        document = json.loads(stage.config.read_text())
        document["providers"]["vobiz"]["base_url"] = provider
        stage.config.write_text(json.dumps(document))


def settled(stage, target, rotations):
    """Waits until so many rotations are done and nothing is left to do."""

    def done():
        daemon = stage.daemons[-1]
        assert daemon.process.poll() is None, daemon.err.read_text()[-2000:]
        state = stage.state(target)
        return state.counts.succeeded == rotations and not state.attempt and not state.ledger and not state.claim

    patiently(done, lambda: stage.state(target))
    assert stage.works(f"sip/{target}")
    assert [record.username for record in stage.account.credentials()] == [stage.published(f"sip/{target}").username]


def stopped(daemon):
    """SIGTERM; the seconds until the end, which is a good one."""
    began = time.monotonic()
    daemon.send(signal.SIGTERM)
    assert daemon.process.wait(STOP_WITHIN + 60) == 0, daemon.err.read_text()[-2000:]
    took = time.monotonic() - began
    assert took < STOP_WITHIN + LOAD
    return took


def runs(daemon):
    """The log's line of each look."""
    return [line for line in daemon.events() if line["event"] == "run"]


def meets_fault(wire):
    """Waits until one more connection met the fault: something is in the middle of it now."""
    before = wire.spoilt
    patiently(lambda: wire.spoilt > before, "a connection meets the fault")


def unseen(stage, *credentials):
    """No password of this run, and no token, in anything that its daemons wrote, DEBUG included."""
    written = "".join(path.read_text(errors="replace") for path in stage.folder.iterdir() if path.is_file())
    assert '"level": "debug"' in written
    secrets = [TOKEN, stage.login.secret_id.reveal(), *(one.password.reveal() for one in credentials)]
    for secret in secrets:
        for form in (secret, json.dumps(secret)[1:-1]):
            assert form not in written


def at_the_provider(stage, mode):
    """One daemon's life with one fault before its provider; returns what was measured."""
    target = f"provider{mode.name.lower()}"
    stage.account.create("credential", target, Secret("old-password-1!"))
    with Wire(stage.sandbox.http_url) as wire:
        configured(stage, target, provider=wire.address)
        daemon = stage.start()
        settled(stage, target, 1)
        wire.mode = mode
        daemon.send(signal.SIGUSR1)
        opened = patiently(lambda: stage.state(target).attempt, "an attempt is open")
        began = time.monotonic()
        patiently(lambda: stage.state(target).failures, lambda: stage.state(target))
        noticed = time.monotonic() - began
        assert noticed < CALL + LOAD
        assert daemon.code_of("/healthz") == 200
        meets_fault(wire)
        stop = stopped(daemon)
        daemon = stage.start()
        meets_fault(wire)
        assert stage.published(f"sip/{target}").password != opened.staged.password
        assert stage.works(f"sip/{target}")
        wire.mode = Mode.THROUGH
        settled(stage, target, 2)
        assert stage.published(f"sip/{target}").password == opened.staged.password
        stopped(daemon)
        unseen(stage, opened.staged, opened.predecessor)
    return f"{mode.value}: noticed after {noticed:.1f} s, stopped after {stop:.1f} s"


def at_vault(stage, mode):
    """One daemon's life with one fault before its Vault; returns what was measured."""
    target = f"vault{mode.name.lower()}"
    stage.account.create("credential", target, Secret("old-password-1!"))
    with Wire(stage.bao.address) as wire:
        configured(stage, target, vault=wire.address)
        daemon = stage.start()
        settled(stage, target, 1)
        stage.sandbox.faults.plan(fault_named("latency", seconds=1.0), verb="create")
        daemon.send(signal.SIGUSR1)
        opened = patiently(lambda: stage.state(target).attempt, "an attempt is open")
        wire.mode = mode
        began = time.monotonic()
        patiently(lambda: [run for run in runs(daemon) if run["outcome"] == "vault"], "a look fails for want of Vault")
        noticed = time.monotonic() - began
        assert noticed < VAULT_CALL + LOAD
        assert daemon.code_of("/healthz") == 200
        wire.mode = Mode.THROUGH
        settled(stage, target, 2)
        assert stage.published(f"sip/{target}").password == opened.staged.password
        wire.mode = mode
        meets_fault(wire)
        stop = stopped(daemon)
        look = max(run["seconds"] for run in runs(daemon))
        assert look < VAULT_CALL + LOAD
        waiting = stage.start()
        waiting.wait_for("waiting for Vault")
        meets_fault(wire)
        stop_waiting = stopped(waiting)
        wire.mode = Mode.THROUGH
        daemon = stage.start()
        daemon.wait_for("started")
        settled(stage, target, 2)
        stopped(daemon)
        unseen(stage, opened.staged, opened.predecessor)
    stops = f"stopped after {stop:.1f} s, at its start after {stop_waiting:.1f} s"
    return f"{mode.value}: noticed after {noticed:.1f} s, the longest look took {look:.1f} s, {stops}"


@pytest.mark.timeout(600)
@pytest.mark.parametrize("life", [at_the_provider, at_vault])
def test_nothing_hangs_a_stop_is_in_time_and_all_comes_right_again(grounds, tally, life):
    with ThreadPoolExecutor(len(grounds)) as pool:
        lives = {mode: pool.submit(life, stage, mode) for mode, stage in grounds.items()}
    for mode, done in lives.items():
        tally("vobiz (process)", "replace", f"network {life.__name__}: {mode.name.lower()}")
        print(life.__name__, done.result())
