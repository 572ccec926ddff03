"""Mutation run over core and engine: one token at a time is changed, and for each change a test has to fail.

.venv/bin/python tests/mutation.py          a sample, the same for the same code; .ci/run does this
.venv/bin/python tests/mutation.py --all    every mutant

mutmut says what can be changed. The tests are collected once, and run once in forks of this process, to see that they
pass and which of them run which lines. Then a fork for each mutant puts the changed code into its function and runs the
tests that reach it, the fastest first, until one fails: no mutant pays for a start of pytest, or for a collection.
"""

import gc
import math
import os
import pickle
import resource
import signal
import sys
import time
import traceback
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from multiprocessing import Pool
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeVar

import pytest
from coverage import Coverage
from mutmut.configuration import config

sys.path.insert(0, str(Path(__file__).with_name("support")))

from changed_functions import ChangedFunction, mutants_of, put_in_place

T = TypeVar("T")

_ROOT = Path(__file__).parents[1]
_MARK = 0.95
_PATIENCE = 20.0  # seconds of CPU, beside ten times what the tests took unchanged; by the clock three times as long
_SHARES = 4 * (os.cpu_count() or 1)  # of the tests, for the first run: more than processors, as some take long
_DONE, _NOTICED, _BROKEN = 0, 1, 2  # the exit codes of forks


@dataclass(frozen=True)
class Reached:
    """What some tests do without a mutant."""

    failed: list[str]
    seconds: dict[str, float]  # of CPU, of each test
    tests: dict[str, dict[int, list[str]]]  # that run a line of a file


class MutationRun:
    """A plugin of pytest that runs what was collected in forks: once as the code is, then for each mutant."""

    def __init__(self, mutants: list[ChangedFunction]) -> None:
        self.mutants = mutants
        self.alive: list[ChangedFunction] = []
        self.trouble: list[str] = []
        self._seconds: dict[str, float] = {}
        self._tests: dict[str, dict[int, set[str]]] = defaultdict(lambda: defaultdict(set))

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Takes the place of the loop of pytest: this process runs no test, so each fork begins as the others do."""
        session.config.pluginmanager.unregister(name="terminalreporter")
        gc.collect()
        gc.freeze()  # the forks share what is here
        with TemporaryDirectory() as folder:
            self._run_unchanged(session.items, Path(folder))
        if not self.trouble:
            self._try_mutants({item.nodeid: item for item in session.items})
        return True

    def _run_unchanged(self, items: list[pytest.Item], folder: Path) -> None:
        shares = {folder / str(number): items[number::_SHARES] for number in range(_SHARES)}
        work = {file: partial(_observe, share, file) for file, share in shares.items()}
        for file, code in _in_forks((file, work[file], 0) for file in shares):
            if code != _DONE:
                self.trouble.append("the tests cannot be run")
                continue
            reached: Reached = pickle.loads(file.read_bytes())
            self.trouble += [f"fails without a mutant: {name}" for name in reached.failed]
            self._seconds |= reached.seconds
            for name, lines in reached.tests.items():
                for line, tests in lines.items():
                    self._tests[name][line].update(tests)

    def _try_mutants(self, items: dict[str, pytest.Item]) -> None:
        """Those that a signal ended had run into a limit, or crashed: that was noticed, too."""
        for mutant, code in _in_forks(self._tries(items)):
            if code == _BROKEN:
                self.trouble.append(f"cannot be put in place: {mutant}")
            elif code == _DONE:
                self.alive.append(mutant)

    def _tries(self, items: dict[str, pytest.Item]) -> Iterator[tuple[ChangedFunction, Callable[[], object], int]]:
        for mutant in self.mutants:
            names = sorted(self._reaching(mutant), key=lambda name: (self._seconds[name], name))
            seconds = math.ceil(_PATIENCE + 10 * sum(self._seconds[name] for name in names))
            yield mutant, partial(_is_noticed, mutant, [items[name] for name in names]), seconds

    def _reaching(self, mutant: ChangedFunction) -> set[str]:
        """The tests that run the changed lines, or any line of the function if those have no code of their own."""
        of_file = self._tests[str(_ROOT / mutant.path)]
        for lines in (mutant.lines, mutant.all_lines):
            if found := set[str]().union(*(of_file.get(line, ()) for line in lines)):
                return found
        return set()


def _in_forks(jobs: Iterable[tuple[T, Callable[[], object], int]]) -> Iterator[tuple[T, int]]:
    """Does each job in a process of its own, as many at once as there are processors; yields which ended, and how."""
    running: dict[int, T] = {}
    for name, work, seconds in jobs:
        if len(running) == os.cpu_count():
            yield _ended(running)
        running[_fork(work, seconds)] = name
    while running:
        yield _ended(running)


def _ended(running: dict[int, T]) -> tuple[T, int]:
    while True:
        process, status = os.wait()
        if process in running:  # and not one that a test left behind
            return running.pop(process), os.waitstatus_to_exitcode(status)


def _fork(work: Callable[[], object], seconds: int = 0) -> int:
    """Starts a process that does this work, and returns its id. Its exit code is _NOTICED if `work` returns true.

    It ends after so many seconds of CPU, or three times as many by the clock, if any are given.
    """
    if process := os.fork():
        return process
    code = _BROKEN
    try:
        if seconds:
            resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
            signal.alarm(3 * seconds)
        code = _NOTICED if work() is True else _DONE
    except BaseException:  # noqa: BLE001, whatever it is: this process has to end here
        traceback.print_exc()
    finally:
        os._exit(code)


def _failures(items: list[pytest.Item]) -> Iterator[str]:
    """Runs the tests, and yields the name of each that fails."""
    for item, following in zip(items, [*items[1:], None], strict=False):  # none follows the last
        before = item.session.testsfailed
        item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
        if item.session.testsfailed > before:
            yield item.nodeid


def _is_noticed(mutant: ChangedFunction, items: list[pytest.Item]) -> bool:
    put_in_place(mutant)
    return any(_failures(items))


def _observe(items: list[pytest.Item], file: Path) -> None:
    """Runs the tests, and writes down of each how long it takes and which lines it runs."""
    coverage = Coverage(data_file=None, config_file=False, include=["*/rotator/core/*", "*/rotator/engine/*"])
    failed, seconds = list[str](), dict[str, float]()
    with coverage.collect():
        for item in items:
            coverage.switch_context(item.nodeid)
            began = time.process_time()
            failed += _failures([item])
            seconds[item.nodeid] = time.process_time() - began
    data = coverage.get_data()
    tests = {measured: data.contexts_by_lineno(measured) for measured in data.measured_files()}
    file.write_bytes(pickle.dumps(Reached(failed, seconds, tests)))


def main() -> None:
    """Runs the mutants, prints those that no test noticed, and fails if they are too many."""
    os.chdir(_ROOT)
    paths = sorted(path for path in Path("rotator").rglob("*.py") if config().should_mutate(path))
    with Pool() as pool:
        found = pool.map(partial(mutants_of, every="--all" in sys.argv[1:]), paths, chunksize=1)
    run = MutationRun([mutant for mutants in found for mutant in mutants])
    tests = config().pytest_add_cli_args_test_selection
    if pytest.main(["-q", "-n0", "--timeout=0", *tests], plugins=[run]) or run.trouble:
        sys.exit("\n".join(["", *run.trouble, "the mutants could not be tried"]))
    for mutant in run.alive:
        print(f"\n{mutant}")
    killed = 1 - len(run.alive) / len(run.mutants)
    print(f"{len(run.mutants)} mutants, {len(run.alive)} alive: {killed:.1%} killed, {_MARK:.0%} wanted")
    sys.exit(killed < _MARK)


if __name__ == "__main__":
    main()
