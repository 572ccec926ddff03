"""A sample of the cuts with both documents in a real OpenBao, through the real store and the real client."""

import itertools

import pytest
from faulted_lifecycles import fault_at_each_boundary
from openbao_server import Bao, VaultAccess
from simulated_accounts import SETUPS

from rotator.core.consumer_document import ConsumerDocument
from rotator.core.model import Credential, TargetState
from rotator.ports import Versioned
from rotator.testing import MemoryStore
from rotator.vault.auth import Token

SAMPLE = (SETUPS[0], SETUPS[3], SETUPS[5], SETUPS[7])
_numbers = itertools.count(1)


class InBao(MemoryStore):
    """Everything is read from and written to OpenBao, on a mount of its own; what is there is mirrored."""

    def __init__(self, bao: Bao) -> None:
        super().__init__()
        mount = f"kv{next(_numbers)}"
        bao.call("POST", f"sys/mounts/{mount}", {"type": "kv", "options": {"version": "2"}})
        self._vault = VaultAccess(Token(bao.root_token), bao.address, mount=mount).store

    def read_state(self, target: str) -> Versioned:
        self._fail()
        return self._vault.read_state(target)

    def write_state(self, state: TargetState, version: int) -> int:
        self._fail()
        with self.points.around("write state"):
            written = self._vault.write_state(state, version)
            self.states[state.target] = self._vault.read_state(state.target)
            self._lose()
        return written

    def read_consumer(self, path: str) -> ConsumerDocument:
        self._fail()
        return self._vault.read_consumer(path)

    def check_publishable(self, path: str) -> None:
        self._vault.check_publishable(path)

    def write_consumer(self, path: str, credential: Credential, at, over: ConsumerDocument) -> int:
        self._fail()
        with self.points.around("write consumer"):
            written = self._vault.write_consumer(path, credential, at, over)
            self.consumers[path] = self._vault.read_consumer(path)
            self._lose()
        return written

    def confirm_consumer(self, path: str, over: ConsumerDocument) -> int:
        self._fail()
        with self.points.around("write consumer"):
            written = self._vault.confirm_consumer(path, over)
            self.consumers[path] = self._vault.read_consumer(path)
            self._lose()
        return written

    def withdraw_consumer(self, path: str, at, moved_to: str, over: ConsumerDocument) -> int:
        self._fail()
        with self.points.around("write consumer"):
            written = self._vault.withdraw_consumer(path, at, moved_to, over)
            self.consumers[path] = self._vault.read_consumer(path)
            self._lose()
        return written


@pytest.mark.parametrize("kind", ["process killed at a boundary", "answer of Vault lost"])
@pytest.mark.parametrize("setup", SAMPLE, ids=str)
def test_the_same_holds_with_a_real_vault(setup, kind, bao, count_run, long_run):
    """Whatever memory forgives, an encoded document and its versions do not."""
    for scenario in ("rotation", "undo from quarantine", "retirement") if long_run else ("rotation",):
        for _ in fault_at_each_boundary(setup, scenario, kind, store=lambda: InBao(bao)):
            count_run(setup.kind, setup.strategy.value, f"{kind}, a real OpenBao")
