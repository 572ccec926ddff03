"""Implements `rotator reconcile`: the listing of each account against the documents, and what does not fit."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.table import Table

from rotator.cli.choosing import select_accounts
from rotator.cli.context import CommandContext, open_context
from rotator.cli.exits import Exit, Interrupted
from rotator.cli.options import Output, Why
from rotator.cli.printing import cell, few, print_json, print_lines, print_table, safe, say, table
from rotator.cli.progress import screen, show_progress
from rotator.cli.retire_orphans import RetiredOrphan, retire_orphans, rows_of
from rotator.core.discrepancies import Discrepancy, DiscrepancyKind
from rotator.engine import ReconciledAccount, Reconciler
from rotator.observe.discrepancy_words import kind_word, remedies_of, row_of, what_of
from rotator.observe.time_words import counted
from rotator.ports import StoreDenied

_MOST_ROWS = 500  # of an account


@dataclass(frozen=True, slots=True)
class ReconcileOptions:
    """The arguments of `rotator reconcile`."""

    accounts: tuple[str, ...]  # names or patterns; none: all
    kinds: tuple[DiscrepancyKind, ...]
    why: Why
    repairs: bool = False  # orphans
    audit: tuple[Path, ...] = ()  # copies of it, beside what Vault has
    yes: bool = False


def reconcile_accounts(config: Path, options: ReconcileOptions, output: Output) -> Exit:
    """Compares, prints what does not fit, and returns the exit code. Raises ConfigError, StoreError, CommandError."""
    with open_context(config, gets_only=True) as context:
        components = context.components
        reconciler = components.reconciler(components.targets, context.composition.clock, context.read_each)
        found = _compared(context, reconciler, options)
        if output is Output.TABLE:
            print_found(found, options)
        retired = (
            retire_orphans(context, found, options.why, options.audit, confirmed=options.yes) if options.repairs else []
        )
        _keep(reconciler, found, retired)
        if output is Output.JSON:
            rows = {"accounts": _rows(found, options)} | ({"retired": rows_of(retired)} if options.repairs else {})
            print_json({"time": context.composition.clock.now().isoformat()} | rows)
    left = {id(each) for account in found for each in account.result.of(*options.kinds)}
    left -= {id(each.found) for each in retired if each.done}
    return Exit.FAILED if left or any(each.problem or each.unread for each in found) else Exit.DONE


def _compared(context: CommandContext, reconciler: Reconciler, options: ReconcileOptions) -> list[ReconciledAccount]:
    chosen = select_accounts(context.components.providers, options.accounts)
    names = reconciler.names()
    with screen() as display, show_progress(display, len(names)) as progress:
        progress.begins("read", len(names))
        reconciler.read_documents(names, progress.advance)
        listings = dict.fromkeys(reconciler.same_listing(account) for account in chosen)
        progress.begins("accounts listed", len(listings))
        found = []
        for accounts in listings:
            found.append(reconcile_one(context, reconciler, accounts[0]))
            progress.advance()
    return found


def reconcile_one(context: CommandContext, reconciler: Reconciler, account: str) -> ReconciledAccount:
    """Reads and compares one account. Raises StoreError, Interrupted."""

    def reading(message: str) -> None:
        if context.stop.is_set():
            raise Interrupted
        say(f"{account}: {message}")

    if context.stop.is_set():
        raise Interrupted
    return reconciler.reconcile(account, reading)


def _keep(reconciler: Reconciler, found: Sequence[ReconciledAccount], retired: Sequence[RetiredOrphan]) -> None:
    """Keeps the counts for the metrics. Who may not write still sees the result."""
    for account in found:
        try:
            reconciler.keep(account, sum(each.done and each.found.account in account.accounts for each in retired))
        except StoreDenied as error:
            say(f"{', '.join(account.accounts)}: not kept for the metrics: {error}")


def print_found(found: Sequence[ReconciledAccount], options: ReconcileOptions) -> None:
    """Prints for each account the sum, what is not certain, a table, and what ends what it shows."""
    for account in found:
        print_lines(_sum(account))
        for line in _doubts(account):
            say(line)
        shown = account.result.of(*options.kinds)
        if shown:
            print_table(_table(shown[:_MOST_ROWS]))
            print_lines(*remedies_of(shown))
        if len(shown) > _MOST_ROWS:
            say(f"{len(shown) - _MOST_ROWS:,} more: --only chooses, and --output json has all")


def _table(shown: Sequence[Discrepancy]) -> Table:
    rows = table("Finding", "Credential", "Target", "What")
    for each in shown:
        targets = "\n".join(safe(name) for name in each.targets)
        rows.add_row(kind_word(each.kind), cell(_credential(each)), targets, cell(what_of(each)))
    return rows


def _credential(found: Discrepancy) -> str:
    both = found.id is not None and found.id != found.username
    return f"{found.username or '?'}\n({found.id})" if both else found.username or "?"


def _sum(account: ReconciledAccount) -> str:
    """Returns how much of each kind there is, shown or not."""
    kinds = [f"{number:,} {kind_word(kind)}" for kind, number in account.result.counts.items() if number]
    listed = f"{counted(account.result.listed, 'credential')} listed"
    if account.problem:
        listed = f"at least {listed}" if account.result.listed else "not listed"
    nothing = "no finding" if account.problem or account.unread else "everything fits"
    return f"{', '.join(account.accounts)}: {listed}; {', '.join(kinds) or nothing}"


def _doubts(account: ReconciledAccount) -> Iterator[str]:
    names = ", ".join(account.accounts)
    if account.problem:
        yield f"{names}: it is not certain that this is everything, so nothing counts as missing: {account.problem}"
    if account.unread:
        unread = f"{counted(len(account.unread), 'state document')} cannot be read ({few(account.unread)})"
        yield f"{names}: {unread}: what they name may be shown as foreign or orphaned"


def _rows(found: Sequence[ReconciledAccount], options: ReconcileOptions) -> list[dict[str, Any]]:
    return [
        {
            "accounts": list(account.accounts),
            "listed": account.result.listed,
            "known": account.result.known,
            "certain": not account.problem,
            "problem": account.problem or None,
            "unread": list(account.unread),
            "counts": {kind.value: number for kind, number in account.result.counts.items()},
            "findings": [row_of(each) for each in account.result.of(*options.kinds)],
        }
        for account in found
    ]
