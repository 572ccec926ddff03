"""What Vault and the account say of the rows of an import, and the rows that an account's listing makes."""

from collections.abc import Iterable, Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from rotator.cli.context import CommandContext
from rotator.cli.exits import CommandError
from rotator.cli.printing import few, say
from rotator.cli.progress import ProgressObserver
from rotator.cli.reconcile import reconcile_one
from rotator.core.consumer_document import ConsumerDocument
from rotator.core.discrepancies import DiscrepancyKind, Reason
from rotator.core.model import Target
from rotator.engine import ReconciledAccount
from rotator.fields.text import is_name
from rotator.observe.discrepancy_words import what_of
from rotator.observe.time_words import counted
from rotator.settings.import_plan import ImportRow
from rotator.settings.import_source import ImportSource

_FITS = (DiscrepancyKind.NEVER_ROTATED, DiscrepancyKind.FOREIGN)


def listed_source(
    context: CommandContext, account: str, patterns: tuple[str, str], name: str, progress: ProgressObserver
) -> ImportSource:
    """Returns the credentials of an account that nothing knows, as rows.

    Args:
        patterns: of usernames and of descriptions, with `*` and `?`, without regard to case.
        name: the template of names.

    Raises:
        CommandError: the account's listing cannot be read whole.
        StoreError: Vault is unusable.
    """
    found = _reconciled(context, account, context.components.targets, progress)
    usernames = []
    for each in found.result.of(DiscrepancyKind.FOREIGN):
        (entry,) = each.listed
        pairs = zip(patterns, (entry.username, entry.description), strict=True)
        fits = all(fnmatchcase(text.casefold(), pattern.casefold()) for pattern, text in pairs)
        if each.reason is Reason.UNNAMED and entry.enabled and fits:
            usernames.append(entry.username)
    odd = [username for username in usernames if not is_name(name.replace("{username}", username))]
    if odd:
        say(f"{counted(len(odd), 'username')} cannot be part of a target's name: {few(odd)}; import them from a file")
    usernames = sorted(set(usernames) - set(odd))
    rows: list[dict[str, Any]] = [{"credential": {"username": username}} for username in usernames]
    return ImportSource(Path(f"the listing of {account}"), True, rows, [*range(1, len(rows) + 1)])


def check_rows(
    context: CommandContext,
    account: str,
    rows: Sequence[ImportRow],
    targets: Mapping[str, Target],
    progress: ProgressObserver,
    *,
    is_listing: bool,
) -> None:
    """Gives a verdict to rows that the configuration takes: what Vault and the account have to say.

    Args:
        targets: of the rows, by name.
        is_listing: the rows come from the account's listing, so it has their usernames.

    Raises:
        CommandError: the account's listing cannot be read whole.
        StoreError: Vault is unusable.
    """
    progress.begins("documents read", len(rows))

    def look(row: ImportRow) -> None:
        _judge_document(row, context.components.store.read_consumer(row.target.path))
        progress.advance()

    context.read_each(look, rows)
    if not is_listing and rows:
        _judge_usernames(context, account, rows, targets, progress)


def _judge_document(row: ImportRow, document: ConsumerDocument) -> None:
    if document.deleted:
        row.conflicts(f"the document at {row.target.path} was deleted", document.remedy or "give it another path")
    elif document.exists and not document.withdrawn:
        names = {name.casefold() for name in row.target.credential.names}
        row.has_document = (document.username or "").casefold() in names or not names
        if not row.has_document:
            named = f"{document.username}" if document.username else "no username"
            row.conflicts(f"{row.target.path} has a document that names {named}", "give it another path")


def _judge_usernames(
    context: CommandContext,
    account: str,
    rows: Sequence[ImportRow],
    targets: Mapping[str, Target],
    progress: ProgressObserver,
) -> None:
    added = [targets[row.target.name] for row in rows]
    found = _reconciled(context, account, [*context.components.targets, *added], progress)
    by_name = {row.target.name: row for row in rows}
    for each in found.result.discrepancies:
        for name in each.targets:
            if name not in by_name or each.kind in _FITS:
                continue
            if each.reason is Reason.CONFIGURED_GONE:
                remedy = "correct it, or say that it is new (the column new)"
                by_name[name].conflicts(f"{account} has no credential with this username", remedy)
            else:
                by_name[name].conflicts(what_of(each), "")


def _reconciled(
    context: CommandContext, account: str, targets: Iterable[Target], progress: ProgressObserver
) -> ReconciledAccount:
    reconciler = context.components.reconciler(targets, context.composition.clock, context.read_each)
    names = reconciler.names()
    progress.begins("state documents read", len(names))
    reconciler.read_documents(names, progress.advance)
    found = reconcile_one(context, reconciler, account)
    if found.problem:
        raise CommandError(f"{account}: its listing could not be read to the end: {found.problem}")
    if found.unread:
        unread = f"{counted(len(found.unread), 'state document')} cannot be read ({few(found.unread)})"
        raise CommandError(f"{unread}: what they name may look like somebody else's")
    return found
