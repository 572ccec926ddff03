"""Reads the audit in Vault, and copies of it, into the history of a period."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path

from rotator.cli.exits import CommandError, Exit
from rotator.core.audit_chain import AuditRecord, StoredDay
from rotator.core.audit_check import AuditCheck, CheckedAudit
from rotator.core.password_history import PasswordHistory
from rotator.core.pause_history import PauseHistory
from rotator.observe.report import moment_text
from rotator.observe.time_words import counted
from rotator.vault.audit_store import VaultAuditStore

_LONGEST_LINE = 1_048_576  # bytes; a longer one is no record, and is read in pieces
_LATE = timedelta(days=2)
"""How much later than it was made a record may come to Vault, or be made by a clock that is ahead."""


@dataclass(frozen=True, slots=True)
class ReadAudit:
    """What was read."""

    checked: tuple[CheckedAudit, ...]  # in Vault, and in files
    history: PasswordHistory
    pauses: PauseHistory
    removed_until: str

    @property
    def position(self) -> dict[str, str | int | None]:
        """Where the audit stood: how much of it was read, and a hash over the end of every chain."""
        ends = sorted(f"{end.chain} {end.seq} {end.mac}\n" for end in self.checked[0].ends)
        return {
            "records": sum(each.records for each in self.checked),
            "chains": len(ends),
            "first_record": moment_text(self.history.first),
            "chain_ends_sha256": sha256("".join(ends).encode()).hexdigest(),
            "problems": self._problems,
        }

    @property
    def _problems(self) -> int:
        return sum(len(each.problems) + each.more_problems for each in self.checked)

    def notes(self, begin: datetime) -> Iterator[str]:
        """Yields what the audit cannot say about a period."""
        first = self.history.first
        if first is None:
            yield "there is no record at all"
        elif first > begin:
            yield (
                f"there are no records before {moment_text(first)}: what was accepted before is known only where later "
                "records tell of it"
            )
        if self.removed_until >= begin.date().isoformat():
            yield f"records up to {self.removed_until} were removed from Vault, since they were older than audit.keep"
        if self._problems:
            yield f"{counted(self._problems, 'problem')} in the audit: rotator verify-audit names them"
        if self.history.late:
            yield f"{counted(self.history.late, 'record')} came days late: ages may be shown too high"
        yield "the limits are those that are configured now"


def read_audit(store: VaultAuditStore, history: PasswordHistory, files: Sequence[Path], *, from_log: bool) -> ReadAudit:
    """Reads what Vault has, and then the files. Raises StoreError, CommandError."""
    key = store.known_key()
    if key is None:
        raise CommandError("no process of rotator has recorded anything in this Vault yet: there is no key")
    pauses = PauseHistory()

    def take(record: AuditRecord) -> None:
        history.take(record)
        pauses.take(record)

    vault = AuditCheck(key, each=take)
    days = store.read()
    vault.stored(days if files else _one_by_one(days, history))
    checked = [vault.result()]
    if files:
        others = AuditCheck(key, vault=vault, each=take, mixed=from_log)
        take_files(others, files)
        checked.append(others.result(part=True))
    history.finish()
    return ReadAudit(tuple(checked), history, pauses, vault.removed_until)


def _one_by_one(days: Iterable[StoredDay], history: PasswordHistory) -> Iterator[StoredDay]:
    """Yields the days, and lets the history judge what is so long ago that nothing earlier can follow."""
    for day in days:
        with suppress(ValueError):  # a document that somebody else wrote: the check names it
            history.release(datetime.fromisoformat(day.day).replace(tzinfo=UTC) - _LATE)
        yield day


def take_files(check: AuditCheck, files: Sequence[Path]) -> None:
    """Passes every line of the files to a check. Raises CommandError: a file cannot be read."""
    for path in files:
        try:
            with path.open("rb") as file:
                number = 1
                while line := file.readline(_LONGEST_LINE):
                    check.line(f"{path}:{number}", line.rstrip(b"\r\n"))
                    number += line.endswith(b"\n")
        except OSError as error:
            raise CommandError(f"{path} cannot be read: {error.strerror}", Exit.USAGE) from None
