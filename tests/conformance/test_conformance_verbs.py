"""What every kind of credential has to do, verb by verb, and what it has to say where it cannot."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta

import pytest
from account_under_test import FIRST, SECOND, THIRD, WRONG_KEY, AccountUnderTest, done_value
from kinds import ALL
from verb_checks import HOUR, VERBS, VerbCheck

from rotator.core.answers import Done, Refusal, Refused, Retry, Unknown, Wait
from rotator.core.model import Capabilities, Credential, Strategy
from rotator.providers.http.transport import ReadOnlyViolation
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
    "usage": VERBS["usage"].able,
}
"""What a kind may be unable to do, by what its `Capabilities` say."""


def supported_verbs(account: AccountUnderTest) -> Iterator[VerbCheck]:
    """The verbs that the kind has; each finds the account as it was."""
    for verb in VERBS.values():
        if verb.able(account.provider.capabilities):
            yield verb
            account.wipe()


def test_every_kind_has_a_row_and_every_row_is_a_kind():
    assert list(ALL) == list(KINDS)


def test_the_listed_gaps_are_those_of_the_capabilities(account):
    can = account.provider.capabilities
    derived = {name for name, has in FEATURES.items() if not has(can)}
    derived |= {"pages"} if account.description.page is None else set()
    derived |= {"in use"} if account.description.in_use is None else set()
    derived |= set() if account.open_provider(proves=True).capabilities.proof.tries_password else {"prove"}
    assert set(account.description.gaps) == derived
    assert all(account.description.gaps.values())


def test_what_is_a_gap_is_refused_as_unsupported_and_nothing_is_sent(account):
    for verb in VERBS.values():
        if not verb.able(account.provider.capabilities):
            one, _, before = account.add(), account.predecessor(), account.snapshot()
            sent = len(account.sent_methods())
            answer = account.ask_in_time(
                account.provider, lambda verb=verb, one=one: verb.ask(account, account.provider, one)
            )
            assert isinstance(answer, Refused), verb
            assert answer.why is Refusal.UNSUPPORTED, verb
            assert (account.snapshot(), len(account.sent_methods())) == (before, sent), verb


def test_an_end_by_disabling_is_final_where_re_enabling_is_a_gap(account):
    can = account.provider.capabilities
    if not can.disables:
        assert {"disable", "re-enable"} <= set(account.description.gaps)
        return
    one = account.add()
    done_value(account.provider.disable(one))
    account.clock.advance(HOUR)
    again = account.provider.enable(one)
    assert isinstance(again, Done) is can.re_enables
    assert account.accepts(one) is can.re_enables
    if not can.re_enables:
        assert again.why is Refusal.EXPIRED


def test_who_chooses_the_password_is_as_declared(account):
    can = account.provider.capabilities
    if can.creates:
        staged = account.staged()
        made = done_value(account.provider.create(staged, "office", account.predecessor()))
        assert (made.password == staged.password) is can.chooses_password
        assert (made.username == staged.username) is not can.generates_password
    assert can.chooses_password is not can.generates_password


def test_the_strategies_are_those_that_are_listed(account):
    can = account.provider.capabilities
    assert (
        tuple(strategy.value for strategy in Strategy if unsupported(strategy, can) is None)
        == account.description.strategies
    )


def test_done_is_true_and_twice_means_the_same(account):
    for verb in supported_verbs(account):
        one, bystander = verb.prepare(account), account.add("bystander", THIRD)
        first = account.ask_in_time(
            account.provider, lambda verb=verb, one=one: verb.ask(account, account.provider, one)
        )
        assert verb.holds(account, one, done_value(first)), verb
        if verb.name == "create":
            continue  # the next test
        before = account.snapshot()
        second = account.ask_in_time(
            account.provider, lambda verb=verb, one=one: verb.ask(account, account.provider, one)
        )
        assert verb.holds(account, one, done_value(second)), verb
        assert account.snapshot().keys() == before.keys()
        assert account.accepts(bystander), verb
        if verb.name != "disable":  # where a password goes along, it may be another one that nobody keeps
            assert account.snapshot() == before, verb


def test_each_credential_of_the_account_is_listed_for_selections(account):
    one, other = account.add(), account.add("bystander", THIRD)
    seen = {}
    before = account.snapshot()

    answer = account.provider.each(lambda listed: seen.__setitem__(listed.id, listed))

    assert answer == Done(None)
    assert {one.id, other.id} <= seen.keys()
    assert {seen[one.id].username, seen[other.id].username} == {one.username, other.username}
    assert seen[one.id].enabled
    assert account.snapshot() == before


def test_a_listing_that_fails_is_no_empty_account(account):
    account.add()
    account.sandbox.faults.plan("error", verb="list", times=None)

    assert not isinstance(account.provider.each(lambda listed: None), Done)


def test_a_second_create_is_a_duplicate_where_the_username_is_ours(account):
    can = account.provider.capabilities
    if not can.creates:
        return
    staged = account.staged()
    made = done_value(account.provider.create(staged, "office", account.predecessor()))
    again = account.without_secrets(account.provider.create(staged, "office", account.predecessor()))
    if can.chooses_password:
        assert again.why is Refusal.DUPLICATE
        assert account.accepts(made)
    else:
        found = done_value(account.provider.find(staged))
        assert {one.id for one in found} == {made.id, done_value(again).id}


def test_what_is_not_there_is_told_from_what_is(account):
    one = account.add()
    gone = replace(one, id="no-such-id", username="nosuchuser")
    for verb in supported_verbs(account):
        if verb.name in ("create", "usage"):  # who uses what is not there is no question to the listing
            continue
        answer = account.ask_in_time(account.provider, lambda verb=verb: verb.ask(account, account.provider, gone))
        if verb.name == "find":
            assert answer == Done(())
        elif verb.name == "delete":
            assert answer == Done(None)
            assert account.provider.delete(gone).why is Refusal.NOT_FOUND
        elif verb.name == "prove":
            assert getattr(answer, "why", None) in (Wait.NOT_YET, Refusal.NOT_FOUND)
        else:
            assert answer.why is Refusal.NOT_FOUND, verb


@pytest.mark.parametrize("fault", ["error", "forbidden", "empty", "html", "rate-limited"])
def test_that_it_is_not_there_is_never_believed_without_a_listing(account, fault):
    gone = replace(account.add(), id="no-such-id", username="nosuchuser")
    account.sandbox.faults.plan(fault, verb="list", times=None)
    for verb in VERBS.values():
        if verb.able(account.provider.capabilities) and verb.name not in ("create", "usage"):
            answer = account.without_secrets(verb.ask(account, account.provider, gone))
            assert not isinstance(answer, Done), verb
            assert getattr(answer, "why", None) is not Refusal.NOT_FOUND, verb
            if fault == "rate-limited":
                assert answer.after == timedelta(seconds=2), verb


@pytest.mark.parametrize("how", ["wrong key", "unauthorized", "forbidden"])
def test_a_key_that_may_not_is_a_refusal_that_concerns_the_account(account, how):
    refused = account.open_provider(key=WRONG_KEY) if how == "wrong key" else None
    for verb in supported_verbs(account):
        provider = refused or account.provider
        one = verb.prepare(account)
        before = account.snapshot()
        if how != "wrong key":
            account.sandbox.faults.plan(how, times=None)
        answer = account.ask_in_time(
            provider, lambda verb=verb, one=one, provider=provider: verb.ask(account, provider, one)
        )
        assert isinstance(answer, Refused), (verb, answer)
        assert answer.why.concerns_account, verb
        assert how == "forbidden" or answer.why is Refusal.AUTHENTICATION
        assert account.snapshot() == before, verb


@pytest.mark.parametrize("fault", LOST)
def test_a_create_whose_answer_is_lost_is_found_and_completed(account, fault):
    if not account.provider.capabilities.creates:
        assert "create" in account.description.gaps
        return
    staged = account.staged()
    account.predecessor()
    before = len(account.records())
    account.sandbox.faults.plan(fault, verb="create")
    answer = account.without_secrets(account.provider.create(staged, "office", account.predecessor()))
    assert isinstance(answer, Unknown), answer
    (found,) = done_value(account.provider.find(replace(staged, password=None)))
    made = done_value(
        account.provider.complete(replace(staged, id=found.id, username=found.username), account.predecessor())
    )
    assert account.accepts(made)
    assert made.password is not None
    assert len(account.records()) == before + 1


def test_a_create_that_was_never_carried_out_leaves_nothing_to_find(account):
    if not account.provider.capabilities.creates:
        assert "create" in account.description.gaps
        return
    staged = account.staged()
    account.sandbox.faults.plan("reset", verb="create")
    assert isinstance(account.provider.create(staged, "office", account.predecessor()), Unknown)
    assert done_value(account.provider.find(replace(staged, password=None))) == ()
    assert account.sent_methods().count("POST") == 1


@pytest.mark.parametrize("fault", LOST)
def test_any_other_write_is_sent_again_after_a_lost_answer_and_ends_as_wanted(account, fault):
    for verb in supported_verbs(account):
        if not verb.writes or verb.name == "create":
            continue
        one = verb.prepare(account)
        for asked in ("update", "delete", "grant"):
            account.sandbox.faults.plan(fault, verb=asked)
        answer = account.without_secrets(verb.ask(account, account.provider, one))
        assert not isinstance(answer, Refused), verb
        again = account.without_secrets(verb.ask(account, account.provider, one))
        again = again if isinstance(again, Done) else account.without_secrets(verb.ask(account, account.provider, one))
        assert verb.holds(account, one, done_value(again)), verb


def test_active_calls_postpone_a_deletion(description):
    with AccountUnderTest(description, **(description.in_use or {})) as account:
        if description.in_use is None:
            assert "in use" in description.gaps
            return
        one = account.add()
        call = account.simulated.start_call(one.id)
        answer = account.without_secrets(account.provider.delete(one))
        assert isinstance(answer, Retry)
        assert answer.why is Wait.IN_USE
        assert account.accepts(one)
        account.simulated.end_call(call)
        assert account.provider.delete(one) == Done(None)
        assert account.record_of(one) is None


def test_a_read_only_provider_sends_nothing_but_get(account):
    provider = account.open_provider(read_only=True)
    for verb in supported_verbs(account):
        one = verb.prepare(account)
        before, sent = account.snapshot(), len(account.sent_methods())
        try:
            answer = verb.ask(account, provider, one)
        except ReadOnlyViolation:
            assert verb.writes, verb
        else:  # there was nothing to be written
            assert not isinstance(answer, Done) or verb.holds(account, one, answer.value), verb
        assert set(account.sent_methods()[sent:]) <= {"GET"}, verb
        assert account.snapshot() == before, verb


# -- the proof


def mistaken(one: Credential) -> dict[str, Credential]:
    """Credentials that do not work, each by one mistake."""
    return {
        "another password": replace(one, password=SECOND),
        "another username": replace(one, username="nosuchuser", id="no-such-id"),
    }


def test_a_proof_is_given_for_the_right_password_and_no_other(account):
    provider = account.open_provider(proves=True)
    if "prove" in account.description.gaps:
        return  # the next test
    one = account.add()
    assert done_value(account.ask_in_time(provider, lambda: provider.prove(one))).tries_password
    for mistake, other in mistaken(one).items():
        answer = account.ask_in_time(provider, lambda other=other: provider.prove(other))
        assert isinstance(answer, Retry), mistake
        assert answer.why is Wait.NOT_YET
    if provider.capabilities.disables:
        done_value(provider.disable(one))
        assert provider.prove(one).why is Wait.NOT_YET
    assert isinstance(provider.prove(replace(one, password=None)), Refused)


def test_a_read_back_does_not_claim_to_try_the_password(account):
    provider = account.provider
    assert not provider.capabilities.proof.tries_password
    one = account.add()
    assert not done_value(provider.prove(one)).tries_password
    for mistake, other in mistaken(one).items():
        tells = account.description.shows_passwords or mistake != "another password"
        assert isinstance(provider.prove(other), Done) is not tells, mistake
    if provider.capabilities.disables:
        done_value(provider.disable(one))
        assert not isinstance(provider.prove(one), Done)


def test_a_silent_registrar_or_gateway_proves_nothing(account):
    if "prove" in account.description.gaps:
        return  # neither is asked
    provider = account.open_provider(proves=True)
    one = account.add()
    for verb in ("register", "gateway"):
        account.sandbox.faults.plan(fault_named("unavailable"), verb=verb, times=None)
    answer = account.ask_in_time(provider, lambda: provider.prove(one))
    assert not isinstance(answer, Done)
    assert account.accepts(replace(one, password=FIRST))
