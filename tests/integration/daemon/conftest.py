"""A real OpenBao and the sandbox for the tests of the daemon."""

import pytest
from stage import stage_on


@pytest.fixture
def stage(bao, tmp_path):
    # Each test has names of its own in one Vault, so that it may be shared.
    with stage_on(bao, tmp_path) as made:
        yield made
