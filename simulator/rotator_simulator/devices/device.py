"""The base of all simulated devices: they read the consumer document, log in with it, and measure every cut-off.

A device behaves like a phone with a provisioning server: it keeps its credential, asks for a newer one from time to
time, logs in again and again, and asks at once if it is refused.
"""

import logging
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol

from rotator.core.secret import Secret
from rotator.ports import Clock, StoreError

_LOG = logging.getLogger("rotator_simulator")


@dataclass(frozen=True, slots=True)
class PublishedCredential:
    """The credential in a device's consumer document."""

    username: str
    password: Secret
    domain: str  # the SIP domain; the realm comes from the challenge


ReadPublished = Callable[[], PublishedCredential]
"""Reads a device's consumer document. Raises StoreError if it cannot, or if nothing is published yet."""


@dataclass(frozen=True, slots=True)
class DeviceTiming:
    """The intervals of a device, in seconds."""

    interval: float = 1.0  # between log-ins
    refresh: float = 5.0  # between reads of Vault
    retry: float = 0.2  # between tries while it is refused or gets no answer
    patience: float = 2.0  # a refusal that lasts longer, although Vault was read again, is a cut-off
    overlap: float | None = None  # promised for its target; None: no overlap (`in-place`)
    timeout: float = 2.0  # of one log-in
    expires: int = 60  # requested for each SIP registration


@dataclass(frozen=True, slots=True)
class DeviceReport:
    """The measurements of one device."""

    tried: int = 0
    accepted: int = 0
    refused: int = 0
    unanswered: int = 0  # no definite answer: silence, a server error
    failed_reads: int = 0  # of Vault
    longest_gap: float = 0.0  # seconds from the first failed log-in (or the first read) to the next accepted one
    cut_off: tuple[str, ...] = ()  # a description of each cut-off


class LoginResult(Protocol):
    """The result of one log-in. Neither authenticated nor refused: no definite answer."""

    @property
    def authenticated(self) -> bool:
        """True if it was accepted."""
        ...

    @property
    def refused(self) -> bool:
        """True if it was refused because of the credential."""
        ...

    @property
    def reason(self) -> str:
        """A description without any secret."""
        ...


class Device(ABC):
    """One device. Not thread-safe: one thread at a time calls `step`; any thread may call `report`."""

    def __init__(self, name: str, read: ReadPublished, clock: Clock, timing: DeviceTiming | None = None) -> None:
        """Does nothing until the first `step`."""
        self.name = name
        self._read = read
        self._clock = clock
        self._timing = timing or DeviceTiming()
        self._credential: PublishedCredential | None = None
        self._read_at = 0.0  # when the last successful read of Vault began
        self._next_read = 0.0
        self._next_try = 0.0
        self._down_since: float | None = None
        self._refused_since: float | None = None
        self._report = DeviceReport()
        self._started = False

    def step(self) -> float:
        """Does what is due now, and returns the moment of the next call on the monotonic clock."""
        now = self._clock.monotonic()
        if not self._started:
            self._started = True
            self._down_since = self._next_read = self._next_try = now
        if now >= self._next_read:
            self._read_vault()
        if now >= self._next_try:
            self._keep_logged_in()
        return min(self._next_read, self._next_try)

    def close(self) -> None:  # noqa: B027 - most kinds have nothing to free
        """Frees its resources, after the last `step`."""

    def report(self) -> DeviceReport:
        """Returns the measurements so far, including a gap or refusal that still lasts."""
        now = self._clock.monotonic()
        report, down, refused = self._report, self._down_since, self._refused_since
        if down is not None:
            report = replace(report, longest_gap=max(report.longest_gap, now - down))
        if refused is not None and now - refused > self._timing.patience:
            report = replace(report, cut_off=(*report.cut_off, f"refused for {now - refused:.1f} s and still so"))
        return report

    def _read_vault(self) -> None:
        began = self._clock.monotonic()
        self._next_read = began + self._timing.refresh
        try:
            self._credential = self._read()
        except StoreError:
            self._report = replace(self._report, failed_reads=self._report.failed_reads + 1)
            if self._credential is None:
                self._next_read = began + self._timing.retry
            return
        self._read_at = began

    def _keep_logged_in(self) -> None:
        result = self._try()
        if result is not None and result.refused:
            self._read_vault()
            result = self._try()
        healthy = result is not None and result.authenticated
        pause = self._timing.interval if healthy else self._timing.retry
        self._next_try = self._clock.monotonic() + pause

    def _try(self) -> LoginResult | None:
        if self._credential is None:
            return None
        result = self._log_in(self._credential)
        self._count(result)
        return result

    @abstractmethod
    def _log_in(self, credential: PublishedCredential) -> LoginResult:
        """Logs in once, within the timeout."""

    def _count(self, result: LoginResult) -> None:
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
            _LOG.debug("device %s: %s", self.name, result.reason)
        self._report = report

    def _recovered(self, now: float, report: DeviceReport) -> DeviceReport:
        if self._down_since is not None:
            report = replace(report, longest_gap=max(report.longest_gap, now - self._down_since))
        if self._refused_since is not None and now - self._refused_since > self._timing.patience:
            report = replace(report, cut_off=(*report.cut_off, f"refused for {now - self._refused_since:.1f} s"))
        self._down_since = self._refused_since = None
        return report

    def _refused(self, now: float, report: DeviceReport) -> DeviceReport:
        self._refused_since = now if self._refused_since is None else self._refused_since
        age, overlap = now - self._read_at, self._timing.overlap
        # Vault had it when the read began or got it later, so it must be accepted for at least `overlap` from then on.
        if overlap is not None and age < overlap:
            why = f"refused {age:.1f} s after Vault published it, within the overlap of {overlap:g} s"
            return replace(report, cut_off=(*report.cut_off, why))
        return report
