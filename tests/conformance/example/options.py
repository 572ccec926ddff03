"""The options of an intercom."""

from collections.abc import Mapping
from typing import Literal

from pydantic import Field

from rotator.core.model import Capabilities, Proof
from rotator.core.passwords import PasswordRules
from rotator.core.secret import Secret
from rotator.fields.references import AnySecret
from rotator.providers.options import AccountOptions


class IntercomOptions(AccountOptions):
    """The users of a door intercom: `replace`, `alternating` and `in-place`."""

    type: Literal["intercom"]
    """The provider: `intercom`."""
    api_key: AnySecret = Field(examples=["{env: INTERCOM_API_KEY}"])
    """A reference to the API key: the header X-Api-Key. Never the key itself."""

    @property
    def namespace(self) -> tuple[str, ...]:
        """See `AccountOptions`. One intercom has one set of users."""
        return (self.type, self.base_url)

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
            proof=Proof("listed and enabled", tries_password=False),
            propagation=self.propagation,
            password_limits=PasswordRules(shortest=8, longest=32),
            username_pattern=r"[A-Za-z0-9]{1,32}",
        )

    def headers(self) -> Mapping[str, Secret]:
        """See `AccountOptions`."""
        return {"X-Api-Key": self.api_key.value}
