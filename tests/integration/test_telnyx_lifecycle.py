"""The whole lifecycle of targets at Telnyx: the real engine, the real provider, the sandbox on real sockets."""

from dataclasses import replace
from datetime import timedelta

import pytest
from few_targets import fleet_documents
from telnyx_fixtures import CONNECTION, FIRST, TelnyxSandbox

from rotator.core.backoff import Backoff
from rotator.core.consumer_document import ConsumerDocument
from rotator.core.model import Policy, Purpose, Request, Strategy, Target, TargetState
from rotator.core.passwords import PasswordRules
from rotator.core.schedule import Every
from rotator.core.usage_rules import UsageRules
from rotator.engine import Engine, Limits
from rotator.testing import FakeClock, FakeRandomness, MemoryAudit, MemoryStore

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
POLICY = Policy(
    name="quarterly", schedule=Every(90 * DAY), window=None, overlap=DAY, quarantine=7 * DAY, password=PasswordRules()
)
REPLACE = Target("office", "prod", Strategy.REPLACE, (), "sip/office", POLICY)


class TelnyxLifecycle(TelnyxSandbox):
    """One target at the sandbox; time passes only as the test has it."""

    def __init__(self, target=REPLACE, **readings):
        super().__init__(clock=FakeClock(), register=False, **readings)
        self.target, self.store, self.audit = target, MemoryStore(), MemoryAudit()
        kind = self.telephony if target.strategy is Strategy.REPLACE else self.connections
        self.engine = Engine(
            store=self.store,
            providers={"prod": kind},
            clock=self.clock,
            randomness=FakeRandomness(),
            audit=self.audit,
            holder="test",
            limits=Limits(backoff=Backoff(timedelta(seconds=10), timedelta(minutes=10))),
            observe=lambda target, state: None,
            stopping=lambda: False,
            documents=fleet_documents(self.store, self.clock),
        )

    @property
    def state(self) -> TargetState:
        return self.store.states[self.target.name].state

    @property
    def consumer(self) -> ConsumerDocument:
        return self.store.read_consumer(self.target.path)

    def ask(self, purpose=Purpose.ROTATE, **flags):
        self.engine.request(self.target, Request(purpose, "tester", "because", self.clock.now(), **flags))

    def settle(self, span=timedelta(minutes=5), most=200):
        """Looks as the scheduler does until `span` has passed; devices must be let in all the time."""
        end = self.clock.now() + span
        for _ in range(most):
            look = self.engine.look(self.target)
            if self.consumer.exists:
                assert self.account.accepts(self.consumer.username, self.consumer.password)
            following = min(look.next_look or end, end)
            self.clock.advance(max(following - self.clock.now(), timedelta(seconds=1)))
            if self.clock.now() >= end:
                return
        raise AssertionError(f"did not settle: {look}")

    def rotate(self, **flags) -> ConsumerDocument:
        """A rotation on demand; returns what is published then."""
        self.ask(**flags)
        self.settle()
        assert self.state.attempt is None
        return self.consumer

    def accepts_published(self, consumer) -> bool:
        return self.account.accepts(consumer.username, consumer.password)

    @property
    def names(self) -> list[str]:
        return sorted(record.username for record in self.records)


@pytest.mark.parametrize(
    "readings",
    [
        {},
        {"expired_as": "text", "moments": "naive", "null_lifts_end": "refused", "filters": "ignored"},
        {"expired_lags": True, "moments": "fraction", "filters_refused": True, "longest_page": 1},
    ],
)
def test_a_replaced_credential_ends_by_itself_and_is_deleted_after_its_quarantine(readings):
    with TelnyxLifecycle(**readings) as lifecycle:
        lifecycle.settle()
        first = lifecycle.consumer
        assert lifecycle.accepts_published(first)
        second = lifecycle.rotate()
        assert second.username != first.username
        assert lifecycle.accepts_published(first)
        entry = lifecycle.state.ledger[0]
        assert entry.expires_at == entry.disable_at
        assert lifecycle.record_of(first.credential_id).ends == entry.disable_at.replace(microsecond=0) + (
            timedelta(seconds=1) if entry.disable_at.microsecond else timedelta()
        )
        # Nobody looks, as when rotator is down: the provider ends it all the same.
        lifecycle.clock.advance(DAY)
        assert not lifecycle.accepts_published(first)
        lifecycle.settle()
        assert lifecycle.state.ledger[0].disabled
        assert lifecycle.names == sorted([first.username, second.username])
        lifecycle.settle(7 * DAY)
        assert lifecycle.state.ledger == ()
        assert lifecycle.names == [second.username]


def test_the_configured_credential_is_replaced_first():
    with TelnyxLifecycle(replace(REPLACE, usernames=("gencredOld",))) as lifecycle:
        old = lifecycle.add()
        lifecycle.add(username="gencredElse")
        lifecycle.settle()
        assert lifecycle.consumer.username not in ("gencredOld", "gencredElse")
        assert lifecycle.account.accepts("gencredOld", FIRST)
        lifecycle.settle(9 * DAY)
        assert lifecycle.record_of(old.id) is None
        assert "gencredElse" in lifecycle.names


@pytest.mark.parametrize("fault", ["lost-answer", "error-after-commit", "html-after-commit", "half-body"])
@pytest.mark.parametrize("times", [1, 3])
def test_a_lost_create_is_completed_and_never_made_again(fault, times):
    with TelnyxLifecycle() as lifecycle:
        lifecycle.settle()
        first = lifecycle.consumer
        lifecycle.sandbox.faults.plan(fault, verb="create", times=times)
        second = lifecycle.rotate()
        assert second.username != first.username
        assert lifecycle.request_lines.count("POST /v2/telephony_credentials") == 2
        assert lifecycle.names == sorted([first.username, second.username])


def test_duplicates_under_the_name_of_an_attempt_are_removed():
    with TelnyxLifecycle() as lifecycle:
        lifecycle.settle()
        first = lifecycle.consumer
        lifecycle.sandbox.faults.plan("lost-answer", verb="create")
        lifecycle.ask()
        lifecycle.engine.look(lifecycle.target)
        # A proxy that sent it once more, or a listing that came too early: the same attempt twice.
        (made,) = [record for record in lifecycle.records if record.username != first.username]
        lifecycle.account.create("telephony", "gencredTwin", FIRST, dict(made.extra))
        lifecycle.settle(HOUR)
        assert lifecycle.state.attempt is None
        kept = lifecycle.consumer.username
        assert lifecycle.names == sorted([first.username, kept])
        assert kept in (made.username, "gencredTwin")


def test_an_undo_within_the_overlap_lifts_the_end():
    with TelnyxLifecycle() as lifecycle:
        lifecycle.settle()
        first = lifecycle.consumer
        second = lifecycle.rotate()
        assert lifecycle.record_of(first.credential_id).ends is not None
        lifecycle.ask(Purpose.UNDO)
        lifecycle.settle()
        assert lifecycle.consumer.username == first.username
        assert lifecycle.record_of(first.credential_id).ends is None
        assert lifecycle.record_of(second.credential_id).ends is not None
        lifecycle.settle(9 * DAY)
        assert lifecycle.names == [first.username]
        assert lifecycle.accepts_published(lifecycle.consumer)


def test_an_undo_after_the_end_is_refused_and_says_why():
    with TelnyxLifecycle() as lifecycle:
        lifecycle.settle()
        first = lifecycle.consumer
        second = lifecycle.rotate()
        lifecycle.settle(DAY + HOUR)
        lifecycle.ask(Purpose.UNDO)
        lifecycle.settle()
        assert lifecycle.consumer.username == second.username
        assert lifecycle.state.attempt is None
        assert not lifecycle.accepts_published(first)
        assert "cannot undo that" in lifecycle.state.last_error


def test_an_undo_that_comes_too_late_by_a_moment_leaves_what_is_published():
    with TelnyxLifecycle() as lifecycle:
        lifecycle.settle()
        first = lifecycle.consumer
        second = lifecycle.rotate()
        lifecycle.clock.advance(DAY)  # the end has come, and nobody has looked since
        lifecycle.ask(Purpose.UNDO)
        lifecycle.settle(HOUR)
        assert lifecycle.state.attempt is None
        assert lifecycle.consumer.username == second.username
        assert not lifecycle.accepts_published(first)


def test_a_compromised_credential_is_ended_and_deleted_at_once():
    with TelnyxLifecycle() as lifecycle:
        lifecycle.settle()
        first = lifecycle.consumer
        second = lifecycle.rotate(compromised=True)
        assert not lifecycle.accepts_published(first)
        assert lifecycle.names == [second.username]
        assert lifecycle.accepts_published(second)


def test_every_fault_in_turn_leaves_one_credential_and_nobody_cut_off():
    with TelnyxLifecycle() as lifecycle:
        lifecycle.settle()
        for verb in ("create", "get", "update", "delete", "list"):
            for fault in ("rate-limited", "reset", "lost-answer", "error-after-commit", "empty", "html"):
                lifecycle.sandbox.faults.plan(fault, verb=verb)
        lifecycle.ask()
        lifecycle.settle(10 * DAY)
        assert lifecycle.state.counts.succeeded == 2
        assert lifecycle.state.attempt is None
        assert lifecycle.names == [lifecycle.consumer.username]


def test_a_connection_gets_another_password_in_place():
    target = Target("trunk", "prod", Strategy.IN_PLACE, ("officetrunk1",), "sip/trunk", POLICY)
    with TelnyxLifecycle(target) as lifecycle:
        lifecycle.settle()
        assert lifecycle.consumer.username == "officetrunk1"
        assert lifecycle.consumer.credential_id == CONNECTION
        assert lifecycle.consumer.password != FIRST
        assert lifecycle.accepts_published(lifecycle.consumer)
        assert lifecycle.record_of(CONNECTION).enabled


def test_a_connections_lost_answer_is_settled_by_what_is_shown():
    target = Target("trunk", "prod", Strategy.IN_PLACE, ("officetrunk1",), "sip/trunk", POLICY)
    with TelnyxLifecycle(target) as lifecycle:
        lifecycle.sandbox.faults.plan("lost-answer", verb="update", times=8)
        lifecycle.settle()
        assert lifecycle.state.attempt is None
        assert lifecycle.accepts_published(lifecycle.consumer)
        assert lifecycle.state.failures == 0


def test_what_a_rolled_back_document_hands_out_is_not_ended_as_it_was_told():
    with TelnyxLifecycle() as lifecycle:
        lifecycle.settle()
        first = lifecycle.consumer
        lifecycle.rotate()
        assert lifecycle.record_of(first.credential_id).ends is not None
        lifecycle.store.roll_back("sip/office")
        lifecycle.settle(3 * DAY)  # devices are let in all the time
        assert lifecycle.record_of(first.credential_id).ends is None
        taken_over = lifecycle.rotate(take_over=True)
        assert taken_over.username != first.username
        lifecycle.settle(DAY - HOUR)
        assert lifecycle.accepts_published(first)
        lifecycle.settle(HOUR)
        assert not lifecycle.accepts_published(first)
        lifecycle.settle(8 * DAY)
        assert lifecycle.names == [taken_over.username]


def test_a_take_over_right_after_the_document_changed_moves_the_end_that_was_told():
    with TelnyxLifecycle() as lifecycle:
        lifecycle.settle()
        first = lifecycle.consumer
        lifecycle.rotate()
        told = lifecycle.record_of(first.credential_id).ends
        lifecycle.clock.advance(DAY - HOUR)
        lifecycle.store.roll_back("sip/office")
        lifecycle.rotate(take_over=True)  # nobody looked in between
        assert lifecycle.record_of(first.credential_id).ends >= told + DAY - HOUR
        lifecycle.settle(DAY - HOUR)
        assert lifecycle.accepts_published(first)
        lifecycle.settle(HOUR)
        assert not lifecycle.accepts_published(first)


MINUTE = timedelta(minutes=1)
ASKING = replace(REPLACE, policy=replace(POLICY, usage=UsageRules(("provider",), 15 * MINUTE, 3 * DAY)))


def slow_phone(lifecycle, old, *, reads_after):
    """A phone that goes on registering with the old credential, for an hour each time, until it has read Vault."""
    until = lifecycle.clock.now() + reads_after
    while lifecycle.clock.now() < until:
        assert lifecycle.account.accepts(old.username, old.password), "the phone was cut off"
        lifecycle.account.bind(old.username, "sip:phone@192.0.2.7", 3600, "phone")
        lifecycle.settle(50 * MINUTE)


def test_a_phone_that_reads_vault_slowly_is_seen_and_not_cut_off():
    with TelnyxLifecycle(ASKING) as lifecycle:
        lifecycle.settle()
        old = lifecycle.consumer
        lifecycle.rotate()
        slow_phone(lifecycle, old, reads_after=DAY + 8 * HOUR)
        assert lifecycle.state.ledger[0].sighting.evidence == "provider: registered"
        assert not any(record.verb == "expire" for record in lifecycle.audit.records)
        lifecycle.settle(HOUR + 20 * MINUTE)  # its last registration expires, and they are asked again
        assert not lifecycle.account.accepts(old.username, old.password)
        (disabled,) = [record for record in lifecycle.audit.records if record.verb == "disable"]
        assert "provider: not registered, last seen " in disabled.facts["usage"]


@pytest.mark.parametrize("unregistered_as", ["unknown", "not found"])
def test_where_telnyx_does_not_say_that_nobody_is_there_the_bound_counts(unregistered_as):
    with TelnyxLifecycle(ASKING, unregistered_as=unregistered_as) as lifecycle:
        lifecycle.settle()
        old = lifecycle.consumer
        lifecycle.rotate()
        lifecycle.settle(4 * DAY - HOUR, most=2000)
        assert lifecycle.account.accepts(old.username, old.password)
        assert lifecycle.state.ledger[0].sighting.in_use is None
        lifecycle.settle(2 * HOUR)
        assert not lifecycle.account.accepts(old.username, old.password)


def test_an_end_that_was_told_is_lifted_once_the_policy_asks_who_is_there():
    with TelnyxLifecycle() as lifecycle:
        lifecycle.settle()
        old = lifecycle.consumer
        lifecycle.rotate()
        assert lifecycle.state.ledger[0].expires_at is not None
        lifecycle.target = ASKING
        slow_phone(lifecycle, old, reads_after=DAY + 8 * HOUR)
