"""Opens a configuration for a command: Vault, providers, targets, threads, and a stop by Ctrl-C."""

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from typing import TypeVar

from rotator.cli.exits import Exit, Interrupted, Refused
from rotator.core.model import Target, TargetState
from rotator.daemon.composition import Components, Composition
from rotator.daemon.signals import interruptible
from rotator.fields.suggestions import suggest
from rotator.ports import StoreError

T = TypeVar("T")
R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Workplace:
    """An open configuration whose Vault is usable."""

    root: Composition
    parts: Components
    stop: Event

    def each(self, work: Callable[[T], R], items: Sequence[T]) -> list[R]:
        """Returns the results of `work` in order, on as many threads as the configuration allows."""
        with ThreadPoolExecutor(self.parts.settings.daemon.workers) as pool:
            return list(pool.map(work, items))

    def read_each(self, work: Callable[[T], R], items: Sequence[T]) -> list[R]:
        """Does the same for work that only reads and may be interrupted.

        Raises:
            Interrupted: Ctrl-C was pressed.
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
    """Opens the configuration and checks that Vault is usable.

    Args:
        read_only: only GET is sent to providers, and nothing is written to Vault.
        seen: receives every state that is read or written.

    Raises:
        ConfigError: the configuration is invalid.
        StoreError: Vault is unusable.
    """
    stop = Event()
    with (
        interruptible(stop, again=lambda: os._exit(Exit.STOPPED)),
        Composition(config, os.environ, stop, read_only=read_only, quiet=True) as root,
    ):

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


def _check(parts: Components, stop: Event) -> None:
    try:
        parts.store.check()
    except StoreError:
        if stop.is_set():
            raise Interrupted from None
        raise


def chosen(targets: Iterable[Target], names: Sequence[str] | None) -> tuple[Target, ...]:
    """Returns the targets of those names, each once, or all targets if no name is given.

    Raises:
        Refused: a name is unknown.
    """
    known = {target.name: target for target in targets}
    wanted = list(dict.fromkeys(names or known))
    unknown = [name for name in wanted if name not in known]
    if unknown:
        lines = [f"there is no target {name!r}: {suggest(name, known, 'targets')}" for name in unknown]
        raise Refused("\n".join(lines), Exit.USAGE)
    return tuple(known[name] for name in wanted)
