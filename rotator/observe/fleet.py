"""The latest knowledge of every target, and the sums over each account and policy, kept as the targets change.

Nothing here goes through all targets to answer a scrape or a page: a change of a target moves it within the sums, and
what time alone brings about is read off lists of moments that are kept in order.
"""

from bisect import bisect_left, bisect_right, insort
from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from operator import sub
from threading import Lock

from rotator.core.freezes import Freezes
from rotator.core.holding import Hold
from rotator.core.model import Counts, Target, TargetState
from rotator.observe.needs import Need, needs, spans
from rotator.observe.target_figures import TargetSnapshot, ledger_state
from rotator.observe.target_words import BLOCKED, state_word
from rotator.ports import Clock

LOOKED_AT_WITHIN = timedelta(minutes=15)
"""A target whose state nobody read for so long was forgotten by a bug, or Vault cannot be read."""
GroupKey = tuple[str, str]
"""Provider account and policy."""
Moments = list[tuple[float, str]]
"""Moments (Unix seconds) in order, each with the target that it is of."""
_LAST = chr(0x10FFFF)  # after every name
_COUNTED = tuple(Counts.__dataclass_fields__)


@dataclass(slots=True)
class GroupSums:
    """The sums over the targets of one account and policy."""

    targets: int = 0
    max_age: float = 0.0  # seconds
    states: Counter[str] = field(default_factory=Counter)
    blocked: Counter[str] = field(default_factory=Counter)
    attempts: int = 0
    ledger: Counter[str] = field(default_factory=Counter)
    moments: defaultdict[str, Moments] = field(default_factory=lambda: defaultdict(list))  # of `needs`, by need
    made: Moments = field(default_factory=list)  # of the published passwords
    made_sum: float = 0.0
    looked: Moments = field(default_factory=list)
    counts: list[float] = field(default_factory=lambda: [0.0] * len(_COUNTED))  # since start, in the order of _COUNTED

    def needs(self, now: datetime, looked_at_within: timedelta) -> dict[Need, int]:
        """Returns how many targets have each need."""
        found = dict.fromkeys(Need, 0)
        for need, _, begin, end in self._spans(now, looked_at_within):
            found[need] += end - begin
        return found

    def in_need(self, now: datetime, looked_at_within: timedelta) -> Iterator[tuple[Need, str]]:
        """Yields each need that a target has, and the target."""
        for need, moments, begin, end in self._spans(now, looked_at_within):
            yield from ((need, name) for _, name in moments[begin:end])

    def _spans(self, now: datetime, looked_at_within: timedelta) -> Iterator[tuple[Need, Moments, int, int]]:
        """Yields for each need the lists of moments that it is read off, and where in them the targets in need are."""
        for need in set(Need) - {Need.NOT_LOOKED_AT}:
            moments = self.moments[need]
            for after, before in spans(need, now):
                begin = bisect_right(moments, (after.timestamp(), _LAST))
                yield need, moments, begin, bisect_left(moments, (before.timestamp(), ""))
        yield Need.NOT_LOOKED_AT, self.looked, 0, bisect_left(self.looked, ((now - looked_at_within).timestamp(), ""))

    def made_before(self, moment: datetime) -> int:
        """Returns how many of the published passwords were made before a moment."""
        return bisect_left(self.made, (moment.timestamp(),))

    def counted(self) -> dict[str, float]:
        """Returns what has ended since start: the fields of `Counts`."""
        return dict(zip(_COUNTED, self.counts, strict=True))


class KnownFleet:
    """Every target that was seen. Thread-safe."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = Lock()
        self._seen: dict[str, TargetSnapshot] = {}
        self._groups: dict[GroupKey, GroupSums] = {}
        self.looked_at_within = LOOKED_AT_WITHIN

    def update(self, target: Target, state: TargetState) -> None:
        """Keeps the newest state document of a target, after every read and write."""
        with self._lock:
            known, now = self._seen.get(target.name), self._clock.now()
            if known is not None and known.state == state and known.target == target:
                self._look_again(known, now)
            else:
                hold = known.hold if known is not None else None
                freezes = known.freezes if known is not None else Freezes()
                self._put(TargetSnapshot(target, state, now, hold, freezes), known)

    def held(self, name: str, hold: Hold | None, freezes: Freezes | None = None) -> None:
        """Keeps why the last look at a target did nothing; None: it did something, or failed."""
        freezes = freezes or Freezes()
        with self._lock:
            known = self._seen.get(name)
            if known is None or (known.hold == hold and known.freezes == freezes):
                return
            seen = replace(known, hold=hold, freezes=freezes)
            if (
                _blocked(hold) == _blocked(known.hold)
                and _frozen(seen) == _frozen(known)
                and _state(seen) == _state(known)
            ):
                self._seen[name] = seen
            else:
                self._put(seen, known)

    def forget(self, names: Collection[str]) -> None:
        """Drops targets of which nothing is left, or that another process looks at."""
        with self._lock:
            for gone in self._seen.keys() & set(names):
                self._move(self._seen.pop(gone), -1)
            self._groups = {key: sums for key, sums in self._groups.items() if sums.targets}

    def get(self, name: str) -> TargetSnapshot | None:
        """Returns the latest knowledge of a target; None if it was not seen yet."""
        return self._seen.get(name)

    def all(self) -> Mapping[str, TargetSnapshot]:
        """Returns the latest knowledge of each target that was seen."""
        with self._lock:
            return dict(self._seen)

    def __len__(self) -> int:
        """The number of targets that were seen."""
        return len(self._seen)

    @contextmanager
    def groups(self) -> Iterator[Mapping[GroupKey, GroupSums]]:
        """Gives the sums over each account and policy, which do not change inside the block."""
        with self._lock:
            yield self._groups

    def states(self) -> Counter[str]:
        """Returns how many targets are in each state."""
        with self.groups() as groups:
            return sum((sums.states for sums in groups.values()), Counter[str]())

    def needs(self) -> Counter[Need]:
        """Returns how many targets have each need."""
        found, now = Counter[Need](), self._clock.now()
        with self.groups() as groups:
            for sums in groups.values():
                found.update(sums.needs(now, self.looked_at_within))
        return found

    def in_need(self) -> dict[str, list[str]]:
        """Returns the targets that somebody has to look after, by name, each with the words of its needs."""
        now, found = self._clock.now(), defaultdict[str, list[str]](list)
        with self.groups() as groups:
            for sums in groups.values():
                for need, name in sums.in_need(now, self.looked_at_within):
                    found[name].append(need.value)
        return dict(found)

    def _look_again(self, known: TargetSnapshot, now: datetime) -> None:
        """Handles the common case that nothing has changed: looks at a fleet at rest."""
        seen = self._seen[known.target.name] = replace(known, at=now)
        if not seen.has_left:
            looked = self._groups[_key(seen.target)].looked
            _change(looked, known.at, known.target.name, -1)
            _change(looked, now, known.target.name, 1)

    def _put(self, seen: TargetSnapshot, known: TargetSnapshot | None) -> None:
        if known is not None:
            self._move(known, -1)
        self._seen[seen.target.name] = seen
        sums = self._move(seen, 1)
        if known is not None and known.state.counts is not seen.state.counts:
            ended = map(sub, _values(seen.state.counts), _values(known.state.counts))
            # A state document that began anew counts from zero: what it had ended before is counted already.
            sums.counts = [before + max(more, 0) for before, more in zip(sums.counts, ended, strict=True)]

    def _move(self, seen: TargetSnapshot, by: int) -> GroupSums:
        """Moves a target into the sums of its group (`by` 1), or out of them (-1)."""
        target, state = seen.target, seen.state
        sums = self._groups.setdefault(_key(target), GroupSums())
        sums.max_age = seen.max_age.total_seconds()
        sums.targets += by
        sums.states[_state(seen)] += by
        blocked = _blocked(seen.hold)
        if blocked is not None:
            sums.blocked[blocked] += by
        sums.attempts += by * (state.attempt is not None)
        for entry in state.ledger:
            sums.ledger[ledger_state(entry)] += by
        for need, since in needs(seen):
            _change(sums.moments[need], since, target.name, by)
        if not seen.has_left:
            self._move_moments(sums, seen, by)
        return sums

    def _move_moments(self, sums: GroupSums, seen: TargetSnapshot, by: int) -> None:
        name = seen.target.name
        _change(sums.looked, seen.at, name, by)
        if seen.made_at is not None:
            _change(sums.made, seen.made_at, name, by)
            sums.made_sum += by * seen.made_at.timestamp()


def _key(target: Target) -> GroupKey:
    # What is left of a removed target has no schedule, and is not counted as one that its policy still rotates.
    return target.account, "removed" if target.removed else target.policy.name


def _state(seen: TargetSnapshot) -> str:
    return state_word(seen.state, seen.hold)


def _frozen(seen: TargetSnapshot) -> tuple[datetime | None, datetime | None]:
    return seen.freezes.rotations_since, seen.freezes.retirements_since


def _blocked(hold: Hold | None) -> str | None:
    return BLOCKED.get(hold.reason) if hold is not None else None


def _values(counts: Counts) -> tuple[float, ...]:
    return tuple(getattr(counts, name) for name in _COUNTED)


def _change(moments: Moments, moment: datetime, name: str, by: int) -> None:
    if by > 0:
        insort(moments, (moment.timestamp(), name))
    else:
        del moments[bisect_left(moments, (moment.timestamp(), name))]
