"""The default run is the same each time. `--long` explores: other examples each time, and more of everything.

    pytest --long                          the seed is drawn, and printed at the end
    pytest --long --hypothesis-seed=1234   the same run again

What a long run finds becomes a fixed example of the test, so that the default run meets it as well.
"""

import random
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest
from coverage import Coverage
from hypothesis import HealthCheck, settings
from hypothesis.internal.conjecture import providers
from openbao_server import Bao, running_bao

_LONGEST = 3600  # seconds that one test of a long run may take
# Under each fault, in each order, with each answer: the unit tests run the same lines.
_REPEATS = tuple(Path(__file__).with_name(name) for name in ("conformance", "proof", "properties"))

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
    # What waits for processes begins first: at the end no worker has to wait for another one's long test.
    items.sort(key=lambda item: "bao" not in getattr(item, "fixturenames", ()))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Where the same lines run thousands of times, no coverage is measured: it more than doubles the time."""
    measuring = Coverage.current()
    if measuring is None or not any(folder in item.path.parents for folder in _REPEATS):
        return (yield)
    measuring.stop()
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("COVERAGE_PROCESS_START", raising=False)  # nor in the processes that the test starts
        try:
            return (yield)
        finally:
            measuring.start()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if terminalreporter.config.option.long:
        seed = terminalreporter.config.option.hypothesis_seed
        terminalreporter.line(f"to run this again: pytest --long --hypothesis-seed={seed}")


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
