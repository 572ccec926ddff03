"""What must hold of a run when it is over, read from what the provider, Vault and the audit kept of the whole of it.

Each function returns what is wrong, in words; nothing is what is hoped for.
"""

import itertools
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from urllib.parse import quote

from killed_daemons import DaemonRun, RunTarget

from rotator.core.audit_check import AuditCheck
from rotator_simulator.account import CredentialEvent, HistoryEntry


@dataclass(frozen=True)
class Publication:
    """One version of a consumer document."""

    at: datetime  # when Vault wrote it
    username: str
    id: str
    attempt: str


def publications(run: DaemonRun, target: RunTarget) -> list[Publication]:
    """All that was ever handed out, in order."""
    call = run.environment.bao.call
    versions = call("GET", f"secret/metadata/{target.path}")["data"]["versions"]
    found = []
    for number in sorted(int(text) for text in versions):
        data = call("GET", f"secret/data/{target.path}?version={number}")["data"]["data"]
        at = datetime.fromisoformat(versions[str(number)]["created_time"])
        found.append(Publication(at, data["username"], data["credential_id"], data["attempt_id"]))
    return found


def overlap_kept(run: DaemonRun) -> Iterator[str]:
    """What was published stays as it was until the overlap after its replacement has passed."""
    history = run.account.history()
    for target in run.targets:
        if not target.overlaps:
            continue
        handed_out = publications(run, target)
        ends = [later.at + timedelta(seconds=run.policy.overlap) for later in handed_out[1:]]
        for one, end in zip(handed_out, [*ends, None], strict=True):
            for happening in _touching(history, one, end):
                after = (happening.at - one.at).total_seconds()
                yield f"{target.name}: {one.username} was {happening.event.value} {after:.1f} s after it was published"


def _touching(history: tuple[HistoryEntry, ...], one: Publication, end: datetime | None) -> Iterator[HistoryEntry]:
    bad = {CredentialEvent.SET, CredentialEvent.DISABLED, CredentialEvent.DELETED}
    for happening in history:
        if happening.id == one.id and happening.event in bad and one.at <= happening.at < (end or happening.at):
            yield happening


def done_once(run: DaemonRun) -> Iterator[str]:
    """No attempt is published twice, and none before the schedule lets it be due after the last.

    The age counts from when the password was made. A kill may delay its publication, so the next may be due after half
    of the interval.
    """
    least = timedelta(seconds=run.policy.every / 2)
    for target in run.targets:
        handed_out = publications(run, target)
        if len({one.attempt for one in handed_out}) < len(handed_out):
            yield f"{target.name}: an attempt was published twice"
        for one, other in itertools.pairwise(handed_out):
            if other.at - one.at < least:
                yield f"{target.name}: rotated again after {(other.at - one.at).total_seconds():.1f} s"
        counted = run.environment.state(target.name).counts.succeeded
        if counted != len(handed_out):
            yield f"{target.name}: {counted} rotations counted, {len(handed_out)} published"


def one_password_for_each(run: DaemonRun) -> Iterator[str]:
    """No fresh password while an attempt is open: of each attempt one password was sent, however often."""
    names = {happening.id: happening.username for happening in run.account.history()}
    for target in run.targets:
        sent = [word for of, word in run.recorder.sent if target.owns(names.get(of, of)) and word not in run.initial]
        state = run.environment.state(target.name)
        expected = state.counts.succeeded + (state.attempt is not None)
        if len(set(sent)) != expected:
            yield f"{target.name}: {len(set(sent))} passwords were sent for {expected} rotations"


def no_orphans(run: DaemonRun) -> Iterator[str]:
    """Nothing at the provider that no document names, nothing else enabled than what is published."""
    known: set[str] = set()
    for target, state in zip(run.targets, run.states(), strict=True):
        held = [state.published, state.standby, *(entry.credential for entry in state.ledger)]
        known |= {credential.id for credential in held if credential is not None and credential.id is not None}
        for record in run.account.credentials():
            if (
                target.owns(record.username)
                and record.enabled
                and (not state.published or record.id != state.published.id)
            ):
                yield f"{target.name}: {record.username} is still enabled"
        if target.strategy == "replace":
            made = sum(h.event is CredentialEvent.CREATED and target.owns(h.username) for h in run.account.history())
            if made != state.counts.succeeded + 1:
                yield f"{target.name}: {made - 1} credentials were made for {state.counts.succeeded} rotations"
    for record in run.account.credentials():
        if record.id not in known | run.strangers:
            yield f"{record.username} is named by no document"


def strangers_untouched(run: DaemonRun) -> Iterator[str]:
    """What belongs to somebody else at the same account is as it was."""
    for happening in run.account.history():
        if happening.id in run.strangers and happening.event is not CredentialEvent.CREATED:
            yield f"{happening.username} was {happening.event.value}"


def published_works(run: DaemonRun) -> Iterator[str]:
    """Who reads Vault now is let in."""
    for target in run.targets:
        if not run.environment.published_works(target.path):
            yield f"{target.name}: what is published is not accepted"


def devices_served(run: DaemonRun) -> Iterator[str]:
    """No device was cut off, and each was let in."""
    seen = run.fleet.report()
    yield from seen.cut_off
    yield from (f"{name} was never registered" for name in seen.never_accepted)


def audit_whole(run: DaemonRun) -> Iterator[str]:
    """Every record is authentic and none is missing, in the file and in Vault, whatever a kill cut short."""
    store = run.environment.vault.audit
    stored = AuditCheck(store.key())
    stored.stored(store.read())
    in_vault = stored.result()
    copy = AuditCheck(store.key(), vault=stored)
    for number, line in enumerate(run.environment.audit_file.read_bytes().splitlines(), 1):
        copy.line(f"line {number}", line)
    in_file = copy.result()
    for where, checked in (("Vault", in_vault), ("the file", in_file)):
        yield from (f"the audit in {where}: {problem.place}: {problem.what}" for problem in checked.problems)


def nothing_leaked(run: DaemonRun) -> Iterator[str]:
    """No password and no token in any file of the run (DEBUG included), metric, status page or argument list."""
    written = {str(path.name): path.read_text(errors="replace") for path in _files(run.environment.folder)}
    written["what the endpoint and the process list showed"] = "\n".join(run.scraped)
    assert any('"level": "debug"' in text for text in written.values())
    for secret in run.secrets():
        forms = {secret, json.dumps(secret)[1:-1], quote(secret, safe=""), repr(secret)[1:-1]}
        yield from (f"a secret is in {name}" for name, text in written.items() if any(form in text for form in forms))


def _files(folder: Path) -> Iterator[Path]:
    return (path for path in folder.iterdir() if path.is_file())


CHECKS: tuple[Callable[[DaemonRun], Iterator[str]], ...] = (
    overlap_kept,
    done_once,
    one_password_for_each,
    no_orphans,
    strangers_untouched,
    published_works,
    devices_served,
    audit_whole,
    nothing_leaked,
)


def violations(run: DaemonRun) -> list[str]:
    """All that is wrong with a run that is over."""
    return [f"{check.__name__}: {what}" for check in CHECKS for what in check(run)]
