"""One kind of request to Vault, and what its answers mean, whatever they are."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, TypeVar

from rotator.core.secret import Secret
from rotator.ports import Conflict, StoreDenied, StoreError, StoreUnavailable
from rotator.vault.auth import LoginToken
from rotator.vault.transport import NOT_VAULT

T = TypeVar("T")

_EARLIEST, _LATEST = datetime(1970, 1, 2, tzinfo=UTC), datetime(9000, 1, 1, tzinfo=UTC)  # with room to calculate
_MOST = 10**10  # no number of Vault's is larger: versions, and the seconds of its longest time


@dataclass(frozen=True, slots=True)
class VaultRequest:
    """One kind of request: its name in the metrics, its path, and the capabilities that a policy must grant for it.

    `rule` is the path in a policy, if that differs from `path`; `refusal` explains a 403 if no capability on that path
    would help.
    """

    operation: str
    verb: Literal["get", "list", "post", "delete"]
    path: str
    capabilities: tuple[str, ...] = ()
    rule: str = ""
    refusal: str = ""
    version: int = 0  # of a document; 0: the latest

    def denied(self) -> StoreDenied:
        """Returns the error for a 403, with the policy rule that an operator must add."""
        if not self.capabilities:
            return StoreDenied(self.refusal or f"Vault refuses {self.operation} at {self.path}")
        lacks, where = " or ".join(self.capabilities), self.rule or self.path
        wants = ", ".join(f'"{name}"' for name in self.capabilities)
        rule = f'path "{where}" {{ capabilities = [{wants}] }}'
        return StoreDenied(f"the Vault token lacks the capability {lacks} on {where}; add to its policy: {rule}")


@dataclass(frozen=True, slots=True)
class Caller:
    """Whom Vault knows a token as. Empty: Vault does not say."""

    name: str  # such as `kubernetes-telephony-rotator`
    entity: str
    accessor: str  # names the token, and is not it


class Absent(StoreError):
    """A 404 from Vault itself: nothing exists, or only a deleted `version` (0: none ever existed).

    Whoever asks for what may be missing handles it. To everything else it is not Vault's answer.
    """

    def __init__(self, version: int, *, destroyed: bool = False) -> None:
        super().__init__(f"nothing is where Vault always has something: {NOT_VAULT}")
        self.version, self.destroyed = version, destroyed


def invalid(request: VaultRequest, errors: Sequence[str] | None, document: Any) -> Exception:
    """Returns the error for a 400: a lost check-and-set, a refused login, or a mount that is not KV v2.

    Or an answer that is not from Vault, such as that of a port with TLS to a request without.
    """
    if not isinstance(document, dict):
        return StoreUnavailable(f"{request.path}: {NOT_VAULT}")
    if any("check-and-set" in word for word in errors or ()):
        return Conflict(f"{request.path}: somebody else wrote first")
    if any("high complexity" in word for word in errors or ()):
        return StoreError(f"{request.path}: the document has more keys and texts than Vault takes in one request")
    if not request.capabilities:
        return StoreDenied(f"Vault refuses the values sent for {request.operation} at {request.path}: check vault.auth")
    return StoreError(f"{request.path}: Vault rejects the request as invalid: check that this is a KV v2 mount")


def missing(request: VaultRequest, errors: Sequence[str] | None, document: Any) -> Exception:
    """Returns the error for a 404: no such document, mount or namespace, or an answer that is not from Vault."""
    if not isinstance(document, dict):
        return StoreUnavailable(f"{request.path}: {NOT_VAULT}")
    if errors:
        return StoreError(f"{request.path}: there is no such mount, authentication method or namespace in this Vault")
    if document.get("data") is None:
        return Absent(0)
    try:
        metadata = extract(dict, document, "data", "metadata")
        return Absent(extract(int, metadata, "version"), destroyed=metadata.get("destroyed") is True)
    except StoreUnavailable as broken:
        return broken


def extract(kind: type[T], answer: Any, *keys: str) -> T:
    """Returns the value under `keys` in an answer. Raises StoreUnavailable if the answer does not have Vault's form."""
    for key in keys:
        answer = answer.get(key) if isinstance(answer, dict) else None
    if type(answer) is not kind or (isinstance(answer, int) and not -_MOST < answer < _MOST):
        raise StoreUnavailable(f"an answer without {'.'.join(keys)}: {NOT_VAULT}")
    return answer


def extract_moment(answer: Any, *keys: str) -> datetime:
    """Returns the time under `keys` in an answer. Raises StoreUnavailable if the answer does not have Vault's form."""
    try:
        moment = datetime.fromisoformat(extract(str, answer, *keys)).astimezone(UTC)
    except (ValueError, OverflowError):
        moment = datetime.max.replace(tzinfo=UTC)
    if not _EARLIEST < moment < _LATEST:
        raise StoreUnavailable(f"an answer without the time {'.'.join(keys)}: {NOT_VAULT}")
    return moment


def login_token(answer: dict[str, Any]) -> LoginToken:
    """Returns the token that a login or a renewal yields. Raises StoreUnavailable if there is none."""
    token, seconds = extract(str, answer, "auth", "client_token"), extract(int, answer, "auth", "lease_duration")
    lifetime = timedelta(seconds=seconds) if seconds > 0 else None
    return LoginToken(Secret(token), lifetime, answer["auth"].get("renewable") is True)
