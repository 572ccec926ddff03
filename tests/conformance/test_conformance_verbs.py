"""What every kind of credential has to do, verb by verb, and what it has to say where it cannot."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta

import pytest
from kinds import ALL
from place import FIRST, SECOND, THIRD, WRONG_KEY, Place, value
from verbs import HOUR, VERBS, Verb

from rotator.core.answers import Done, Refusal, Refused, Retry, Unknown, Wait
from rotator.core.model import Capabilities, Credential, Strategy
from rotator.providers.http.client import ReadOnlyViolation
from rotator.providers.registry import KINDS
from rotator.providers.strategies import unsupported
from rotator_simulator.faults import fault_named

LOST = ("lost-answer", "error-after-commit", "half-body", "empty-after-commit", "html-after-commit")
FEATURES: dict[str, Callable[[Capabilities], bool]] = {
    "create": VERBS["create"].able,
    "complete": VERBS["complete"].able,
    "generate": lambda can: can.generates_password,
    "duplicate": lambda can: can.creates and can.chooses_password,
    "set_password": VERBS["set_password"].able,
    "re-enable": lambda can: can.re_enables,
    "expire": VERBS["expire"].able,
    "disable": VERBS["disable"].able,
    "delete": VERBS["delete"].able,
}
"""What a kind may be unable to do, by what its `Capabilities` say."""


def able(place: Place) -> Iterator[Verb]:
    """The verbs that the kind has; each finds the place as it was."""
    for verb in VERBS.values():
        if verb.able(place.honest.capabilities):
            yield verb
            place.wipe()


def test_every_kind_has_a_row_and_every_row_is_a_kind():
    assert list(ALL) == list(KINDS)


def test_the_listed_gaps_are_those_of_the_capabilities(place):
    can = place.honest.capabilities
    derived = {name for name, has in FEATURES.items() if not has(can)}
    derived |= {"pages"} if place.row.page is None else set()
    derived |= {"in use"} if place.row.in_use is None else set()
    derived |= set() if place.open(proves=True).capabilities.proof.tries_password else {"prove"}
    assert set(place.row.gaps) == derived
    assert all(place.row.gaps.values())


def test_what_is_a_gap_is_refused_as_unsupported_and_nothing_is_sent(place):
    for verb in VERBS.values():
        if not verb.able(place.honest.capabilities):
            one, _, before = place.add(), place.like(), place.snapshot()
            sent = len(place.sent())
            answer = place.within(place.honest, lambda verb=verb, one=one: verb.ask(place, place.honest, one))
            assert isinstance(answer, Refused), verb
            assert answer.why is Refusal.UNSUPPORTED, verb
            assert (place.snapshot(), len(place.sent())) == (before, sent), verb


def test_an_end_by_disabling_is_final_where_re_enabling_is_a_gap(place):
    can = place.honest.capabilities
    if not can.disables:
        assert {"disable", "re-enable"} <= set(place.row.gaps)
        return
    one = place.add()
    value(place.honest.disable(one))
    place.clock.advance(HOUR)
    again = place.honest.enable(one)
    assert isinstance(again, Done) is can.re_enables
    assert place.accepts(one) is can.re_enables
    if not can.re_enables:
        assert again.why is Refusal.EXPIRED


def test_who_chooses_the_password_is_as_declared(place):
    can = place.honest.capabilities
    if can.creates:
        staged = place.staged()
        made = value(place.honest.create(staged, "office", place.like()))
        assert (made.password == staged.password) is can.chooses_password
        assert (made.username == staged.username) is not can.generates_password
    assert can.chooses_password is not can.generates_password


def test_the_strategies_are_those_that_are_listed(place):
    can = place.honest.capabilities
    assert tuple(strategy.value for strategy in Strategy if unsupported(strategy, can) is None) == place.row.strategies


def test_done_is_true_and_twice_means_the_same(place):
    for verb in able(place):
        one, bystander = verb.prepare(place), place.add("bystander", THIRD)
        first = place.within(place.honest, lambda verb=verb, one=one: verb.ask(place, place.honest, one))
        assert verb.holds(place, one, value(first)), verb
        if verb.name == "create":
            continue  # the next test
        before = place.snapshot()
        second = place.within(place.honest, lambda verb=verb, one=one: verb.ask(place, place.honest, one))
        assert verb.holds(place, one, value(second)), verb
        assert place.snapshot().keys() == before.keys()
        assert place.accepts(bystander), verb
        if verb.name != "disable":  # where a password goes along, it may be another one that nobody keeps
            assert place.snapshot() == before, verb


def test_a_second_create_is_a_duplicate_where_the_username_is_ours(place):
    can = place.honest.capabilities
    if not can.creates:
        return
    staged = place.staged()
    made = value(place.honest.create(staged, "office", place.like()))
    again = place.checked(place.honest.create(staged, "office", place.like()))
    if can.chooses_password:
        assert again.why is Refusal.DUPLICATE
        assert place.accepts(made)
    else:
        found = value(place.honest.find(staged))
        assert {one.id for one in found} == {made.id, value(again).id}


def test_what_is_not_there_is_told_from_what_is(place):
    one = place.add()
    gone = replace(one, id="no-such-id", username="nosuchuser")
    for verb in able(place):
        if verb.name == "create":
            continue
        answer = place.within(place.honest, lambda verb=verb: verb.ask(place, place.honest, gone))
        if verb.name == "find":
            assert answer == Done(())
        elif verb.name == "delete":
            assert answer == Done(None)
        elif verb.name == "prove":
            assert getattr(answer, "why", None) in (Wait.NOT_YET, Refusal.NOT_FOUND)
        else:
            assert answer.why is Refusal.NOT_FOUND, verb


@pytest.mark.parametrize("fault", ["error", "forbidden", "empty", "html", "rate-limited"])
def test_that_it_is_not_there_is_never_believed_without_a_listing(place, fault):
    gone = replace(place.add(), id="no-such-id", username="nosuchuser")
    place.sandbox.faults.plan(fault, verb="list", times=None)
    for verb in VERBS.values():
        if verb.able(place.honest.capabilities) and verb.name != "create":
            answer = place.checked(verb.ask(place, place.honest, gone))
            assert not isinstance(answer, Done), verb
            assert getattr(answer, "why", None) is not Refusal.NOT_FOUND, verb
            if fault == "rate-limited":
                assert answer.after == timedelta(seconds=2), verb


@pytest.mark.parametrize("how", ["wrong key", "unauthorized", "forbidden"])
def test_a_key_that_may_not_is_a_refusal_that_concerns_the_account(place, how):
    provider = place.open(key=WRONG_KEY) if how == "wrong key" else place.honest
    for verb in able(place):
        one = verb.prepare(place)
        before = place.snapshot()
        if how != "wrong key":
            place.sandbox.faults.plan(how, times=None)
        answer = place.within(provider, lambda verb=verb, one=one: verb.ask(place, provider, one))
        assert isinstance(answer, Refused), (verb, answer)
        assert answer.why.concerns_account, verb
        assert how == "forbidden" or answer.why is Refusal.AUTHENTICATION
        assert place.snapshot() == before, verb


@pytest.mark.parametrize("fault", LOST)
def test_a_create_whose_answer_is_lost_is_found_and_completed(place, fault):
    if not place.honest.capabilities.creates:
        assert "create" in place.row.gaps
        return
    staged = place.staged()
    place.like()
    before = len(place.records())
    place.sandbox.faults.plan(fault, verb="create")
    answer = place.checked(place.honest.create(staged, "office", place.like()))
    assert isinstance(answer, Unknown), answer
    (found,) = value(place.honest.find(replace(staged, password=None)))
    made = value(place.honest.complete(replace(staged, id=found.id, username=found.username), place.like()))
    assert place.accepts(made)
    assert made.password is not None
    assert len(place.records()) == before + 1


def test_a_create_that_was_never_carried_out_leaves_nothing_to_find(place):
    if not place.honest.capabilities.creates:
        assert "create" in place.row.gaps
        return
    staged = place.staged()
    place.sandbox.faults.plan("reset", verb="create")
    assert isinstance(place.honest.create(staged, "office", place.like()), Unknown)
    assert value(place.honest.find(replace(staged, password=None))) == ()
    assert place.sent().count("POST") == 1


@pytest.mark.parametrize("fault", LOST)
def test_any_other_write_is_sent_again_after_a_lost_answer_and_ends_as_wanted(place, fault):
    for verb in able(place):
        if not verb.writes or verb.name == "create":
            continue
        one = verb.prepare(place)
        for asked in ("update", "delete", "grant"):
            place.sandbox.faults.plan(fault, verb=asked)
        answer = place.checked(verb.ask(place, place.honest, one))
        assert not isinstance(answer, Refused), verb
        again = place.checked(verb.ask(place, place.honest, one))
        again = again if isinstance(again, Done) else place.checked(verb.ask(place, place.honest, one))
        assert verb.holds(place, one, value(again)), verb


def test_active_calls_postpone_a_deletion(row):
    with Place(row, **(row.in_use or {})) as place:
        if row.in_use is None:
            assert "in use" in row.gaps
            return
        one = place.add()
        call = place.account.start_call(one.id)
        answer = place.checked(place.honest.delete(one))
        assert isinstance(answer, Retry)
        assert answer.why is Wait.IN_USE
        assert place.accepts(one)
        place.account.end_call(call)
        assert place.honest.delete(one) == Done(None)
        assert place.held(one) is None


def test_a_read_only_provider_sends_nothing_but_get(place):
    provider = place.open(read_only=True)
    for verb in able(place):
        one = verb.prepare(place)
        before, sent = place.snapshot(), len(place.sent())
        try:
            answer = verb.ask(place, provider, one)
        except ReadOnlyViolation:
            assert verb.writes, verb
        else:  # there was nothing to be written
            assert not isinstance(answer, Done) or verb.holds(place, one, answer.value), verb
        assert set(place.sent()[sent:]) <= {"GET"}, verb
        assert place.snapshot() == before, verb


# -- the proof


def wrong(one: Credential) -> dict[str, Credential]:
    """Credentials that do not work, each by one mistake."""
    return {
        "another password": replace(one, password=SECOND),
        "another username": replace(one, username="nosuchuser", id="no-such-id"),
    }


def test_a_proof_is_given_for_the_right_password_and_no_other(place):
    provider = place.open(proves=True)
    if "prove" in place.row.gaps:
        return  # the next test
    one = place.add()
    assert value(place.within(provider, lambda: provider.prove(one))).tries_password
    for mistake, other in wrong(one).items():
        answer = place.within(provider, lambda other=other: provider.prove(other))
        assert isinstance(answer, Retry), mistake
        assert answer.why is Wait.NOT_YET
    if provider.capabilities.disables:
        value(provider.disable(one))
        assert provider.prove(one).why is Wait.NOT_YET
    assert isinstance(provider.prove(replace(one, password=None)), Refused)


def test_a_read_back_does_not_claim_to_try_the_password(place):
    provider = place.honest
    assert not provider.capabilities.proof.tries_password
    one = place.add()
    assert not value(provider.prove(one)).tries_password
    for mistake, other in wrong(one).items():
        tells = place.row.shows_passwords or mistake != "another password"
        assert isinstance(provider.prove(other), Done) is not tells, mistake
    if provider.capabilities.disables:
        value(provider.disable(one))
        assert not isinstance(provider.prove(one), Done)


def test_a_silent_registrar_or_gateway_proves_nothing(place):
    if "prove" in place.row.gaps:
        return  # neither is asked
    provider = place.open(proves=True)
    one = place.add()
    for verb in ("register", "gateway"):
        place.sandbox.faults.plan(fault_named("unavailable"), verb=verb, times=None)
    answer = place.within(provider, lambda: provider.prove(one))
    assert not isinstance(answer, Done)
    assert place.accepts(replace(one, password=FIRST))
