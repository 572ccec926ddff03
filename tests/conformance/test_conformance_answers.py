"""Bad answers: whatever a provider says, or does not say, each kind answers truly, in time, and keeps its secrets."""

import logging
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from threading import Event
from typing import Any

import pytest
from account_under_test import KEY, QUICK, SECOND, THIRD, AccountUnderTest, done_value
from broken_answers import (
    about_another,
    change_answers_to,
    error_that_repeats,
    fields_of,
    redirect_to,
    values_of_other_types,
    with_field_value,
    with_unexpected_fields,
    without_field,
)
from kind_description import KindDescription
from provider_fixtures import raw_server
from verb_checks import VERBS, VerbCheck

from rotator.core.answers import Answer, Done, Refused, Retry, Unknown, Wait
from rotator.core.model import Credential
from rotator.daemon.clock import SystemClock
from rotator.observe.redact import Redactor
from rotator.ports import Provider
from rotator.providers.http.client import CallTimeouts
from rotator_simulator.faults import CATALOGUE, ON_THE_WIRE, FaultKind, fault_named

LATE = {"latency", "late-answer"}
HURRIED = CallTimeouts(connect=0.3, read=0.2, write=0.3, pool=0.3, total=0.4)
SURE = (Wait.RATE_LIMITED, Wait.UNREACHABLE, Wait.IN_USE)
"""What is only answered where nothing at all was done."""


class VerbCall:
    """One verb that was asked once, and what the provider held before and after."""

    def __init__(self, account: AccountUnderTest, verb: VerbCheck, provider: Provider, one: Credential) -> None:
        self.account, self.verb, self.one = account, verb, one
        self.before = account.snapshot()
        self.answer: Answer[Any] = account.ask_in_time(provider, lambda: verb.ask(account, provider, one))
        self.after = account.snapshot()

    def is_true(self, where: object) -> None:
        """The answer is true of what the provider holds."""
        if isinstance(self.answer, Done):
            assert self.verb.holds(self.account, self.one, self.answer.value), (self.verb, where, self.answer)
        elif isinstance(self.answer, Refused) or (isinstance(self.answer, Retry) and self.answer.why in SURE):
            assert self.after == self.before, (self.verb, where, self.answer)
        else:
            assert isinstance(self.answer, Retry | Unknown), (self.verb, where, self.answer)


def situations(account: AccountUnderTest) -> Iterator[tuple[VerbCheck, str]]:
    """Each verb of the kind with each of the simulation's verbs that it sends; the account is wiped after each."""
    for verb in VERBS.values():
        if not verb.able(account.provider.capabilities):
            continue
        one = verb.prepare(account)
        account.api.asked.clear()
        verb.ask(account, account.provider, one)
        for asked in dict.fromkeys(account.api.asked):
            account.wipe()
            yield verb, asked
        account.wipe()


def other_host() -> Any:
    """A server that everybody could be sent to; it counts who comes."""
    return raw_server(lambda connection, stop: connection.close())


@pytest.mark.parametrize("name", CATALOGUE)
def test_under_every_fault_the_answer_is_true_and_the_same_again_ends_as_wanted(account, name):
    fault = fault_named(name, **({"seconds": 0.02} if name in LATE else {}))
    waits = fault.kind in ON_THE_WIRE - {FaultKind.RESET, FaultKind.HALF}
    quick = account.open_provider(timeouts=QUICK) if waits else None
    for verb, asked in situations(account):
        for times in (1,) if waits else (1, None):
            one = verb.prepare(account)
            account.sandbox.faults.plan(fault, verb=asked, times=times)
            found = VerbCall(account, verb, quick or account.provider, one)
            found.is_true((name, asked, times))
            account.sandbox.faults.clear()
            if verb.name != "create":
                for _ in range(2):  # what was stored and not deployed is sent once more
                    found = VerbCall(account, verb, account.provider, one)
                assert isinstance(found.answer, Done), (verb, name, asked, found.answer)
                found.is_true((name, asked, "again"))
            account.wipe()
    assert "/_sandbox/elsewhere" not in [one.path for one in account.sandbox.exchanges()]


@pytest.mark.parametrize("seconds", [2, 3000])
def test_being_told_to_slow_down_is_passed_on_wherever_it_is_said(account, seconds):
    for verb, asked in situations(account):
        one = verb.prepare(account)
        account.sandbox.faults.plan(fault_named("rate-limited", retry_after=seconds), verb=asked, times=None)
        account.api.asked.clear()
        found = VerbCall(account, verb, account.provider, one)
        if asked == "get" and asked not in account.api.asked:
            continue  # that the account has no such request was remembered
        assert isinstance(found.answer, Retry | Unknown), (verb, asked, found.answer)
        if account.api.asked[-1] == asked:
            assert found.answer.after == timedelta(seconds=seconds), (verb, asked, found.answer)
        found.is_true(asked)
        account.wipe()


def test_the_first_request_that_is_told_to_slow_down_is_a_retry_for_certain(account):
    for verb in VERBS.values():
        if verb.able(account.provider.capabilities):
            one = verb.prepare(account)
            account.sandbox.faults.plan(fault_named("rate-limited", retry_after=3000), times=None)
            found = VerbCall(account, verb, account.provider, one)
            assert isinstance(found.answer, Retry), (verb, found.answer)
            assert (found.answer.why, found.answer.after) == (Wait.RATE_LIMITED, timedelta(seconds=3000))
            assert found.after == found.before
            account.wipe()


@pytest.mark.parametrize("fault", ["error", "unavailable", "empty", "html", "reset", "half-body", "huge"])
def test_what_says_nothing_about_what_was_done_is_unknown(account, fault):
    for verb in VERBS.values():
        if verb.able(account.provider.capabilities):
            one = verb.prepare(account)
            account.sandbox.faults.plan(fault, times=None)
            found = VerbCall(account, verb, account.provider, one)
            # A body that should be empty, or need not be there, may be missing.
            said_enough = fault in ("empty", "half-body") and isinstance(found.answer, Done)
            assert isinstance(found.answer, Unknown) or said_enough, (verb, found.answer)
            found.is_true(fault)
            account.wipe()


# -- answers in another form


def honest_fields(account: AccountUnderTest, verb: VerbCheck, asked: str) -> dict[str, Any]:
    """Every field of the honest answers to the simulation's verb, while this verb is asked."""
    said: dict[str, Any] = {}
    one = verb.prepare(account)
    account.api.change_answer = change_answers_to(asked, lambda whole: said.update(fields_of(whole)) or whole)
    done_value(verb.ask(account, account.provider, one))
    account.wipe()
    return said


def test_fields_that_nobody_expects_change_nothing(account):
    for verb, asked in situations(account):
        one = verb.prepare(account)
        account.api.change_answer = change_answers_to(asked, with_unexpected_fields)
        found = VerbCall(account, verb, account.provider, one)
        assert isinstance(found.answer, Done), (verb, asked, found.answer)
        found.is_true(asked)
        account.wipe()


def test_a_field_that_is_missing_never_makes_an_answer_untrue(account):
    for verb, asked in situations(account):
        for key in honest_fields(account, verb, asked):
            one = verb.prepare(account)
            account.api.change_answer = change_answers_to(asked, without_field(key))
            VerbCall(account, verb, account.provider, one).is_true((asked, key))
            account.wipe()


def test_a_field_of_another_type_never_makes_an_answer_untrue(account):
    for verb, asked in situations(account):
        for key, right in honest_fields(account, verb, asked).items():
            for wrong in values_of_other_types(right):
                one = verb.prepare(account)
                account.api.change_answer = change_answers_to(asked, with_field_value(key, wrong))
                VerbCall(account, verb, account.provider, one).is_true((asked, key, wrong))
                account.wipe()


@pytest.mark.parametrize("whole", [None, [], {}, 7, "x", True, [[]], {"data": None}, {"objects": {}}])
def test_another_document_altogether_never_makes_an_answer_untrue(account, whole):
    for verb, asked in situations(account):
        one = verb.prepare(account)
        account.api.change_answer = change_answers_to(asked, lambda _: whole)
        VerbCall(account, verb, account.provider, one).is_true((asked, whole))
        account.wipe()


def test_an_answer_about_another_credential_is_never_taken_for_this_one(account):
    for verb, asked in situations(account):
        if not verb.writes:  # a listing without it cannot be told from one that leaves it out
            continue
        one, other = verb.prepare(account), account.add("bystander", THIRD)

        def confuse(whole: Any, one: Credential = one, other: Credential = other) -> Any:
            meant = account.record_of(one) or account.records()[-1]
            names = {account.description.identity(meant): str(other.id), meant.username: other.username}
            return about_another({**names, str(meant.extra.get("name")): "by hand"})(whole)

        account.api.change_answer = change_answers_to(asked, confuse)
        VerbCall(account, verb, account.provider, one).is_true(asked)
        account.wipe()


# -- redirects


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_never_followed(account, status):
    with other_host() as (elsewhere, visitors):
        for verb in VERBS.values():
            if verb.able(account.provider.capabilities):
                one = verb.prepare(account)
                account.api.change_answer = redirect_to(status, elsewhere)
                found = VerbCall(account, verb, account.provider, one)
                assert isinstance(found.answer, Unknown), (verb, found.answer)
                account.wipe()
        assert visitors == []


# -- secrets


@pytest.mark.parametrize("status", [200, 400, 401, 409, 422, 429, 500])
def test_an_error_that_repeats_key_and_password_leaves_them_unsaid(account, status, caplog):
    caplog.set_level(logging.DEBUG)
    for secret in (KEY, SECOND):
        for verb in VERBS.values():
            if verb.able(account.provider.capabilities):
                one = verb.prepare(account)
                account.api.change_answer = error_that_repeats(secret.reveal(), status)
                VerbCall(account, verb, account.provider, one)
                account.wipe()
    redactor = Redactor()
    redactor.add(*account.secrets())
    for line in caplog.text.splitlines():  # a long text would be cut
        assert redactor.clean(line) == line


# -- listings


def fill_pages(account: AccountUnderTest) -> list[Credential]:
    """Two pages and a half; what is looked for is on the last one, whichever end the listing begins at."""
    page = account.description.page or 100
    return [account.add(f"filler{number}") for number in range(page * 5 // 2)]


def without_ids(filled: list[Credential]) -> list[Credential]:
    """By username, so that the listing has to be read."""
    ends = (filled[0], filled[-1])
    return [replace(one, id=None, password=None) for one in ends]


def test_a_listing_of_several_pages_is_read_to_its_end(account):
    filled = fill_pages(account)
    for wanted, one in zip(without_ids(filled), (filled[0], filled[-1]), strict=True):
        assert [each.id for each in done_value(account.provider.find(wanted))] == [one.id]
    assert done_value(account.provider.find(Credential("prod", "nosuchuser"))) == ()


@pytest.mark.parametrize("fault", ["repeated-page", "changing-listing"])
def test_a_page_that_repeats_proves_no_absence_and_a_listing_that_changes_hides_nothing(account, fault):
    filled = fill_pages(account)
    account.sandbox.faults.plan(fault, verb="list", times=None)
    for wanted in without_ids(filled):
        answer = account.ask_in_time(account.provider, lambda wanted=wanted: account.provider.find(wanted))
        assert answer != Done(())
    sent = len(account.sent_methods())
    absent = account.ask_in_time(account.provider, lambda: account.provider.find(Credential("prod", "nosuchuser")))
    assert len(account.sent_methods()) - sent < 50
    if account.description.page is not None:
        assert absent == Done(()) if fault == "changing-listing" else isinstance(absent, Unknown)


# -- time


@pytest.mark.parametrize("fault", ["silence", "silence-after-commit", "drip"])
def test_every_call_ends_in_time_however_slow_the_provider_is(description: KindDescription, fault):
    with AccountUnderTest(description, clock=SystemClock(Event())) as account:
        for verb in VERBS.values():
            if verb.able(account.provider.capabilities):
                one = verb.prepare(account)
                account.sandbox.faults.plan(fault, times=None)
                found = VerbCall(account, verb, account.open_provider(timeouts=HURRIED), one)
                # An answer without a body has nothing that could drip.
                assert isinstance(found.answer, Unknown | Retry) or fault == "drip", (verb, found.answer)
                found.is_true(fault)
                account.wipe()


def test_a_proof_ends_in_time_where_registrar_or_gateway_are_silent(description: KindDescription):
    if "prove" in description.gaps:
        return  # neither is asked
    with AccountUnderTest(description, clock=SystemClock(Event())) as account:
        provider = account.open_provider(timeouts=HURRIED, proves=True)
        for verb in ("register", "gateway"):
            account.sandbox.faults.plan("silence", verb=verb, times=None)
        answer = account.ask_in_time(provider, lambda: provider.prove(account.add()))
        assert isinstance(answer, Retry | Unknown)


def test_nothing_listens_is_a_retry_for_certain(account):
    provider = account.open_provider(url="http://127.0.0.1:1")
    for verb in VERBS.values():
        if verb.able(account.provider.capabilities):
            one = verb.prepare(account)
            found = VerbCall(account, verb, provider, one)
            assert isinstance(found.answer, Retry), (verb, found.answer)
            assert found.answer.why is Wait.UNREACHABLE
            account.wipe()
