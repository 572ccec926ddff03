"""Makes provider accounts from their configuration: the rows of the registry are filled in here, by name."""

from collections.abc import Callable, Mapping
from dataclasses import MISSING, fields
from typing import Any
from urllib.parse import urlsplit

from rotator.core.model import Capabilities
from rotator.core.secret import Secret
from rotator.providers import registry
from rotator.providers.http.client import HttpOptions, Timeouts
from rotator.providers.http.rate_limit import RateLimit
from rotator.providers.sip.register import Address
from rotator.settings.accounts import Account
from rotator.settings.references import InVault, Resolved
from rotator.settings.values import HostPort
from rotator.settings.world import Kind, ProviderFacts

ReadVault = Callable[[str, str], Secret]


def options_of(account: Account, read_vault: ReadVault) -> Any:
    """The options that the registry's row asks for, from the keys of the same name; its defaults for the rest.

    Raises StoreError where a secret lies in Vault and cannot be read.
    """
    wanted = registry.KINDS[account.type].options
    given = {field.name: getattr(account, field.name, None) for field in fields(wanted)}
    return wanted(**{name: _value(value, read_vault) for name, value in given.items() if value is not None})


def http_options(name: str, account: Account, options: Any, *, read_only: bool) -> HttpOptions:
    """How the account is reached. `read_only`: every request but GET is refused."""
    host = urlsplit(account.base_url).hostname or ""
    return HttpOptions(
        account=name,
        base_url=account.base_url,
        headers=registry.KINDS[account.type].headers(options),
        rate_limit=RateLimit(account.rate_limit.requests, account.rate_limit.per),
        ca_file=account.ca_file,
        allow_plain_http=host in account.allow_plain_http,
        read_only=read_only,
    )


def provider_facts() -> ProviderFacts:
    """What the configuration's checks have to know of each type of account, without connecting to any."""
    kinds = {name: Kind(_capabilities(kind), Timeouts().longest_call) for name, kind in registry.KINDS.items()}
    return ProviderFacts(kinds, registry.unsupported)


def _value(value: Any, read_vault: ReadVault) -> Any:
    if isinstance(value, Resolved | InVault):
        return value.resolve(read_vault)
    return Address(value.host, value.port) if isinstance(value, HostPort) else value


def _capabilities(kind: registry.Kind) -> Capabilities:
    """Of an account with nothing but what is required; no capability that a check asks for depends on the rest."""
    required: Mapping[str, Any] = {
        field.name: Secret("sample") if field.type is Secret else "sample"
        for field in fields(kind.options)
        if field.default is MISSING and field.default_factory is MISSING
    }
    return kind.capabilities(kind.options(**required))
