"""The audit in Vault: documents below `_audit` in the state prefix, and the key that makes a record.

`_audit/key` has the key. `_audit/<day>/<chain>-<number>` is a segment: some records of one process, from that number
on. `_audit/<day>/index` names the segments of a day. Only its process writes a segment, over and over until it is
full, so a flush is one write. A few are needed once more when a segment begins.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from rotator.core import audit_chain
from rotator.core.audit_chain import DayIndex, Line, Segment, StoredDay
from rotator.core.secret import Secret
from rotator.ports import Conflict, Randomness, StoreCorrupt, StoreDeleted, StoreDenied
from rotator.vault.client import VaultClient
from rotator.vault.kv import KeyValue, KvDocument, OlderVersion

_KEY, _INDEX = "key", "index"
_FULL = 32_768  # characters after which a segment gets no more: each flush writes the whole segment again
_MOST_AT_ONCE = 262_144  # characters in one write: each segment has three more requests
_VERSIONS = 1
_MOST_CONFLICTS = 20  # in a row, at a day's index: each one means that another process has written
_LONGEST_PAUSE = 0.5  # seconds after one
_HEX = "0123456789abcdef"


@dataclass(frozen=True, slots=True)
class _Open:
    """The segment that this process writes now."""

    day: str
    segment: Segment
    indexed: bool = False

    @property
    def full(self) -> bool:
        return sum(len(line) for line in self.segment.lines) >= _FULL


class VaultAuditStore:
    """Implements `ports.AuditStore`, and reads what it has written. One process uses it, one thread at a time."""

    def __init__(self, client: VaultClient, mount: str, state_prefix: str, randomness: Randomness) -> None:
        self._client, self._mount, self._randomness = client, mount.strip("/"), randomness
        self._folder = f"{state_prefix.strip('/')}/_audit"
        self._kv = KeyValue(client, self._mount)
        self._key: Secret | None = None
        self._open: _Open | None = None
        self._last = -1  # the number of the last line that is stored

    def key(self) -> Secret:
        """Returns the key; creates it at the first use.

        Raises:
            StoreDeleted: it was deleted. Without it nothing can be verified, so there is no new one.
            StoreError: a request to Vault failed.
        """
        path = f"{self._folder}/{_KEY}"
        known = self.known_key()
        if known is None:
            self._kv.limit_versions("limit_versions", path, _VERSIONS)
            drawn = self._randomness.text(_HEX, 64)
            try:
                self._kv.write("write_audit_key", path, {"key": drawn, "written_by": self._client.nonce()}, 0)
            except Conflict:  # another process has just done the same
                known = self.known_key()
            else:
                known = Secret(drawn)
        if known is None:
            raise StoreCorrupt(f"{self._mount}/{path}: field key: expected text")
        self._key = known
        return known

    def known_key(self) -> Secret | None:
        """Returns the key; None if nothing was ever recorded. Raises StoreError, like `key`."""
        path = f"{self._folder}/{_KEY}"
        document = self._kv.read("read_audit_key", path)
        if document.deleted:
            raise StoreDeleted(
                f"{self._mount}/{path}, the key of the audit, was deleted; restore it: "
                f"vault kv undelete -mount={self._mount} -versions={document.version} {path}"
            )
        if document.data is None:
            return None
        key = document.data.get("key")
        if not isinstance(key, str) or not key:
            raise StoreCorrupt(f"{self._mount}/{path}: field key: expected text")
        return Secret(key)

    def append(self, lines: Sequence[Line]) -> None:
        """Adds lines of this process's chain. What a lost write has stored already is not stored twice.

        Raises StoreError: some of them may be stored, and all may be passed again.
        """
        today = self._today()
        lines = [line for line in lines if line.seq > self._last]
        self._add_to_index()  # what could not be added before
        while lines:
            if self._open is None or self._open.day != today or self._open.full:
                self._open = _Open(today, Segment(f"{lines[0].chain}-{lines[0].seq:09d}", 0, (), ""))
            lines = self._write(self._open, lines)
            self._add_to_index()

    def _write(self, opened: _Open, lines: Sequence[Line]) -> Sequence[Line]:
        """Writes as many lines as the segment takes, and returns the others."""
        size, count = sum(len(line) for line in opened.segment.lines), 0
        while count < len(lines) and (not count or size < _MOST_AT_ONCE):
            size, count = size + len(lines[count].text), count + 1
        texts = (*opened.segment.lines, *(line.text for line in lines[:count]))
        fresh = audit_chain.segment(self._known(), opened.segment.name, opened.segment.version + 1, texts)
        path = f"{self._folder}/{opened.day}/{fresh.name}"
        if fresh.version == 1:
            self._kv.limit_versions("limit_versions", path, _VERSIONS)
        try:
            self._kv.write("write_audit", path, _document(fresh), opened.segment.version)
        except Conflict:
            return self._after_conflict(opened, path, lines)
        except (OlderVersion, StoreDenied):
            if not self._is_gone(path):
                raise
            self._begin_anew(opened)
            return lines
        self._open, self._last = replace(opened, segment=fresh), lines[count - 1].seq
        return lines[count:]

    def _after_conflict(self, opened: _Open, path: str, lines: Sequence[Line]) -> Sequence[Line]:
        """Goes on after what an earlier write has stored, or in another document if somebody else wrote this one."""
        there = _segment(opened.segment.name, self._kv.read("read_audit", path))
        if there is None or there.mac != audit_chain.segment_mac(self._known(), there.name, there.version, there.lines):
            self._begin_anew(opened)
            return lines
        self._open = replace(opened, segment=there)
        return [line for line in lines if line.text not in there.lines]

    def _is_gone(self, path: str) -> bool:
        """Returns True if somebody has removed a document that was there. To write it anew is not allowed."""
        try:
            self._kv.read("read_audit", path)
        except OlderVersion:  # for seconds: no standby lags that long
            return True
        return False

    def _begin_anew(self, opened: _Open) -> None:
        """Goes on in another document, and stores there again what somebody has taken out of Vault.

        The day's index still names the one that is gone.
        """
        chain_and_first = "-".join(opened.segment.name.split("-")[:2])
        name = f"{chain_and_first}-{self._client.nonce()}"
        self._open = _Open(opened.day, Segment(name, 0, opened.segment.lines, ""))

    def _add_to_index(self) -> None:
        if self._open is None or self._open.indexed or not self._open.segment.version:
            return
        name, day = self._open.segment.name, self._open.day
        path = f"{self._folder}/{day}/{_INDEX}"
        kv = KeyValue(self._client, self._mount)  # knows no version yet: somebody may have removed the document
        for attempt in range(_MOST_CONFLICTS):
            document = kv.read("read_audit_index", path)
            known = _index(day, document)
            if known is None:
                known = DayIndex(day, document.version, self._day_before(day), (), "")
            if name in known.segments:
                break
            names = (*known.segments, name)
            fresh = audit_chain.day_index(self._known(), day, document.version + 1, known.previous, names)
            if not document.version:
                kv.limit_versions("limit_versions", path, _VERSIONS)
            try:
                kv.write("write_audit_index", path, _index_document(fresh, self._client.nonce()), known.version)
            except Conflict:
                if attempt == _MOST_CONFLICTS - 1:
                    raise
                self._client.pause(_LONGEST_PAUSE * self._randomness.fraction())
            else:
                break
        self._open = replace(self._open, indexed=True)

    def read(self) -> Iterable[StoredDay]:
        """Yields everything that Vault has, day by day, each document when it is asked for. Raises StoreError."""
        for day in self._days():
            # Before the documents themselves: a process names one here after it has written it.
            index = self._read_index(day)
            names = [name for name in self._kv.list("list_audit", f"{self._folder}/{day}") if name != _INDEX]
            yield StoredDay(day, index or self._read_index(day), self._segments(day, names))

    def _read_index(self, day: str) -> DayIndex | None:
        return _index(day, self._kv.read("read_audit_index", f"{self._folder}/{day}/{_INDEX}"))

    def _segments(self, day: str, names: Iterable[str]) -> Iterator[Segment | str]:
        for name in names:
            document = self._kv.read("read_audit", f"{self._folder}/{day}/{name}")
            if document.version:  # one without was announced, and never written
                yield _segment(name, document) or name

    def days_until(self, last: date) -> tuple[str, ...]:
        """Returns the days up to `last` of which Vault has something. Raises StoreError."""
        return tuple(day for day in self._days() if day <= last.isoformat())

    def remove(self, day: str) -> None:
        """Removes everything of one day for good. Raises StoreError."""
        names = self._kv.list("list_audit", f"{self._folder}/{day}")
        for name in sorted(names, key=lambda name: name == _INDEX):  # what is cut off in between begins anew
            self._kv.remove("remove_audit", f"{self._folder}/{day}/{name}")

    def _known(self) -> Secret:
        assert self._key is not None  # noqa: S101  # asked for before
        return self._key

    def _today(self) -> str:
        moment = self._client.moment()
        assert moment is not None  # noqa: S101  # the key was read
        return moment.now.date().isoformat()

    def _days(self) -> tuple[str, ...]:
        names = self._kv.list("list_audit", self._folder)
        return tuple(sorted(name.rstrip("/") for name in names if name.endswith("/")))

    def _day_before(self, day: str) -> str:
        return max((known for known in self._days() if known < day), default="")


def _document(segment: Segment) -> dict[str, Any]:
    return {"lines": list(segment.lines), "mac": segment.mac}


def _segment(name: str, document: KvDocument) -> Segment | None:
    """Reads a segment; None if it is not of this form."""
    data: Mapping[str, Any] = document.data or {}
    lines, mac = data.get("lines"), data.get("mac")
    if not isinstance(lines, list) or not all(isinstance(line, str) for line in lines) or not isinstance(mac, str):
        return None
    return Segment(name, document.version, tuple(lines), mac)


def _index_document(index: DayIndex, writer: str) -> dict[str, Any]:
    # One text: OpenBao refuses a request with a thousand strings.
    return {"previous": index.previous, "segments": " ".join(index.segments), "mac": index.mac, "written_by": writer}


def _index(day: str, document: KvDocument) -> DayIndex | None:
    """Reads a day's index; None if it is missing or not of this form."""
    data: Mapping[str, Any] = document.data or {}
    names, previous, mac = data.get("segments"), data.get("previous"), data.get("mac")
    if not isinstance(names, str) or not isinstance(previous, str) or not isinstance(mac, str):
        return None
    return DayIndex(day, document.version, previous, tuple(names.split()), mac)
