"""One real OpenBao for all tests of a worker, and the policy that `rotator` is given."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from bao import Bao, running_bao

POLICY = Path(__file__).parents[3] / "config" / "vault-policy.hcl"


@pytest.fixture(scope="session")
def bao() -> Iterator[Bao]:
    with running_bao() as server:
        yield server


@pytest.fixture(scope="session")
def policy(bao: Bao) -> str:
    """The name of the policy of config/vault-policy.hcl in the server."""
    return bao.policy("least", POLICY.read_text())
