"""Telnyx: whatever is answered, no method raises, says `Done` without evidence, or lets a secret out."""

import json
import logging
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from long_runs import examples
from provider_fixtures import (
    PASSWORD,
    TOKEN,
    FakeNetwork,
    account_options,
    answer,
    answers_in_turn,
    credential,
    provider_on,
)

from rotator.core.answers import Done, Refusal, Refused, Retry, Unknown, Wait
from rotator.core.secret import Secret
from rotator.ports import Provider
from rotator.providers.http.calls import PATIENCE
from rotator.providers.telnyx.api import read_moment
from rotator.testing import FakeClock

ATTEMPT = "attempt0001"
NOW = FakeClock().now()
AT = NOW + timedelta(hours=1)
ONE, MANY_OF = "/telephony_credentials/id-1", "/telephony_credentials"


def telephony(handler) -> tuple[Provider, FakeNetwork]:
    network = FakeNetwork(handler)
    return provider_on(network, "telnyx"), network


def connections(handler) -> tuple[Provider, FakeNetwork]:
    network = FakeNetwork(handler)
    return provider_on(network, "telnyx-connection"), network


def credential_json(identity="id-1", **more) -> dict[str, Any]:
    """One object that passes for either resource."""
    return {
        "id": identity,
        "name": f"rotator/office/{ATTEMPT}",
        "resource_id": "connection:conn1",
        "expired": False,
        "sip_username": "phone1",
        "sip_password": PASSWORD,
        "expires_at": None,
        "user_name": "phone1",
        "password": PASSWORD,
        "active": True,
    } | more


def data(**more) -> httpx.Response:
    return answer(200, {"data": credential_json(**more)})


def page(*objects, total=None, number=1) -> httpx.Response:
    meta = {"total_results": len(objects) if total is None else total, "page_number": number}
    return answer(200, {"data": list(objects), "meta": meta})


def request_paths(network) -> list[str]:
    return [f"{request.method} {request.url.path}" for request in network.sent]


METHODS = {
    "find": lambda provider: provider.find(credential()),
    "find by name": lambda provider: provider.find(credential(None)),
    "find by attempt": lambda provider: provider.find(credential(None, "", None, attempt=ATTEMPT)),
    "create": lambda provider: provider.create(credential(None, "", None, attempt=ATTEMPT), "office"),
    "complete": lambda provider: provider.complete(credential("id-1", "phone1", None, attempt=ATTEMPT)),
    "set_password": lambda provider: provider.set_password(credential()),
    "enable": lambda provider: provider.enable(credential()),
    "expire": lambda provider: provider.expire(credential(), AT),
    "disable": lambda provider: provider.disable(credential()),
    "delete": lambda provider: provider.delete(credential()),
    "prove": lambda provider: provider.prove(credential()),
}
SECRETS = st.sampled_from([PASSWORD, TOKEN, f"x {PASSWORD} y", f"Bearer {TOKEN}"])
WORDS = st.sampled_from(
    [*credential_json(), "data", "meta", "errors", "code", "status", "total_results", "page_number"]
)
MOMENTS = st.sampled_from(["2026-01-05T12:00:00", "2042-06-18T21:32:38.000Z", "9999-12-31T23:59:59-23:59", "now"])
LEAVES = (
    st.none()
    | st.booleans()
    | st.integers(-2, 3)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8)
    | SECRETS
    | MOMENTS
    | st.sampled_from(["true", "false", "id-1", "connection:conn1", "10015"])
)
ANYTHING = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS | SECRETS, inner, max_size=5),
    max_leaves=12,
)


@st.composite
def nearly_right(draw) -> Any:
    """A right answer with some parts replaced by anything: where wrong answers are believed."""
    one = credential_json() | draw(st.dictionaries(WORDS, LEAVES | ANYTHING, max_size=2))
    for name in draw(st.lists(st.sampled_from([*one]), max_size=1)):
        del one[name]
    meta = draw(st.just({"total_results": 1, "page_number": 1}) | ANYTHING)
    listed = {"data": draw(st.lists(st.just(one) | ANYTHING, max_size=2)), "meta": meta}
    return draw(st.sampled_from([{"data": one}, {"data": one}, listed, one]))


CONTENT = (ANYTHING | nearly_right()).map(lambda body: json.dumps(body).encode()) | st.sampled_from(
    [b"", b"<html>" + PASSWORD.encode(), b"[" * 500, b'{"data": NaN}', b'{"data": "\\ud800"}', b"\xff"]
)
HEADERS = st.dictionaries(
    st.sampled_from(["x-ratelimit-reset", "Retry-After", "Location"]),
    st.sampled_from(["0", "-1", "1e9", "99999999999999999999", TOKEN]),
    max_size=1,
)
STATUS = st.sampled_from([200, 200, 201, 204, 307, 400, 401, 403, 404, 409, 422, 429, 500, 503])
RESPONSES = st.builds(
    lambda status, content, headers: httpx.Response(status, headers=headers, stream=httpx.ByteStream(content)),
    STATUS,
    CONTENT,
    HEADERS,
)
FAULTS = st.sampled_from([httpx.ConnectError(TOKEN), httpx.ReadTimeout(PASSWORD), httpx.ReadError(TOKEN)])
MANY = examples(60)


def endlessly(steps) -> Callable[[httpx.Request], httpx.Response]:
    """The steps, then the last one for ever."""

    def handle(request) -> httpx.Response:
        step = steps.pop(0) if len(steps) > 1 else steps[0]
        if isinstance(step, Exception):
            raise step
        return step

    return handle


@pytest.mark.parametrize("make", [telephony, connections])
@pytest.mark.parametrize("method", METHODS)
@MANY
@given(steps=st.lists(RESPONSES | FAULTS, min_size=1, max_size=4))
def test_nothing_is_raised_leaked_or_unbounded(make, method, steps, caplog):
    caplog.clear()
    caplog.set_level(logging.DEBUG)
    provider, network = make(endlessly(list(steps)))
    result = METHODS[method](provider)
    assert isinstance(result, Done | Refused | Retry | Unknown)
    assert network.clock.monotonic() - 1000 <= network.http.longest_call.total_seconds() + PATIENCE
    said = caplog.text + repr(network.meter.requests) + ("" if isinstance(result, Done) else result.message)
    for secret in (PASSWORD, TOKEN):
        assert secret not in said
        # Ids, names and attempts are shown, and nothing keeps a provider from calling them by a password.
        fields = [f"{name}='{secret}" for name in ("username", "id", "attempt")]
        text = repr(result)
        for field in fields:
            text = text.replace(field, "")
        assert secret not in text


@pytest.mark.parametrize("make", [telephony, connections])
@pytest.mark.parametrize("method", METHODS)
@MANY
@given(status=st.integers(300, 599), content=CONTENT)
def test_without_a_single_success_nothing_is_done(make, method, status, content):
    provider, _ = make(lambda _: httpx.Response(status, content=content))
    assert not isinstance(METHODS[method](provider), Done)


@pytest.mark.parametrize("make", [telephony, connections])
@pytest.mark.parametrize("method", [name for name in METHODS if not name.startswith("find")])
@MANY
@given(body=ANYTHING)
def test_a_success_that_shows_nothing_of_the_credential_is_not_done(make, method, body):
    provider, _ = make(lambda _: httpx.Response(200, content=json.dumps(body).encode()))
    if not (isinstance(body, dict) and "data" in body):
        assert not isinstance(METHODS[method](provider), Done)


@pytest.mark.parametrize("method", ["create", "complete", "enable", "expire", "delete", "prove", "disable"])
@pytest.mark.parametrize(
    "wrong",
    [
        {"id": "id-2"},
        {"id": None},
        {"id": ["id-1"]},
        {"expired": "maybe"},
        {"expired": 0},
        {"expires_at": "soon"},
        {"expires_at": 5},
        {"sip_username": None},
        {"sip_username": "a b"},
        {"sip_username": "a\r\nb"},
    ],
    ids=str,
)
def test_an_object_with_a_wrong_part_is_not_believed(method, wrong):
    provider, _ = telephony(lambda _: data(**wrong))
    if not (method == "create" and wrong == {"id": "id-2"}):
        assert isinstance(METHODS[method](provider), Unknown)


@pytest.mark.parametrize(
    "wrong",
    [
        {"sip_password": None},
        {"sip_password": ""},
        {"sip_password": 5},
        {"resource_id": "conn2"},
        {"resource_id": "connection:other"},
        {"resource_id": None},
        {"name": "rotator/office/other"},
        {"name": None},
        {"expired": True},
        {"expired": "true"},
        {"expires_at": "2030-01-01T00:00:00Z"},
    ],
    ids=str,
)
def test_a_create_that_brings_something_else_is_looked_for_by_its_name(wrong):
    provider, network = telephony(lambda _: answer(201, {"data": credential_json(**wrong)}))
    assert isinstance(METHODS["create"](provider), Unknown)
    assert len(network.sent) == 1


def test_a_create_is_never_sent_twice_and_carries_the_attempt_and_no_password():
    provider, network = telephony(lambda _: answer(503))
    assert isinstance(METHODS["create"](provider), Unknown)
    assert network.bodies == [
        {"connection_id": "conn1", "name": f"rotator/office/{ATTEMPT}", "tag": f"rotator-{ATTEMPT}"}
    ]


def test_the_text_false_does_not_mean_expired():
    provider, _ = telephony(lambda _: data(expired="false"))
    assert provider.find(credential()).value[0].enabled
    provider, _ = telephony(lambda _: data(expired="true"))
    assert not provider.find(credential()).value[0].enabled


@pytest.mark.parametrize("ends", ["2026-01-05T12:00:00", "2026-01-05T12:00:00.000Z", "2026-01-05T13:00:00+01:00"])
def test_an_end_that_has_come_counts_even_where_expired_lags(ends):
    provider, network = telephony(lambda _: data(expires_at=ends))
    assert provider.disable(credential()) == Done(None)
    assert METHODS["enable"](provider).why is Refusal.EXPIRED
    assert {request.method for request in network.sent} == {"GET"}


@pytest.mark.parametrize(
    ("text", "hour"), [("2020-06-18T21:32:38", 21), ("2020-06-18T21:32:38.5Z", 21), ("2020-06-18T21:32:38+02:00", 19)]
)
def test_moments_are_read_with_and_without_zone_and_fraction(text, hour):
    assert read_moment(text).hour == hour
    assert read_moment(text).utcoffset() == timedelta()


@pytest.mark.parametrize(
    "text", ["", "soon", "9999-12-31T23:59:59-23:59", "0001-01-01T00:00:00+23:59", "2" * 50, None, 5]
)
def test_other_moments_are_not(text):
    assert read_moment(text) is None


def test_errors_as_an_object_are_an_answer_like_any_other():
    refused = answer(422, {"errors": {"status": "can't update credentials in expired status"}})
    provider, _ = telephony(answers_in_turn(refused, data(expired=True)))
    assert provider.expire(credential(), AT).why is Refusal.EXPIRED
    provider, _ = telephony(answers_in_turn(refused, data()))
    result = provider.expire(credential(), AT)
    assert result.why is Refusal.INVALID
    assert "can't" not in result.message


def test_the_limit_is_that_of_the_header():
    problem = {"errors": [{"code": "10011", "title": "Too many requests"}]}
    provider, _ = telephony(lambda _: answer(429, problem, headers={"x-ratelimit-reset": "17"}))
    result = METHODS["create"](provider)
    assert (result.why, result.after) == (Wait.RATE_LIMITED, timedelta(seconds=17))
    assert "10011" in result.message


def test_a_delete_shows_the_password_once_more_and_nothing_of_it_is_kept(caplog):
    caplog.set_level(logging.DEBUG)
    provider, network = telephony(answers_in_turn(data()))
    assert provider.delete(credential()) == Done(None)
    assert PASSWORD not in caplog.text + repr(network.meter.requests)


def test_a_404_is_believed_with_the_listing_only():
    gone = answer(404, {"errors": [{"code": "10005", "title": "Resource not found"}]})
    provider, network = telephony(answers_in_turn(gone, page(credential_json("id-2"))))
    assert provider.delete(credential()).why is Refusal.NOT_FOUND
    assert request_paths(network) == [f"DELETE {ONE}", f"GET {MANY_OF}"]
    provider, _ = telephony(answers_in_turn(gone, page(credential_json())))
    assert provider.delete(credential()).why is Refusal.OTHER
    provider, _ = telephony(answers_in_turn(gone, answer(200, {"data": "?"})))
    assert isinstance(provider.delete(credential()), Unknown)


@pytest.mark.parametrize("identity", ["", "..", "a/b", "a?b"])
@pytest.mark.parametrize("make", [telephony, connections])
def test_an_id_that_cannot_stand_in_a_path_is_not_sent(make, identity):
    provider, network = make(answers_in_turn(page()))
    for method in ("complete", "enable", "expire", "disable", "delete", "set_password"):
        more = (AT,) if method == "expire" else ()
        assert isinstance(getattr(provider, method)(credential(identity), *more), Refused)
    assert provider.find(credential(identity)) == Done(())
    assert len(network.sent) == 1


@MANY
@given(
    pages=st.lists(st.lists(st.integers(0, 5), max_size=3), min_size=1, max_size=4),
    total=st.none() | st.integers(0, 7),
    honest=st.booleans(),
)
def test_absence_is_only_stated_after_a_listing_that_adds_up(pages, total, honest):
    sent = []

    def handle(request) -> httpx.Response:
        sent.append(int(request.url.params["page[number]"]))
        listed = pages[(len(sent) - 1) % len(pages)]
        meta = ({} if total is None else {"total_results": total}) | ({"page_number": sent[-1]} if honest else {})
        objects = [credential_json(f"id-{number}", sip_username=f"phone{number}", name="x") for number in listed]
        return httpx.Response(200, json={"data": objects, "meta": meta})

    provider, _ = telephony(handle)
    result = provider.find(credential(None, "phone5"))
    seen = {number for listed in (pages * len(sent))[: len(sent)] for number in listed}
    if isinstance(result, Done) and not result.value:
        assert 5 not in seen
        assert total is None or len(seen) >= total
    if isinstance(result, Done) and result.value:
        assert 5 in seen


def test_a_connection_is_patched_with_its_password_and_nothing_else():
    provider, network = connections(answers_in_turn(data(), data()))
    assert provider.set_password(credential()).value.password == Secret(PASSWORD)
    assert request_paths(network) == [f"{method} /credential_connections/id-1" for method in ("GET", "PATCH")]
    assert network.bodies == [{"password": PASSWORD}]


@pytest.mark.parametrize("said", [{"password": "another-one"}, {"password": None}, {"id": "id-2"}])
def test_a_connection_that_shows_another_password_is_read_back(said):
    provider, network = connections(answers_in_turn(data(), data(**said), data()))
    assert isinstance(provider.set_password(credential()), Done)
    assert request_paths(network)[2:] == ["GET /credential_connections/id-1"]
    provider, _ = connections(lambda _: data(**said))
    assert isinstance(provider.set_password(credential()), Unknown)


def test_what_a_connection_cannot_do_is_refused_without_a_request():
    provider, network = connections(answers_in_turn())
    for method in ("create", "complete", "expire", "disable", "delete"):
        assert METHODS[method](provider).why is Refusal.UNSUPPORTED
    assert network.sent == []


@pytest.mark.parametrize("wrong", ["", "a b", "../x", "x" * 65 * 2])
def test_a_connection_id_that_cannot_be_one_is_refused(wrong):
    with pytest.raises(ValueError, match="connection_id"):
        account_options("telnyx", connection_id=wrong)
