"""SIP from a stranger: read in a bounded time, or refused with one error. No network."""

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rotator.providers.sip import codec

# Milliseconds on any machine; what was quadratic took 23 s for the first of these.
SLOW = 0.5  # seconds of CPU
SIZE = 65_000
TEXTS = {
    "a name without an end": "a" * SIZE,
    "names": "a " * (SIZE // 2),
    "names and spaces": ("a" + " " * 99) * (SIZE // 100),
    "equals": "=" * SIZE,
    "names without values": "a=" * (SIZE // 2),
    "open quotation marks": 'a="' * (SIZE // 3),
    "escapes": 'a="' + "\\" * SIZE,
    "escaped quotation marks": 'a="' + '\\"' * (SIZE // 2),
    "escaped and closed": 'a="' + '\\"' * (SIZE // 2) + '"',
    "commas": "," * SIZE,
}


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_parameters_take_a_time_that_grows_with_their_length_only(text: str) -> None:
    began = time.thread_time()
    codec.parameters(text)
    assert time.thread_time() - began < SLOW


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
@pytest.mark.parametrize("header", ["WWW-Authenticate: Digest ", "Via: SIP/2.0/UDP ", "X: ", ""])
def test_a_message_of_64_kb_costs_milliseconds(text: str, header: str) -> None:
    began = time.thread_time()
    with pytest.raises(codec.SipError, match="more than 8192 bytes"):
        codec.parse(f"SIP/2.0 401 x\r\n{header}{text}\r\n\r\n".encode())
    assert time.thread_time() - began < SLOW


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_the_largest_message_that_is_read_costs_milliseconds(text: str) -> None:
    lines = [f"WWW-Authenticate: Digest {text[:1500]}" for _ in range(5)]
    began = time.thread_time()
    message = codec.parse("\r\n".join(["SIP/2.0 401 x", *lines, "", ""]).encode())
    codec.challenges(message, "www-authenticate")
    assert time.thread_time() - began < SLOW


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (["X: " + "a" * 2048], "a SIP header of more than 2048 characters"),
        (["X: a", *[" " + "b" * 500] * 5], "a SIP header of more than 2048 characters"),
        (["X: a"] * 65, "more than 64 headers"),
        (["X: a\x00b"], "control character"),
        (["X: a\rY: b"], "control character"),
        (["X"], "without a name"),
    ],
)
def test_what_is_larger_than_an_answer_is_refused(lines: list[str], said: str) -> None:
    with pytest.raises(codec.SipError, match=said):
        codec.parse("\r\n".join(["SIP/2.0 401 x", *lines, "", ""]).encode())


def test_what_follows_an_open_quotation_mark_is_left_out() -> None:
    assert codec.parameters('a=1, b="2, c=3') == {"a": "1"}


@settings(max_examples=400, deadline=None)
@given(st.binary(max_size=9000) | st.text('abWwDigest:;,="\\ \r\n\t<>0123', max_size=3000).map(str.encode))
def test_any_message_is_read_or_refused_with_its_own_error(data: bytes) -> None:
    for message in (data, b"SIP/2.0 401 x\r\nWWW-Authenticate: Digest " + data, b"SIP/2.0 200 x\r\nVia: " + data):
        try:
            read = codec.parse(message)
        except codec.SipError:
            continue
        assert len(read.headers) <= 64
        assert all(len(value) <= 2048 for _, value in read.headers)
        for challenge in codec.challenges(read, "www-authenticate"):
            # What it says goes back into a header of ours.
            codec.encode("REGISTER sip:x SIP/2.0", [("Authorization", challenge.realm + challenge.nonce)])
        codec.parameters(read.get("via"))
        assert read.length is None or 0 <= read.length < 100_000
