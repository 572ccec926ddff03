"""Another address of the same account, such as a gateway: it is shown no API key, and shares everything else."""

from datetime import timedelta

import httpx
import pytest
from provider_fixtures import PASSWORD, TOKEN, FakeNetwork, answer, answers_in_turn

from rotator.core.answers import Unknown
from rotator.core.secret import Secret
from rotator.fields.network import RateLimit
from rotator.providers.http.calls import HttpRequest
from rotator.providers.http.client import Http
from rotator.providers.http.replies import HttpReply
from rotator.providers.http.transport import ReadOnlyViolation

ELSEWHERE = "https://gateway.example.test/x"
AUTHORIZATION = {"Authorization": Secret(f"Basic {PASSWORD}")}


def elsewhere(*steps, **options) -> tuple[Http, FakeNetwork]:
    network = FakeNetwork(answers_in_turn(*steps), options)
    return network.http.elsewhere(ELSEWHERE, "probe_url"), network


def test_it_is_shown_no_key_and_only_the_headers_of_its_request():
    other, network = elsewhere(answer(200), answer(200))
    other.call().send(HttpRequest("prove", "GET", "", headers=AUTHORIZATION))
    other.call().send(HttpRequest("prove", "GET", "/y"))
    first, second = network.sent
    assert (str(first.url), str(second.url)) == (ELSEWHERE, f"{ELSEWHERE}/y")
    assert first.headers["Authorization"] == f"Basic {PASSWORD}"
    assert "Authorization" not in second.headers
    assert not any(TOKEN in str(request.headers) for request in network.sent)
    assert network.meter.outcomes == [("prove", "200"), ("prove", "200")]


def test_a_header_of_a_request_is_not_shown_by_its_repr():
    assert PASSWORD not in repr(HttpRequest("prove", "GET", "", headers=AUTHORIZATION))


def test_a_form_is_sent_as_a_form():
    other, network = elsewhere(answer(200))
    other.call().send(HttpRequest("prove", "POST", "", form={"grant_type": "client credentials"}))
    assert network.sent[0].content == b"grant_type=client+credentials"
    assert network.sent[0].headers["Content-Type"] == "application/x-www-form-urlencoded"


def test_what_is_left_of_a_call_bounds_the_next():
    """Two calls of one method end within the bound of one."""
    network = FakeNetwork(answers_in_turn(*[httpx.ReadTimeout("")] * 9))

    def slow(request) -> httpx.Response:
        network.clock.sleep(3)
        return httpx.Response(503)

    network.handler = slow
    started = network.clock.monotonic()
    other = network.http.elsewhere(ELSEWHERE, "probe_url")
    reply = other.call(within=7).send(HttpRequest("prove", "GET", ""))
    assert isinstance(reply, HttpReply | Unknown)
    assert network.clock.monotonic() - started <= 10
    assert network.http.call(within=1000).left == 30


def test_an_account_that_may_only_look_may_only_look_elsewhere_too():
    other, network = elsewhere(read_only=True)
    with pytest.raises(ReadOnlyViolation):
        other.call().send(HttpRequest("prove", "POST", "", form={}))
    assert network.sent == []


def test_plain_http_is_judged_anew():
    network = FakeNetwork(answers_in_turn(), {"allow_plain_http": ("gateway.internal",)})
    with pytest.raises(ValueError, match="use https"):
        network.http.elsewhere("http://other.internal", "probe_url")
    network.http.elsewhere("http://gateway.internal", "probe_url")


def test_the_rate_of_the_api_is_not_that_of_the_gateway():
    other, network = elsewhere(*[answer(200)] * 3, rate_limit=RateLimit(1, timedelta(seconds=20)))
    started = network.clock.monotonic()
    for _ in range(3):
        other.call().send(HttpRequest("prove", "GET", ""))
    assert network.clock.monotonic() == started


def test_closing_the_account_closes_it_too():
    closed = []
    other, network = elsewhere()
    other.close = lambda: closed.append("other")
    network.http.close()
    assert closed == ["other"]
