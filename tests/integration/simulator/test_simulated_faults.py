"""Each fault as a raw client sees it, with what the provider holds afterwards."""

import time

import httpx
import pytest
from polling import eventually
from simulator_support import GOOD, VobizClient

from rotator_simulator.account import SimulatedAccount
from rotator_simulator.faults import CATALOGUE, FaultInjector, PlannedFault, fault_named
from rotator_simulator.server import SimulatorServer

BODY = {"username": "officephone01", "password": GOOD}


def plan(simulator: SimulatorServer, name: str, **changes) -> PlannedFault:
    return simulator.faults.plan(fault_named(name, **changes), verb="create")


@pytest.mark.parametrize(
    ("name", "committed"), [("reset", False), ("lost-answer", True), ("silence", False), ("silence-after-commit", True)]
)
def test_no_answer_before_or_after_the_commit(
    vobiz: VobizClient, simulator: SimulatorServer, account: SimulatedAccount, name: str, committed: bool
) -> None:
    planned = plan(simulator, name)
    error = httpx.ReadTimeout if "silence" in name else httpx.ReadError
    with pytest.raises(error):
        vobiz("POST", "credentials", json=BODY, timeout=0.3)
    if committed:
        eventually(lambda: bool(account.credentials()), "it is created all the same")
    assert bool(account.credentials()) is committed
    assert planned.fired == 1
    assert vobiz("GET", "trunks/credentials").status_code == 200


def test_a_reset_is_a_reset(vobiz: VobizClient, simulator: SimulatorServer) -> None:
    plan(simulator, "lost-answer")
    with pytest.raises(httpx.ReadError) as caught:
        vobiz("POST", "credentials", json=BODY)
    cause = caught.value
    chain = []
    while cause is not None:
        chain.append(type(cause))
        cause = cause.__cause__ or cause.__context__
    assert ConnectionResetError in chain


def test_rate_limited_with_retry_after(
    vobiz: VobizClient, simulator: SimulatorServer, account: SimulatedAccount
) -> None:
    plan(simulator, "rate-limited", retry_after=7)
    answer = vobiz("POST", "credentials", json=BODY)
    assert (answer.status_code, answer.headers["Retry-After"]) == (429, "7")
    assert answer.json()["error"]["code"] == "RATE_LIMIT_EXCEEDED"
    assert answer.json()["error"]["details"]["retryAfter"] == 7
    assert account.credentials() == ()


@pytest.mark.parametrize(
    ("name", "status", "committed"),
    [("error", 500, False), ("unavailable", 503, False), ("error-after-commit", 500, True), ("forbidden", 403, False)],
)
def test_error_statuses(
    vobiz: VobizClient, simulator: SimulatorServer, account: SimulatedAccount, name: str, status: int, committed: bool
) -> None:
    plan(simulator, name)
    answer = vobiz("POST", "credentials", json=BODY)
    assert (answer.status_code, answer.json()["status"]) == (status, "error")
    assert bool(account.credentials()) is committed


def test_unauthorized_from_now_on(vobiz: VobizClient, simulator: SimulatorServer) -> None:
    simulator.faults.plan("unauthorized", times=None)
    assert [vobiz("GET", "trunks/credentials").status_code for _ in range(3)] == [401, 401, 401]
    simulator.faults.clear()
    assert vobiz("GET", "trunks/credentials").status_code == 200


@pytest.mark.parametrize("name", ["html", "html-after-commit", "empty", "empty-after-commit"])
def test_bodies_that_are_not_json(
    vobiz: VobizClient, simulator: SimulatorServer, account: SimulatedAccount, name: str
) -> None:
    plan(simulator, name)
    answer = vobiz("POST", "credentials", json=BODY)
    assert answer.status_code == 200
    assert answer.text.startswith("<html>") if "html" in name else answer.content == b""
    assert bool(account.credentials()) is name.endswith("after-commit")


def test_huge_body(vobiz: VobizClient, simulator: SimulatorServer) -> None:
    plan(simulator, "huge")
    assert len(vobiz("POST", "credentials", json=BODY).content) > 10_000_000


def test_half_a_body(vobiz: VobizClient, simulator: SimulatorServer, account: SimulatedAccount) -> None:
    plan(simulator, "half-body")
    with pytest.raises(httpx.RemoteProtocolError, match="complete message body"):
        vobiz("POST", "credentials", json=BODY)
    assert account.credentials()


def test_slow_drip_outlasts_a_read_timeout(vobiz: VobizClient, simulator: SimulatorServer) -> None:
    plan(simulator, "drip", seconds=0.004)
    # Each byte comes well inside the read timeout: only a bound on the whole call ends such an answer.
    began = time.monotonic()
    answer = vobiz("POST", "credentials", json=BODY, timeout=0.5)
    assert answer.status_code == 201
    assert time.monotonic() - began > 0.5


@pytest.mark.parametrize(("name", "committed"), [("latency", False), ("late-answer", True)])
def test_latency(
    vobiz: VobizClient, simulator: SimulatorServer, account: SimulatedAccount, name: str, committed: bool
) -> None:
    plan(simulator, name, seconds=30)
    with pytest.raises(httpx.ReadTimeout):
        vobiz("POST", "credentials", json=BODY, timeout=0.2)
    if committed:
        eventually(lambda: bool(account.credentials()), "it is created all the same")
    assert bool(account.credentials()) is committed


def test_redirect_leads_elsewhere_and_is_counted(vobiz: VobizClient, simulator: SimulatorServer) -> None:
    simulator.faults.plan("redirect", times=2)
    answer = vobiz("GET", "trunks/credentials")
    assert (answer.status_code, answer.headers["Location"]) == (307, f"{vobiz.url}/_sandbox/elsewhere")
    state = vobiz.client.get(f"{vobiz.url}/_sandbox/state").json()
    assert state["redirects_followed"] == 0
    vobiz("GET", "trunks/credentials", follow_redirects=True)
    state = vobiz.client.get(f"{vobiz.url}/_sandbox/state").json()
    assert state["redirects_followed"] == 1


def test_plans_concern_their_verb_and_account(vobiz: VobizClient, simulator: SimulatorServer) -> None:
    simulator.faults.plan("error", verb="delete", times=None)
    simulator.faults.plan("error", account="MA_OTHER", times=None)
    identity = vobiz.create()
    assert vobiz("GET", "trunks/credentials").status_code == 200
    assert vobiz("DELETE", f"credentials/{identity}").status_code == 500


def test_delays_add_up_and_one_other_fault_applies() -> None:
    faults = FaultInjector()
    slow = faults.plan("latency", times=None)
    first = faults.plan("error")
    second = faults.plan("reset")
    assert [fault.kind.value for fault in faults.draw("a", "get")] == ["delay", "status"]
    assert [fault.kind.value for fault in faults.draw("a", "get")] == ["delay", "reset"]
    assert [fault.kind.value for fault in faults.draw("a", "get")] == ["delay"]
    assert (slow.fired, first.fired, second.fired) == (3, 1, 1)


def test_every_verb_leaves_registrations_alone() -> None:
    faults = FaultInjector()
    faults.plan("error", times=None)
    assert faults.draw("a", "register") == ()
    assert faults.draw("a", "update") != ()


def test_probability_is_repeatable() -> None:
    def run(seed: int) -> list[bool]:
        faults = FaultInjector()
        faults.plan("error", times=None, probability=0.3, seed=seed)
        return [bool(faults.draw("a", "get")) for _ in range(200)]

    assert run(1) == run(1) != run(2)
    assert 30 < sum(run(1)) < 90


@pytest.mark.parametrize(
    ("rest", "message"),
    [
        ({"fault": "nonsense"}, "there is no fault 'nonsense'"),
        ({"fault": "error", "verb": "updates"}, "there is no verb 'updates'"),
        ({"fault": "html", "verb": "register"}, "the registrar takes only"),
        ({"fault": "error", "times": 0}, "times must be 1 or more"),
        ({"fault": "error", "probability": 2}, "probability must be above 0"),
    ],
)
def test_plans_are_checked(rest: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        FaultInjector().plan(**rest)


def test_every_fault_of_the_catalogue_leaves_the_server_usable(vobiz: VobizClient, simulator: SimulatorServer) -> None:
    for name, fault in CATALOGUE.items():
        seconds = min(fault.seconds, 0.001)
        simulator.faults.plan(fault_named(name, seconds=seconds), verb="list")
        try:
            vobiz("GET", "trunks/credentials")
        except httpx.TransportError:
            assert name in {"reset", "lost-answer", "silence", "silence-after-commit", "half-body"}
        assert vobiz("GET", "trunks/credentials").status_code == 200


def test_stop_ends_silences_and_drips(api, clock) -> None:
    simulator = SimulatorServer([api], clock)
    simulator.start()
    try:
        simulator.faults.plan("silence", times=None)
        with httpx.Client(trust_env=False) as client, pytest.raises(httpx.ReadTimeout):
            VobizClient(simulator.http_url, client)("GET", "trunks/credentials", timeout=0.1)
    finally:
        began = time.monotonic()
        simulator.stop()
    assert time.monotonic() - began < 60  # a silence lasts an hour
