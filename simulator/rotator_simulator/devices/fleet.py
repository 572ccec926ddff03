"""Many devices on few threads, and the sum of their measurements."""

import heapq
import itertools
import logging
import threading
from collections.abc import Iterable
from dataclasses import dataclass

from rotator.ports import Clock
from rotator_simulator.devices.device import Device, DeviceReport

_LOG = logging.getLogger("rotator_simulator")
_NAP = 0.2  # seconds after which an idle worker checks whether to stop


@dataclass(frozen=True, slots=True)
class FleetReport:
    """The sum over a fleet."""

    devices: int
    tried: int
    accepted: int
    refused: int
    unanswered: int
    failed_reads: int
    longest_gap: float  # of the worst device, in seconds
    never_accepted: tuple[str, ...]  # devices
    cut_off: tuple[str, ...]  # `name: what happened`


class Fleet:
    """Devices that share a few workers; each worker takes the device that is due next."""

    def __init__(self, devices: Iterable[Device], clock: Clock, threads: int = 4) -> None:
        """Prepares the workers; `threads` limits how many devices log in at the same moment."""
        self._devices = tuple(devices)
        self._clock = clock
        self._order = itertools.count()
        self._due = [(0.0, next(self._order), device) for device in self._devices]
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._stopped: list[str] = []
        self._threads = [threading.Thread(target=self._work, name=f"simulator-devices-{n}") for n in range(threads)]

    def start(self) -> None:
        """Starts the workers."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Stops the workers, each after its current log-in."""
        self._stopping.set()
        for thread in self._threads:
            thread.join()

    def reports(self) -> dict[str, DeviceReport]:
        """Returns the measurements of each device so far."""
        return {device.name: device.report() for device in self._devices}

    def report(self) -> FleetReport:
        """Returns the sum so far."""
        by_name = self.reports()
        reports = by_name.values()
        return FleetReport(
            devices=len(by_name),
            tried=sum(report.tried for report in reports),
            accepted=sum(report.accepted for report in reports),
            refused=sum(report.refused for report in reports),
            unanswered=sum(report.unanswered for report in reports),
            failed_reads=sum(report.failed_reads for report in reports),
            longest_gap=max((report.longest_gap for report in reports), default=0.0),
            never_accepted=tuple(name for name, report in by_name.items() if not report.accepted),
            cut_off=(*(f"{name}: {why}" for name, one in by_name.items() for why in one.cut_off), *self._stopped),
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

    def _take(self) -> Device | None:
        # Sleeps without the lock and only briefly: a device that another worker returns may be due earlier.
        with self._lock:
            wait = self._due[0][0] - self._clock.monotonic() if self._due else _NAP
            if wait <= 0:
                return heapq.heappop(self._due)[2]
        self._clock.sleep(min(wait, _NAP))
        return None
