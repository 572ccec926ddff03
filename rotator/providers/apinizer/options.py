"""The options of an Apinizer project."""

import re
from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal

from pydantic import Field, model_validator

from rotator.core.model import Capabilities, Proof
from rotator.core.passwords import PasswordRules
from rotator.core.secret import Secret
from rotator.fields.network import Url
from rotator.fields.references import AnySecret
from rotator.fields.text import TextField, invalid
from rotator.providers.http.calls import path
from rotator.providers.options import AccountOptions

BASIC_REQUEST = "HTTP Basic request through the gateway"
TOKEN_REQUEST = "token request at the gateway"  # noqa: S105 - no token
# No page states a rule. This excludes the colon, which HTTP Basic cannot carry, and characters that a path encodes.
_USERNAMES = r"[A-Za-z0-9][A-Za-z0-9._@+-]{0,127}"
# No page states a policy beyond "not empty". This excludes what is awkward in configuration files, URLs and forms, and
# the `#` that separates username and password in the console's CSV import.
_SYMBOLS = "!$()*+,-./=?@[]^_{|}~"

_PROJECT = r"^(?!\.{1,2}$)[^\x00-\x1f\x7f/\\]{1,255}$"


def _project(text: str) -> str:
    if not re.fullmatch(_PROJECT, text) or not text.isprintable():
        raise invalid("is not a project name", "copy it from the console")
    return text


ProjectName = Annotated[str, TextField(_project, {"pattern": _PROJECT}, "copy it from the console")]
"""A project's name. It is part of every URL of the project, percent-encoded."""


class ApinizerOptions(AccountOptions):
    """Apinizer credentials of one project (Apinizer, Credentials): `replace`, `alternating` and `in-place`."""

    path_words: ClassVar[frozenset[str]] = frozenset({"apiops", "projects", "credentials", "access"})

    type: Literal["apinizer"]
    """The provider: `apinizer`."""
    base_url: Url = Field(examples=["https://console.example.com"])
    """The address of the management console; `/apiops/` is appended."""
    project: ProjectName = Field(examples=["MyProject"])
    """The project that contains the credentials. It is case-sensitive."""
    access_token: AnySecret = Field(examples=["{env: APINIZER_TOKEN}"])
    """A reference to a Personal API Access Token, never the token itself. Its user needs IDENTITY MANAGE and
    DEPLOY_UNDEPLOY in the project."""
    email: str = Field(default="", max_length=254)
    """The email address of a credential without a predecessor; others inherit their predecessor's. Default none."""
    full_name: str = Field(default="", max_length=255)
    """The full name of a credential without a predecessor; others inherit their predecessor's. Default none."""
    probe_url: Url | None = None
    """An API proxy that requires HTTP Basic: a harmless GET to it proves a new password. Default none: the API is read
    back instead, which does not try the password."""
    gateway_url: Url | None = None
    """Instead of probe_url, the gateway whose token endpoint proves a new password. If a new token revokes the previous
    one (a setting of the credential), each proof revokes the token that a client is using."""

    @model_validator(mode="after")
    def _one_proof(self) -> "ApinizerOptions":
        if self.probe_url is not None and self.gateway_url is not None:
            raise invalid("probe_url and gateway_url exclude each other", "keep one of the two")
        return self

    @property
    def urls(self) -> Mapping[str, str]:
        """See `AccountOptions`."""
        own = {"base_url": self.base_url, "probe_url": self.probe_url, "gateway_url": self.gateway_url}
        return {key: url for key, url in own.items() if url is not None}

    @property
    def namespace(self) -> tuple[str, ...]:
        """See `AccountOptions`. Usernames are unique in all projects of an installation (Create Credential)."""
        return (self.type, self.base_url)

    @property
    def devices_host(self) -> str:
        """See `AccountOptions`."""
        return self.gateway_url or self.probe_url or ""

    @property
    def identity(self) -> str:
        """See `AccountOptions`."""
        return self.project

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
            proof=self._proof,
            propagation=self.propagation,
            tries_ended=self.try_ended,
            password_limits=PasswordRules(shortest=1, symbol=0, symbols=_SYMBOLS),
            username_pattern=_USERNAMES,
            lists_by_name="rate-limit control lists",
        )

    @property
    def _proof(self) -> Proof:
        if self.probe_url is not None:
            return Proof(BASIC_REQUEST, tries_password=True)
        if self.gateway_url is not None:
            return Proof(TOKEN_REQUEST, tries_password=True)
        return Proof("listed and enabled", tries_password=False)

    def headers(self) -> Mapping[str, Secret]:
        """See `AccountOptions`."""
        return {"Authorization": Secret(f"Bearer {self.access_token.value.reveal()}")}

    def path(self, *segments: str) -> str:
        """Returns a path below the project's credentials. Each path ends with a slash."""
        return path("apiops", "projects", self.project, "credentials", *segments, end="/")
