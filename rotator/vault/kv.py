"""Documents in a KV v2 mount, written by check-and-set despite lost answers and lagging standbys.

A standby answers reads and checks writes against stale state. So a read never returns an older version than this
process has seen, and a conflict is verified before it is believed.
"""

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from rotator.ports import Conflict, StoreDenied, StoreUnavailable
from rotator.vault.answers import Absent, VaultRequest, extract, extract_moment
from rotator.vault.client import VaultClient

_STANDBY_LAG = 0.15  # seconds; measured on a healthy cluster: median 0.08, maximum 0.11


class OlderVersion(StoreUnavailable):
    """Vault shows an older version than before: a standby lags, or somebody has removed or replaced the document."""


@dataclass(frozen=True, slots=True)
class KvDocument:
    """The document at a path. `data` is None if it does not exist, or its latest version was deleted or destroyed."""

    data: Mapping[str, Any] | None = field(repr=False)
    version: int  # of the latest version, deleted or not; 0 if nothing was ever written
    destroyed: bool = False  # the latest version was deleted for good
    ends_at: datetime | None = None  # Vault deletes it by itself then
    written_at: datetime | None = None  # by Vault's clock

    @property
    def deleted(self) -> bool:
        """True if it existed, and its latest version was deleted or destroyed."""
        return self.data is None and self.version > 0


class KeyValue:
    """One mount. Thread-safe. Every method raises StoreError, and StoreUnavailable after retrying for some seconds."""

    def __init__(self, client: VaultClient, mount: str) -> None:
        self._client = client
        self._mount = mount
        self._lock = threading.Lock()
        self._newest: dict[str, int] = {}  # version by path; it only ever grows

    def kind(self) -> tuple[str, str]:
        """Returns the type of the secrets engine and the version in its options, such as ("kv", "2").

        Any token with a right on something below the mount may ask. Also raises StoreDenied if the mount is missing,
        since Vault does not distinguish the two.
        """
        refusal = (
            f"the mount {self._mount}/ does not exist, or the Vault token has no right on anything in it: enable it "
            f"(vault secrets enable -path={self._mount} -version=2 kv), or give the token the policy of "
            "config/vault-policy.hcl"
        )
        request = VaultRequest("check", "get", f"sys/internal/ui/mounts/{self._mount}", refusal=refusal)
        answer = self._client.retry(self._client.request, request)
        options = extract(dict, answer, "data").get("options")
        version = options.get("version") if isinstance(options, dict) else None
        return extract(str, answer, "data", "type"), version if isinstance(version, str) else "1"

    def deletes_after(self) -> str:
        """Returns the mount's `delete_version_after`; empty if there is none, or if the token may not read it."""
        request = VaultRequest("check", "get", f"{self._mount}/config", ("read",))
        try:
            answer = self._client.retry(self._client.request, request)
        except StoreDenied:  # of an older policy; the documents themselves still show when they end
            return ""
        length = extract(str, answer, "data", "delete_version_after")
        return "" if length == "0s" or length.startswith("-") else length

    def read(self, operation: str, path: str) -> KvDocument:
        """Reads a document, never an older version than this process has read or written."""
        return self._client.retry(self._newest_of, operation, path)

    def has_version(self, operation: str, path: str, version: int) -> bool:
        """True if an earlier version of a document can still be read."""
        request = VaultRequest(operation, "get", f"{self._mount}/data/{path}", ("read",), version=version)
        try:
            self._client.retry(self._client.request, request)
        except Absent:
            return False
        return True

    def write(self, operation: str, path: str, data: Mapping[str, Any], cas: int) -> int:
        """Writes `data` over version `cas` and returns the new version.

        A write whose answer was lost is sent again with the same `cas`. If that conflicts, the document is read, and
        counts as ours if it equals `data`. So `data` should identify the write, unless writing it twice is harmless.
        """
        return self._client.retry(self._write_once, operation, path, data, cas)

    def list(self, operation: str, folder: str) -> tuple[str, ...]:
        """Returns the names directly below `folder`; the name of a folder ends in a slash."""
        path = f"{self._mount}/metadata/{folder}"
        request = VaultRequest(operation, "list", path, ("list",), rule=f"{path}/*")
        try:
            answer = self._client.retry(self._client.request, request)
        except Absent:
            return ()
        return tuple(name for name in extract(list, answer, "data", "keys") if isinstance(name, str))

    def capabilities(self, operation: str, paths: Sequence[str]) -> dict[str, frozenset[str]]:
        """Returns the token's capabilities on each of several paths of Vault's API."""
        request = VaultRequest(operation, "post", "sys/capabilities-self", ("update",))
        answer = self._client.retry(self._client.request, request, {"paths": list(paths)})
        granted = {path: extract(list, answer, "data", path) for path in paths}
        return {path: frozenset(name for name in names if isinstance(name, str)) for path, names in granted.items()}

    def limit_versions(self, operation: str, path: str, count: int) -> None:
        """Tells Vault to keep only the last `count` versions of a document, which need not exist yet."""
        request = VaultRequest(operation, "post", f"{self._mount}/metadata/{path}", ("create", "update"))
        self._client.retry(self._client.request, request, {"max_versions": count})

    def remove(self, operation: str, path: str) -> None:
        """Removes a document with all its versions, for good."""
        request = VaultRequest(operation, "delete", f"{self._mount}/metadata/{path}", ("delete",))
        self._client.retry(self._client.request, request)

    def _get(self, operation: str, path: str) -> KvDocument:
        request = VaultRequest(operation, "get", f"{self._mount}/data/{path}", ("read",))
        try:
            answer = self._client.request(request)
        except Absent as absent:
            return KvDocument(None, absent.version, absent.destroyed)
        ends = extract(str, answer, "data", "metadata", "deletion_time")
        return KvDocument(
            extract(dict, answer, "data", "data"),
            extract(int, answer, "data", "metadata", "version"),
            ends_at=extract_moment(answer, "data", "metadata", "deletion_time") if ends else None,
            written_at=extract_moment(answer, "data", "metadata", "created_time"),
        )

    def _newest_of(self, operation: str, path: str) -> KvDocument:
        document = self._get(operation, path)
        if not self._saw(path, document.version):
            raise OlderVersion(
                f"{self._mount}/{path}: stale standby: it returns version {document.version} after a newer one; "
                "if the document was removed or restored on purpose, restart rotator"
            )
        return document

    def _saw(self, path: str, version: int) -> bool:
        """Remembers the newest version of a path; returns False if `version` is older."""
        with self._lock:
            if version < self._newest.get(path, 0):
                return False
            self._newest[path] = version
            return True

    def _write_once(self, operation: str, path: str, data: Mapping[str, Any], cas: int) -> int:
        request = VaultRequest(operation, "post", f"{self._mount}/data/{path}", ("create", "update"))
        try:
            answer = self._client.write(request, {"data": data, "options": {"cas": cas}})
            version = extract(int, answer, "data", "version")
        except Conflict as conflict:
            version = self._settled(operation, path, data, cas, conflict)
        self._saw(path, version)
        return version

    def _settled(self, operation: str, path: str, data: Mapping[str, Any], cas: int, conflict: Conflict) -> int:
        """Returns the version if the conflicting write was ours. A standby may also report a false conflict."""
        document = self._get(operation, path)
        if document.version <= cas:
            self._client.pause(_STANDBY_LAG)
            document = self._get(operation, path)
        if document.version == cas + 1 and document.data == data:
            return document.version
        if document.version > cas:
            self._saw(path, document.version)  # whoever reads again now may ask a standby that lags
            raise conflict
        raise OlderVersion(
            f"{self._mount}/{path}: stale standby: it refuses a write over version {cas} and returns version "
            f"{document.version}; or the document was removed since it was read"
        )
