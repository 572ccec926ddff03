"""`rotator check-config`: loads the configuration and prints its problems or a summary."""

import os
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from threading import Event
from typing import Any

from rich.table import Table

from rotator.cli.context import open_context
from rotator.cli.exits import Exit
from rotator.cli.options import Output
from rotator.cli.printing import cell, print_json, print_lines, print_table, table
from rotator.core.holds import evidence_in_words
from rotator.core.model import Policy, Target
from rotator.core.schedule import Cron
from rotator.core.strategy_evidence import Standing, StrategyEvidence
from rotator.daemon.clock import SystemClock, SystemRandomness
from rotator.daemon.evidence_warning import known_strategies
from rotator.daemon.notification_routes import senders
from rotator.observe.time_words import counted, length_text
from rotator.settings import ConfigError, ConfigProblem, Settings, check
from rotator.settings.limited_lives import LimitedLife, limited_lives
from rotator.settings.strength import bits
from rotator.settings.targets import CheckedSettings

Evidence = list[tuple[Target, StrategyEvidence]]
_MOST_ROWS = 50  # with more targets, their kinds are listed instead


def show_check(config: Path, output: Output, *, with_evidence: bool = False) -> Exit:
    """Prints the problems or the summary and returns the exit code.

    Args:
        with_evidence: read from Vault what checks of the accounts have shown. Raises StoreError then.
    """
    try:
        settings, warnings = check(config, os.environ)
        senders(
            settings, config, os.environ, SystemClock(Event()), SystemRandomness()
        )  # Apprise alone knows whether it understands a URL
    except ConfigError as error:
        return _wrong(error.problems, output)
    evidence = _evidence(config) if with_evidence else None
    if output is Output.JSON:
        print_json(_document(settings, warnings) | _evidence_document(evidence))
    else:
        _print(config, settings, warnings, evidence)
    disproved = any(known.standing is Standing.DISPROVED for _, known in evidence or ())
    return Exit.FAILED if disproved else Exit.DONE


def _evidence(config: Path) -> Evidence:
    with open_context(config, read_only=True) as context:
        return list(known_strategies(context.components))


def _evidence_document(evidence: Evidence | None) -> dict[str, Any]:
    if evidence is None:
        return {"strategies": None}
    shown = ((target, known.standing.value, known.why or None) for target, known in evidence)
    keys = ("provider", "strategy", "standing", "why")
    rows = ((target.account, target.strategy.value, standing, why) for target, standing, why in shown)
    return {"strategies": [dict(zip(keys, row, strict=True)) for row in rows]}


def _wrong(problems: Iterable[ConfigProblem], output: Output) -> Exit:
    documents = [asdict(problem) for problem in problems]
    if output is Output.JSON:
        print_json(
            {
                "ok": False,
                "problems": documents,
                "warnings": [],
                "targets": [],
                "selections": [],
                "policies": [],
                "strategies": None,
            }
        )
    else:
        # The arithmetic of a limit has a line for each part.
        lines = [line for problem in problems for line in str(problem).split("\n")]
        print_lines(*lines, counted(len(documents), "problem"))
    return Exit.USAGE


def _used(settings: Settings) -> list[Policy]:
    used = [target.policy for target in settings.core_targets()]
    used += [selection.policy for selection in settings.core_selections]
    return list({policy.name: policy for policy in used}.values())


def _lives(settings: Settings) -> list[tuple[str, LimitedLife]]:
    """Returns what each policy adds up to until a password is refused: with and without an overlap."""
    lives = {}
    for life in limited_lives(CheckedSettings(settings)):
        without = " (in-place)" if life.overlap is None else ""
        lives[f"The longest life of a password by policy {life.linked.target.policy}{without}:"] = life
    return list(lives.items())


def _print(config: Path, settings: Settings, warnings: tuple[ConfigProblem, ...], evidence: Evidence | None) -> None:
    targets = settings.core_targets()
    print_table(_each(targets) if len(targets) <= _MOST_ROWS else _by_kind(targets))
    if settings.core_selections:
        selections = table("Selection", "Strategy", "Policy", "Target", "Path")
        for each in settings.core_selections:
            which = f"{each.username} at {each.account}"
            selections.add_row(
                *(cell(text) for text in (which, each.strategy.value, each.policy.name, each.name, each.path))
            )
        print_lines("")
        print_table(selections)
    policies = table("Policy", "Rotation", "Overlap", "Quarantine", "Password")
    for policy in _used(settings):
        strength = f"{policy.password.length} characters, {bits(policy.password):.0f} bits"
        grace = (length_text(policy.overlap), length_text(policy.quarantine))
        policies.add_row(cell(policy.name), cell(_rotation(policy)), *grace, strength)
    print_lines("")
    print_table(policies)
    for heading, life in _lives(settings):
        print_lines("", heading, *(f"  {line}" for line in life.arithmetic))
    if evidence is not None:
        proved = Standing.PROVED.value
        print_lines("", "What rotator check-provider has shown:")
        print_lines(
            *(
                f"  {target.strategy.value} is {proved} at {target.account}"
                if known.standing is Standing.PROVED
                else f"  {evidence_in_words(target, known)}"
                for target, known in evidence
            )
        )
    print_lines("", *(f"warning: {warning}" for warning in warnings))
    counts = f"{counted(len(targets), 'target')}, {counted(len(warnings), 'warning')}"
    print_lines(f"{config} is valid: {counts}")


def _each(targets: Iterable[Target]) -> Table:
    rows = table("Target", "Provider", "Strategy", "Policy", "Path")
    for target in targets:
        row = (target.name, target.account, target.strategy.value, target.policy.name, target.path)
        rows.add_row(*(cell(text) for text in row))
    return rows


def _by_kind(targets: Iterable[Target]) -> Table:
    """Ten thousand lines help nobody: how many there are of each kind, and the first and the last of them."""
    kinds: dict[tuple[str, str, str], list[Target]] = {}
    for target in targets:
        kinds.setdefault((target.account, target.strategy.value, target.policy.name), []).append(target)
    rows = table("Provider", "Strategy", "Policy", "Targets", "From", "To")
    for kind, some in kinds.items():
        rows.add_row(*(cell(text) for text in (*kind, f"{len(some):,}", some[0].name, some[-1].name)))
    return rows


def _rotation(policy: Policy) -> str:
    schedule = policy.schedule
    if isinstance(schedule, Cron):
        text = f"cron {schedule.expression} {schedule.timezone}"
    else:
        text = f"every {length_text(schedule.interval)}"
    if policy.window is not None:
        text += f"\nwindow {policy.window.cron} for {length_text(policy.window.duration)} {policy.window.timezone}"
    return text


def _document(settings: Settings, warnings: tuple[ConfigProblem, ...]) -> dict[str, Any]:
    return {
        "ok": True,
        "problems": [],
        "warnings": [asdict(warning) for warning in warnings],
        "targets": [
            {
                "name": target.name,
                "provider": target.account,
                "strategy": target.strategy.value,
                "usernames": list(target.usernames),
                "path": target.path,
                "policy": target.policy.name,
            }
            for target in settings.core_targets()
        ],
        "selections": [
            {
                "provider": each.account,
                "username": each.username,
                "description": each.description or None,
                "name": each.name,
                "path": each.path,
                "strategy": each.strategy.value,
                "policy": each.policy.name,
            }
            for each in settings.core_selections
        ],
        "policies": [
            {
                "name": policy.name,
                "rotation": _rotation(policy).replace("\n", ", "),
                "overlap_seconds": policy.overlap.total_seconds(),
                "quarantine_seconds": policy.quarantine.total_seconds(),
                "password_length": policy.password.length,
                "password_entropy_bits": round(bits(policy.password), 1),
                "max_age_seconds": policy.age_limit.max_age.total_seconds() if policy.age_limit else None,
            }
            for policy in _used(settings)
        ],
    }
