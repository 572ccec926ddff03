"""SIP messages and digests against published vectors and hostile input; no network."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rotator.core.secret import Secret
from rotator.fields.network import HostPort
from rotator.providers.sip import codec as sipcodec
from rotator.providers.sip.codec import DigestInput
from rotator.providers.sip.dialogue import T1, T2, _waits

RFC7616 = {
    "realm": "http-auth@example.org",
    "method": "GET",
    "uri": "/dir/index.html",
    "nonce": "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v",
    "quality": "auth",
    "count": "00000001",
    "client_nonce": "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ",
}
RFC2617 = {
    "realm": "testrealm@host.com",
    "method": "GET",
    "uri": "/dir/index.html",
    "nonce": "dcd98b7102dd2f0e8b11d0f600bfb0c093",
}


@pytest.mark.parametrize(
    ("algorithm", "expected"),
    [
        ("MD5", "8ca523f5e9506fed4657c9700eebdbec"),
        ("SHA-256", "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"),
        ("sha-256", "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"),
    ],
)
def test_digest_of_rfc_7616_section_3_9_1(algorithm: str, expected: str) -> None:
    assert sipcodec.respond("Mufasa", Secret("Circle of Life"), DigestInput(algorithm=algorithm, **RFC7616)) == expected


def test_digest_of_rfc_2617_section_3_5() -> None:
    proof = DigestInput(**RFC2617, quality="auth", count="00000001", client_nonce="0a4f113b")
    assert sipcodec.respond("Mufasa", Secret("Circle Of Life"), proof) == "6629fae49393a05397450978507c4ef1"


def test_digest_without_quality_as_in_the_erratum_to_rfc_2069() -> None:
    answer = sipcodec.respond("Mufasa", Secret("CircleOfLife"), DigestInput(**RFC2617))
    assert answer == "1949323746fe6a43ef61f9606e7febea"


def message(*headers: str) -> sipcodec.Message:
    return sipcodec.parse("\r\n".join(["SIP/2.0 401 Unauthorized", *headers, "", ""]).encode())


def test_the_best_challenge_comes_first_and_what_cannot_be_answered_is_left_out() -> None:
    found = sipcodec.challenges(
        message(
            'WWW-Authenticate: Digest realm="r", nonce="n0", algorithm=SHA-512-256, qop="auth"',
            'WWW-Authenticate: Digest realm="r\\"q", nonce="n3", stale=TRUE',
            'WWW-Authenticate: Digest realm="r", nonce="n4", algorithm=MD5, qop="auth"',
            'WWW-Authenticate: Digest realm="r", nonce="n5", algorithm=SHA-256',
            'WWW-Authenticate: Digest realm="r", nonce="n1", algorithm=SHA-256, qop="auth, auth-int", opaque="o"',
            'WWW-Authenticate: Digest realm="r", nonce="n2", algorithm=MD5, qop="auth-int"',
            'WWW-Authenticate: Basic realm="r"',
            'WWW-Authenticate: Digest realm="r"',
        ),
        "www-authenticate",
    )
    assert [(c.nonce, c.algorithm, c.quality, c.opaque, c.stale) for c in found] == [
        ("n1", "SHA-256", True, "o", False),
        ("n4", "MD5", True, None, False),
        ("n5", "SHA-256", False, None, False),
        ("n3", "MD5", False, None, True),
    ]
    assert found[3].realm == 'r"q'


def test_authorization_quotes_and_echoes() -> None:
    challenge = sipcodec.Challenge('r"q', "n", "MD5", quality=True, opaque="o", stale=False)
    text = sipcodec.authorization('a"b', Secret("pw"), challenge, "REGISTER", "sip:x", "cn")
    assert sipcodec.parameters(text.partition(" ")[2])["username"] == 'a"b'
    assert 'realm="r\\"q"' in text
    assert "qop=auth, nc=00000001" in text
    assert 'opaque="o"' in text
    assert "pw" not in text


def test_compact_and_folded_headers_are_read() -> None:
    read = message("v: SIP/2.0/UDP h;branch=z9hG4bKx", "i: one", "CSeq: 1", " REGISTER", "Via: second")
    assert read.all("via") == ("SIP/2.0/UDP h;branch=z9hG4bKx", "second")
    assert (read.get("call-id"), read.get("cseq"), read.get("absent")) == ("one", "1 REGISTER", "")


def test_requests_and_responses_are_told_apart() -> None:
    request = sipcodec.parse(b"REGISTER sip:x SIP/2.0\r\n\r\n")
    assert (request.method, request.uri, request.status) == ("REGISTER", "sip:x", None)
    response = sipcodec.parse(b"SIP/2.0 200 OK\r\n\r\n")
    assert (response.method, response.uri, response.status) == ("", "", 200)


@pytest.mark.parametrize(
    "datagram",
    [b"", b"GET / HTTP/1.1\r\n\r\n", b"SIP/2.0 20 OK\r\n\r\n", b"SIP/2.0 200 OK\r\nno colon\r\n\r\n", b"\xff"],
)
def test_what_is_not_sip_is_refused(datagram: bytes) -> None:
    with pytest.raises(ValueError, match=r"SIP|header"):
        sipcodec.parse(datagram)


def test_too_many_headers_are_refused() -> None:
    with pytest.raises(ValueError, match="more than 64 headers"):
        message(*["X: y"] * 64)


@given(st.text(min_size=1, max_size=20), st.text(max_size=20))
def test_a_quoted_value_comes_back(username: str, realm: str) -> None:
    text = f"username={sipcodec.quote(username)}, realm={sipcodec.quote(realm)}"
    read = sipcodec.parameters(text)
    assert (read["username"], read["realm"]) == (username, realm)


@pytest.mark.parametrize("value", ["a\r\nContact: <sip:thief>", "a\nb", "a\x00b"])
def test_a_line_break_cannot_start_another_header(value: str) -> None:
    with pytest.raises(ValueError, match="control character"):
        sipcodec.encode("REGISTER sip:x SIP/2.0", [("To", value)])


def test_retransmissions_double_up_to_t2_and_end_in_time() -> None:
    waits = list(_waits(20.0, T1))
    assert waits[:5] == [T1, 1.0, 2.0, T2, T2]
    assert sum(waits) == pytest.approx(20.0)
    assert list(_waits(0.0, T1)) == []
    assert list(_waits(-1.0, T1)) == []


def test_addresses_are_written_as_in_uris() -> None:
    assert str(HostPort("127.0.0.1", 5070)) == "127.0.0.1:5070"
    assert str(HostPort("::1", 5060)) == "[::1]:5060"
