"""The engine's store: the state document and the consumer document of each target, in Vault."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from rotator.core.bell import Bell
from rotator.core.consumer_document import ConsumerDocument
from rotator.core.evidence import AccountEvidence
from rotator.core.model import Credential, TargetState
from rotator.core.pace import AccountPace, Moment
from rotator.core.pauses import Pauses
from rotator.core.processes import Processes
from rotator.core.secret import Secret
from rotator.core.waves import Wave
from rotator.ports import Conflict, StoreCorrupt, StoreDenied, StoreError, Versioned
from rotator.vault.client import VaultClient
from rotator.vault.documents import (
    decode_bell,
    decode_consumer,
    decode_evidence,
    decode_pace,
    decode_pauses,
    decode_processes,
    decode_state,
    decode_wave,
    encode_bell,
    encode_consumer,
    encode_evidence,
    encode_pace,
    encode_pauses,
    encode_processes,
    encode_state,
    encode_wave,
    encode_withdrawal,
)
from rotator.vault.kv import KeyValue, KvDocument
from rotator.vault.publishing_rights import PublishingRights

_RESERVED = "_"  # begins the names below the state prefix that are no target's: a target's begins otherwise
_BELL = f"{_RESERVED}bell"
_PROCESSES = f"{_RESERVED}processes"
_ACCOUNT = f"{_RESERVED}account-"  # begins the names of the accounts' documents
_PAUSES = f"{_RESERVED}pauses"
_WAVE = f"{_RESERVED}wave-"  # begins the names of the documents with their slots
_EVIDENCE = f"{_RESERVED}evidence-"  # begins the names of the documents with what is known of each account
_SMALL_VERSIONS = 1  # of the documents that are no target's: what they said before is worth nothing
_EVIDENCE_VERSIONS = 2  # one that somebody damages names what a check has left at the provider
_STATE_VERSIONS = 2  # a staged password stays in Vault's history for one more write


class VaultStore:
    """Implements `ports.Store` on one KV v2 mount. Thread-safe."""

    def __init__(self, client: VaultClient, mount: str, state_prefix: str) -> None:
        self._client = client
        self._mount = mount.strip("/")
        self._prefix = state_prefix.strip("/")
        self._kv = KeyValue(client, self._mount)
        self._rights = PublishingRights(self._kv, self._mount, client.monotonic)

    def check(self) -> None:
        """Logs in and checks that the mount is KV v2 and keeps what is written.

        Raises StoreError, with a remedy, if it is not: v1 silently ignores check-and-set.
        """
        kind, version = self._kv.kind()
        if kind != "kv" or version != "2":
            actual = f"KV version {version}" if kind == "kv" else f"a secrets engine of type {kind}"
            raise StoreError(
                f"the mount {self._mount}/ is {actual}, but rotator needs the check-and-set of KV version 2 "
                f"(vault kv enable-versioning {self._mount}/, or name another mount)"
            )
        ends_after = self._kv.deletes_after()
        if ends_after:
            raise StoreError(
                f"the mount {self._mount}/ deletes every version of a document after {ends_after}, passwords in use "
                f"included: vault write {self._mount}/config delete_version_after=0s"
            )

    def now(self) -> datetime | None:
        """Returns Vault's time, as of its last answer and carried forward; None before the first answer."""
        moment = self._client.moment()
        return moment.now if moment is not None else None

    def moment(self) -> Moment | None:
        """Returns Vault's time like `now`, and how wrong that may be."""
        return self._client.moment()

    def read_state(self, target: str) -> Versioned:
        """Reads the state document; returns a new state if it does not exist. Raises StoreError."""
        path = self._state_path(target)
        document = self._kv.read("read_state", path)
        state = TargetState(target) if document.data is None else self._decoded(target, path, document)
        remedy = self._remedy(path, document)
        if document.destroyed and not remedy:  # to go on from the version before is to go on after a crash
            remedy = self._version_before(path, document)
        return Versioned(state, document.version, document.deleted, document.ends_at, remedy)

    def write_state(self, state: TargetState, version: int) -> int:
        """Writes the state document over `version` and returns the new version. Raises StoreError."""
        path = self._state_path(state.target)
        if version == 0:
            # Before the first version: a crash between the two requests must not skip this.
            self._kv.limit_versions("limit_versions", path, _STATE_VERSIONS)
        return self._kv.write("write_state", path, encode_state(state, self._client.nonce()), version)

    def list_states(self) -> tuple[str, ...]:
        """Returns the names of all targets that have a state document. Raises StoreError."""
        names = self._kv.list("list_states", self._prefix)
        return tuple(name for name in names if not name.endswith("/") and not name.startswith(_RESERVED))

    def read_bell(self) -> Bell:
        """Reads the bell; a document that is not of our form has lost every ring. Raises StoreError."""
        document = self._kv.read("read_bell", f"{self._prefix}/{_BELL}")
        return decode_bell(document.data or {}, document.version)

    def write_bell(self, bell: Bell) -> None:
        """Writes the bell over the one with the number before. Raises StoreError."""
        self._write_small("write_bell", _BELL, encode_bell(bell, self._client.nonce()), bell.number - 1)

    def read_processes(self) -> Processes:
        """Reads who lives; nobody if the document is missing or not of our form. Raises StoreError."""
        document = self._kv.read("read_processes", f"{self._prefix}/{_PROCESSES}")
        return decode_processes(document.data or {}, document.version)

    def write_processes(self, processes: Processes) -> None:
        """Writes who lives over the version before. Raises StoreError."""
        document = encode_processes(processes, self._client.nonce())
        self._write_small("write_processes", _PROCESSES, document, processes.version - 1)

    def read_pace(self, account: str) -> AccountPace:
        """Reads the pace of an account; a new one if it is missing or not of our form. Raises StoreError."""
        document = self._kv.read("read_pace", f"{self._prefix}/{_ACCOUNT}{account}")
        return decode_pace(document.data or {}, document.version)

    def write_pace(self, account: str, pace: AccountPace) -> None:
        """Writes the pace of an account over the version before. Raises StoreError."""
        document = encode_pace(pace, self._client.nonce())
        self._write_small("write_pace", f"{_ACCOUNT}{account}", document, pace.version - 1)

    def read_wave(self, account: str) -> Wave:
        """Reads an account's slots; a new one if the document is missing or not of our form. Raises StoreError."""
        document = self._kv.read("read_wave", f"{self._prefix}/{_WAVE}{account}")
        return decode_wave(document.data or {}, document.version)

    def write_wave(self, account: str, wave: Wave) -> None:
        """Writes an account's slots over the version before. Raises StoreError."""
        document = encode_wave(wave, self._client.nonce())
        self._write_small("write_wave", f"{_WAVE}{account}", document, wave.version - 1)

    def read_pauses(self) -> Pauses:
        """Reads what is paused; with a problem if the document was deleted or is not of our form. Raises StoreError."""
        path = f"{self._prefix}/{_PAUSES}"
        document = self._kv.read("read_pauses", path)
        if document.deleted:
            remedy = self._remedy(path, document) or "rotator resume --all"
            return Pauses(document.version, problem=f"what is paused was deleted in Vault: {remedy}")
        if document.data is None:
            return Pauses(document.version)
        try:
            return decode_pauses(document.data, document.version)
        except StoreCorrupt as error:
            problem = f"what is paused is not known: {self._mount}/{path}: {error}; begin anew: rotator resume --all"
            return Pauses(document.version, problem=problem)

    def write_pauses(self, pauses: Pauses) -> None:
        """Writes what is paused over the version before. Raises StoreError."""
        document = encode_pauses(pauses, self._client.nonce())
        self._write_small("write_pauses", _PAUSES, document, pauses.version - 1)

    def read_evidence(self, account: str) -> AccountEvidence:
        """Reads what is known of an account; nothing if the document is missing. Raises StoreError."""
        path = f"{self._prefix}/{_EVIDENCE}{account}"
        document = self._kv.read("read_evidence", path)
        try:
            return decode_evidence(document.data or {}, document.version)
        except StoreCorrupt as error:
            restored = self._version_before(path, document)
            remedy = f"restore it ({restored}), or " if restored else ""
            remedy += f"begin anew: vault kv delete -mount={self._mount} {path}"
            what = f"{self._mount}/{path}: {error} It may name a credential that a check has left at the provider"
        raise StoreCorrupt(f"{what}: {remedy}")

    def list_evidence(self) -> tuple[str, ...]:
        """Returns the accounts of which something is known. Raises StoreError."""
        names = self._kv.list("list_evidence", self._prefix)
        return tuple(name.removeprefix(_EVIDENCE) for name in names if name.startswith(_EVIDENCE))

    def write_evidence(self, account: str, evidence: AccountEvidence) -> None:
        """Writes what is known of an account over the version before. Raises StoreError."""
        document = encode_evidence(evidence, self._client.nonce())
        name, over = f"{_EVIDENCE}{account}", evidence.version - 1
        self._write_small("write_evidence", name, document, over, versions=_EVIDENCE_VERSIONS)

    def read_consumer(self, path: str) -> ConsumerDocument:
        """Reads the consumer document. Raises StoreError."""
        document = self._kv.read("read_consumer", path)
        read = ConsumerDocument(document.version, exists=False)
        if document.data is not None:
            read = decode_consumer(document.data, document.version)
        return replace(
            read,
            deleted=document.deleted,
            ends_at=document.ends_at,
            remedy=self._remedy(path, document),
            written_at=document.written_at,
        )

    def read_acknowledgement(self, path: str) -> tuple[str, ...]:
        """Reads the text under each key of a document that devices write; nothing without one. Raises StoreError."""
        document = self._kv.read("read_acknowledgement", path)
        return tuple(value for value in (document.data or {}).values() if isinstance(value, str))

    def expect_publishing(self, paths: Iterable[str]) -> None:
        """Names the paths of all consumer documents, so that one request can ask for the rights on many of them."""
        self._rights.expect(paths)

    def check_publishable(self, path: str) -> None:
        """Raises StoreDenied if the token may not write the consumer document at `path`, as of some minutes ago."""
        if not self._rights.may_publish(path):
            full = f"{self._mount}/data/{path}"
            raise StoreDenied(
                f'the Vault token may not write {full}: add  path "{full}" {{ capabilities = ["create", "read", '
                '"update"] }}  to its policy'
            )

    def read_key(self, path: str, key: str) -> Secret:
        """Reads one key of a document that somebody else maintains, such as a provider's API key. Raises StoreError."""
        value = (self._kv.read("read_secret", path).data or {}).get(key)
        if not isinstance(value, str) or not value:
            raise StoreError(f"{self._mount}/{path} has no text under the key {key!r}: store the secret there")
        return Secret(value)

    def write_consumer(self, path: str, credential: Credential, at: datetime | None, over: ConsumerDocument) -> int:
        """Writes the consumer document over the version of `over`, keeping keys that people added.

        Raises StoreError.
        """
        return self._write_consumer(path, encode_consumer(credential, at, over.kept), over)

    def confirm_consumer(self, path: str, over: ConsumerDocument) -> int:
        """Writes the consumer document again exactly as it stands there, if that is the version of `over`.

        Raises StoreError.
        """
        document = self._kv.read("read_consumer", path)  # with what is not of our form
        if document.data is None or document.version != over.version:
            raise Conflict(f"{path} is at version {document.version}, not {over.version}")
        return self._write_consumer(path, document.data, over)

    def withdraw_consumer(self, path: str, at: datetime, moved_to: str, over: ConsumerDocument) -> int:
        """Takes the credential out of the consumer document over the version of `over`, and says so in it.

        Raises StoreError.
        """
        return self._write_consumer(path, encode_withdrawal(at, moved_to, over.kept), over)

    def _write_small(
        self, operation: str, name: str, document: Mapping[str, Any], over: int, versions: int = _SMALL_VERSIONS
    ) -> None:
        path = f"{self._prefix}/{name}"
        if over == 0:  # to Vault every write is an update then, as its policy has it
            self._kv.limit_versions("limit_versions", path, versions)
        self._kv.write(operation, path, document, over)

    def _write_consumer(self, path: str, data: Mapping[str, Any], over: ConsumerDocument) -> int:
        try:
            return self._kv.write("write_consumer", path, data, over.version)
        except StoreDenied:
            self._rights.forget(path)
            raise

    def _remedy(self, path: str, document: KvDocument) -> str:
        """Returns the command that restores a deleted document, or those that take its end away; empty if none does."""
        undelete = f"vault kv undelete -mount={self._mount} -versions={document.version} {path}"
        if document.ends_at is not None:
            keep = f"vault kv metadata put -mount={self._mount} -delete-version-after=0s {path}"
            return f"{keep}, then {undelete}"
        return undelete if document.deleted and not document.destroyed else ""

    def _version_before(self, path: str, document: KvDocument) -> str:
        """Returns the command that brings the version before this one back; empty if it is lost as well."""
        before = document.version - 1
        if not before or not self._kv.has_version("read_version", path, before):
            return ""
        return f"vault kv rollback -mount={self._mount} -version={before} {path}"

    def _state_path(self, target: str) -> str:
        if not target or "/" in target or target in {".", ".."} or target.startswith(_RESERVED):
            raise StoreError(
                f"the target name {target!r} cannot be part of a path: use letters, digits, - and _, but no _ first"
            )
        return f"{self._prefix}/{target}"

    def _decoded(self, target: str, path: str, document: KvDocument) -> TargetState:
        where = f"{self._mount}/{path}"
        try:
            state = decode_state(document.data or {})
        except StoreCorrupt as error:
            raise StoreCorrupt(f"{where}: {error}") from None
        if state.target != target:
            raise StoreCorrupt(f"{where}: field target: expected {target}; was the document copied?")
        return state
