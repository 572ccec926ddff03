"""A real OpenBao and the sandbox for the tests of the daemon."""

from collections.abc import Iterator

import pytest
from daemon_environment import DaemonEnvironment, daemon_environment


@pytest.fixture
def environment(bao, tmp_path) -> Iterator[DaemonEnvironment]:
    with daemon_environment(bao, tmp_path) as made:
        yield made
