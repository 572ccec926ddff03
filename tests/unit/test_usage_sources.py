"""What is asked over HTTP whether devices still use a credential: a no is believed only if it is one."""

import json
from typing import Any

import httpx
import pytest

from rotator.core.answers import Answer, Done, Retry, Unknown
from rotator.core.model import Credential
from rotator.core.secret import Secret
from rotator.core.usage_rules import Usage
from rotator.ports import UsageQuestion
from rotator.providers.http.client import Http, HttpOptions
from rotator.providers.usage_sources import HttpCheckSource, PrometheusSource
from rotator.testing import FakeClock, NullMeter

OLD = Credential("prod", 'a"b\\c &d', "id-1")
QUESTION = UsageQuestion("office", OLD, None)
VECTOR = {"status": "success", "data": {"resultType": "vector", "result": []}}


def vector(*values: Any) -> dict[str, Any]:
    return {"status": "success", "data": {"resultType": "vector", "result": [{"metric": {}, "value": [1, v]} for v in values]}}  # fmt: skip # noqa: E501


class AnsweringServer:
    """Answers every request alike, and keeps them."""

    def __init__(self, status: int, body: Any) -> None:
        self.status, self.body, self.asked = status, body, []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        content = self.body if isinstance(self.body, str) else json.dumps(self.body)
        return httpx.Response(self.status, stream=httpx.ByteStream(content.encode()))

    def http(self) -> Http:
        token = {"Authorization": Secret("Bearer t0ken")}
        options = HttpOptions("usage:pbx", "https://pbx.example.com/prom", token, read_only=True)
        return Http(options, FakeClock(), NullMeter(), httpx.MockTransport(self))


def prometheus(body: Any, status: int = 200) -> Answer[Usage]:
    return PrometheusSource(AnsweringServer(status, body).http(), 'x{user="{username}"}').ask(QUESTION)


@pytest.mark.parametrize("values", [("1",), ("0", "2"), ("0.5",)])
def test_a_query_above_zero_means_in_use(values):
    assert prometheus(vector(*values)).value.in_use is True


def test_a_query_of_zeros_means_that_nobody_uses_it():
    assert prometheus(vector("0")) == Done(Usage(in_use=False, evidence="the query says 0"))
    assert prometheus(vector("0", "0")).value.in_use is False
    scalar = {"status": "success", "data": {"resultType": "scalar", "result": [1, "0"]}}
    assert prometheus(scalar).value.in_use is False


@pytest.mark.parametrize(
    "body",
    [
        vector(),
        vector("NaN"),
        vector("-1"),
        vector("zero"),
        vector(None),
        {"status": "error"},
        {"status": "success", "data": {"resultType": "matrix", "result": []}},
        {"status": "success", "data": {"resultType": "vector", "result": [{}]}},
        {"status": "success", "data": {"resultType": "vector", "result": "0"}},
        {"status": "success", "data": []},
        [],
        "<html>",
        "",
    ],
)
def test_what_is_no_number_of_devices_says_nothing(body):
    assert not isinstance(prometheus(body), Done)


@pytest.mark.parametrize("status", [400, 401, 404, 422, 500, 503])
def test_a_prometheus_that_refuses_says_nothing(status):
    assert not isinstance(prometheus(vector("0"), status), Done)


def test_a_username_stays_within_its_string_in_a_query():
    server = AnsweringServer(200, vector("0"))
    PrometheusSource(server.http(), 'x{user="{username}",target="{name}"}').ask(QUESTION)
    assert server.asked[0].url.params["query"] == 'x{user="a\\"b\\\\c &d",target="office"}'
    assert server.asked[0].url.path == "/prom/api/v1/query"
    assert server.asked[0].headers["Authorization"] == "Bearer t0ken"


def check(body: Any, status: int = 200) -> Answer[Usage]:
    return HttpCheckSource(AnsweringServer(status, body).http(), "/in-use?user={username}").ask(QUESTION)


def test_a_check_says_yes_or_no():
    assert check({"in_use": True}) == Done(Usage(in_use=True, evidence="it says yes"))
    assert check({"in_use": False, "more": 1}) == Done(Usage(in_use=False, evidence="it says no"))


@pytest.mark.parametrize("body", [{"in_use": "false"}, {"in_use": 0}, {"in_use": None}, {}, [False], "false", "", "no"])
def test_everything_else_is_no_answer(body):
    answer = check(body)
    assert isinstance(answer, Unknown | Retry) or not isinstance(answer, Done)


@pytest.mark.parametrize("status", [204, 301, 404, 500])
def test_no_status_says_that_nobody_uses_it(status):
    assert not isinstance(check("" if status == 204 else {"in_use": False}, status), Done)


def test_a_username_stays_within_its_part_of_a_url():
    server = AnsweringServer(200, {"in_use": False})
    HttpCheckSource(server.http(), "/u/{username}/of/{name}?user={username}").ask(QUESTION)
    assert server.asked[0].url.raw_path == b"/prom/u/a%22b%5Cc%20%26d/of/office?user=a%22b%5Cc%20%26d"
