"""Pauses: a person holds what rotator changes by schedule, for some targets, an account, labels or the whole fleet.

All of them stand in one small document, which each process reads. A pause has an end, and who, why and until when are
kept with it. It begins to count for every process within seconds.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from rotator.core.blackouts import Extent
from rotator.core.model import Target
from rotator.core.origin import Origin

LONGEST = timedelta(days=400)
"""Whatever is to rest for longer is removed from the configuration, or its policy is changed."""
MOST_NAMES = 2000
"""So many targets are paused by name at once; labels and accounts have no limit."""
MOST_PAUSES = 200
_KEPT_FOR = timedelta(days=30)  # after its end: what came due under it is spread by that


@dataclass(frozen=True, slots=True)
class Scope:
    """The targets that a pause concerns: those that meet all of it; empty: every target."""

    targets: tuple[str, ...] = ()  # one of these names
    account: str = ""  # the name in the configuration
    labels: tuple[tuple[str, str], ...] = ()  # all of them

    def covers(self, target: Target) -> bool:
        """True if the pause concerns a target."""
        if self.targets and target.name not in self.targets:
            return False
        if self.account and target.account != self.account:
            return False
        return not self.labels or set(self.labels) <= set(target.labels)

    @property
    def words(self) -> str:
        """The scope as a message names it."""
        if self.targets:
            return ", ".join(self.targets)
        parts = [f"account {self.account}"] if self.account else []
        parts += [f"label {key}={value}" for key, value in self.labels]
        return " and ".join(parts) or "the whole fleet"

    @property
    def arguments(self) -> str:
        """The arguments of `rotator pause` and `rotator resume` for it."""
        parts = [*self.targets, *([f"--account {self.account}"] if self.account else [])]
        parts += [f"--label {key}={value}" for key, value in self.labels]
        return " ".join(parts) or "--all"


@dataclass(frozen=True, slots=True)
class Pause:
    """One pause."""

    scope: Scope
    since: datetime
    until: datetime  # by both clocks
    origin: Origin  # who paused, and why
    extent: Extent = Extent.CHANGES
    lifted_at: datetime | None = None  # a person ended it, whatever any clock says

    @property
    def end(self) -> datetime:
        """When it ends, or has ended."""
        return self.lifted_at or self.until

    def lasts(self, now: datetime) -> bool:
        """True unless it has ended."""
        return self.lifted_at is None and now < self.until

    @property
    def words(self) -> str:
        """Who paused, until when, and why."""
        origin = self.origin
        who = origin.requested_by + (f" ({origin.stated})" if origin.stated else "")
        return f"paused by {who} until {self.until:%Y-%m-%d %H:%M} UTC: {origin.reason}"


@dataclass(frozen=True, slots=True)
class Pauses:
    """Every pause, also some that have ended: the document in Vault."""

    version: int = 0
    entries: tuple[Pause, ...] = ()
    problem: str = ""  # why nobody knows what is paused; then everything is

    def at(self, now: datetime) -> tuple[Pause, ...]:
        """Returns the pauses that have not ended."""
        return tuple(pause for pause in self.entries if pause.lasts(now))

    def with_pause(self, pause: Pause, now: datetime) -> "Pauses":
        """Returns the next version, in which `pause` is in force; one with the same scope makes way for it.

        Raises:
            ValueError: there would be too many pauses or names, or it is not known what is paused; the text says what
                to do.
        """
        if self.problem:
            raise ValueError(self.problem)
        others = self._without(pause.scope, now)
        names = {name for each in (*others, pause) if each.lasts(now) for name in each.scope.targets}
        if len(names) > MOST_NAMES:
            raise ValueError(f"at most {MOST_NAMES} targets can be paused by name: use --label, --account or --all")
        if sum(each.lasts(now) for each in others) >= MOST_PAUSES:
            raise ValueError(f"at most {MOST_PAUSES} pauses can be in force: end some, or use --label or --account")
        return self._next((*others, pause), now)

    def without(self, scope: Scope, now: datetime) -> "Pauses":
        """Returns the next version, in which the pause with exactly this scope has ended; names end one by one.

        Raises:
            ValueError: it is not known what is paused, so only the pause of the whole fleet can be ended.
        """
        if self.problem and scope != Scope():
            raise ValueError(self.problem)
        return self._next(self._without(scope, now), now)

    def renamed(self, old: str, new: str, now: datetime) -> "Pauses":
        """Returns the next version, in which what paused a target by its old name pauses it by its new one."""

        def follow(pause: Pause) -> Pause:
            names = tuple(new if name == old else name for name in pause.scope.targets)
            return replace(pause, scope=replace(pause.scope, targets=names))

        return self._next(tuple(follow(pause) for pause in self.entries), now)

    def _without(self, scope: Scope, now: datetime) -> tuple[Pause, ...]:
        return tuple(part for pause in self.entries for part in _ended(pause, scope, now))

    def _next(self, entries: tuple[Pause, ...], now: datetime) -> "Pauses":
        """Returns the next version with these pauses, of which those that have ended long ago or have no room go."""
        ended = sorted((pause for pause in entries if not pause.lasts(now)), key=lambda pause: pause.end, reverse=True)
        kept: list[Pause] = []
        room = MOST_NAMES
        for pause in ended[:MOST_PAUSES]:
            room -= len(pause.scope.targets)
            if room >= 0 and now < pause.end + _KEPT_FOR:
                kept.append(pause)
        return Pauses(self.version + 1, (*kept[::-1], *(pause for pause in entries if pause.lasts(now))))


def _ended(pause: Pause, scope: Scope, now: datetime) -> Iterable[Pause]:
    """Yields what becomes of a pause if one with this scope ends: it goes on, ends, or ends for some names."""
    by_name = bool(pause.scope.targets and scope.targets)
    gone = set(pause.scope.targets) & set(scope.targets) if by_name else set()
    if not pause.lasts(now) or (not gone if by_name else pause.scope != scope):
        yield pause
        return
    rest = tuple(name for name in pause.scope.targets if name not in gone)
    ended = tuple(name for name in pause.scope.targets if name in gone)
    if rest:
        yield replace(pause, scope=replace(pause.scope, targets=rest))
    yield replace(pause, scope=replace(pause.scope, targets=ended), lifted_at=now)
