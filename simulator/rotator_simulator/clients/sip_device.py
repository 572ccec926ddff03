"""Simulated consumers: they read what Vault publishes, log in with it, and measure whether they were cut off.

A consumer behaves as a telephone that a provisioning server feeds: it keeps the credential that it has, asks for a
newer one from time to time, logs in again and again, and asks at once when it is refused. How it logs in is up to its
kind: a `Device` registers by SIP.
"""

import heapq
import itertools
import logging
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Protocol

from rotator.core.secret import Secret
from rotator.fields.network import HostPort
from rotator.ports import Clock, StoreError
from rotator.providers.sip.register import register

_LOG = logging.getLogger("rotator_simulator")
_NAP = 0.2  # seconds after which an idle worker looks whether it is to stop


@dataclass(frozen=True, slots=True)
class Given:
    """What a device finds in its consumer document."""

    username: str
    password: Secret
    domain: str  # the SIP domain; the realm is taken from the challenge


Read = Callable[[], Given]
"""Reads a device's consumer document. Raises StoreError where it cannot, also where there is none yet."""


@dataclass(frozen=True, slots=True)
class Habits:
    """How a device behaves. All lengths are in seconds."""

    interval: float = 1.0  # between logins
    refresh: float = 5.0  # between looks into Vault
    retry: float = 0.2  # between tries while it is refused or unanswered
    patience: float = 2.0  # a refusal that lasts longer than this, Vault read again, is a cut-off
    overlap: float | None = None  # promised to this device's target; None: no overlap (`in-place`)
    timeout: float = 2.0  # of one login
    expires: int = 60  # how long each registration by SIP is wanted


@dataclass(frozen=True, slots=True)
class Report:
    """What a device measured since it was made."""

    tried: int = 0
    accepted: int = 0
    refused: int = 0
    unanswered: int = 0  # no definite answer: silence, a server error
    unread: int = 0  # looks into Vault that failed
    longest_gap: float = 0.0  # seconds from the first failed registration (or the first look) to the next accepted one
    cut_off: tuple[str, ...] = ()  # each time it was cut off, in words


class Login(Protocol):
    """What came of one try to log in. Neither accepted nor refused: no definite answer."""

    @property
    def authenticated(self) -> bool:
        """It was let in."""
        ...

    @property
    def refused(self) -> bool:
        """It was turned away because of its credential."""
        ...

    @property
    def reason(self) -> str:
        """In words, without a value."""
        ...


class Consumer(ABC):
    """One consumer. Not thread-safe: one thread at a time calls `step`; `report` may be called from any."""

    def __init__(self, name: str, read: Read, clock: Clock, habits: Habits | None = None) -> None:
        """Makes it; it does nothing until its first `step`."""
        self.name = name
        self._read = read
        self._clock = clock
        self._habits = habits or Habits()
        self._held: Given | None = None
        self._held_since = 0.0  # when the look into Vault began that last showed what is held
        self._next_look = 0.0
        self._next_try = 0.0
        self._down_since: float | None = None
        self._refused_since: float | None = None
        self._report = Report()
        self._started = False

    def step(self) -> float:
        """Does what is due now; returns the moment on the monotonic clock at which to call again."""
        now = self._clock.monotonic()
        if not self._started:
            self._started = True
            self._down_since = self._next_look = self._next_try = now
        if now >= self._next_look:
            self._look()
        if now >= self._next_try:
            self._keep_logged_in()
        return min(self._next_look, self._next_try)

    def close(self) -> None:  # noqa: B027 - most kinds hold nothing
        """Frees what it holds, once nobody calls `step` any more."""

    def report(self) -> Report:
        """What it measured until now, a gap or a refusal that still lasts included."""
        now = self._clock.monotonic()
        report, down, refused = self._report, self._down_since, self._refused_since
        if down is not None:
            report = replace(report, longest_gap=max(report.longest_gap, now - down))
        if refused is not None and now - refused > self._habits.patience:
            report = replace(report, cut_off=(*report.cut_off, f"refused for {now - refused:.1f} s and still so"))
        return report

    def _look(self) -> None:
        began = self._clock.monotonic()
        self._next_look = began + self._habits.refresh
        try:
            self._held = self._read()
        except StoreError:
            self._report = replace(self._report, unread=self._report.unread + 1)
            if self._held is None:
                self._next_look = began + self._habits.retry
            return
        self._held_since = began

    def _keep_logged_in(self) -> None:
        result = self._try()
        if result is not None and result.refused:
            self._look()
            result = self._try()
        healthy = result is not None and result.authenticated
        pause = self._habits.interval if healthy else self._habits.retry
        self._next_try = self._clock.monotonic() + pause

    def _try(self) -> Login | None:
        if self._held is None:
            return None
        result = self._log_in(self._held, self._habits)
        self._count(result)
        return result

    @abstractmethod
    def _log_in(self, held: Given, habits: Habits) -> Login:
        """Logs in once, within `habits.timeout`."""

    def _count(self, result: Login) -> None:
        now, report = self._clock.monotonic(), self._report
        report = replace(report, tried=report.tried + 1)
        if result.authenticated:
            report = self._recovered(now, replace(report, accepted=report.accepted + 1))
        else:
            self._down_since = now if self._down_since is None else self._down_since
            if result.refused:
                report = self._refused(now, replace(report, refused=report.refused + 1))
            else:
                report = replace(report, unanswered=report.unanswered + 1)
            _LOG.debug("consumer %s: %s", self.name, result.reason)
        self._report = report

    def _recovered(self, now: float, report: Report) -> Report:
        if self._down_since is not None:
            report = replace(report, longest_gap=max(report.longest_gap, now - self._down_since))
        if self._refused_since is not None and now - self._refused_since > self._habits.patience:
            report = replace(report, cut_off=(*report.cut_off, f"refused for {now - self._refused_since:.1f} s"))
        self._down_since = self._refused_since = None
        return report

    def _refused(self, now: float, report: Report) -> Report:
        self._refused_since = now if self._refused_since is None else self._refused_since
        age, overlap = now - self._held_since, self._habits.overlap
        # It was published when the look began or later, so it is owed at least `overlap` from that moment on; that
        # the answer is here within it shows the breach without doubt.
        if overlap is not None and age < overlap:
            why = f"refused {age:.1f} s after Vault published it, within the overlap of {overlap:g} s"
            return replace(report, cut_off=(*report.cut_off, why))
        return report


class Device(Consumer):
    """One telephone: it registers."""

    def __init__(self, name: str, read: Read, registrar: HostPort, clock: Clock, habits: Habits | None = None) -> None:
        """Makes it; it does nothing until its first `step`."""
        super().__init__(name, read, clock, habits)
        self._registrar = registrar

    def _log_in(self, held: Given, habits: Habits) -> Login:
        return register(
            self._registrar,
            held.username,
            held.password,
            clock=self._clock,
            domain=held.domain or None,
            contact=f"sip:{self.name}@device.invalid",
            expires=habits.expires,
            timeout=habits.timeout,
        )


@dataclass(frozen=True, slots=True)
class FleetReport:
    """The sum over a fleet."""

    devices: int
    tried: int
    accepted: int
    refused: int
    unanswered: int
    unread: int
    longest_gap: float  # of the worst device, in seconds
    silent: tuple[str, ...]  # devices that were never registered
    cut_off: tuple[str, ...]  # `name: what happened`


class Fleet:
    """Many devices on few threads: each worker takes the device that is due next."""

    def __init__(self, devices: Iterable[Consumer], clock: Clock, threads: int = 4) -> None:
        """Makes the fleet; `threads` bounds how many devices register at the same moment."""
        self._devices = tuple(devices)
        self._clock = clock
        self._order = itertools.count()
        self._due = [(0.0, next(self._order), device) for device in self._devices]
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._stopped: list[str] = []
        self._threads = [threading.Thread(target=self._work, name=f"sandbox-devices-{n}") for n in range(threads)]

    def start(self) -> None:
        """Starts the workers."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Stops them; a registration that is under way ends first."""
        self._stopping.set()
        for thread in self._threads:
            thread.join()

    def reports(self) -> dict[str, Report]:
        """What each device measured until now."""
        return {device.name: device.report() for device in self._devices}

    def report(self) -> FleetReport:
        """The sum."""
        found = self.reports()
        return FleetReport(
            devices=len(found),
            tried=sum(report.tried for report in found.values()),
            accepted=sum(report.accepted for report in found.values()),
            refused=sum(report.refused for report in found.values()),
            unanswered=sum(report.unanswered for report in found.values()),
            unread=sum(report.unread for report in found.values()),
            longest_gap=max((report.longest_gap for report in found.values()), default=0.0),
            silent=tuple(name for name, report in found.items() if not report.accepted),
            cut_off=(*(f"{name}: {why}" for name, r in found.items() for why in r.cut_off), *self._stopped),
        )

    def _work(self) -> None:
        while not self._stopping.is_set():
            device = self._take()
            if device is None:
                continue
            try:
                due = device.step()
            except Exception as error:  # noqa: BLE001 - a device that vanished would count as never cut off
                _LOG.exception("device %s stopped", device.name)
                self._stopped.append(f"{device.name}: stopped by {type(error).__name__}")
                continue
            with self._lock:
                heapq.heappush(self._due, (due, next(self._order), device))

    def _take(self) -> Consumer | None:
        # Sleeps outside the lock, and never long: a device that another worker gives back may be due earlier.
        with self._lock:
            wait = self._due[0][0] - self._clock.monotonic() if self._due else _NAP
            if wait <= 0:
                return heapq.heappop(self._due)[2]
        self._clock.sleep(min(wait, _NAP))
        return None
