"""The verbs of the port, each with a situation in which it is asked, and with what is true where it was done."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from place import FIRST, SECOND, Place, value

from rotator.core.answers import Answer
from rotator.core.model import Capabilities, Credential, Proof
from rotator.ports import Provider

HOUR = timedelta(hours=1)


@dataclass(frozen=True)
class Verb:
    """One verb."""

    name: str
    able: Callable[[Capabilities], bool]
    prepare: Callable[[Place], Credential]  # makes the situation; what the verb is asked about
    ask: Callable[[Place, Provider, Credential], Answer[Any]]
    holds: Callable[[Place, Credential, Any], bool]  # what `Done` with this value says is so
    writes: bool = True

    def __str__(self) -> str:
        return self.name


def there(place: Place) -> Credential:
    return place.add()


def _other_password(place: Place) -> Credential:
    one = place.add()
    if not place.honest.capabilities.sets_password:
        return one
    return replace(one, password=SECOND)


def _to_be_made(place: Place) -> Credential:
    place.like()
    return place.staged()


def _lost_create(place: Place) -> Credential:
    """What a create has made whose answer was lost: only its id is known, as `find` returns it."""
    staged = place.staged()
    made = value(place.honest.create(staged, "office", place.like()))
    return replace(staged, id=made.id, username=made.username)


def _disabled(place: Place) -> Credential:
    """Disabled, where that can be undone; else with an end that has not come, where that can be set."""
    one = place.add()
    can = place.honest.capabilities
    if can.disables and can.re_enables:
        value(place.honest.disable(one))
    elif can.expires:
        value(place.honest.expire(one, place.clock.now() + HOUR))
    return one


def _is_there(place: Place, one: Credential, found: Any) -> bool:
    return [(each.id, each.username) for each in found] == [(one.id, one.username)]


def _made(place: Place, staged: Credential, made: Any) -> bool:
    chosen = staged.password is None or (made.username, made.password) == (staged.username, staged.password)
    held = place.held(made)
    return chosen and held is not None and held.username == made.username and place.accepts(made)


def _set(place: Place, one: Credential, changed: Any) -> bool:
    old = one.password != FIRST and place.accepts(replace(one, password=FIRST))
    return changed.id == one.id and changed.password == one.password and place.accepts(one) and not old


def _enabled(place: Place, one: Credential, enabled: Any) -> bool:
    held = place.held(one)
    return held is not None and held.enabled and place.accepts(replace(one, password=enabled.password))


def _ends(place: Place, one: Credential, _: None) -> bool:
    held = place.held(one)
    return held is not None and held.ends is not None and abs(held.ends - place.clock.now() - HOUR) < HOUR / 30


def _is_disabled(place: Place, one: Credential, _: None) -> bool:
    held = place.held(one)
    return held is not None and not place.accepts(one) and (not held.enabled or place.account.has_ended(held))


def _is_gone(place: Place, one: Credential, _: None) -> bool:
    return place.held(one) is None and (place.row.lingers or not place.accepts(one))


def _works(place: Place, one: Credential, how: Any) -> bool:
    return isinstance(how, Proof) and place.accepts(one)


VERBS = {
    verb.name: verb
    for verb in (
        Verb(
            "find",
            lambda can: can.lists,
            there,
            lambda place, provider, one: provider.find(replace(one, password=None)),
            _is_there,
            writes=False,
        ),
        Verb(
            "create",
            lambda can: can.creates,
            _to_be_made,
            lambda place, provider, one: provider.create(one, "office", place.like()),
            _made,
        ),
        Verb(
            "complete",
            lambda can: can.creates,
            _lost_create,
            lambda place, provider, one: provider.complete(one, place.like()),
            _made,
        ),
        Verb(
            "set_password",
            lambda can: can.sets_password,
            _other_password,
            lambda place, provider, one: provider.set_password(one),
            _set,
        ),
        Verb(
            "enable",
            lambda can: True,  # what is enabled stays so, with its password in force, at every provider
            _disabled,
            lambda place, provider, one: provider.enable(one),
            _enabled,
        ),
        Verb(
            "expire",
            lambda can: can.expires,
            there,
            lambda place, provider, one: provider.expire(one, place.clock.now() + HOUR),
            _ends,
        ),
        Verb(
            "disable",
            lambda can: can.disables,
            there,
            lambda place, provider, one: provider.disable(one),
            _is_disabled,
        ),
        Verb(
            "delete",
            lambda can: can.deletes,
            there,
            lambda place, provider, one: provider.delete(one),
            _is_gone,
        ),
        Verb(
            "prove",
            lambda can: True,
            there,
            lambda place, provider, one: provider.prove(one),
            _works,
            writes=False,
        ),
    )
}
"""All nine."""
