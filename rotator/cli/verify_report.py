"""`rotator verify-report`: looks in the audit for the hash of a report."""

from hashlib import file_digest
from pathlib import Path
from typing import Any

from rotator.cli.context import open_context
from rotator.cli.exits import CommandError, Exit
from rotator.cli.options import Output
from rotator.cli.printing import print_json, print_lines
from rotator.core.audit_chain import AuditRecord
from rotator.core.audit_check import AuditCheck
from rotator.core.audit_words import AuditVerb
from rotator.observe.time_words import counted


def show_report_verification(config: Path, file: Path, output: Output) -> Exit:
    """Prints the result and returns the exit code. Raises ConfigError, StoreError, CommandError."""
    with file.open("rb") as opened:
        digest = file_digest(opened, "sha256").hexdigest()
    found: list[AuditRecord] = []

    def look(record: AuditRecord) -> None:
        if record["verb"] == AuditVerb.REPORT and record["facts"].get("sha256") == digest:
            found.append(record)

    with open_context(config, read_only=True) as context:
        store = context.components.audit_store
        key = store.known_key()
        if key is None:
            raise CommandError("no process of rotator has recorded anything in this Vault yet: there is no key")
        check = AuditCheck(key, each=look)
        check.stored(store.read())
        checked = check.result()
    problems = len(checked.problems) + checked.more_problems
    if output is Output.JSON:
        places = ("time", "chain", "seq")
        records = [{name: record[name] for name in places} | record["facts"] for record in found]
        ok = bool(found) and not problems
        print_json({"ok": ok, "sha256": digest, "records": records, "audit_problems": problems})
    else:
        _print(file, digest, found, problems)
    return Exit.DONE if found and not problems else Exit.FAILED


def _print(file: Path, digest: str, found: list[AuditRecord], problems: int) -> None:
    if not found:
        print_lines(f"{file} is not a report that this rotator has made: the audit does not have {digest}")
    for record in found:
        facts: dict[str, Any] = record["facts"]
        when = facts.get("as_of") or f"{facts.get('from')} to {facts.get('to')}"
        print_lines(
            f"{file} was reported on {record['time']}, by {facts.get('requested_by')}",
            f"for {when}; {facts.get('over')} over the limit; record {record['seq']} of chain {record['chain']}",
        )
    if problems:
        print_lines(f"{counted(problems, 'problem')} in the audit: rotator verify-audit names them")
