"""A target's life at a provider that is otherwise than its pages say: what devices see, and what an operator is told.

Three devices read Vault once a minute and log in all the time. They begin with the password that was there before.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from engine_harness import DAY
from simulated_accounts import STANDING, Setup, SimulatedHarness

from rotator.core.holding import Hold
from rotator.core.secret import Secret
from rotator.observe.needs import needs
from rotator.observe.target_figures import TargetSnapshot, max_age
from rotator.observe.target_words import BLOCKED, state_word

STEP, EVERY, BUSY = timedelta(seconds=5), timedelta(minutes=1), timedelta(minutes=20)
_COARSE = timedelta(hours=1)
LATER = 20 * DAY
_PHASES = (timedelta(), timedelta(seconds=20), timedelta(seconds=40))
_NAMES = re.compile(r"[0-9a-f]{8}-[0-9a-f-]{27}|\b(?:office|gencred)[A-Za-z0-9]{6,}\b")


@dataclass
class SimulatedDevice:
    """Reads Vault now and then, and is let in or refused."""

    pair: tuple[str | None, Secret | None]
    reads_at: datetime
    out: timedelta = timedelta()  # in one piece, until now
    longest: timedelta = timedelta()


@dataclass
class PlayedReading:
    """What came of it."""

    devices_out: int = 0  # seconds in one piece, of the device that had most
    leaked_for: timedelta | None = None  # after `--compromised`; None: it was still accepted at the end
    rotated: int = 0
    state: str = ""
    alerts: list[str] = field(default_factory=list)  # their words, in the order in which they began
    told: str = ""  # the last error or hold that was seen while something was wrong
    let_in_at_the_end: bool = False
    notes: set[str] = field(default_factory=set)  # of ledger entries


class ReadingPlayer:
    """Plays the life of one target: adopted, rotated on request, retired, and declared compromised."""

    def __init__(self, setup: Setup, prepare: Callable[[SimulatedHarness], None] = lambda _: None) -> None:
        self.harness = SimulatedHarness(setup)
        prepare(self.harness)
        self._engine = self.harness.engine()
        first = (setup.usernames[0], STANDING) if setup.usernames else (None, None)
        now = self.harness.clock.now()
        self._devices = [SimulatedDevice(first, now + phase) for phase in _PHASES]
        self._next = now
        self._began: dict[str, datetime] = {}
        self.played = PlayedReading()

    def play(self) -> PlayedReading:
        harness, played = self.harness, self.played
        self._run(timedelta(hours=2))
        harness.request(self._engine)
        self._next = harness.clock.now()
        self._run(LATER)
        leaked = self._leaked()
        harness.request(self._engine, compromised=True)
        self._next, begun = harness.clock.now(), harness.clock.now()
        gone = self._run(2 * DAY, until=lambda: not self._any_accepted(leaked))
        played.leaked_for = gone - begun if gone is not None else None
        played.devices_out = int(max(device.longest for device in self._devices).total_seconds())
        played.rotated = harness.state.counts.succeeded
        played.let_in_at_the_end = all(self._is_let_in(device) for device in self._devices)
        return played

    def _leaked(self) -> tuple[str | None, Secret | None]:
        consumer = self.harness.consumer
        return (consumer.username, consumer.password) if consumer.exists else self._devices[0].pair

    def _any_accepted(self, pair: tuple[str | None, Secret | None]) -> bool:
        return self.harness.provider.accepts(*pair)

    def _run(self, span: timedelta, until: Callable[[], bool] | None = None) -> datetime | None:
        """Lets time pass; returns when `until` came true first, and goes on."""
        clock = self.harness.clock
        start, end, came = clock.now(), clock.now() + span, None
        while clock.now() < end:
            now = clock.now()
            if now >= self._next:
                look = self._engine.look(self.harness.target)
                self._next = look.next_look or now + _COARSE
                self._note(look.hold)
            fine = now - start < BUSY or self._is_busy()
            step = STEP if fine else min(max(self._next - now, STEP), _COARSE, end - now)
            self._devices_step(now, step)
            if until is not None and came is None and until():
                came = now
            clock.advance(step)
        return came

    def _is_busy(self) -> bool:
        return any(device.out and device.out < BUSY for device in self._devices)

    def _devices_step(self, now: datetime, step: timedelta) -> None:
        for device in self._devices:
            if now >= device.reads_at:
                consumer = self.harness.consumer
                device.pair = (consumer.username, consumer.password) if consumer.exists else device.pair
                device.reads_at = now + EVERY
            device.out = timedelta() if self._is_let_in(device) else device.out + step
            device.longest = max(device.longest, device.out)

    def _is_let_in(self, device: SimulatedDevice) -> bool:
        return device.pair[0] is None or self.harness.provider.accepts(*device.pair)

    def _note(self, hold: Hold | None) -> None:
        """Keeps what the status says, and what alerts have begun."""
        harness, now = self.harness, self.harness.clock.now()
        if harness.target.name not in harness.store.states:
            return
        state, target = harness.state, harness.target
        seen = TargetSnapshot(target, state, max_age(target.policy), now, hold)
        words: set[str] = {need for need, since in needs(seen) if since < now}
        if hold is not None and hold.reason in BLOCKED:
            words.add(BLOCKED[hold.reason])
        for word in sorted(words):
            self._began.setdefault(word, now)
        self.played.alerts = sorted(self._began, key=lambda word: (self._began[word], word))
        self.played.state = state_word(state, hold)
        if state.last_error:
            self.played.told = plain(state.last_error)
        elif hold is not None and hold.reason in BLOCKED:
            self.played.told = plain(hold.message)
        self.played.notes |= {plain(entry.note) for entry in state.ledger if entry.note}


def plain(text: str) -> str:
    """A message without what differs from run to run."""
    return _NAMES.sub("...", text)
