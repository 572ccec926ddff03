"""Several processes on one harness, stepped one boundary at a time in an order that the test chooses. Deterministic.

Each process is a thread, but only one ever runs: it stops at each boundary between two effects and waits for its turn.
"""

from collections.abc import Callable
from datetime import timedelta
from threading import Semaphore, Thread, local

from engine_harness import EngineHarness

from rotator.core.answers import Answer
from rotator.core.model import Credential, Ending, LedgerEntry, TargetState
from rotator.testing import Crash, CrashPoints

_PATIENCE = 120.0  # seconds for one step; a step that takes longer hangs
_LONGEST_CALL = timedelta(seconds=20)  # of the fake provider: no call lasts longer, whatever the interleaving
_here = local()


class Process:
    """One process: runs between two boundaries when it is told to."""

    def __init__(self, run: Callable[[], object]) -> None:
        self._run = run
        self._go, self._back = Semaphore(0), Semaphore(0)
        self._killed = False
        self.ended = False
        self.error: BaseException | None = None
        self.label = "start"
        self.paused_for = timedelta()
        self._thread = Thread(target=self._main, daemon=True)
        self._thread.start()

    def step(self) -> None:
        """Goes on to the next boundary, or to the end."""
        self.paused_for = timedelta()
        self._go.release()
        assert self._back.acquire(timeout=_PATIENCE), f"hangs after {self.label}"
        if self.error is not None:
            raise self.error

    def kill(self) -> None:
        """Ends at the boundary where it waits."""
        if not self.ended:
            self._killed = True
            self.step()

    def pause(self, label: str) -> None:
        """Called on the process's own thread, at a boundary."""
        self.label = label
        self._back.release()
        self._go.acquire()
        if self._killed:
            raise Crash(label)

    @property
    def calling(self) -> bool:
        """True while a request to the provider is on its way: whatever is no write to Vault."""
        return self.label.startswith("before ") and not self.label.startswith("before write")

    def _main(self) -> None:
        _here.process = self
        self._go.acquire()
        try:
            if not self._killed:
                self._run()
        except Crash:
            pass
        except BaseException as error:  # noqa: BLE001  # raised again by `step`, on the test's thread
            self.error = error
        finally:
            self.ended = True
            self._back.release()


class Turns(CrashPoints):
    """Boundaries at which processes wait for their turn."""

    def reach(self, label: str) -> None:
        """A boundary."""
        super().reach(label)
        process = getattr(_here, "process", None)
        if process is not None:
            process.pause(label)


class Interleaving:
    """Processes on one harness and the order in which they run."""

    def __init__(self, harness: EngineHarness, watch: Callable[[str], None]) -> None:
        self.harness = harness
        self.turns = harness.store.points = harness.provider.points = Turns(watch=watch)
        self.processes: list[Process] = []

    def start(self, run: Callable[[], object]) -> Process:
        """A further process."""
        process = Process(run)
        self.processes.append(process)
        return process

    def pass_time(self, span: timedelta) -> None:
        """Time passes, unless a request to the provider would last longer than any does."""
        calling = [process for process in self.processes if not process.ended and process.calling]
        if all(process.paused_for + span <= _LONGEST_CALL for process in calling):
            for process in calling:
                process.paused_for += span
            self.harness.clock.advance(span)

    def finish(self) -> None:
        """All run to their ends, in turns; afterwards nobody waits any more."""
        while any(not process.ended for process in self.processes):
            for process in self.processes:
                if not process.ended:
                    process.step()

    def end(self) -> None:
        """Ends whoever still waits, after a failure as well."""
        for process in self.processes:
            if not process.ended:
                process.kill()


class BoundaryInvariants:
    """What must hold at every boundary (design, section 6), whoever runs.

    Where clocks differ by `apart`, an overlap that one process stamps may seem shorter to another by as much.
    """

    def __init__(self, harness: EngineHarness, *, overlapping: bool, apart: timedelta = timedelta()) -> None:
        self.harness, self.overlapping, self._apart = harness, overlapping, apart
        self._staged: dict[str, object] = {}
        self._open: str | None = None
        self._guard("_disable")
        self._guard("_delete")

    def __call__(self, label: str) -> None:
        harness = self.harness
        harness.provider.pass_time(harness.clock.now())
        state = harness.store.states[harness.target.name].state if harness.store.states else None
        consumer = harness.store.consumers.get(harness.target.path)
        attempt = state.attempt if state else None
        if consumer is not None:
            published = harness.provider.accepts(consumer.username, consumer.password)
            staged = attempt is not None and harness.provider.accepts(attempt.staged.username, attempt.staged.password)
            assert published or (staged and not self.overlapping), f"nothing in Vault is accepted, {label}"
        self._one_attempt(state, label)
        for entry in state.ledger if state else ():
            reused = (
                attempt is not None and attempt.compromised and attempt.staged.username == entry.credential.username
            )
            if not reused:  # an emergency does not wait for the idle one's overlap
                self._overlap_holds(entry, label)

    def _one_attempt(self, state: TargetState | None, label: str) -> None:
        attempt = state.attempt if state else None
        if attempt is not None:
            assert self._open in (None, attempt.id), f"an open attempt was replaced, {label}"
            if attempt.staged.password is not None:
                known = self._staged.setdefault(attempt.id, attempt.staged.password)
                assert known == attempt.staged.password, f"the staged password was replaced, {label}"
        self._open = attempt.id if attempt else None

    def _overlap_holds(self, entry: LedgerEntry, label: str) -> None:
        known = entry.credential.password is not None and entry.ending is not Ending.FORGET
        if known and not entry.disabled and entry.disable_at > self.harness.clock.now() + self._apart:
            credential = entry.credential
            assert self.harness.provider.accepts(credential.username, credential.password), f"cut off, {label}"

    def _guard(self, name: str) -> None:
        original: Callable[[Credential], Answer[None]] = getattr(self.harness.provider, name)

        def guarded(credential: Credential) -> Answer[None]:
            state, consumer = self.harness.state, self.harness.store.consumers[self.harness.target.path]
            assert state.published is not None
            assert credential.id not in (consumer.credential_id, state.published.id), f"{name} of what is published"
            named = [entry.credential for entry in state.ledger]
            stray = any(one.id is None and one.attempt and one.attempt == credential.attempt for one in named)
            assert stray or any(one.id == credential.id for one in named), f"{name} of what the ledger does not name"
            return original(credential)

        setattr(self.harness.provider, name, guarded)
