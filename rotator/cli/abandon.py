"""Implements `rotator abandon`: says what it will do, asks, and ends an open attempt or takes a request back."""

from pathlib import Path
from typing import Any

from rotator.cli.choosing import select_target
from rotator.cli.confirmation import confirm
from rotator.cli.context import CommandContext, open_context
from rotator.cli.exits import CommandError, Exit
from rotator.cli.options import Output, Why
from rotator.cli.printing import print_json, print_table, safe, say, table
from rotator.cli.waiting import when_free
from rotator.core.abandonment import Abandonment, AbandonmentImpossible, abandonment
from rotator.core.holding import Hold
from rotator.core.model import LedgerEntry, Request, Target, TargetState
from rotator.core.requesting import withdrawal_consequence


def abandon_now(config: Path, name: str, why: Why, output: Output, *, confirmed: bool) -> Exit:
    """Abandons the open attempt, or withdraws a request that has not begun; prints what is left, returns the exit code.

    Raises:
        ConfigError, StoreError: as for every command.
        CommandError: there is nothing to give up, or nobody has agreed to it.
    """
    with open_context(config, read_only=True) as context:
        target = select_target(context.components.targets, name)
        facts = context.components.engine.facts(target)
    attempt, request = facts.state.attempt, facts.state.request
    if attempt is None and request is not None:
        say(f"{name}: {withdrawal_consequence(request)}")
    else:
        plan = abandonment(facts)
        if isinstance(plan, AbandonmentImpossible):
            raise CommandError(f"{name}: {plan.reason}")
        since = f"{plan.attempt.started_at:%Y-%m-%d %H:%M:%S} UTC"
        say(f"{name}: giving up the attempt that has been open since {since}. {plan.consequence}")
    if not confirmed:
        confirm(name, "Give it up?")
    with open_context(config) as context:
        target = select_target(context.components.targets, name)
        if attempt is not None:
            done = _abandon(context, target, attempt.id, why)
            _print(target, done, context.components.engine.facts(target).state, output)
        elif request is not None:
            if not context.components.engine.withdraw_request(target, request, context.origin(why)):
                raise CommandError(f"{name}: something changed in the meantime: try again")
            _print_withdrawn(name, request, output)
    return Exit.DONE


def _print_withdrawn(name: str, request: Request, output: Output) -> None:
    if output is Output.JSON:
        print_json({"name": name, "result": "withdrawn", "consequence": withdrawal_consequence(request)})
        return
    rows = table("Target", "Result", "Request")
    rows.add_row(safe(name), "withdrawn", safe(f"{request.purpose.noun} requested by {request.requested_by}"))
    print_table(rows)


def _abandon(context: CommandContext, target: Target, attempt: str, why: Why) -> Abandonment:
    """Waits for other processes to let go of the target, and ends its attempt."""

    def abandon() -> Abandonment | Hold:
        done = context.components.engine.abandon(target, attempt, context.origin(why))
        if isinstance(done, AbandonmentImpossible):
            raise CommandError(f"{target.name}: {done.reason}")
        return done

    return when_free(
        abandon,
        target.name,
        clock=context.composition.clock,
        stop=context.stop,
        claim=context.components.settings.daemon.claim,
    )


def _print(target: Target, done: Abandonment, state: TargetState, output: Output) -> None:
    staged, left = done.attempt.staged, [entry for entry in state.ledger if _is_of(entry, done)]
    if output is Output.JSON:
        print_json(
            {
                "name": target.name,
                "result": "abandoned",
                "attempt": done.attempt.id,
                "account": staged.account,
                "consequence": done.consequence,
                "published": state.published.username if state.published else None,
                "ledger": [_row(entry) for entry in left],
                "requested_again": state.request is not None,
            }
        )
        return
    rows = table("Target", "Result", "Published", "Left in the ledger")
    published = state.published.username if state.published else "nothing yet"
    rows.add_row(safe(target.name), "abandoned", safe(published), safe(", ".join(entry.label for entry in left)))
    print_table(rows)


def _row(entry: LedgerEntry) -> dict[str, Any]:
    return {
        "username": entry.credential.username or None,
        "account": entry.credential.account,
        "ending": entry.ending.value,
        "ends_at": entry.ends_at.isoformat(),
    }


def _is_of(entry: LedgerEntry, done: Abandonment) -> bool:
    return entry.credential.attempt == done.attempt.id
