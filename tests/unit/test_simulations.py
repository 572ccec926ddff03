"""Every kind of provider account that rotator knows has a simulation, which the demo and the sandbox run."""

from rotator.providers.registry import KINDS
from rotator_simulator.providers import simulations


def test_every_kind_is_simulated_once() -> None:
    assert sorted(one.type for one in simulations()) == sorted(KINDS)


def test_no_two_targets_or_accounts_share_a_name() -> None:
    accounts = [one.name for one in simulations()]
    targets = [target.name for one in simulations() for target in one.targets]
    assert len(set(accounts)) == len(accounts)
    assert len(set(targets)) == len(targets)
