"""The options of a Telnyx account, for telephony credentials and for credential connections."""

from collections.abc import Mapping
from datetime import timedelta
from typing import ClassVar, Literal

from pydantic import Field

from rotator.core.model import Capabilities
from rotator.core.passwords import PasswordRules
from rotator.core.secret import Secret
from rotator.fields.network import HostName, HostPort, Registrar, Url
from rotator.fields.references import AnySecret
from rotator.fields.text import UrlSegment
from rotator.fields.times import Duration
from rotator.providers.options import SipAccountOptions, one_way

TAKEN_ON_TRUST = "shown again with the password that Telnyx made itself, and not expired"
"""What a read-back shows of a telephony credential."""
MASKED_ON_TRUST = "shown again and not expired; its password, which Telnyx made itself, is masked"
"""The same where passwords are masked."""
TELEPHONY_USERNAMES = r"[A-Za-z0-9._-]{1,255}"
"""Usernames such as gencredXXXX; neither their form nor their length is documented."""
# Create a credential connection: 4 to 32 letters and digits, one of the first five a letter.
_CONNECTION_USERNAMES = r"(?=.{0,4}[A-Za-z])[A-Za-z0-9]{4,32}"


class TelnyxBaseOptions(SipAccountOptions):
    """The keys of every Telnyx account."""

    path_words: ClassVar[frozenset[str]] = frozenset(
        {"telephony_credentials", "credential_connections", "sip_registration_status"}
    )

    base_url: Url = "https://api.telnyx.com/v2"
    """The beginning of every URL of the API; default https://api.telnyx.com/v2. Change it only for a sandbox or a
    proxy."""
    api_key: AnySecret = Field(examples=["{env: TELNYX_API_KEY}"])
    """A reference to the account's API key, which begins with KEY; never the key itself."""
    domain: HostName = "sip.telnyx.com"
    """The SIP domain in the REGISTER that proves a password, and `host` in the consumer document unless that is set;
    default sip.telnyx.com. Other regions have sip-eu, sip-ca and sip-au."""
    registrar: Registrar | None = None
    """Host and port of the SIP registrar that proves a new password by a REGISTER; default port 5061 of `domain` (5060
    without TLS). `off` trusts Telnyx's API instead: it shows the password that it made itself, and nothing tries it."""

    registration: Duration = timedelta(hours=1)
    """How long a registration of a device lasts, as the registrar grants it (Expires): until then a device need not log
    in again. Default 1h, which Telnyx grants to a device that asks for no other."""

    @property
    def devices_host(self) -> str:
        """See `AccountOptions`."""
        return self.host or self.domain

    @property
    def proving_registrar(self) -> HostPort | None:
        """See `SipAccountOptions`. Telnyx names the ports (SRV records)."""
        if "registrar" in self.model_fields_set:
            return self.registrar
        return HostPort(self.domain, 5061 if self.sip_transport == "tls" else 5060)

    @property
    def namespace(self) -> tuple[str, ...]:
        """See `AccountOptions`. All accounts register at one domain, so a username means one credential."""
        return (self.type, self.base_url)

    @property
    def _account(self) -> tuple[str, ...]:
        """See `AccountOptions`. Nothing but the key names the account."""
        return ("telnyx", self.base_url, one_way(self.secrets))

    def headers(self) -> Mapping[str, Secret]:
        """See `AccountOptions`."""
        return {"Authorization": Secret(f"Bearer {self.api_key.value.reveal()}")}


class TelnyxOptions(TelnyxBaseOptions):
    """Telnyx telephony credentials of one connection (Telnyx, Create a credential): `replace` only. Telnyx generates
    their usernames and passwords. Disabling one is final."""

    type: Literal["telnyx"]
    """The provider: `telnyx` for telephony credentials."""
    connection_id: UrlSegment = Field(examples=["1494404757140276705"])
    """The connection that new credentials belong to."""

    @property
    def identity(self) -> str:
        """See `AccountOptions`. No option names the account itself; a connection belongs to one account."""
        return self.connection_id

    @property
    def capabilities(self) -> Capabilities:
        """See `AccountOptions`."""
        return Capabilities(
            chooses_password=False,
            sets_password=False,
            generates_password=True,
            disables=True,
            re_enables=False,
            deletes=True,
            lists=True,
            creates=True,
            shows_password=True,
            proof=self.proof(TAKEN_ON_TRUST),
            propagation=self.propagation,
            tries_ended=self.try_ended,
            password_limits=PasswordRules(),
            username_pattern=TELEPHONY_USERNAMES,
            expires=True,
            shows_usage=True,
        )


class TelnyxConnectionOptions(TelnyxBaseOptions):
    """Telnyx credential connections (Telnyx, Update a credential connection): `in-place` only."""

    type: Literal["telnyx-connection"]
    """The provider: `telnyx-connection` for credential connections."""

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
            shows_password=True,
            proof=self.proof("shown with this password and active"),
            propagation=self.propagation,
            tries_ended=self.try_ended,
            # Create a credential connection: 8 to 128 characters; which ones is not documented.
            password_limits=PasswordRules(shortest=8, longest=128, symbol=0),
            username_pattern=_CONNECTION_USERNAMES,
            shows_usage=True,
        )
