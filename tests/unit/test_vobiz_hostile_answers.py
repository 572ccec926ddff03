"""Whatever a provider answers, no method raises, says `Done` without evidence, or lets a secret out."""

import json
import logging
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from long_runs import examples
from provider_fixtures import PASSWORD, TOKEN, answers_in_turn, credential, endpoints, trunk_json, vobiz

from rotator.core.answers import Answer, Done, Refused, Retry, Unknown
from rotator.providers.http.calls import PATIENCE

# What a provider may echo: whole secrets, and secrets inside of other text.
SECRETS = st.sampled_from([PASSWORD, TOKEN, f"x {PASSWORD} y", f"{TOKEN}\n", f"bearer {TOKEN}"])
WORDS = st.sampled_from(
    [
        "id",
        "username",
        "enabled",
        "objects",
        "meta",
        "total",
        "error",
        "errors",
        "code",
        "value",
        "realm",
        "endpoint_id",
    ]
)
LEAVES = (
    st.none() | st.booleans() | st.integers(-5, 5) | st.integers() | st.floats() | st.text(max_size=8) | SECRETS
) | st.sampled_from(["id-1", "phone1", "VALIDATION_ERROR", "<redacted>"])
ANYTHING = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(WORDS | st.text(max_size=3) | SECRETS, inner, max_size=5)
    ),
    max_leaves=12,
)


@st.composite
def nearly_right(draw) -> Any:
    """A right answer with some parts replaced by anything: where wrong answers are believed."""
    one = trunk_json() | draw(st.dictionaries(WORDS, LEAVES, max_size=2))
    page = {"meta": {"total": draw(st.integers(0, 2))}, "objects": draw(st.lists(st.just(one) | ANYTHING, max_size=2))}
    return draw(st.sampled_from([one, page, page, {"meta": draw(ANYTHING), "objects": [one]}]))


# The three shapes of an error, with a secret wherever there is room for one.
ERRORS = st.builds(
    lambda code, value: {
        "error": {
            "code": code,
            "message": value,
            "details": {"errors": [{"field": "password", "code": code, "value": value}]},
        },
        "errors": [{"code": value, "detail": value}],
        "code": value,
    },
    SECRETS | st.sampled_from(["VALIDATION_ERROR", "RATE_LIMIT_EXCEEDED"]),
    SECRETS | st.integers(),
)
CONTENT = (
    (ANYTHING | nearly_right() | ERRORS).map(lambda body: json.dumps(body).encode())
    | st.binary(max_size=30)
    | st.sampled_from(
        [b"", b"<html>" + PASSWORD.encode(), b"[" * 500, b'{"a": NaN}', b'"\\ud800"', b"1e999", b"\xef\xbb\xbf{}"]
    )
)
# Values that a server can send: httpx hands bytes on as they are.
HEADER = st.sampled_from(
    ["Retry-After", "x-ratelimit-reset", "Location", "Content-Type", "Set-Cookie", "Content-Encoding"]
)
HEADERS = st.dictionaries(
    HEADER,
    SECRETS.map(str.strip)
    | st.sampled_from(
        [
            "0",
            "1",
            "-1",
            "1e9",
            "99999999999999999999",
            "gzip",
            "Mon, 05 Jan 2026 12:00:09 GMT",
            "Sun, 31 Dec 9999 23:59:59 -2359",
        ]
    )
    | st.text("abc: ,;0123456789", max_size=20),
    max_size=2,
)
STATUS = st.sampled_from([200, 201, 202, 204, 301, 400, 401, 402, 403, 404, 409, 422, 429, 500, 503]) | st.integers(
    100, 999
)
FAULTS = st.sampled_from(
    [
        httpx.ConnectError(TOKEN),
        httpx.ReadTimeout(PASSWORD),
        httpx.ReadError(TOKEN),
        httpx.RemoteProtocolError(PASSWORD),
    ]
)


def response(status, content, headers) -> httpx.Response:
    return httpx.Response(status, headers=headers, stream=httpx.ByteStream(content))


RESPONSES = st.builds(response, STATUS, CONTENT, HEADERS)
METHODS = ["find", "create", "set_password", "enable", "disable", "delete", "prove"]
MANY = examples(60)


def call(provider, method) -> Answer[Any]:
    if method == "create":
        return provider.create(credential(None), "office")
    return getattr(provider, method)(credential())


def endlessly(steps) -> Callable[[httpx.Request], httpx.Response]:
    """The steps, then the last one for ever."""

    def handle(request) -> httpx.Response:
        step = steps.pop(0) if len(steps) > 1 else steps[0]
        if isinstance(step, Exception):
            raise step
        return step

    return handle


def check(result, network, caplog):
    assert isinstance(result, Done | Refused | Retry | Unknown)
    text = repr(result) + caplog.text + repr(network.meter.requests)
    for secret in (PASSWORD, TOKEN):
        # Ids and usernames are shown, and nothing keeps a provider from calling a credential by its password.
        assert secret not in text.replace(f"username='{secret}", "").replace(f"id='{secret}", "")
    assert network.clock.monotonic() - 1000 <= network.http.longest_call.total_seconds() + PATIENCE
    if not isinstance(result, Done):
        assert PASSWORD not in result.message
        assert TOKEN not in result.message
        assert len(result.message) < 600


@pytest.mark.parametrize("make", [vobiz, endpoints])
@pytest.mark.parametrize("method", METHODS)
@MANY
@given(steps=st.lists(RESPONSES | FAULTS, min_size=1, max_size=4))
def test_nothing_is_raised_leaked_or_unbounded(make, method, steps, caplog):
    caplog.clear()
    caplog.set_level(logging.DEBUG)
    provider, network = make(endlessly(list(steps)))
    check(call(provider, method), network, caplog)


@pytest.mark.parametrize("make", [vobiz, endpoints])
@pytest.mark.parametrize("method", METHODS)
@MANY
@given(status=st.integers(100, 999).filter(lambda status: not 200 <= status < 300), content=CONTENT)
def test_without_a_single_success_nothing_is_done(make, method, status, content):
    provider, _ = make(lambda _: httpx.Response(status, content=content))
    assert not isinstance(call(provider, method), Done)


@pytest.mark.parametrize("method", ["create", "set_password", "enable", "disable", "prove"])
@MANY
@given(body=ANYTHING)
def test_a_success_that_shows_nothing_of_the_credential_is_not_done(method, body):
    provider, _ = vobiz(lambda _: httpx.Response(200, content=json.dumps(body).encode()))
    if not (isinstance(body, dict) and ("objects" in body or "id" in body)):
        assert not isinstance(call(provider, method), Done)


@MANY
@given(
    pages=st.lists(st.lists(st.integers(0, 5), max_size=3), min_size=1, max_size=4), total=st.none() | st.integers(0, 7)
)
def test_absence_is_only_stated_after_a_listing_that_adds_up(pages, total):
    served = []

    def handle(request) -> httpx.Response:
        page = pages[len(served) % len(pages)]
        served.append(page)
        meta = {} if total is None else {"total": total}
        return httpx.Response(200, json={"meta": meta, "objects": [trunk_json(f"id-{n}", f"phone{n}") for n in page]})

    provider, _ = vobiz(handle)
    result = provider.find(credential("id-5", "phone5"))
    listed = {n for page in served for n in page}
    if isinstance(result, Done) and not result.value:
        assert 5 not in listed
        assert total is None or len(listed) >= total
    if isinstance(result, Done) and result.value:
        assert 5 in listed


def test_the_secrets_of_these_tests_would_be_seen():
    """The search is not blind: an error that quoted the body would be found."""
    provider, _ = vobiz(
        answers_in_turn(httpx.Response(422, json={"error": {"code": "VALIDATION_ERROR", "message": PASSWORD}}))
    )
    assert "VALIDATION_ERROR" in call(provider, "create").message
