"""Implements `rotator verify`: proves what is published now, stores the results in Vault, and prints them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from pathlib import Path
from typing import Any

from rotator.cli.choosing import select_targets
from rotator.cli.context import CommandContext, open_context
from rotator.cli.exits import Exit
from rotator.cli.options import Choice, Output
from rotator.cli.printing import print_json, print_table, safe, say, table
from rotator.core.answers import Answer, Done
from rotator.core.model import Proof, Target, TargetState
from rotator.core.verification import is_being_replaced
from rotator.engine.provider_caller import could_not_be_asked, message_of
from rotator.ports import StoreError


class ProofResult(Enum):
    """What a proof has shown."""

    ACCEPTED = "accepted"
    REFUSED = "not accepted"
    NOT_ASKED = "could not be asked"
    NOTHING = "nothing published yet"
    VAULT = "vault"  # Vault could not be asked


@dataclass(frozen=True, slots=True)
class VerifyReport:
    """The result for one target. `detail` is the proof, or why there is none."""

    target: Target
    result: ProofResult
    detail: str
    tries_password: bool | None = None  # None: nothing was proved
    state: TargetState | None = None


def verify_now(config: Path, choice: Choice, output: Output) -> Exit:
    """Proves, prints the results, and returns the exit code. Raises ConfigError, StoreError, CommandError."""
    with open_context(config) as context:
        targets = select_targets(context.components.targets, choice)
        reports = context.read_each(lambda target: _verify(context, target), targets)
        _print(reports, context.composition.clock.now(), output)
    return _code(reports)


def _verify(context: CommandContext, target: Target) -> VerifyReport:
    try:
        answer, state = context.components.engine.verify(target)
    except StoreError as error:
        return VerifyReport(target, ProofResult.VAULT, str(error))
    return judge(target, answer, state)


def judge(target: Target, answer: Answer[Proof] | None, state: TargetState) -> VerifyReport:
    """Returns what an answer means; None: nothing was asked."""
    if state.published is None:
        return VerifyReport(target, ProofResult.NOTHING, "", state=state)
    if answer is None:
        why = "it is being replaced"
        if not is_being_replaced(state):
            why = f"{state.published.account} is not in the configuration, or means another account now"
        return VerifyReport(target, ProofResult.NOT_ASKED, why, state=state)
    if isinstance(answer, Done):
        proof = answer.value
        return VerifyReport(target, ProofResult.ACCEPTED, str(proof), proof.tries_password, state)
    result = ProofResult.NOT_ASKED if could_not_be_asked(answer) else ProofResult.REFUSED
    return VerifyReport(target, result, message_of(answer), state=state)


def _code(reports: Sequence[VerifyReport]) -> Exit:
    results = {report.result for report in reports}
    if ProofResult.VAULT in results:
        return Exit.VAULT
    if ProofResult.REFUSED in results:
        return Exit.FAILED
    return Exit.USAGE if ProofResult.NOT_ASKED in results else Exit.DONE


def _print(reports: Sequence[VerifyReport], now: datetime, output: Output) -> None:
    if output is Output.JSON:
        print_json({"time": now.isoformat(), "targets": [_row(report) for report in reports]})
        return
    rows = table("Target", "Published", "Result", "Proof")
    for report in reports:
        rows.add_row(safe(report.target.name), safe(_username(report) or ""), report.result.value, safe(report.detail))
    print_table(rows)
    refused = [report.target.name for report in reports if report.result is ProofResult.REFUSED]
    if refused:
        say(f"not accepted: {', '.join(refused)}; nothing of them is retired (see rotator status)")


def _username(report: VerifyReport) -> str | None:
    return report.state.published.username if report.state is not None and report.state.published is not None else None


def _row(report: VerifyReport) -> dict[str, Any]:
    return {
        "name": report.target.name,
        "username": _username(report),
        "result": report.result.value,
        "detail": report.detail or None,
        "tries_password": report.tries_password,
    }
