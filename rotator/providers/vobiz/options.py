"""The options of a Vobiz account, for trunk credentials and for Endpoint users."""

from collections.abc import Mapping
from typing import ClassVar, Literal

from pydantic import Field, model_validator

from rotator.core.model import Capabilities, Proof
from rotator.core.passwords import LONGEST, PasswordRules
from rotator.core.secret import Secret
from rotator.fields.network import HostName, HostPort, Url, is_loopback
from rotator.fields.references import AnySecret
from rotator.fields.text import UrlSegment, invalid
from rotator.providers.http.calls import path
from rotator.providers.options import SipAccountOptions, account_key

# Create Credential: "Keep usernames alphanumeric. Dashes, underscores [...] can be rejected with a 400".
_USERNAMES = r"[A-Za-z0-9]+"
# The special characters that the console's form accepts; whether the API accepts others is not documented.
_CONSOLE_SYMBOLS = "~!@#$%^&*()_+"


class VobizBaseOptions(SipAccountOptions):
    """The keys of every Vobiz account."""

    path_words: ClassVar[frozenset[str]] = frozenset({"api", "v1", "Account", "credentials", "trunks", "Endpoint"})

    base_url: Url = "https://api.vobiz.ai"
    """The beginning of every URL of the API; default https://api.vobiz.ai. Change it only for a sandbox or a proxy."""
    auth_id: UrlSegment = Field(examples=["MA_XXXXXXXX"])
    """The id that the token belongs to, `MA_...`, `SA_...` or `PA_...`, for the header X-Auth-ID."""
    auth_token: AnySecret = Field(examples=["{env: VOBIZ_AUTH_TOKEN}"])
    """A reference to the account's token, for the header X-Auth-Token; never the token itself."""
    account_id: UrlSegment | None = Field(default=None, examples=["SA_XXXXXXXX"])
    """The account in every path, if it is not that of `auth_id`: a sub-account that the key of its main account
    administers, if Vobiz allows that; default `auth_id`."""
    longest_password: int = Field(default=20, ge=8, le=LONGEST)
    """The most characters of a password that the account accepts; default 20, as the console's form has it. The API's
    pages name no limit, and one of their examples has 25. A password that is refused is not published."""

    @property
    def namespace(self) -> tuple[str, ...]:
        """See `AccountOptions`. Usernames of trunk credentials and of Endpoints do not collide."""
        return (self.type, self.base_url, self.identity)

    @property
    def identity(self) -> str:
        """See `AccountOptions`."""
        return self.account_id or self.auth_id

    @property
    def _account(self) -> tuple[str, ...]:
        """See `AccountOptions`. Trunk credentials and Endpoints are in one account."""
        return ("vobiz", self.base_url, self.identity)

    @property
    def pace_key(self) -> str:
        """See `AccountOptions`. The header X-Auth-ID names the account of the key, whatever the path names."""
        return "" if self.identity == self.auth_id else account_key(("vobiz", self.base_url, self.auth_id))

    def headers(self) -> Mapping[str, Secret]:
        """See `AccountOptions`."""
        return {"X-Auth-ID": Secret(self.auth_id), "X-Auth-Token": self.auth_token.value}

    def path(self, *segments: str, end: str = "") -> str:
        """Returns a path below this account. `Account` has a capital A (Changelog, 18 May 2026)."""
        return path("api", "v1", "Account", self.identity, *segments, end=end)


class VobizOptions(VobizBaseOptions):
    """Vobiz trunk credentials (Vobiz, Create Credential): `replace`, `alternating` and `in-place`."""

    type: Literal["vobiz"]
    """The provider: `vobiz` for trunk credentials."""

    prove_at_trunk: Literal["off", "options", "invite"] = "off"
    """Prove a new password at the domain of the trunk that names the credential, instead of at a `registrar`; default
    off. `options`: by a REGISTER, and where that is not served by an OPTIONS. `invite`: where neither asks for a
    password, also by an INVITE that cannot become a call. Where nothing asks, the listing is read back instead."""
    trunk_domains: HostName = "sip.vobiz.ai"
    """The domain below which trunks have theirs; default sip.vobiz.ai. A password is tried at no other."""
    trunk_port: int = Field(default=0, ge=0, le=65535)
    """The port of trunks; default 0: 5061 with TLS, else 5060."""

    @model_validator(mode="after")
    def _one_proof(self) -> "VobizOptions":
        if self.prove_at_trunk != "off" and self.registrar is not None:
            raise invalid("prove_at_trunk and registrar exclude each other", "keep one of the two")
        return self

    def trunk_address(self, domain: str) -> HostPort | None:
        """Returns where a password is tried at a trunk; None if its domain is not one of those that are allowed."""
        host, suffix = domain.lower(), self.trunk_domains
        if host != suffix and not host.endswith(f".{suffix}") and host != self.devices_host.lower():
            return None
        return HostPort(host, self.trunk_port or (5061 if self.sip_transport == "tls" else 5060))

    @property
    def exposed_registrar(self) -> HostPort | None:
        """See `SipAccountOptions`. Trunks are allowed by the domain that they are below."""
        if self.prove_at_trunk == "off":
            return super().exposed_registrar
        exposed = self.sip_transport != "tls" and not is_loopback(self.trunk_domains)
        return (
            self.trunk_address(self.trunk_domains)
            if exposed and self.trunk_domains not in self.allow_plain_sip
            else None
        )

    def proof(self, read_back: str) -> Proof:
        """See `SipAccountOptions`."""
        if self.prove_at_trunk == "off":
            return super().proof(read_back)
        return Proof(f"SIP log-in at the trunk's domain over {self.sip_transport.upper()}", tries_password=True)

    @property
    def capabilities(self) -> Capabilities:
        """See `AccountOptions`."""
        return Capabilities(
            chooses_password=True,
            sets_password=True,
            generates_password=False,
            disables=True,
            re_enables=True,
            deletes=True,
            lists=True,
            creates=True,
            proof=self.proof("listed and enabled"),
            propagation=self.propagation,
            tries_ended=self.try_ended,
            # Create and Update Credential: 8 characters or more. The console's form: 20 at most, a special character.
            password_limits=PasswordRules(
                shortest=8, longest=self.longest_password, symbol=1, symbols=_CONSOLE_SYMBOLS
            ),
            username_pattern=_USERNAMES,
            attaches=True,
            proves_attached=self.prove_at_trunk != "off",
        )


class VobizEndpointOptions(VobizBaseOptions):
    """Vobiz Endpoints, the SIP users of an account (Vobiz, Update Endpoint): `in-place` only."""

    type: Literal["vobiz-endpoint"]
    """The provider: `vobiz-endpoint` for Endpoints."""
    host: HostName = "registrar.vobiz.ai"
    """The host that devices register at, for `host` in the consumer document; default registrar.vobiz.ai (Vobiz,
    Changelog, 14 July 2026)."""

    @property
    def capabilities(self) -> Capabilities:
        """See `AccountOptions`."""
        return Capabilities(
            chooses_password=True,
            sets_password=True,
            generates_password=False,
            disables=False,
            re_enables=False,
            deletes=False,
            lists=True,
            creates=False,
            proof=self.proof("the Endpoint exists"),
            propagation=self.propagation,
            tries_ended=self.try_ended,
            # Endpoint: 8 characters or more; nothing else is documented. The upper limit and the characters are those
            # of the trunk credentials' form in the same console: a guess on the safe side.
            password_limits=PasswordRules(
                shortest=8, longest=self.longest_password, symbol=0, symbols=_CONSOLE_SYMBOLS
            ),
            username_pattern=_USERNAMES,
            shows_usage=True,
        )
