"""`rotator demo`: the real daemon rotates at simulated providers into a real OpenBao, with seconds instead of days.

Nothing in it is played but the providers and the devices: the daemon is `rotator run` in a process of its own, the
operator's commands are `rotator rotate` and `rotator undo`, and the figures at the end are measured from outside.
"""

import socket
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Event

from rotator.core.secret import Secret
from rotator.ports import Clock, Randomness, StoreUnavailable
from rotator.vault.auth import AppRole
from rotator.vault.store import VaultStore
from rotator_simulator.account import Propagation
from rotator_simulator.clients.sip_device import Consumer, Fleet, Given, Habits
from rotator_simulator.demo.environment import Site, write_configuration
from rotator_simulator.demo.evidence import Documents, command_lines, distinct, page, passwords_of
from rotator_simulator.demo.processes import DaemonProcess, Operator
from rotator_simulator.demo.report import Figures, search
from rotator_simulator.demo.scenarios import Script
from rotator_simulator.demo.targets import ROWS, Pace, Role, Row
from rotator_simulator.demo.timeline import Line, Story, Tone
from rotator_simulator.registrar import Manner

_TICK = 0.1  # seconds between two looks at what happened
_FIRST_WITHIN = 20.0  # seconds for the first rotation of every target
_PROCESSES_EVERY = 10  # ticks between two looks at the process list
_DAEMON = {
    "poll": "1s",
    "workers": 8,
    "backoff": {"base": "1s", "cap": "2s"},
    "retirements_per_minute": 1000,
}
_PACE = Pace(every=9, overlap=4, quarantine=5)
# What is promised to the devices stands here, apart from the policy, so that a policy can break the promise.
_HABITS = Habits(interval=0.5, refresh=1.5, retry=0.2, patience=4.0, overlap=4.0)
# The SIP side follows the API a little later, as it does in life.
_MANNER = Manner(propagation=Propagation(old=0.3, new=0.3))


@dataclass(frozen=True, slots=True)
class Production:
    """How the demo is staged. The defaults are what `rotator demo` plays."""

    seconds: float = 40.0
    rows: tuple[Row, ...] = ROWS
    pace: Pace = _PACE
    habits: Habits = _HABITS
    manner: Manner = _MANNER


Tell = Callable[[Line], None]


class DemoError(Exception):
    """It could not be played; the message says what the daemon said last."""


class Demo:
    """One performance."""

    def __init__(self, production: Production, clock: Clock, randomness: Randomness, stop: Event, tell: Tell) -> None:
        """Prepares it; `tell` shows a line as it happens, `stop` ends the performance early."""
        self._production, self._clock, self._randomness = production, clock, randomness
        self._stop, self._tell = stop, tell
        self._told: list[str] = []
        self._processes: set[str] = set()
        self._fleets: tuple[Fleet, ...] = ()
        self._exit = ExitStack()

    def run(self) -> Figures | None:
        """Plays it and returns what was measured; None where it was stopped. Leaves no process and no file behind.

        Raises:
            EmbeddedError: OpenBao is not installed, or does not start.
            DemoError: the daemon did not start.
        """
        with ExitStack() as self._exit:
            self._began, self._began_at = self._clock.monotonic(), self._clock.now()
            self._begin()
            self._play()
            if self._stop.is_set():
                return None
            if not self._fleets:
                last = (self._folder / "daemon.log").read_text(errors="replace").strip().splitlines()[-3:]
                raise DemoError("\n".join(["the daemon ended at its start:", *last]))
            return self._measured()

    def _begin(self) -> None:
        self._scene("starting", "OpenBao in memory, the simulated providers, the daemon")
        production = self._production
        self._folder = Path(self._exit.enter_context(tempfile.TemporaryDirectory(prefix="rotator-demo-")))
        site = Site(self._clock, self._randomness, rows=production.rows, manner=production.manner)
        self._site = self._exit.enter_context(site)
        self._config, self._listen = self._folder / "config.yaml", f"127.0.0.1:{_free_port()}"
        document = self._site.configuration(production.pace)
        document["daemon"] = {"listen": self._listen, **_DAEMON}
        document["log"] = {"level": "debug", "format": "json"}
        document["audit"] = {"file": str(self._folder / "audit.jsonl")}
        write_configuration(self._config, document)
        self._roles = tuple(role for row in production.rows for role in row.roles)
        accounts = self._site.accounts.values()
        self._story = Story(self._folder / "audit.jsonl", accounts, self._roles, self._began_at)
        environment = self._site.environment()
        self._daemon = DaemonProcess(self._config, self._folder / "daemon.log", environment)
        self._exit.callback(self._daemon.stop)
        operator = Operator(self._config, self._folder / "operator.log", environment)
        self._exit.callback(operator.stop)
        self._script = Script(self._site, self._story, self._daemon, operator, self._elapsed, self._show)

    def _play(self) -> None:
        """Goes on until the time is up, counted from the moment when the devices are plugged in."""
        end, ticks = float("inf"), 0
        while self._elapsed() < end and self._daemon.running() and not self._stop.is_set():
            self._clock.sleep(_TICK)
            for line in self._story.news():
                self._show(line)
            self._script.step()
            if not self._fleets and (self._ready() or self._elapsed() > _FIRST_WITHIN):
                self._plug_in()
                end = self._elapsed() + self._production.seconds
            if ticks % _PROCESSES_EVERY == 0:
                self._processes |= command_lines()
            ticks += 1

    def _ready(self) -> bool:
        return all(self._story.published(role.name) for role in self._roles)

    def _plug_in(self) -> None:
        """Starts the devices: they read what is published under the consumer's login, and nothing else."""
        assert self._site.vault is not None  # noqa: S101  # the demo's site has one
        client, store = self._site.store(self._site.vault.consumer_login())
        self._exit.callback(client.close)
        habits = self._production.habits
        without = replace(habits, overlap=None)
        overlapping: list[Consumer] = []
        others: list[Consumer] = []
        for row in self._production.rows:
            for role in row.roles:
                made = self._devices(row, role, store, habits if role.overlaps else without)
                (overlapping if role.overlaps else others).extend(made)
        self._fleets = (Fleet(overlapping, self._clock, threads=2), Fleet(others, self._clock, threads=2))
        for fleet in self._fleets:
            fleet.start()
            self._exit.callback(fleet.stop)
        number = len(overlapping) + len(others)
        self._scene(
            "plugged in", f"{number} phones and API clients, which log in every {habits.interval:g} s from now on"
        )

    def _devices(self, row: Row, role: Role, store: VaultStore, habits: Habits) -> Iterator[Consumer]:
        def read() -> Given:
            document = store.read_consumer(role.path)
            if document.username is None or document.password is None:
                raise StoreUnavailable("nothing is published yet")
            return Given(document.username, document.password, domain="")

        for number in range(1, role.devices + 1):
            device = row.plug(f"{role.name}-{number}", read, self._site.place(), self._clock, habits)
            self._exit.callback(device.close)
            yield device

    def _measured(self) -> Figures:
        assert self._site.vault is not None  # noqa: S101  # the demo's site has one
        self._scene("ending", "the devices are unplugged, the daemon is stopped, everything is counted")
        seconds = self._elapsed()
        overlapping, others = (fleet.report() for fleet in self._unplugged())
        pages = {name: page(f"http://{self._listen}/{name}") for name in ("metrics", "status")}
        daemon_ended = not self._daemon.running()
        self._daemon.stop()
        for line in self._story.news():
            self._show(line)
        login = self._site.vault.rotator_login()
        documents = Documents(self._site, login)
        return Figures(
            seconds=seconds,
            rotations=documents.rotations(self._production.rows),
            never_rotated=documents.never_rotated(self._production.rows),
            overlapping=overlapping,
            others=others,
            patience=self._production.habits.patience,
            left=documents.left(self._site),
            search=search({**self._texts(), **pages}, self._secrets(documents, login)),
            scenes=self._script.outcome(),
            daemon_ended=daemon_ended,
        )

    def _unplugged(self) -> tuple[Fleet, ...]:
        for fleet in self._fleets:
            fleet.stop()
        return self._fleets

    def _texts(self) -> dict[str, str]:
        """Everything that was written while it ran, but for files that are there to keep secrets."""
        assert self._site.vault is not None  # noqa: S101  # the demo's site has one
        files = {
            "the daemon's log at level debug": self._folder / "daemon.log",
            "the audit": self._folder / "audit.jsonl",
            "the operator's terminal": self._folder / "operator.log",
            "the configuration": self._config,
            "OpenBao's log": self._site.vault.log_file,
        }
        found = {name: file.read_text(errors="replace") if file.exists() else "" for name, file in files.items()}
        return {**found, "process lists": "\n".join(self._processes), "this output": "\n".join(self._told)}

    def _secrets(self, documents: Documents, login: AppRole) -> list[Secret]:
        assert self._site.vault is not None  # noqa: S101  # the demo's site has one
        accounts = self._site.accounts.values()
        passwords = [password for account in accounts for password in passwords_of(account)]
        keys = [*(account.token for account in accounts), login.secret_id, self._site.vault.root_token]
        return distinct([*passwords, *documents.passwords(), *keys, self._site.vault.consumer_login().secret_id])

    def _elapsed(self) -> float:
        return self._clock.monotonic() - self._began

    def _scene(self, what: str, detail: str) -> None:
        self._show(Line(self._elapsed(), "", what, detail, Tone.SCENE))

    def _show(self, line: Line) -> None:
        self._told.append(str(line))
        self._tell(line)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
