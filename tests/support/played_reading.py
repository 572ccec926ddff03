"""A target's life at a provider that is otherwise than its pages say: what devices see, and what an operator is told.

Three devices read Vault once a minute and log in all the time. They begin with the password that was there before.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from engine_harness import DAY
from simulated_accounts import STANDING, Setup, SimulatedHarness

from rotator.core.backoff import Backoff
from rotator.core.holding import Hold
from rotator.core.secret import Secret
from rotator.observe.needs import Need, present_needs
from rotator.observe.target_figures import TargetSnapshot
from rotator.observe.target_words import BLOCKED, state_word

ALERTS = {
    Need.OVERDUE: "RotatorTargetOverdue",
    Need.FIRST_LATE: "RotatorTargetNeverRotated",
    Need.DEVICES_OUT: "RotatorDevicesCutOff",
    Need.REFUSED: "RotatorPublishedRefused",
    Need.KEEPS_FAILING: "RotatorTargetFailing",
    Need.STAYS_OPEN: "RotatorAttemptStaysOpen",
    Need.RETIREMENT_OVERDUE: "RotatorRetirementOverdue",
    Need.UNVERIFIED: "RotatorVerificationOverdue",
    Need.HOOK_FAILS: "RotatorHookFailing",
    Need.STILL_ACCEPTED: "RotatorEndedStillAccepted",
    Need.AGE_LIMIT_NEAR: "RotatorTargetAgeLimitNear",
    Need.OVER_AGE_LIMIT: "RotatorTargetOverAgeLimit",
}
"""The alert of each need of a target."""
STEP, EVERY, BUSY = timedelta(seconds=5), timedelta(minutes=1), timedelta(minutes=20)
_COARSE, _LASTS = timedelta(hours=1), timedelta(minutes=5)
_LATER = 9 * DAY  # after a rotation: overlap and quarantine are over
_BEARABLE = timedelta(minutes=5)  # refused in one piece, by a provider that takes two minutes for each change
_NEVER_ROTATED, _EMERGENCY = timedelta(hours=26), timedelta(hours=6)  # nothing but tries follows
_LIMITS = Backoff(timedelta(seconds=30), timedelta(hours=1))  # the defaults of a configuration
_PHASES = (timedelta(), timedelta(seconds=20), timedelta(seconds=40))
_NAMES = re.compile(r"[0-9a-f]{8}-[0-9a-f-]{27}|\b(?:office|gencred)[A-Za-z0-9]{6,}\b|127\.0\.0\.1:\d+")


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
    out_in_emergency: int = 0
    leaked_for: timedelta | None = None  # after `--compromised`; None: it was still accepted at the end
    rotated: int = 0  # of the three
    state: str = ""
    alerts: tuple[str, ...] = ()  # in the order in which they began
    told: str = ""  # the last error, hold or note of the ledger while there was an alert, or where a rotation failed
    let_in_at_the_end: bool = False

    def assert_bearable(self) -> None:
        """Devices are let in at the end, were not out for long, and what does not go on is told."""
        assert self.let_in_at_the_end, self
        assert max(self.devices_out, self.out_in_emergency) <= _BEARABLE.total_seconds(), self
        # A planned rotation that was put back is tried again after six hours; a third failure is an alert.
        assert self.alerts or (self.rotated >= 2 and self.leaked_for is not None), self
        assert self.alerts or self.told or self.rotated == 3, self

    @property
    def refused_in_words(self) -> str:
        """How long devices were refused, in steps that a slow machine does not change."""
        return "not" if not self.devices_out else f"up to {_minutes(self.devices_out)}"

    @property
    def told_in_words(self) -> str:
        """Which alerts there were, and the message."""
        return ": ".join(filter(None, (", ".join(self.alerts), self.told))) or "nothing is wrong"

    @property
    def end_in_words(self) -> str:
        """What was rotated, and whether what leaked was ended."""
        asked = ("nothing is rotated", "one of three rotations", "two of three rotations", "rotated as asked")
        words = [asked[self.rotated]]
        if self.out_in_emergency > EVERY.total_seconds():
            words.append(f"in the emergency devices are refused for up to {_minutes(self.out_in_emergency)}")
        if self.leaked_for is None:
            words.append("what leaked is still accepted")
        elif self.leaked_for > 5 * EVERY:
            words.append("what leaked is accepted for up to an hour")
        return "; ".join(words)


class ReadingPlayer:
    """Plays the life of one target: adopted, rotated on request, retired, and declared compromised."""

    def __init__(self, setup: Setup, prepare: Callable[[SimulatedHarness], None] = lambda _: None) -> None:
        self.harness = SimulatedHarness(setup)
        self.harness.limits = replace(self.harness.limits, backoff=_LIMITS)
        prepare(self.harness)
        self.harness.clock.advance(BUSY)  # what was there before is in force
        self._engine = self.harness.engine()
        first = (setup.usernames[0], STANDING) if setup.usernames else (None, None)
        now = self.harness.clock.now()
        self._devices = [SimulatedDevice(first, now + phase) for phase in _PHASES]
        self._next = self._busy_until = now
        self._seen: dict[str, tuple[datetime, datetime]] = {}  # of each word, first and last
        self._failed = ""  # why the last rotation that failed did
        self.played = PlayedReading()

    def play(self) -> PlayedReading:
        """Plays it to the end."""
        harness, played = self.harness, self.played
        self._run(timedelta(hours=2))
        harness.request(self._engine)
        self._run(_LATER if harness.state.counts.succeeded else _NEVER_ROTATED)
        played.devices_out = self._longest()
        leaked, begun = self._handed_out(), harness.clock.now()
        harness.request(self._engine, compromised=True)
        gone = self._run(_EMERGENCY, until=lambda: not harness.provider.accepts(*leaked))
        played.out_in_emergency, played.leaked_for = self._longest(), gone - begun if gone is not None else None
        played.rotated = harness.state.counts.succeeded
        played.let_in_at_the_end = all(self._is_let_in(device) for device in self._devices)
        lasting = {word: first for word, (first, last) in self._seen.items() if last - first >= _LASTS}
        played.alerts = tuple(sorted(lasting, key=lambda word: (lasting[word], word)))
        if not played.alerts:
            played.told = self._failed if played.rotated < 3 else ""
        return played

    def _longest(self) -> int:
        longest = max(device.longest for device in self._devices)
        for device in self._devices:
            device.longest = device.out
        return int(longest.total_seconds())

    def _handed_out(self) -> tuple[str | None, Secret | None]:
        consumer = self.harness.consumer
        return (consumer.username, consumer.password) if consumer.exists else self._devices[0].pair

    def _run(self, span: timedelta, until: Callable[[], bool] | None = None) -> datetime | None:
        """Lets time pass; returns when `until` came true first, and goes on."""
        clock = self.harness.clock
        end, came = clock.now() + span, None
        self._next = clock.now()
        while clock.now() < end:
            now = clock.now()
            if now >= self._next:
                look = self._engine.look(self.harness.target)
                self._next = look.next_look or now + _COARSE
                self._busy_until = now + BUSY if look.steps else self._busy_until
                self._note(look.hold)
            if until is not None and came is None and until():
                came = now
            fine = now < self._busy_until or any(timedelta() < device.out < BUSY for device in self._devices)
            step = STEP if fine else min(max(self._next - now, STEP), _COARSE, end - now)
            self._step_devices(now, step)
            clock.advance(step)
        return came

    def _step_devices(self, now: datetime, step: timedelta) -> None:
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
        """Keeps what the status says, and since when there has been an alert."""
        harness, now = self.harness, self.harness.clock.now()
        if harness.target.name not in harness.store.states:
            return
        state, target = harness.state, harness.target
        seen = TargetSnapshot(target, state, now, hold)
        words: set[str] = {ALERTS[need] for need in present_needs(seen, now)}
        if hold is not None and BLOCKED.get(hold.reason, "idle_in_overlap") != "idle_in_overlap":
            words.add("RotatorTargetBlocked")
        for word in words:
            self._seen[word] = (self._seen.get(word, (now, now))[0], now)
        self.played.state = state_word(state, hold)
        self._failed = plain(state.last_error) or self._failed
        notes = [entry.note for entry in state.ledger if entry.note]
        blocked = hold.message if hold is not None and hold.reason in BLOCKED else ""
        told = state.last_error or blocked or (notes[-1] if notes else "")
        if words and told:
            self.played.told = plain(told)


def _minutes(seconds: int) -> str:
    whole = -(-seconds // 60)
    return "a minute" if whole == 1 else f"{whole} minutes"


def plain(text: str) -> str:
    """A message without what differs from run to run."""
    return _NAMES.sub("...", text)
