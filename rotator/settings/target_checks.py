"""Checks of targets: names, paths, credentials, strategies."""

import re
from collections.abc import Iterator
from fnmatch import fnmatchcase

from rotator.core.model import Strategy
from rotator.core.naming import extreme_usernames, username_stem
from rotator.fields.suggestions import suggest
from rotator.providers.strategies import unsupported
from rotator.settings.problems import Finding, Loc
from rotator.settings.target_models import DEFAULT_POLICY
from rotator.settings.targets import CheckedSettings, LinkedTarget


def names_are_unique(checked: CheckedSettings) -> Iterator[Finding]:
    """Two targets with one name would overwrite each other's state document."""
    seen: dict[str, Loc] = {}
    for loc, target in checked.targets:
        first = seen.setdefault(target.name, loc)
        if first is not loc:
            yield Finding((*loc, "name"), "has the same name", "give each target its own name", other=first)


def providers_exist(checked: CheckedSettings) -> Iterator[Finding]:
    """A target's provider account is in the file."""
    for loc, target in checked.targets:
        if target.provider not in checked.settings.providers:
            remedy = suggest(target.provider, checked.settings.providers, "providers")
            yield Finding((*loc, "provider"), "there is no provider with this name", remedy)


def policies_exist(checked: CheckedSettings) -> Iterator[Finding]:
    """A target's policy is in the file, or is `default`."""
    known = {*checked.settings.policies, DEFAULT_POLICY}
    for loc, target in checked.targets:
        if target.policy not in known:
            remedy = suggest(target.policy, known, "policies")
            yield Finding((*loc, "policy"), "there is no policy with this name", remedy)


def paths_are_unique(checked: CheckedSettings) -> Iterator[Finding]:
    """Two targets with one path would overwrite each other's consumer document."""
    seen: dict[str, Loc] = {}
    for loc, target in checked.targets:
        first = seen.setdefault(target.path, loc)
        if first is not loc:
            yield Finding((*loc, "path"), "has the same path", "give each target its own path", other=first)


def consumers_cannot_read_state(checked: CheckedSettings) -> Iterator[Finding]:
    """Permission to read a consumer document, or a folder of them, does not reach state documents."""
    prefix = checked.settings.vault.state_prefix
    for loc, target in checked.targets:
        if f"{target.path}/".startswith(f"{prefix}/"):
            what = "is inside vault.state_prefix, which only rotator may read"
        elif f"{prefix}/".startswith(f"{target.path}/"):
            what = "contains vault.state_prefix, but devices may read this path"
        else:
            continue
        yield Finding((*loc, "path"), what, "keep the two apart, such as 'sip/phone' and 'rotator/state'")


def paths_begin_below_the_mount(checked: CheckedSettings) -> Iterator[Finding]:
    """Vault's tools write the mount before the path, and its API puts `data` between the two."""
    for loc, target in checked.targets:
        if target.path.startswith((f"{checked.settings.vault.mount}/", "data/")):
            what = "seems to contain the mount, but paths are relative to the mount"
            remedy = "write 'sip/phone', not 'secret/sip/phone' or 'data/sip/phone'"
            yield Finding((*loc, "path"), what, remedy, fatal=False)


def credentials_are_unique(checked: CheckedSettings) -> Iterator[Finding]:
    """Two targets would rotate one credential against each other."""
    seen: dict[tuple[tuple[str, ...], str], Loc] = {}
    for linked in checked.linked:
        for username in linked.target.credential.names:
            first = seen.setdefault((linked.account.namespace, username.casefold()), linked.loc)
            if first is not linked.loc:
                what = "rotates a credential with the same username at the same account"
                yield Finding((*linked.loc, "credential"), what, "give each target its own credential", other=first)


def strategies_are_possible(checked: CheckedSettings) -> Iterator[Finding]:
    """The provider has the abilities that the strategy needs."""
    for linked in checked.linked:
        reason = unsupported(linked.target.strategy, linked.capabilities)
        if reason is not None:
            what = f"is not possible with a {linked.account.type} account: {reason}"
            yield Finding((*linked.loc, "strategy"), what)


def credentials_fit_strategies(checked: CheckedSettings) -> Iterator[Finding]:
    """`alternating` needs two different usernames. The others need one, or none if the provider generates them."""
    for linked in checked.linked:
        credential, loc = linked.target.credential, (*linked.loc, "credential")
        two = linked.target.strategy is Strategy.ALTERNATING
        different = {name.casefold() for name in credential.names}  # some providers do not tell case apart
        if two and (credential.username is not None or len(credential.names) != 2 or len(different) != 2):
            what = "alternating needs exactly two different usernames"
            yield Finding(loc, what, "name two, such as {usernames: [phonea, phoneb]}")
        elif not two and credential.usernames is not None:
            what = f"{linked.target.strategy.value} needs one username"
            yield Finding(loc, what, "name one, such as {username: officephone01}; only alternating takes two")
        elif not credential.names and not linked.capabilities.generates_password:
            yield Finding(loc, "names no credential to rotate", "add one, such as {username: officephone01}")
        if credential.new and linked.target.strategy is Strategy.IN_PLACE:
            what = "in-place sets the password of an existing credential and cannot create one"
            yield Finding((*loc, "new"), what, "remove it")


def consumers_learn_where_to_dial(checked: CheckedSettings) -> Iterator[Finding]:
    """`in-place` asks for no trunk, which alone says where its credential is let in."""
    for linked in checked.kinds:
        can = linked.capabilities
        asked = can.proves_attached or linked.target.strategy is not Strategy.IN_PLACE
        if can.attaches and not asked and not linked.account.devices_host:
            what = "consumer documents of in-place targets will not say which host to dial"
            remedy = "add host, or prove_at_trunk, which asks the trunk that names the credential"
            yield Finding(("providers", linked.target.provider), what, remedy, fatal=False)


def usernames_are_valid(checked: CheckedSettings) -> Iterator[Finding]:
    """The provider accepts the usernames that rotator will create."""
    patterns = {linked.target.provider: re.compile(linked.capabilities.username_pattern) for linked in checked.kinds}
    for linked in checked.linked:
        pattern = patterns[linked.target.provider]
        if not all(pattern.fullmatch(name) for name in _new_usernames(linked)):
            what = f"the {linked.account.type} account would reject usernames derived from this"
            yield Finding((*linked.loc, "credential"), what, f"choose one that matches {pattern.pattern}")


def usernames_are_as_documented(checked: CheckedSettings) -> Iterator[Finding]:
    """A username that the provider's pages advise against may be mistyped; one warning for each account."""
    strange: dict[str, list[tuple[LinkedTarget, str]]] = {}
    for linked in checked.linked:
        credential, pattern = linked.target.credential, linked.capabilities.username_pattern
        refused = not all(re.fullmatch(pattern, name) for name in _new_usernames(linked))  # by the check above
        there = () if credential.new or refused else credential.names
        name = next((name for name in there if not re.fullmatch(pattern, name)), None)
        if name is not None:
            strange.setdefault(linked.target.provider, []).append((linked, name))
    for (first, name), *more in strange.values():
        form = f"the form that {first.account.type} is sure to accept"
        what = f"{name!r} does not match {first.capabilities.username_pattern}, {form}"
        if more:
            are = "more target of this account is" if len(more) == 1 else "more targets of this account are"
            what += f" ({len(more):,} {are} like it)"
        yield Finding((*first.loc, "credential"), what, "keep it if the account shows exactly this name", fatal=False)


def _new_usernames(linked: LinkedTarget) -> tuple[str, ...]:
    """Returns the usernames that rotator would create; for `replace` the two extremes of the random part."""
    if linked.target.strategy is Strategy.ALTERNATING:
        return linked.target.credential.names
    if linked.target.strategy is Strategy.IN_PLACE or linked.capabilities.generates_password:
        return ()
    return extreme_usernames(username_stem(linked.target.credential.names, linked.target.name))


def signal_rotates_targets(checked: CheckedSettings) -> Iterator[Finding]:
    """Each entry of `signal_rotates` names a target: a signal that rotates nothing would be found out too late."""
    if checked.settings.selections:
        return  # what they will find is not known here
    names = [target.name for _, target in checked.targets]
    if not names:
        return  # of a draft, whose targets are not known yet
    for position, pattern in enumerate(checked.settings.daemon.signal_rotates):
        if not any(fnmatchcase(name, pattern) for name in names):
            loc = ("daemon", "signal_rotates", position)
            yield Finding(loc, "matches no target", suggest(pattern, names, "targets"))


def in_place_has_no_overlap(checked: CheckedSettings) -> Iterator[Finding]:
    """Warns for each target, since the outage surprises anyone who has not read about strategies."""
    for linked in checked.linked:
        if not linked.overlaps:
            what = "in-place has no overlap: devices are refused until they read Vault"
            yield Finding((*linked.loc, "strategy"), what, fatal=False)
