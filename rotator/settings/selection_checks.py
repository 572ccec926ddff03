"""Checks of selections over an account."""

from collections.abc import Iterator

from rotator.core.model import Strategy
from rotator.fields.suggestions import suggest
from rotator.providers.strategies import unsupported
from rotator.settings.problems import Finding, Loc
from rotator.settings.target_models import DEFAULT_POLICY, SelectionSettings
from rotator.settings.targets import CheckedSettings


def _selections(checked: CheckedSettings) -> Iterator[tuple[Loc, SelectionSettings]]:
    return ((("selections", position), each) for position, each in enumerate(checked.settings.selections))


def selections_are_linked(checked: CheckedSettings) -> Iterator[Finding]:
    """The account and the policy exist."""
    settings = checked.settings
    policies = {*settings.policies, DEFAULT_POLICY}
    for loc, each in _selections(checked):
        if each.provider not in settings.providers:
            remedy = suggest(each.provider, settings.providers, "providers")
            yield Finding((*loc, "provider"), "there is no provider with this name", remedy)
        if each.policy not in policies:
            yield Finding(
                (*loc, "policy"), "there is no policy with this name", suggest(each.policy, policies, "policies")
            )


def selections_are_possible(checked: CheckedSettings) -> Iterator[Finding]:
    """One username is enough for the strategy, and the provider is able to do it."""
    for loc, each in _selections(checked):
        account = checked.settings.providers.get(each.provider)
        if each.strategy is Strategy.ALTERNATING:
            what = "alternating needs two usernames for each target"
            yield Finding((*loc, "strategy"), what, "name such targets one by one")
        elif account is not None and (reason := unsupported(each.strategy, account.capabilities)) is not None:
            yield Finding((*loc, "strategy"), f"is not possible with a {account.type} account: {reason}")
        elif each.strategy is Strategy.IN_PLACE:
            what = "in-place has no overlap: devices are refused until they read Vault"
            yield Finding((*loc, "strategy"), what, fatal=False)


def selections_stay_apart(checked: CheckedSettings) -> Iterator[Finding]:
    """A username belongs to one selection, and documents of devices do not lie among the state documents."""
    prefix = checked.settings.vault.state_prefix
    seen: dict[tuple[str, str], Loc] = {}
    for loc, each in _selections(checked):
        if f"{each.path}/".startswith(f"{prefix}/"):
            what = "is inside vault.state_prefix, which only rotator may read"
            yield Finding((*loc, "path"), what, "keep the two apart, such as 'sip/{username}' and 'rotator/state'")
        for key in ("name", "path"):
            first = seen.setdefault((key, getattr(each, key)), loc)
            if first is not loc:
                what = f"has the same {key}: one target could be meant by both"
                yield Finding((*loc, key), what, "give each selection its own", other=first)
