"""Implements `pause` and `resume`: changes what is paused, rings for the targets, and prints what is paused then."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rotator.cli.asking import Ringer
from rotator.cli.choosing import check_names, select_targets
from rotator.cli.context import CommandContext, open_context
from rotator.cli.exits import CommandError, Exit
from rotator.cli.moments import moment_of
from rotator.cli.options import Choice, Output, Why
from rotator.cli.printing import print_json, print_lines, safe, say
from rotator.core.audit_chain import Scalar
from rotator.core.audit_words import AuditOutcome, AuditVerb
from rotator.core.bell import Ringing
from rotator.core.blackouts import Extent
from rotator.core.clocks import Clocks
from rotator.core.model import Target
from rotator.core.pauses import LONGEST, Pause, Pauses, Scope
from rotator.fields.times import duration_text
from rotator.observe.time_words import counted, when


class _NothingPaused(Exception):
    """There is nothing to resume."""


@dataclass(frozen=True, slots=True)
class PauseOptions:
    """Which targets are meant."""

    names: tuple[str, ...] = ()  # names or patterns
    account: str = ""
    labels: tuple[str, ...] = ()
    everything: bool = False


def pause_now(config: Path, wanted: PauseOptions, until: str, hold: str, why: Why, output: Output) -> Exit:
    """Pauses, prints what is paused, and returns the exit code. Raises ConfigError, StoreError, CommandError."""
    _check(wanted)
    extent = _extent(hold)
    if not why.reason.strip():
        raise CommandError("--reason is empty: say why, for everybody who meets the pause", Exit.USAGE)
    with open_context(config) as context:
        scope, now = _scope(context, wanted), _clocks(context).latest  # a period begins at the later one
        pause = Pause(scope, now, _end(until, now), context.origin(why), extent)

        facts = pause.origin.facts | {"scope": scope.words, "until": _text(pause.until), "holds": extent.value}
        _change(context, AuditVerb.PAUSE, scope, facts, lambda pauses: pauses.with_pause(pause, now))
        covered = _ring(context, scope)
        _print(context, pause, covered, output)
        return Exit.DONE


def resume_now(config: Path, wanted: PauseOptions, why: Why, output: Output) -> Exit:
    """Ends a pause, prints what still is, and returns the exit code. Raises ConfigError, StoreError, CommandError."""
    _check(wanted)
    with open_context(config) as context:
        scope, now = _scope(context, wanted), _clocks(context).earliest

        def resumed(pauses: Pauses) -> Pauses:
            after = pauses.without(scope, now)
            if not pauses.problem and after.at(now) == pauses.at(now):
                raise _NothingPaused
            return after

        was_paused = True
        try:
            facts = context.origin(why).facts | {"scope": scope.words}
            _change(context, AuditVerb.RESUME, scope, facts, resumed)
        except _NothingPaused:
            was_paused = False
        covered = _ring(context, scope) if was_paused else _covered(context, scope)
        left = _left(context.components.pauses.known, covered, now)
        _print_resumed(scope, covered, left, output, was_paused=was_paused)
        return Exit.DONE if was_paused and not left else Exit.FAILED


def _check(wanted: PauseOptions) -> None:
    ways = (bool(wanted.names), bool(wanted.account or wanted.labels), wanted.everything)
    if sum(ways) == 0:
        raise CommandError("nothing is named: name targets, or use --account, --label or --all", Exit.USAGE)
    if sum(ways) > 1:
        raise CommandError("use either target names, or --account and --label, or --all", Exit.USAGE)


def _extent(text: str) -> Extent:
    try:
        return Extent(text)
    except ValueError:
        words = " or ".join(each.value for each in Extent)
        raise CommandError(f"cannot hold {text!r}: use {words}", Exit.USAGE) from None


def _scope(context: CommandContext, wanted: PauseOptions) -> Scope:
    components = context.components
    if wanted.account:
        check_names([wanted.account], components.kinds, "account")
    chosen = select_targets(components.targets, Choice(wanted.names, wanted.labels))
    if wanted.names:
        return Scope(targets=tuple(sorted(target.name for target in chosen)))
    labels = tuple(sorted((key, value) for key, _, value in (label.partition("=") for label in wanted.labels)))
    return Scope(account=wanted.account, labels=labels)


def _clocks(context: CommandContext) -> Clocks:
    now = context.composition.clock.now()
    return Clocks(now, context.components.store.now() or now)


def _end(text: str, now: datetime) -> datetime:
    until = moment_of(text, now).astimezone(UTC)
    if until <= now:
        raise CommandError(f"--until {text} is in the past", Exit.USAGE)
    if until > now + LONGEST:
        raise CommandError(
            f"a pause lasts at most {duration_text(LONGEST)}: remove the target, or change its policy", Exit.USAGE
        )
    return until


def _change(
    context: CommandContext,
    verb: AuditVerb,
    scope: Scope,
    facts: Mapping[str, Scalar],
    change: Callable[[Pauses], Pauses],
) -> None:
    """Writes what `change` makes of the pauses, and records of what was read for that what it ended."""
    audit, target = context.composition.audit, scope.targets[0] if len(scope.targets) == 1 else ""
    told, is_announced = dict(facts), False

    def intended(pauses: Pauses) -> Pauses:
        changed = change(pauses)
        told.pop("everything", None)
        if pauses.problem:  # what nobody could read has ended, too
            told["everything"] = True
        nonlocal is_announced
        is_announced = True
        audit.intend(verb, target, **told)
        return changed

    try:
        context.components.pauses.change(intended)
    except _NothingPaused:
        if is_announced:  # somebody else wrote in between
            audit.record(verb, target, AuditOutcome.REFUSED, **told, detail="it had ended meanwhile")
        raise
    except ValueError as error:
        raise CommandError(str(error)) from None
    audit.record(verb, target, AuditOutcome.DONE, **told)


def _covered(context: CommandContext, scope: Scope) -> list[Target]:
    return [target for target in context.components.targets if scope.covers(target)]


def _ring(context: CommandContext, scope: Scope) -> list[Target]:
    """Rings for the targets that are concerned, and returns them. A daemon reads what is paused whoever rings."""
    covered, ringer = _covered(context, scope), Ringer(context, Ringing.CHANGED)
    for target in covered:
        ringer.add(target.name)
    ringer.ring()
    return covered


def _left(pauses: Pauses, covered: Sequence[Target], now: datetime) -> list[Pause]:
    return [pause for pause in pauses.at(now) if any(pause.scope.covers(target) for target in covered)]


def pause_row(pause: Pause, number: int) -> dict[str, Any]:
    """Returns a pause as JSON; `number`: of the targets that it concerns now."""
    scope, origin = pause.scope, pause.origin
    return {
        "targets": list(scope.targets),
        "account": scope.account or None,
        "labels": dict(scope.labels),
        "since": _text(pause.since),
        "until": _text(pause.until),
        "holds": pause.extent.value,
        "requested_by": origin.requested_by,
        "stated": origin.stated or None,
        "reason": origin.reason,
        "concerns": number,
    }


def _text(moment: datetime) -> str:
    return moment.isoformat()


def _print(context: CommandContext, pause: Pause, covered: Sequence[Target], output: Output) -> None:
    if output is Output.JSON:
        print_json({"paused": pause_row(pause, len(covered))})
        return
    now = context.composition.clock.now()
    what = "rotations and retirements are" if pause.extent is Extent.CHANGES else "rotations are"
    print_lines(
        f"{pause.scope.words}: {what} held for {counted(len(covered), 'target')}; it ends {when(pause.until, now)}, "
        f"or before: rotator resume {pause.scope.arguments}"
    )
    print_lines("an attempt that is open is finished; what is published is still verified")


def _print_resumed(
    scope: Scope, covered: Sequence[Target], left: Sequence[Pause], output: Output, *, was_paused: bool
) -> None:
    if output is Output.JSON:
        numbers = [(pause, sum(pause.scope.covers(target) for target in covered)) for pause in left]
        rows = [pause_row(pause, number) for pause, number in numbers]
        print_json({"resumed": was_paused, "concerns": len(covered), "still_paused": rows})
        return
    if was_paused:
        print_lines(f"{scope.words}: the pause has ended for {counted(len(covered), 'target')}")
    else:
        say(f"{safe(scope.words)}: nothing was paused with these arguments")
    for pause in left:
        say(f"{safe(pause.scope.words)} is still {safe(pause.words)}; end it: rotator resume {pause.scope.arguments}")
