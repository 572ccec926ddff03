"""What `rotator plan` does: foresees each target, and prints it."""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from rotator import __version__
from rotator.cli.exits import Exit
from rotator.cli.foresight import Coming, Foresight, foresee
from rotator.cli.options import Output
from rotator.cli.printing import cell, length_text, local, print_json, print_lines, print_table, relative, table
from rotator.cli.workplace import Workplace, chosen, opened
from rotator.core.answers import Answer
from rotator.core.model import Credential, Target


def show_plan(config: Path, names: Sequence[str] | None, output: Output) -> Exit:
    """Prints the plan, and returns the exit code. Raises ConfigError, StoreError, Refused."""
    with opened(config, read_only=True) as place:
        targets = chosen(place.parts.targets, names)
        found = place.read_each(lambda target: _foreseen(place, target), targets)
        now = place.root.clock.now()
    if output is Output.JSON:
        print_json({"version": __version__, "time": now.isoformat(), "targets": [_row(plan) for plan in found]})
    else:
        for plan in found:
            _print(plan, now)
    return Exit.FAILED if any(plan.unanswered for plan in found) else Exit.DONE


def _foreseen(place: Workplace, target: Target) -> Foresight:
    def ask(wanted: Credential) -> Answer[tuple[Credential, ...]]:
        return place.parts.providers[wanted.account].find(wanted)

    return foresee(place.parts.engine.facts(target), ask)


def _print(plan: Foresight, now: datetime) -> None:
    target = plan.target
    print_lines(f"{target.name} ({target.strategy.value} at {target.account})")
    made = table("When", "What", "Why", times="When")
    for number, step in enumerate(plan.now):
        made.add_row("" if number else "now", cell(step.what), cell(step.why))
    if not plan.now or plan.unanswered:
        made.add_row("now", "nothing" if not plan.now else "stop", cell(plan.waits))
    for event in plan.coming:
        made.add_row(cell(_when(event, now)), cell(event.what), cell(event.why))
    print_table(made)
    print_lines(*(f"  note: {note}" for note in plan.notes), "")


def _when(event: Coming, now: datetime) -> str:
    if event.until is None:
        return f"{relative(event.at, now)}\n{local(event.at, now)}"
    return f"{relative(event.at, now)}\nto {length_text(event.until - now)}"


def _row(plan: Foresight) -> dict[str, Any]:
    return {
        "name": plan.target.name,
        "provider": plan.target.account,
        "strategy": plan.target.strategy.value,
        "now": [{"what": step.what, "why": step.why or None} for step in plan.now],
        "waits": plan.waits or None,
        "coming": [
            {
                "at": event.at.isoformat(),
                "until": event.until.isoformat() if event.until else None,
                "what": event.what,
                "why": event.why or None,
            }
            for event in plan.coming
        ],
        "notes": list(plan.notes),
        "unanswered": plan.unanswered or None,
    }
