"""The control API, the HTTP server's behaviour, and the logs."""

import json
import logging
import re
import socket
from collections.abc import Callable

import httpx
import pytest
from simulator_support import GOOD, TOKEN, VobizClient, WallClock

from rotator.core.secret import Secret
from rotator.providers.sip.links import SipRoute
from rotator.providers.sip.register import register
from rotator_simulator import server
from rotator_simulator.account import SimulatedAccount
from rotator_simulator.server import SimulatorServer


@pytest.fixture
def call_control_api(vobiz: VobizClient) -> Callable[..., httpx.Response]:
    def call(method: str, path: str, body: object = None) -> httpx.Response:
        return vobiz.client.request(method, f"{vobiz.url}/_sandbox/{path}", json=body)

    return call


def test_state_shows_everything_but_passwords(vobiz: VobizClient, call_control_api, simulator: SimulatorServer) -> None:
    identity = vobiz.create()
    vobiz("PUT", f"credentials/{identity}", json={"enabled": False})
    register(
        SipRoute(simulator.sip_address, "udp"), "officephone01", Secret(GOOD), clock=WallClock(), contact="sip:a@b"
    )
    answer = call_control_api("GET", "state")
    state = answer.json()["accounts"]["MA_DEMO"]
    assert [line["event"] for line in state["history"]] == ["created", "disabled"]
    assert state["credentials"][0]["enabled"] is False
    assert answer.json()["registrations"]["refused"] == {"officephone01": 1}
    assert answer.json()["readings"]["vobiz"]["create_status"] == 201
    assert GOOD not in answer.text
    assert TOKEN not in answer.text


def test_faults_are_planned_listed_and_cleared(vobiz: VobizClient, call_control_api) -> None:
    planned = call_control_api(
        "POST", "faults", {"fault": "rate-limited", "verb": "list", "times": 2, "retry_after": 5}
    )
    assert planned.json()["fault"]["retry_after"] == 5
    assert vobiz("GET", "trunks/credentials").headers["Retry-After"] == "5"
    assert [(plan["left"], plan["fired"]) for plan in call_control_api("GET", "faults").json()] == [(1, 1)]
    assert call_control_api("DELETE", "faults").json() == []
    assert vobiz("GET", "trunks/credentials").status_code == 200


def test_calls_hold_a_credential_until_they_end(vobiz: VobizClient, call_control_api) -> None:
    identity = vobiz.create()
    call = call_control_api("POST", "calls", {"account": "MA_DEMO", "username": "officephone01"}).json()
    assert call["credential"] == identity
    assert call_control_api("GET", "state").json()["accounts"]["MA_DEMO"]["credentials"][0]["calls"] == 1
    assert vobiz("DELETE", f"credentials/{identity}").status_code == 409
    assert call_control_api("DELETE", f"calls/{call['call']}").status_code == 200
    assert call_control_api("DELETE", f"calls/{call['call']}").status_code == 404
    assert vobiz("DELETE", f"credentials/{identity}").status_code == 204


def test_readings_change_at_run_time(vobiz: VobizClient, call_control_api) -> None:
    assert call_control_api("PATCH", "readings/vobiz", {"create_status": 200}).json()["create_status"] == 200
    answer = vobiz("POST", "credentials", json={"username": "a1", "password": GOOD})
    assert answer.status_code == 200


@pytest.mark.parametrize(
    ("method", "path", "body", "message"),
    [
        ("POST", "faults", {"verb": "create"}, "name a fault"),
        ("POST", "faults", {"fault": "nonsense"}, "there is no fault 'nonsense'"),
        ("POST", "faults", {"fault": "error", "often": 1}, "there is no 'often'"),
        ("POST", "faults", {"fault": "error", "times": "x"}, "whole numbers"),
        ("POST", "faults", {"fault": "latency", "seconds": "x"}, "seconds must be float, not 'x'"),
        ("POST", "faults", {"fault": "error", "verb": "updates"}, "there is no verb 'updates'"),
        ("POST", "faults", [1], "JSON object"),
        ("POST", "calls", {"account": "MA_X"}, "there is no such account; use one of MA_DEMO"),
        ("PATCH", "readings/vobiz", {"create_status": 5}, "create_status must be 201 or 200, not 5"),
        ("PATCH", "readings/telnix", {}, "there is no provider 'telnix'; use one of vobiz"),
    ],
)
def test_bad_input_says_what_would_be_right(
    call_control_api, method: str, path: str, body: object, message: str
) -> None:
    answer = call_control_api(method, path, body)
    assert answer.status_code == 400
    assert message in answer.json()["error"]


def test_a_call_on_an_unknown_username_is_not_found(call_control_api) -> None:
    assert call_control_api("POST", "calls", {"account": "MA_DEMO", "username": "nobody"}).status_code == 404


def test_a_web_page_cannot_plan_a_fault(vobiz: VobizClient) -> None:
    answer = vobiz.client.post(f"{vobiz.url}/_sandbox/faults", content='{"fault": "error"}')
    assert answer.status_code == 400


def test_the_curl_lines_of_the_docstring_work(vobiz: VobizClient, call_control_api) -> None:
    vobiz.create()
    bodies = [json.loads(text) for text in re.findall(r"-d '(\{.*?\})'", server.__doc__ or "")]
    assert len(bodies) == 5
    for body in bodies:
        path = "faults" if "fault" in body else "calls" if "account" in body else "readings/vobiz"
        assert call_control_api("PATCH" if path.startswith("readings") else "POST", path, body).status_code == 200, body
        call_control_api("DELETE", "faults")


@pytest.mark.parametrize("bind", ["0.0.0.0", "192.0.2.1", "::", "localhost", ""])
def test_anything_but_loopback_is_refused(api, clock, bind: str) -> None:
    with pytest.raises(ValueError, match="loopback"):
        SimulatorServer([api], clock, bind=bind)


def test_a_taken_port_is_an_os_error_and_leaves_nothing_open(api, clock) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(OSError, match="in use"):
        SimulatorServer([api], clock, http_port=taken.getsockname()[1])


def test_start_and_stop_leave_no_thread_and_free_the_ports(api, clock) -> None:
    with SimulatorServer([api], clock) as first:
        port, sip = int(first.http_url.rpartition(":")[2]), first.sip_address.port
        with httpx.Client(trust_env=False) as client:
            assert client.get(f"{first.http_url}/_sandbox/state").status_code == 200
    with SimulatorServer([api], clock, http_port=port, sip_port=sip) as second:
        assert httpx.get(f"{second.http_url}/_sandbox/state", trust_env=False).status_code == 200


def test_connections_are_kept_alive(vobiz: VobizClient, account: SimulatedAccount) -> None:
    for number in range(3):
        vobiz.create(f"phone{number}")
    pool = vobiz.client._transport._pool
    assert len(pool.connections) == 1


def test_requests_are_recorded_without_secrets_and_logs_hold_none(
    vobiz: VobizClient, simulator: SimulatorServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "rotator")
    identity = vobiz.create()
    vobiz("PUT", f"credentials/{identity}", json={"password": "short77"})
    register(SipRoute(simulator.sip_address, "udp"), "officephone01", Secret(GOOD), clock=WallClock())
    seen = [(exchange.method, exchange.status) for exchange in simulator.exchanges()]
    assert seen == [("POST", 201), ("PUT", 422)]
    everything = caplog.text + repr(simulator.exchanges())
    assert "PUT" in everything
    for secret in (GOOD, TOKEN, "short77"):
        assert secret not in everything


@pytest.mark.parametrize("header", [b"Content-Length: 99999999", b"Transfer-Encoding: chunked"])
def test_a_body_without_a_sane_length_is_refused(simulator: SimulatorServer, header: bytes) -> None:
    host, port = simulator.http_url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=5) as link:
        link.sendall(b"POST /api HTTP/1.1\r\nHost: x\r\n" + header + b"\r\n\r\n")
        assert link.recv(100).startswith(b"HTTP/1.1 413")
