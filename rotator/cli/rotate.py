"""Implements `rotate` and `undo`: writes requests to Vault, hands them to the daemon or carries them out, reports."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from rotator.cli.asking import Ringer, ask
from rotator.cli.choosing import select_target, select_targets
from rotator.cli.context import CommandContext, open_context
from rotator.cli.daemon_watch import DaemonWatch
from rotator.cli.exits import CommandError, Exit
from rotator.cli.options import Choice, Output, Why
from rotator.cli.printing import say
from rotator.cli.progress import ProgressObserver, screen, show_progress
from rotator.cli.registration import Registration
from rotator.cli.request_runner import PendingRequest, RequestRunner, Result, RotationReport
from rotator.cli.rotation_results import exit_code, print_results
from rotator.core.bell import Ringing
from rotator.core.clocks import Clocks
from rotator.core.facts import Facts
from rotator.core.freezes import freezes, frozen_hold, passes
from rotator.core.holds import foreign_document_hold
from rotator.core.model import Purpose, Request, Target, TargetState
from rotator.core.undo import UndoImpossible, undo_candidate
from rotator.observe.time_words import counted, local, relative


@dataclass(frozen=True, slots=True)
class HowToAct:
    """Who carries requests out, and whether the command waits for that."""

    wait: bool = True
    here: bool = False  # this process, even if a daemon lives


@dataclass(frozen=True, slots=True)
class RotateOptions:
    """The arguments of `rotator rotate`."""

    choice: Choice
    why: Why
    compromised: bool = False
    take_over: bool = False
    despite_pause: bool = False
    how: HowToAct = HowToAct()


class StateRelay:
    """Passes every state to the watch, once there is one."""

    watch: ProgressObserver | None = None

    def seen(self, target: Target, state: TargetState) -> None:
        """Passes a state on."""
        if self.watch is not None:
            self.watch.seen(target, state)


def rotate_now(config: Path, options: RotateOptions, output: Output) -> Exit:
    """Rotates, prints the result, and returns the exit code. Raises ConfigError, StoreError, CommandError."""
    watched = StateRelay()
    with screen() as display, open_context(config, seen=watched.seen) as context:
        targets = select_targets(context.components.targets, options.choice)
        request = Request(
            Purpose.ROTATE,
            context.composition.asked_by,
            options.why.reason,
            context.composition.clock.now(),
            compromised=options.compromised,
            take_over=options.take_over,
            despite_pause=options.despite_pause,
            stated=options.why.stated,
        )
        return Acting(context, display, watched, request, options.how).act(targets, output)


def undo_now(config: Path, name: str, why: Why, output: Output, how: HowToAct) -> Exit:
    """Undoes, prints the result, and returns the exit code. Raises ConfigError, StoreError, CommandError."""
    watched = StateRelay()
    with screen() as display, open_context(config, seen=watched.seen) as context:
        target = select_target(context.components.targets, name)
        say(undo_plan(context.components.engine.facts(target)))
        now, by = context.composition.clock.now(), context.composition.asked_by
        request = Request(Purpose.UNDO, by, why.reason, now, stated=why.stated)
        return Acting(context, display, watched, request, how).act([target], output)


def undo_plan(facts: Facts) -> str:
    """Describes in one sentence what an undo would do.

    Raises:
        CommandError: an undo is impossible now; the text says why.
    """
    name, attempt = facts.target.name, facts.state.attempt
    if attempt is not None:
        what = "an undo" if attempt.purpose is Purpose.UNDO else "a rotation"
        since = f"{attempt.started_at:%Y-%m-%d %H:%M:%S} UTC"
        raise CommandError(
            f"{name}: {what} has been open since {since}; wait until it ends (rotator status), then undo it, "
            f"or give it up: rotator abandon {name}"
        )
    foreign = foreign_document_hold(facts)
    if foreign is not None:
        raise CommandError(f"{name}: {foreign.message}")
    candidate = undo_candidate(facts.state, facts.capabilities, facts.now)
    if isinstance(candidate, UndoImpossible):
        raise CommandError(f"{name}: {candidate.reason}")
    until = f"possible until {local(candidate.until, facts.now)}, {relative(candidate.until, facts.now)}"
    return f"{name}: publishing {candidate.entry.label} again ({until})"


class Acting:
    """Has one request carried out for many targets, whoever does it."""

    def __init__(
        self, context: CommandContext, display: Console, watched: StateRelay, request: Request, how: HowToAct
    ) -> None:
        self._context, self._display, self._watched = context, display, watched
        self._request, self._how = request, how
        self._registration = Registration(context.components.presence, context.composition.clock)
        kind = Ringing.EMERGENCY if request.compromised else Ringing.ASKED
        self._asked, self._changed = Ringer(context, kind), Ringer(context, Ringing.CHANGED)

    def act(self, targets: Sequence[Target], output: Output) -> Exit:
        """Has the request carried out, prints how that ended, and returns the exit code. Raises StoreError."""
        refused = self._refused(targets)
        free = [target for target in targets if target.name not in refused]
        reports = [*refused.values(), *(self._carry_out(free) if self._how.wait else self._leave(free))]
        by_name = {report.target.name: report for report in reports}
        reports = [by_name[target.name] for target in targets]
        print_results(reports, self._context.composition.clock.now(), output)
        code = exit_code(reports, stopped=self._context.stop.is_set())
        if code is Exit.STOPPED:
            say(self._about_the_stop(reports))
        return code

    def _refused(self, targets: Sequence[Target]) -> dict[str, RotationReport]:
        """Returns the targets that are not asked, since a pause or a blackout would hold the request."""
        if passes(self._request):
            return {}
        pauses, clock = self._context.components.pauses.fresh(), self._context.composition.clock
        now = clock.now()
        clocks = Clocks(now, self._context.components.store.now() or now)
        held = ((target, freezes(target, pauses, clocks).of_rotations) for target in targets)
        return {
            target.name: RotationReport(target, Result.PAUSED, frozen_hold(target.name, freeze).message)
            for target, freeze in held
            if freeze is not None
        }

    def _leave(self, targets: Sequence[Target]) -> list[RotationReport]:
        """Leaves the requests to the daemon."""
        pending, failed = ask(self._context, targets, self._request, self._asked)
        self._context.components.presence.look()
        if pending and not self._registration.daemons:
            say("no daemon lives now: the requests wait in Vault until one runs")
        written = [RotationReport(each.target, Result.REQUESTED, state=each.written) for each in pending]
        return written + failed

    def _carry_out(self, targets: Sequence[Target]) -> list[RotationReport]:
        with self._registration.kept(), show_progress(self._display, len(targets)) as progress:
            self._watched.watch = progress
            try:
                return self._by_daemon_or_here(targets, progress)
            finally:
                self._watched.watch = None

    def _by_daemon_or_here(self, targets: Sequence[Target], progress: ProgressObserver) -> list[RotationReport]:
        runner = RequestRunner(
            self._context.components.engine,
            self._context.composition.clock,
            claim=self._context.components.settings.daemon.claim,
            capabilities=self._context.components.capabilities.__getitem__,
            tell=progress.waits,
        )
        if self._registration.problem:
            say(f"cannot tell whether a daemon lives, so this process does the work: {self._registration.problem}")
        daemons = () if self._how.here else self._registration.daemons
        watch = DaemonWatch(
            self._context, self._registration, patience=runner.patience, tell=progress.waits, ended=progress.ended
        )
        progress.begins("requests written", len(targets))
        ringer = self._asked if daemons else None
        rest, reports = ask(self._context, targets, self._request, ringer, progress.advance)
        progress.begins("ended", len(targets))
        for report in reports:
            progress.ended(report)
        if daemons:
            say(f"{_named(daemons)} carries it out; Ctrl-C leaves the rest to it")
            ended, rest = watch.follow(rest)
            reports += ended
            if rest:
                say(f"no daemon lives any more: this process goes on with {counted(len(rest), 'target')}")
        return reports + self._here(rest, runner, progress)

    def _here(
        self, rest: Sequence[PendingRequest], runner: RequestRunner, progress: ProgressObserver
    ) -> list[RotationReport]:
        def carry_out(pending: PendingRequest) -> RotationReport:
            report = runner.carry_out(pending)
            progress.ended(report)
            if not self._registration.is_alone:
                self._changed.add(pending.target.name)
            return report

        reports = self._context.each(carry_out, rest)
        self._changed.ring()
        return reports

    def _about_the_stop(self, reports: Sequence[RotationReport]) -> str:
        written = [report for report in reports if report.result is Result.INTERRUPTED and report.state is not None]
        unwritten = [report for report in reports if report.result is Result.INTERRUPTED and report.state is None]
        who = "the daemon carries them out" if self._registration.daemons else "a daemon carries them out when one runs"
        text = (
            f"stopped; the requests stay in Vault ({len(written)} left), and {who} (rotator status --state requested)"
        )
        return text + (f"; not asked for: {counted(len(unwritten), 'target')}" if unwritten else "")


def _named(daemons: Sequence[str]) -> str:
    return f"the daemon {daemons[0]}" if len(daemons) == 1 else f"one of {len(daemons)} daemons"
