"""Implements `rotator adopt`: says what it will do, asks, and takes up the credential that is in use."""

import sys
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from rotator.cli.choosing import select_target
from rotator.cli.confirmation import confirm
from rotator.cli.context import CommandContext, open_context
from rotator.cli.exits import CommandError, Exit
from rotator.cli.options import Choice, Output, Why
from rotator.cli.printing import print_json, print_table, safe, say, table
from rotator.cli.rotate import RotateOptions, rotate_now
from rotator.cli.waiting import when_free
from rotator.core.adoption import AdoptionImpossible, AdoptionPlan, KnownToOperator
from rotator.core.model import Target, TargetState
from rotator.core.secret import Secret
from rotator.observe.time_words import length_text, relative

_LONGEST_PASSWORD = 4096  # characters; more is not a password but the wrong file


@dataclass(frozen=True, slots=True)
class AdoptOptions:
    """The arguments of `rotator adopt`."""

    name: str
    why: Why
    username: str | None = None
    password_file: Path | None = None
    password_stdin: bool = False
    rotate: bool = False
    confirmed: bool = False


def adopt_now(config: Path, options: AdoptOptions, output: Output) -> Exit:
    """Takes up a credential, prints it, rotates if asked to, and returns the exit code.

    Raises:
        ConfigError, StoreError: as for every command.
        CommandError: nothing can be taken up, or nobody has agreed to it.
    """
    known = KnownToOperator(options.username, _password(options), options.rotate)
    try:
        with open_context(config, read_only=True) as context:
            target, plan = _planned(context, options.name, known)
            say(_announcement(target, plan, context, rotates=options.rotate))
        if not options.confirmed:
            confirm(options.name, "Take it up?")
        with open_context(config) as context:
            if known.password is not None:
                context.composition.redactor.add(known.password)
            state = take_up(context, target, known, plan, options.why)
            if not options.rotate:
                _print(target, state, context.composition.clock.now(), output)
    except AdoptionImpossible as impossible:
        raise CommandError(f"{options.name}: {impossible}") from None
    if not options.rotate:
        return Exit.DONE
    # The document cannot name a credential whose password is unknown: only a take-over writes over it.
    take_over = plan.credential.password is None
    return rotate_now(config, RotateOptions(Choice((options.name,)), options.why, take_over=take_over), output)


def _password(options: AdoptOptions) -> Secret | None:
    """Reads the password from a file or from standard input: an argument would show in the list of processes."""
    if options.password_file is None and not options.password_stdin:
        return None
    if options.password_file is not None and options.password_stdin:
        raise CommandError("--password-file and --password-stdin exclude each other", Exit.USAGE)
    if options.password_stdin and not options.confirmed:
        raise CommandError("--password-stdin leaves no way to ask: add --yes", Exit.USAGE)
    source = "standard input" if options.password_file is None else str(options.password_file)
    try:
        text = sys.stdin.read(_LONGEST_PASSWORD) if options.password_file is None else _content(options.password_file)
    except OSError as error:
        raise CommandError(f"{source} cannot be read: {error.strerror}", Exit.USAGE) from None
    except ValueError:  # the original error may quote what was read
        text = ""
    password = text.removesuffix("\n").removesuffix("\r")
    if not password or "\n" in password or len(text) >= _LONGEST_PASSWORD:
        raise CommandError(f"{source} does not hold one password, as one line of text", Exit.USAGE)
    return Secret(password)


def _content(file: Path) -> str:
    with file.open(encoding="utf-8") as opened:
        return opened.read(_LONGEST_PASSWORD)


def _planned(context: CommandContext, name: str, known: KnownToOperator) -> tuple[Target, AdoptionPlan]:
    if known.password is not None:
        context.composition.redactor.add(known.password)
    target = select_target(context.components.targets, name)
    return target, context.components.engine.plan_adoption(target, known)


def _announcement(target: Target, plan: AdoptionPlan, context: CommandContext, *, rotates: bool) -> str:
    credential, now = plan.credential, context.composition.clock.now()
    becomes = f"{credential.username} ({credential.id}) at {credential.account} becomes the published credential"
    if credential.password is None:
        parts = [f"{becomes}; its password is unknown and is not tried"]
    else:
        parts = [f"{becomes}, if this proof succeeds: {context.components.capabilities[credential.account].proof}"]
    if plan.moved_from:
        parts.append(
            f"{plan.moved_from} is another name of that account: what is known there is known here from now on"
        )
    if plan.writes_document:
        parts.append(f"{target.path} is written with its username and password")
    if plan.replaced is not None:
        overlap = length_text(target.policy.overlap)
        parts.append(f"{plan.replaced.username}, which was published last, is retired after an overlap of {overlap}")
    if plan.told_end is not None:
        parts.append("its end, which the provider was told, is taken back")
    if rotates:
        parts.append("then it is rotated at once")
    elif plan.request is not None:
        parts.append(f"the {plan.request.purpose.noun} that {plan.request.requested_by} has requested follows")
    elif plan.known:
        parts.append("its schedule stays as it is")
    elif plan.rotated_at is not None:
        parts.append(f"it was rotated {relative(plan.rotated_at, now)}, and its schedule goes on from there")
    else:
        parts.append("its age is unknown, so it is rotated soon, as its policy allows")
    return "\n".join(f"{target.name}: {part}" for part in parts)


def take_up(
    context: CommandContext, target: Target, known: KnownToOperator, plan: AdoptionPlan, why: Why
) -> TargetState:
    """Waits for other processes to let go of the target, and takes the credential up."""
    return when_free(
        lambda: context.components.engine.adopt(target, known, plan, context.origin(why)),
        target.name,
        clock=context.composition.clock,
        stop=context.stop,
        claim=context.components.settings.daemon.claim,
    )


def _print(target: Target, state: TargetState, now: datetime, output: Output) -> None:
    published, due = state.published, state.next_rotation
    assert published is not None  # noqa: S101 - it was just taken up
    if output is Output.JSON:
        print_json(
            {
                "time": now.isoformat(),
                "name": target.name,
                "result": "adopted",
                "published": {"account": published.account, "id": published.id, "username": published.username},
                "last_rotation": state.last_rotation.isoformat() if state.last_rotation else None,
                "next_rotation": due.isoformat() if due else None,
            }
        )
        return
    rows = table("Target", "Result", "Published", "Next rotation")
    rows.add_row(safe(target.name), "adopted", safe(published.username), relative(due, now) if due else "")
    print_table(rows)
