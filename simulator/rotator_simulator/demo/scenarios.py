"""The scenes that the demo plays: each one waits for its moment, does something, and waits to see what comes of it."""

import shlex
import subprocess
from collections.abc import Callable, Iterator

from rotator_simulator.account import Account
from rotator_simulator.demo.environment import Site
from rotator_simulator.demo.evidence import EVER
from rotator_simulator.demo.processes import DaemonProcess, Operator
from rotator_simulator.demo.report import Outcome
from rotator_simulator.demo.timeline import Line, Story, Tone

Scene = Callable[[], Iterator[None]]
_SIGNAL = "SIGUSR1"


class Script:
    """Plays all scenes side by side. `step` is called again and again by one thread."""

    def __init__(
        self,
        site: Site,
        story: Story,
        daemon: DaemonProcess,
        operator: Operator,
        elapsed: Callable[[], float],
        tell: Callable[[Line], None],
    ) -> None:
        """Sets the scene; `elapsed` is the demo's time in seconds, `tell` shows a line."""
        self._site, self._story, self._daemon, self._operator = site, story, daemon, operator
        self._elapsed, self._tell_line = elapsed, tell
        self._shown: list[str] = []
        self._problems: list[str] = []
        scenes: dict[str, Scene] = {
            "a rotation on demand": self._on_demand,
            "a deletion that waits for a call": self._active_call,
            "an answer that is lost": self._lost_answer,
            "an emergency": self._emergency,
            "an undo": self._undo,
        }
        self._playing = {name: scene() for name, scene in scenes.items()}

    def step(self) -> None:
        """Goes on with every scene that can go on."""
        for name, scene in list(self._playing.items()):
            try:
                next(scene)
            except StopIteration:
                del self._playing[name]

    def outcome(self) -> Outcome:
        """What became of them until now."""
        return Outcome(tuple(self._shown), tuple(self._playing), tuple(self._problems))

    def _on_demand(self) -> Iterator[None]:
        yield from self._at(6)
        self._tell("", _SIGNAL, "rotate everything now: kill -USR1 the daemon")
        self._daemon.rotate_now()
        wanted = {role.name for row in self._site.rows for role in row.roles}
        done: set[str] = set()
        while not wanted <= done:
            yield
            done = {record.target for record in self._story.found("close", "done", requested_by=_SIGNAL)}
        self._shown.append(f"{_SIGNAL} rotated all {len(wanted)} targets at once, each with its reason in the audit")

    def _active_call(self) -> Iterator[None]:
        yield from self._at(4)
        account, username = self._account("office-phone"), self._username("office-phone")
        call = account.start_call(account.named(username).id)
        self._tell("office-phone", "call begins", f"it holds {username}, which therefore cannot be deleted")
        yield from self._until(lambda: len(self._story.found("delete", "retry", username=username)) >= 2)
        account.end_call(call)
        self._tell("office-phone", "call ends", f"{username} can be deleted now")
        yield from self._until(lambda: bool(self._story.found("delete", "done", username=username)))
        refusals = len(self._story.found("delete", "retry", username=username))
        self._shown.append(f"a deletion was refused {refusals} times (409) while a call was active, and done after it")

    def _lost_answer(self) -> Iterator[None]:
        yield from self._at(12)
        plan = self._site.sandbox.faults.plan("lost-answer", verb="create", account=self._account("office-phone").name)
        self._tell("", "fault", "the next create at Vobiz will be carried out, and its answer lost")
        yield from self._until(lambda: plan.fired > 0 and bool(self._story.found("create", "unknown")))
        lost = self._story.found("create", "unknown")[0]
        attempt, username = lost.fact("attempt"), lost.fact("username")
        yield from self._until(lambda: bool(self._story.found("close", "done", attempt=attempt)))
        accepted = len(self._account(lost.target).judge(username, EVER).passwords)
        if accepted != 1:
            self._problems.append(f"{username} had {accepted} passwords although the same one was to be sent again")
        self._shown.append(f"an answer was lost: {username} was found again, and was only ever given one password")

    def _emergency(self) -> Iterator[None]:
        yield from self._at(14)
        name = next(role.name for row in self._site.rows for role in row.roles if role.emergency)
        yield from self._rotated(name)
        username = self._username(name)
        yield from self._command("rotate", name, "--compromised", "--reason", "a phone was stolen")
        yield from self._until(lambda: bool(self._story.found("delete", "done", username=username)))
        published = self._story.published(name)
        retired = self._story.found("delete", "done", username=username)[0]
        seconds = (retired.at - published.at).total_seconds() if published else 0.0
        self._shown.append(f"emergency: {username} was disabled and deleted {seconds:.1f} s after its successor came")

    def _undo(self) -> Iterator[None]:
        yield from self._at(20)
        first = self._username("contact-centre")
        yield from self._rotated("contact-centre")
        second = self._username("contact-centre")
        yield from self._command("undo", "contact-centre")
        yield from self._until(lambda: self._username("contact-centre") == first)
        self._shown.append(f"undo: {first} is published again instead of {second}")

    def _command(self, *words: str) -> Iterator[None]:
        self._tell(words[1], "operator", shlex.join(["rotator", *words]))
        process: subprocess.Popen[bytes] = self._operator.begin(*words)
        yield from self._until(lambda: process.poll() is not None)
        if process.returncode:
            self._problems.append(f"rotator {words[0]} {words[1]} ended with exit code {process.returncode}")

    def _at(self, seconds: float) -> Iterator[None]:
        """Waits for a moment, and until every target was rotated once."""
        names = [role.name for row in self._site.rows for role in row.roles]
        yield from self._until(lambda: self._elapsed() >= seconds and all(map(self._story.published, names)))

    def _rotated(self, target: str) -> Iterator[None]:
        """Waits for a publication: the schedule then leaves the target alone for a while."""
        before = self._story.published(target)
        yield from self._until(lambda: self._story.published(target) is not before)

    def _until(self, reached: Callable[[], bool]) -> Iterator[None]:
        while not reached():
            yield

    def _username(self, target: str) -> str:
        record = self._story.published(target)
        return record.fact("username") if record else ""

    def _account(self, target: str) -> Account:
        row = next(row for row in self._site.rows if any(role.name == target for role in row.roles))
        return self._site.accounts[row.login]

    def _tell(self, who: str, what: str, detail: str) -> None:
        self._tell_line(Line(self._elapsed(), who, what, detail, Tone.SCENE))
