"""Implements `rotator check-provider`: tries what rotations take for granted, and keeps what was shown in Vault."""

import json
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rotator import __version__
from rotator.cli.choosing import check_names
from rotator.cli.confirmation import confirm
from rotator.cli.context import CommandContext, open_context
from rotator.cli.exits import CommandError, Exit, Interrupted
from rotator.cli.options import Output, Why
from rotator.cli.printing import cell, print_json, print_lines, print_table, say, table
from rotator.cli.progress import screen, show_progress
from rotator.cli.registration import Registration
from rotator.core import evidence as known
from rotator.core.evidence import Shown
from rotator.core.exchanges import ProviderExchange
from rotator.core.left_over import left_over
from rotator.core.model import Credential, Strategy, Target
from rotator.core.strategy_evidence import Standing, StrategyEvidence, judge
from rotator.engine.account_check import BY_WRITING, AccountCheck, CheckImpossible, CheckReport
from rotator.engine.account_reading import COVERED
from rotator.engine.check_results import CheckStopped
from rotator.engine.scratch_ground import CheckRuns
from rotator.observe.time_words import counted
from rotator.providers.strategies import unsupported


@dataclass(frozen=True, slots=True)
class CheckOptions:
    """The arguments of `rotator check-provider`."""

    account: str
    why: Why
    write: bool = False
    expendable: str | None = None
    transcript: Path | None = None
    confirmed: bool = False


def check_account(config: Path, options: CheckOptions, output: Output) -> Exit:
    """Checks an account, prints what was shown, and returns the exit code.

    Raises:
        ConfigError, StoreError: as for every command.
        CommandError: the check is impossible so, or nobody has agreed to it.
    """
    try:
        if options.write:
            _announce(config, options)
        with open_context(config, gets_only=not options.write) as context:
            report = _checked(context, options)
            judged = _judged(context, report)
            if options.transcript is not None:
                _write_transcript(options.transcript, context, report)
            if output is Output.JSON:
                print_json(_document(context, report, judged))
            else:
                _print(report, judged)
    except (CheckImpossible, CheckRuns) as problem:
        raise CommandError(f"{options.account}: {problem}") from None
    except CheckStopped:
        raise Interrupted from None
    return _code(report, judged)


def _check(context: CommandContext, account: str, going_on: Callable[[str], None]) -> AccountCheck:
    components = context.components
    check_names([account], components.providers, "account")
    composition, keys = context.composition, components.evidence_keys
    same = [name for name, key in keys.items() if key == keys[account]]
    return AccountCheck(
        account,
        components.evidence_keys[account],
        components.providers[account],
        _targets(context, account),
        store=components.store,
        clock=composition.clock,
        randomness=composition.randomness,
        audit=composition.audit,
        holder=composition.holder,
        version=__version__,
        learn=composition.redactor.add,
        users=lambda: _users(context, same),
        names=same,
        going_on=going_on,
    )


def _users(context: CommandContext, names: Collection[str]) -> list[Target]:
    """Returns the targets of the account by any of its names, and those that were removed, which devices may use."""
    components = context.components
    states = [components.store.read_state(name).state for name in components.former_names.all()]
    removed = [target for target in map(left_over, states) if target is not None]
    return [*(target for target in components.targets if target.account in names), *removed]


def _targets(context: CommandContext, account: str) -> tuple[Target, ...]:
    return tuple(target for target in context.components.targets if target.account == account)


def _checked(context: CommandContext, options: CheckOptions) -> CheckReport:
    number = len(COVERED) + len(BY_WRITING) * options.write
    with screen() as display, show_progress(display, number) as progress:
        progress.begins("looked at", number)
        seen: set[str] = set()

        def going_on(key: str) -> None:
            if context.stop.is_set():  # what is not sent any more looks as if the provider had not answered
                raise CheckStopped
            if key not in seen:
                seen.add(key)
                progress.advance()

        return _check_made(context, options, _check(context, options.account, going_on))


def _check_made(context: CommandContext, options: CheckOptions, check: AccountCheck) -> CheckReport:
    by = context.origin(options.why).requested_by
    if not options.write:
        for one in check.left_behind:
            what = one.credential.username or f"the credential of attempt {one.credential.attempt}"
            say(f"an earlier check has left {what}: --write removes it")
        return check.read(by)
    registration = Registration(context.components.presence, context.composition.clock)
    with registration.kept():
        return check.write(by, context.components.presence.living(), options.expendable)


# -- what it is about to do


def _announce(config: Path, options: CheckOptions) -> None:
    """Says what will be done, and asks."""
    with open_context(config, read_only=True) as context:
        check = _check(context, options.account, lambda _: None)
        expendable = _expendable(context, check, options)
        say(_intention(context, options.account, expendable))
        for one in check.left_behind:
            say(f"what an earlier check has left is removed first: {one.credential.username or one.credential.attempt}")
    if not options.confirmed:
        confirm(options.account, "Check it so?")


def _expendable(context: CommandContext, check: AccountCheck, options: CheckOptions) -> Credential | None:
    creates = context.components.capabilities[options.account].creates
    if creates and options.expendable is not None:
        raise CommandError(f"{options.account} can create a scratch credential: leave out --expendable", Exit.USAGE)
    if creates:
        return None
    if options.expendable is None:
        kind = context.components.kinds[options.account]
        message = f"rotator cannot create anything at an account of type {kind}: name a credential that nobody needs"
        raise CommandError(f"{options.account}: {message}, with --expendable ID", Exit.USAGE)
    return check.find_expendable(options.expendable)


def _intention(context: CommandContext, account: str, expendable: Credential | None) -> str:
    proof = context.components.capabilities[account].proof
    log_ins = "log-ins are tried with it, about six of them wrong" if proof.tries_password else "no log-in is tried"
    if expendable is None:
        return (
            f"{account}: a credential is created, named rotatorcheck and some letters, or rotator/check-provider where "
            f"the provider makes usernames; {log_ins}; its password is set, it is disabled and deleted; nothing else "
            "is changed"
        )
    name = f"{expendable.username} ({expendable.id})"
    if expendable.password is not None:
        return f"{account}: the password of {name} is changed; {log_ins}; the present one is set back at the end"
    lost = "the present one is not known and CANNOT be set back: afterwards nobody knows its password"
    return f"{account}: the password of {name} is changed; {log_ins}; {lost}"


# -- what came of it


def _judged(context: CommandContext, report: CheckReport) -> dict[Strategy, StrategyEvidence]:
    """Returns what the evidence means for the strategies of the account's targets; without any, for all it can."""
    capabilities = context.components.capabilities[report.account]
    used = dict.fromkeys(target.strategy for target in _targets(context, report.account))
    able = [one for one in Strategy if unsupported(one, capabilities) is None]
    return {one: judge(one, capabilities, report.evidence) for one in (used or able)}


def _code(report: CheckReport, judged: dict[Strategy, StrategyEvidence]) -> Exit:
    unusable = any(
        one.key in (known.CONNECTS.key, known.KEY.key) and one.shown is not Shown.HOLDS for one in report.results
    )
    disproved = any(one.standing is Standing.DISPROVED for one in judged.values())
    return Exit.FAILED if unusable or disproved or report.left else Exit.DONE


def _print(report: CheckReport, judged: dict[Strategy, StrategyEvidence]) -> None:
    rows = table("Assumption", "Shown", "Evidence")
    for one in report.results:
        rows.add_row(cell(one.text), one.shown.value, cell(one.evidence))
    print_table(rows)
    lines = [
        f"{strategy.value}: {one.standing.value}" + (f", since {one.why}" if one.why else "")
        for strategy, one in judged.items()
    ]
    print_lines("", *lines)
    for left in report.left:
        say(f"left behind at {report.account}: {left}; the next check removes it")


def _document(context: CommandContext, report: CheckReport, judged: dict[Strategy, StrategyEvidence]) -> dict[str, Any]:
    return {
        "account": report.account,
        "type": context.components.kinds[report.account],
        "time": context.composition.clock.now().isoformat(),
        "version": __version__,
        "results": [
            {
                "assumption": one.key,
                "text": one.text,
                "shown": one.shown.value,
                "evidence": one.evidence or None,
                "seconds": one.seconds,
            }
            for one in report.results
        ],
        "strategies": [
            {"strategy": strategy.value, "standing": one.standing.value, "why": one.why or None}
            for strategy, one in judged.items()
        ],
        "left": list(report.left),
    }


def _write_transcript(path: Path, context: CommandContext, report: CheckReport) -> None:
    """Writes the shapes of all requests and answers, without any value."""
    document = {
        "rotator": __version__,
        "type": context.components.kinds[report.account],
        "results": [
            {"assumption": one.key, "shown": one.shown.value, "seconds": one.seconds} for one in report.results
        ],
        "exchanges": shapes(report.exchanges),
    }
    text = json.dumps(_cleaned(document, context.composition.redactor.clean), indent=1)
    try:
        path.touch(0o600)
        path.write_text(text + "\n", encoding="utf-8")
    except OSError as error:
        raise CommandError(f"{path} cannot be written: {error.strerror}", Exit.USAGE) from None
    say(f"{path}: {counted(len(report.exchanges), 'request')} and their answers, as names and types, without values")


def _cleaned(value: Any, clean: Callable[[str], str]) -> Any:
    """Returns names and types without any secret that is known, should one of them be the name of a key."""
    if isinstance(value, dict):
        return {clean(key): _cleaned(inner, clean) for key, inner in value.items()}
    if isinstance(value, list):
        return [_cleaned(inner, clean) for inner in value]
    return clean(value) if isinstance(value, str) else value


def shapes(exchanges: Sequence[ProviderExchange]) -> list[dict[str, Any]]:
    """Returns what a transcript has of each request and its answer."""
    return [
        {
            "verb": one.verb,
            "request": f"{one.method} {one.path}".rstrip(),
            "query": list(one.query),
            "sent": one.sent,
            "status": one.status,
            "headers": list(one.headers),
            "received": one.received,
            "seconds": round(one.seconds, 3),
        }
        for one in exchanges
    ]
