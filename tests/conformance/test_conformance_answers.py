"""Bad answers: whatever a provider says, or does not say, each kind answers truly, in time, and keeps its secrets."""

import logging
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from threading import Event
from typing import Any

import pytest
from place import KEY, QUICK, SECOND, THIRD, Place, value
from provider_bench import raw_server
from row import Row
from twists import echo, keys, of_another, on_verb, redirect, with_noise, with_value, without, wrong_types
from verbs import VERBS, Verb

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


class Asked:
    """One verb that was asked once, and what the provider held before and after."""

    def __init__(self, place: Place, verb: Verb, provider: Provider, one: Credential) -> None:
        self.place, self.verb, self.one = place, verb, one
        self.before = place.snapshot()
        self.answer: Answer[Any] = place.within(provider, lambda: verb.ask(place, provider, one))
        self.after = place.snapshot()

    def is_true(self, where: object) -> None:
        """The answer is true of what the provider holds."""
        if isinstance(self.answer, Done):
            assert self.verb.holds(self.place, self.one, self.answer.value), (self.verb, where, self.answer)
        elif isinstance(self.answer, Refused) or (isinstance(self.answer, Retry) and self.answer.why in SURE):
            assert self.after == self.before, (self.verb, where, self.answer)
        else:
            assert isinstance(self.answer, Retry | Unknown), (self.verb, where, self.answer)


def situations(place: Place) -> Iterator[tuple[Verb, str]]:
    """Each verb that the kind has, and each of the simulation's verbs that it sends; the place is wiped after each."""
    for verb in VERBS.values():
        if not verb.able(place.honest.capabilities):
            continue
        one = verb.prepare(place)
        place.api.asked.clear()
        verb.ask(place, place.honest, one)
        for asked in dict.fromkeys(place.api.asked):
            place.wipe()
            yield verb, asked
        place.wipe()


def other_host() -> Any:
    """A server that everybody could be sent to; it counts who comes."""
    return raw_server(lambda connection, stop: connection.close())


@pytest.mark.parametrize("name", CATALOGUE)
def test_under_every_fault_the_answer_is_true_and_the_same_again_ends_as_wanted(place, name):
    fault = fault_named(name, **({"seconds": 0.02} if name in LATE else {}))
    waits = fault.kind in ON_THE_WIRE - {FaultKind.RESET, FaultKind.HALF}
    provider = place.open(timeouts=QUICK) if waits else place.honest
    for verb, asked in situations(place):
        for times in (1,) if waits else (1, None):
            one = verb.prepare(place)
            place.sandbox.faults.plan(fault, verb=asked, times=times)
            found = Asked(place, verb, provider, one)
            found.is_true((name, asked, times))
            place.sandbox.faults.clear()
            if verb.name != "create":
                for _ in range(2):  # what was stored and not deployed is sent once more
                    found = Asked(place, verb, place.honest, one)
                assert isinstance(found.answer, Done), (verb, name, asked, found.answer)
                found.is_true((name, asked, "again"))
            place.wipe()
    assert "/_sandbox/elsewhere" not in [one.path for one in place.sandbox.exchanges()]


@pytest.mark.parametrize("seconds", [2, 3000])
def test_being_told_to_slow_down_is_passed_on_wherever_it_is_said(place, seconds):
    for verb, asked in situations(place):
        one = verb.prepare(place)
        place.sandbox.faults.plan(fault_named("rate-limited", retry_after=seconds), verb=asked, times=None)
        found = Asked(place, verb, place.honest, one)
        assert isinstance(found.answer, Retry | Unknown), (verb, asked, found.answer)
        if place.api.asked[-1] == asked:
            assert found.answer.after == timedelta(seconds=seconds), (verb, asked, found.answer)
        found.is_true(asked)
        place.wipe()


def test_the_first_request_that_is_told_to_slow_down_is_a_retry_for_certain(place):
    for verb in VERBS.values():
        if verb.able(place.honest.capabilities):
            one = verb.prepare(place)
            place.sandbox.faults.plan(fault_named("rate-limited", retry_after=3000), times=None)
            found = Asked(place, verb, place.honest, one)
            assert isinstance(found.answer, Retry), (verb, found.answer)
            assert (found.answer.why, found.answer.after) == (Wait.RATE_LIMITED, timedelta(seconds=3000))
            assert found.after == found.before
            place.wipe()


@pytest.mark.parametrize("fault", ["error", "unavailable", "empty", "html", "reset", "half-body", "huge"])
def test_what_says_nothing_about_what_was_done_is_unknown(place, fault):
    for verb in VERBS.values():
        if verb.able(place.honest.capabilities):
            one = verb.prepare(place)
            place.sandbox.faults.plan(fault, times=None)
            found = Asked(place, verb, place.honest, one)
            # A body that should be empty, or need not be there, may be missing.
            said_enough = fault in ("empty", "half-body") and isinstance(found.answer, Done)
            assert isinstance(found.answer, Unknown) or said_enough, (verb, found.answer)
            found.is_true(fault)
            place.wipe()


# -- answers in another form


def spoken(place: Place, verb: Verb, asked: str) -> dict[str, Any]:
    """Every field of the honest answers to the simulation's verb, while this verb is asked."""
    said: dict[str, Any] = {}
    one = verb.prepare(place)
    place.api.twist = on_verb(asked, lambda whole: said.update(keys(whole)) or whole)
    value(verb.ask(place, place.honest, one))
    place.wipe()
    return said


def test_fields_that_nobody_expects_change_nothing(place):
    for verb, asked in situations(place):
        one = verb.prepare(place)
        place.api.twist = on_verb(asked, with_noise)
        found = Asked(place, verb, place.honest, one)
        assert isinstance(found.answer, Done), (verb, asked, found.answer)
        found.is_true(asked)
        place.wipe()


def test_a_field_that_is_missing_never_makes_an_answer_untrue(place):
    for verb, asked in situations(place):
        for key in spoken(place, verb, asked):
            one = verb.prepare(place)
            place.api.twist = on_verb(asked, without(key))
            Asked(place, verb, place.honest, one).is_true((asked, key))
            place.wipe()


def test_a_field_of_another_type_never_makes_an_answer_untrue(place):
    for verb, asked in situations(place):
        for key, right in spoken(place, verb, asked).items():
            for wrong in wrong_types(right):
                one = verb.prepare(place)
                place.api.twist = on_verb(asked, with_value(key, wrong))
                Asked(place, verb, place.honest, one).is_true((asked, key, wrong))
                place.wipe()


@pytest.mark.parametrize("whole", [None, [], {}, 7, "x", True, [[]], {"data": None}, {"objects": {}}])
def test_another_document_altogether_never_makes_an_answer_untrue(place, whole):
    for verb, asked in situations(place):
        one = verb.prepare(place)
        place.api.twist = on_verb(asked, lambda _: whole)
        Asked(place, verb, place.honest, one).is_true((asked, whole))
        place.wipe()


def test_an_answer_about_another_credential_is_never_taken_for_this_one(place):
    for verb, asked in situations(place):
        if not verb.writes:  # a listing without it cannot be told from one that leaves it out
            continue
        one, other = verb.prepare(place), place.add("bystander", THIRD)

        def confuse(whole: Any, one: Credential = one, other: Credential = other) -> Any:
            meant = place.held(one) or place.records()[-1]
            names = {place.row.identity(meant): str(other.id), meant.username: other.username}
            return of_another({**names, str(meant.extra.get("name")): "by hand"})(whole)

        place.api.twist = on_verb(asked, confuse)
        Asked(place, verb, place.honest, one).is_true(asked)
        place.wipe()


# -- redirects


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_never_followed(place, status):
    with other_host() as (elsewhere, visitors):
        for verb in VERBS.values():
            if verb.able(place.honest.capabilities):
                one = verb.prepare(place)
                place.api.twist = redirect(status, elsewhere)
                found = Asked(place, verb, place.honest, one)
                assert isinstance(found.answer, Unknown), (verb, found.answer)
                place.wipe()
        assert visitors == []


# -- secrets


@pytest.mark.parametrize("status", [200, 400, 401, 409, 422, 429, 500])
def test_an_error_that_repeats_key_and_password_leaves_them_unsaid(place, status, caplog):
    caplog.set_level(logging.DEBUG)
    for secret in (KEY, SECOND):
        for verb in VERBS.values():
            if verb.able(place.honest.capabilities):
                one = verb.prepare(place)
                place.api.twist = echo(secret.reveal(), status)
                Asked(place, verb, place.honest, one)
                place.wipe()
    redactor = Redactor()
    redactor.add(*place.secrets())
    assert redactor.clean(caplog.text) == caplog.text


# -- listings


def fill(place: Place) -> list[Credential]:
    """Two pages and a half; what is looked for is on the last one, whichever end the listing begins at."""
    page = place.row.page or 100
    return [place.add(f"filler{number}") for number in range(page * 5 // 2)]


def looked_for(filled: list[Credential]) -> list[Credential]:
    """By username, so that the listing has to be read."""
    ends = (filled[0], filled[-1])
    return [replace(one, id=None, password=None) for one in ends]


def test_a_listing_of_several_pages_is_read_to_its_end(place):
    filled = fill(place)
    for wanted, one in zip(looked_for(filled), (filled[0], filled[-1]), strict=True):
        assert [each.id for each in value(place.honest.find(wanted))] == [one.id]
    assert value(place.honest.find(Credential("prod", "nosuchuser"))) == ()


@pytest.mark.parametrize("fault", ["repeated-page", "changing-listing"])
def test_a_page_that_repeats_or_a_listing_that_changes_never_proves_absence(place, fault):
    filled = fill(place)
    place.sandbox.faults.plan(fault, verb="list", times=None)
    for wanted in looked_for(filled):
        answer = place.within(place.honest, lambda wanted=wanted: place.honest.find(wanted))
        assert answer != Done(())
    sent = len(place.sent())
    absent = place.within(place.honest, lambda: place.honest.find(Credential("prod", "nosuchuser")))
    assert len(place.sent()) - sent < 50
    if place.row.page is not None:
        assert isinstance(absent, Unknown)


# -- time


@pytest.mark.parametrize("fault", ["silence", "silence-after-commit", "drip"])
def test_every_call_ends_in_time_however_slow_the_provider_is(row: Row, fault):
    with Place(row, clock=SystemClock(Event())) as place:
        for verb in VERBS.values():
            if verb.able(place.honest.capabilities):
                one = verb.prepare(place)
                place.sandbox.faults.plan(fault, times=None)
                found = Asked(place, verb, place.open(timeouts=HURRIED), one)
                # An answer without a body has nothing that could drip.
                assert isinstance(found.answer, Unknown | Retry) or fault == "drip", (verb, found.answer)
                found.is_true(fault)
                place.wipe()


def test_a_proof_ends_in_time_where_registrar_or_gateway_are_silent(row: Row):
    if "prove" in row.gaps:
        return  # neither is asked
    with Place(row, clock=SystemClock(Event())) as place:
        provider = place.open(timeouts=HURRIED, proves=True)
        for verb in ("register", "gateway"):
            place.sandbox.faults.plan("silence", verb=verb, times=None)
        answer = place.within(provider, lambda: provider.prove(place.add()))
        assert isinstance(answer, Retry | Unknown)


def test_nothing_listens_is_a_retry_for_certain(place):
    provider = place.open(url="http://127.0.0.1:1")
    for verb in VERBS.values():
        if verb.able(place.honest.capabilities):
            one = verb.prepare(place)
            found = Asked(place, verb, provider, one)
            assert isinstance(found.answer, Retry), (verb, found.answer)
            assert found.answer.why is Wait.UNREACHABLE
            place.wipe()
