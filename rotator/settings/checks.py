"""What must hold between the parts of a configuration: names, paths, addresses, files. `rules` has the numbers."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from rotator.core.model import Strategy
from rotator.settings.models import DEFAULT_POLICY
from rotator.settings.problems import Loc, suggest
from rotator.settings.references import Resolved
from rotator.settings.rules import RULES
from rotator.settings.section import Section
from rotator.settings.values import is_loopback
from rotator.settings.vault import RemoteVault
from rotator.settings.world import Finding, World

Check = Callable[[World], Iterator[Finding]]


def found(world: World) -> tuple[Finding, ...]:
    """Everything that the checks find, each thing once."""
    return tuple(dict.fromkeys(finding for check in CHECKS for finding in check(world)))


def names_are_unique(world: World) -> Iterator[Finding]:
    """A target's name is its state document: two of one name would overwrite each other."""
    seen: dict[str, Loc] = {}
    for loc, target in world.targets():
        first = seen.setdefault(target.name, loc)
        if first is not loc:
            what = f"the name of targets[{first[1]}] is used again"
            yield Finding((*loc, "name"), what, "give each target its own name")


def providers_exist(world: World) -> Iterator[Finding]:
    """A target's provider account is in the file."""
    known = world.configuration.providers
    for loc, target in world.targets():
        if target.provider not in known:
            yield Finding((*loc, "provider"), "no provider of this name", suggest(target.provider, known, "providers"))


def policies_exist(world: World) -> Iterator[Finding]:
    """A target's policy is in the file, or is `default`."""
    known = {*world.configuration.policies, DEFAULT_POLICY}
    for loc, target in world.targets():
        if target.policy not in known:
            yield Finding((*loc, "policy"), "no policy of this name", suggest(target.policy, known, "policies"))


def paths_are_unique(world: World) -> Iterator[Finding]:
    """Two targets at one path would publish over each other."""
    seen: dict[str, Loc] = {}
    for loc, target in world.targets():
        first = seen.setdefault(target.path, loc)
        if first is not loc:
            yield Finding((*loc, "path"), f"the path of targets[{first[1]}] is used again", "give each its own path")


def consumers_cannot_read_state(world: World) -> Iterator[Finding]:
    """Who may read a consumer document, or a folder of them, must not reach state documents that way."""
    prefix = world.configuration.vault.state_prefix
    for loc, target in world.targets():
        if f"{target.path}/".startswith(f"{prefix}/"):
            what = "lies inside vault.state_prefix, which nobody but rotator may read"
        elif f"{prefix}/".startswith(f"{target.path}/"):
            what = "vault.state_prefix lies inside this path, which devices may read"
        else:
            continue
        yield Finding((*loc, "path"), what, "keep the two apart, such as 'sip/...' and 'rotator/state'")


def paths_begin_below_the_mount(world: World) -> Iterator[Finding]:
    """Vault's own tools write the mount before the path, and its API puts `data` between the two."""
    mount = world.configuration.vault.mount
    for loc, target in world.targets():
        if target.path.startswith((f"{mount}/", "data/")):
            what = "begins like a path that has the mount in it: it is taken as a path below the mount"
            yield Finding(
                (*loc, "path"), what, "write 'sip/phone', not 'secret/sip/phone' or 'data/sip/phone'", fatal=False
            )


def credentials_are_unique(world: World) -> Iterator[Finding]:
    """One credential in two targets would be rotated by both, each undoing the other."""
    seen: dict[tuple[tuple[str, ...], str], Loc] = {}
    for use in world.uses():
        for username in use.target.credential.names:
            first = seen.setdefault((use.account.identity, username), use.loc)
            if first is not use.loc:
                what = f"targets[{first[1]}] rotates a credential of this name at the same account"
                yield Finding((*use.loc, "credential"), what, "give each target its own credential")


def strategies_are_possible(world: World) -> Iterator[Finding]:
    """The provider can do what the strategy needs."""
    for use in world.uses():
        reason = world.facts.unsupported(use.target.strategy, use.kind.capabilities)
        if reason is not None:
            yield Finding((*use.loc, "strategy"), f"a {use.account.type} account cannot do this: {reason}")


def credentials_fit_strategies(world: World) -> Iterator[Finding]:
    """`alternating` takes two different usernames, the others one; none only where the provider makes them."""
    for use in world.uses():
        credential, loc = use.target.credential, (*use.loc, "credential")
        two = use.target.strategy is Strategy.ALTERNATING
        if two and (credential.username is not None or len(credential.names) != 2 or len(set(credential.names)) != 2):
            what = "alternating needs exactly two different usernames"
            yield Finding(loc, what, "such as {usernames: [phonea, phoneb]}")
        elif not two and credential.usernames is not None:
            what = f"{use.target.strategy.value} takes one username"
            yield Finding(loc, what, "such as {username: officephone01}; two are for alternating")
        elif not credential.names and not use.kind.capabilities.generates_password:
            yield Finding(loc, "says not which credential is to be rotated", "such as {username: officephone01}")


def plain_http_is_allowed(world: World) -> Iterator[Finding]:
    """Passwords cross the network only under TLS, or where the host was named."""
    vault = world.configuration.vault
    places: list[tuple[Loc, str, tuple[str, ...]]] = []
    if isinstance(vault, RemoteVault):
        places.append((("vault", "address"), vault.address, vault.allow_plain_http))
    for name, account in world.configuration.providers.items():
        places += [(("providers", name, key), url, account.allow_plain_http) for key, url in account.addresses.items()]
    for loc, url, allowed in places:
        host = urlsplit(url).hostname or ""
        if url.startswith("http:") and not is_loopback(host) and host not in allowed:
            remedy = "use https, or name the host in allow_plain_http beside it"
            yield Finding(loc, "plain http would show every password to the network", remedy)


def vault_address_is_bare(world: World) -> Iterator[Finding]:
    """The paths of Vault's API are appended to the address."""
    vault = world.configuration.vault
    if isinstance(vault, RemoteVault) and urlsplit(vault.address).path:
        yield Finding(("vault", "address"), "has a path", "give the scheme, host and port alone; the mount is `mount`")


def ca_files_hold_certificates(world: World) -> Iterator[Finding]:
    """A CA file that cannot be used shows at start, not at the first request."""
    vault = world.configuration.vault
    files: list[tuple[Loc, Path | None]] = [
        (("providers", name, "ca_file"), account.ca_file) for name, account in world.configuration.providers.items()
    ]
    if isinstance(vault, RemoteVault):
        files.append((("vault", "ca_file"), vault.ca_file))
    for loc, file in files:
        reason = _unusable(file) if file is not None else None
        if reason is not None:
            yield Finding(loc, reason, "give a file of CA certificates in PEM form")


def _unusable(file: Path) -> str | None:
    try:
        text = file.read_bytes()
    except OSError as error:
        return f"the file cannot be read: {error.strerror}"
    return None if b"-----BEGIN CERTIFICATE-----" in text else "the file holds no certificate"


def secret_files_are_private(world: World) -> Iterator[Finding]:
    """A secret's file that everybody can read is worth a warning."""
    for loc in _exposed(world.configuration, ()):
        what = "every user of this machine can read the file of this secret"
        yield Finding(loc, what, "chmod o-rwx; in Kubernetes, defaultMode: 0440 on the volume", fatal=False)


def _exposed(part: Any, loc: Loc) -> Iterator[Loc]:
    if isinstance(part, Resolved):
        if part.exposed:
            yield loc
    elif isinstance(part, Section):
        for key in type(part).model_fields:
            yield from _exposed(getattr(part, key), (*loc, key))
    elif isinstance(part, dict):
        for key, value in part.items():
            yield from _exposed(value, (*loc, key))


CHECKS: tuple[Check, ...] = (
    names_are_unique,
    providers_exist,
    policies_exist,
    paths_are_unique,
    consumers_cannot_read_state,
    paths_begin_below_the_mount,
    credentials_are_unique,
    strategies_are_possible,
    credentials_fit_strategies,
    plain_http_is_allowed,
    vault_address_is_bare,
    ca_files_hold_certificates,
    secret_files_are_private,
    *RULES,
)
