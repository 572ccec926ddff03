"""Provider accounts. Adding a provider is one model here and its name in `ProviderAccount`."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag, model_validator

from rotator.settings.references import AnySecret
from rotator.settings.section import Section
from rotator.settings.times import Grace
from rotator.settings.values import AccountId, FilePath, HostName, ProjectName, Rate, RateText, Registrar, Url, wrong


class Account(Section, ABC):
    """What the accounts of all providers have in common."""

    type: str
    """The provider, and the kind of credential there."""
    base_url: Url
    """Where the provider's API begins. Change it for a sandbox or a proxy only."""
    rate_limit: RateText = Rate(5, timedelta(seconds=1))
    """The most requests that are sent to this account, as `5/s`, `300/m` or `1000/h`; default 5/s. Providers that
    publish no number still answer 429 to a burst, and one account is often shared with other programs."""
    ca_file: FilePath | None = None
    """A file of CA certificates (PEM) to verify the provider with, instead of the public ones: for a proxy of your
    own."""
    allow_plain_http: tuple[HostName, ...] = ()
    """Hosts that may be spoken to without TLS. Default none; loopback is always allowed. Passwords then cross the
    network unprotected, so each host has to be named."""
    propagation: Grace | None = None
    """How long after a change the provider may still answer from the old state; default: what is known of the provider.
    Until it has passed, a credential that is not accepted yet does not count as refused."""

    @property
    def addresses(self) -> Mapping[str, str]:
        """Every URL that passwords are sent to, by its key."""
        return {"base_url": self.base_url}

    @property
    @abstractmethod
    def identity(self) -> tuple[str, ...]:
        """The same for two entries that mean one account at one provider, and so one set of usernames."""


class _Vobiz(Account):
    base_url: Url = "https://api.vobiz.ai"
    """Where the provider's API begins; default https://api.vobiz.ai. Change it for a sandbox or a proxy only."""
    auth_id: AccountId = Field(examples=["MA_XXXXXXXX"])
    """The account's id, `MA_...` or `SA_...`: the header X-Auth-ID."""
    auth_token: AnySecret = Field(examples=["{env: VOBIZ_AUTH_TOKEN}"])
    """A reference to the account's token: the header X-Auth-Token. Never the token itself."""
    registrar: Registrar | None = None
    """Host and port of the registrar where a new password is proved by a SIP REGISTER, such as
    `registrar.vobiz.ai:5060`. Default none: then only the provider's own listing is read back."""
    domain: HostName | None = None
    """The SIP domain of that REGISTER; default the realm that Vobiz names, else the registrar's host."""

    @property
    def identity(self) -> tuple[str, ...]:
        """See `Account.identity`. Trunk credentials and endpoints have usernames of their own."""
        return (self.type, self.base_url, self.auth_id)


class VobizAccount(_Vobiz):
    """Vobiz trunk credentials (Vobiz, Create Credential). They can be replaced, alternated and set in place."""

    type: Literal["vobiz"]
    """The provider: `vobiz` for trunk credentials."""


class VobizEndpointAccount(_Vobiz):
    """Vobiz endpoints, the SIP users of an account (Vobiz, Update Endpoint). They can be set in place only."""

    type: Literal["vobiz-endpoint"]
    """The provider: `vobiz-endpoint` for endpoints."""


class _Telnyx(Account):
    base_url: Url = "https://api.telnyx.com/v2"
    """Where the provider's API begins; default https://api.telnyx.com/v2. Change it for a sandbox or a proxy only."""
    api_key: AnySecret = Field(examples=["{env: TELNYX_API_KEY}"])
    """A reference to the account's API key, which begins with KEY. Never the key itself."""
    registrar: Registrar | None = None
    """Host and port of the registrar where a new password is proved by a SIP REGISTER, such as `sip.telnyx.com:5060`.
    Default none: then only what the provider shows is read back."""
    domain: HostName = "sip.telnyx.com"
    """The SIP domain of that REGISTER, and what devices are told; default sip.telnyx.com. In other regions sip-eu,
    sip-ca or sip-au."""

    @property
    def identity(self) -> tuple[str, ...]:
        """See `Account.identity`. All accounts register at one domain, so that a username means one credential."""
        return (self.type, self.base_url)


class TelnyxAccount(_Telnyx):
    """Telnyx telephony credentials of one connection (Telnyx, Create a credential). They can be replaced only, since
    Telnyx makes their usernames and passwords; disabling one is final."""

    type: Literal["telnyx"]
    """The provider: `telnyx` for telephony credentials."""
    connection_id: AccountId = Field(examples=["1494404757140276705"])
    """The connection that new credentials belong to."""


class TelnyxConnectionAccount(_Telnyx):
    """Telnyx credential connections (Telnyx, Update a credential connection). They can be set in place only."""

    type: Literal["telnyx-connection"]
    """The provider: `telnyx-connection` for credential connections."""


class ApinizerAccount(Account):
    """Apinizer credentials of one project (Apinizer, Credentials). They can be replaced, alternated, set in place."""

    type: Literal["apinizer"]
    """The provider: `apinizer`."""
    base_url: Url = Field(examples=["https://console.example.com"])
    """Where the management console is; `/apiops/` is appended."""
    project: ProjectName = Field(examples=["MyProject"])
    """The project that holds the credentials. Letter case counts."""
    access_token: AnySecret = Field(examples=["{env: APINIZER_TOKEN}"])
    """A reference to a Personal API Access Token. Never the token itself. Its user needs IDENTITY MANAGE and
    DEPLOY_UNDEPLOY in the project."""
    email: str = Field(default="", max_length=254)
    """The email address of a credential that replaces none; others take over their predecessor's. Default none."""
    full_name: str = Field(default="", max_length=255)
    """The full name of a credential that replaces none; others take over their predecessor's. Default none."""
    probe_url: Url | None = None
    """An API proxy that asks for HTTP Basic: a harmless GET there proves a new password. Default none: then only the
    provider's own listing is read back, which does not try the password."""
    gateway_url: Url | None = None
    """Instead of probe_url, the gateway whose token endpoint proves a new password. Where the credential's token
    setting ends the token before, each proof ends the token that a client uses."""

    @property
    def addresses(self) -> Mapping[str, str]:
        """See `Account.addresses`."""
        own = {"base_url": self.base_url, "probe_url": self.probe_url, "gateway_url": self.gateway_url}
        return {key: url for key, url in own.items() if url is not None}

    @property
    def identity(self) -> tuple[str, ...]:
        """See `Account.identity`. Usernames are unique in all projects of an installation (Create Credential)."""
        return (self.type, self.base_url)

    @model_validator(mode="after")
    def _one_proof(self) -> "ApinizerAccount":
        if self.probe_url is not None and self.gateway_url is not None:
            raise wrong("probe_url and gateway_url exclude each other", "keep one of the two")
        return self


def _type(data: Any) -> str | None:
    found = data.get("type") if isinstance(data, dict) else None
    return f"type={found}" if isinstance(found, str) else None


ProviderAccount = Annotated[
    Annotated[VobizAccount, Tag("type=vobiz")]
    | Annotated[VobizEndpointAccount, Tag("type=vobiz-endpoint")]
    | Annotated[TelnyxAccount, Tag("type=telnyx")]
    | Annotated[TelnyxConnectionAccount, Tag("type=telnyx-connection")]
    | Annotated[ApinizerAccount, Tag("type=apinizer")],
    Discriminator(_type),
]
"""A provider account of any kind; `type` says which."""
