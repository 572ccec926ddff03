"""Opens a configuration for a command: Vault, providers, targets, threads, and Ctrl-C."""

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Event, Thread
from typing import TypeVar

from rotator.cli.error_document import stop_at_once
from rotator.cli.exits import Interrupted
from rotator.cli.options import Why
from rotator.cli.printing import say
from rotator.core.model import Target, TargetState
from rotator.core.origin import Origin
from rotator.daemon.components import Components
from rotator.daemon.composition import Composition
from rotator.daemon.signals import interruptible
from rotator.ports import StoreError
from rotator.settings import ON_DISK, Draft, Settings
from rotator.settings.vault import RemoteVaultSettings

T = TypeVar("T")
R = TypeVar("R")
_A_MOMENT = 1.0  # seconds
_LONG = 6.0  # seconds, after which a person wants to know what the command waits for
_GLANCE = 0.2  # seconds between two looks whether Ctrl-C was pressed
_SEND_WITHIN = 3.0  # seconds for the audit's receivers at the end of a command


@dataclass(frozen=True, slots=True)
class CommandContext:
    """An open configuration whose Vault is usable."""

    composition: Composition
    components: Components
    stop: Event
    seen: Callable[[Target, TargetState], None]  # is told of every state that is read or written

    def origin(self, why: Why) -> Origin:
        """Returns who asks for what this command does: what Vault knows, and what the caller says."""
        return Origin(self.composition.asked_by, why.reason, why.stated)

    def each(self, work: Callable[[T], R], items: Sequence[T]) -> list[R]:
        """Returns the results of `work` in order, on as many threads as the configuration allows."""
        with ThreadPoolExecutor(self.components.settings.daemon.workers) as pool:
            return list(pool.map(work, items))

    def read_each(self, work: Callable[[T], R], items: Sequence[T]) -> list[R]:
        """Does the same for work that only reads, and that Ctrl-C may interrupt.

        Raises:
            Interrupted: Ctrl-C was pressed.
        """
        return self.each(lambda item: self._unless_stopped(work, item), items)

    def _unless_stopped(self, work: Callable[[T], R], item: T) -> R:
        if self.stop.is_set():
            raise Interrupted
        try:
            done = work(item)
        except StoreError:
            if self.stop.is_set():
                raise Interrupted from None
            raise
        if self.stop.is_set():  # what nobody waited for any more looks as if the provider had not answered
            raise Interrupted
        return done


@contextmanager
def open_context(
    config: Path,
    *,
    read_only: bool = False,
    gets_only: bool = False,
    prints_file: bool = False,
    seen: Callable[[Target, TargetState], None] | None = None,
    draft: Draft = ON_DISK,
) -> Iterator[CommandContext]:
    """Opens the configuration and checks that Vault is usable.

    Args:
        read_only: send only GET to providers, and write nothing to Vault.
        gets_only: send only GET to providers.
        prints_file: the bytes of the result count, so nothing that Vault has taken is written beside them.
        seen: receives every state that is read or written.
        draft: what stands in for files that are not written yet.

    Raises:
        ConfigError: the configuration is invalid.
        StoreError: Vault is unusable.
    """
    stop = Event()
    with (
        interruptible(stop, again=stop_at_once),
        _told_of_stopping(stop),
        Composition(
            config,
            os.environ,
            stop,
            read_only=read_only,
            gets_only=gets_only,
            quiet=True,
            prints_file=prints_file,
            draft=draft,
        ) as composition,
    ):

        def learn(target: Target, state: TargetState) -> None:
            composition.redactor.learn(state)
            if seen is not None:
                seen(target, state)

        with _told_of_waiting(composition.settings):
            components = composition.assemble(composition.settings, seen=learn)
        try:
            with _told_of_waiting(composition.settings):
                _check(composition, components, stop)
            yield CommandContext(composition, components, stop, learn)
        finally:
            composition.audit.finish(_SEND_WITHIN)
            components.close()


def _told_of_stopping(stop: Event) -> AbstractContextManager[None]:
    """Tells whoever presses Ctrl-C, while a step takes longer than a moment, that it was noticed."""

    def tell(over: Event) -> None:
        while not stop.is_set():
            if over.wait(_GLANCE):
                return
        if not over.wait(_A_MOMENT):
            say("stopping after the present step; Ctrl-C again stops at once. A rotation that has begun goes on later")

    return _beside(tell)


def _told_of_waiting(settings: Settings) -> AbstractContextManager[None]:
    """Tells who waits for a Vault that does not answer what the command waits for."""
    vault = settings.vault

    def tell(over: Event) -> None:
        if not over.wait(_LONG):
            where = vault.address if isinstance(vault, RemoteVaultSettings) else "the embedded Vault"
            say(f"waiting for {where} to answer; Ctrl-C stops")

    return _beside(tell)


@contextmanager
def _beside(tell: Callable[[Event], None]) -> Iterator[None]:
    """Runs `tell` beside the block. What it gets is set when the block is over."""
    over = Event()
    watch = Thread(target=tell, args=(over,), name="telling", daemon=True)
    watch.start()
    try:
        yield
    finally:
        over.set()
        watch.join()


def _check(composition: Composition, components: Components, stop: Event) -> None:
    try:
        composition.check(components)
    except StoreError:
        if stop.is_set():
            raise Interrupted from None
        raise
