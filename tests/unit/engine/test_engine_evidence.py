"""What a check has shown of an account is known to every process within a minute."""

from datetime import timedelta

from core_facts import NOW
from engine_harness import EngineHarness

from rotator.core import evidence as known
from rotator.core.evidence import AccountEvidence, AssumptionResult, Scratch, Shown
from rotator.core.holding import HoldReason
from rotator.core.model import Credential
from rotator.core.strategy_evidence import Standing
from rotator.ports import StoreCorrupt, StoreUnavailable

KEY = "vobiz-abc"


def harness_with(*results: tuple[known.Assumption, Shown]) -> EngineHarness:
    harness = EngineHarness()
    harness.evidence_keys = {"fake": KEY}
    learn(harness, *results)
    return harness


def learn(harness: EngineHarness, *results: tuple[known.Assumption, Shown]) -> None:
    made = tuple(AssumptionResult(one.key, one.text, shown, "POST 403", NOW) for one, shown in results)
    harness.store.evidence[KEY] = AccountEvidence(1, made, written_at=NOW)


def test_a_disproved_strategy_is_held_until_a_check_shows_otherwise():
    harness = harness_with((known.CREATES, Shown.DOES_NOT))
    engine = harness.engine()
    held = engine.look(harness.target)
    harness.clock.advance(timedelta(minutes=2))
    held = engine.look(harness.target)
    assert held.hold is not None
    assert held.hold.reason is HoldReason.STRATEGY_DISPROVED
    assert harness.provider.calls == []
    learn(harness, (known.CREATES, Shown.HOLDS))
    harness.clock.advance(timedelta(seconds=61))
    harness.until_rotated(engine)
    assert harness.published_works


def test_what_is_not_required_waits_neither_for_a_check_nor_for_its_document():
    harness = harness_with()
    harness.until_rotated(harness.engine())
    other = harness_with()
    engine = other.engine()
    other.store.failing.append(StoreUnavailable("sealed"))
    assert engine.evidence(other.target).standing is Standing.UNPROVED


def test_require_checked_begins_nothing_that_no_check_has_proved():
    harness = harness_with()
    harness.require_checked = {"fake"}
    engine = harness.engine()
    engine.look(harness.target)
    harness.clock.advance(timedelta(minutes=2))
    held = engine.look(harness.target)
    assert held.hold is not None
    assert held.hold.reason is HoldReason.STRATEGY_UNPROVED
    needed = (known.CREATES, known.LOGS_IN, known.WRONG_REFUSED, known.DELETES)
    learn(harness, *((one, Shown.HOLDS) for one in needed))
    harness.clock.advance(timedelta(seconds=61))
    harness.until_rotated(engine)


def test_an_emergency_passes_where_the_document_that_is_required_cannot_be_read():
    """A damaged document is no reason to let go on what leaked, or to leave an open attempt half done."""
    harness = harness_with()
    harness.until_rotated(harness.engine())
    leaked = harness.consumer
    harness.require_checked = {"fake"}

    def damaged(account: str) -> AccountEvidence:
        raise StoreCorrupt(f"{account} is not of our form")

    whole, harness.store.read_evidence = harness.store.read_evidence, damaged
    engine = harness.engine()
    harness.request(engine)
    held = engine.look(harness.target)
    assert held.hold is not None
    assert held.hold.reason is HoldReason.STRATEGY_UNPROVED
    assert "cannot be read: vobiz-abc is not of our form" in held.message

    harness.request(engine, compromised=True)
    harness.settle(engine, timedelta(minutes=5))

    assert not harness.provider.accepts(leaked.username, leaked.password)
    assert harness.published_works
    needed = (known.CREATES, known.LOGS_IN, known.WRONG_REFUSED, known.DELETES)
    learn(harness, *((one, Shown.HOLDS) for one in needed))
    harness.store.read_evidence = whole
    harness.request(engine)
    harness.until_rotated(engine)


def test_the_document_is_read_once_a_minute_for_all_targets_of_the_account():
    harness = harness_with()
    reads: list[str] = []
    whole = harness.store.read_evidence

    def counted(account: str) -> AccountEvidence:
        reads.append(account)
        return whole(account)

    harness.store.read_evidence = counted
    engine = harness.engine()
    for _ in range(5):
        engine.look(harness.target)
    assert reads == [KEY]
    assert dict(engine.checks) == {"fake": whole(KEY)}
    harness.clock.advance(timedelta(seconds=61))
    engine.look(harness.target)
    assert reads == [KEY, KEY]


# -- what checks have left at accounts that are not configured

LEFT = Credential("gone", "rotatorcheck1", attempt="a1")


def leave(harness: EngineHarness, key: str, *left: Credential) -> None:
    scratch = tuple(Scratch(credential, NOW) for credential in left)
    harness.store.evidence[key] = AccountEvidence(1, scratch=scratch)


def test_what_a_check_left_at_an_account_that_is_not_configured_is_found_within_ten_minutes():
    harness = harness_with()
    leave(harness, KEY, Credential("fake", "rotatorcheck0", attempt="a0"))  # the next check removes it
    leave(harness, "vobiz-nothing-left")
    engine = harness.engine()
    engine.read_checks()
    assert engine.left_by_checks == {}
    leave(harness, "vobiz-gone", LEFT)
    harness.clock.advance(timedelta(seconds=599))
    engine.read_checks()
    assert engine.left_by_checks == {}
    harness.clock.advance(timedelta(seconds=1))
    engine.read_checks()
    assert engine.left_by_checks == {"vobiz-gone": (LEFT,)}
    assert engine.read_left_by_checks() == engine.left_by_checks
    leave(harness, "vobiz-gone")
    harness.clock.advance(timedelta(seconds=600))
    engine.read_checks()
    assert engine.left_by_checks == {}


def test_a_vault_that_does_not_answer_makes_nobody_forget_what_is_left():
    harness = harness_with()
    leave(harness, "vobiz-gone", LEFT)
    engine = harness.engine()
    engine.read_checks()
    harness.clock.advance(timedelta(seconds=600))
    harness.store.failing += [StoreUnavailable("sealed")] * 2
    engine.read_checks()
    assert harness.store.failing == []
    assert engine.left_by_checks == {"vobiz-gone": (LEFT,)}


def test_a_damaged_record_of_another_account_keeps_nothing_else_from_being_found(monkeypatch):
    harness = harness_with()
    leave(harness, "vobiz-gone", LEFT)
    leave(harness, "vobiz-hurt", LEFT)
    read = harness.store.read_evidence

    def damaged(account: str) -> AccountEvidence:
        if account == "vobiz-hurt":
            raise StoreCorrupt("not of our form")
        return read(account)

    monkeypatch.setattr(harness.store, "read_evidence", damaged)
    assert harness.engine().read_left_by_checks() == {"vobiz-gone": (LEFT,)}
