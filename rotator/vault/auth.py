"""The methods of logging in to Vault, and the token that each one yields.

`Token`, `TokenFile`, `AppRole`, `Kubernetes`, `Jwt` and `Cert` only describe a method. `Authenticator` logs in through
a `TokenApi`, which the client implements, and knows nothing about the connection to Vault.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any, Protocol, TypeAlias

from rotator.core.secret import Secret
from rotator.ports import StoreDenied, StoreUnavailable


@dataclass(frozen=True, slots=True)
class Token:
    """A fixed token. It is renewed for as long as Vault allows, and cannot be replaced once it has expired."""

    token: Secret


@dataclass(frozen=True, slots=True)
class TokenFile:
    """A file in which another program (Vault Agent) keeps a valid token. Read again when it changes, or after a 403."""

    path: Path


@dataclass(frozen=True, slots=True)
class AppRole:
    """A role and its secret id, or a file with it, which is read at every login.

    If `wrapped`, the secret id is a wrapping token, which is unwrapped once.
    """

    role_id: str
    secret_id: Secret | Path
    wrapped: bool = False
    mount: str = "approle"

    def current_secret_id(self) -> Secret:
        """Returns the secret id. Raises StoreUnavailable if its file cannot be read."""
        return _read(self.secret_id) if isinstance(self.secret_id, Path) else self.secret_id


@dataclass(frozen=True, slots=True)
class Kubernetes:
    """A pod's service account. Its token file is read at every login, since the kubelet replaces it."""

    role: str
    jwt_path: Path = Path("/var/run/secrets/kubernetes.io/serviceaccount/token")
    mount: str = "kubernetes"


@dataclass(frozen=True, slots=True)
class Jwt:
    """A JWT from another issuer, in a file that is read at every login."""

    role: str
    token_path: Path
    mount: str = "jwt"


@dataclass(frozen=True, slots=True)
class Cert:
    """The client certificate of the connection. Without a role, Vault chooses one that fits the certificate."""

    role: str = ""
    mount: str = "cert"


Method: TypeAlias = Token | TokenFile | AppRole | Kubernetes | Jwt | Cert


@dataclass(frozen=True, slots=True)
class LoginToken:
    """A token as Vault describes it. `lifetime` counts from the answer; None: the token never expires."""

    token: Secret
    lifetime: timedelta | None
    renewable: bool


class TokenApi(Protocol):
    """The requests to Vault for logging in. Every method raises StoreError."""

    def login(self, path: str, fields: Mapping[str, str]) -> LoginToken:
        """Posts `fields` to the login path of an authentication method."""
        ...

    def look_up(self, token: Secret) -> LoginToken:
        """Returns the remaining lifetime of `token`. Raises StoreDenied if it is revoked, expired, or may not ask."""
        ...

    def renew(self, token: Secret) -> LoginToken:
        """Extends `token`."""
        ...

    def unwrap(self, token: Secret) -> Mapping[str, Any]:
        """Returns the content of a wrapping token, which can be unwrapped only once."""
        ...


_Stamp: TypeAlias = tuple[int, int, int]


class Authenticator:
    """Logs in by one method. Not thread-safe: the caller holds a lock."""

    def __init__(self, method: Method) -> None:
        self._method = method
        self._secret_id: Secret | None = None
        self._seen: _Stamp | None = None

    @property
    def makes_tokens(self) -> bool:
        """True if another login yields another token; False if the token comes from outside."""
        return not isinstance(self._method, Token | TokenFile)

    def changed(self) -> bool:
        """Returns True if the token file has changed since it was last read."""
        return isinstance(self._method, TokenFile) and _stamp(self._method.path) != self._seen

    def login(self, api: TokenApi) -> LoginToken:
        """Logs in and returns the token. Raises StoreDenied if Vault refuses, StoreUnavailable if it may work later."""
        match self._method:
            case Token(token):
                return api.look_up(token)
            case TokenFile(path):
                self._seen = _stamp(path)
                # The program that writes the file renews the token; we only read it again.
                return replace(api.look_up(_read(path)), renewable=False)
            case AppRole(role_id=role_id, mount=mount):
                secret_id = self._app_role_secret(self._method, api)
                return api.login(f"auth/{mount}/login", {"role_id": role_id, "secret_id": secret_id.reveal()})
            case Kubernetes(role, path, mount) | Jwt(role, path, mount):
                return api.login(f"auth/{mount}/login", {"role": role, "jwt": _read(path).reveal()})
            case Cert(role, mount):
                return api.login(f"auth/{mount}/login", {"name": role} if role else {})

    def _app_role_secret(self, method: AppRole, api: TokenApi) -> Secret:
        if not method.wrapped:
            return method.current_secret_id()
        if self._secret_id is None:
            secret_id = api.unwrap(method.current_secret_id()).get("secret_id")
            if not isinstance(secret_id, str):
                raise StoreDenied("the wrapping token has no secret_id: wrap the answer of .../role/NAME/secret-id")
            self._secret_id = Secret(secret_id)
        return self._secret_id


def _stamp(path: Path) -> _Stamp | None:
    """Returns a stamp that changes with the file, without reading the file; None if it is missing."""
    try:
        status = path.stat()
    except OSError:
        return None
    return (status.st_mtime_ns, status.st_ino, status.st_size)


def _read(path: Path) -> Secret:
    try:
        text = path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise StoreUnavailable(f"the token file {path} cannot be read ({type(error).__name__})") from None
    if not text:
        raise StoreUnavailable(f"the token file {path} is empty: it must contain one token")
    return Secret(text)
