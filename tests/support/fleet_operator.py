"""The operator of a simulated fleet: reads the alerts every other week and runs the command that they name."""

from random import Random

from fleet_judge import JudgedTarget, PromiseBroken
from fleet_people import asked
from fleet_rest import alarms, wrongs
from fleet_world import FleetWorld
from simulated_accounts import STANDING

from rotator.core.holding import HoldReason
from rotator.core.model import Strategy
from rotator.observe.target_words import BLOCKED

_VISITS = 6  # after which a command that the alerts name must have ended what was wrong


def operator_attends(world: FleetWorld, name: str, rng: Random) -> str | None:
    """Attends to every target that an alert names.

    Raises:
        PromiseBroken: what is wrong with a target outlasted so many visits, with its account well.
    """
    attended = []
    for target in list(world.targets):
        watched = world.judge.targets[target]
        if not alarms(world, watched):
            watched.visits = 0
            continue
        troubled = any(world.accounts[one].is_troubled for one in watched.accounts)
        stays = next(wrongs(world, watched), None)
        watched.visits = watched.visits + 1 if stays is not None and not troubled else 0
        if watched.visits > _VISITS:
            raise PromiseBroken("no way out", target, f"{stays}, after {_VISITS} visits of the operator")
        blocked = watched.look is not None and watched.look.hold is not None and watched.look.hold.reason in BLOCKED
        called_for = blocked or stays is not None or watched.refused_since is not None
        if called_for and not troubled and _attend(world, watched):
            attended.append(target)
    return f"the operator attends to {' '.join(attended)}" if attended else None


def _attend(world: FleetWorld, watched: JudgedTarget) -> str | None:
    target = world.targets[watched.name]
    hold = watched.look.hold if watched.look is not None else None
    if hold is not None and hold.reason is HoldReason.DOCUMENT_DELETED:
        restored = [key for key in (target.path, target.name) if world.store.person_restores(key)]
        world.judge.see_document(watched)
        world.wake(target.name)
        return " ".join(restored)
    home = world.accounts[target.account]
    there = {stored.username for stored in home.stored.values()}
    if target.strategy is Strategy.IN_PLACE:  # which cannot create it, and at some providers cannot enable it
        for username in sorted(set(target.usernames) - there):
            home.person_creates(username, STANDING)
            identity = next(reversed(home.stored))
            world.judge.own(watched, (home.name, identity), by_people=True)
        for account, identity in watched.keys:
            stored = world.accounts[account].stored.get(identity)
            if stored is not None and stored.username in target.usernames and not stored.enabled:
                world.accounts[account].person_changes(identity, enabled=True)
    for account, identity in watched.keys:  # what was deleted at the console took its grants with it
        if identity in world.accounts[account].stored:
            world.accounts[account].person_grants(world.accounts[account].stored[identity].username)
    return asked(world, target.name, "rotate --take-over", take_over=True)
