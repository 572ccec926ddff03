"""The run of `rotator demo`: the real daemon rotates at simulated providers into a real OpenBao, in seconds.

Only the providers and the devices are simulated. The daemon is `rotator run` in its own process, the commands are
`rotator rotate` and `rotator undo`, and the figures at the end are measured from outside.
"""

import socket
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Event

from rotator.ports import Clock, Randomness, StoreUnavailable
from rotator.vault.store import VaultStore
from rotator_simulator.account import Propagation
from rotator_simulator.demo.measure import VaultDocuments, all_secrets, command_lines, page
from rotator_simulator.demo.processes import CommandRunner, DaemonProcess
from rotator_simulator.demo.report import Measurements, search
from rotator_simulator.demo.scenarios import Scenarios
from rotator_simulator.demo.timeline import LineStyle, Timeline, TimelineEntry
from rotator_simulator.devices.device import Device, DeviceTiming, PublishedCredential
from rotator_simulator.devices.fleet import Fleet
from rotator_simulator.environment import PolicyTimes, SimulatedEnvironment, write_configuration
from rotator_simulator.registrar import RegistrarOptions
from rotator_simulator.simulation import SimulatedTarget

_TICK = 0.1  # seconds between two checks for events
_FIRST_WITHIN = 20.0  # seconds for the first rotation of every target
_TO_REPAIR = 12.0  # seconds to the next rotation by schedule, and for it
_PAGES = ("metrics", "status", "", "targets", "targets/office-phone", "accounts")
_PROCESSES_EVERY = 10  # ticks between two readings of the process list
_DAEMON = {
    "poll": "1s",
    "workers": 8,
    "backoff": {"base": "1s", "cap": "2s"},
    "retirements_per_minute": 1000,
}


_TIMES = PolicyTimes(every=9, overlap=4, quarantine=5)
# The overlap promised to devices is stated here and not taken from the policy, since a policy can break the promise.
_TIMING = DeviceTiming(interval=0.5, refresh=1.5, retry=0.2, patience=4.0, overlap=4.0)
# Like a real registrar, the simulated one lags a little behind the API.
_REGISTRAR = RegistrarOptions(propagation=Propagation(old=0.3, new=0.3))


@dataclass(frozen=True, slots=True)
class DemoOptions:
    """The parameters of the demo. The tests break promises with other values."""

    seconds: float = 40.0
    times: PolicyTimes = _TIMES
    timing: DeviceTiming = _TIMING


class DemoError(Exception):
    """The daemon did not start; the message contains its last lines."""


class Demo:
    """One run."""

    def __init__(
        self,
        options: DemoOptions,
        clock: Clock,
        randomness: Randomness,
        stop: Event,
        show: Callable[[TimelineEntry], None],
    ) -> None:
        """Prepares the run; `show` prints an entry as it happens, `stop` ends the run early."""
        self._options, self._clock = options, clock
        self._stop, self._print = stop, show
        self._environment = SimulatedEnvironment(clock, randomness, registrar_options=_REGISTRAR)
        self._lines: list[str] = []
        self._processes: set[str] = set()
        self._fleets: tuple[Fleet, ...] = ()
        self._exit = ExitStack()

    def run(self) -> Measurements | None:
        """Returns the measurements, or None if it was stopped. Leaves no process and no file behind.

        Raises:
            EmbeddedError: OpenBao is not installed, or does not start.
            DemoError: the daemon did not start.
        """
        with ExitStack() as self._exit:
            self._start()
            self._watch()
            if self._stop.is_set():
                return None
            if not self._fleets:
                last = (self._folder / "daemon.log").read_text(errors="replace").strip().splitlines()[-3:]
                raise DemoError("\n".join(["the daemon ended at its start:", *last]))
            return self._measure()

    def _start(self) -> None:
        self._began, began = self._clock.monotonic(), self._clock.now()
        self._announce("starting", "OpenBao in memory, the simulated providers, the daemon")
        self._folder = Path(self._exit.enter_context(tempfile.TemporaryDirectory(prefix="rotator-demo-")))
        environment = self._exit.enter_context(self._environment)
        config, audit, self._listen = self._folder / "config.yaml", self._folder / "audit.jsonl", _free_address()
        document = environment.configuration(self._options.times)
        document["daemon"] = {"http": {"listen": self._listen, "probes": "127.0.0.1:0"}, **_DAEMON}
        document["log"] = {"level": "debug", "format": "json"}
        document["audit"] = {"file": str(audit)}
        write_configuration(config, document)
        self._timeline = Timeline(audit, environment, began)
        self._daemon = DaemonProcess(config, self._folder / "daemon.log", environment.secrets())
        self._exit.callback(self._daemon.stop)
        self._announce("page", f"http://{self._listen}/ shows all of it in a browser, until the demo ends")
        commands = CommandRunner(config, self._folder / "commands.log", environment.secrets())
        self._exit.callback(commands.stop)
        self._scenarios = Scenarios(
            environment,
            self._timeline,
            self._daemon,
            commands,
            self._elapsed,
            self._show,
            damage_until=self._options.seconds - _TO_REPAIR,
        )

    def _watch(self) -> None:
        """Shows events until the duration has passed since the devices started."""
        end, ticks = float("inf"), 0
        while self._elapsed() < end and self._daemon.running() and not self._stop.is_set():
            self._clock.sleep(_TICK)
            self._show_new_entries()
            self._scenarios.step()
            all_published = all(self._timeline.published(target.name) for target in self._environment.targets)
            if not self._fleets and (all_published or self._elapsed() > _FIRST_WITHIN):
                self._start_devices()
                end = self._elapsed() + self._options.seconds
            if ticks % _PROCESSES_EVERY == 0:
                self._processes |= command_lines()
            ticks += 1

    def _start_devices(self) -> None:
        """Starts the devices. They log in to Vault as consumers, which may read only what is published."""
        client, store = self._environment.store(self._environment.device_login)
        self._exit.callback(client.close)
        overlapping: list[Device] = []
        others: list[Device] = []
        for target in self._environment.targets:
            (overlapping if target.overlaps else others).extend(self._devices(target, store))
        self._fleets = (Fleet(overlapping, self._clock, threads=2), Fleet(others, self._clock, threads=2))
        for fleet in self._fleets:
            fleet.start()
            self._exit.callback(fleet.stop)
        number, interval = len(overlapping) + len(others), self._options.timing.interval
        self._announce("devices", f"{number} phones and API clients log in every {interval:g} s from now on")

    def _devices(self, target: SimulatedTarget, store: VaultStore) -> list[Device]:
        def read() -> PublishedCredential:
            document = store.read_consumer(target.path)
            if document.username is None or document.password is None:
                raise StoreUnavailable("nothing is published yet")
            return PublishedCredential(document.username, document.password, domain="")

        create, addresses = self._environment.simulation_of(target.name).device, self._environment.addresses
        timing = self._options.timing if target.overlaps else replace(self._options.timing, overlap=None)
        if target.late:
            timing = replace(timing, refresh=self._options.seconds)
        names = [f"{target.name}-{number + 1}" for number in range(target.devices)]
        devices = [create(name, read, addresses, self._clock, timing) for name in names]
        for device in devices:
            self._exit.callback(device.close)
        return devices

    def _measure(self) -> Measurements:
        self._announce("stopping", "the devices and the daemon, to count everything")
        seconds = self._elapsed()
        for fleet in self._fleets:
            fleet.stop()
        overlapping, others = (fleet.report() for fleet in self._fleets)
        pages = {f"/{name}": page(f"http://{self._listen}/{name}") for name in _PAGES}
        daemon_ended = not self._daemon.running()
        self._daemon.stop()
        self._show_new_entries()
        documents = VaultDocuments(self._environment)
        return Measurements(
            seconds=seconds,
            rotations=documents.rotations(),
            undone=documents.undone(),
            retried=documents.retried(),
            never_rotated=documents.never_rotated(),
            overlapping=overlapping,
            others=others,
            patience=self._options.timing.patience,
            credentials=documents.compare(),
            search=search({**self._texts(), **pages}, all_secrets(self._environment, documents)),
            scenarios=self._scenarios.results(),
            daemon_ended=daemon_ended,
        )

    def _texts(self) -> dict[str, str]:
        """Returns everything that was written during the run, except files that must contain secrets."""
        files = {
            "the daemon's log at level debug": self._folder / "daemon.log",
            "the audit": self._folder / "audit.jsonl",
            "the output of the commands": self._folder / "commands.log",
            "the configuration": self._folder / "config.yaml",
            "OpenBao's log": self._environment.vault.log_file,
        }
        texts = {name: file.read_text(errors="replace") if file.exists() else "" for name, file in files.items()}
        return {**texts, "process lists": "\n".join(self._processes), "this output": "\n".join(self._lines)}

    def _elapsed(self) -> float:
        return self._clock.monotonic() - self._began

    def _announce(self, event: str, detail: str) -> None:
        self._show(TimelineEntry(self._elapsed(), "", event, detail, LineStyle.DEMO))

    def _show_new_entries(self) -> None:
        for entry in self._timeline.new_entries():
            self._show(entry)

    def _show(self, entry: TimelineEntry) -> None:
        self._lines.append(str(entry))
        self._print(entry)


def _free_address() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{probe.getsockname()[1]}"
