"""What rotator owes within the hour while nothing is in its way: no alarm makes up for it, and nobody has to ask."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import product
from typing import TYPE_CHECKING

from fleet_targets import HandedOut, JudgedTarget

from rotator.core.holding import HoldReason
from rotator.core.model import Listed, Strategy, TargetState, is_same_name
from rotator.engine import Look

if TYPE_CHECKING:
    from fleet_world import FleetWorld

Neglected = tuple[str, str]
"""The rule that was broken, and how."""
OUTAGE = timedelta(hours=1)  # of an in-place target: the propagation window, a crash and one recovery
_REPAIRED = (Listed.GONE, Listed.DISABLED)


def neglected_by_look(
    world: "FleetWorld", watched: JudgedTarget, look: Look, state: TargetState
) -> Iterator[Neglected]:
    """What a look at a configured target should have done."""
    if look.hold is None:
        return
    last = state.verification
    is_refused = look.hold.reason is HoldReason.PUBLISHED_REFUSED and last is not None and not last.repaired
    held = any(freeze.reason is HoldReason.PAUSED for freeze in look.freezes.in_force)
    if is_refused and not held and last is not None and last.listed in _REPAIRED:
        yield "not repaired", f"what is published is {last.listed}"
    waits = state.attempt is not None or state.request is not None or look.hold.reason.end.blocks
    if not waits and not watched.lost_context:
        yield from _compromised(world, watched, state)


def _compromised(world: "FleetWorld", watched: JudgedTarget, state: TargetState) -> Iterator[Neglected]:
    """What leaked is accepted although the rotation that replaced it is over, and its account can be asked."""
    asked = [world.accounts[name] for name in watched.accounts if name not in world.given_up]
    for username, password, since in watched.compromised:
        in_vain = any(one.failures for one in state.ledger if is_same_name(one.credential.username, username))
        long = world.clock.now() - _calm_since(world, watched, since) > OUTAGE
        if long and not in_vain and any(one.accepts(username, password) for one in asked if not one.is_lost):
            yield "compromised", f"{username} is accepted, asked to end at {since:%Y-%m-%d %H:%M}"


def neglected_while_refused(
    world: "FleetWorld", watched: JudgedTarget, refused: list[HandedOut], state: TargetState
) -> Iterator[Neglected]:
    """What should have been done for devices that are refused."""
    yield from _not_put_back(world, watched, state)
    clocks_differ = world.store.ahead or any(one.clock.offset for one in world.processes)
    if not (watched.lost_context or clocks_differ or world.had_another_key):
        yield from _not_lifted(world, watched, refused)


def _not_put_back(world: "FleetWorld", watched: JudgedTarget, state: TargetState) -> Iterator[Neglected]:
    """In place, the old password is put back in time if the new one is not accepted, unless it leaked."""
    attempt, since = state.attempt, watched.refused_since
    if attempt is None or since is None or not watched.refused_by_us or attempt.strategy is not Strategy.IN_PLACE:
        return
    old = attempt.predecessor
    # A process that has another account's key may have come between: that holds the target, and shows.
    has_wrong_key = any(set(watched.accounts) & set(process.keys) for process in world.processes)
    is_configured = attempt.staged.account not in world.given_up
    known = old is not None and old.password is not None and is_configured and not has_wrong_key
    if known and not attempt.compromised and world.clock.now() - _calm_since(world, watched, since) > OUTAGE:
        yield "outage", f"{attempt.staged.username} is refused since {since:%Y-%m-%d %H:%M}"


def _not_lifted(world: "FleetWorld", watched: JudgedTarget, refused: list[HandedOut]) -> Iterator[Neglected]:
    """An end that was told in advance is taken back if somebody hands the credential out again."""
    for (account, identity), handed in product(watched.keys, refused):
        home = world.accounts[account]
        stored, end = home.stored.get(identity), home.ends.get(identity)
        if stored is None or end is None or (stored.username, stored.password) != (handed.username, handed.password):
            continue
        if account not in world.given_up and end - _calm_since(world, watched, handed.since) > OUTAGE:
            yield "handed out", f"{stored.username} ended by itself, and was not to"


def _calm_since(world: "FleetWorld", watched: JudgedTarget, at: datetime) -> datetime:
    """The moment from which nothing was in rotator's way; not before `at`."""
    moments = [at, watched.told_of, world.store.unavailable_until, *(one.down_until for one in world.processes)]
    moments += [world.accounts[name].troubled_until for name in watched.accounts]
    return max(moment for moment in moments if moment is not None)
