"""Implements `rotator plan`: makes the forecast of each target and prints it."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from heapq import nsmallest
from pathlib import Path
from typing import Any

from rotator import __version__
from rotator.cli.choosing import select_targets
from rotator.cli.context import CommandContext, open_context
from rotator.cli.exits import Exit
from rotator.cli.options import Choice, Output
from rotator.cli.printing import cell, print_json, print_lines, print_table, screenful, table
from rotator.cli.progress import screen, show_progress
from rotator.core.answers import Done
from rotator.core.clocks import RESOLUTION
from rotator.core.facts import lookup_key
from rotator.core.forecast import Forecast, forecast
from rotator.core.forecast_events import ForecastEvent
from rotator.core.model import Target
from rotator.observe.time_words import length_text, local, relative
from rotator.providers.http.rate_limit import Pacer

_LINES_OF_A_PLAN = 10


@dataclass(frozen=True, slots=True)
class PlanOptions:
    """The arguments of `rotator plan`."""

    choice: Choice = field(default_factory=Choice)
    limit: int | None = None  # targets; None: what fits the screen, or everything without one
    everything: bool = False


def show_plan(config: Path, options: PlanOptions, output: Output) -> Exit:
    """Prints the plan and returns the exit code. Raises ConfigError, StoreError, CommandError."""
    with screen() as display, open_context(config, read_only=True) as context:
        targets = select_targets(context.components.targets, options.choice)
        paces = context.components.paces
        context.read_each(Pacer.learn, list({paces[target.account] for target in targets if target.account in paces}))
        with show_progress(display, len(targets)) as progress:
            progress.begins("planned", len(targets))

            def planned(target: Target) -> Forecast:
                plan = _forecast(context, target)
                progress.advance()
                return plan

            plans = context.read_each(planned, targets)
        now = context.composition.clock.now()
    if output is Output.JSON:
        rows = [_row(plan) for plan in first_plans(plans, options.limit, now)]
        print_json({"version": __version__, "time": now.isoformat(), "targets": rows})
    else:
        most = options.limit if options.limit is not None or options.everything else screenful(_LINES_OF_A_PLAN)
        _print_all(plans, most, now)
    return Exit.FAILED if any(plan.needs for plan in plans) else Exit.DONE


def first_plans(plans: Sequence[Forecast], limit: int | None, now: datetime) -> Sequence[Forecast]:
    """Returns the plans as configured; of more than `limit`, those without an answer first, and what acts soonest.

    What acts at the same time, such as all that acts now by Vault's clock, keeps the order of the configuration.
    """
    if limit is None or len(plans) <= limit:
        return plans

    def urgency(plan: Forecast) -> tuple[bool, bool, datetime]:
        soonest = plan.events[0].at if plan.events else datetime.max.replace(tzinfo=UTC)
        return plan.needs is None, not plan.steps, max(soonest, now + RESOLUTION)

    return nsmallest(limit, plans, key=urgency)


def _print_all(plans: Sequence[Forecast], most: int | None, now: datetime) -> None:
    shown = first_plans(plans, most, now)
    for plan in shown:
        _print(plan, now)
    if len(shown) < len(plans):
        acting = sum(bool(plan.steps) for plan in plans)
        unanswered = sum(plan.needs is not None for plan in plans)
        ends = f", {unanswered:,} not to the end: a provider did not answer" if unanswered else ""
        print_lines(
            f"{len(plans):,} targets: {acting:,} with something to do now{ends}",
            f"shown: {len(shown):,} of {len(plans):,}; more with --all or --limit, fewer with names, --label",
        )


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
