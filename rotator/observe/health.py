"""Whether the process is alive (restart it if not) and ready (its configuration and Vault are there), with reasons.

Alive does not depend on Vault or on any provider: a restart would not bring them back.
"""

from dataclasses import dataclass
from datetime import timedelta
from threading import Lock

from rotator.ports import Clock

BEAT = timedelta(minutes=3)  # the longest pause of the scheduler's loop; one call to a dripping Vault takes two
LOOK = timedelta(minutes=30)  # the longest look at one target, above all that its calls may take together
VAULT = timedelta(minutes=3)  # how long Vault may fail before the process is not ready: an election is no outage


@dataclass(frozen=True, slots=True)
class Report:
    """An answer to a probe."""

    ok: bool
    reasons: tuple[str, ...]  # what is wrong, in words; empty where all is well


class Health:
    """Collects signs of life. All on the monotonic clock: a jump of the wall clock neither kills nor revives.

    Safe to use from any thread.
    """

    def __init__(
        self, clock: Clock, *, beat: timedelta = BEAT, look: timedelta = LOOK, vault: timedelta = VAULT
    ) -> None:
        """The lengths are bounds, as at `BEAT`, `LOOK` and `VAULT`."""
        self._clock = clock
        self._beat_bound = beat.total_seconds()
        self._look_bound = look.total_seconds()
        self._vault_bound = vault.total_seconds()
        self._lock = Lock()
        self._last_beat = clock.monotonic()
        self._looks: dict[str, float] = {}
        self._configured = False
        self._vault_at: float | None = None
        self._vault_problem = ""

    def beat(self) -> None:
        """The scheduler's loop came round."""
        with self._lock:
            self._last_beat = self._clock.monotonic()

    def look_started(self, target: str) -> None:
        """A worker looks at a target."""
        with self._lock:
            self._looks[target] = self._clock.monotonic()

    def look_finished(self, target: str) -> None:
        """The worker is done with it, however it went."""
        with self._lock:
            self._looks.pop(target, None)

    def configuration_loaded(self) -> None:
        """A configuration is in force. A reload that fails later does not take that back."""
        with self._lock:
            self._configured = True

    def vault_reached(self) -> None:
        """Vault answered as it should."""
        with self._lock:
            self._vault_at, self._vault_problem = self._clock.monotonic(), ""

    def vault_failed(self, problem: str) -> None:
        """Vault did not answer, or not as it should; `problem` holds no value."""
        with self._lock:
            self._vault_problem = problem

    def live(self) -> Report:
        """Fails where the scheduler's loop stands still or a worker hangs."""
        with self._lock:
            now = self._clock.monotonic()
            silent = now - self._last_beat
            hanging = sorted(name for name, since in self._looks.items() if now - since > self._look_bound)
        reasons = []
        if silent > self._beat_bound:
            reasons.append(f"the scheduler has not come round for {silent:.0f} s; {self._beat_bound:.0f} s are allowed")
        reasons += [f"the look at {name} has taken more than {self._look_bound:.0f} s" for name in hanging]
        return Report(not reasons, tuple(reasons))

    def ready(self) -> Report:
        """Fails until a configuration and Vault are there, and when Vault has failed for longer than allowed.

        One failure does not count, nor does silence after a success: nothing may have been due.
        """
        with self._lock:
            since = None if self._vault_at is None else self._clock.monotonic() - self._vault_at
            configured, problem = self._configured, self._vault_problem
        reasons = [] if configured else ["no configuration is loaded yet"]
        if since is None:
            reasons.append("Vault was not reached yet" + (f": {problem}" if problem else ""))
        elif problem and since > self._vault_bound:
            reasons.append(f"Vault was last reached {since:.0f} s ago: {problem}")
        return Report(not reasons, tuple(reasons))
