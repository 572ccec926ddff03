"""Log-ins at a trunk that serves REGISTER, OPTIONS, INVITE or none of them, and what becomes of an INVITE."""

import re

import pytest
from scripted_registrar import CHALLENGE, response, scripted
from simulator_support import WallClock

from rotator.core.secret import Secret
from rotator.fields.network import HostPort
from rotator.providers.sip.links import SipRoute
from rotator.providers.sip.register import RegisterResult
from rotator.providers.sip.trunk import NO_CALL, log_in


def tried(where: HostPort, *, invites: bool = True, timeout: float = 5.0) -> tuple[str, RegisterResult]:
    route = SipRoute(where, "udp")
    return log_in(
        route,
        "officephone01",
        Secret("pass-word-1"),
        clock=WallClock(),
        timeout=timeout,
        without_qop=False,
        invites=invites,
    )


def method(request: str) -> str:
    return request.partition(" ")[0]


def serving(served: str, status: int, *extra: str):  # noqa: ANN201 - a script
    """Answers 405 to all but one method; that asks for the password, and then answers `status`."""

    def script(request: str, _: int) -> list[bytes]:
        if method(request) in ("ACK", "BYE"):
            return []
        if method(request) == "CANCEL":
            return [response(request, 200)]
        if method(request) != served:
            return [response(request, 405)]
        return [response(request, status, *extra) if "Authorization" in request else response(request, 401, CHALLENGE)]

    return script


@pytest.mark.parametrize("served", ["REGISTER", "OPTIONS", "INVITE"])
@pytest.mark.parametrize(
    ("status", "authenticated", "refused"),
    [(200, True, False), (401, False, True), (403, False, True), (503, False, False)],
)
def test_what_follows_the_challenge_proves_refutes_or_shows_nothing(served, status, authenticated, refused):
    extra = (CHALLENGE,) if status == 401 else ()
    with scripted(serving(served, status, *extra)) as (where, received):
        asked, result = tried(where)
    assert asked == served
    assert (result.authenticated, result.refused, result.unserved) == (authenticated, refused, False)
    assert "pass-word-1" not in "".join(received)


@pytest.mark.parametrize("served", ["OPTIONS", "INVITE"])
@pytest.mark.parametrize(
    ("status", "authenticated"), [(404, True), (420, True), (484, True), (400, False), (408, False)]
)
def test_a_request_that_is_wrong_for_another_reason_was_let_in(served, status, authenticated):
    with scripted(serving(served, status)) as (where, _):
        assert tried(where)[1].authenticated is authenticated


@pytest.mark.parametrize("status", [405, 403, 404, 501, 200])
def test_where_nothing_asks_for_a_password_nothing_is_tried(status):
    with scripted(lambda request, _: [response(request, status)] if method(request) != "ACK" else []) as (
        where,
        received,
    ):
        asked, result = tried(where)
    assert (asked, result.unserved, result.authenticated) == ("INVITE", True, False)
    assert "Authorization" not in "".join(received)
    assert "BYE" in {method(one) for one in received} or status != 200  # what accepts it is ended at once


def test_an_invite_is_sent_only_where_it_is_allowed():
    with scripted(lambda request, _: [response(request, 405)]) as (where, received):
        tried(where, invites=False)
    assert [method(one) for one in received] == ["REGISTER", "OPTIONS"]


def test_an_invite_cannot_become_a_call():
    with scripted(serving("INVITE", 420)) as (where, received):
        tried(where)
    invites = [one for one in received if method(one) == "INVITE"]
    assert len(invites) == 2
    for invite in invites:
        assert re.match(r"INVITE sip:rotator-proof-[0-9a-f]{16}@127\.0\.0\.1 SIP/2\.0\r\n", invite)
        assert f"Require: {NO_CALL}\r\nProxy-Require: {NO_CALL}\r\n" in invite
        assert invite.endswith("Content-Length: 0\r\n\r\n")  # no media is offered
    acknowledged = [one for one in received if method(one) == "ACK"]
    assert len(acknowledged) == 2
    for invite, ack in zip(invites, acknowledged, strict=True):
        branch = re.search(r"branch=\w+", invite)
        assert branch is not None
        assert branch[0] in ack  # of the same transaction


def test_what_rings_all_the_same_is_cancelled_at_once():
    def script(request: str, _: int) -> list[bytes]:
        if method(request) == "INVITE":
            if "Authorization" not in request:
                return [response(request, 407, CHALLENGE.replace("WWW-Authenticate", "Proxy-Authenticate"))]
            return [response(request, 100), response(request, 180)]
        if method(request) == "CANCEL":
            ended = request.replace("CSeq: 2 CANCEL", "CSeq: 2 INVITE")
            return [response(request, 200), response(ended, 487)]
        return [response(request, 405)] if method(request) != "ACK" else []

    with scripted(script) as (where, received):
        asked, result = tried(where)
    assert (asked, result.status, result.authenticated) == ("INVITE", 487, True)
    assert [method(one) for one in received[-3:]] == ["INVITE", "CANCEL", "ACK"]


def test_what_answers_the_call_is_told_goodbye_at_once():
    answered = ("Contact: <sip:callee@127.0.0.1:5099>", "Record-Route: <sip:edge;lr>")
    with scripted(serving("INVITE", 200, *answered)) as (where, received):
        _, result = tried(where)
    assert result.authenticated
    assert [method(one) for one in received[-2:]] == ["ACK", "BYE"]
    assert received[-1].startswith("BYE sip:callee@127.0.0.1:5099 SIP/2.0\r\n")
    assert "Route: <sip:edge;lr>" in received[-1]


def test_what_never_ends_is_given_up_and_cancelled():
    def script(request: str, _: int) -> list[bytes]:
        if method(request) == "INVITE":
            return [response(request, 100 if "Authorization" in request else 401, CHALLENGE)]
        return [] if method(request) in ("ACK", "CANCEL") else [response(request, 405)]

    with scripted(script) as (where, received):
        _, result = tried(where, timeout=2.0)
    assert (result.status, result.authenticated, result.refused) == (None, False, False)
    assert [method(one) for one in received].count("CANCEL") == 1
