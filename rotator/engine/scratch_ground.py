"""Where scratch credentials are written down before the provider hears of them, and how they are cleaned up."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import TypeVar

from rotator.core.answers import Answer, Done, Refusal, Refused
from rotator.core.audit_words import AuditVerb, outcome_of
from rotator.core.evidence import AccountEvidence, Scratch
from rotator.core.model import Credential
from rotator.core.naming import is_scratch, new_attempt_id, scratch_username
from rotator.core.secret import Secret
from rotator.engine.provider_caller import message_of
from rotator.ports import Audit, Clock, Provider, Randomness, Store

T = TypeVar("T")

TARGET = "check-provider"
"""What a provider that wants a description gets in place of a target's name."""
_LATE = timedelta(hours=1)  # after which a lost create is certain never to arrive


class CheckRuns(Exception):
    """Another check works on this account's scratch. The message names its process."""


class Ground:
    """The evidence document of an account, as far as scratch credentials concern it."""

    def __init__(
        self,
        account: str,
        key: str,
        provider: Provider,
        store: Store,
        clock: Clock,
        randomness: Randomness,
        audit: Audit,
        holder: str,
    ) -> None:
        """Prepares without a request.

        Args:
            account: its name in the configuration.
            key: of its evidence document.
            holder: names this process.
        """
        self._account, self._key, self._provider, self._store = account, key, provider, store
        self._clock, self._randomness, self._audit, self._holder = clock, randomness, audit, holder
        self.evidence = AccountEvidence()
        """The document as it was last read or written."""

    def read(self) -> AccountEvidence:
        """Reads the document. Raises StoreError."""
        self.evidence = self._store.read_evidence(self._key)
        return self.evidence

    def take(self, living: tuple[str, ...]) -> None:
        """Takes the document for this process. Raises StoreError, and CheckRuns if a living process has it."""
        holder = self.read().holder
        if holder and holder != self._holder and holder in living:
            raise CheckRuns(f"another check of {self._account} runs: {holder}")
        self.write(replace(self.evidence, holder=self._holder))

    def write(self, evidence: AccountEvidence) -> None:
        """Writes the document. Raises StoreError: a `Conflict` if another process took it."""
        changed = replace(evidence, version=self.evidence.version + 1)
        self._store.write_evidence(self._key, changed)
        self.evidence = changed

    def staged(self, password: Secret | None) -> Credential:
        """Writes a new scratch credential down, and returns it with its password. Raises StoreError."""
        generates = self._provider.capabilities.generates_password
        name = "" if generates else scratch_username(self._randomness.text)
        attempt = new_attempt_id(self._randomness.text)
        staged = Credential(self._account, name, password=password, attempt=attempt, identity=self._provider.identity)
        self.keep(staged)
        return staged

    def keep(self, credential: Credential) -> None:
        """Writes down what is known of a scratch credential now, without its password. Raises StoreError."""
        self.write(self.evidence.with_scratch(Scratch(replace(credential, password=None), self._clock.now())))

    def keep_expendable(self, credential: Credential) -> Credential:
        """Writes down an expendable credential with its password, if it is known, and returns it with an attempt."""
        kept = replace(credential, attempt=new_attempt_id(self._randomness.text), identity=self._provider.identity)
        self.write(self.evidence.with_scratch(Scratch(kept, self._clock.now(), expendable=True)))
        return kept

    def ended(self, credential: Credential) -> None:
        """Takes a scratch credential out: nothing is left of it. Raises StoreError."""
        for one in self.evidence.scratch:
            if one.credential.attempt == credential.attempt:
                self.write(self.evidence.without_scratch(one))

    def effect(self, name: str, credential: Credential, call: Callable[[], Answer[T]]) -> Answer[T]:
        """Makes a call that changes something at the provider, and records it. Raises StoreUnavailable."""
        about = {"account": self._account, "username": credential.username, "credential": credential.id}
        self._audit.intend(AuditVerb.CHECK_PROVIDER, "", effect=name, **about)
        answer = call()
        detail = {"detail": message_of(answer)} if message_of(answer) else {}
        self._audit.record(AuditVerb.CHECK_PROVIDER, "", outcome_of(answer), effect=name, **about, **detail)
        return answer

    def delete(
        self, credential: Credential, tried: Callable[[Callable[[], Answer[None]]], Answer[None]]
    ) -> Answer[None]:
        """Deletes a scratch credential at the provider."""
        return self.effect("delete", credential, lambda: tried(lambda: self._provider.delete(credential)))

    def clean_up(self, tried: Callable[[Callable[[], Answer[None]]], Answer[None]]) -> list[str]:
        """Ends everything that is written down, and returns what is left and why. Raises StoreError."""
        left = []
        for scratch in self.evidence.scratch:
            problem = self._restore(scratch, tried) if scratch.expendable else self._remove(scratch, tried)
            if problem:
                left.append(f"{scratch.credential.username or scratch.credential.attempt}: {problem}")
            else:
                self.ended(scratch.credential)
        return left

    def _remove(self, scratch: Scratch, tried: Callable[[Callable[[], Answer[None]]], Answer[None]]) -> str:
        kept = scratch.credential
        if kept.identity != self._provider.identity:
            return f"it was made at another account than {self._account} means now"
        found = self._provider.find(kept)
        if not isinstance(found, Done):
            return found.message
        # Nothing is deleted on the word of a document alone: the provider has to show it as a scratch credential.
        ours = [one for one in found.value if is_scratch(one.username) or one.attempt == kept.attempt is not None]
        for one in ours:
            answer = self.delete(one, tried)
            if not isinstance(answer, Done) and not (isinstance(answer, Refused) and answer.why is Refusal.NOT_FOUND):
                return message_of(answer)
        late = kept.id is None and not ours and self._clock.now() - scratch.since < _LATE
        return "its create got no answer, and may still arrive" if late else ""

    def _restore(self, scratch: Scratch, tried: Callable[[Callable[[], Answer[None]]], Answer[None]]) -> str:
        """Sets the old password of an expendable credential, if it is known."""
        kept = scratch.credential
        if kept.password is None:
            return ""

        def restore() -> Answer[None]:
            answer = self._provider.set_password(kept)
            return Done(None) if isinstance(answer, Done) else answer

        answer = self.effect("restore", kept, lambda: tried(restore))
        return "" if isinstance(answer, Done) else f"its old password could not be set: {message_of(answer)}"
