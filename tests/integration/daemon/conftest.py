"""A real OpenBao and the sandbox for the tests of the daemon."""

import pytest
from daemon_environment import daemon_environment


@pytest.fixture
def environment(bao, tmp_path):
    # Each test has names of its own in one Vault, so that it may be shared.
    with daemon_environment(bao, tmp_path) as made:
        yield made
