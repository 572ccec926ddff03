"""Runs in which daemons are killed while simulated devices register all the time.

`DaemonRun` is an environment with targets, strangers' credentials beside them, devices, and a record of every password
that crossed the provider's socket. What must hold of a run is in `run_verdict`.
"""

import json
import random
import secrets
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from threading import Event, Lock, Thread
from typing import Any, Self

import psutil
from daemon_environment import ACCOUNT, TOKEN, Daemon, DaemonEnvironment
from polling import eventually
from short_calls import STOP_WITHIN

from rotator.core.model import TargetState
from rotator.core.secret import Secret
from rotator.daemon.clock import SystemClock
from rotator.engine import Limits
from rotator.ports import StoreError, StoreUnavailable
from rotator_simulator.account import Propagation, SimulatedAccount
from rotator_simulator.devices.device import DeviceTiming, PublishedCredential
from rotator_simulator.devices.fleet import Fleet
from rotator_simulator.devices.sip_phone import SipPhone
from rotator_simulator.faults import fault_named
from rotator_simulator.http_server import RecordedExchange
from rotator_simulator.providers.vobiz.api import KIND, VobizApi
from rotator_simulator.registrar import RegistrarOptions
from rotator_simulator.server import SimulatorServer

CLAIM = Limits().claim.total_seconds()
LOAD = 57.0  # seconds that a machine with other work to do may add
STRATEGIES = ("replace", "alternating", "in-place")
_HISTORY = 5000  # versions of a consumer document that are kept, so that the whole run can be read afterwards


@dataclass(frozen=True)
class RunPolicy:
    """The one policy of a run, in seconds."""

    every: float = 7.0
    overlap: float = 3.0
    quarantine: float = 1.0

    def configured(self) -> dict[str, str]:
        return {name: f"{seconds:g}s" for name, seconds in vars(self).items()}


@dataclass(frozen=True)
class RunTarget:
    """One target of a run."""

    name: str
    strategy: str

    @property
    def path(self) -> str:
        return f"sip/{self.name}"

    @property
    def base(self) -> str:
        """What the usernames of its credentials begin with."""
        return self.name.replace("-", "")

    @property
    def usernames(self) -> tuple[str, ...]:
        return (self.base + "a", self.base + "b") if self.strategy == "alternating" else (self.base,)

    @property
    def overlaps(self) -> bool:
        return self.strategy != "in-place"

    def owns(self, username: str) -> bool:
        """True where a credential of this username is this target's; `replace` appends eight characters."""
        return username in self.usernames or (self.strategy == "replace" and username[:-8] == self.base)

    def configured(self) -> dict[str, Any]:
        names = list(self.usernames)
        credential = {"usernames": names} if self.strategy == "alternating" else {"username": names[0]}
        return {"name": self.name, "strategy": self.strategy, "credential": credential, "path": self.path}


def run_targets(prefix: str, each: int, strategies: tuple[str, ...] = STRATEGIES) -> list[RunTarget]:
    """`each` targets of each strategy."""
    return [
        RunTarget(f"{prefix}-{strategy[0]}{number:02d}", strategy) for number in range(each) for strategy in strategies
    ]


class PasswordRecorder:
    """Every password that was sent to the provider, in order, by the username that it was for."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, str]] = []  # id or username, password
        self._lock = Lock()

    def __call__(self, seen: RecordedExchange) -> None:
        if seen.method in {"POST", "PUT"} and b'"password"' in seen.body:
            body = json.loads(seen.body)
            of = body.get("username") or seen.path.rstrip("/").rpartition("/")[2]
            with self._lock:
                self.sent.append((of, body["password"]))


class DaemonRun:
    """An environment, its targets, its devices, and all that is recorded of a run."""

    def __init__(
        self,
        environment: DaemonEnvironment,
        recorder: PasswordRecorder,
        targets: list[RunTarget],
        policy: RunPolicy,
        standby_lag: float,
    ) -> None:
        self.environment, self.recorder, self.targets, self.policy = environment, recorder, targets, policy
        self.account: SimulatedAccount = environment.account
        self.initial: set[str] = set()
        self.scraped: list[str] = []
        self.interrupted: Counter[str] = Counter()  # what was under way at each kill, by how far it had come
        self.kills = 0
        self.strangers = {self._credential(f"stranger{number}") for number in range(3)}
        for target in targets:
            for username in target.usernames:
                self._credential(username)
            environment.bao.call("POST", f"secret/metadata/{target.path}", {"max_versions": _HISTORY})
        clock = SystemClock(Event())
        devices = [self._device(target, number, clock, standby_lag) for target in targets for number in range(2)]
        self.fleet = Fleet(devices, clock, threads=6)

    def _credential(self, username: str) -> str:
        password = f"{secrets.token_hex(8)}~A1"
        self.initial.add(password)
        return self.account.create(KIND, username, Secret(password)).id

    def _device(self, target: RunTarget, number: int, clock: SystemClock, standby_lag: float) -> SipPhone:
        def read() -> PublishedCredential:
            found = self.environment.consumer_document(target.path)
            if not found.exists:
                raise StoreError("not published yet")
            return PublishedCredential(found.username, found.password, "")

        # In place there is no overlap by nature, and a kill between the two steps is healed when the claim ends.
        timing = DeviceTiming(
            interval=0.4,
            refresh=1.0,
            patience=(self.policy.overlap if target.overlaps else 3 * CLAIM) + LOAD,
            overlap=self.policy.overlap - standby_lag if target.overlaps else None,
        )
        return SipPhone(f"{target.name}-{number}", read, self.environment.sandbox.sip_address, clock, timing)

    def configure(self, **changes: Any) -> Path:
        """A schedule of seconds, in which everything that is due comes by itself."""
        daemon = {
            "stop_within": f"{STOP_WITHIN:g}s",
            "workers": 4,
            "retirements_per_minute": 10000,
            **changes.pop("daemon", {}),
        }
        targets = [target.configured() for target in self.targets]
        return self.environment.configure(
            targets, policies={"fast": self.policy.configured()}, daemon=daemon, **changes
        )

    def slow_provider(self, seed: int) -> None:
        """Makes each call take long enough for a kill to fall into it, before or after it is carried out."""
        for number, fault in enumerate(("latency", "late-answer")):
            delay = fault_named(fault, seconds=0.15)
            self.environment.sandbox.faults.plan(delay, times=None, probability=0.5, seed=seed + number)

    def wait_for_open_attempt(self, daemon: Daemon) -> None:
        """Returns when this daemon has an attempt open; at the latest after the time in which one falls due."""
        holder = daemon.wait_for("started")["holder"]
        end = time.monotonic() + self.policy.every
        while time.monotonic() < end:
            if any(s.attempt is not None and s.claim is not None and s.claim.holder == holder for s in self.states()):
                return
            Event().wait(0.05)

    def kill(self, daemon: Daemon) -> None:
        """SIGKILL, and a note of what it cut through."""
        if daemon.process.poll() is None:
            self.kills += 1
        daemon.process.kill()
        assert daemon.process.wait() == -signal.SIGKILL, daemon.err.read_text()[-2000:]
        for state in self.states():
            if state.claim is not None:
                self.interrupted[state.attempt.phase.value if state.attempt else "retiring"] += 1

    def heal(self, *daemons: Daemon) -> None:
        """These live on, until no claim of a dead one is left and each target was rotated."""
        holders = {daemon.wait_for("started")["holder"] for daemon in daemons}

        def healed() -> bool:
            assert all(daemon.process.poll() is None for daemon in daemons), daemons[-1].err.read_text()[-2000:]
            states = self.states()
            dead = any(state.claim is not None and state.claim.holder not in holders for state in states)
            return not dead and all(state.counts.succeeded for state in states)

        eventually(healed, lambda: [(s.target, s.claim, s.counts, s.last_error) for s in self.states()], CLAIM + 90)
        for daemon in daemons:
            self.scrape(daemon)

    def come_to_rest(self, *daemons: Daemon) -> None:
        """The schedule is made long, so that nothing new begins, and what waits is retired; then they are stopped."""
        for config in self.environment.folder.glob("config*.yaml"):
            every = self.policy.configured()["every"]
            config.write_text(config.read_text().replace(f'"every": "{every}"', '"every": "1h"'))
        for daemon in daemons:
            daemon.send(signal.SIGHUP)
        eventually(self.at_rest, lambda: [s for s in self.states() if s.attempt or s.ledger or s.claim], 90)
        for daemon in daemons:
            self.scrape(daemon)
            assert daemon.stop() == 0

    def at_rest(self) -> bool:
        """True where nothing is open, and nothing waits to be retired or comes by itself within minutes."""
        soon = datetime.now(UTC) + timedelta(minutes=5)
        states = self.states()
        return all(s.next_rotation and s.next_rotation > soon for s in states) and not any(
            s.attempt or s.ledger or s.claim for s in states
        )

    def states(self) -> list[TargetState]:
        """The state documents; a Vault that is away for a moment is waited for."""
        return [
            eventually(partial(self._state, target), f"the state of {target.name}", 120.0) for target in self.targets
        ]

    def _state(self, target: RunTarget) -> TargetState | None:
        with suppress(StoreUnavailable):
            return self.environment.state(target.name)
        return None

    def rotations(self) -> int:
        return sum(state.counts.succeeded for state in self.states())

    def count(self, count_run: Callable[..., None], kind: str) -> None:
        """Puts the run into the table of the proof: one line for each strategy."""
        for target, state in zip(self.targets, self.states(), strict=True):
            count_run("vobiz (process)", target.strategy, kind, state.counts.succeeded)

    def figures(self, **more: Any) -> str:
        """The run in one line."""
        devices = self.fleet.report()
        figures = {
            "rotations": self.rotations(),
            "kills": self.kills,
            "cut through": dict(self.interrupted),
            "logins": devices.accepted,
            "refused": devices.refused,
            "unread": devices.failed_reads,
            **more,
        }
        return ", ".join(f"{name}: {value}" for name, value in figures.items())

    def scrape(self, daemon: Daemon) -> None:
        """Keeps what the endpoint shows and what the process list shows, for the search for secrets."""
        self.scraped += [daemon.get(page) for page in ("/metrics", "/status")]
        self.scraped += [" ".join(process.info["cmdline"] or ()) for process in psutil.process_iter(["cmdline"])]

    def secrets(self) -> set[str]:
        """All that must not be found in anything that was written."""
        known = {TOKEN, self.environment.login.current_secret_id().reveal()}
        return known | self.initial | {password for _, password in self.recorder.sent}


class PublicationWatcher:
    """Looks all the time whether Vault holds what the provider accepts. A thread; `found` says what was wrong."""

    def __init__(self, run: DaemonRun, targets: list[RunTarget]) -> None:
        self._run, self._targets = run, targets
        self._stop = Event()
        self._thread = Thread(target=self._watch, name="watcher")
        self.looks = 0
        self.found: list[str] = []

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._stop.wait(0.1):
            for target in self._targets:
                try:
                    self._look(target)
                except StoreError:
                    continue  # Vault is away, on purpose

    def _look(self, target: RunTarget) -> None:
        environment, account = self._run.environment, self._run.account
        began = time.monotonic()
        before = environment.vault.store.read_state(target.name)
        document = environment.consumer_document(target.path)
        published = document.exists and account.accepts(document.username, document.password)
        took = time.monotonic() - began
        self.looks += 1
        if published or not document.exists:
            return
        if target.overlaps:
            # What was read may have been replaced since, but is owed the overlap from then on.
            if took < self._run.policy.overlap:
                self.found.append(f"{target.name}: what is published is not accepted")
            return
        attempt = before.state.attempt
        password = attempt.staged.password if attempt else None
        in_force = attempt and password is not None and account.accepts(attempt.staged.username, password)
        if not in_force and environment.vault.store.read_state(target.name).version == before.version:
            self.found.append(f"{target.name}: neither what is published nor what is staged is accepted")


@contextmanager
def daemon_run(
    bao: Any,
    folder: Path,
    targets: list[RunTarget],
    *,
    policy: RunPolicy = RunPolicy(),
    standby_lag: float = 0.0,
) -> Iterator[DaemonRun]:
    """A run on these targets, without daemons yet. `standby_lag`: by how much a read of Vault may be stale."""
    clock, recorder = SystemClock(Event()), PasswordRecorder()
    api = VobizApi([SimulatedAccount(ACCOUNT, Secret(TOKEN), clock)], clock)
    with SimulatorServer(
        [api], clock, registrar_options=RegistrarOptions(propagation=Propagation()), observe=recorder
    ) as sandbox:
        environment = DaemonEnvironment(bao, sandbox, folder)
        made = DaemonRun(environment, recorder, targets, policy, standby_lag)
        made.fleet.start()
        try:
            yield made
        finally:
            made.fleet.stop()
            for daemon in environment.daemons:
                daemon.process.kill()
                daemon.process.wait()


def random_pause(random_source: random.Random, least: float, most: float) -> None:
    """Lets a random time pass: it is when the kill comes that is random, not what is waited for."""
    Event().wait(random_source.uniform(least, most))
