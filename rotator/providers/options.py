"""The options that the accounts of all providers share.

One model declares each key, default and rule of a kind of credential. It is the section of the configuration and, once
its secrets are read, what the adapter is built from.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, time, timedelta
from hashlib import blake2b, pbkdf2_hmac
from pathlib import Path
from typing import ClassVar, Self, get_args

from pydantic import Field

from rotator.core.account_key import AccountKey, life_in_token
from rotator.core.model import Capabilities, Proof
from rotator.core.secret import Secret
from rotator.fields.network import HostName, HostPort, Rate, RateLimit, Registrar, SipTransport, Url, is_loopback
from rotator.fields.proxy import ProxySettings
from rotator.fields.references import InVault, Resolved, VaultReader
from rotator.fields.section import Section
from rotator.fields.text import FilePath
from rotator.fields.times import Day, Duration, Grace, VerifyInterval
from rotator.providers.http.client import HttpOptions

_ROUNDS = 200_000


def _beginning(day: date | None) -> datetime | None:
    return datetime.combine(day, time.min, UTC) if day is not None else None


def one_way(secrets: Iterable[Secret]) -> str:
    """Returns a text that equal secrets share and that costs too much to try secrets on: it is stored and logged."""
    text = "\0".join(secret.reveal() for secret in secrets)
    return pbkdf2_hmac("sha256", text.encode(), b"rotator: the name of an account", _ROUNDS).hex()


def account_key(account: tuple[str, ...]) -> str:
    """Returns a name for an account that tells nothing about it."""
    return blake2b("\0".join(account).encode(), digest_size=10).hexdigest()


class KeyDates(Section):
    """What the provider's console says of the account's key, which no API tells."""

    made: Day | None = None
    """The day on which it was made: change it when you change the key. A key that is a JWT says so itself."""
    expires: Day | None = None
    """The day on which it expires; default never, or what a JWT says."""
    max_age: Duration | None = None
    """How old it may become; default no limit. `rotator report` has the verdict, and an alert fires after it."""


class AccountOptions(Section, ABC):
    """One provider account."""

    path_words: ClassVar[frozenset[str]] = frozenset()
    """The parts of the provider's paths that are no values: what a transcript of `check-provider` may show of them."""

    type: str
    """The provider, and the kind of credential there."""
    base_url: Url
    """The beginning of every URL of the provider's API. Change it only for a sandbox or a proxy."""
    rate_limit: Rate = RateLimit(5, timedelta(seconds=1))
    """The maximum rate of requests to this account, such as `5/s`, `300/m` or `1000/h`; default 5/s. It counts for the
    account at the provider: all entries and processes that use it share it, and of several limits the lowest counts.
    Providers that publish no limit still answer a burst with 429, and other programs often use the same account."""
    ca_file: FilePath | None = None
    """A file of CA certificates (PEM) to verify the provider with, instead of the public CAs: for a private proxy."""
    proxy: ProxySettings | None = None
    """A forward proxy to everything of this account that is asked by HTTP; default none. The environment (HTTPS_PROXY,
    .netrc) is never used. A registrar is reached without it."""
    allow_plain_http: tuple[HostName, ...] = ()
    """Hosts that may be reached without TLS; default none. Passwords then cross the network unprotected. Loopback is
    always allowed."""
    propagation: Grace = timedelta(seconds=30)
    """How long after a change the provider may still answer from the old state; default 30s, since no provider
    publishes a figure. Until then, a credential that is not accepted yet does not count as refused."""

    try_ended: VerifyInterval = timedelta(minutes=10)
    """How often, at the account, a log-in may show that what was disabled, deleted or replaced is refused; default 10m.
    It is one log-in for each end, a wrong one, and registrars lock out addresses from which many come. `off` for none:
    then nothing shows it. It needs a proof that tries the password. An emergency does not wait for it."""

    require_checked: bool = False
    """Begin no rotation here by a strategy that `rotator check-provider --write` has not shown to work; default false:
    `plan` warns of it. A strategy that a check has disproved is refused in any case, except in an emergency."""

    key_dates: KeyDates = Field(default_factory=KeyDates)
    """How old the account's own key is and when it expires, for the report, the metrics and alerts. Nobody but people
    can change these keys: no provider documents an API that lets the old one work until the new one is proved."""

    @classmethod
    def type_name(cls) -> str:
        """Returns the value of `type` that selects this model."""
        return str(get_args(cls.model_fields["type"].annotation)[0])

    @property
    def urls(self) -> Mapping[str, str]:
        """Every URL that passwords are sent to, by configuration key."""
        return {"base_url": self.base_url}

    @property
    def ca_files(self) -> dict[str, Path]:
        """The files of CA certificates, by configuration key."""
        return {} if self.ca_file is None else {"ca_file": self.ca_file}

    @property
    @abstractmethod
    def namespace(self) -> tuple[str, ...]:
        """A key that is equal for accounts whose usernames are unique together at the provider."""

    @property
    def identity(self) -> str:
        """The account as the provider knows it; empty if nothing but the key names it."""
        return ""

    @property
    def devices_host(self) -> str:
        """Where devices log in, for the consumer document; empty if that is not known for the whole account."""
        return ""

    @property
    def account_key(self) -> str:
        """A name for the account at the provider, which tells nothing about it. Needs `with_secrets`.

        Entries of the configuration and processes that use the same account share its pace and its circuit.
        """
        return account_key(self._account)

    @property
    def pace_key(self) -> str:
        """The key of the account whose pace is used; empty: its own. Another one's key may administer the account."""
        return ""

    @property
    def _account(self) -> tuple[str, ...]:
        """What makes an account at the provider, whatever the kind of credential."""
        return (self.type, self.base_url, self.identity or one_way(self.secrets))

    @property
    @abstractmethod
    def capabilities(self) -> Capabilities:
        """The abilities of this kind of credential. Needs no secret."""

    @abstractmethod
    def headers(self) -> Mapping[str, Secret]:
        """Returns the headers that carry the API key. Needs `with_secrets`."""

    def with_secrets(self, read: VaultReader) -> Self:
        """Returns the same options with every secret read. Raises what `read` raises."""
        references = {
            key: value for key in type(self).model_fields if isinstance(value := getattr(self, key), Resolved | InVault)
        }
        return self.model_copy(update={key: reference.resolve(read) for key, reference in references.items()})

    @property
    def paths_in_vault(self) -> Mapping[str, str]:
        """The paths of the secrets that are in Vault, by configuration key. Empty after `with_secrets`."""
        values = ((key, getattr(self, key)) for key in type(self).model_fields)
        return {key: value.path for key, value in values if isinstance(value, InVault)}

    @property
    def secrets(self) -> tuple[Secret, ...]:
        """Every secret. Needs `with_secrets`."""
        values = (getattr(self, key) for key in type(self).model_fields)
        return tuple(value.value for value in values if isinstance(value, Resolved | InVault))

    @property
    def key(self) -> AccountKey:
        """The life of the account's key. Needs `with_secrets`. What people wrote down goes before what a JWT says."""
        told = [life for secret in self.secrets if (life := life_in_token(secret)) != (None, None)]
        issued, expires = told[0] if told else (None, None)
        dates = self.key_dates
        return AccountKey(_beginning(dates.made) or issued, _beginning(dates.expires) or expires, dates.max_age)

    def http(self, name: str, *, read_only: bool = False) -> HttpOptions:
        """Returns the connection of the account with this name in the configuration. Needs `with_secrets`.

        Args:
            name: the label of its metrics.
            read_only: refuse every request except GET.
        """
        return HttpOptions(
            account=name,
            base_url=self.base_url,
            headers=self.headers(),
            rate_limit=self.rate_limit,
            ca_file=self.ca_file,
            proxy=self.proxy,
            allow_plain_http=self.allow_plain_http,
            read_only=read_only,
            path_words=self.path_words,
        )


class SipAccountOptions(AccountOptions):
    """One account of a provider whose devices register by SIP."""

    host: HostName | None = None
    """The host that devices dial, for `host` in the consumer document. Default: what is known of it; the page of the
    provider says what that is."""
    registrar: Registrar | None = None
    """Host and port of the SIP registrar that proves a new password by a REGISTER, such as `sip.example.com:5061`.
    Default `off`: the provider's API is read back instead, which does not try the password."""
    sip_transport: SipTransport = "tls"
    """How the registrar is asked: `tls`, the default, with a certificate that names the registrar's host; `tcp` or
    `udp` only where `allow_plain_sip` names the host."""
    sip_ca_file: FilePath | None = None
    """A file of CA certificates (PEM) to verify the registrar with, instead of the public CAs: for a registrar of your
    own."""
    allow_plain_sip: tuple[HostName, ...] = ()
    """Registrars that may be asked by UDP or TCP; default none. Whoever is on the path then sees a digest to guess the
    password from, can answer in the registrar's name, and can register a device of theirs with the request. Loopback is
    always allowed."""
    allow_digest_without_qop: bool = False
    """Answer a registrar's challenge that offers no `qop` (RFC 2069); default false. Such an answer makes it easier to
    guess the password, for the registrar and for whoever is on the path."""
    registration: Duration = timedelta(hours=1)
    """How long a registration of a device lasts, as the registrar grants it (Expires): until then a device need not log
    in again. Default 1h, which most phones ask for."""
    digest_cache: Grace = timedelta()
    """How long the registrar may go on with what it knows of a password or a nonce: the old one is accepted so much
    longer, and a new one of the same username is refused so much longer. Default 0s: no provider documents one."""
    domain: HostName | None = None
    """The SIP domain of that REGISTER; default the credential's realm, or else the registrar's host."""

    @property
    def proving_registrar(self) -> HostPort | None:
        """The registrar that proves passwords, by default or by choice; None: the provider's API is read back."""
        return self.registrar

    @property
    def exposed_registrar(self) -> HostPort | None:
        """The registrar, if it is asked without TLS although nothing allows that."""
        where = self.proving_registrar
        if where is None or self.sip_transport == "tls" or is_loopback(where.host):
            return None
        return None if where.host.lower() in self.allow_plain_sip else where

    @property
    def ca_files(self) -> dict[str, Path]:
        """See `AccountOptions`."""
        return super().ca_files | ({} if self.sip_ca_file is None else {"sip_ca_file": self.sip_ca_file})

    @property
    def devices_host(self) -> str:
        """See `AccountOptions`."""
        return self.host or ""

    def proof(self, read_back: str) -> Proof:
        """Returns the proof by the registrar, or by read-back if there is no registrar."""
        if self.proving_registrar is not None:
            return Proof(f"SIP REGISTER over {self.sip_transport.upper()}", tries_password=True)
        return Proof(read_back, tries_password=False)
