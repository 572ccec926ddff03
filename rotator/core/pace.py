"""The pace of one provider account, shared by everybody who sends requests to it.

A request needs a slot. Each process reserves runs of slots in one small document by check-and-set, in Vault's time, so
the limit is divided by need, and no process has to know of the others. Slots are spaced so that no window of the
limit's period has more requests than the limit allows, whatever the order of the reservations: between the runs of two
processes lies twice the error with which the later one knows Vault's time. A process that follows itself needs no gap.

A limit that no process can use up by itself is divided into tracks, each with its own slots: as long as there are no
more processes than tracks, none waits for the slots of another.

The same document has what everybody must know: until when the provider asked to wait, and to what share of the
configured limit its answers have lowered the rate.
"""

from collections import deque
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

TOLERANCE = 0.02
"""The share of the limit's period by which a request may go ahead of its slot: room for late threads and small bursts.
The slots are as much further apart, so the limit holds."""
_ROUNDING = 0.001  # Vault's times have microseconds
_SAME = 1e-4  # seconds
_WORTH = 1.0  # seconds: the longest run of slots that is reserved at a time
_SHORTEST = 0.01  # seconds: of a run, at a rate so high that one slot is next to nothing; all others wait that long
_NOTHING = 0.005  # seconds between two slots, of which a process alone cannot use all
_LONGEST_ALONE = 0.5  # seconds: likewise, while nobody else reserves; whoever comes then waits that long once
_SLOWER = 0.7  # after each 429
_SLOWEST = 0.01
_FASTER, _QUIET = 0.05, timedelta(seconds=30)  # of the configured limit, after each such time without a 429
_UNASKED = timedelta(seconds=1)  # the wait after a 429 that asks for none
_TOGETHER = timedelta(seconds=1)  # answers 429 that belong together: they were under way at the same time
_LONGEST_HELD = timedelta(days=1)
URGENT_HELD = timedelta(minutes=2)
"""How long what is urgent obeys a wait that the provider asks for."""
_AHEAD = 0.25  # seconds before the last slot: the next run is reserved then
_LONG_AGO = datetime.min.replace(tzinfo=UTC)
_TRACK = 500  # requests a second: more than a process can send
_MOST_TRACKS = 8
# What is reserved further ahead, or further behind the end of a wait, was written before a clock was set.
_FURTHEST, _MOST_RUNS = timedelta(minutes=10), 20


@dataclass(frozen=True, slots=True)
class Moment:
    """Vault's time, as far as it is known: the truth lies within `within` of `now`, on either side."""

    now: datetime
    within: timedelta = timedelta()


@dataclass(frozen=True, slots=True)
class Track:
    """Slots one after the other, at an equal part of the limit."""

    free_at: datetime | None = None  # the first moment that nobody has reserved
    taken_by: str = ""  # the process with the last run of slots


@dataclass(frozen=True, slots=True)
class AccountPace:
    """What all processes know of an account's pace: a document in Vault. All times are Vault's."""

    version: int = 0
    tracks: tuple[Track, ...] = ()
    held_until: datetime | None = None  # the provider asked to send nothing before
    held_at: datetime | None = None  # when it asked
    shut_until: datetime | None = None  # the circuit of some process is open: only what is urgent may be sent
    share: float = 1.0  # of the configured limit, at `shared_at`
    shared_at: datetime | None = None

    def share_at(self, now: datetime) -> float:
        """Returns the share of the configured limit to use now: after a 429 it rises slowly."""
        if self.shared_at is None:
            return 1.0
        quiet = max((now - self.shared_at) // _QUIET, 0)
        return min(self.share + quiet * _FASTER, 1.0)

    def held_for(self, moment: Moment, *, urgent: bool = False) -> timedelta:
        """Returns how long nothing may be sent.

        What is `urgent` obeys the provider for minutes at most, and no circuit.
        """
        until = self.held_until
        if urgent and until is not None and self.held_at is not None:
            until = min(until, self.held_at + URGENT_HELD)
        moments = (until,) if urgent else (until, self.shut_until)
        lefts = [each + moment.within - moment.now for each in moments if each is not None]
        return max([timedelta(), *(left for left in lefts if left <= _LONGEST_HELD + URGENT_HELD)])

    def after_hold(self, moment: Moment, asked: timedelta | None, *, refused: bool) -> "AccountPace":
        """Notes that the provider asked to wait; `refused`: by a 429, which lowers the rate as well.

        Of several answers 429 to what was under way together only the first lowers it. Returns the same document if
        there is nothing new in the answer.
        """
        least = _UNASKED if refused else timedelta()
        wait = min(max(asked or _UNASKED, least), _LONGEST_HELD)
        held, known = self, replace(self, shut_until=None).held_for(moment)
        if self.held_until is None or not known or self.held_until < moment.now + wait - _TOGETHER:
            held = replace(self, held_until=moment.now + wait, held_at=moment.now)
        together = self.shared_at is not None and abs(moment.now - self.shared_at) < _TOGETHER
        if not refused or together:
            return held
        return replace(held, share=max(self.share_at(moment.now) * _SLOWER, _SLOWEST), shared_at=moment.now)

    def after_opening(self, moment: Moment, wait: timedelta) -> "AccountPace":
        """Notes that the circuit of a process has opened, and lets nothing through for so long."""
        return replace(self, shut_until=moment.now + wait)


@dataclass(slots=True)
class _Run:
    """Reserved slots without a gap, in seconds of this process's monotonic clock."""

    at: float  # the next slot
    left: int
    interval: float
    ends: float  # the last slot: nothing later than that is reserved

    @property
    def after(self) -> float:
        return self.at + self.left * self.interval


class Slots:
    """The slots that one process has reserved at one account. Knows no clock; not thread-safe.

    Every `now` is in seconds of a clock that never jumps.
    """

    def __init__(self, requests: int, per: timedelta, holder: str) -> None:
        """`holder` names the owner of reservations; unique among all processes, restarts included."""
        self._requests, self._per, self._holder = requests, per.total_seconds(), holder
        self._tolerance = self._per * TOLERANCE
        self._runs: deque[_Run] = deque()
        self._after = float("-inf")  # nothing of ours goes from here on before it is reserved
        self._free_at: datetime | None = None  # as we wrote it
        self._size = 1  # of the next run: it grows while runs are used up
        self._shortest = _SHORTEST  # seconds, of the next run: it grows while nobody else reserves
        self._share = 1.0

    @property
    def share(self) -> float:
        """The share of the limit that is used at most."""
        return self._share

    @property
    def interval(self) -> float:
        """The seconds between two slots of a track."""
        in_track = self._requests // self._tracks_at(self._share) * self._share
        return self._per * (1 + TOLERANCE + _ROUNDING) / in_track

    def _tracks_at(self, share: float) -> int:
        """Returns the number of tracks: the same for all processes that use this share of the limit."""
        return max(min(int(self._requests * share / self._per / _TRACK), _MOST_TRACKS, self._requests), 1)

    def opens(self, ahead: int, now: float) -> float | None:
        """Returns when somebody with so many others before him may go; None if that needs another reservation."""
        self._drop_late(now)
        for run in self._runs:
            if ahead < run.left:
                return max(run.at, now) + ahead * run.interval - self._tolerance
            ahead -= run.left
        return None

    def expects(self, ahead: int, now: float) -> float:
        """Returns when somebody with so many others before him may go at the earliest, reserved or not."""
        opens = self.opens(ahead, now)
        if opens is not None:
            return opens
        beyond = ahead - sum(run.left for run in self._runs)
        return max(self._after, now) + beyond * self.interval - self._tolerance

    def take(self, now: float) -> bool:
        """Uses a slot, if one is open."""
        opens = self.opens(0, now)
        if opens is None or opens > now:
            return False
        run = self._runs[0]
        run.at, run.left = max(run.at, now) + run.interval, run.left - 1
        self._follow_up(run)
        return True

    def wanted(self, waiting: int, now: float) -> int:
        """Returns how many slots to reserve now for so many that wait; 0 if that is too early."""
        self._drop_late(now)
        if self._runs and now < self._runs[-1].after - _AHEAD:
            return 0
        left = sum(run.left for run in self._runs)
        return min(max(waiting - left, self._size, self._least), self._most) if waiting > left else 0

    def wanted_ahead(self, now: float) -> int:
        """Returns how many slots to reserve before time ends the last run; 0 if that is too early.

        Only if nobody else reserves, and at a rate that is not used up: otherwise `wanted` says it.
        """
        alone = self._shortest > _SHORTEST and self.interval <= _NOTHING
        ends = self._runs[-1].ends if self._runs else now
        return min(self._least, self._most) if alone and now > ends - self._shortest / 2 else 0

    @property
    def _least(self) -> int:
        return int((self._shortest if self.interval <= _NOTHING else _SHORTEST) / self.interval) + 1

    @property
    def _most(self) -> int:
        return max(round(_WORTH / self.interval), 1)

    def asks_at(self, now: float) -> float:
        """Returns when those whose slots are not reserved yet should ask again."""
        return max(self._runs[-1].after - _AHEAD, now) if self._runs else now

    def reserve(
        self, pace: AccountPace, moment: Moment, now: float, number: int, *, lead: float = 0.0, urgent: bool = False
    ) -> AccountPace:
        """Returns the document with `number` more slots for us; `add` takes them once it is written.

        Args:
            pace: the document as it was read.
            moment: Vault's time at `now`.
            lead: in how many seconds the document is written and the first slot used, at the latest.
            urgent: a hold-off is obeyed for minutes at most.
        """
        self._share = pace.share_at(moment.now)
        held = pace.held_for(moment, urgent=urgent).total_seconds()
        begins = max(self._begins(pace, moment, now), now + max(held, lead))
        ends = moment.now + moment.within + timedelta(seconds=begins - now + number * self.interval)
        tracks, chosen = self._choose(pace, moment)
        tracks[chosen] = Track(ends, self._holder)
        return replace(pace, version=pace.version + 1, tracks=tuple(tracks))

    def _choose(self, pace: AccountPace, moment: Moment) -> tuple[list[Track], int]:
        """Returns the tracks, and where to reserve: in our own, or if that is lost, in the one that is free first."""
        furthest = moment.now + pace.held_for(moment) + _FURTHEST + timedelta(seconds=_MOST_RUNS * self.interval)
        tracks = [Track() if track.free_at is None or track.free_at > furthest else track for track in pace.tracks]
        number, ends = self._tracks_at(pace.share_at(moment.now)), [track.free_at or _LONG_AGO for track in tracks]
        if len(tracks) != number:  # written at another rate: new ones, behind all of those, and not in step
            last, step = max(ends, default=_LONG_AGO), timedelta(seconds=self.interval / number)
            return [Track(last + place * step) for place in range(number)], 0
        own = (place for place, track in enumerate(tracks) if self._is_own(track))
        return tracks, next(own, ends.index(min(ends)))

    def _is_own(self, track: Track) -> bool:
        return track.taken_by == self._holder and track.free_at == self._free_at

    def others_until(self, pace: AccountPace, moment: Moment) -> datetime | None:
        """Returns until when others have reserved what our next run would take; None if nobody has."""
        tracks, chosen = self._choose(pace, moment)
        return None if self._is_own(tracks[chosen]) else tracks[chosen].free_at

    def _begins(self, pace: AccountPace, moment: Moment, now: float) -> float:
        until = self.others_until(pace, moment)
        if until is None:
            return max(now, self._after)
        # Whatever Vault's true time is: not before the end of what the others have reserved.
        return max(now, self._after, now + (until + moment.within - moment.now).total_seconds())

    def add(self, before: AccountPace, written: AccountPace, moment: Moment, now: float, number: int) -> None:
        """Takes the slots that `reserve` wrote over `before`, with the same arguments as that."""
        tracks, chosen = self._choose(before, moment)
        free_at, follows = written.tracks[chosen].free_at, self._is_own(tracks[chosen])
        assert free_at is not None  # noqa: S101  # `reserve` sets it
        after = now + (free_at - moment.now - moment.within).total_seconds()
        begins = after - number * self.interval
        last = self._runs[-1] if self._runs else None
        self._shortest = min(2 * self._shortest, _LONGEST_ALONE) if follows else _SHORTEST
        if last is not None and follows and last.interval == self.interval and begins <= last.after + _SAME:
            last.left, last.ends = last.left + number, after - self.interval
        else:
            self._runs.append(_Run(begins, number, self.interval, after - self.interval))
        self._after, self._free_at, self._size = after, free_at, 2 * number

    def clear(self) -> None:
        """Gives up every slot: the provider asked to wait."""
        self._runs.clear()
        self._size, self._shortest = 1, _SHORTEST

    def _drop_late(self, now: float) -> None:
        """Drops the slots whose time has passed: somebody else has reserved what comes afterwards."""
        while self._runs and max(self._runs[0].at, now) > self._runs[0].ends + _SAME:
            late = self._runs[0]
            late.left, self._size = 0, 1
            self._follow_up(late)

    def _follow_up(self, run: _Run) -> None:
        """Moves on from a run of which a slot was used or dropped."""
        if run is self._runs[-1]:
            self._after = max(self._after, run.after)
        if not run.left:
            self._runs.popleft()
            if self._runs:
                self._runs[0].at = max(self._runs[0].at, run.at)
