"""How the configuration of a simulated fleet changes: policies, names, paths, accounts, strategies; targets end."""

from dataclasses import replace
from random import Random

from engine_harness import DAY
from fleet_people import asked
from fleet_targets import half_interval
from fleet_world import FleetWorld
from simulated_accounts import STANDING

from rotator.core.audit_words import AuditVerb
from rotator.core.blackouts import Blackout, Extent
from rotator.core.left_over import is_empty
from rotator.core.model import Strategy, Target
from rotator.core.origin import Origin
from rotator.core.removal import after_retirement

_WHO = Origin("a person", "because")


def policy_changed(world: FleetWorld, name: str, rng: Random) -> str | None:
    if name not in world.targets:
        return None
    policy, watched = rng.choice(list(world.policies.values())), world.judge.targets[name]
    watched.interval = min(watched.interval, half_interval(policy))
    world.change_target(name, policy=policy)
    _read_by_one(world, rng)
    return f"{name} gets {policy.name}"


def blackout_planned(world: FleetWorld, name: str, rng: Random) -> str | None:
    """A change freeze in the policy of a target, for all that have it; those that are over are taken out."""
    target, now = world.targets.get(name), world.clock.now()
    if target is None:
        return None
    start = now + rng.uniform(0, 30) * DAY
    planned = Blackout(start, start + rng.uniform(1, 20) * DAY, "a change freeze", rng.choice(tuple(Extent)))
    policy = world.policies[target.policy.name]
    lasting = [blackout for blackout in policy.blackouts if blackout.end > now]
    world.change_policy(replace(policy, blackouts=(*lasting, planned)))
    _read_by_one(world, rng)
    return f"{policy.name} has a blackout from {start:%Y-%m-%d} to {planned.end:%Y-%m-%d}: {planned.extent.value}"


def target_removed(world: FleetWorld, name: str, rng: Random) -> str | None:
    if name not in world.targets:
        return None
    world.removed[name] = world.remove_target(name)
    _read_by_one(world, rng)
    return f"{name} is removed"


def target_added_again(world: FleetWorld, name: str, rng: Random) -> str | None:
    if not world.removed:
        return None
    back = rng.choice(sorted(world.removed))
    world.add_target(world.removed.pop(back))
    _read_by_one(world, rng)
    return f"{back} is configured again"


def target_renamed(world: FleetWorld, name: str, rng: Random) -> str | None:
    """In the configuration, and by the command; now and then somebody forgets that until an alert reminds him."""
    new = f"{name}x"
    if name not in world.targets or new in world.judge.targets:
        return None
    world.judge.rename(world.judge.targets[name], new)
    world.targets[new] = replace(world.targets.pop(name), name=new)
    _read_by_one(world, rng)
    if rng.random() < 0.7:
        finish_rename(world, name, new, dies_at=rng.choice((0, 0, rng.randrange(1, 6))))
    return f"{name} is {new} now"


def finish_rename(world: FleetWorld, old: str, new: str, dies_at: int = 0) -> object:
    """`rotator rename`, which may be cut anywhere and repeated, also if the target was removed since."""
    return world.command(
        world.targets.get(new) or world.removed[new],
        lambda engine: engine.removal.rename(old, new, origin=_WHO),
        dies_at=dies_at,
    )


def path_moved(world: FleetWorld, name: str, rng: Random) -> str | None:
    if name not in world.targets:
        return None
    path = f"sip/{name}/{rng.randrange(3)}"
    if path == world.targets[name].path:
        return None
    watched = world.judge.targets[name]
    before = world.store.states.get(watched.names[-2]) if len(watched.names) > 1 else None
    if before is not None and not is_empty(before.state):
        return None  # it was renamed only in the configuration: with another path as well nobody can tell whose it is
    if watched.refused_since is not None and not watched.refused_by_us:
        # Not promised (docs/guarantees.md): somebody rolled the document back to a credential that is gone, and moves
        # the path while the alert says so. At the old path it is like the document of another target that reads there
        # by now, which an alert without an end would be wrong about: it stays as it is, and the audit has it.
        return None
    world.judge.move(watched, path)
    world.change_target(name, path=path)
    _read_by_one(world, rng)
    return f"{name} moves to {path}"


def account_moved(world: FleetWorld, name: str, rng: Random) -> str | None:
    """To the other account of its kind, where its usernames are made by hand, as the procedure says."""
    target = world.targets.get(name)
    other = None if target is None else twin(world, target.account)
    if target is None or other is None:
        return None
    _make_missing(world, name, other, target.usernames[:1] if target.new else target.usernames)
    world.change_target(name, account=other)
    _read_by_one(world, rng)
    return f"{name} moves to {other}; {asked(world, name, 'rotate')}"


def strategy_changed(world: FleetWorld, name: str, rng: Random) -> str | None:
    target = world.targets.get(name)
    if target is None:
        return None
    strategy = rng.choice(world.accounts[target.account].strategies)
    if strategy is target.strategy:
        return None
    first = target.usernames[:1]
    usernames = (*first, f"{first[0]}b") if strategy is Strategy.ALTERNATING else first
    _make_missing(world, name, target.account, usernames)
    world.judge.targets[name].allowance += 1  # an attempt of the other strategy ends, and its request is renewed
    world.change_target(name, strategy=strategy, usernames=usernames, new=False)
    _read_by_one(world, rng)
    return f"{name} is {strategy.value} now"


def letters_corrected(world: FleetWorld, target: Target) -> str | None:
    """The second username as the account has it: the message says so where somebody has made it again.

    None if the message is of the time when the target had a second one.
    """
    if target.strategy is not Strategy.ALTERNATING:
        return None
    first, second = target.usernames
    world.change_target(target.name, usernames=(first, second.lower()))
    configuration_reloaded(world, target.name, Random(0))
    return f"{target.name} has {second.lower()}"


def target_retired(world: FleetWorld, name: str, rng: Random) -> str | None:
    """`rotator retire --published`, and then it is taken out of the configuration."""
    target = world.targets.get(name)
    if target is None or not retire(world, target):
        return None
    world.remove_target(name)
    _read_by_one(world, rng)
    return f"{name} is retired"


def retire(world: FleetWorld, target: Target) -> bool:
    """`rotator retire --published`; False if it could not be done, or if its answer was lost.

    Every process notices: a daemon lists what is left of removed targets every ten minutes.
    """
    now = world.clock.now()
    done = world.command(
        target,
        lambda engine: engine.removal.change(
            target.name,
            lambda state: after_retirement(state, target.policy, now, _WHO, at_once=False),
            AuditVerb.REQUEST_RETIREMENT,
            origin=_WHO,
        ),
    )
    watched = world.judge.targets[target.name]
    watched.retired = world.judge.state(watched).retired_at is not None
    world.wake(target.name)
    return watched.retired and done is not None


def configuration_reloaded(world: FleetWorld, name: str, rng: Random) -> str | None:
    for process in world.processes:
        world.reload(process)
    return "all processes reload"


def twin(world: FleetWorld, account: str) -> str | None:
    """The other account of the same kind."""
    stem, _, letter = account.rpartition("-")
    other = f"{stem}-{'b' if letter == 'a' else 'a'}"
    return other if letter in ("a", "b") and other not in world.given_up else None


def _make_missing(world: FleetWorld, name: str, account: str, usernames: tuple[str, ...]) -> None:
    home, watched = world.accounts[account], world.judge.targets[name]
    watched.accounts.add(account)
    there = {stored.username for stored in home.stored.values()}
    for username in usernames:
        if username not in there:
            home.person_creates(username, STANDING)
            world.judge.own(watched, (account, next(reversed(home.stored))), by_people=True)


def _read_by_one(world: FleetWorld, rng: Random) -> None:
    """One process reads a changed configuration before the others."""
    world.reload(rng.choice(world.processes))
