"""What one look reads, writes and may rely on: the state document, the consumer document and the claim."""

from dataclasses import replace
from datetime import timedelta

import pytest
from engine_harness import REPLACE
from few_targets import fleet_documents

from rotator.core.answers import Unknown
from rotator.core.circuit import Circuit, ProviderVerb
from rotator.core.consumer_document import ConsumerDocument
from rotator.core.facts import Facts, lookup_key
from rotator.core.model import Attempt, Claim, Credential, Phase, Purpose, Strategy, TargetState
from rotator.core.secret import Secret
from rotator.engine.claims import Claims
from rotator.engine.gathering import Gatherer
from rotator.engine.memory import Memory
from rotator.engine.session import Session
from rotator.engine.throttles import Throttles
from rotator.ports import Conflict, StoreDenied, StoreUnavailable, Versioned
from rotator.testing import CHOSEN, FakeClock, MemoryStore

LENGTH = timedelta(seconds=60)
NOW = FakeClock().now()
LEFT_BEHIND = Claim("other", NOW - timedelta(hours=1))
STATE = TargetState("office", last_error="earlier", claim=LEFT_BEHIND)
CAPABILITIES = {"fake": CHOSEN}
NEW = Credential("fake", "new", "id-new", Secret("new password"), attempt="2")


def gathered(session: Session, store: MemoryStore, clock: FakeClock, throttles: Throttles) -> Facts:
    """The facts as another process would gather them, whose claims last seven seconds."""
    claims = Claims(clock, "another", timedelta(seconds=7))
    return Gatherer(CAPABILITIES, {}, throttles, claims, fleet_documents(store, clock)).facts(session)


class ClaimedSession:
    """A session on a store whose state document somebody else has claimed, and left."""

    def __init__(self) -> None:
        self.clock, self.store = FakeClock(), MemoryStore()
        self.store.states["office"] = Versioned(STATE, 4)
        self.store.tamper(REPLACE.path, "byhand")
        self.observed: list[tuple[str, TargetState]] = []
        self.session = Session(
            REPLACE,
            self.store,
            self.clock,
            "me",
            LENGTH,
            lambda target, state: self.observed.append((target.name, state)),
            Memory(),
        )
        self.throttles = Throttles(self.clock, Circuit(threshold=1), retirements_per_minute=3)

    @property
    def stored(self) -> TargetState:
        return self.store.states["office"].state

    def facts(self) -> Facts:
        return gathered(self.session, self.store, self.clock, self.throttles)


def test_what_is_read_and_written_is_known_and_observed():
    bench = ClaimedSession()
    assert bench.session.state == STATE
    assert bench.session.consumer.username == "byhand"
    bench.session.write(replace(STATE, last_error=""))
    assert bench.session.state == bench.stored == replace(STATE, last_error="")
    assert bench.observed == [("office", STATE), ("office", bench.stored)]
    bench.session.write(STATE)
    assert bench.store.states["office"].version == 6


def test_a_write_without_the_claim_leaves_the_claim_of_another_as_it_is():
    bench = ClaimedSession()
    bench.session.write(replace(STATE, claim=None))
    assert bench.stored.claim == LEFT_BEHIND
    bench.session.write(replace(STATE, claim=Claim("me", NOW)))
    assert bench.stored.claim == LEFT_BEHIND
    assert not bench.session.holds_claim


def test_a_claim_is_taken_renewed_by_every_write_and_given_back():
    bench = ClaimedSession()
    bench.session.write_claimed(STATE)
    assert bench.stored.claim == Claim("me", NOW + LENGTH)
    assert bench.session.holds_claim
    bench.clock.advance(timedelta(seconds=50))
    bench.session.write(replace(bench.session.state, last_error="x"))
    assert bench.stored == replace(STATE, last_error="x", claim=Claim("me", NOW + timedelta(seconds=110)))
    assert bench.facts().holds_claim
    bench.session.write(replace(bench.session.state, claim=None))
    assert bench.stored.claim is None
    assert not bench.session.holds_claim
    bench.session.write(replace(STATE, claim=None))
    assert bench.stored.claim is None


def test_an_effect_begins_only_while_half_of_the_claim_is_left():
    bench = ClaimedSession()
    assert not bench.facts().holds_claim
    bench.session.write_claimed(STATE)
    bench.clock.advance(LENGTH / 2)
    assert bench.facts().holds_claim
    bench.clock.advance(timedelta(milliseconds=1))
    assert not bench.facts().holds_claim


@pytest.mark.parametrize(("jump", "passed"), [(20, 10), (-20, 30)])
def test_a_clock_that_was_set_shortens_a_claim_and_never_stretches_it(jump, passed):
    bench = ClaimedSession()
    bench.session.write_claimed(STATE)
    bench.clock.jump(timedelta(seconds=jump))
    bench.clock.advance(timedelta(seconds=passed))
    assert bench.facts().holds_claim
    bench.clock.advance(timedelta(milliseconds=1))
    assert not bench.facts().holds_claim


def test_a_claim_is_renewed_within_each_third_of_it_while_an_effect_runs():
    bench = ClaimedSession()
    bench.session.write_claimed(STATE)
    with bench.session.renewing():
        for _ in range(12):
            bench.clock.advance(LENGTH / 4)
            assert bench.facts().holds_claim
            assert bench.stored.claim.until - bench.clock.now() > LENGTH * 2 / 3
        assert bench.session.state == bench.stored
        bench.session.write(replace(bench.session.state, last_error="of the effect"))
    version = bench.store.states["office"].version
    assert bench.stored.last_error == "of the effect"
    bench.clock.advance(2 * LENGTH)
    assert bench.store.states["office"].version == version


def test_whoever_has_no_claim_renews_none():
    bench = ClaimedSession()
    with bench.session.renewing():
        bench.clock.advance(2 * LENGTH)
    bench.session.write_claimed(STATE)
    with bench.session.renewing():
        bench.session.write(replace(STATE, claim=None))
        bench.clock.advance(2 * LENGTH)
    assert (bench.stored.claim, bench.store.states["office"].version) == (None, 6)


def test_a_claim_that_somebody_took_is_not_renewed_and_the_effects_own_write_conflicts():
    bench = ClaimedSession()
    bench.session.write_claimed(STATE)
    taken = Versioned(replace(STATE, claim=Claim("another", NOW)), 9)
    with bench.session.renewing():
        bench.store.states["office"] = taken
        bench.clock.advance(LENGTH)
        with pytest.raises(Conflict):
            bench.session.write(replace(STATE, last_error="of the effect"))
    assert bench.store.states["office"] == taken


@pytest.mark.parametrize(("failure", "renewed"), [(StoreUnavailable("sealed"), True), (StoreDenied("no right"), False)])
def test_a_renewal_that_fails_is_tried_again_if_vault_may_be_back(failure, renewed):
    bench = ClaimedSession()
    bench.session.write_claimed(STATE)
    with bench.session.renewing():
        bench.store.failing = [failure]
        bench.clock.advance(LENGTH * 2 / 3)
    assert (bench.stored.claim.until == NOW + LENGTH * 5 / 3) is renewed


def test_a_renewal_does_not_wait_for_what_the_effect_writes():
    bench = ClaimedSession()
    bench.session.write_claimed(STATE)
    write = bench.store.write_state

    def write_slowly(state: TargetState, version: int) -> int:
        bench.clock.advance(LENGTH)
        return write(state, version)

    bench.store.write_state = write_slowly
    with bench.session.renewing():
        bench.session.write(replace(STATE, last_error="of the effect"))
    assert (bench.stored.last_error, bench.store.states["office"].version) == ("of the effect", 6)


def test_reading_again_forgets_the_claim_and_what_was_looked_up():
    bench = ClaimedSession()
    bench.session.write_claimed(STATE)
    bench.session.remember_lookup(NEW, (NEW,))
    bench.store.tamper(REPLACE.path, "changed")
    bench.session.read()
    assert not bench.session.holds_claim
    assert bench.facts().lookups == {}
    assert bench.session.consumer.username == "changed"
    assert len(bench.observed) == 3


def test_a_write_that_came_second_changes_nothing_here():
    bench = ClaimedSession()
    bench.session.write_claimed(STATE)
    bench.store.states["office"] = Versioned(replace(STATE, last_error="by another"), 9)
    before = bench.session.state
    with pytest.raises(Conflict):
        bench.session.write(replace(before, last_error="mine"))
    assert bench.session.state == before
    assert len(bench.observed) == 2
    bench.session.read()
    bench.session.write(bench.session.state)
    assert bench.store.states["office"].version == 10


def test_a_write_whose_answer_was_lost_is_not_taken_for_done():
    bench = ClaimedSession()
    bench.store.losing = [StoreUnavailable("timeout")]
    with pytest.raises(StoreUnavailable):
        bench.session.write_claimed(STATE)
    assert not bench.session.holds_claim


def test_publishing_writes_over_what_was_read_and_knows_what_it_wrote():
    bench = ClaimedSession()
    bench.session.publish(NEW)
    at = bench.clock.now()
    published = ConsumerDocument(
        2, exists=True, username="new", password=NEW.password, credential_id="id-new", attempt="2", rotated_at=at
    )
    assert bench.session.consumer == bench.store.consumers[REPLACE.path] == published
    bench.store.tamper(REPLACE.path, "byhand")
    with pytest.raises(Conflict):
        bench.session.publish(NEW)
    assert bench.session.consumer == published


def test_what_is_published_carries_the_time_of_this_clock(monkeypatch):
    bench, times = ClaimedSession(), []
    monkeypatch.setattr(bench.store, "write_consumer", lambda path, credential, at, over: times.append(at) or 9)
    bench.clock.advance(timedelta(seconds=5))
    bench.session.publish(NEW)
    assert (times, bench.session.consumer.version) == ([NOW + timedelta(seconds=5)], 9)


def test_a_document_that_may_not_be_written_is_noticed_beforehand():
    bench = ClaimedSession()
    bench.session.check_publishable()
    bench.store.unpublishable.add(REPLACE.path)
    with pytest.raises(StoreDenied):
        bench.session.check_publishable()


def test_the_facts_are_what_was_read_looked_up_and_counted_in_this_process():
    bench = ClaimedSession()
    bench.session.write_claimed(STATE)
    bench.session.remember_lookup(NEW, (NEW,))
    bench.throttles.learn_from("fake", ProviderVerb.FIND, Unknown("timeout"))
    bench.session.remember_unsettled()
    bench.throttles.admit_retirement()
    in_place = Attempt("2", Purpose.ROTATE, Strategy.IN_PLACE, Phase.APPLIED, NEW, None, NOW, "me", "due")
    bench.session.write(replace(bench.session.state, attempt=in_place))
    known = bench.facts()
    assert (known.target, known.capabilities, known.now) == (REPLACE, CAPABILITIES, NOW)
    assert (known.state, known.consumer) == (bench.session.state, bench.session.consumer)
    assert (known.holds_claim, known.other_claim_remaining) == (True, timedelta(seconds=7))
    assert known.lookups == {lookup_key(NEW): (NEW,)}
    assert known.open_circuits == {"fake": NOW + timedelta(minutes=5)}
    assert known.retirements_left == 2
    assert known.unsettled
    bench.session.forget_lookups()
    assert (bench.facts().lookups, known.lookups != {}) == ({}, True)


def test_passwords_in_place_that_are_not_proved_are_counted_for_each_target_by_itself():
    store, clock = MemoryStore(), FakeClock()
    throttles = Throttles(clock, Circuit(threshold=2), retirements_per_minute=3)
    in_place = Attempt("2", Purpose.ROTATE, Strategy.IN_PLACE, Phase.APPLIED, NEW, None, NOW, "me", "due")
    unproved = []
    for name in ("office", "lobby", "attic"):
        store.states[name] = Versioned(TargetState(name, attempt=in_place if name != "attic" else None), 1)
        session = Session(replace(REPLACE, name=name), store, clock, "me", LENGTH, lambda *_: None, Memory())
        known = gathered(session, store, clock, throttles)
        unproved.append(known.unproved_accounts)
    assert unproved == [frozenset(), frozenset(), {"fake"}]


def test_what_no_log_in_settled_is_known_until_the_documents_are_read_again():
    bench = ClaimedSession()
    bench.session.remember_unsettled()
    assert bench.facts().unsettled
    bench.session.read()
    assert not bench.facts().unsettled
