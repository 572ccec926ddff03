"""What people do to a simulated fleet: they ask rotator, and change things at the provider and in Vault by hand."""

from random import Random
from typing import Any

from fleet_freezes import holding
from fleet_targets import JudgedTarget
from fleet_world import FleetWorld

from rotator.core.adoption import KnownToOperator
from rotator.core.freezes import passes
from rotator.core.model import Purpose, Request, Target, TargetState
from rotator.core.origin import Origin
from rotator.core.secret import Secret
from rotator.engine import Engine


def _by_person(world: FleetWorld, name: str, *, drift: bool = True) -> JudgedTarget:
    watched = world.judge.targets[name]
    watched.told_of = world.clock.now()
    if drift:
        watched.allowance += 1  # what it breaks is repaired by one rotation
    return watched


# -- what people ask for


def rotation_asked(world: FleetWorld, name: str, rng: Random) -> str | None:
    return asked(world, name, "rotate", despite_pause=rng.random() < 0.3)


def compromised(world: FleetWorld, name: str, rng: Random) -> str | None:
    watched = world.judge.targets[name]
    in_use, done = watched.in_use, asked(world, name, "rotate --compromised", compromised=True)
    for handed in in_use if done else ():
        if handed.username is not None and handed.password is not None:
            watched.compromised.append((handed.username, handed.password, world.clock.now()))
    return done


def undo_asked(world: FleetWorld, name: str, rng: Random) -> str | None:
    return asked(world, name, "undo", Purpose.UNDO)


def take_over_asked(world: FleetWorld, name: str, rng: Random) -> str | None:
    return asked(world, name, "rotate --take-over", take_over=True)


def asked(world: FleetWorld, name: str, what: str, purpose: Purpose = Purpose.ROTATE, **flags: Any) -> str | None:
    if name not in world.targets:
        return None
    request = Request(purpose, "a person", "because", world.clock.now(), **flags)
    if not passes(request) and holding(world, world.targets[name]):
        return None  # the command refuses it, and says why
    if not world.request(name, request):
        return None
    if purpose is Purpose.ROTATE:
        world.judge.targets[name].allowance += 1
    return f"somebody asks: {what}"


def attempt_given_up(world: FleetWorld, name: str, rng: Random) -> str | None:
    """`rotator abandon`, of whichever target has an attempt open."""
    opened = [one for one in world.judge.fleet if one.open_attempt is not None and one.name in world.targets]
    return give_up(world, rng.choice(opened)) if opened else None


def give_up(world: FleetWorld, watched: JudgedTarget) -> str | None:
    """`rotator abandon`."""
    target, attempt = world.targets[watched.name], world.judge.state(watched).attempt
    if attempt is None:
        return None
    done = world.command(target, lambda engine: engine.abandon(target, attempt.id, Origin("a person", "because")))
    watched.allowance += 1  # what was due is still due
    world.judge.settle(watched, by_us=False)
    world.wake(target.name)
    return f"somebody gives up what is open of {target.name}" if done is not None else None


def adopted(world: FleetWorld, name: str, rng: Random) -> str | None:
    return adopt(world, world.targets[name]) if name in world.targets else None


def adopt(world: FleetWorld, target: Target) -> str | None:
    """`rotator adopt`."""
    known = KnownToOperator()

    def act(engine: Engine) -> object:
        return engine.adopt(target, known, engine.plan_adoption(target, known), Origin("a person", "because"))

    done = world.command(target, act)
    world.wake(target.name)
    return "somebody asks: adopt" if isinstance(done, TargetState) else None


# -- people at a provider


def credential_deleted(world: FleetWorld, name: str, rng: Random) -> str | None:
    return _changed_at_provider(world, name, rng, "deletes", delete=True)


def credential_disabled(world: FleetWorld, name: str, rng: Random) -> str | None:
    return _changed_at_provider(world, name, rng, "disables", enabled=False)


def password_set(world: FleetWorld, name: str, rng: Random) -> str | None:
    return _changed_at_provider(world, name, rng, "sets a password on", password=_typed(rng))


def credential_created_again(world: FleetWorld, name: str, rng: Random) -> str | None:
    key = _key(world, name, rng)
    account = world.accounts[key[0]] if key else None
    if key is None or account is None or account.provider.kind == "telnyx":
        return None
    watched, username = _by_person(world, name), account.stored[key[1]].username
    account.person_changes(key[1], delete=True)
    account.person_creates(username.upper() if account.provider.account.folds_case else username, _typed(rng))
    for identity, stored in account.stored.items():
        if stored.username == username:
            world.judge.own(watched, (key[0], identity), by_people=True)
    return f"somebody deletes and creates a credential again at {key[0]}; {username}"


def _changed_at_provider(
    world: FleetWorld,
    name: str,
    rng: Random,
    what: str,
    *,
    delete: bool = False,
    enabled: bool | None = None,
    password: Secret | None = None,
) -> str | None:
    key = _key(world, name, rng)
    if key is None:
        return None
    _by_person(world, name)
    account = world.accounts[key[0]]
    username = account.stored[key[1]].username
    account.person_changes(key[1], delete=delete, enabled=enabled, password=password)
    return f"somebody {what} a credential at {key[0]}; {username}"


def _key(world: FleetWorld, name: str, rng: Random) -> tuple[str, str] | None:
    """The credential that is handed out, or another one of the target."""
    watched = world.judge.targets[name]
    published = world.judge.published_key(watched)
    if published is not None and rng.random() < 0.7:
        return published
    there = [key for key in watched.keys if key[1] in world.accounts[key[0]].stored]
    return rng.choice(there) if there else None


def _typed(rng: Random) -> Secret:
    return Secret(f"Typed1$by{rng.randrange(10**9)}")


# -- people at Vault


def document_rolled_back(world: FleetWorld, name: str, rng: Random) -> str | None:
    done = world.store.person_rolls_back(_path(world, name))
    return _wrote(world, name, "rolls the consumer document back") if done else None


def document_edited(world: FleetWorld, name: str, rng: Random) -> str | None:
    done = world.store.person_edits(_path(world, name), _typed(rng))
    return _wrote(world, name, "edits the consumer document") if done else None


def document_respelt(world: FleetWorld, name: str, rng: Random) -> str | None:
    """In capitals, which some providers take for the same username."""
    done = world.store.person_respells(_path(world, name))
    return _wrote(world, name, "writes the username in the consumer document in capitals") if done else None


def document_deleted(world: FleetWorld, name: str, rng: Random) -> str | None:
    done = world.store.person_deletes(_path(world, name))
    return _wrote(world, name, "deletes the consumer document") if done else None


def document_restored(world: FleetWorld, name: str, rng: Random) -> str | None:
    done = world.store.person_restores(_path(world, name))
    return _wrote(world, name, "restores the consumer document") if done else None


def state_deleted(world: FleetWorld, name: str, rng: Random) -> str | None:
    done = world.store.person_deletes(name)
    return _lost(world, name, "deletes the state document") if done else None


def state_restored(world: FleetWorld, name: str, rng: Random) -> str | None:
    done = world.store.person_restores(name)
    return _lost(world, name, "restores the deleted state document") if done else None


def state_rolled_back(world: FleetWorld, name: str, rng: Random) -> str | None:
    done = world.store.person_restores_backup(name)
    return _lost(world, name, "restores an older state document") if done else None


def _path(world: FleetWorld, name: str) -> str:
    return world.judge.targets[name].paths[-1]


def _wrote(world: FleetWorld, name: str, what: str) -> str:
    watched = _by_person(world, name)
    world.judge.see_documents(watched)
    path = _path(world, name)
    watched.by_hand[path] = watched.documents[path]
    return f"somebody {what}"


def _lost(world: FleetWorld, name: str, what: str) -> str:
    _by_person(world, name).lost_context = True
    return f"somebody {what}"
