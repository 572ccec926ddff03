"""A command and daemons on an `EngineHarness`: processes on one store, whose time is the harness's."""

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from threading import Event
from types import SimpleNamespace
from typing import Any

from engine_harness import EngineHarness

from rotator.cli.options import Output
from rotator.cli.printing import console
from rotator.cli.rotate import Acting, HowToAct, StateRelay
from rotator.core.bell import Ringing
from rotator.core.model import Purpose, Request, Target, TargetState
from rotator.core.processes import RENEWED_EVERY, Role
from rotator.engine import PauseBook, Presence, ring_bell


class CommandOnHarness:
    """A process that runs `rotate` or `undo`. It has the parts of a `CommandContext` that these use."""

    def __init__(self, harness: EngineHarness, holder: str = "command") -> None:
        self.harness, self.stop = harness, Event()
        self.seen_states: list[TargetState] = []
        self.composition = SimpleNamespace(clock=harness.clock, holder=holder)
        self.components = SimpleNamespace(
            engine=harness.engine(),
            store=harness.store,
            settings=SimpleNamespace(daemon=SimpleNamespace(claim=harness.limits.claim)),
            capabilities={"fake": harness.provider.capabilities},
            presence=Presence(harness.store, harness.clock, holder, Role.COMMAND),
            pauses=PauseBook(harness.store, harness.clock),
        )

    def seen(self, target: Target, state: TargetState) -> None:
        self.seen_states.append(state)

    def each(self, work: Callable[[Any], Any], items: Sequence[Any]) -> list[Any]:
        return [work(item) for item in items]

    def run(
        self,
        targets: Sequence[Target],
        purpose: Purpose = Purpose.ROTATE,
        how: HowToAct | None = None,
        output: Output = Output.JSON,
        **flags: Any,
    ) -> int:
        """Runs the command and returns its exit code."""
        request = Request(purpose, "cli:me", "because", self.harness.clock.now(), **flags)
        context: Any = self
        acting = Acting(context, console(sys.stderr), StateRelay(), request, how or HowToAct())
        return int(acting.act(targets, output))


class HarnessDaemon:
    """A daemon that looks at each target for which the bell rings, and says so."""

    def __init__(self, harness: EngineHarness, targets: Sequence[Target], *, at_once: int = 1000) -> None:
        self.harness, self.engine = harness, harness.engine()
        self.targets = {target.name: target for target in targets}
        self.holder = f"daemon-{harness.processes}"
        self.presence = Presence(harness.store, harness.clock, self.holder, Role.DAEMON)
        self.wanted: dict[str, None] = {}
        self.heard, self.at_once, self.silent, self.looks = harness.store.bell.number, at_once, False, 0
        self._exit = ExitStack()

    @contextmanager
    def running(self) -> Iterator["HarnessDaemon"]:
        with self._exit:
            self.presence.renew()
            self._exit.enter_context(self.harness.clock.repeat(RENEWED_EVERY, self._renew))
            self._exit.enter_context(self.harness.clock.repeat(timedelta(seconds=2), self._work))
            yield self

    def die(self) -> None:
        """Ends it, as SIGKILL does."""
        self._exit.close()

    def _renew(self) -> bool:
        self.presence.renew()
        return True

    def _work(self) -> bool:
        bell = self.harness.store.read_bell()
        rung = bell.rung_since(self.heard, (Ringing.ASKED, Ringing.EMERGENCY))
        self.wanted |= dict.fromkeys(sorted(rung & self.targets.keys()))
        self.heard = bell.number
        now = list(self.wanted)[: self.at_once]
        for name in now:
            self.looks += 1
            look = self.engine.look(self.targets[name])
            if look.state is not None and look.state.request is None and look.state.attempt is None:
                del self.wanted[name]
        if now and not self.silent:
            ring_bell(self.harness.store, self.harness.clock, self.holder, now, Ringing.CHANGED)
        return True
