"""The verbs of the port, each with a situation in which it is asked, and with what is true where it was done."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from account_under_test import FIRST, SECOND, AccountUnderTest, done_value
from provider_fixtures import done_if_gone

from rotator.core.answers import Answer
from rotator.core.model import Capabilities, Credential, Proof
from rotator.ports import Provider

HOUR = timedelta(hours=1)


@dataclass(frozen=True)
class VerbCheck:
    """One verb."""

    name: str
    able: Callable[[Capabilities], bool]
    prepare: Callable[[AccountUnderTest], Credential]  # makes the situation; what the verb is asked about
    ask: Callable[[AccountUnderTest, Provider, Credential], Answer[Any]]
    holds: Callable[[AccountUnderTest, Credential, Any], bool]  # what `Done` with this value says is so
    writes: bool = True

    def __str__(self) -> str:
        return self.name


def existing_credential(account: AccountUnderTest) -> Credential:
    return account.add()


def _with_another_password(account: AccountUnderTest) -> Credential:
    one = account.add()
    if not account.provider.capabilities.sets_password:
        return one
    return replace(one, password=SECOND)


def _to_be_made(account: AccountUnderTest) -> Credential:
    account.predecessor()
    return account.staged()


def _lost_create(account: AccountUnderTest) -> Credential:
    """What a create has made whose answer was lost: only its id is known, as `find` returns it."""
    staged = account.staged()
    made = done_value(account.provider.create(staged, "office", account.predecessor()))
    return replace(staged, id=made.id, username=made.username)


def _disabled_credential(account: AccountUnderTest) -> Credential:
    """Disabled, where that can be undone; else with an end that has not come, where that can be set."""
    one = account.add()
    can = account.provider.capabilities
    if can.disables and can.re_enables:
        done_value(account.provider.disable(one))
    elif can.expires:
        done_value(account.provider.expire(one, account.clock.now() + HOUR))
    return one


def _is_found(account: AccountUnderTest, one: Credential, found: Any) -> bool:
    return [(each.id, each.username) for each in found] == [(one.id, one.username)]


def _is_made(account: AccountUnderTest, staged: Credential, made: Any) -> bool:
    chosen = staged.password is None or (made.username, made.password) == (staged.username, staged.password)
    held = account.record_of(made)
    return chosen and held is not None and held.username == made.username and account.accepts(made)


def _is_set(account: AccountUnderTest, one: Credential, changed: Any) -> bool:
    old = one.password != FIRST and account.accepts(replace(one, password=FIRST))
    return changed.id == one.id and changed.password == one.password and account.accepts(one) and not old


def _is_enabled(account: AccountUnderTest, one: Credential, enabled: Any) -> bool:
    held = account.record_of(one)
    return held is not None and held.enabled and account.accepts(replace(one, password=enabled.password))


def _ends(account: AccountUnderTest, one: Credential, _: None) -> bool:
    held = account.record_of(one)
    return held is not None and held.ends is not None and abs(held.ends - account.clock.now() - HOUR) < HOUR / 30


def _is_disabled(account: AccountUnderTest, one: Credential, _: None) -> bool:
    held = account.record_of(one)
    return held is not None and not account.accepts(one) and (not held.enabled or account.simulated.has_ended(held))


def _is_gone(account: AccountUnderTest, one: Credential, _: None) -> bool:
    return account.record_of(one) is None and (account.description.lingers or not account.accepts(one))


def _works(account: AccountUnderTest, one: Credential, how: Any) -> bool:
    return isinstance(how, Proof) and account.accepts(one)


def _nobody_is_there(account: AccountUnderTest, one: Credential, usage: Any) -> bool:
    """Says no, and yes as soon as a device is registered."""
    account.simulated.bind(one.username, "sip:phone@192.0.2.1", 600, "phone")
    seen = done_value(account.provider.usage(one))
    account.simulated.bind(one.username, "sip:phone@192.0.2.1", 0, "phone")
    return usage.in_use is False and seen.in_use is True


VERBS = {
    verb.name: verb
    for verb in (
        VerbCheck(
            "find",
            lambda can: can.lists,
            existing_credential,
            lambda account, provider, one: provider.find(replace(one, password=None)),
            _is_found,
            writes=False,
        ),
        VerbCheck(
            "create",
            lambda can: can.creates,
            _to_be_made,
            lambda account, provider, one: provider.create(one, "office", account.predecessor()),
            _is_made,
        ),
        VerbCheck(
            "complete",
            lambda can: can.creates,
            _lost_create,
            lambda account, provider, one: provider.complete(one, account.predecessor()),
            _is_made,
        ),
        VerbCheck(
            "set_password",
            lambda can: can.sets_password,
            _with_another_password,
            lambda account, provider, one: provider.set_password(one),
            _is_set,
        ),
        VerbCheck(
            "enable",
            lambda can: True,  # what is enabled stays so, with its password in force, at every provider
            _disabled_credential,
            lambda account, provider, one: provider.enable(one),
            _is_enabled,
        ),
        VerbCheck(
            "expire",
            lambda can: can.expires,
            existing_credential,
            lambda account, provider, one: provider.expire(one, account.clock.now() + HOUR),
            _ends,
        ),
        VerbCheck(
            "disable",
            lambda can: can.disables,
            existing_credential,
            lambda account, provider, one: provider.disable(one),
            _is_disabled,
        ),
        VerbCheck(
            "delete",
            lambda can: can.deletes,
            existing_credential,
            lambda account, provider, one: done_if_gone(provider.delete(one)),
            _is_gone,
        ),
        VerbCheck(
            "usage",
            lambda can: can.shows_usage,
            existing_credential,
            lambda account, provider, one: provider.usage(one),
            _nobody_is_there,
            writes=False,
        ),
        VerbCheck(
            "prove",
            lambda can: True,
            existing_credential,
            lambda account, provider, one: provider.prove(one),
            _works,
            writes=False,
        ),
    )
}
"""All ten."""
