"""The ports of the audit: its records, and where they outlive the process."""

from collections.abc import Sequence
from typing import Protocol

from rotator.core.audit_chain import Line
from rotator.core.audit_words import AuditOutcome, AuditVerb
from rotator.core.secret import Secret


class Audit(Protocol):
    """The record of every effect."""

    def record(self, verb: AuditVerb, target: str, outcome: AuditOutcome, **facts: str | float | bool | None) -> None:
        """Adds one line. Facts are ids, names and reasons: never a value."""
        ...

    def intend(self, verb: AuditVerb, target: str, **facts: str | float | bool | None) -> None:
        """Is told of an effect before it is sent: puts it on record first where the configuration requires that.

        Raises StoreUnavailable if that is impossible: then the effect may not be sent.
        """
        ...


class AuditStore(Protocol):
    """The audit in the store: documents that outlive every process, and the key that makes a record."""

    def key(self) -> Secret:
        """Returns the key; creates it at the first use. Raises StoreError."""
        ...

    def append(self, lines: Sequence[Line]) -> None:
        """Adds lines of this process's chain, which may be there already. Raises StoreError."""
        ...
