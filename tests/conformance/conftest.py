"""`--write-tables` writes the tables in README and docs/ from what the tests see; without it, they are compared."""

from collections.abc import Iterator

import pytest
from account_under_test import AccountUnderTest
from kind_description import KindDescription
from kinds import ALL

from rotator.providers import registry


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--write-tables", action="store_true", default=False, help="write the generated tables in README and docs/"
    )


@pytest.fixture
def write_tables(pytestconfig: pytest.Config) -> bool:
    """True if the tables in docs/ will be written."""
    return bool(pytestconfig.getoption("write_tables", default=False))


@pytest.fixture(autouse=True)
def example_provider() -> Iterator[None]:
    """The made-up provider is registered, as any other one is."""
    registry.register("example")
    yield
    registry.KINDS.pop("intercom", None)


@pytest.fixture(params=ALL)
def description(request: pytest.FixtureRequest) -> KindDescription:
    """Each kind in turn."""
    return ALL[request.param]


@pytest.fixture
def account(description: KindDescription) -> Iterator[AccountUnderTest]:
    """An account of it."""
    with AccountUnderTest(description) as opened:
        yield opened
