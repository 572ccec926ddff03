"""What holds the changes of a target now: the pauses that concern it, and the blackouts of its policy. Pure."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from rotator.core.blackouts import Blackout, Extent
from rotator.core.clocks import Clocks
from rotator.core.holding import Hold, HoldReason
from rotator.core.model import Attempt, Purpose, Request, Target
from rotator.core.pauses import Pause, Pauses

_ASKED_AGAIN = timedelta(minutes=1)
_PASSES = "a rotation passes with rotator rotate {name} --despite-pause"


@dataclass(frozen=True, slots=True)
class Freeze:
    """One pause or blackout that is in force."""

    reason: HoldReason  # PAUSED or BLACKOUT
    since: datetime
    until: datetime  # by both clocks
    words: str
    extent: Extent
    ended_by: str = ""  # the command that ends it; empty: it is in the configuration, or in the words


@dataclass(frozen=True, slots=True)
class Freezes:
    """Everything that holds the changes of one target at one moment."""

    in_force: tuple[Freeze, ...] = ()  # the one that lasts longest first
    thawed_at: datetime | None = None  # when the last one before ended

    @property
    def of_rotations(self) -> Freeze | None:
        """What holds scheduled rotations, for the longest time."""
        return next(iter(self.in_force), None)

    @property
    def of_repairs(self) -> Freeze | None:
        """What holds the repair of what the provider refuses, for the longest time: a pause, and no blackout.

        Whoever pauses may be working there by hand. A calendar does not, and devices are out.
        """
        return next((freeze for freeze in self.in_force if freeze.reason is HoldReason.PAUSED), None)

    def holding(self, request: Request | Attempt | None) -> Freeze | None:
        """What holds a rotation or an undo, for the longest time; a `request` of None: it comes by schedule."""
        if request is None:
            return self.of_rotations
        if passes(request):
            return None
        return self.of_repairs if request.repairs else self.of_rotations

    @property
    def of_retirements(self) -> Freeze | None:
        """What holds retirements, for the longest time."""
        return next((freeze for freeze in self.in_force if freeze.extent is Extent.CHANGES), None)

    @property
    def rotations_since(self) -> datetime | None:
        """When the first of what holds scheduled rotations began."""
        return min((freeze.since for freeze in self.in_force), default=None)

    @property
    def retirements_since(self) -> datetime | None:
        """When the first of what holds retirements began."""
        return min((freeze.since for freeze in self.in_force if freeze.extent is Extent.CHANGES), default=None)


_NOTHING = Freezes()


def freezes(target: Target, pauses: Pauses, clocks: Clocks) -> Freezes:
    """Returns what holds the changes of a target. Whatever has begun by one clock has ended only by both."""
    if not (pauses.entries or pauses.problem or target.policy.blackouts):
        return _NOTHING
    # What was lifted at a moment that these clocks have not reached was lifted by another clock: it is neither in
    # force nor over, since what is drawn now would lie before that moment again.
    in_force: list[Freeze] = []
    ended: list[datetime] = []
    now = clocks.earliest
    for pause in pauses.entries:
        if not pause.scope.covers(target):
            continue
        if pause.end <= now:
            ended.append(pause.end)
        elif pause.lifted_at is None:
            in_force.append(_by_pause(target, pause))
    for blackout in target.policy.blackouts:
        if blackout.end <= now:
            ended.append(blackout.end)
        elif blackout.start <= clocks.latest:
            in_force.append(_by_blackout(target, blackout))
    if pauses.problem:
        until = clocks.latest + _ASKED_AGAIN
        in_force.append(Freeze(HoldReason.PAUSED, now, until, pauses.problem, Extent.CHANGES))
    in_force.sort(key=lambda freeze: freeze.until, reverse=True)
    return Freezes(tuple(in_force), max(ended, default=None))


def _by_pause(target: Target, pause: Pause) -> Freeze:
    scope = target.name if pause.scope.targets else pause.scope.arguments
    ended_by = f"rotator resume {scope}"
    return Freeze(HoldReason.PAUSED, pause.since, pause.until, pause.words, pause.extent, ended_by)


def _by_blackout(target: Target, blackout: Blackout) -> Freeze:
    words = f"blackout of policy {target.policy.name} until {blackout.end:%Y-%m-%d %H:%M} UTC: {blackout.reason}"
    return Freeze(HoldReason.BLACKOUT, blackout.start, blackout.end, words, blackout.extent)


def passes(request: Request | Attempt) -> bool:
    """True if neither a pause nor a blackout holds it: an emergency, an undo, and what somebody lets pass.

    An undo of rotator's own does not pass.
    """
    undoes = request.purpose is Purpose.UNDO and not request.repairs
    return request.compromised or request.despite_pause or undoes


def frozen_hold(name: str, freeze: Freeze) -> Hold:
    """Returns the hold of a rotation."""
    return Hold(freeze.reason, f"{freeze.words}; {_PASSES.format(name=name)}")
