"""What a command works with: the configuration's parts, its targets, threads, and a stop by Ctrl-C."""

import os
import signal
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from types import FrameType
from typing import TypeVar

from rotator.cli.exits import Exit, Interrupted, Refused
from rotator.core.model import Target, TargetState
from rotator.daemon.root import Parts, Root
from rotator.fields.suggestions import suggest
from rotator.ports import StoreError

T = TypeVar("T")
R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Workplace:
    """An open configuration whose Vault was found usable."""

    root: Root
    parts: Parts
    stop: Event

    def each(self, work: Callable[[T], R], items: Sequence[T]) -> list[R]:
        """What `work` gives for each item, in order, on as many threads as the configuration allows."""
        with ThreadPoolExecutor(self.parts.settings.daemon.workers) as pool:
            return list(pool.map(work, items))

    def read_each(self, work: Callable[[T], R], items: Sequence[T]) -> list[R]:
        """The same for work that only reads: Ctrl-C ends it.

        Raises:
            Interrupted: there is no result.
        """
        return self.each(lambda item: self._unless_stopped(work, item), items)

    def _unless_stopped(self, work: Callable[[T], R], item: T) -> R:
        if self.stop.is_set():
            raise Interrupted
        return work(item)


@contextmanager
def opened(
    config: Path, *, read_only: bool = False, seen: Callable[[Target, TargetState], None] | None = None
) -> Iterator[Workplace]:
    """Opens the configuration, and looks whether Vault can be used.

    Args:
        read_only: nothing is sent to a provider but GET, and nothing is written to Vault.
        seen: is told every state that is read or written.

    Raises:
        ConfigError: the configuration cannot be used.
        StoreError: Vault cannot be used.
    """
    stop = Event()
    with _interruptible(stop), Root(config, os.environ, stop, read_only=read_only, quiet=True) as root:

        def learn(target: Target, state: TargetState) -> None:
            root.redactor.learn(state)
            if seen is not None:
                seen(target, state)

        parts = root.assemble(root.settings, seen=learn)
        try:
            _check(parts, stop)
            yield Workplace(root, parts, stop)
        finally:
            parts.close()


def _check(parts: Parts, stop: Event) -> None:
    try:
        parts.store.check()
    except StoreError:
        if stop.is_set():
            raise Interrupted from None
        raise


@contextmanager
def _interruptible(stop: Event) -> Iterator[None]:
    """The first SIGINT or SIGTERM sets `stop`, so that the current step ends well; a second one ends the process."""

    def handle(_number: int, _frame: FrameType | None) -> None:
        if stop.is_set():
            os._exit(Exit.STOPPED)
        stop.set()

    former = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)


def chosen(targets: Iterable[Target], names: Sequence[str] | None) -> tuple[Target, ...]:
    """The targets of those names, each once; all where no name is given.

    Raises:
        Refused: there is no target of a name.
    """
    known = {target.name: target for target in targets}
    wanted = list(dict.fromkeys(names or known))
    unknown = [name for name in wanted if name not in known]
    if unknown:
        lines = [f"there is no target {name!r}: {suggest(name, known, 'targets')}" for name in unknown]
        raise Refused("\n".join(lines), Exit.USAGE)
    return tuple(known[name] for name in wanted)
