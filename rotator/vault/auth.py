"""The ways to log in to Vault: what each one needs, and how a token is got with it.

The descriptions (`Token`, `TokenFile`, `AppRole`, `Kubernetes`, `Jwt`) are plain facts. `Authenticator` carries one of
them out through a `Gate`, which the client implements, so that nothing here knows how Vault is reached.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, Protocol, TypeAlias

from rotator.core.secret import Secret
from rotator.ports import StoreDenied, StoreUnavailable


@dataclass(frozen=True, slots=True)
class Token:
    """A token given once. It is renewed while Vault allows it, and cannot be replaced after its end."""

    token: Secret


@dataclass(frozen=True, slots=True)
class TokenFile:
    """A file that somebody else (Vault Agent) keeps a valid token in. Read again when it changes, or after a 403."""

    path: Path


@dataclass(frozen=True, slots=True)
class AppRole:
    """AppRole. With `wrapped`, `secret_id` is a wrapping token: unwrapped once, and the secret id kept in memory."""

    role_id: str
    secret_id: Secret
    wrapped: bool = False
    mount: str = "approle"


@dataclass(frozen=True, slots=True)
class Kubernetes:
    """A pod's service account. The file is read at every login, because kubelet replaces it."""

    role: str
    jwt_path: Path = Path("/var/run/secrets/kubernetes.io/serviceaccount/token")
    mount: str = "kubernetes"


@dataclass(frozen=True, slots=True)
class Jwt:
    """A signed token of another issuer, in a file that is read at every login."""

    role: str
    token_path: Path
    mount: str = "jwt"


Method: TypeAlias = Token | TokenFile | AppRole | Kubernetes | Jwt


@dataclass(frozen=True, slots=True)
class Grant:
    """A token as Vault described it. `lifetime` counts from the answer; None: the token never ends."""

    token: Secret
    lifetime: timedelta | None
    renewable: bool


class Gate(Protocol):
    """What logging in needs of Vault. Every method raises StoreError."""

    def login(self, path: str, fields: Mapping[str, str]) -> Grant:
        """Posts `fields` to the login path of an authentication method."""
        ...

    def look_up(self, token: Secret) -> Grant:
        """Asks what is left of `token`. Raises StoreDenied where it is revoked, expired, or may not ask."""
        ...

    def renew(self, token: Secret) -> Grant:
        """Extends `token`."""
        ...

    def unwrap(self, token: Secret) -> Mapping[str, Any]:
        """Takes what a wrapping token holds; it can be taken once."""
        ...


_Stamp: TypeAlias = tuple[int, int, int]


class Authenticator:
    """Carries out one method. Not thread-safe: its owner holds a lock."""

    def __init__(self, method: Method) -> None:
        self._method = method
        self._secret_id: Secret | None = None
        self._seen: _Stamp | None = None

    @property
    def makes_tokens(self) -> bool:
        """True where another login gives another token; False where the token comes from outside."""
        return not isinstance(self._method, Token | TokenFile)

    def changed(self) -> bool:
        """True where the token file is not the one that was read last."""
        return isinstance(self._method, TokenFile) and _stamp(self._method.path) != self._seen

    def login(self, gate: Gate) -> Grant:
        """Gets a token. Raises StoreDenied where Vault refuses, StoreUnavailable where it may work later."""
        match self._method:
            case Token(token):
                return gate.look_up(token)
            case TokenFile(path):
                self._seen = _stamp(path)
                found = gate.look_up(_read(path))
                # Whoever writes the file renews what is in it; we only read it again.
                return Grant(found.token, found.lifetime, renewable=False)
            case AppRole(role_id=role_id, mount=mount):
                secret_id = self._app_role_secret(self._method, gate)
                return gate.login(f"auth/{mount}/login", {"role_id": role_id, "secret_id": secret_id.reveal()})
            case Kubernetes(role, path, mount) | Jwt(role, path, mount):
                return gate.login(f"auth/{mount}/login", {"role": role, "jwt": _read(path).reveal()})

    def _app_role_secret(self, method: AppRole, gate: Gate) -> Secret:
        if not method.wrapped:
            return method.secret_id
        if self._secret_id is None:
            held = gate.unwrap(method.secret_id).get("secret_id")
            if not isinstance(held, str):
                raise StoreDenied("the wrapping token holds no secret_id: wrap the answer of .../role/NAME/secret-id")
            self._secret_id = Secret(held)
        return self._secret_id


def _stamp(path: Path) -> _Stamp | None:
    """What tells one content of a file from the next without reading it; None where there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return (found.st_mtime_ns, found.st_ino, found.st_size)


def _read(path: Path) -> Secret:
    try:
        text = path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise StoreUnavailable(f"the token file {path} cannot be read ({type(error).__name__})") from None
    if not text:
        raise StoreUnavailable(f"the token file {path} is empty: it is expected to hold one token")
    return Secret(text)
