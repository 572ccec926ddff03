"""Whatever Apinizer answers, no method raises, says `Done` without evidence, or lets a secret out."""

import json
import logging
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from apinizer_fixtures import access, apinizer, credential, deployed, entry, listing, staged, success
from hypothesis import given
from hypothesis import strategies as st
from long_runs import examples
from provider_fixtures import PASSWORD, TOKEN

from rotator.core.answers import Answer, Done, Refused, Retry, Unknown, Wait
from rotator.providers.http.calls import PATIENCE

SECRETS = st.sampled_from([PASSWORD, TOKEN, f"x {PASSWORD} y", f"{TOKEN}\n", f"bearer {TOKEN}"])
KEYS = st.sampled_from(
    [
        "success",
        "status",
        "error",
        "error_description",
        "resultMessage",
        "resultList",
        "deploymentResult",
        "environmentResults",
        "detailList",
        "environmentName",
        "envName",
        "message",
        "username",
        "enabled",
        "password",
        "name",
        "type",
        "access_token",
    ]
)
TEXTS = st.sampled_from(
    [
        "Credential (username: client1) was not found!",
        f"Credential (username: {TOKEN}) was not found!",
        "Credential (username:client1) has already access to API Proxy (name:Orders)!",
        f"Project({PASSWORD}) was not found or user does not have privilege to access it!",
        "There is already a credential has this name!",
        "SUCCESS",
        "FAILURE",
        "API_PROXY",
        "client1",
        "staging",
    ]
)
LEAVES = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8)
    | SECRETS
    | TEXTS
)
ANYTHING = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(KEYS | st.text(max_size=3) | SECRETS, inner, max_size=5)
    ),
    max_leaves=15,
)


@st.composite
def nearly_right(draw) -> Any:
    """A right answer with some parts replaced by anything: where wrong answers are believed."""
    shown = entry() | draw(st.dictionaries(KEYS, LEAVES, max_size=2))
    right = draw(st.sampled_from([deployed(), listing(shown), access(("Orders", "API_PROXY")), success(resultList=[])]))
    body = right.json() | draw(st.dictionaries(KEYS, ANYTHING, max_size=2))
    if draw(st.booleans()) and isinstance(body.get("deploymentResult"), dict):
        body["deploymentResult"] |= draw(st.dictionaries(KEYS, ANYTHING, max_size=2))
    return body


CONTENT = (
    (ANYTHING | nearly_right()).map(lambda body: json.dumps(body).encode())
    | st.binary(max_size=30)
    | st.sampled_from([b"", b"<html>" + PASSWORD.encode(), b"[" * 500, b'"\\ud800"', b"1e999", b"\xef\xbb\xbf{}"])
)
HEADERS = st.dictionaries(
    st.sampled_from(["Retry-After", "Location", "Content-Type", "Set-Cookie", "Content-Encoding"]),
    SECRETS.map(str.strip) | st.sampled_from(["0", "1", "-1", "1e9", "gzip", "Mon, 05 Jan 2026 12:00:09 GMT"]),
    max_size=2,
)
STATUS = st.sampled_from([200, 200, 201, 204, 301, 400, 400, 401, 403, 404, 409, 429, 500, 503]) | st.integers(100, 999)
FAULTS = st.sampled_from([httpx.ConnectError(TOKEN), httpx.ReadTimeout(PASSWORD), httpx.RemoteProtocolError(PASSWORD)])
RIGHT = st.sampled_from([deployed, lambda: listing(entry()), lambda: access(("Orders", "API_PROXY"))])


def response(status, content, headers) -> httpx.Response:
    return httpx.Response(status, headers=headers, stream=httpx.ByteStream(content))


STEPS = st.lists(
    st.builds(response, STATUS, CONTENT, HEADERS) | FAULTS | RIGHT.map(lambda make: make()), min_size=1, max_size=6
)
METHODS = ["find", "create", "complete", "set_password", "enable", "disable", "delete", "prove"]
KINDS = [
    {},
    {"probe_url": "https://gw.example.test/x"},
    {"gateway_url": "https://gw.example.test"},
]
MANY = examples(40)


def call(provider, method) -> Answer[Any]:
    if method == "create":
        return provider.create(staged(), "office", credential())
    if method == "complete":
        return provider.complete(credential("client2"), credential())
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
        assert secret not in text.replace(f"='{secret}", "")  # a provider may call a credential so
    assert network.clock.monotonic() - 1000 <= network.http.longest_call.total_seconds() + PATIENCE
    if not isinstance(result, Done):
        assert PASSWORD not in result.message
        assert TOKEN not in result.message
        assert len(result.message) < 700


@pytest.mark.parametrize("method", METHODS)
@MANY
@given(steps=STEPS, options=st.sampled_from(KINDS))
def test_nothing_is_raised_leaked_or_unbounded(method, steps, options, caplog):
    caplog.clear()
    caplog.set_level(logging.DEBUG)
    provider, network = apinizer(endlessly(list(steps)), **options)
    check(call(provider, method), network, caplog)


@pytest.mark.parametrize("method", METHODS)
@MANY
@given(status=st.integers(100, 999).filter(lambda status: not 200 <= status < 300), content=CONTENT)
def test_without_a_single_success_nothing_is_done(method, status, content):
    provider, _ = apinizer(lambda _: httpx.Response(status, content=content))
    assert not isinstance(call(provider, method), Done)


def is_evident(body) -> bool:
    """Flag, deployment and every environment say success."""
    flags = [body[key] == right for key, right in (("success", True), ("status", "SUCCESS")) if key in body]
    result = body.get("deploymentResult")
    if not flags or not all(flags) or not isinstance(result, dict) or result.get("success") is not True:
        return False
    entries = [*(result.get("environmentResults") or []), *(result.get("detailList") or [])]
    return bool(entries) and all(one.get("success") is True for one in entries)


@pytest.mark.parametrize("method", ["set_password", "enable", "disable"])
@MANY
@given(body=nearly_right() | ANYTHING)
def test_a_write_is_only_done_where_flag_deployment_and_every_environment_say_so(method, body):
    enabled = method != "disable"

    def handle(request) -> httpx.Response:
        if request.method == "GET":
            return listing(entry(enabled=enabled))
        return httpx.Response(200, content=json.dumps(body).encode())

    provider, _ = apinizer(handle)
    found = call(provider, method)
    if isinstance(found, Done):
        assert is_evident(json.loads(json.dumps(body)))
    else:
        assert isinstance(found, Refused | Unknown) or found.why is Wait.PARTIAL


@MANY
@given(answers=st.lists(STATUS, min_size=2, max_size=2), absent=st.booleans(), content=CONTENT)
def test_a_deletion_is_only_done_where_the_answer_or_the_listing_says_so(answers, absent, content):
    """A project that cannot be seen never counts as a credential that is gone."""
    gone = listing() if absent else listing(entry())

    def handle(request) -> httpx.Response:
        if request.method == "GET":
            return gone if answers[1] < 400 else httpx.Response(answers[1])
        return httpx.Response(answers[0], content=content)

    provider, _ = apinizer(handle)
    found = call(provider, "delete")
    if isinstance(found, Done):
        body = json.loads(content)
        assert is_evident(body) or (absent and answers[1] < 400 and answers[0] not in (404, 401))


def test_the_secrets_of_these_tests_would_be_seen(caplog):
    """The check is not blind."""
    _, network = apinizer(lambda _: listing())
    with pytest.raises(AssertionError):
        check(Unknown(f"it said {TOKEN}"), network, caplog)
