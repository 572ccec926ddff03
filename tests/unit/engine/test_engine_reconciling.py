"""Reading for a reconciliation: what is at work meanwhile, what cannot be read, and what is not certain."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest
from engine_harness import REPLACE, EngineHarness

from rotator.core.answers import Answer, Done, Refusal, Refused, Retry, Unknown, Wait
from rotator.core.audit_words import AuditVerb
from rotator.core.discrepancies import DiscrepancyKind, Reason
from rotator.core.evidence import AccountEvidence, Scratch
from rotator.core.holding import Hold
from rotator.core.model import Capabilities, Claim, Credential, Target, TargetState
from rotator.core.origin import Origin
from rotator.core.orphan_evidence import MadeCredentials
from rotator.core.processes import Role
from rotator.core.removal import RemovalImpossible
from rotator.core.secret import Secret
from rotator.core.selection import ListedCredential
from rotator.engine import FormerNames, Orphaned, OrphanRepair, Presence, ReconciledAccount, Reconciler
from rotator.ports import StoreCorrupt
from rotator.testing import CHOSEN
from rotator.testing.provider import GENERATED, FakeCredential, FakeFault


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
    @pytest.mark.parametrize("capabilities", [CHOSEN, GENERATED], ids=["chosen", "made"])
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

    def test_a_scratch_credential_that_its_check_deletes_while_the_listing_is_read_is_no_orphan(self) -> None:
        harness = rotated(EngineHarness())
        harness.provider.add("rotatorcheckab12cd34")
        scratch = Scratch(Credential("fake", "rotatorcheckab12cd34"), harness.clock.now())
        evidence = AccountEvidence(version=1, scratch=(scratch,), holder="checker")
        harness.store.write_evidence("fake", evidence)
        Presence(harness.store, harness.clock, "checker", Role.COMMAND).renew()
        original = harness.provider.each

        def each(take: Callable[[ListedCredential], object]) -> Answer[None]:
            answer = original(take)
            harness.store.write_evidence("fake", AccountEvidence(version=2))
            return answer

        harness.provider.each = each
        assert reasons(reconciled(harness)) == []


class TestNotCertain:
    def test_what_is_known_of_the_account_is_read_first_since_a_listing_costs_requests(self) -> None:
        harness = rotated(EngineHarness())

        def read_evidence(key: str) -> AccountEvidence:
            raise StoreCorrupt(key)

        harness.store.read_evidence = read_evidence
        with pytest.raises(StoreCorrupt):
            reconciled(harness)
        assert "each" not in harness.provider.calls

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


class TestKeeping:
    """What was found is kept for the metrics, beside what checks have shown."""

    def test_the_counts_are_kept_where_daemons_read_them(self) -> None:
        harness = rotated(EngineHarness())
        harness.provider.add("pbx")
        harness.store.write_evidence("fake", AccountEvidence(version=1, checked_by="somebody"))
        made = reconciler(harness)
        made.read_documents(made.names())
        made.keep(made.reconcile("fake"))
        known = harness.store.read_evidence("fake")
        assert (known.version, known.checked_by, known.reconciled_at) == (2, "somebody", harness.clock.now())
        assert {one.kind: one.number for one in known.reconciled}[DiscrepancyKind.FOREIGN] == 1

    def test_orphans_that_are_being_retired_do_not_count(self) -> None:
        harness = rotated(EngineHarness())
        harness.provider.add("officeab12cd34")
        made = reconciler(harness)
        made.read_documents(made.names())
        made.keep(made.reconcile("fake"), retired=1)
        kept = {one.kind: one.number for one in harness.store.read_evidence("fake").reconciled}
        assert kept[DiscrepancyKind.ORPHANED] == 0

    def test_what_is_not_certain_is_not_kept(self) -> None:
        harness = rotated(EngineHarness())
        harness.provider.each = lambda _: Unknown("1 entry cannot be read")
        made = reconciler(harness)
        made.read_documents(made.names())
        made.keep(made.reconcile("fake"))
        assert harness.store.read_evidence("fake") == AccountEvidence()

    def test_a_check_that_works_on_the_document_is_not_disturbed(self) -> None:
        harness = rotated(EngineHarness())
        harness.store.write_evidence("fake", AccountEvidence(version=1, holder="checker"))
        Presence(harness.store, harness.clock, "checker", Role.COMMAND).renew()
        made = reconciler(harness)
        made.read_documents(made.names())
        made.keep(made.reconcile("fake"))
        assert harness.store.read_evidence("fake").version == 1


class TestRetiringOrphans:
    """What the audit shows to be ours ends like a replaced credential; anything else stays."""

    def orphaned(self, capabilities: Capabilities = CHOSEN) -> tuple[EngineHarness, FakeCredential]:
        """Vault was restored from before the second rotation, whose credential no document names any more."""
        harness = rotated(EngineHarness(capabilities=capabilities))
        states, consumers = dict(harness.store.states), dict(harness.store.consumers)
        engine = harness.engine()
        harness.request(engine)
        harness.until_rotated(engine)
        lost = harness.state.published
        harness.store.states, harness.store.consumers = states, consumers
        assert lost is not None
        return harness, harness.provider.credentials[lost.id or ""]

    def judged(self, harness: EngineHarness) -> tuple[OrphanRepair, list[Orphaned]]:
        made = MadeCredentials()
        for record in harness.audit.records:
            made.take({name: getattr(record, name) for name in ("verb", "target", "outcome", "facts")})
        engine = harness.engine()
        store, clock = harness.store, harness.clock
        repair = OrphanRepair(store, clock, {"fake": harness.provider}, [harness.target], engine.removal, made)
        return repair, list(repair.judge(reconciled(harness)))

    @pytest.mark.parametrize("capabilities", [CHOSEN, GENERATED], ids=["chosen", "made by the provider"])
    def test_it_ends_after_an_overlap_and_a_quarantine(self, capabilities: Capabilities) -> None:
        harness, lost = self.orphaned(capabilities)
        repair, (orphan,) = self.judged(harness)
        assert (orphan.why_not, orphan.found.id) == ("", lost.id)
        calls = len(harness.provider.calls)
        repair.retire(orphan, Origin("tester", "restored"))
        assert len(harness.provider.calls) == calls
        assert AuditVerb.RETIRE_ORPHAN in harness.audit.verbs("office")
        assert reasons(reconciled(harness)) == []
        engine, policy = harness.engine(), harness.target.policy
        harness.settle(engine, policy.overlap - timedelta(hours=1))
        assert harness.provider.accepts(lost.username, lost.password)
        harness.settle(engine, timedelta(hours=2))
        assert not harness.provider.accepts(lost.username, lost.password)
        assert lost.id in harness.provider.credentials
        harness.settle(engine, policy.quarantine)
        assert lost.id not in harness.provider.credentials
        assert harness.published_works

    def test_it_stays_while_what_is_published_is_refused(self) -> None:
        harness, lost = self.orphaned()
        repair, (orphan,) = self.judged(harness)
        repair.retire(orphan, Origin("tester", "restored"))
        published = harness.state.published
        assert published is not None
        harness.provider.credentials[published.id or ""].password = Secret("changed by hand")
        harness.settle(harness.engine(), harness.target.policy.overlap + timedelta(minutes=1))
        assert harness.provider.accepts(lost.username, lost.password)

    def test_it_stays_while_another_process_works_on_the_target(self) -> None:
        harness, _ = self.orphaned()
        repair, (orphan,) = self.judged(harness)
        claim = Claim("another", harness.clock.now() + timedelta(minutes=5))
        harness.store.write_state(replace(harness.state, claim=claim), harness.store.states["office"].version)
        assert isinstance(repair.retire(orphan, Origin("tester", "restored")), Hold)

    def test_twice_is_once(self) -> None:
        harness, _ = self.orphaned()
        repair, (orphan,) = self.judged(harness)
        repair.retire(orphan, Origin("tester", "restored"))
        with pytest.raises(RemovalImpossible, match="names it by now"):
            repair.retire(orphan, Origin("tester", "restored"))

    def test_without_a_record_of_this_installation_it_stays(self) -> None:
        harness, _ = self.orphaned()
        harness.audit.records.clear()
        _, (orphan,) = self.judged(harness)
        assert "the audit does not show" in orphan.why_not
        with pytest.raises(ValueError, match="the audit"):
            self.judged(harness)[0].retire(orphan, Origin("tester", "restored"))

    def test_what_somebody_elses_document_hands_out_stays(self) -> None:
        harness, lost = self.orphaned()
        harness.store.tamper(harness.target.path, lost.username)
        _, (orphan,) = self.judged(harness)
        assert orphan.why_not == "the consumer document of office hands it out"

    def test_with_a_listing_that_is_not_certain_or_no_answer_it_stays(self) -> None:
        harness, _ = self.orphaned()
        original = harness.provider.each
        harness.provider.each = lambda take: (original(take), Unknown("1 entry cannot be read"))[1]
        assert [orphan.why_not for orphan in self.judged(harness)[1]] == ["not everything could be read"]
        harness.provider.each = original
        harness.provider.faults["find"] = [FakeFault.UNAUTHORIZED]
        assert [orphan.why_not[:29] for orphan in self.judged(harness)[1]] == ["it could not be asked for: th"]

    def test_what_is_gone_in_the_meantime_stays_gone(self) -> None:
        harness, lost = self.orphaned()
        harness.provider.find = lambda wanted: Done(())
        assert lost.id in harness.provider.credentials
        assert [orphan.why_not for orphan in self.judged(harness)[1]] == ["it is not there any more"]

    def test_without_anything_published_instead_it_stays(self) -> None:
        harness, _ = self.orphaned()
        repair, (orphan,) = self.judged(harness)
        harness.store.write_state(TargetState("office"), harness.store.states["office"].version)
        with pytest.raises(RemovalImpossible, match="published nothing"):
            repair.retire(orphan, Origin("tester", "restored"))
