"""People who pause and resume parts of a simulated fleet, and what a pause or a blackout promises by true time."""

from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import datetime, timedelta
from random import Random
from typing import TYPE_CHECKING

from engine_harness import DAY
from fleet_targets import JudgedTarget

from rotator.core.audit_words import AuditVerb
from rotator.core.blackouts import Blackout, Extent
from rotator.core.clocks import Clocks
from rotator.core.drift import REPAIRED_BY
from rotator.core.model import Target
from rotator.core.origin import SCHEDULED_BY, Origin
from rotator.core.pauses import LONGEST, Pause, Pauses, Scope
from rotator.engine import Look, PauseBook
from rotator.ports import StoreError

if TYPE_CHECKING:
    from fleet_world import FleetWorld

KNOWN_WITHIN = timedelta(seconds=5)  # by every process
_BEGUN = timedelta(minutes=10)  # a look that began before a blackout may go on in it
_FORGOTTEN = 0.15  # of the pauses: they last for as long as may be, unless somebody ends them
_ORIGIN = Origin("a person", "because")


def paused(world: "FleetWorld", name: str, rng: Random) -> str | None:
    """`rotator pause`: one target, an account, seldom the fleet; for days or weeks, or until somebody remembers it."""
    target = world.targets.get(name)
    if target is None:
        return None
    scope = rng.choices((Scope(targets=(name,)), Scope(account=target.account), Scope()), (6, 3, 1))[0]
    longest = LONGEST if rng.random() < _FORGOTTEN else (60 if scope.targets else 20) * DAY
    length = rng.uniform(DAY / longest, 1) * longest
    now = _clocks(world).latest
    added = Pause(scope, now, now + length, _ORIGIN, rng.choice(tuple(Extent)))
    if not _changed(world, scope, lambda pauses: pauses.with_pause(added, now)):
        return None
    return f"somebody pauses {scope.words} for {length / DAY:.0f} d: {added.extent.value}"


def resumed(world: "FleetWorld", name: str, rng: Random) -> str | None:
    """`rotator resume`, of whatever is paused."""
    now = _clocks(world).earliest
    known = world.store.pauses.at(now)
    return _resume(world, rng.choice(known).scope) if known else None


def resume_all(world: "FleetWorld", target: Target) -> str | None:
    """`rotator resume`, of everything that holds a target."""
    done = [_resume(world, pause.scope) for pause in _paused_by(world, target)]
    return "; ".join(filter(None, done)) or None


def _resume(world: "FleetWorld", scope: Scope) -> str | None:
    now = _clocks(world).earliest
    done = _changed(world, scope, lambda pauses: pauses.without(scope, now))
    return f"somebody resumes {scope.words}" if done else None


def _clocks(world: "FleetWorld") -> Clocks:
    now = world.clock.now()
    return Clocks(now, world.store.now() or now)


def _changed(world: "FleetWorld", scope: Scope, change: Callable[[Pauses], Pauses]) -> bool:
    before = world.store.pauses.version
    with suppress(StoreError):  # it may have been written nevertheless
        PauseBook(world.store, world.clock).change(change)
    if world.store.pauses.version == before:
        return False
    world.judge.pauses_changed_at = world.clock.now()
    for target in world.targets.values():
        if scope.covers(target):
            world.wake(target.name)
    return True


# -- by true time


def holding(world: "FleetWorld", target: Target) -> list[Pause | Blackout]:
    """The pauses and blackouts that hold a target now, as whoever looks at it has it configured."""
    now = world.clock.now()
    dark = [one for one in target.policy.blackouts if one.start <= now < one.end]
    return [*_paused_by(world, target), *dark]


def _paused_by(world: "FleetWorld", target: Target) -> list[Pause]:
    return [pause for pause in world.store.pauses.at(world.clock.now()) if pause.scope.covers(target)]


def rested_until(world: "FleetWorld", watched: JudgedTarget) -> datetime | None:
    """Until when a pause or a blackout held a target, for whichever process; now if one does."""
    target, now = world.targets.get(watched.name) or world.removed.get(watched.name), world.clock.now()
    ends = [
        pause.end
        for pause in world.store.pauses.entries
        if (target is None and not pause.scope.labels) or (target is not None and pause.scope.covers(target))
    ]
    read = (target, *(process.targets.get(watched.name) for process in world.processes))
    ends += [one.end for each in read if each is not None for one in each.policy.blackouts if one.start <= now]
    return min(max(ends), now) if ends else None


def neglected_pauses(world: "FleetWorld", target: Target, look: Look | None) -> Iterator[tuple[str, str]]:
    """What a look at a target did within a pause, or did not do although none holds it."""
    records = world.audit.records[world.judge.audited :]
    world.judge.audited = len(world.audit.records)
    changed = world.judge.pauses_changed_at
    if changed is not None and world.clock.now() - changed < KNOWN_WITHIN:
        return
    held = holding(world, target)
    for record in records:
        begun = record.verb is AuditVerb.STAGE and record.target == target.name
        by_itself = record.facts.get("requested_by") in (SCHEDULED_BY, REPAIRED_BY)
        late = str(record.facts.get("reason", "")).startswith("a late call")
        if begun and by_itself and not late and not is_ahead(world):
            repairs = record.facts.get("requested_by") == REPAIRED_BY
            yield from (("paused", f"a rotation began within {one}") for one in held if _holds(world, one, repairs))
    if look is None or held or not look.freezes.in_force:
        return
    if not world.store.ahead and not any(process.clock.offset for process in world.processes):
        yield "paused", "it is held, and neither a pause nor a blackout holds it"


def _holds(world: "FleetWorld", one: Pause | Blackout, repairs: bool) -> bool:
    """True if everybody knows of a pause or a blackout that holds a rotation; devices that are out wait for no date."""
    if isinstance(one, Blackout):
        return not repairs and world.clock.now() - one.start >= _BEGUN
    changed = world.judge.pauses_changed_at
    return changed is not None and world.clock.now() - changed >= KNOWN_WITHIN


def holds_changes(world: "FleetWorld", target: Target) -> bool:
    """True if nothing may be retired now, and everybody knows."""
    held = (one for one in holding(world, target) if one.extent is Extent.CHANGES)
    return not is_ahead(world) and any(_holds(world, one, repairs=False) for one in held)


def is_ahead(world: "FleetWorld") -> bool:
    """True if the acting process's clock and Vault's are both ahead: then a pause ends early."""
    process = world.acting[0] if world.acting is not None else None
    offsets = [process.clock.offset] if process is not None else [one.clock.offset for one in world.processes]
    return world.store.ahead > timedelta() and max(offsets) > timedelta()
