"""What a call sends again and what it does not, how long it waits, and what the tries mean together."""

from datetime import timedelta

import httpx
import pytest
from provider_fixtures import PASSWORD, SECOND, TOKEN, FakeNetwork, answer, answers_in_turn

from rotator.core.answers import Refusal, Refused, Retry, Unknown, Wait
from rotator.core.secret import Secret
from rotator.fields.network import RateLimit
from rotator.ports import CALL_TERMS, CallTerms
from rotator.providers.http.bodies import LARGEST_BODY
from rotator.providers.http.calls import HttpRequest
from rotator.providers.http.replies import HttpReply, failure

GET = HttpRequest("list", "GET", "/x")
PUT = HttpRequest("set_password", "PUT", "/x", body={"password": Secret(PASSWORD)})
CREATE = HttpRequest("create", "POST", "/x", body={"password": Secret(PASSWORD)}, repeatable=False)
NEVER_MADE = [httpx.ConnectError("no"), httpx.ConnectTimeout("no"), httpx.PoolTimeout("no")]
LOST = [
    httpx.ReadTimeout("no"),
    httpx.WriteTimeout("no"),
    httpx.ReadError("no"),
    httpx.WriteError("no"),
    httpx.RemoteProtocolError("no"),
    httpx.CloseError("no"),
]
BUSY = [429, 502, 503, 504]


def send(request, *steps, **options) -> tuple[HttpReply | Retry | Unknown, FakeNetwork]:
    network = FakeNetwork(answers_in_turn(*steps), options)
    return network.http.call().send(request), network


def test_the_request_carries_the_header_the_secret_body_and_no_compression():
    reply, network = send(PUT, answer(200, {"id": "x"}))
    sent = network.sent[0]
    assert reply == HttpReply(200, {"id": "x"})
    assert sent.headers["x-auth-token"] == TOKEN
    assert sent.headers["accept-encoding"] == "identity"
    assert sent.headers["content-type"] == "application/json"
    assert network.bodies == [{"password": PASSWORD}]


def test_secrets_are_revealed_at_any_depth_of_the_body():
    body = {"a": {"b": [Secret(PASSWORD), "plain", 1, None]}}
    _, network = send(HttpRequest("x", "PUT", "/x", body=body), answer(200, {}))
    assert network.bodies == [{"a": {"b": [PASSWORD, "plain", 1, None]}}]


@pytest.mark.parametrize("request_", [GET, PUT])
@pytest.mark.parametrize("fault", [*NEVER_MADE, *LOST], ids=lambda fault: type(fault).__name__)
def test_what_means_the_same_twice_is_sent_again(request_, fault):
    reply, network = send(request_, fault, answer(200, {}))
    assert reply.ok
    assert len(network.sent) == 2


@pytest.mark.parametrize("status", BUSY)
@pytest.mark.parametrize("request_", [GET, PUT])
def test_a_busy_provider_is_asked_again(request_, status):
    reply, network = send(request_, answer(status), answer(200, {}))
    assert reply.ok
    assert len(network.sent) == 2


@pytest.mark.parametrize("status", [200, 204, 301, 307, 400, 401, 403, 404, 409, 422, 500, 501])
def test_any_other_answer_is_taken_at_once(status):
    reply, network = send(PUT, answer(status))
    assert reply == HttpReply(status)
    assert len(network.sent) == 1


@pytest.mark.parametrize("fault", LOST, ids=lambda fault: type(fault).__name__)
def test_a_create_whose_answer_is_lost_is_not_sent_twice(fault):
    reply, network = send(CREATE, fault)
    assert isinstance(reply, Unknown)
    assert len(network.sent) == 1


@pytest.mark.parametrize("status", [*BUSY, 500])
def test_a_create_that_is_answered_at_all_is_not_sent_twice(status):
    reply, network = send(CREATE, answer(status))
    assert reply.status == status
    assert len(network.sent) == 1


@pytest.mark.parametrize("fault", NEVER_MADE, ids=lambda fault: type(fault).__name__)
def test_a_create_is_sent_again_where_the_connection_was_never_made(fault):
    reply, _ = send(CREATE, fault, answer(201, {}))
    assert reply.status == 201
    assert not reply.uncertain


@pytest.mark.parametrize("request_", [GET, PUT, CREATE])
def test_no_connection_at_all_is_a_retry_after_a_bounded_number_of_tries(request_):
    reply, network = send(request_, *[httpx.ConnectError("no")] * 10)
    assert isinstance(reply, Retry)
    assert reply.why is Wait.UNREACHABLE
    assert len(network.sent) == 4
    assert network.meter.outcomes == [(request_.verb, "refused_connection")] * 4


def test_the_waits_between_the_tries_double():
    _, network = send(GET, *[httpx.ConnectError("no")] * 4)
    assert network.clock.monotonic() - 1000 == pytest.approx(0.5 + 1 + 2)


@pytest.mark.parametrize("last", [httpx.ConnectError("no"), httpx.PoolTimeout("no")])
@pytest.mark.parametrize("first", [*LOST, answer(503), answer(502)], ids=str)
def test_a_write_that_may_have_acted_stays_unknown_whatever_comes_after(first, last):
    reply, _ = send(PUT, first, last, last, last)
    assert isinstance(reply, Unknown)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 422])
def test_a_refusal_after_a_lost_answer_is_not_definite(status):
    reply, _ = send(PUT, httpx.ReadTimeout("no"), answer(status))
    assert reply.uncertain
    assert isinstance(failure(reply), Unknown)


def test_a_limit_after_a_lost_answer_does_not_make_it_certain():
    reply, _ = send(PUT, httpx.ReadTimeout("no"), *[answer(429, headers={"Retry-After": "9"})] * 4)
    assert isinstance(failure(reply), Unknown)


def test_a_refusal_after_a_limit_or_a_missing_connection_is_definite():
    reply, _ = send(PUT, answer(429), httpx.ConnectError("no"), answer(401))
    assert failure(reply).why is Refusal.AUTHENTICATION


def test_reading_is_never_uncertain():
    reply, _ = send(GET, httpx.ReadTimeout("no"), answer(404))
    assert not reply.uncertain


@pytest.mark.parametrize(
    ("status", "headers", "seconds"),
    [
        (429, {"Retry-After": "7"}, 7),
        (503, {"Retry-After": "7"}, 7),
        (429, {"Retry-After": "Mon, 05 Jan 2026 12:00:09 GMT"}, 9),
        (429, {"x-ratelimit-reset": "4"}, 4),
        (429, {"Retry-After": "0"}, 1),
        (429, {"Retry-After": "Mon, 05 Jan 2025 12:00:09 GMT"}, 1),
        (429, {"Retry-After": "soon"}, 1),
        (503, {"x-ratelimit-reset": "4"}, 0.5),
    ],
)
def test_it_waits_as_long_as_it_is_asked_to(status, headers, seconds):
    reply, network = send(GET, answer(status, headers=headers), answer(200, {}))
    assert reply.ok
    assert network.clock.monotonic() - 1000 == pytest.approx(seconds)


@pytest.mark.parametrize("headers", [{"Retry-After": "31"}, {"Retry-After": "999999999"}, {"x-ratelimit-reset": "60"}])
def test_a_wait_beyond_the_bound_is_handed_back_at_once(headers):
    reply, network = send(PUT, answer(429, headers=headers))
    failed = failure(reply)
    assert isinstance(failed, Retry)
    assert failed.after == timedelta(seconds=int(next(iter(headers.values()))))
    assert network.clock.monotonic() == 1000


def test_a_503_that_asks_for_long_is_unknown_and_says_after_when():
    reply, _ = send(PUT, answer(503, headers={"Retry-After": "600"}))
    assert failure(reply) == Unknown("the provider answered 503", after=timedelta(seconds=600))


def test_a_call_of_many_requests_ends_within_its_total_and_its_patience():
    network = FakeNetwork(lambda _: answer(429, headers={"Retry-After": "3"}))
    call = network.http.call()
    for _ in range(20):
        call.send(GET)
    assert network.clock.monotonic() - 1000 <= 30
    assert call.left == 30  # waiting for the account's pace is no part of a call's time


def test_a_429_is_asked_again_for_as_long_as_the_patience_lasts():
    network = FakeNetwork(lambda _: answer(200) if network.clock.monotonic() > 1020 else answer(429))
    assert network.http.call().send(PUT).ok
    assert 5 < len(network.sent) < 10  # more tries than after a failure, but ever fewer


def test_a_wait_that_one_answer_asks_for_holds_every_other_call_of_the_account():
    network = FakeNetwork(answers_in_turn(answer(429, headers={"Retry-After": "9"}), answer(200, {})))
    assert network.http.call().send(CREATE).status == 429
    assert network.clock.monotonic() == 1000
    assert network.http.call().send(GET).ok
    assert network.clock.monotonic() == 1009


@pytest.mark.parametrize(
    ("status", "headers", "seconds"),
    [
        (200, {"x-ratelimit-remaining": "0", "x-ratelimit-reset": "6"}, 6),
        (200, {"x-ratelimit-remaining": "1", "x-ratelimit-reset": "6"}, 0),
        (200, {"x-ratelimit-remaining": "0"}, 0),
        (503, {"Retry-After": "8"}, 8),
        (503, {}, 0),
    ],
)
def test_a_quota_that_is_used_up_or_a_provider_that_is_overloaded_holds_the_account(status, headers, seconds):
    network = FakeNetwork(answers_in_turn(answer(status, headers=headers), answer(200, {})))
    network.http.call().send(CREATE)
    assert network.http.call().send(GET).ok
    assert network.clock.monotonic() - 1000 == pytest.approx(seconds)


def test_nothing_is_sent_once_the_time_is_up():
    network = FakeNetwork(answers_in_turn())
    call = network.http.call()
    network.clock.advance(31 * SECOND)
    assert isinstance(call.send(PUT), Retry)
    assert network.sent == []
    assert network.meter.requests == []


def test_a_stop_ends_the_tries_at_once():
    network = FakeNetwork(answers_in_turn(answer(503), answer(503)))
    network.clock.sleep = lambda _: None  # as when the process is asked to stop
    reply = network.http.call().send(PUT)
    assert reply.status == 503
    assert len(network.sent) == 1


def test_requests_keep_to_the_rate_and_wait_by_the_clock():
    network = FakeNetwork(lambda _: answer(200, {}), {"rate_limit": RateLimit(5, SECOND)})
    call = network.http.call()
    for _ in range(20):
        assert call.send(GET).ok
    assert 3.8 <= network.clock.monotonic() - 1000 <= 4.0
    assert call.left == 30


def test_a_rate_that_leaves_no_time_is_a_retry_that_says_when_and_nothing_was_sent():
    network = FakeNetwork(lambda _: answer(200, {}), {"rate_limit": RateLimit(1, timedelta(hours=1))})
    assert network.http.call().send(PUT).ok
    reply = network.http.call().send(PUT)
    assert isinstance(reply, Retry)
    assert reply.why is Wait.RATE_LIMITED
    assert reply.after is not None
    assert timedelta(minutes=55) < reply.after <= timedelta(minutes=65)
    assert len(network.sent) == 1
    assert network.clock.monotonic() - 1000 < 1


def test_waiting_for_a_turn_ends_with_the_process():
    network = FakeNetwork(lambda _: answer(200, {}), {"rate_limit": RateLimit(1, 10 * SECOND)})
    assert network.http.call().send(GET).ok
    network.clock.sleep = lambda _: None
    assert isinstance(network.http.call().send(GET), Retry)


def test_what_is_not_ours_any_more_after_the_wait_is_not_sent():
    network = FakeNetwork(lambda _: answer(200, {}))
    token = CALL_TERMS.set(CallTerms(may_send=lambda: False))
    try:
        assert isinstance(network.http.call().send(PUT), Retry)
    finally:
        CALL_TERMS.reset(token)
    assert network.sent == []


@pytest.mark.parametrize("limit", [(0, SECOND), (1, timedelta()), (1, timedelta(microseconds=1))])
def test_a_rate_that_lets_nothing_through_is_refused(limit):
    with pytest.raises(ValueError, match="at least one request"):
        RateLimit(*limit)


@pytest.mark.parametrize(
    ("content", "outcome"),
    [
        (b"<html>down for maintenance", "unreadable"),
        (b"\xff\xfe\xfd", "unreadable"),
        (b"[" * 100_000, "unreadable"),
        (b'{"a":', "unreadable"),
        (b"1" * 5000, "unreadable"),
    ],
)
def test_a_body_that_is_not_json_is_unknown(content, outcome):
    reply, network = send(GET, httpx.Response(200, content=content))
    assert not reply.ok
    assert isinstance(failure(reply), Unknown)
    assert network.meter.outcomes == [("list", outcome)]


def test_a_body_that_is_too_large_is_unknown_and_not_asked_for_again():
    reply, network = send(GET, httpx.Response(200, content=b" " * (LARGEST_BODY + 1)))
    assert isinstance(reply, Unknown)
    assert "larger than 1048576 bytes" in reply.message
    assert network.meter.outcomes == [("list", "too_large")]


def test_a_body_of_just_the_largest_size_is_read():
    reply, _ = send(GET, httpx.Response(200, content=b"{}" + b" " * (LARGEST_BODY - 2)))
    assert reply.body == {}


def test_a_compressed_body_that_nobody_asked_for_is_not_unpacked():
    reply, _ = send(
        GET, httpx.Response(200, headers={"content-encoding": "gzip"}, stream=httpx.ByteStream(b"\x1f\x8b{}"))
    )
    assert not reply.readable


@pytest.mark.parametrize("target", ["https://evil.test/", "/elsewhere", "b:0", "//", "http://[", "\x7f"])
def test_a_redirect_is_not_followed_and_says_that_the_base_url_is_wrong(target):
    reply, network = send(PUT, answer(307, headers={"Location": target}))
    failed = failure(reply)
    assert isinstance(failed, Unknown)
    assert "base_url" in failed.message
    assert "evil" not in failed.message
    assert len(network.sent) == 1


def test_cookies_are_not_kept():
    _, network = send(GET, answer(503, headers={"Set-Cookie": "a=b"}), answer(200, {}))
    assert "cookie" not in network.sent[1].headers


def test_every_request_is_metered_with_its_verb_outcome_and_time():
    def slow(_) -> httpx.Response:
        network.clock.advance(2 * SECOND)
        return answer(200, {})

    network = FakeNetwork(answers_in_turn(httpx.ReadTimeout("no"), httpx.ReadError("no"), slow))
    network.http.call().send(GET)
    assert network.meter.outcomes == [("list", "timeout"), ("list", "reset"), ("list", "200")]
    assert network.meter.requests[-1] == ("prod", "list", "200", 2.0)


@pytest.mark.parametrize(("status", "label"), [(200, "200"), (429, "429"), (299, "2xx"), (499, "4xx"), (777, "7xx")])
def test_a_status_that_nobody_knows_makes_no_label_of_its_own(status, label):
    _, network = send(CREATE, answer(status))
    assert network.meter.outcomes == [("create", label)]


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (400, Refusal.INVALID),
        (401, Refusal.AUTHENTICATION),
        (402, Refusal.PERMISSION),
        (403, Refusal.PERMISSION),
        (404, Refusal.OTHER),
        (405, Refusal.OTHER),
        (409, Refusal.OTHER),
        (418, Refusal.OTHER),
        (422, Refusal.INVALID),
    ],
)
def test_client_errors_are_refusals(status, expected):
    failed = failure(HttpReply(status))
    assert isinstance(failed, Refused)
    assert failed.why is expected


@pytest.mark.parametrize("status", [100, 200, 299, 300, 302, 399, 408, 500, 501, 502, 503, 504, 599, 600, 999])
def test_everything_else_is_unknown(status):
    assert isinstance(failure(HttpReply(status, readable=False)), Unknown)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"status": "error", "error": {"code": "INSUFFICIENT_BALANCE", "message": PASSWORD}}, "(INSUFFICIENT_BALANCE)"),
        ({"error": "Username already exists", "code": 409}, "(409)"),
        ({"errors": [{"code": "10011", "title": PASSWORD}, {"code": "10015"}]}, "(10011, 10015)"),
        ({"error": {"code": PASSWORD}}, "400:"),
        ({"error": {"code": "A" * 50 + "_B"}}, "400:"),
        ({"error": {"code": True}, "code": 12345678}, "400:"),
        ({"error": {"code": ["VALIDATION_ERROR"]}, "code": None, "errors": "x"}, "400:"),
        ([{"code": "VALIDATION_ERROR"}], "400:"),
        ({"errors": [{"code": f"{n}"} for n in range(100)]}, "(0, 1, 2)"),
    ],
)
def test_of_an_error_only_codes_of_a_strict_form_are_repeated(body, said):
    message = failure(HttpReply(400, body)).message
    assert said in message
    assert PASSWORD not in message
    assert len(message) < 200
