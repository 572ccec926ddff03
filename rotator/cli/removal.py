"""Implements `rename` and `retire`: changes state documents, carries out what is due, and prints what is left."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from rotator.cli.confirmation import confirm
from rotator.cli.context import CommandContext, open_context
from rotator.cli.exits import CommandError, Exit, Interrupted
from rotator.cli.options import Output, Why
from rotator.cli.printing import print_json, print_lines, safe, say
from rotator.cli.waiting import when_free
from rotator.core.audit_words import AuditVerb
from rotator.core.holding import Hold, HoldEnd
from rotator.core.ledger import end_despite_use, end_now, tried_at_once
from rotator.core.left_over import is_empty, left_over, orphans
from rotator.core.model import Capabilities, Credential, Ending, LedgerEntry, Target, TargetState
from rotator.core.removal import RemovalImpossible, after_forgetting, after_retirement, forgotten
from rotator.engine import Look, Outcome
from rotator.fields.suggestions import suggest
from rotator.observe.time_words import when

_MOST_LOOKS = 20


@dataclass(frozen=True, slots=True)
class RetireOptions:
    """The arguments of `rotator retire`."""

    name: str
    why: Why
    published: bool = False
    at_once: bool = False
    despite_use: bool = False
    forget: bool = False
    yes: bool = False

    @property
    def changes_something(self) -> bool:
        """True if a person has to agree."""
        return self.published or self.at_once or self.despite_use or self.forget


def rename_target(config: Path, old: str, new: str, why: Why, output: Output) -> Exit:
    """Renames a target and returns the exit code. Raises ConfigError, StoreError, CommandError."""
    with open_context(config) as context:
        names = {target.name for target in context.components.targets}
        if old == new:
            raise CommandError(f"{old} and {new} are the same name", Exit.USAGE)
        if old in names:
            raise CommandError(f"the configuration still has {old}: change its name to {new} there first", Exit.USAGE)
        if new not in names and context.components.store.read_state(old).state.renamed_to != new:  # or it was cut
            raise CommandError(
                f"the configuration has no target {new!r}: {suggest(new, names, 'targets')}; "
                f"change the name of {old} to {new} there first",
                Exit.USAGE,
            )
        removal = context.components.engine.removal
        state = _once_free(context, new, lambda: removal.rename(old, new, origin=context.origin(why)))
    published = state.published.username if state.published is not None else None
    if output is Output.JSON:
        print_json({"renamed_from": old, "name": new, "published": published})
    else:
        print_lines(f"{old} is {new} now; published: {published or 'nothing yet'}")
    return Exit.DONE


def retire_target(config: Path, wanted: RetireOptions, output: Output) -> Exit:
    """Retires a target and returns the exit code. Raises ConfigError, StoreError, CommandError."""
    with open_context(config) as context:
        state = context.components.store.read_state(wanted.name).state
        target, configured = _target(context, state)
        if target is None:
            _print(wanted.name, state, (), [], context.composition.clock.now(), output)
            return Exit.DONE
        given_up = forgotten(state, context.components.providers, configured=configured) if wanted.forget else ()
        if wanted.changes_something:
            consequences = _consequences(context, wanted, state, given_up)
            for line in consequences:
                say(line)
            if consequences and not wanted.yes:
                confirm(wanted.name, "Go on?")
        if wanted.changes_something or any(entry.not_before for entry in state.ledger):
            _write(context, wanted, target, given_up, configured=configured)
        look = _carry_out(context, target)
        after = look.state if look is not None else context.components.store.read_state(wanted.name).state
        if after is None:
            raise CommandError(look.message if look is not None else "", Exit.VAULT)
        now = context.composition.clock.now()
        stuck = _stuck(context, after, look, configured=configured)
        _print(wanted.name, after, given_up, stuck, now, output)
        return Exit.FAILED if stuck else Exit.DONE


def _target(context: CommandContext, state: TargetState) -> tuple[Target | None, bool]:
    """Returns the target with only its end allowed, None if nothing is left, and whether it is configured."""
    name = state.target
    configured = next((target for target in context.components.targets if target.name == name), None)
    if configured is not None:
        return replace(configured, removed=True, path=state.path or configured.path), True
    target = left_over(state, context.components.settings.core_policies)
    if target is not None:
        return target, False
    if state.renamed_to:
        raise CommandError(f"{name} was renamed to {state.renamed_to}")
    known = [*(each.name for each in context.components.targets), *context.components.former_names.all()]
    if name not in known:
        raise CommandError(f"there is no target {name!r}: {suggest(name, known, 'targets')}", Exit.USAGE)
    return None, False


def _consequences(
    context: CommandContext, wanted: RetireOptions, state: TargetState, given_up: Sequence[Credential]
) -> list[str]:
    """Returns what will happen to each credential, in words."""
    name, lines = state.target, []
    if wanted.published and state.published is not None:
        how = "disabled after the overlap, and deleted after the quarantine"
        if wanted.at_once:
            how = "disabled and deleted at once"
        lines.append(f"{name}: {state.path} is withdrawn now, so devices find no password there any more")
        can = context.components.capabilities.get(state.published.account)
        if _is_overwritten(can):
            how = f"given a random password {'at once' if wanted.at_once else 'after the overlap'}, and stays there"
        lines.append(f"{name}: {_named(state.published)} is {how}")
    if wanted.at_once and state.ledger:
        lines.append(f"{name}: {', '.join(entry.label for entry in state.ledger)}: disabled and deleted at once")
    elif wanted.despite_use:
        ended = end_despite_use(state.ledger, context.composition.clock.now(), context.origin(wanted.why))
        in_use = [one.label for one, before in zip(ended, state.ledger, strict=True) if one != before]
        how = "disabled now, although devices may still use it, and deleted after the quarantine"
        lines += [f"{name}: {', '.join(in_use)}: {how}"] if in_use else []
    lines += [f"{name}: {_named(each)} is given up: it may stay accepted, and nobody ends it" for each in given_up]
    return lines


def _is_overwritten(can: Capabilities | None) -> bool:
    return can is not None and not can.disables and not can.deletes and can.sets_password


def _named(credential: Credential) -> str:
    name = credential.username or credential.id or f"what attempt {credential.attempt} may have created"
    return f"{name} at {credential.account}"


def _write(
    context: CommandContext, wanted: RetireOptions, target: Target, given_up: Sequence[Credential], *, configured: bool
) -> None:
    accounts, now = context.components.providers, context.composition.clock.now()
    origin = context.origin(wanted.why)
    policy = next((each.policy for each in context.components.targets if each.name == wanted.name), target.policy)

    def change(state: TargetState) -> TargetState:
        if wanted.published:
            state = after_retirement(state, policy, now, origin, at_once=wanted.at_once)
        ledger = tried_at_once(state.ledger)
        if wanted.despite_use:
            ledger = end_despite_use(ledger, now, origin)
        if wanted.at_once:
            ledger = end_now(ledger, now, origin)
        state = replace(state, ledger=ledger)
        return after_forgetting(state, accounts, configured=configured) if wanted.forget else state

    verb = AuditVerb.GIVE_UP if wanted.forget else AuditVerb.REQUEST_RETIREMENT
    removal = context.components.engine.removal
    _once_free(
        context,
        wanted.name,
        lambda: removal.change(
            wanted.name,
            change,
            verb,
            origin=origin,
            detail=", ".join(_named(each) for each in given_up) or None,
        ),
    )


def _once_free(context: CommandContext, name: str, act: Callable[[], TargetState | Hold]) -> TargetState:
    claim = context.components.settings.daemon.claim
    try:
        return when_free(act, name, clock=context.composition.clock, stop=context.stop, claim=claim)
    except RemovalImpossible as error:
        raise CommandError(str(error)) from None


def _carry_out(context: CommandContext, target: Target) -> Look | None:
    """Looks until nothing more can be done now; returns the last look. Raises Interrupted if it is stopped before."""
    look: Look | None = None
    for _ in range(_MOST_LOOKS):
        if context.stop.is_set():
            raise Interrupted
        look = context.components.engine.look(target)
        if look.hold is None or look.hold.reason.end is not HoldEnd.SOON:
            break
        context.composition.clock.sleep(1.0)
    return look


def _stuck(context: CommandContext, state: TargetState, look: Look | None, *, configured: bool) -> list[str]:
    """Returns what does not end by itself, and what a pause or a blackout holds although it is due."""
    lost = orphans(state, context.components.providers, configured=configured)
    lines = [f"{_named(each.credential)}: {_LOST[each.kind.value]}" for each in lost]
    hold = look.hold if look is not None else None
    if look is not None and (look.outcome is Outcome.VAULT or (hold is not None and hold.reason.end.blocks)):
        lines.append(look.message)
    frozen = look.freezes.of_retirements if look is not None else None
    if frozen is not None and hold is not None and hold.reason is frozen.reason:
        lines.append(f"{hold.message}; {frozen.ended_by}" if frozen.ended_by else hold.message)
    return lines


_LOST = {
    "renamed": "its rename was cut (rotator rename with both names finishes it)",
    "published": "published, and rotated by nobody (--published ends it, --forget gives it up)",
    "ledger": "its account is not in the configuration (--forget gives it up)",
    "attempt": "open, and its account is not in the configuration (--forget gives it up)",
}


def _print(
    name: str, state: TargetState, given_up: Sequence[Credential], stuck: list[str], now: datetime, output: Output
) -> None:
    if output is Output.JSON:
        print_json(
            {
                "name": name,
                "ended": is_empty(state),
                "left": [_row(entry) for entry in state.ledger],
                "given_up": [_credential(each) for each in given_up],
                "stuck": stuck,
            }
        )
        return
    for entry in state.ledger:
        print_lines(f"{name}: {safe(_line(entry, now))}")
    for line in stuck:
        print_lines(f"{name}: {safe(line)}")
    if is_empty(state):
        print_lines(f"{name}: nothing is left")
    elif state.published is not None and not state.ledger and not stuck:
        print_lines(
            safe(f"{name}: {_named(state.published)} is published, and nothing else is left (--published ends it)")
        )


def _line(entry: LedgerEntry, now: datetime) -> str:
    note = f" ({entry.note})" if entry.note else ""
    if entry.ending is Ending.FORGET or entry.cut_off:
        done = "disabled, " if entry.disabled else "random password, " if entry.cut_off else "old password, "
        return f"{entry.label}: {done}{_end(entry)} {when(entry.ends_at, now)}{note}"
    return f"{entry.label}: disabled {when(entry.disable_at, now)}{note}"


def _end(entry: LedgerEntry) -> str:
    return "deleted" if entry.ending is Ending.DELETE else "forgotten"


def _row(entry: LedgerEntry) -> dict[str, Any]:
    return _credential(entry.credential) | {
        "ending": entry.ending.value,
        "disable_at": entry.disable_at.isoformat(),
        "disabled_at": entry.disabled_at.isoformat() if entry.disabled_at is not None else None,
        "overwritten_at": entry.overwritten_at.isoformat() if entry.overwritten_at is not None else None,
        "ends_at": entry.ends_at.isoformat(),
        "note": entry.note or None,
    }


def _credential(credential: Credential) -> dict[str, Any]:
    return {"account": credential.account, "id": credential.id, "username": credential.username or None}
