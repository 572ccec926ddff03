"""Documents of a KV v2 mount, written by check-and-set, through lost answers and standbys that lag.

A standby of a cluster answers reads and judges check-and-set from stale state: what is read is never older than what
this process has seen, and a conflict is looked into before it is believed.
"""

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from rotator.ports import Conflict, StoreUnavailable
from rotator.vault.client import Absent, Call, VaultClient, found

_STANDBY_LAG = 0.15  # seconds; measured on a healthy cluster: 0.08 in the median, 0.11 at most


@dataclass(frozen=True, slots=True)
class Document:
    """What is at a path. `data` is None where nothing is, or where the latest version was deleted or destroyed."""

    data: Mapping[str, Any] | None = field(repr=False)
    version: int  # of the latest version, deleted or not; 0 where nothing was ever written


class KeyValue:
    """One mount. Thread-safe. Every method raises StoreError, StoreUnavailable after retrying for some seconds."""

    def __init__(self, client: VaultClient, mount: str) -> None:
        self._client = client
        self._mount = mount
        self._lock = threading.Lock()
        self._newest: dict[str, int] = {}  # version by path; it only ever grows

    def kind(self) -> tuple[str, str]:
        """The type of the secrets engine and the version in its options, such as ("kv", "2").

        Any token with a right on something below the mount may ask. StoreDenied where the mount is missing, too:
        Vault does not tell the two apart.
        """
        refusal = (
            f"the mount {self._mount}/ does not exist, or the Vault token has no right on anything in it: enable it "
            f"(vault secrets enable -path={self._mount} -version=2 kv), or give the token the policy of "
            "config/vault-policy.hcl"
        )
        call = Call("check", "get", f"sys/internal/ui/mounts/{self._mount}", refusal=refusal)
        answer = self._client.retry(self._client.request, call)
        options = found(dict, answer, "data").get("options") or {}
        return found(str, answer, "data", "type"), str(options.get("version", "1"))

    def read(self, operation: str, path: str) -> Document:
        """Reads a document, never an older version than one that was seen or written here."""
        return self._client.retry(self._newest_of, operation, path)

    def write(self, operation: str, path: str, data: Mapping[str, Any], cas: int) -> int:
        """Writes `data` over version `cas` and returns the new version.

        A write whose answer was lost is sent again with the same `cas`; where that conflicts, what is there is read
        and is taken for ours if it is exactly `data`. So `data` should name the write, unless writing the same twice
        means the same.
        """
        return self._client.retry(self._write_once, operation, path, data, cas)

    def list(self, operation: str, folder: str) -> tuple[str, ...]:
        """The names directly below `folder`; those of folders end in a slash."""
        path = f"{self._mount}/metadata/{folder}"
        call = Call(operation, "list", path, ("list",), rule=f"{path}/*")
        try:
            answer = self._client.retry(self._client.request, call)
        except Absent:
            return ()
        return tuple(found(list, answer, "data", "keys"))

    def capabilities(self, operation: str, path: str) -> frozenset[str]:
        """What the token may do at a path of Vault's API."""
        call = Call(operation, "post", "sys/capabilities-self", ("update",))
        answer = self._client.retry(self._client.request, call, {"paths": [path]})
        return frozenset(found(list, answer, "data", path))

    def limit_versions(self, operation: str, path: str, count: int) -> None:
        """Makes Vault keep only the last `count` versions of a document, which need not exist yet."""
        call = Call(operation, "post", f"{self._mount}/metadata/{path}", ("create", "update"))
        self._client.retry(self._client.request, call, {"max_versions": count})

    def _get(self, operation: str, path: str) -> Document:
        call = Call(operation, "get", f"{self._mount}/data/{path}", ("read",))
        try:
            answer = self._client.request(call)
        except Absent as absent:
            return Document(None, absent.version)
        return Document(found(dict, answer, "data", "data"), found(int, answer, "data", "metadata", "version"))

    def _newest_of(self, operation: str, path: str) -> Document:
        document = self._get(operation, path)
        if not self._saw(path, document.version):
            raise StoreUnavailable(
                f"{self._mount}/{path}: stale standby: it shows version {document.version} after a newer one was seen; "
                "if the document was removed or restored on purpose, restart rotator"
            )
        return document

    def _saw(self, path: str, version: int) -> bool:
        """Remembers the newest version of a path. False: `version` is older."""
        with self._lock:
            if version < self._newest.get(path, 0):
                return False
            self._newest[path] = version
            return True

    def _write_once(self, operation: str, path: str, data: Mapping[str, Any], cas: int) -> int:
        call = Call(operation, "post", f"{self._mount}/data/{path}", ("create", "update"))
        try:
            answer = self._client.request(call, {"data": data, "options": {"cas": cas}})
            version = found(int, answer, "data", "version")
        except Conflict as conflict:
            version = self._settled(operation, path, data, cas, conflict)
        self._saw(path, version)
        return version

    def _settled(self, operation: str, path: str, data: Mapping[str, Any], cas: int, conflict: Conflict) -> int:
        """What a conflict means: ours after all, real, or (on a standby that lags) nothing yet."""
        self._client.pause(_STANDBY_LAG)
        there = self._get(operation, path)
        if there.version == cas + 1 and there.data == data:
            return there.version
        if there.version > cas:
            raise conflict
        raise StoreUnavailable(
            f"{self._mount}/{path}: stale standby: it refuses a write over version {cas} and shows version "
            f"{there.version}; or the document was removed since it was read"
        )
