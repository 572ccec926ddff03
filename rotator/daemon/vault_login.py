"""What the section `vault` of the configuration means: where Vault is, and how to log in there."""

from dataclasses import dataclass, fields

from rotator.core.secret import Secret
from rotator.settings.vault import (
    AppRoleAuth,
    CertAuth,
    JwtAuth,
    KubernetesAuth,
    RemoteVaultSettings,
    TokenAuth,
    TokenFileAuth,
    VaultAuth,
)
from rotator.vault.auth import AppRole, Cert, Jwt, Kubernetes, Method, Token, TokenFile
from rotator.vault.transport import Connection


@dataclass(frozen=True, slots=True)
class VaultLogin:
    """Where Vault is, and how to log in there."""

    connection: Connection
    method: Method

    @property
    def secrets(self) -> tuple[Secret, ...]:
        """Everything in it that must not be logged."""
        values = [getattr(self.method, field.name) for field in fields(self.method)]
        proxy = self.connection.proxy
        return (
            *(value for value in values if isinstance(value, Secret)),
            *(proxy.secrets if proxy is not None else ()),
        )


def configured_login(vault: RemoteVaultSettings) -> VaultLogin:
    """Returns how to reach a Vault that somebody else runs."""
    connection = Connection(
        vault.address,
        vault.namespace or "",
        vault.ca_file,
        vault.connect_timeout.total_seconds(),
        vault.timeout.total_seconds(),
        vault.proxy,
        (vault.auth.certificate, vault.auth.key) if isinstance(vault.auth, CertAuth) else None,
    )
    return VaultLogin(connection, _method(vault.auth))


def _method(auth: VaultAuth) -> Method:
    match auth:
        case TokenAuth():
            return Token(auth.token.value)
        case TokenFileAuth():
            return TokenFile(auth.file)
        case AppRoleAuth():
            reference = auth.wrapped_secret_id or auth.secret_id
            assert reference is not None  # noqa: S101  # the model requires one
            return AppRole(auth.role_id, reference.value, auth.wrapped_secret_id is not None, auth.mount)
        case KubernetesAuth():
            return Kubernetes(auth.role, auth.jwt_file, auth.mount)
        case JwtAuth():
            return Jwt(auth.role, auth.jwt_file, auth.mount)
        case CertAuth():
            return Cert(auth.role or "", auth.mount)
