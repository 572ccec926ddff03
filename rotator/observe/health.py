"""Liveness (restart the process if it fails) and readiness (a configuration is loaded, Vault answers), with reasons.

Liveness does not depend on Vault or on any provider: a restart would not bring them back.
"""

from dataclasses import dataclass
from datetime import timedelta
from threading import Lock

from rotator.ports import Clock

BEAT = timedelta(minutes=3)  # the longest pause of the scheduler's loop; one request to a very slow Vault takes two
LOOK = timedelta(minutes=30)  # the longest look at one target, more than the bounds of all its calls together
VAULT = timedelta(minutes=3)  # how long Vault may fail before the process is not ready: an election is not an outage


@dataclass(frozen=True, slots=True)
class HealthReport:
    """The answer to a probe."""

    ok: bool
    reasons: tuple[str, ...]  # what is wrong, in words; empty if nothing is


class Health:
    """The signs of life of this process. Thread-safe.

    It uses the monotonic clock only, so a jump of the wall clock changes no answer.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = Lock()
        self._last_beat = clock.monotonic()
        self._looks: dict[str, float] = {}
        self._configured = False
        self._vault_at: float | None = None
        self._vault_problem = ""

    def beat(self) -> None:
        """Notes that the scheduler's loop is running."""
        with self._lock:
            self._last_beat = self._clock.monotonic()

    def look_started(self, target: str) -> None:
        """Notes that a look at a target has begun."""
        with self._lock:
            self._looks[target] = self._clock.monotonic()

    def look_finished(self, target: str) -> None:
        """Notes that the look has ended, successfully or not."""
        with self._lock:
            self._looks.pop(target, None)

    def configuration_loaded(self) -> None:
        """Notes that a configuration is in force. A failed reload later does not change that."""
        with self._lock:
            self._configured = True

    def vault_reached(self) -> None:
        """Notes a proper answer from Vault."""
        with self._lock:
            self._vault_at, self._vault_problem = self._clock.monotonic(), ""

    def vault_failed(self, problem: str) -> None:
        """Notes that Vault did not answer properly or at all; `problem` quotes no value."""
        with self._lock:
            self._vault_problem = problem

    def live(self) -> HealthReport:
        """Fails if the scheduler's loop is stuck or a look hangs."""
        with self._lock:
            now = self._clock.monotonic()
            silent = now - self._last_beat
            hanging = sorted(name for name, since in self._looks.items() if now - since > LOOK.total_seconds())
        reasons = []
        if silent > BEAT.total_seconds():
            reasons.append(
                f"the scheduler's loop has been stuck for {silent:.0f} s; {BEAT.total_seconds():.0f} s are allowed"
            )
        reasons += [f"the look at {name} has taken more than {LOOK.total_seconds():.0f} s" for name in hanging]
        return HealthReport(not reasons, tuple(reasons))

    def ready(self) -> HealthReport:
        """Fails until a configuration is loaded and Vault was reached, and when Vault has failed for too long.

        A single failure does not count, nor does silence after a success: perhaps nothing was due.
        """
        with self._lock:
            since = None if self._vault_at is None else self._clock.monotonic() - self._vault_at
            configured, problem = self._configured, self._vault_problem
        reasons = [] if configured else ["no configuration is loaded yet"]
        if since is None:
            reasons.append("Vault has not been reached yet" + (f": {problem}" if problem else ""))
        elif problem and since > VAULT.total_seconds():
            reasons.append(f"Vault was last reached {since:.0f} s ago: {problem}")
        return HealthReport(not reasons, tuple(reasons))
