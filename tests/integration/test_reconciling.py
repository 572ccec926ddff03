"""What reconciling finds at each kind of account: the real adapters, against the simulated providers."""

import pytest
from simulated_accounts import BYSTANDER, SETUPS, Setup, SimulatedHarness

from rotator.core.discrepancies import Reason
from rotator.core.processes import Role
from rotator.core.secret import Secret
from rotator.engine import FormerNames, Presence, ReconciledAccount, Reconciler

ONE_OF_EACH_KIND = {setup.kind: setup for setup in reversed(SETUPS)}
SHOWS_PASSWORD = ("telnyx", "telnyx-connection")


def reconciled(harness: SimulatedHarness) -> ReconciledAccount:
    store, clock = harness.store, harness.clock
    reconciler = Reconciler(
        store,
        clock,
        {"one": harness.provider.adapter(clock, harness.randomness)},
        {"one": "listing"},
        [harness.target],
        [],
        FormerNames(store, {harness.target.name}),
        Presence(store, clock, "reconciler", Role.COMMAND),
        lambda read, names: [read(name) for name in names],
    )
    reconciler.read_documents(reconciler.names())
    return reconciler.reconcile("one")


def reasons(harness: SimulatedHarness) -> list[Reason]:
    """What is found about the target."""
    found = reconciled(harness)
    assert found.problem == ""
    return [each.reason for each in found.result.discrepancies if harness.target.name in each.targets]


@pytest.mark.parametrize("setup", ONE_OF_EACH_KIND.values(), ids=str)
def test_what_people_change_at_the_provider_is_found(setup: Setup) -> None:
    harness = SimulatedHarness(setup)
    account = harness.provider
    assert reasons(harness) == [Reason.NOTHING_PUBLISHED]
    engine = harness.engine()
    harness.request(engine)
    harness.until_rotated(engine)
    assert reasons(harness) == []
    foreign = [each for each in reconciled(harness).result.discrepancies if each.reason is Reason.UNNAMED]
    assert BYSTANDER in {each.username for each in foreign}
    published = harness.state.published
    assert published is not None
    assert published.id is not None
    account.person_changes(published.id, password=Secret("Somebody's0wn!"))
    assert reasons(harness) == ([Reason.OTHER_PASSWORD] if setup.kind in SHOWS_PASSWORD else [])
    if account.capabilities.disables and setup.kind != "telnyx":
        account.person_changes(published.id, enabled=False)
        assert Reason.DISABLED in reasons(harness)
    account.person_changes(published.id, delete=True)
    assert reasons(harness) == [Reason.PUBLISHED_GONE]


def test_a_credential_of_another_installation_looks_orphaned_and_is_named_so() -> None:
    """Its name says that some rotator made it: this one has no document of it."""
    harness = SimulatedHarness(ONE_OF_EACH_KIND["telnyx"])
    engine = harness.engine()
    harness.request(engine)
    harness.until_rotated(engine)
    harness.store.remove(harness.target.name)
    found = reconciled(harness).result.discrepancies
    assert [each.reason for each in found] == [Reason.BY_ATTEMPT, Reason.UNNAMED, Reason.NOTHING_PUBLISHED]
