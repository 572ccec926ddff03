"""The default run is the same each time. `--long` explores: other examples each time, and more of everything.

    pytest --long                          the seed is drawn, and printed at the end
    pytest --long --hypothesis-seed=1234   the same run again

What a long run finds becomes a fixed example of the test, so that the default run meets it as well.
"""

import os
import random
import resource
import signal
from collections.abc import Generator, Iterator
from itertools import islice
from pathlib import Path

import pytest
from coverage import Coverage
from hypothesis import HealthCheck, settings
from hypothesis.internal.conjecture import providers
from openbao_server import Bao, running_bao

_LONGEST = 3600  # seconds that one test of a long run may take
_TESTS = Path(__file__).parent
# Under each fault, in each order, with each answer: the unit tests run the same lines.
_REPEATS = (_TESTS / "conformance", _TESTS / "proof", _TESTS / "properties")
# Here the processes that tests start are measured, too: elsewhere they run the same lines, and take half as long again.
_PROCESSES = (
    _TESTS / "integration" / "cli",
    _TESTS / "integration" / "daemon",
    _TESTS / "integration" / "test_notifications.py",
    _TESTS / "unit" / "test_cli_init.py",
)
_LENGTHY = (_TESTS / "proof", _TESTS / "integration")  # they wait for processes, or take long to compute

# A deadline, a database or a check of the speed gives another verdict on a busy machine or in another clone.
_SAME = settings(
    database=None,
    deadline=None,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
settings.register_profile("fixed", _SAME, derandomize=True)
settings.register_profile("long", _SAME, derandomize=False, max_examples=1000)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--long", action="store_true", default=False, help="explore: random examples, and more of them")


@pytest.hookimpl(tryfirst=True)  # before Hypothesis reads its seed, and before the test modules read the profile
def pytest_configure(config: pytest.Config) -> None:
    if (
        signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    ):  # in the background of a script; commands would leave it alone
        signal.signal(signal.SIGINT, signal.default_int_handler)
    settings.load_profile("long" if config.option.long else "fixed")
    if not config.option.long:
        # Hypothesis draws constants from the modules imported so far; the order of the tests would change the examples.
        pytest.MonkeyPatch().setattr(providers, "is_local_module_file", lambda _: False)
    elif config.option.hypothesis_seed is None:
        config.option.hypothesis_seed = random.SystemRandom().randrange(10**9)  # pytest-xdist hands it to its workers


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.option.long:
        for item in items:
            item.add_marker(pytest.mark.timeout(_LONGEST), append=False)
    else:
        left_out = {item for item in items if item.get_closest_marker("long")}
        config.hook.pytest_deselected(items=list(left_out))
        items[:] = [item for item in items if item not in left_out]
    items[:] = _dealt(items, int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1")))


def _dealt(items: list[pytest.Item], workers: int) -> list[pytest.Item]:
    """The order for so many workers: each begins with its part of what is lengthy, and goes on with what is quick.

    Of the tests in this order, xdist gives each worker an equal share, one after the other. Whoever is done takes from
    the end of another one's: by then only quick tests are left, and nobody waits long for the last of them.
    """
    files = list(dict.fromkeys(item.path for item in items if _is_in(_LENGTHY, item)))
    quick = iter([item for item in items if not _is_in(_LENGTHY, item)])
    dealt: list[pytest.Item] = []
    for worker in range(workers):
        share = (len(items) - len(dealt)) // (workers - worker)
        mine = set(files[worker::workers])
        lengthy = [item for item in items if item.path in mine]
        dealt += [*lengthy, *islice(quick, max(0, share - len(lengthy)))]
    return [*dealt, *quick]


def _is_in(places: tuple[Path, ...], item: pytest.Item) -> bool:
    return any(item.path.is_relative_to(place) for place in places)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """If the same lines run thousands of times, no coverage is measured: it takes more time than they do.

    tests/mutation.py measures for itself which tests reach a line, and these reach it as well as others.
    """
    measuring = Coverage.current() if "COVERAGE_PROCESS_START" in os.environ else None
    if measuring is None:
        return (yield)
    unmeasured = _is_in(_REPEATS, item) or any(map(item.get_closest_marker, ("hypothesis", "unmeasured")))
    with pytest.MonkeyPatch.context() as patch:
        if unmeasured or not _is_in(_PROCESSES, item):
            patch.delenv("COVERAGE_PROCESS_START")
        if not unmeasured:
            return (yield)
        measuring.stop()
        try:
            return (yield)
        finally:
            measuring.start()


def pytest_sessionfinish() -> None:
    """Saves what was measured before the worker says that it is done: xdist kills one that takes long to exit."""
    measuring = Coverage.current()
    if measuring is not None:
        measuring.stop()
        measuring.save()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if terminalreporter.config.option.long:
        seed = terminalreporter.config.option.hypothesis_seed
        terminalreporter.line(f"to run this again: pytest --long --hypothesis-seed={seed}")


@pytest.fixture(scope="session", autouse=True)
def _core_limit_of_the_tests() -> Iterator[None]:
    """A command that runs within the tests' process lowers its limit for good, also for all that later tests start."""
    change = resource.setrlimit

    def changed(which: int, limits: tuple[int, int]) -> None:
        if which != resource.RLIMIT_CORE:
            change(which, limits)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(resource, "setrlimit", changed)
        yield


@pytest.fixture(scope="session")
def bao() -> Iterator[Bao]:
    """One real OpenBao for all tests of a worker: each has names, or a mount, of its own."""
    with running_bao() as server:
        yield server


@pytest.fixture(scope="session")
def long_run(pytestconfig: pytest.Config) -> bool:
    """True for a long run."""
    return pytestconfig.option.long


@pytest.fixture
def random_source(pytestconfig: pytest.Config) -> random.Random:
    """What a test draws from by itself."""
    return random.Random(int(pytestconfig.option.hypothesis_seed or 0))
