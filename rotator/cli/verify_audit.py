"""Implements `rotator verify-audit`: judges the audit in Vault, or files beside it, and says what that proves."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from rotator.cli.context import open_context
from rotator.cli.exits import CommandError, Exit
from rotator.cli.options import Output
from rotator.cli.printing import print_json, print_lines, safe
from rotator.cli.read_audit import take_files
from rotator.core.audit_check import NO_RECORD, AuditCheck, AuditFinding, CheckedAudit
from rotator.observe.time_words import counted

_KEYED = "proved: every record was written with the key in Vault, and none is missing "
_PROVED_IN_VAULT = (
    f"{_KEYED}between the first and the last",
    "not proved: that nobody with rotator's or an administrator's rights in Vault wrote it anew: verify a copy as well",
)
_PROVED_IN_FILES = (
    f"{_KEYED}up to the last that Vault has of each process",
    "not proved: that no process is missing: files have those that wrote to them, and only Vault has all",
)
_PROVED_OF_A_PART = (
    f"{_KEYED}between the first and the last of each process",
    "not proved: that nothing is missing before and after (--part)",
)


@dataclass(frozen=True, slots=True)
class VerifyAuditOptions:
    """The arguments of `rotator verify-audit`."""

    files: tuple[Path, ...] = ()  # none: what Vault has
    from_log: bool = False
    part: bool = False


def show_verification(config: Path, options: VerifyAuditOptions, output: Output) -> Exit:
    """Prints the result and returns the exit code. Raises ConfigError, StoreError, CommandError."""
    with open_context(config, read_only=True) as context:
        store = context.components.audit_store
        key = store.known_key()
        if key is None:
            raise CommandError("no process of rotator has recorded anything in this Vault yet: there is no key")
        vault = AuditCheck(key)
        vault.stored(store.read())
        checked, proved = vault.result(), _PROVED_IN_VAULT
    if options.files:
        checked = _with_those_of_vault(_check_files(options, vault), checked)
        proved = _PROVED_OF_A_PART if options.part else _PROVED_IN_FILES
    if output is Output.JSON:
        print_json(_document(checked, proved))
    else:
        _print(checked, proved, from_files=bool(options.files))
    return Exit.DONE if checked.ok else Exit.FAILED


def _check_files(options: VerifyAuditOptions, vault: AuditCheck) -> CheckedAudit:
    check = AuditCheck(vault.key, vault=vault, mixed=options.from_log)
    take_files(check, options.files)
    return check.result(part=options.part)


def _with_those_of_vault(checked: CheckedAudit, vault: CheckedAudit) -> CheckedAudit:
    """Adds what is wrong in Vault: files are judged by its word."""
    theirs = tuple(AuditFinding(f"in Vault: {each.place}", each.what) for each in vault.problems)
    more = checked.more_problems + vault.more_problems
    return replace(checked, problems=(*checked.problems, *theirs), more_problems=more)


def _print(checked: CheckedAudit, proved: Sequence[str], *, from_files: bool) -> None:
    for finding in checked.problems:
        print_lines(safe(f"{finding.place}: {finding.what}"))
    for finding in checked.notes:
        print_lines(safe(f"note: {finding.place}: {finding.what}"))
    if checked.more_notes:
        print_lines(f"and {counted(checked.more_notes, 'note')} more")
    problems = len(checked.problems) + checked.more_problems
    count = f"{counted(checked.records, 'authentic record')} in {counted(len(checked.ends), 'chain')}"
    print_lines(f"{count}, {counted(problems, 'problem')}")
    if checked.ok:
        print_lines(*proved)
    elif from_files and any(finding.what == NO_RECORD for finding in checked.problems):
        print_lines("if a file is a log, in which records stand between other lines: add --from-log")


def _document(checked: CheckedAudit, proved: Sequence[str]) -> dict[str, Any]:
    return {
        "ok": checked.ok,
        "records": checked.records,
        "chains": [{"chain": end.chain, "sequence": end.seq, "mac": end.mac} for end in checked.ends],
        "problems": [{"place": finding.place, "what": finding.what} for finding in checked.problems],
        "notes": [{"place": finding.place, "what": finding.what} for finding in checked.notes],
        "not_shown": {"problems": checked.more_problems, "notes": checked.more_notes},
        "says": list(proved) if checked.ok else [],
    }
