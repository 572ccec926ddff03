"""The operator of a simulated fleet: reads the alerts every other week and runs the command that they name."""

from random import Random

from fleet_configuration import account_moved, finish_rename, letters_corrected, retire, twin
from fleet_freezes import resume_all
from fleet_judge import PromiseBroken
from fleet_people import adopt, asked, give_up
from fleet_rest import CLOCKS, ORPHAN, alarms, wrongs
from fleet_targets import JudgedTarget
from fleet_world import FleetWorld
from invariants import names_credential
from simulated_accounts import STANDING

from rotator.core.audit_words import AuditVerb
from rotator.core.holding import HoldReason
from rotator.core.left_over import is_empty, left_over, orphans
from rotator.core.model import Strategy, Target
from rotator.core.origin import Origin
from rotator.core.removal import after_forgetting, forgotten
from rotator.observe.needs import Need
from rotator.observe.target_words import BLOCKED

_VISITS = 6  # after which a command that the alerts name must have ended what was wrong
_PATIENCE = 2  # visits, until an attempt is given up
_OTHER_LETTERS = "configure it in the letters used there"


def operator_attends(world: FleetWorld, name: str, rng: Random) -> str | None:
    """Attends to every target that an alert names.

    Raises:
        PromiseBroken: what is wrong with a target outlasted so many visits, with its account well.
    """
    attended = [
        _leave(world, account.name, rng) for account in world.accounts.values() if _is_lost(world, account.name)
    ]
    for watched in world.judge.fleet:
        shown = alarms(world, watched)
        if not shown:
            watched.visits = 0
            continue
        excused = CLOCKS in shown or any(world.accounts[one].is_troubled for one in watched.accounts)
        stays = next(wrongs(world, watched), None)
        watched.visits = watched.visits + 1 if stays is not None and not excused else 0
        if watched.visits > _VISITS:
            raise PromiseBroken("no way out", watched.name, f"{stays}, after {_VISITS} visits of the operator")
        troubled = any(world.accounts[one].is_troubled for one in watched.accounts)
        if not troubled and _attend(world, watched, shown, rng, called_for=stays is not None):
            attended.append(watched.name)
    return f"the operator attends to {' '.join(attended)}" if attended else None


def _attend(world: FleetWorld, watched: JudgedTarget, shown: set[str], rng: Random, *, called_for: bool) -> object:
    target = world.targets.get(watched.name)
    hold = watched.look.hold if watched.look is not None else None
    if ORPHAN in shown:
        return _end_orphans(world, watched, target)
    held = target or left_over(world.judge.state(watched))
    if Need.PAUSED_LONG in shown and held is not None and (done := resume_all(world, held)):
        return done
    if target is None:
        left = left_over(world.judge.state(watched)) if watched.retired and Need.RETIREMENT_OVERDUE in shown else None
        return left and retire(world, left)  # somebody brought its document back
    if hold is not None and hold.reason is HoldReason.RENAMED and len(watched.names) > 1:
        return finish_rename(world, watched.names[-2], watched.name)
    if hold is not None and hold.reason is HoldReason.DOCUMENT_DELETED:
        restored = [key for key in (target.path, target.name) if world.store.person_restores(key)]
        world.judge.see_documents(watched)
        world.wake(target.name)
        return restored or adopt(world, target)
    told_of_letters = Need.KEEPS_FAILING in shown and _OTHER_LETTERS in world.judge.state(watched).last_error
    if told_of_letters and (done := letters_corrected(world, target)):
        return done
    if Need.STAYS_OPEN in shown and watched.visits > _PATIENCE:
        done = give_up(world, watched)
        watched.visits = watched.visits if watched.open_attempt else 0  # the next one is another matter
        return done
    blocked = hold is not None and hold.reason in BLOCKED
    if not blocked and not called_for and watched.refused_since is None:
        return None
    _put_right_at_provider(world, watched, target)
    if hold is not None and hold.reason is HoldReason.FOREIGN_DOCUMENT and rng.random() < 0.3:
        return adopt(world, target)
    return asked(world, target.name, "rotate --take-over --despite-pause", take_over=True, despite_pause=True)


def _put_right_at_provider(world: FleetWorld, watched: JudgedTarget, target: Target) -> None:
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


# -- what nobody ends by himself


def _is_lost(world: FleetWorld, account: str) -> bool:
    return world.accounts[account].is_lost and account not in world.given_up


def _leave(world: FleetWorld, account: str, rng: Random) -> str:
    """Every target moves away from an account that is lost, and it leaves the configuration."""
    for target in list(world.targets.values()):
        if target.account == account:
            account_moved(world, target.name, rng)
    world.given_up.add(account)
    world.removed = {name: one for name, one in world.removed.items() if one.account != account}
    for process in world.processes:
        world.reload(process, anew=True)
    world.look_at_all()
    return f"{account}, which is left for {twin(world, account)};"


def _end_orphans(world: FleetWorld, watched: JudgedTarget, target: Target | None) -> object:
    """`rotator retire`: ends what is published of a removed target; gives up what is at an account that is gone."""
    state = world.judge.state(watched)
    if state.renamed_to:
        return finish_rename(world, state.target, state.renamed_to)
    named = orphans(state, _configured(world), configured=target is not None)
    lost = sorted({each.credential.account for each in named} & world.given_up)
    if lost:
        return _forget(world, watched, target, lost)
    left = left_over(state)
    if left is None or target is not None:
        return None
    if state.attempt is not None:
        return None  # it ends first
    done = retire(world, left)
    if done:
        world.removed.pop(watched.name, None)
    return done


def _configured(world: FleetWorld) -> list[str]:
    return [name for name in world.accounts if name not in world.given_up]


def _follow_forgetting(world: FleetWorld, watched: JudgedTarget, lost: list[str]) -> None:
    """What no state names any more at a lost account is nobody's, whether or not the command had an answer.

    So is what was published of a removed target, wherever it is: a process that still has the target may look again.
    What else is published stays, and so does what a document hands out that somebody rolled back: its devices get in.
    """
    state = world.judge.state(watched)
    watched.given_up = watched.name not in world.targets and is_empty(state)  # with what is published, as it was told
    for key in list(watched.keys):
        stored = world.accounts[key[0]].stored.get(key[1])
        reached = key[0] not in lost and not watched.given_up
        if not reached and (stored is None or not names_credential((state,), key, stored)):
            del watched.keys[key]
            given_up = stored and (stored.username, stored.password)  # it stays accepted, as the operator was told
            watched.compromised = [one for one in watched.compromised if one[:2] != given_up]
    held = {account for account, _ in watched.keys} | {world.judge.published_account(watched)}
    for account in set(lost) - held:
        if not any(world.accounts[account].accepts(one.username, one.password) for one in watched.in_use):
            watched.accounts.discard(account)


def _forget(world: FleetWorld, watched: JudgedTarget, target: Target | None, lost: list[str]) -> object:
    state = world.judge.state(watched)
    left = target or left_over(state)
    if left is None:
        return None
    configured = _configured(world)
    told = forgotten(state, configured, configured=target is not None)
    watched.forgotten |= {key for key in watched.keys if any(world.judge.names(one, key) for one in told)}
    if target is not None and state.attempt is not None and state.attempt.staged.account in lost:
        give_up(world, watched)
    done = world.command(
        left,
        lambda engine: engine.removal.change(
            left.name,
            lambda known: after_forgetting(known, configured, configured=target is not None),
            AuditVerb.GIVE_UP,
            origin=Origin("a person", "because"),
        ),
    )
    _follow_forgetting(world, watched, lost)
    world.wake(left.name)
    return done
