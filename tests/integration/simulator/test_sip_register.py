"""Our REGISTER against registrars that misbehave, played by a socket that answers by a script."""

import re

import pytest
from free_ports import free_port
from scripted_registrar import CHALLENGE, response, scripted
from simulator_support import HandMovedClock, WallClock

from rotator.core.secret import Secret
from rotator.fields.network import HostPort
from rotator.providers.sip.links import SipRoute
from rotator.providers.sip.register import RegisterResult, register


def send_register(where: HostPort, timeout: float = 5.0, **rest) -> RegisterResult:
    return register(
        SipRoute(where, "udp"), "officephone01", Secret("pass-word-1"), clock=WallClock(), timeout=timeout, **rest
    )


def test_without_contact_no_binding_is_asked_for() -> None:
    with scripted(lambda request, _: [response(request, 200)]) as (where, received):
        send_register(where, domain="MA_DEMO.sip.vobiz.ai")
        send_register(where, contact="sip:me@here", expires=77)
    assert received[0].startswith("REGISTER sip:MA_DEMO.sip.vobiz.ai SIP/2.0\r\n")
    assert "Contact" not in received[0]
    assert "Expires" not in received[0]
    assert "Contact: <sip:me@here>\r\nExpires: 77" in received[1]


def test_the_password_is_never_sent() -> None:
    def script(request: str, count: int) -> list[bytes]:
        return [response(request, 401, CHALLENGE.format("n")) if count == 1 else response(request, 200)]

    with scripted(script) as (where, received):
        assert send_register(where) == RegisterResult(200, "accepted", authenticated=True)
    assert "Authorization: Digest" in received[1]
    assert "pass-word-1" not in "".join(received)


def test_acceptance_without_a_challenge_proves_nothing() -> None:
    with scripted(lambda request, _: [response(request, 200)]) as (where, _):
        result = send_register(where)
    assert (result.status, result.authenticated, result.refused) == (200, False, False)
    assert "proves nothing" in result.reason


def test_a_second_challenge_is_a_refusal() -> None:
    with scripted(lambda request, n: [response(request, 401, CHALLENGE.format(n))]) as (where, received):
        result = send_register(where)
    assert (result.status, result.refused, result.authenticated) == (401, True, False)
    assert len(received) == 2


def test_a_stale_nonce_is_answered_again() -> None:
    def script(request: str, count: int) -> list[bytes]:
        stale = ", stale=true" if count == 2 else ""
        return [response(request, 401, CHALLENGE.format(count) + stale) if count < 3 else response(request, 200)]

    with scripted(script) as (where, received):
        assert send_register(where).authenticated
    assert 'nonce="2"' in received[2]


def test_a_registrar_that_calls_every_nonce_stale_comes_to_an_end() -> None:
    with scripted(lambda request, n: [response(request, 401, CHALLENGE.format(n) + ", stale=true")]) as (where, got):
        result = send_register(where)
    assert (result.refused, result.authenticated) == (False, False)
    assert len(got) == 4


def test_a_proxy_and_the_registrar_may_each_ask_once() -> None:
    def script(request: str, count: int) -> list[bytes]:
        proxy = CHALLENGE.format("p").replace("WWW", "Proxy")
        answers = [response(request, 407, proxy), response(request, 401, CHALLENGE.format("w")), response(request, 200)]
        return [answers[count - 1]]

    with scripted(script) as (where, received):
        assert send_register(where).authenticated
    assert "Proxy-Authorization: Digest" in received[2]
    assert "\nAuthorization: Digest" in received[2]


@pytest.mark.parametrize("status", [403, 404])
def test_forbidden_and_not_found_are_refusals(status: int) -> None:
    with scripted(lambda request, _: [response(request, status)]) as (where, _):
        assert send_register(where).refused


@pytest.mark.parametrize("status", [302, 423, 500, 503, 600])
def test_other_answers_are_neither(status: int) -> None:
    with scripted(lambda request, _: [response(request, status)]) as (where, _):
        result = send_register(where)
    assert (result.status, result.authenticated, result.refused) == (status, False, False)
    assert "Remote-Words" not in result.reason


@pytest.mark.parametrize("challenge", ['Digest realm="r", nonce="n", algorithm=AKAv1-MD5', 'Basic realm="r"'])
def test_a_challenge_that_cannot_be_answered_is_no_refusal(challenge: str) -> None:
    with scripted(lambda request, _: [response(request, 401, f"WWW-Authenticate: {challenge}")]) as (where, _):
        result = send_register(where)
    assert (result.status, result.refused) == (401, False)
    assert "digest" in result.reason


def test_a_lost_datagram_is_sent_again_unchanged() -> None:
    with scripted(lambda request, count: [response(request, 200)] if count == 2 else []) as (where, received):
        assert send_register(where).status == 200
    assert received[0] == received[1]


def test_answers_to_something_else_are_passed_over() -> None:
    def script(request: str, _: int) -> list[bytes]:
        right = response(request, 200)
        wrong = [
            b"not sip at all",
            response(request.replace("Call-ID: ", "Call-ID: x"), 403),
            response(request.replace("CSeq: 1 ", "CSeq: 9 "), 403),
            response(re.sub(r"branch=\w+", "branch=z9hG4bKother", request), 403),
            response(request, 100),
            request.encode(),
        ]
        return [*wrong, right]

    with scripted(script) as (where, received):
        assert send_register(where).status == 200
    assert len(received) == 1


def test_silence_ends_at_the_timeout() -> None:
    with scripted(lambda *_: []) as (where, received):
        assert send_register(where, timeout=1.0) == RegisterResult(None, "no answer in time")
    assert len(received) == 2


def test_silence_ends_even_where_the_clock_stands_still() -> None:
    with scripted(lambda *_: []) as (where, _):
        result = register(SipRoute(where, "udp"), "a", Secret("b"), clock=HandMovedClock(), timeout=0.3)
    assert result.status is None


def test_a_closed_port_is_reported_at_once() -> None:
    result = send_register(HostPort("127.0.0.1", free_port()))
    assert result.status is None
    assert "nothing listens" in result.reason


def test_a_name_that_cannot_be_resolved_is_reported() -> None:
    result = send_register(HostPort("registrar.invalid", 5060))
    assert result.status is None
    assert "registrar.invalid" in result.reason


def test_a_line_break_in_the_username_is_an_error() -> None:
    with pytest.raises(ValueError, match="control character"):
        register(
            SipRoute(HostPort("127.0.0.1", 9), "udp"),
            "a",
            Secret("b"),
            clock=WallClock(),
            domain="x\r\nContact: <sip:y>",
        )


def test_a_name_that_no_resolver_takes_is_said_to_be_one() -> None:
    for host in ("sip..example", "x" * 64 + ".example"):
        result = register(SipRoute(HostPort(host, 5060), "udp"), "phone", Secret("Secret-1!"), clock=WallClock())
        assert result.reason == f"the name {host} cannot be resolved"
