"""A store in memory with the check-and-set of KV v2, crash points and planned failures."""

from dataclasses import replace
from datetime import datetime, timedelta
from threading import Lock

from rotator.core.bell import Bell
from rotator.core.consumer_document import ConsumerDocument
from rotator.core.evidence import AccountEvidence
from rotator.core.model import Credential, TargetState
from rotator.core.pace import AccountPace, Moment
from rotator.core.pauses import Pauses
from rotator.core.processes import Processes
from rotator.core.waves import Wave
from rotator.ports import Clock, Conflict, StoreDenied, StoreError, Versioned
from rotator.testing.crash import CrashPoints


class MemoryStore:
    """A store of both documents of every target. One instance outlives the processes of a test, as Vault does."""

    def __init__(self, clock: Clock | None = None) -> None:
        self._clock = clock
        self.ahead = timedelta()  # of `clock`
        self.states: dict[str, Versioned] = {}
        self.consumers: dict[str, ConsumerDocument] = {}
        self.bell = Bell()
        self.processes = Processes()
        self.waves: dict[str, Wave] = {}
        self.pauses = Pauses()
        self.paces: dict[str, AccountPace] = {}
        self.evidence: dict[str, AccountEvidence] = {}
        self.acknowledgements: dict[str, dict[str, str]] = {}  # by path: what each device says that it uses
        self.points = CrashPoints()
        self.unpublishable: set[str] = set()
        self.deletes_after: timedelta | None = None  # the mount's `delete_version_after`
        self._earlier: dict[str, list[Versioned | ConsumerDocument]] = {}  # older versions, by target or path
        self._restorable: dict[str, Versioned | ConsumerDocument] = {}  # deleted, not destroyed
        self.failing: list[StoreError] = []  # raised by the next calls, one each, before they do anything
        self.losing: list[StoreError] = []  # raised by the next writes, one each, after they were carried out
        self._lock = Lock()

    def now(self) -> datetime | None:
        """Returns the time of `clock`, off by `ahead`; None without a clock."""
        return self._clock.now() + self.ahead if self._clock is not None else None

    def read_state(self, target: str) -> Versioned:
        """Returns the state document, or a fresh one."""
        self._fail()
        self._end_what_ends(target)
        return self.states.get(target) or Versioned(TargetState(target), 0)

    def write_state(self, state: TargetState, version: int) -> int:
        """Writes by check-and-set."""
        self._fail()
        with self.points.around("write state"), self._lock:
            known = self.states.get(state.target)
            current = known.version if known is not None else 0
            if current != version:
                raise Conflict(f"{state.target} is at version {current}, not {version}")
            self._keep(state.target)
            self.states[state.target] = Versioned(state, version + 1, ends_at=self._end())
            self._lose()
        return version + 1

    def list_states(self) -> tuple[str, ...]:
        """Returns every target that was ever written."""
        return tuple(sorted(self.states))

    def read_bell(self) -> Bell:
        """Returns the bell."""
        self._fail()
        return self.bell

    def write_bell(self, bell: Bell) -> None:
        """Writes by check-and-set."""
        self._fail()
        with self._lock:
            if self.bell.number != bell.number - 1:
                raise Conflict(f"the bell is at number {self.bell.number}, not {bell.number - 1}")
            self.bell = bell

    def read_processes(self) -> Processes:
        """Returns who lives."""
        self._fail()
        return self.processes

    def write_processes(self, processes: Processes) -> None:
        """Writes by check-and-set."""
        self._fail()
        with self._lock:
            if self.processes.version != processes.version - 1:
                raise Conflict(f"the processes are at version {self.processes.version}, not {processes.version - 1}")
            self.processes = processes

    def moment(self) -> Moment | None:
        """Returns the time of `now`, which is exact."""
        now = self.now()
        return Moment(now) if now is not None else None

    def read_pace(self, account: str) -> AccountPace:
        """Returns the pace of an account."""
        self._fail()
        return self.paces.get(account, AccountPace())

    def write_pace(self, account: str, pace: AccountPace) -> None:
        """Writes by check-and-set."""
        self._fail()
        with self._lock:
            current = self.paces.get(account, AccountPace()).version
            if current != pace.version - 1:
                raise Conflict(f"the pace of {account} is at version {current}, not {pace.version - 1}")
            self.paces[account] = pace

    def read_wave(self, account: str) -> Wave:
        """Returns the slots of an account."""
        self._fail()
        return self.waves.get(account, Wave())

    def write_wave(self, account: str, wave: Wave) -> None:
        """Writes by check-and-set."""
        self._fail()
        with self._lock:
            current = self.waves.get(account, Wave()).version
            if current != wave.version - 1:
                raise Conflict(f"the slots of {account} are at version {current}, not {wave.version - 1}")
            self.waves[account] = wave

    def read_pauses(self) -> Pauses:
        """Returns what is paused."""
        self._fail()
        return self.pauses

    def write_pauses(self, pauses: Pauses) -> None:
        """Writes by check-and-set."""
        self._fail()
        with self._lock:
            if self.pauses.version != pauses.version - 1:
                raise Conflict(f"the pauses are at version {self.pauses.version}, not {pauses.version - 1}")
            self.pauses = pauses

    def read_evidence(self, account: str) -> AccountEvidence:
        """Returns what is known of an account."""
        self._fail()
        return self.evidence.get(account, AccountEvidence())

    def list_evidence(self) -> tuple[str, ...]:
        """Returns every account of which something was ever written."""
        self._fail()
        return tuple(sorted(self.evidence))

    def write_evidence(self, account: str, evidence: AccountEvidence) -> None:
        """Writes by check-and-set."""
        self._fail()
        with self.points.around("write evidence"), self._lock:
            current = self.evidence.get(account, AccountEvidence()).version
            if current != evidence.version - 1:
                raise Conflict(f"the evidence of {account} is at version {current}, not {evidence.version - 1}")
            self.evidence[account] = evidence

    def read_consumer(self, path: str) -> ConsumerDocument:
        """Returns the consumer document."""
        self._fail()
        self._end_what_ends(path)
        return self.consumers.get(path, ConsumerDocument(0, exists=False))

    def read_acknowledgement(self, path: str) -> tuple[str, ...]:
        """Returns what devices said."""
        self._fail()
        return tuple(self.acknowledgements.get(path, {}).values())

    def check_publishable(self, path: str) -> None:
        """Raises StoreDenied for the paths in `unpublishable`."""
        if path in self.unpublishable:
            raise StoreDenied(f"the token may not write {path}")

    def write_consumer(self, path: str, credential: Credential, at: datetime | None, over: ConsumerDocument) -> int:
        """Writes by check-and-set."""
        return self._write(
            path,
            over,
            ConsumerDocument(
                version=over.version + 1,
                exists=True,
                username=credential.username,
                password=credential.password,
                credential_id=credential.id,
                attempt=credential.attempt,
                rotated_at=at,
                written_at=self.now(),
                ends_at=self._end(),
                host=credential.host,
                realm=credential.realm,
                kept=over.kept,
            ),
        )

    def confirm_consumer(self, path: str, over: ConsumerDocument) -> int:
        """Writes it again by check-and-set."""
        again = replace(over, version=over.version + 1, written_at=self.now(), ends_at=self._end())
        return self._write(path, over, again)

    def withdraw_consumer(self, path: str, at: datetime, moved_to: str, over: ConsumerDocument) -> int:  # noqa: ARG002
        """Takes the credential out by check-and-set."""
        return self._write(
            path,
            over,
            ConsumerDocument(over.version + 1, exists=True, ends_at=self._end(), withdrawn=True, kept=over.kept),
        )

    def _write(self, path: str, over: ConsumerDocument, document: ConsumerDocument) -> int:
        self._fail()
        if path in self.unpublishable:
            raise StoreDenied(f"the token may not write {path}")
        with self.points.around("write consumer"), self._lock:
            current = self.consumers.get(path, ConsumerDocument(0, exists=False)).version
            if current != over.version:
                raise Conflict(f"{path} is at version {current}, not {over.version}")
            self._keep(path)
            self.consumers[path] = document
            self._lose()
        return document.version

    # What people and Vault itself do. `key` is a target's name (its state document) or a consumer document's path.

    def delete(self, key: str) -> None:
        """Deletes the latest version, as `vault kv delete` does; `undelete` restores it."""
        document = self._latest(key)
        if not document.deleted:
            self._restorable[key] = document
            self._set(key, self._gone(key, f"vault kv undelete -mount=secret -versions={document.version} {key}"))

    def undelete(self, key: str) -> None:
        """Restores a deleted version, for good unless the mount deletes by itself."""
        self._set(key, replace(self._restorable.pop(key), ends_at=self._end()))

    def destroy(self, key: str, *, earlier: bool = False) -> None:
        """Deletes the latest version for good; the `earlier` ones as well, or those of a state can be rolled back."""
        self._restorable.pop(key, None)
        if earlier:
            self._earlier.pop(key, None)
        can_be_rolled_back = key in self.states and key in self._earlier
        version = self._latest(key).version - 1
        remedy = f"vault kv rollback -mount=secret -version={version} {key}" if can_be_rolled_back else ""
        self._set(key, self._gone(key, remedy))

    def remove(self, key: str) -> None:
        """Removes every version, as `vault kv metadata delete` does: the document never existed."""
        for kept in (self.states, self.consumers, self._restorable, self._earlier):
            kept.pop(key, None)

    def roll_back(self, key: str) -> None:
        """Writes the version before the latest again, as `vault kv rollback` does. KeyError: there is none."""
        before, version = self._earlier[key][-1], self._latest(key).version
        self._keep(key)
        self._set(key, self._written_now(replace(before, version=version + 1)))

    def tamper(self, path: str, username: str) -> None:
        """Changes the consumer document as somebody else would."""
        self._keep(path)
        current = self.consumers.get(path, ConsumerDocument(0, exists=False))
        changed = replace(current, version=current.version + 1, exists=True, username=username)
        self._set(path, self._written_now(changed))

    def _latest(self, key: str) -> Versioned | ConsumerDocument:
        return self.states[key] if key in self.states else self.consumers[key]

    def _written_now(self, document: Versioned | ConsumerDocument) -> Versioned | ConsumerDocument:
        return document if isinstance(document, Versioned) else replace(document, written_at=self.now())

    def _set(self, key: str, document: Versioned | ConsumerDocument) -> None:
        if isinstance(document, Versioned):
            self.states[key] = document
        else:
            self.consumers[key] = document

    def _keep(self, key: str) -> None:
        self._restorable.pop(key, None)
        if (key in self.states or key in self.consumers) and not self._latest(key).deleted:
            self._earlier.setdefault(key, []).append(self._latest(key))

    def _gone(self, key: str, remedy: str) -> Versioned | ConsumerDocument:
        version = self._latest(key).version
        if key in self.states:
            return Versioned(TargetState(key), version, deleted=True, remedy=remedy)
        return ConsumerDocument(version, exists=False, deleted=True, remedy=remedy)

    def _end(self) -> datetime | None:
        now = self.now()
        return now + self.deletes_after if now is not None and self.deletes_after is not None else None

    def _end_what_ends(self, key: str) -> None:
        now = self.now()
        if now is None or (key not in self.states and key not in self.consumers):
            return
        ends_at = self._latest(key).ends_at
        if ends_at is not None and ends_at <= now:
            self.delete(key)

    def _fail(self) -> None:
        if self.failing:
            raise self.failing.pop(0)

    def _lose(self) -> None:
        if self.losing:
            raise self.losing.pop(0)
