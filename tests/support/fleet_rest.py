"""What is wrong in a simulated fleet at rest, and whether anybody was told: no fault is lifted before this."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

from engine_harness import DAY
from fleet_duties import OUTAGE
from fleet_freezes import rested_until
from fleet_judge import PromiseBroken
from fleet_processes import VERIFIED_EVERY
from fleet_targets import JudgedTarget
from fleet_world import FleetWorld

from rotator.core.clocks import WORTH_TELLING
from rotator.core.freezes import Freezes
from rotator.core.holding import HoldReason
from rotator.core.left_over import is_empty, left_over, orphans
from rotator.observe.needs import FUTURE, Need, present_needs
from rotator.observe.target_figures import TargetSnapshot
from rotator.observe.target_words import BLOCKED
from rotator.testing.clock import START

_LONG = 3 * DAY  # that something may be wrong before somebody has to know of it
_UNSEEN = VERIFIED_EVERY + _LONG  # what people break at the provider is found by the next verification
_NO_ALERT = {HoldReason.IDLE_IN_OVERLAP}

CIRCUIT, FORBIDDEN, CLOCKS, ORPHAN = "circuit open", "verb forbidden", "clocks differ", "orphan"
_HELD_UP = {CIRCUIT, FORBIDDEN, CLOCKS, Need.KEEPS_FAILING, Need.STAYS_OPEN, Need.REFUSED, *BLOCKED.values()}
SHOWN_BY: dict[str, set[str]] = {
    "what is handed out is refused": {Need.REFUSED, Need.DEVICES_OUT, Need.UNVERIFIED, "document_deleted"}
    | {"foreign_document", "account_changed", "account_missing", ORPHAN},
    "an attempt stays open": {Need.STAYS_OPEN},
    "what is compromised is accepted": _HELD_UP | {Need.RETIREMENT_OVERDUE, ORPHAN},
    "a replaced credential is not retired": {Need.RETIREMENT_OVERDUE, Need.PAUSED_LONG, CLOCKS, ORPHAN}
    | {"document_deleted"},
    # After a clock was ahead, a request waits out the overlap that was stored then: a device may use what is idle.
    "a request stays": _HELD_UP | {Need.IN_THE_FUTURE},
    "nobody rotates it any more": {ORPHAN, CLOCKS, "former_path"},  # or it is about to be withdrawn
}
"""By what is wrong: the alarms of which one has to show it. Any other alarm is about something else."""


@dataclass(frozen=True)
class Wrong:
    """Something that has been wrong with a target for so long that somebody has to know."""

    kind: str
    what: str = ""

    def __str__(self) -> str:
        return f"{self.kind}: {self.what}" if self.what else self.kind


def alarms(world: FleetWorld, watched: JudgedTarget) -> set[str]:
    """What alerts would tell of a target now, or of an account that it needs."""
    state, now = world.judge.state(watched), world.clock.now()
    target = world.targets.get(watched.name)
    hold = watched.look.hold if watched.look is not None else None
    freezes = watched.look.freezes if watched.look is not None else Freezes()
    told: set[str] = set()
    seen = target or left_over(state)
    if seen is not None:
        told |= set(present_needs(TargetSnapshot(seen, state, now, hold, freezes), now))
    if hold is not None and hold.reason in BLOCKED and hold.reason not in _NO_ALERT:
        told.add(BLOCKED[hold.reason])
    configured = [name for name in world.accounts if name not in world.given_up]
    if any(orphans(state, configured, configured=target is not None)):
        told.add(ORPHAN)
    live = list(world.live())
    if any(watched.accounts & set(process.engine.throttles.open_circuits()) for process in live):
        told.add(CIRCUIT)
    if any(
        account in watched.accounts for process in live for account, _ in process.engine.throttles.forbidden_verbs()
    ):
        told.add(FORBIDDEN)
    if any(abs(process.clock.offset - world.store.ahead) > WORTH_TELLING for process in live):
        told.add(CLOCKS)
    return told


def wrongs(world: FleetWorld, watched: JudgedTarget) -> Iterator[Wrong]:
    """Whatever has been wrong with a target for long enough that somebody has to know."""
    now, judge, state = world.clock.now(), world.judge, world.judge.state(watched)
    calm = max((world.accounts[name].troubled_until or START for name in watched.accounts), default=now)

    def long_since(since: timedelta, at: object) -> bool:
        return isinstance(at, type(now)) and now - max(at, min(calm, now)) > since

    rested = max(calm, rested_until(world, watched) or START)  # what a pause or a blackout holds need not be told yet

    if watched.refused_since is not None and long_since(_UNSEEN, watched.refused_since):
        yield Wrong("what is handed out is refused")
    if watched.open_attempt is not None and long_since(_LONG, watched.open_attempt[1]):
        yield Wrong("an attempt stays open")
    for username, password, since in watched.compromised:
        if judge.accepts(watched, username, password) and long_since(_LONG, since):
            yield Wrong("what is compromised is accepted", username)
    for entry in state.ledger:
        if long_since(10 * DAY, entry.ends_at):
            yield Wrong("a replaced credential is not retired", entry.label)
    if state.request is not None and watched.name in world.targets:
        # When a moment that was stored by a clock that was ahead has come, the overlap from then still runs.
        overlap = world.targets[watched.name].policy.overlap
        replaced = (state.last_rotation, *(entry.replaced_at for entry in state.ledger))
        come = [moment + overlap for moment in replaced if moment is not None and moment <= now + FUTURE]
        begun = max([state.request.at, *come])
        if long_since(_LONG, max(begun, min(rested, now))):
            yield Wrong("a request stays")
    yield from _left_alone(world, watched)


def _left_alone(world: FleetWorld, watched: JudgedTarget) -> Iterator[Wrong]:
    if watched.given_up and is_empty(world.judge.state(watched)):
        return
    stored = world.store.states.get(watched.name)
    if stored is not None and stored.deleted:
        return  # while the target was configured, an alarm told that somebody had deleted it; nothing else knows of it
    if watched.removed_since is not None and world.clock.now() - watched.removed_since > _LONG:
        homes = {name: world.accounts[name] for name in watched.accounts}
        known = [(name, homes[name].stored.get(identity)) for name, identity in watched.forgotten if name in homes]
        told = {(name, stored.username) for name, stored in known if stored is not None}
        used = [
            one.username or ""
            for one in watched.in_use
            for name, home in homes.items()
            if home.accepts(one.username, one.password) and (name, home.folded(one.username or "")) not in told
        ]
        if used:
            yield Wrong("nobody rotates it any more", used[0])


def judge_at_rest(world: FleetWorld) -> None:
    """Judges every target as it is, faults and all, and what is left of those that were removed.

    Raises:
        PromiseBroken: something is wrong, and no alarm that belongs to it shows it.
    """
    for watched in world.judge.fleet:
        world.judge.settle(watched, by_us=False)
        out = watched.refused_since
        shown = alarms(world, watched)
        for wrong in wrongs(world, watched):
            if not shown & SHOWN_BY[wrong.kind]:
                raise PromiseBroken("not shown", watched.name, f"{wrong}; shown: {sorted(shown)}")
        by_us = out is not None and watched.refused_by_us and world.clock.now() - out > OUTAGE
        if by_us and not shown & SHOWN_BY["what is handed out is refused"]:
            raise PromiseBroken("outage", watched.name, f"devices are refused since {out:%Y-%m-%d %H:%M}")
