"""The scenarios of the demo. Each waits for its moment, causes an event, and waits for the consequences."""

import shlex
from collections.abc import Callable, Iterator
from itertools import pairwise

from rotator.core.audit_words import AuditOutcome, AuditVerb
from rotator_simulator.demo.measure import all_accepted_passwords
from rotator_simulator.demo.processes import CommandRunner, DaemonProcess
from rotator_simulator.demo.report import ScenarioResults
from rotator_simulator.demo.timeline import LineStyle, Timeline, TimelineEntry
from rotator_simulator.environment import SimulatedEnvironment

_SIGNAL = "SIGUSR1"
_TIME_TO_READ = 1.0  # seconds in which every phone that is refused has read Vault


class Scenarios:
    """Runs all scenarios side by side. One thread calls `step` again and again."""

    def __init__(
        self,
        environment: SimulatedEnvironment,
        timeline: Timeline,
        daemon: DaemonProcess,
        commands: CommandRunner,
        elapsed: Callable[[], float],
        show: Callable[[TimelineEntry], None],
        damage_until: float,
    ) -> None:
        """Prepares the scenarios.

        Args:
            elapsed: returns the seconds since the demo began.
            show: prints an entry.
            damage_until: how many seconds of the demo may pass before damage that only the next rotation repairs.
        """
        self._damage_until = damage_until
        self._environment, self._timeline, self._daemon, self._commands = environment, timeline, daemon, commands
        self._elapsed, self._show_entry, self._find = elapsed, show, timeline.find
        self._completed: list[str] = []
        self._problems: list[str] = []
        self._running = {
            "a rotation on demand": self._on_demand(),
            "a deletion during a call": self._active_call(),
            "a lost answer": self._lost_answer(),
            "an emergency": self._emergency(),
            "an undo": self._undo(),
            "a deletion by hand": self._deletion_by_hand(),
        }

    def step(self) -> None:
        """Continues every scenario whose condition has been met."""
        for name, scenario in list(self._running.items()):
            try:
                next(scenario)
            except StopIteration:
                del self._running[name]

    def results(self) -> ScenarioResults:
        """Returns the results so far."""
        return ScenarioResults(tuple(self._completed), tuple(self._running), tuple(self._problems))

    def _on_demand(self) -> Iterator[None]:
        yield from self._at(6)
        self._show("", _SIGNAL, "rotate everything now: kill -USR1 the daemon")
        self._daemon.rotate_now()
        targets = {target.name for target in self._environment.targets}
        yield from self._until(
            lambda: targets <= {one.target for one in self._find(AuditVerb.CLOSE, requested_by=_SIGNAL)}
        )
        self._completed.append(f"{_SIGNAL} rotated all {len(targets)} targets, each with the reason in the audit")

    def _active_call(self) -> Iterator[None]:
        yield from self._at(4)
        account, username = self._environment.account_of("office-phone"), self._username("office-phone")
        call = account.start_call(account.by_username(username).id)
        self._show("office-phone", "call begins", f"it uses {username}, which therefore cannot be deleted")
        yield from self._until(lambda: len(self._find(AuditVerb.DELETE, AuditOutcome.RETRY, username=username)) >= 2)
        account.end_call(call)
        self._show("office-phone", "call ends", f"{username} can be deleted now")
        yield from self._until(lambda: self._find(AuditVerb.DELETE, username=username))
        refusals = len(self._find(AuditVerb.DELETE, AuditOutcome.RETRY, username=username))
        self._completed.append(f"call: {username} was in use; deletion refused {refusals} times (409), then done")

    def _lost_answer(self) -> Iterator[None]:
        yield from self._at(12)
        account = self._environment.account_of("office-phone")
        plan = self._environment.server.faults.plan("lost-answer", verb="create", account=account.name)
        self._show("", "fault", "Vobiz will carry out the next create, and its answer will be lost")
        yield from self._until(lambda: plan.fired > 0 and self._find(AuditVerb.CREATE, AuditOutcome.UNKNOWN))
        lost = self._find(AuditVerb.CREATE, AuditOutcome.UNKNOWN)[0]
        attempt, username = lost.fact("attempt"), lost.fact("username")
        yield from self._until(lambda: self._find(AuditVerb.CLOSE, attempt=attempt))
        accepted = len(all_accepted_passwords(account, username))
        if accepted != 1:
            self._problems.append(f"{username} had {accepted} passwords, instead of the same one sent again")
        self._completed.append(f"lost answer: {username} was found again, and never had another password")

    def _emergency(self) -> Iterator[None]:
        yield from self._at(14)
        name = next(target.name for target in self._environment.targets if target.emergency)
        yield from self._rotated(name)
        username = self._username(name)
        yield from self._command("rotate", name, "--compromised", "--reason", "a phone was stolen")
        yield from self._until(lambda: self._find(AuditVerb.DELETE, username=username))
        published = self._timeline.published(name)
        retired = self._find(AuditVerb.DELETE, username=username)[0]
        seconds = (retired.at - published.at).total_seconds() if published else 0.0
        self._completed.append(f"emergency: {username} was deleted {seconds:.1f} s after its successor was published")

    def _undo(self) -> Iterator[None]:
        yield from self._at(20)
        first = self._username("contact-centre")
        yield from self._rotated("contact-centre")
        second = self._username("contact-centre")
        yield from self._command("undo", "contact-centre")
        yield from self._until(lambda: self._username("contact-centre") == first)
        self._completed.append(f"undo: {first} is published again instead of {second}")

    def _deletion_by_hand(self) -> Iterator[None]:
        """Somebody deletes what was just published, while phones still use its predecessor."""
        yield from self._at(8)
        account, used, deleted = self._environment.account_of("reception"), "", ""
        while not (used and self._phones_use(used) and self._elapsed() < self._damage_until):
            used = self._username("reception")
            yield from self._rotated("reception")
            deleted = self._username("reception")
        credential = account.by_username(deleted)
        account.delete(credential.kind, credential.id)
        self._show("reception", "by hand", f"somebody deletes {deleted} at the provider; phones still use {used}")
        yield from self._until(lambda: self._find(AuditVerb.VERIFY, AuditOutcome.RETRY, username=deleted))
        yield from self._rotated("reception")
        published = self._find(AuditVerb.PUBLISH, target="reception")[-1]
        yield from self._until(lambda: self._find(AuditVerb.DISABLE, username=used))
        seconds = (self._find(AuditVerb.DISABLE, username=used)[0].at - published.at).total_seconds()
        if seconds < 0:
            self._problems.append(f"{used} was disabled although {deleted} was gone and nothing else was published")
        kept = f"{used} was kept until {seconds:.1f} s after {published.fact('username')} was published"
        self._completed.append(f"deletion by hand: {deleted} was gone, so {kept}")

    def _phones_use(self, username: str) -> bool:
        """True if the phones of the reception have had time to read this username: the one before it was disabled."""
        published = self._find(AuditVerb.PUBLISH, target="reception")
        before = next(
            (one.fact("username") for one, following in pairwise(published) if following.fact("username") == username),
            "",
        )
        disabled = self._find(AuditVerb.DISABLE, username=before)
        return bool(disabled) and (published[-1].at - disabled[-1].at).total_seconds() > _TIME_TO_READ

    def _command(self, *words: str) -> Iterator[None]:
        self._show(words[1], "command", shlex.join(["rotator", *words]))
        process = self._commands.start(*words)
        yield from self._until(lambda: process.poll() is not None)
        if process.returncode:
            self._problems.append(f"rotator {words[0]} {words[1]} ended with exit code {process.returncode}")

    def _at(self, seconds: float) -> Iterator[None]:
        """Waits until this moment, and until every target has been rotated once."""
        names = [target.name for target in self._environment.targets]
        yield from self._until(lambda: self._elapsed() >= seconds and all(map(self._timeline.published, names)))

    def _rotated(self, target: str) -> Iterator[None]:
        """Waits for a publication, after which the schedule leaves the target alone for a while."""
        before = self._timeline.published(target)
        yield from self._until(lambda: self._timeline.published(target) is not before)

    def _until(self, condition: Callable[[], object]) -> Iterator[None]:
        while not condition():
            yield

    def _username(self, target: str) -> str:
        record = self._timeline.published(target)
        return record.fact("username") if record else ""

    def _show(self, target: str, event: str, detail: str) -> None:
        self._show_entry(TimelineEntry(self._elapsed(), target, event, detail, LineStyle.DEMO))
