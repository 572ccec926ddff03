"""Implements `rotate` and `undo`: writes requests to Vault, carries them out here, and prints the results."""

import getpass
import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from rich.console import Console

from rotator.cli.choosing import select_target, select_targets
from rotator.cli.context import CommandContext, open_context
from rotator.cli.exits import CommandError, Exit
from rotator.cli.options import Choice, Output
from rotator.cli.printing import length_text, local, print_json, print_table, relative, safe, say, table
from rotator.cli.progress import ProgressObserver, screen, show_progress
from rotator.cli.request_runner import PendingRequest, RequestRunner, Result, RotationReport
from rotator.core.bell import Ringing
from rotator.core.facts import Facts
from rotator.core.holds import foreign_document_hold
from rotator.core.model import Ending, LedgerEntry, Purpose, Request, Target, TargetState
from rotator.core.undo import UndoImpossible, undo_candidate
from rotator.engine import ring_bell
from rotator.ports import StoreDeleted, StoreError


@dataclass(frozen=True, slots=True)
class RotateOptions:
    """The arguments of `rotator rotate`."""

    choice: Choice
    reason: str
    compromised: bool = False
    take_over: bool = False
    wait: bool = True


class _Watched:
    """Passes every state to the watch, once there is one."""

    watch: ProgressObserver | None = None

    def seen(self, target: Target, state: TargetState) -> None:
        if self.watch is not None:
            self.watch.seen(target, state)


def rotate_now(config: Path, options: RotateOptions, output: Output) -> Exit:
    """Rotates, prints the result, and returns the exit code. Raises ConfigError, StoreError, CommandError."""
    watched = _Watched()
    with screen() as display, open_context(config, seen=watched.seen) as context:
        targets = select_targets(context.components.targets, options.choice)
        request = Request(
            Purpose.ROTATE,
            who_asks(),
            options.reason,
            context.composition.clock.now(),
            compromised=options.compromised,
            take_over=options.take_over,
        )
        items = context.each(lambda target: _write(context, target, request), targets)
        reports = _carry_out(context, display, watched, items) if options.wait else _leave(context, items)
        _print(reports, context.composition.clock.now(), output)
        return _code(reports, context)


def undo_now(config: Path, name: str, reason: str, output: Output, *, wait: bool = True) -> Exit:
    """Undoes, prints the result, and returns the exit code. Raises ConfigError, StoreError, CommandError."""
    watched = _Watched()
    with screen() as display, open_context(config, seen=watched.seen) as context:
        target = select_target(context.components.targets, name)
        say(undo_plan(context.components.engine.facts(target)))
        request = Request(Purpose.UNDO, who_asks(), reason, context.composition.clock.now())
        items = [_write(context, target, request)]
        reports = _carry_out(context, display, watched, items) if wait else _leave(context, items)
        _print(reports, context.composition.clock.now(), output)
        return _code(reports, context)


def undo_plan(facts: Facts) -> str:
    """Describes in one sentence what an undo would do.

    Raises:
        CommandError: an undo is impossible now; the text says why.
    """
    name, attempt = facts.target.name, facts.state.attempt
    if attempt is not None:
        what = "an undo" if attempt.purpose is Purpose.UNDO else "a rotation"
        since = f"{attempt.started_at:%Y-%m-%d %H:%M:%S} UTC"
        raise CommandError(
            f"{name}: {what} has been open since {since}; wait until it ends (rotator status), then undo it, "
            f"or give it up: rotator abandon {name}"
        )
    foreign = foreign_document_hold(facts)
    if foreign is not None:
        raise CommandError(f"{name}: {foreign.message}")
    candidate = undo_candidate(facts.state, facts.capabilities, facts.now)
    if isinstance(candidate, UndoImpossible):
        raise CommandError(f"{name}: {candidate.reason}")
    until = f"possible until {local(candidate.until, facts.now)}, {relative(candidate.until, facts.now)}"
    return f"{name}: publishing {candidate.entry.label} again ({until})"


def _write(context: CommandContext, target: Target, request: Request) -> PendingRequest | RotationReport:
    if context.stop.is_set():
        return RotationReport(target, Result.INTERRUPTED, "stopped before the request was written")
    try:
        state = context.components.engine.request(target, request)
    except StoreDeleted as error:
        return RotationReport(target, Result.FAILED, f"{error}; the request was not written")
    except StoreError as error:
        return RotationReport(target, Result.VAULT, f"{error}; the request may not have been written")
    return PendingRequest(target, request.purpose, state, request.compromised)


def _leave(context: CommandContext, items: Sequence[PendingRequest | RotationReport]) -> list[RotationReport]:
    """Leaves the requests to the daemon, and rings for them."""
    written = [item for item in items if isinstance(item, PendingRequest)]
    composition = context.composition
    try:
        for kind, compromised in ((Ringing.EMERGENCY, True), (Ringing.ASKED, False)):
            names = [item.target.name for item in written if item.compromised is compromised]
            if names:
                ring_bell(context.components.store, composition.clock, composition.holder, names, kind)
    except StoreError as error:
        say(f"the daemon looks at its next sweep, not at once: {error}")
    return [
        RotationReport(item.target, Result.REQUESTED, state=item.written) if isinstance(item, PendingRequest) else item
        for item in items
    ]


def _carry_out(
    context: CommandContext, display: Console, watched: _Watched, items: Sequence[PendingRequest | RotationReport]
) -> list[RotationReport]:
    with show_progress(display, len(items)) as watch:
        watched.watch = watch
        runner = RequestRunner(
            context.components.engine,
            context.composition.clock,
            claim=context.components.settings.daemon.claim,
            capabilities=context.components.capabilities.__getitem__,
            tell=watch.waits,
        )

        def carry_out(item: PendingRequest | RotationReport) -> RotationReport:
            report = runner.carry_out(item) if isinstance(item, PendingRequest) else item
            watch.ended(report)
            return report

        try:
            return context.each(carry_out, items)
        finally:
            watched.watch = None


def who_asks() -> str:
    """Returns the name of the person who runs the command, for the audit."""
    try:
        return f"cli:{getpass.getuser()}"
    except (KeyError, OSError):  # the user of a container may have no name
        return f"cli:{os.getuid()}"


def _code(reports: Sequence[RotationReport], context: CommandContext) -> Exit:
    results = {report.result for report in reports}
    if Result.INTERRUPTED in results and context.stop.is_set():
        say("stopped; the requests stay in Vault, and the daemon carries them out")
        return Exit.STOPPED
    if Result.VAULT in results:
        return Exit.VAULT
    return Exit.DONE if all(report.good for report in reports) else Exit.FAILED


def _print(reports: Sequence[RotationReport], now: datetime, output: Output) -> None:
    if output is Output.JSON:
        print_json({"time": now.isoformat(), "targets": [_row(report) for report in reports]})
        return
    rows = table("Target", "Result", "Published", "Replaced", "Next rotation")
    for report in reports:
        result = report.result.value + (" elsewhere" if report.elsewhere else "")
        rows.add_row(safe(report.target.name), result, *_cells(report.state, now))
    print_table(rows)
    for report in reports:
        if report.message:
            say(f"{report.target.name}: {report.message}")


def _cells(state: TargetState | None, now: datetime) -> tuple[str, str, str]:
    if state is None:
        return "", "", ""
    published = state.published.username if state.published else "nothing yet"
    named = [entry for entry in state.ledger if entry.credential.username]
    replaced = [f"{entry.credential.username}: {_acceptance(entry, now)}" for entry in named]
    following = ""
    if state.next_rotation:
        following = relative(state.next_rotation, now) if state.next_rotation > now else "due"
    return safe(published), safe(", ".join(replaced)), following


def _acceptance(entry: LedgerEntry, now: datetime) -> str:
    if entry.ending is Ending.FORGET:
        return "its old password is refused"
    if entry.cut_off:
        return "disabled" if entry.disabled else "random password"
    return f"accepted for {length_text(entry.disable_at - now)}"


def _row(report: RotationReport) -> dict[str, Any]:
    state = report.state
    published = state.published if state else None
    return {
        "name": report.target.name,
        "result": report.result.value,
        "message": report.message or None,
        "elsewhere": report.elsewhere,
        "seconds": round(report.seconds, 3),
        "published": {"id": published.id, "username": published.username, "attempt": published.attempt}
        if published
        else None,
        "open_attempt": state.attempt.id if state and state.attempt else None,
        "next_rotation": state.next_rotation.isoformat() if state and state.next_rotation else None,
        "next_try": state.not_before.isoformat() if state and state.not_before else None,
    }
