"""`--write-tables` writes the tables in docs/ anew from what the tests see; without it they have to be as committed."""

import pytest
from kinds import BY_KIND
from place import Place
from row import Row


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--write-tables", action="store_true", default=False, help="write the generated tables in docs/")


@pytest.fixture
def write_tables(pytestconfig: pytest.Config) -> bool:
    """True where the tables in docs/ are to be written."""
    return bool(pytestconfig.getoption("write_tables", default=False))


@pytest.fixture(params=BY_KIND)
def row(request: pytest.FixtureRequest) -> Row:
    """Each kind in turn."""
    return BY_KIND[request.param]


@pytest.fixture
def place(row: Row):
    """An account of it."""
    with Place(row) as opened:
        yield opened
