"""The throttles of a process under many threads."""

from datetime import timedelta
from threading import Barrier, Thread

from rotator.core.answers import Done, Refusal, Refused, Retry, Unknown, Wait
from rotator.core.circuit import Circuit, ProviderVerb
from rotator.core.model import Credential, TargetState, Verification
from rotator.engine.throttles import Pacing, Throttles
from rotator.testing import FakeClock


class MeetingClock(FakeClock):
    """Two threads read it at the same moment, so that both have judged before either has acted."""

    def __init__(self):
        super().__init__()
        self.barrier = Barrier(2, timeout=5)

    def monotonic(self) -> float:
        self.barrier.wait()
        return super().monotonic()


def test_two_threads_do_not_share_the_last_retirement_of_a_minute():
    throttles = Throttles(MeetingClock(), Circuit(), retirements_per_minute=1)
    taken = []
    threads = [Thread(target=lambda: taken.append(throttles.admit_retirement())) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(taken) == [False, True]


def test_two_threads_do_not_both_probe_an_account():
    clock = MeetingClock()
    clock.barrier = Barrier(1)
    throttles = Throttles(clock, Circuit(threshold=1), retirements_per_minute=1)
    throttles.learn_from("fake", ProviderVerb.DELETE, Unknown("timeout"))
    clock.advance(timedelta(minutes=5))
    clock.barrier = Barrier(2, timeout=5)
    sent = []
    threads = [Thread(target=lambda: sent.append(throttles.admit_call("fake", ProviderVerb.DELETE))) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(sent) == [False, True]


def test_retirements_are_counted_by_the_minute_of_a_clock_that_never_jumps():
    clock = FakeClock()
    throttles = Throttles(clock, Circuit(), retirements_per_minute=2)
    assert [throttles.admit_retirement() for _ in range(3)] == [True, True, False]
    clock.jump(timedelta(days=30))
    assert throttles.retirements_left() == 0
    clock.advance(timedelta(seconds=60))
    assert throttles.retirements_left() == 2


def test_which_answers_open_a_circuit():
    for answer, opens in (
        (Unknown("timeout"), True),
        (Refused(Refusal.AUTHENTICATION, "key"), True),
        (Refused(Refusal.PERMISSION, "no right"), False),
        (Retry(Wait.UNREACHABLE, "no connection"), True),
        (Retry(Wait.RATE_LIMITED, "429"), False),
        (Retry(Wait.IN_USE, "calls"), False),
        (Refused(Refusal.INVALID, "rule"), False),
        (Done(None), False),
    ):
        clock = FakeClock()
        throttles = Throttles(clock, Circuit(threshold=1), retirements_per_minute=1)
        throttles.admit_call("fake", ProviderVerb.DELETE)
        throttles.learn_from("fake", ProviderVerb.DELETE, answer)
        assert bool(throttles.open_until(["fake"], clock.now())) is opens, answer
        assert throttles.open_circuits() == (("fake",) if opens else ())


def test_accounts_do_not_open_each_others_circuits():
    clock = FakeClock()
    throttles = Throttles(clock, Circuit(threshold=1), retirements_per_minute=1)
    throttles.learn_from("one", ProviderVerb.DELETE, Unknown("timeout"))
    assert list(throttles.open_until(["one", "two"], clock.now())) == ["one"]


def test_being_told_to_slow_down_neither_opens_nor_closes_a_circuit():
    clock = FakeClock()
    throttles = Throttles(clock, Circuit(threshold=2), retirements_per_minute=1)
    throttles.learn_from("fake", ProviderVerb.DELETE, Unknown("timeout"))
    throttles.learn_from("fake", ProviderVerb.DELETE, Retry(Wait.RATE_LIMITED, "429"))
    assert throttles.open_circuits() == ()
    throttles.learn_from("fake", ProviderVerb.DELETE, Unknown("timeout"))
    assert throttles.open_circuits() == ("fake",)
    throttles.learn_from("fake", ProviderVerb.DELETE, Retry(Wait.RATE_LIMITED, "429"))
    assert throttles.open_circuits() == ("fake",)


def test_a_missing_right_shuts_its_verb_and_not_the_account():
    """A key that may not delete is no reason to stop rotating."""
    clock = FakeClock()
    throttles = Throttles(clock, Circuit(threshold=2), retirements_per_minute=1)
    forbidden = Refused(Refusal.PERMISSION, "no right")
    for _ in range(2):
        throttles.learn_from("fake", ProviderVerb.DELETE, forbidden)
    assert throttles.open_circuits() == ()
    assert throttles.open_until(["fake"], clock.now()) == {}
    assert throttles.shut_until(clock.now()) == {("fake", ProviderVerb.DELETE): clock.now() + timedelta(minutes=5)}
    assert not throttles.admit_call("fake", ProviderVerb.DELETE)
    assert throttles.admit_call("fake", ProviderVerb.CREATE)
    # The right was given: one probe shows it.
    assert throttles.forbidden_verbs() == (("fake", "delete"),)
    clock.advance(timedelta(minutes=5))
    assert throttles.forbidden_verbs() == (("fake", "delete"),)
    assert throttles.admit_call("fake", ProviderVerb.DELETE)
    assert not throttles.admit_call("fake", ProviderVerb.DELETE)
    throttles.learn_from("fake", ProviderVerb.DELETE, Done(None))
    assert throttles.shut_until(clock.now()) == {}


def test_what_is_urgent_does_not_wait_for_a_probe_and_is_one():
    clock = FakeClock()
    throttles = Throttles(clock, Circuit(threshold=1), retirements_per_minute=1)
    throttles.learn_from("fake", ProviderVerb.FIND, Unknown("timeout"))
    clock.advance(timedelta(minutes=4))
    assert throttles.admit_call("fake", ProviderVerb.DISABLE, urgent=True)
    clock.advance(timedelta(minutes=4))
    assert not throttles.admit_call("fake", ProviderVerb.FIND)
    throttles.learn_from("fake", ProviderVerb.DISABLE, Done(None))
    assert throttles.admit_call("fake", ProviderVerb.FIND)


def test_refused_targets_are_counted_by_account_and_from_when_this_process_saw_them():
    clock = FakeClock()
    throttles = Throttles(clock, Circuit(), retirements_per_minute=1)
    refused, accepted = (Verification(clock.now(), accepted=accepted) for accepted in (False, True))

    def note(target: str, account: str, verification: Verification | None) -> None:
        state = TargetState(target, published=Credential(account, target), verification=verification)
        throttles.note_verification(target, state)

    note("a", "one", refused)
    clock.advance(timedelta(minutes=5))
    note("a", "one", refused)
    note("b", "one", refused)
    note("c", "two", refused)
    note("d", "one", None)
    assert throttles.refused("a") == (2, timedelta(minutes=5))
    assert throttles.refused("b") == (2, timedelta())
    assert throttles.refused("c") == (1, timedelta())
    assert throttles.refused("d") == (0, timedelta())
    note("b", "one", accepted)
    assert throttles.refused("a") == (1, timedelta(minutes=5))


def test_a_target_that_this_process_does_not_see_any_more_is_not_counted_as_refused():
    """It was renamed or retired, or another daemon looks after it now."""
    clock = FakeClock()
    throttles = Throttles(clock, Circuit(), 1)
    refused = Verification(clock.now(), accepted=False, refusals=2)

    def note(target: str) -> None:
        throttles.note_verification(target, TargetState(target, Credential("fake", target), verification=refused))

    note("a")
    note("gone")
    for _ in range(3):
        clock.advance(timedelta(hours=1))
        note("a")
    assert throttles.refused("a") == (1, timedelta(hours=3))
    assert throttles.refused("gone") == (0, timedelta())


def test_whoever_finds_no_retirement_left_gets_a_turn_of_its_own_and_keeps_it():
    clock = FakeClock()
    throttles = Throttles(clock, Circuit(), retirements_per_minute=2)
    while throttles.admit_retirement():
        pass
    turns = [throttles.retirement_in(name).total_seconds() for name in ("a", "b", "c", "a")]
    assert turns == [61, 91, 121, 61]
    clock.advance(timedelta(seconds=61))
    assert throttles.admit_retirement()
    assert throttles.retirement_in("b") == timedelta(seconds=30)
    assert throttles.retirement_in("a").total_seconds() == 90, "it was not quick enough, and goes to the end"


def test_other_processes_are_told_once_that_a_circuit_has_opened_and_again_after_each_probe_that_fails():
    clock, told = FakeClock(), []
    throttles = Throttles(clock, Circuit(threshold=2), 1, Pacing(tell_open=lambda *what: told.append(what)))
    for _ in range(5):  # under way together
        throttles.learn_from("fake", ProviderVerb.FIND, Unknown("timeout"))
    assert told == [("fake", timedelta(minutes=5))]
    clock.advance(timedelta(minutes=5))
    throttles.learn_from("fake", ProviderVerb.FIND, Unknown("timeout"))
    assert len(told) == 2


def test_names_of_one_account_share_its_circuit_and_not_the_rights_of_their_keys():
    clock = FakeClock()
    throttles = Throttles(clock, Circuit(threshold=1), 1, Pacing({"one": "k", "two": "k", "other": "o"}))
    throttles.learn_from("one", ProviderVerb.DELETE, Refused(Refusal.PERMISSION, "no right"))
    assert throttles.admit_call("two", ProviderVerb.DELETE)
    throttles.learn_from("one", ProviderVerb.FIND, Unknown("timeout"))
    assert throttles.open_circuits() == ("one", "two")
    assert set(throttles.open_until(["one", "two", "other"], clock.now())) == {"one", "two"}
    assert not throttles.admit_call("two", ProviderVerb.FIND)
    throttles.learn_from("two", ProviderVerb.FIND, Done(None))
    assert throttles.open_circuits() == ()
