"""One look at one target: the documents as read and written, and how long the claim still protects an effect."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from datetime import datetime, timedelta
from threading import Lock

from rotator.core.backoff import LONGEST_ASKED
from rotator.core.clocks import Clocks
from rotator.core.consumer_document import ConsumerDocument
from rotator.core.facts import lookup_key
from rotator.core.holds import lost_state_message
from rotator.core.left_over import has_rules, is_empty, with_rules
from rotator.core.model import Attempt, Claim, Credential, Target, TargetState
from rotator.core.verification import longest_asked
from rotator.engine.memory import Memory
from rotator.ports import CallTerms, Conflict, Store, StoreDeleted, StoreError, StoreUnavailable, Timer, Versioned

StateObserver = Callable[[Target, TargetState], None]

_RENEWALS = 3  # within the length of a claim


class Session:
    """Has both documents and tracks its own writes; after a conflict it reads the documents again."""

    def __init__(
        self,
        target: Target,
        store: Store,
        clock: Timer,
        holder: str,
        claim: timedelta,
        observe: StateObserver,
        memory: Memory,
        *,
        fresh: bool = True,
        documents: bool = True,
    ) -> None:
        """Begins a look. Raises StoreError.

        Args:
            fresh: read both documents; otherwise only what `memory` does not have.
            documents: False: read the state document alone. Whoever needs the other calls `read_consumer`.
        """
        self.target, self._memory = target, memory
        self._writing = Lock()  # an effect and the renewal beside it write one after the other
        self._store, self._clock, self._holder, self._claim_length, self._observe = store, clock, holder, claim, observe
        if not documents:
            self._read_state()
            self._observe(self.target, self.state)
        elif fresh or not self._recall():
            self.read()

    def read(self) -> None:
        """Reads both documents and forgets everything else, including the claim."""
        self._read_state()
        self.read_consumer()
        self._observe(self.target, self.state)

    def _read_state(self) -> None:
        versioned = self._store.read_state(self.target.name)
        self._memory.keep_state(versioned)
        self._begin(versioned)
        self._has_read_state = True

    def _recall(self) -> bool:
        """Begins with the state document in memory, and reads the others if one is not there.

        Returns False if the state document has to be read.
        """
        known = self._memory.state(self.target.name)
        if known is None:
            return False
        self._begin(known)
        documents = {path: self._memory.consumer(path) for path in self._paths()}
        recalled = {path: document for path, document in documents.items() if document is not None}
        if len(recalled) < len(documents):
            self.read_consumer()
        else:
            self._keep_documents(recalled)
        return True

    def _begin(self, found: Versioned) -> None:
        self.state, self.version, self.found = found.state, found.version, found
        self._over_deleted = False
        self._claim_ends = 0.0  # monotonic: a clock jump must not stretch a claim
        self.lookups: dict[str, tuple[Credential, ...]] = {}
        self.unsettled = False
        self.has_read_consumer = self._has_read_state = self.has_unwritten = False

    def _paths(self) -> list[str]:
        """Returns the target's path, and those that it leaves."""
        leaves = {self.state.path, *(former.path for former in self.state.former_paths)}
        return [self.target.path, *sorted(leaves - {"", self.target.path})]

    def read_consumer(self) -> None:
        """Reads the consumer document, and those at the paths that the target leaves."""
        documents = {path: self._store.read_consumer(path) for path in self._paths()}
        for path, document in documents.items():
            self._memory.keep_consumer(path, document)
        self._keep_documents(documents)
        self.has_read_consumer = True

    def _keep_documents(self, documents: dict[str, ConsumerDocument]) -> None:
        self.consumer = documents[self.target.path]
        self.other_documents = {path: each for path, each in documents.items() if path != self.target.path}

    def write(self, state: TargetState) -> None:
        """Writes the state document over the version that was read, and renews the claim if we hold it.

        A claim that is not ours stays as it is, even one left behind: only `write_claimed` replaces it.

        Raises:
            Conflict: somebody else wrote first; nothing is changed here.
            StoreError: it may or may not have been written.
        """
        if not self.holds_claim:
            self._check_and_set(replace(state, claim=self.state.claim), claim_ends=0.0)
        elif state.claim is None:
            self._check_and_set(state, claim_ends=0.0)  # the claim was released
        else:
            self.write_claimed(state)

    def note(self, state: TargetState) -> None:
        """Keeps what is now known, for the next write to store: another, a renewal of the claim, or `flush`.

        Only for what may be lost. A claim that is never released says that something was.
        """
        with self._writing:
            self.state, self.has_unwritten = replace(state, claim=self.state.claim), True
        self._observe(self.target, self.state)

    def note_rules(self) -> None:
        """Notes the rules by which what the target leaves behind ends if it is removed later, if they have changed.

        A process writes them once for each configuration, and otherwise only with something else: two processes with
        different configurations would write them in turn for ever.
        """
        state, target = self.state, self.target
        elsewhere = state.claim is not None and not self.holds_claim
        if target.removed or elsewhere or state.renamed_to or self.state_deleted or is_empty(state):
            return
        if has_rules(state, target):
            if not self.has_unwritten:
                self._memory.settle(target)
        elif self.has_unwritten or self.holds_claim or not self._memory.has_settled(target):
            self.note(with_rules(state, target))

    def flush(self) -> None:
        """Writes what was only noted. Raises like `write`."""
        if self.has_unwritten:
            self.write(self.state)

    def write_claimed(self, state: TargetState) -> None:
        """Writes the state document with a fresh claim of this process. Raises like `write`."""
        self._check_and_set(replace(state, claim=self.new_claim()), self._fresh_end())

    def _check_and_set(self, state: TargetState, claim_ends: float) -> None:
        if self.state_deleted and not self._over_deleted:
            raise StoreDeleted(lost_state_message(self.target.name, self.found.remedy))
        with self._writing:
            self._replace(state, claim_ends)

    def _replace(self, state: TargetState, claim_ends: float) -> None:
        self.version = self._store.write_state(state, self.version)
        self.state, self._claim_ends, self.has_unwritten = state, claim_ends, False
        self._memory.keep_state(Versioned(state, self.version, ends_at=self.found.ends_at, remedy=self.found.remedy))
        if has_rules(state, self.target):
            self._memory.settle(self.target)
        self._observe(self.target, state)

    @property
    def is_fresh(self) -> bool:
        """True if this look has read both documents, rather than found them in memory."""
        return self._has_read_state and self.has_read_consumer

    @property
    def state_deleted(self) -> bool:
        """True if the version that was read last is a deleted one."""
        return self.found.deleted and self.version == self.found.version

    @property
    def restorable(self) -> str:
        """The command in Vault that restores the deleted state document; empty if nothing is left to restore."""
        return self.found.remedy if self.state_deleted else ""

    def allow_over_deleted(self) -> None:
        """Allows this look to write over a state document that is lost for good, since somebody asked for that."""
        self._over_deleted = True

    def renewing(self) -> AbstractContextManager[None]:
        """Renews our claim, if we hold it, as long as the effect in the body takes."""
        if not self.holds_claim:
            return nullcontext()
        return self._clock.repeat(self._claim_length / _RENEWALS, self._renew)

    def _renew(self) -> bool:
        """Renews the claim beside an effect, on another thread; False if it is lost or released.

        After a conflict the claim is lost: no other effect begins, and the next write conflicts as well.
        """
        if not self._writing.acquire(blocking=False):
            return True  # what the effect writes now renews the claim
        try:
            if self.state.claim is None:
                return False
            self._replace(replace(self.state, claim=self.new_claim()), self._fresh_end())
        except Conflict:
            self._claim_ends = 0.0
            return False
        except StoreError as error:
            return isinstance(error, StoreUnavailable)  # Vault may be back before the claim has ended
        finally:
            self._writing.release()
        return True

    def check_publishable(self) -> None:
        """Raises StoreDenied if the token may not write the consumer document."""
        self._store.check_publishable(self.target.path)

    def publish(self, credential: Credential) -> None:
        """Writes the consumer document over what was read. Raises like `write`."""
        self.write_consumer(credential, self._clock.now())

    def write_consumer(self, credential: Credential, rotated_at: datetime | None) -> None:
        """Writes the consumer document for a credential that was rotated then; None: at an unknown time."""
        self._write_document(self.target.path, credential, rotated_at)

    def publish_as_well(self, path: str, credential: Credential) -> None:
        """Writes the document at another path of the target, with what is published already. Raises like `write`."""
        self._write_document(path, credential, self.document_at(self.state.path).rotated_at)

    def _write_document(self, path: str, credential: Credential, rotated_at: datetime | None) -> None:
        over = self.document_at(path)
        version = self._store.write_consumer(path, credential, rotated_at, over)
        written = ConsumerDocument(
            version=version,
            exists=True,
            username=credential.username,
            password=credential.password,
            credential_id=credential.id,
            attempt=credential.attempt,
            rotated_at=rotated_at,
            host=credential.host,
            realm=credential.realm,
            kept=over.kept,
            written_at=self._store.now(),
        )
        self._keep(path, written)

    def confirm(self, path: str) -> None:
        """Writes the document at `path` again as it was read: check-and-set knows whether that is the latest.

        Raises like `write`.
        """
        over = self.document_at(path)
        self._keep(path, replace(over, version=self._store.confirm_consumer(path, over)))

    def withdraw(self, path: str, moved_to: str) -> None:
        """Takes the credential out of the document at `path`. Raises like `write`."""
        over = self.document_at(path)
        version = self._store.withdraw_consumer(path, self._clock.now(), moved_to, over)
        self._keep(path, ConsumerDocument(version=version, exists=True, withdrawn=True, kept=over.kept))

    def document_at(self, path: str) -> ConsumerDocument:
        """Returns the consumer document at a path that the target uses or leaves."""
        return self.consumer if path == self.target.path else self.other_documents[path]

    def _keep(self, path: str, document: ConsumerDocument) -> None:
        self._memory.keep_consumer(path, document)
        if path == self.target.path:
            self.consumer = document
        else:
            self.other_documents[path] = document

    def remember_lookup(self, wanted: Credential, matches: tuple[Credential, ...]) -> None:
        """Keeps a look-up's result for the rest of this look."""
        self.lookups[lookup_key(wanted)] = matches

    def remember_unsettled(self) -> None:
        """Keeps for the rest of this look that no log-in showed which password is in force."""
        self.unsettled = True

    def forget_lookups(self) -> None:
        """Drops every look-up, since the credentials have changed."""
        self.lookups = {}

    def clocks(self) -> Clocks:
        """Returns this machine's time and Vault's."""
        now = self._clock.now()
        return Clocks(now, self._store.now() or now)

    def new_claim(self) -> Claim:
        """Returns a claim of this process that begins now."""
        return Claim(self._holder, self._clock.now() + self._claim_length)

    def _fresh_end(self) -> float:
        return self._clock.monotonic() + self._claim_length.total_seconds()

    @property
    def attempt(self) -> Attempt:
        """The open attempt. Raises ValueError if there is none."""
        if self.state.attempt is None:
            raise ValueError("no attempt is open")
        return self.state.attempt

    @property
    def holds_claim(self) -> bool:
        """True if the last write of this look holds the claim."""
        return self._claim_ends > 0.0

    def may_begin_effect(self, now: datetime) -> bool:
        """Returns True while half of our claim is left: then an effect may begin."""
        return self._claim_left(now) >= self._claim_length / 2

    def _claim_left(self, now: datetime) -> timedelta:
        """Returns how long our claim lasts by both clocks: while a machine sleeps, the monotonic clock may stop."""
        if self.state.claim is None:
            return timedelta()
        return min(timedelta(seconds=self._claim_ends - self._clock.monotonic()), self.state.claim.until - now)

    def terms(self) -> CallTerms:
        """Returns on what terms an effect calls a provider now.

        While the claim is held, nothing may be sent once it has ended: another process may have continued.
        """
        state, claimed = self.state, self.holds_claim
        asked = state.attempt or state.request
        emergency = (asked is not None and asked.compromised) or any(
            entry.compromised and not entry.disabled for entry in state.ledger
        )
        return CallTerms(
            urgent=emergency or longest_asked(state) < LONGEST_ASKED,
            may_send=lambda: not claimed or self._claim_left(self._clock.now()) > timedelta(),
        )
