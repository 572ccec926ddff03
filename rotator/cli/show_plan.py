"""Implements `rotator plan`: makes the forecast of each target and prints it."""

from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

from rotator import __version__
from rotator.cli.choosing import select_targets
from rotator.cli.context import CommandContext, open_context
from rotator.cli.exits import Exit
from rotator.cli.options import Choice, Output
from rotator.cli.printing import cell, print_json, print_lines, print_table, table
from rotator.core.answers import Done
from rotator.core.facts import lookup_key
from rotator.core.forecast import Forecast, forecast
from rotator.core.forecast_events import ForecastEvent
from rotator.core.model import Target
from rotator.observe.time_words import length_text, local, relative


def show_plan(config: Path, choice: Choice, output: Output) -> Exit:
    """Prints the plan and returns the exit code. Raises ConfigError, StoreError, CommandError."""
    with open_context(config, read_only=True) as context:
        targets = select_targets(context.components.targets, choice)
        plans = context.read_each(lambda target: _forecast(context, target), targets)
        now = context.composition.clock.now()
    if output is Output.JSON:
        print_json({"version": __version__, "time": now.isoformat(), "targets": [_row(plan) for plan in plans]})
    else:
        for plan in plans:
            _print(plan, now)
    return Exit.FAILED if any(plan.needs for plan in plans) else Exit.DONE


def _forecast(context: CommandContext, target: Target) -> Forecast:
    """Makes a forecast with look-ups at the providers. If one does not answer, the forecast ends there and says why."""
    facts = context.components.engine.facts(target)
    while True:
        plan = forecast(facts)
        if plan.needs is None:
            return _with_attachments(context, plan)
        answer = context.components.providers[plan.needs.account].find(plan.needs)
        if not isinstance(answer, Done):
            return replace(plan, waits_for=f"{plan.needs.account}: {answer.message}")
        facts = replace(facts, lookups={**facts.lookups, lookup_key(plan.needs): answer.value})


def _with_attachments(context: CommandContext, plan: Forecast) -> Forecast:
    """Says which trunks are pointed to another credential, and what that means for devices."""
    concerned = tuple(one for step in plan.steps for one in step.instead_of)
    if not concerned:
        return plan
    answer = context.components.providers[concerned[0].account].attachments(concerned)
    if not isinstance(answer, Done):
        note = f"which trunks name it is not known: {answer.message}"
    elif answer.note:
        note = f"{answer.note}: none is pointed to the new credential; make sure that yours lets that in"
    elif not answer.value:
        return replace(plan, steps=tuple(step for step in plan.steps if not step.instead_of))
    else:
        names = ", ".join(one.name for one in answer.value)
        note = (
            f"pointed to the new credential: {names}; a trunk may let in only what it names, so an overlap is not "
            "certain: devices that still use the old credential may be refused until they read Vault again"
        )
    return replace(plan, notes=(*plan.notes, note))


def _print(plan: Forecast, now: datetime) -> None:
    target = plan.target
    print_lines(f"{target.name} ({target.strategy.value} at {target.account})")
    rows = table("When", "What", "Why", times="When")
    for number, step in enumerate(plan.steps):
        rows.add_row("" if number else "now", cell(step.what), cell(step.why))
    if not plan.steps or plan.needs:
        rows.add_row("now", "nothing" if not plan.steps else "stop", cell(plan.waits_for))
    for event in plan.events:
        rows.add_row(cell(_when(event, now)), cell(event.what), cell(event.why))
    print_table(rows)
    print_lines(*(f"  note: {note}" for note in plan.notes), "")


def _when(event: ForecastEvent, now: datetime) -> str:
    if event.at <= now:
        return "once it no longer\nwaits"
    if event.until is None:
        return f"{relative(event.at, now)}\n{local(event.at, now)}"
    return f"{relative(event.at, now)}\nto {length_text(event.until - now)}"


def _row(plan: Forecast) -> dict[str, Any]:
    return {
        "name": plan.target.name,
        "provider": plan.target.account,
        "strategy": plan.target.strategy.value,
        "now": [{"what": step.what, "why": step.why or None} for step in plan.steps],
        "waits": plan.waits_for or None,
        "coming": [
            {
                "at": event.at.isoformat(),
                "until": event.until.isoformat() if event.until else None,
                "what": event.what,
                "why": event.why or None,
            }
            for event in plan.events
        ],
        "notes": list(plan.notes),
        "unanswered": plan.waits_for if plan.needs else None,
    }
