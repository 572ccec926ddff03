"""What an `Http` refuses before it sends anything, and what its messages may not repeat."""

import logging

import pytest
from provider_fixtures import BASE, TOKEN, FakeNetwork, answer, answers_in_turn
from sip_access import authority_file

from rotator.core.secret import Secret
from rotator.providers.http.calls import HttpRequest, path
from rotator.providers.http.client import Http, HttpOptions
from rotator.providers.http.transport import ReadOnlyViolation, changeable_trust, trusted
from rotator.testing import FakeClock, NullMeter


def make(**given) -> Http:
    options = {"account": "prod", "base_url": BASE, "headers": {"X-Auth-Token": Secret(TOKEN)}} | given
    return Http(HttpOptions(**options), FakeClock(), NullMeter())


@pytest.mark.parametrize(
    "url", ["http://api.vobiz.ai", "http://10.0.0.1:8080", "http://192.168.1.2/api", "http://127.0.0.1.evil.test"]
)
def test_plain_http_to_another_machine_is_refused(url):
    with pytest.raises(ValueError, match="use https://"):
        make(base_url=url)


@pytest.mark.parametrize(
    "url",
    ["http://localhost:1", "http://127.0.0.1:8080", "http://127.9.9.9", "http://[::1]:80/", "https://api.vobiz.ai"],
)
def test_loopback_and_https_are_taken(url):
    make(base_url=url).close()


def test_plain_http_is_taken_where_it_is_allowed_by_name():
    make(base_url="http://proxy.internal:8080", allow_plain_http=("proxy.internal",)).close()


@pytest.mark.parametrize(
    "url",
    ["", "api.vobiz.ai", "ftp://api.vobiz.ai", "https://", "https:///x", "//host", "https://[::1", "https://h:99999"],
)
def test_what_is_no_url_is_refused_and_says_what_would_be_right(url):
    with pytest.raises(ValueError, match="https://"):
        make(base_url=url)


@pytest.mark.parametrize("url", [f"https://u:{TOKEN}@h", f"https://h/?key={TOKEN}", f"https://h/#{TOKEN}"])
def test_a_url_with_a_secret_in_it_is_refused_without_repeating_it(url):
    with pytest.raises(ValueError, match="must not contain") as caught:
        make(base_url=url)
    assert TOKEN not in str(caught.value)


@pytest.mark.parametrize("spoilt", ["{}\n", "{}\r\nX-Evil: 1", "\x00{}", "{}é", " {}", "{} ", "", "{}\U0001f600"])
def test_a_token_that_no_header_can_carry_is_refused_without_repeating_it(spoilt):
    with pytest.raises(ValueError, match="X-Auth-Token") as caught:
        make(headers={"X-Auth-Token": Secret(spoilt.format(TOKEN))})
    assert TOKEN not in str(caught.value)
    assert caught.value.__cause__ is None


def test_a_value_with_a_space_in_the_middle_can_be_carried():
    make(headers={"Authorization": Secret("Bearer abc")}).close()


def test_the_systems_authorities_are_loaded_once_and_nobody_adds_to_them():
    assert trusted(None) is trusted(None)
    assert changeable_trust(None) is not changeable_trust(None)
    assert changeable_trust(None) is not trusted(None)


def test_an_authoritys_file_is_read_anew_for_each_account():
    assert trusted(authority_file()) is not trusted(authority_file())


@pytest.mark.parametrize("content", ["", "not PEM", None])
def test_an_authority_that_cannot_be_read_is_named(tmp_path, content):
    file = tmp_path / "ca.pem"
    if content is not None:
        file.write_text(content)
    with pytest.raises(ValueError, match=r"ca\.pem contains no CA certificate"):
        make(ca_file=file)


def test_neither_options_nor_request_show_a_secret():
    options = HttpOptions("prod", BASE, {"X-Auth-Token": Secret(TOKEN)})
    request = HttpRequest("create", "POST", "/x", body={"password": "plain-by-mistake"})
    assert TOKEN not in repr(options)
    assert "plain-by-mistake" not in repr(request)


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "get"])
def test_a_read_only_transport_lets_nothing_out_but_get(method):
    network = FakeNetwork(answers_in_turn(answer(200, {})), {"read_only": True})
    if method != "get":  # httpx writes methods in capitals
        with pytest.raises(ReadOnlyViolation, match=method):
            network.http.call().send(HttpRequest("x", method, "/x"))
        assert network.sent == []
    else:
        assert network.http.call().send(HttpRequest("x", method, "/x")).ok


@pytest.mark.parametrize("name", ["httpx", "httpcore", "httpcore.connection", "httpcore.http11"])
def test_the_libraries_below_do_not_log(name):
    assert not logging.getLogger(name).isEnabledFor(logging.INFO)


@pytest.mark.parametrize("segments", [("a", ".."), (".",), ("a", "", "b"), ("",)])
def test_a_segment_that_leads_elsewhere_is_refused(segments):
    with pytest.raises(ValueError, match="leads elsewhere"):
        path(*segments)


def test_segments_are_percent_encoded():
    assert path("a/b", "c?d#e", "ü %", end="/") == "/a%2Fb/c%3Fd%23e/%C3%BC%20%25/"


def test_an_encoded_segment_stays_encoded_on_the_wire():
    network = FakeNetwork(answers_in_turn(answer(200, {})))
    network.http.call().send(HttpRequest("get", "GET", path("a/b", "..c", "d?e"), query={"limit": 20, "name": "a&b"}))
    assert network.request_lines == ["GET /a%2Fb/..c/d%3Fe?limit=20&name=a%26b"]


def test_the_longest_call_follows_from_the_total():
    http = make()
    assert http.longest_call.total_seconds() == pytest.approx(31)
