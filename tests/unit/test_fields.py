"""The small types: what they take, and what they say to what they do not."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from rotator.fields import network, times
from rotator.fields.network import HostPort, RateLimit
from rotator.fields.text import INVALID, FilePath, LoadContext, Name, UrlSegment, VaultPath

URL = "write it as 'https://host' or 'https://host:port/path'"
HOST_PORT = "write it as 'host:port', such as 'sip.example.com:5061'"
CONTEXT = LoadContext({}, Path("/folder"))


def read(kind: Any, value: Any) -> Any:
    return TypeAdapter(kind).validate_python(value, context=CONTEXT)


def refusal(kind: Any, value: Any) -> str:
    with pytest.raises(ValidationError) as caught:
        read(kind, value)
    (details,) = caught.value.errors()
    return details["msg"]


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90d", 7_776_000), ("24h", 86_400), ("5s", 5), ("1h30m", 5_400), ("1d1h1m1s", 90_061), ("90m", 5_400)],
)
def test_lengths_of_time_are_read(text, seconds):
    """Each unit, and several in one."""
    assert read(times.Duration, text) == timedelta(seconds=seconds)


@given(st.integers(0, 10**9))
def test_a_length_of_time_survives_writing_and_reading(seconds):
    """`duration_text` is the inverse of `duration`."""
    length = timedelta(seconds=seconds)

    assert times.duration(times.duration_text(length)) == length


@pytest.mark.parametrize("text", ["", "5", "d", "5x", "1m1h", "-5s", "1.5h", "5 s", "5s\n", "٣s", "1d2d", "5S"])
def test_what_is_not_a_length_of_time_is_refused_with_examples(text):
    """No unit, a wrong one, the wrong order, a sign, a fraction, a space, digits of another script."""
    assert refusal(times.Grace, text) == (
        "is not a duration; write it with units, such as '90d', '24h', '5s' or '1h30m'"
    )


@pytest.mark.parametrize(
    ("kind", "value", "message"),
    [
        (times.Duration, 90, "must be text; write it with units, such as '90d', '24h', '5s' or '1h30m'"),
        (times.Duration, "0s", "is too short; set at least 1s"),
        (times.WindowLength, "59s", "is too short; set at least 1m"),
        (times.Grace, "999999999d", "is too long; set at most 3650d"),
        (times.VerifyInterval, "4m", "is too short; set at least 5m"),
        (times.VerifyInterval, 24, "must be text; write a duration such as '24h', or 'off'"),
        (times.TimeZone, "Europe/Berln", "is not a time zone; did you mean 'Europe/Berlin'?"),
        (times.TimeZone, "europe/berlin", "is not a time zone; did you mean 'Europe/Berlin'?"),
        (times.TimeZone, "Europe", "is not a time zone; did you mean 'Europe/Rome'?"),
        (times.TimeZone, "../etc/passwd", "is not a time zone; use a name such as 'Europe/Berlin' or 'UTC'"),
        (network.Rate, "5", "is not a rate; write requests per second, minute or hour, such as '5/s' or '300/m'"),
        (network.Rate, "0/s", "is not a rate; write requests per second, minute or hour, such as '5/s' or '300/m'"),
        (network.Rate, 5, "must be text; write it as '5/s' or '300/m'"),
        (network.Registrar, "host", f"is not a host and a port; {HOST_PORT}"),
        (
            network.Registrar,
            "::1:5060",
            f"is not a host and a port; {HOST_PORT}",
        ),
        (network.Registrar, "host:0", "is not a valid port; give a number from 1 to 65535"),
        (network.Listen, "host:70000", "is not a valid port; give a number from 0 to 65535"),
        (network.Url, "vault:8200", f"is not a URL; {URL}"),
        (network.Url, "https://", f"is not a URL; {URL}"),
        (network.Url, "https://[::1", f"is not a URL; {URL}"),
        (network.Url, "https://h:99999", f"is not a URL; {URL}"),
        (network.Url, "ftp://host", f"is not a URL; {URL}"),
        (
            network.Url,
            "https://user:pw@host",
            f"must not contain a user name or a password; {URL}",
        ),
        (
            network.Url,
            "https://host/?token=x",
            f"must not contain a query, a fragment or a space; {URL}",
        ),
        (network.HostName, "host:80", "is not a host name; use a name such as 'vault.internal'"),
        (FilePath, " ", "is not a path; give the path of a file"),
        (UrlSegment, "MA/1", "is not a valid id; use letters, digits, '_' and '-' only"),
    ],
)
def test_each_type_says_what_would_be_right(kind, value, message):
    """One table: the type, what was written, and the whole answer."""
    assert refusal(kind, value) == message


@pytest.mark.parametrize("name", ["", "-a", "a-", "a b", "a/b", ".", "..", "a" * 64, "é", "a\n"])
def test_names_that_cannot_stand_in_a_vault_path_are_refused(name):
    """Nothing that a path would read as something else."""
    assert refusal(Name, name).startswith("is not a name that a Vault path can contain; use up to 63 letters")


@pytest.mark.parametrize("path", ["", "/a", "a/", "a//b", "../a", "a/..", "./a", "a b", "a\n", "a?b"])
def test_paths_that_vault_would_read_otherwise_are_refused(path):
    """No slash at an end, no empty or dotted part."""
    assert refusal(VaultPath, path).startswith("is not a Vault path; use letters, digits")


@pytest.mark.parametrize("path", ["a", "sip/phone", "a.b/c_d-e", "_/1"])
def test_ordinary_paths_are_taken(path):
    """As they are."""
    assert read(VaultPath, path) == path


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("0 2 * *", "is not a cron expression of five fields"),
        ("0 0 2 * * *", "is not a cron expression of five fields"),
        ("61 * * * *", "the minute is invalid or never occurs"),
        ("0 0 31 2 *", "the day-of-month is invalid or never occurs"),
        ("0 0 * * 1-", "the day-of-week is invalid or never occurs"),
        ("@daily", "is not a cron expression of five fields"),
    ],
)
def test_cron_expressions_that_are_wrong_or_never_come_are_refused(expression, message):
    """The field is named, and an example is given."""
    said = refusal(times.CronText, expression)

    assert said.startswith(message)
    assert "such as '0 2 * * *' for 02:00 every night" in said


@pytest.mark.parametrize("expression", ["0 2 * * *", "*/5 * * * *", "0 3 * * SUN#1", "0 0 29 2 *", "0 0 L * *"])
def test_cron_expressions_are_taken(expression):
    """As Debian's cron, and with what the library adds."""
    assert read(times.CronText, expression) == expression


def taken_or_refused(kind: Any, text: str) -> Any:
    """What was read; None where it was refused in our own words."""
    try:
        return read(kind, text)
    except ValidationError as error:
        kinds = {details["type"] for details in error.errors()}
    assert kinds == {INVALID}
    return None


@given(st.text(alphabet="0123456789*/,-#LWMONSUN ", max_size=30) | st.text(max_size=30))
def test_no_text_breaks_the_reading_of_cron(text):
    """It is taken or refused, whatever it is."""
    assert taken_or_refused(times.CronText, text) in (text, None)


@given(st.text(max_size=40) | st.from_regex(r"https?://[!-~]{0,30}", fullmatch=True))
def test_no_text_breaks_the_reading_of_urls(text):
    """It is taken, without a slash at its end, or refused, whatever it is."""
    assert taken_or_refused(network.Url, text) in (text.rstrip("/"), None)


def test_rates_and_addresses_are_read_and_written():
    """What is shown is what was written."""
    for text in ("5/s", "300/m", "1000/h"):
        assert str(read(network.Rate, text)) == text
    assert read(network.Rate, "300/m") == RateLimit(300, timedelta(minutes=1))
    for text in ("[::1]:5060", "sip.example.com:5060", "10.0.0.1:1"):
        assert str(read(network.Registrar, text)) == text
    assert read(network.Registrar, "[::1]:5060") == HostPort("::1", 5060)
    assert read(network.Listen, "0.0.0.0:0") == HostPort("0.0.0.0", 0)


def test_hosts_have_one_form():
    """That of `urlsplit`, so that both can be compared."""
    assert read(network.HostName, "Vault.Internal") == "vault.internal"
    assert read(network.HostName, "[2001:DB8::1]") == "2001:db8::1"


def test_relative_paths_start_at_the_configuration():
    """Absolute ones stay."""
    assert read(FilePath, "tls/ca.pem") == Path("/folder/tls/ca.pem")
    assert read(FilePath, "/etc/ca.pem") == Path("/etc/ca.pem")


@pytest.mark.parametrize(
    ("host", "loopback"),
    [
        ("localhost", True),
        ("127.0.0.1", True),
        ("127.9.9.9", True),
        ("::1", True),
        ("10.0.0.1", False),
        ("vault", False),
    ],
)
def test_loopback_is_known(host, loopback):
    """Names are not resolved: only `localhost` is known to be this machine."""
    assert network.is_loopback(host) is loopback
