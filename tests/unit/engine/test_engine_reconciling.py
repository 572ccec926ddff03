"""Reading for a reconciliation: what is at work meanwhile, what cannot be read, and what is not certain."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from engine_harness import REPLACE, EngineHarness

from rotator.core.answers import Answer, Done, Refusal, Refused, Retry, Unknown, Wait
from rotator.core.discrepancies import DiscrepancyKind, Reason
from rotator.core.evidence import AccountEvidence, Scratch
from rotator.core.model import Credential, Target
from rotator.core.processes import Role
from rotator.core.selection import ListedCredential
from rotator.engine import FormerNames, Presence, ReconciledAccount, Reconciler
from rotator.ports import StoreCorrupt
from rotator.testing.provider import GENERATED


def reconciler(harness: EngineHarness, *targets: Target, listings: dict[str, str] | None = None) -> Reconciler:
    known = targets or (harness.target,)
    return Reconciler(
        harness.store,
        harness.clock,
        {"fake": harness.provider} | harness.others,
        listings or {"fake": "fake", **{name: name for name in harness.others}},
        known,
        [],
        FormerNames(harness.store, {target.name for target in known}),
        Presence(harness.store, harness.clock, "reconciler", Role.COMMAND),
        lambda read, names: [read(name) for name in names],
    )


def reconciled(harness: EngineHarness, *targets: Target) -> ReconciledAccount:
    made = reconciler(harness, *targets)
    made.read_documents(made.names())
    return made.reconcile("fake")


def reasons(found: ReconciledAccount) -> list[Reason]:
    return [each.reason for each in found.result.discrepancies]


def rotated(harness: EngineHarness) -> EngineHarness:
    harness.until_rotated(harness.engine())
    return harness


def during_the_listing(harness: EngineHarness, act: Callable[[], object]) -> None:
    """Something happens before the listing is answered, once."""
    original, left = harness.provider.each, [act]

    def each(take: Callable[[ListedCredential], object]) -> Answer[None]:
        if left:
            left.pop()()
        return original(take)

    harness.provider.each = each


class TestAtWork:
    @pytest.mark.parametrize("capabilities", [EngineHarness().provider.capabilities, GENERATED], ids=["chosen", "made"])
    def test_what_is_created_while_the_listing_is_read_is_nobodys_orphan(self, capabilities) -> None:
        harness = rotated(EngineHarness(capabilities=capabilities))

        def begin() -> None:
            engine = harness.engine()
            harness.request(engine)
            harness.provider.slow_to_accept = 100  # it stays open
            engine.look(harness.target)

        during_the_listing(harness, begin)
        found = reconciled(harness)
        assert harness.state.attempt is not None
        assert reasons(found) == []
        assert found.result.listed == 2

    def test_what_is_replaced_and_retired_while_the_listing_is_read_is_not_missing(self) -> None:
        harness = rotated(EngineHarness())

        def rotate() -> None:
            engine = harness.engine()
            harness.request(engine, compromised=True)
            harness.until_rotated(engine)
            engine.look(harness.target)

        during_the_listing(harness, rotate)
        assert reasons(reconciled(harness)) == []

    def test_a_target_that_appears_meanwhile_is_known(self) -> None:
        """Another daemon has a newer configuration."""
        harness = rotated(EngineHarness())
        newer = replace(REPLACE, name="gate", usernames=("gate",), path="sip/gate")
        other = EngineHarness(newer)
        other.store, other.provider, other.clock = harness.store, harness.provider, harness.clock

        def rotate() -> None:
            engine = other.engine()
            other.request(engine)
            other.until_rotated(engine)

        during_the_listing(harness, rotate)
        found = reconciled(harness)
        assert reasons(found) == [Reason.OF_REMOVED]  # for this configuration it is one that was taken out
        assert found.result.discrepancies[0].targets == ("gate",)

    def test_a_scratch_credential_is_an_orphan_once_its_check_has_ended(self) -> None:
        harness = rotated(EngineHarness())
        harness.provider.add("rotatorcheckab12cd34")
        scratch = Scratch(Credential("fake", "rotatorcheckab12cd34"), harness.clock.now())
        evidence = AccountEvidence(version=1, scratch=(scratch,), holder="checker")
        harness.store.write_evidence("fake", evidence)
        checker = Presence(harness.store, harness.clock, "checker", Role.COMMAND)
        checker.renew()
        assert reasons(reconciled(harness)) == []
        checker.leave()
        assert reasons(reconciled(harness)) == [Reason.SCRATCH]


class TestNotCertain:
    @pytest.mark.parametrize(
        "answer",
        [
            Refused(Refusal.PERMISSION, "the key may not list"),
            Retry(Wait.CHANGING, "entries move"),
            Unknown("1 of the listing's entries cannot be read"),
        ],
        ids=["403", "changing", "unreadable"],
    )
    def test_nothing_is_missing_and_it_says_why(self, answer) -> None:
        harness = rotated(EngineHarness())

        def each(take: Callable[[ListedCredential], object]) -> Answer[None]:
            take(ListedCredential("x", "pbx"))
            return answer

        harness.provider.each = each
        found = reconciled(harness)
        assert found.problem == answer.message
        assert reasons(found) == [Reason.UNNAMED]

    def test_a_long_listing_is_read_on(self) -> None:
        harness = rotated(EngineHarness())
        original, told = harness.provider.each, []
        answers = [Retry(Wait.READING, "200 entries so far"), Retry(Wait.READING, "400 entries so far")]
        harness.provider.each = lambda take: answers.pop(0) if answers else original(take)
        made = reconciler(harness)
        made.read_documents(made.names())
        assert made.reconcile("fake", told.append).problem == ""
        assert told == ["200 entries so far", "400 entries so far"]

    def test_a_document_that_was_deleted_names_nothing_and_is_said(self) -> None:
        harness = rotated(EngineHarness())
        harness.store.delete(harness.target.name)
        found = reconciled(harness)
        assert found.unread == ("office",)
        assert reasons(found) == [Reason.BY_ATTEMPT]

    def test_a_damaged_document_is_said(self, monkeypatch: pytest.MonkeyPatch) -> None:
        harness = rotated(EngineHarness())

        def read_state(name):
            raise StoreCorrupt("field schema")

        monkeypatch.setattr(harness.store, "read_state", read_state)
        assert reconciled(harness).unread == ("office",)


def test_two_names_of_one_account_are_listed_once() -> None:
    harness = rotated(EngineHarness())
    harness.others = {"again": harness.provider}
    made = reconciler(harness, listings={"fake": "one", "again": "one"})
    made.read_documents(made.names())
    calls = harness.provider.calls.count("each")
    assert made.reconcile("again").accounts == ("fake", "again")
    assert harness.provider.calls.count("each") == calls + 1


def test_it_writes_nothing() -> None:
    harness = rotated(EngineHarness())
    harness.provider.add("pbx")
    writes, calls = harness.store.states[harness.target.name].version, len(harness.provider.calls)
    found = reconciled(harness)
    assert dict(found.result.counts)[DiscrepancyKind.FOREIGN] == 1
    assert harness.store.states[harness.target.name].version == writes
    assert harness.provider.calls[calls:] == ["each"]
    assert isinstance(harness.provider.each(lambda _: None), Done)
