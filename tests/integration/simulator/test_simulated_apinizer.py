"""The simulated Apinizer as a raw client sees it: both generations, environments that differ, the gateway."""

import base64
from collections.abc import Iterator

import httpx
import pytest
from apinizer_fixtures import ALL, GENERATIONS, INVOICES, NEW, OLD, ORDERS, PROJECT, apinizer_project
from openapi_contract import ContractBroken
from polling import eventually
from provider_fixtures import TOKEN
from simulator_support import WallClock

from rotator.core.secret import Secret
from rotator_simulator.devices.api_client import ApiClient
from rotator_simulator.devices.device import DeviceTiming, PublishedCredential
from rotator_simulator.devices.fleet import Fleet

BASE = "/apiops/projects/Pay%20ments/credentials/"
FULL = {
    "email": "a@b.c",
    "fullName": "Team",
    "description": "d",
    "username": "client1",
    "password": "first-password",
    "roleNameList": ["R"],
    "enabled": True,
    "ipList": [],
    "expireDate": None,
}
BOTH = pytest.mark.parametrize("generation", GENERATIONS)


class RawClient:
    """A plain client of one project."""

    def __init__(self, project, client):
        self.project, self.client = project, client

    def __call__(self, method, path=BASE, body=None, token=TOKEN) -> httpx.Response:
        headers = {"Authorization": f"Bearer {token}"}
        return self.client.request(method, f"{self.project.sandbox.http_url}{path}", headers=headers, json=body)

    def gateway(self, api="Orders", password="first-password", environment="production", **more) -> int:
        url = f"{self.project.sandbox.http_url}/gateway/{environment}/{api}"
        auth = httpx.BasicAuth("client1", password) if password else None
        return self.client.get(url, auth=auth, **more).status_code

    def token(self, auth=("client1", "first-password"), **form) -> httpx.Response:
        url = f"{self.project.sandbox.http_url}/gateway/production/credential/token"
        return self.client.post(url, data={"grant_type": "client_credentials", **form}, auth=auth)


@pytest.fixture
def client() -> Iterator[httpx.Client]:
    with httpx.Client(timeout=5, trust_env=False) as made:
        yield made


def error_text(response) -> str | None:
    body = response.json()
    return body.get("error_description") or body.get("resultMessage")


@BOTH
def test_a_life_by_hand(generation, client):
    with apinizer_project(generation) as project:
        raw = RawClient(project, client)
        assert raw("POST", body=FULL).status_code == 200
        assert raw.gateway() == 403
        group = {"credentialAccessList": [{"name": "All", "type": "API_PROXY_GROUP"}]}
        assert raw("PUT", f"{BASE}client1/access/", group).status_code == 200
        assert (raw.gateway(), raw.gateway("Invoices"), raw.gateway(password="x"), raw.gateway("None")) == (
            200,
            200,
            401,
            404,
        )
        (shown,) = raw("GET").json()["resultList"]
        assert shown == {**FULL, "password": None}
        assert raw("PATCH", f"{BASE}client1/", {"password": "second-password"}).status_code == 200
        assert (raw.gateway(), raw.gateway(password="second-password")) == (401, 200)
        assert raw("PUT", body={**FULL, "enabled": False}).status_code == 200
        assert (raw.gateway(), raw.gateway(password="second-password")) == (401, 401)
        assert raw("DELETE", f"{BASE}client1/").status_code == 200
        assert error_text(raw("DELETE", f"{BASE}client1/")) == "Credential (username: client1) was not found!"


@BOTH
def test_the_envelope_is_that_of_the_generation(generation, client):
    with apinizer_project(generation) as project:
        raw = RawClient(project, client)
        made, wrong, foreign = (
            raw("POST", body=FULL),
            raw("GET", token="x"),
            raw("GET", "/apiops/projects/pay%20ments/credentials/"),
        )
        if generation == OLD:
            assert made.json()["success"] is True
            assert (wrong.status_code, wrong.json()["error"]) == (401, "unauthorized_client")
            assert (foreign.status_code, foreign.json()["error"]) == (404, "not_found")
        else:
            assert made.json()["status"] == "SUCCESS"
            assert (wrong.status_code, error_text(wrong)) == (401, "Token is not valid!")
            assert (foreign.status_code, error_text(foreign)) == (400, "Project (pay ments) is not found!")
        result = raw("DELETE", f"{BASE}client1/").json()["deploymentResult"]
        assert ("detailList" in result) is (generation == NEW)


@BOTH
def test_what_is_refused(generation, client):
    with apinizer_project(generation, lenient=True) as project:
        raw = RawClient(project, client)
        project.api.add("Elsewhere", "taken", Secret("x"))
        project.api.add(PROJECT, "client1", Secret("first-password"), [ORDERS])
        for missing in ("email", "fullName", "username", "password"):
            assert "can not be empty" in error_text(raw("POST", body={**FULL, missing: ""}))
        assert "already" in error_text(raw("POST", body={**FULL, "username": "taken"}))
        for missing in ("ipList", "enabled", "expireDate"):
            body = {key: value for key, value in FULL.items() if key != missing}
            assert raw("PUT", body=body).status_code == 400
        again = {"credentialAccessList": [{"name": "Orders", "type": "API_PROXY"}]}
        assert error_text(raw("PUT", f"{BASE}client1/access/", again)).endswith(
            "has already access to API Proxy (name:Orders)!"
        )
        absent = {"credentialAccessList": [{"name": "None", "type": "API_PROXY"}]}
        assert "is not found or" in error_text(raw("PUT", f"{BASE}client1/access/", absent))
        project.api.read_as(permitted=False)
        assert raw("GET").status_code == (404 if generation == OLD else 400)


def test_a_path_without_its_slash_is_none_and_the_contract_says_so(client):
    with pytest.raises(ContractBroken, match="PathNotFound"), apinizer_project() as project:
        assert RawClient(project, client)("GET", BASE.rstrip("/")).status_code == 404


def test_an_environment_that_a_deployment_does_not_reach_keeps_the_old_password(client):
    with apinizer_project() as project:
        raw = RawClient(project, client)
        project.api.add(PROJECT, "client1", Secret("first-password"), [ORDERS])
        project.sandbox.faults.plan("partial-deployment", verb="update")
        answer = raw("PATCH", f"{BASE}client1/", {"password": "second-password"})
        assert (answer.status_code, answer.json()["success"]) == (200, True)
        assert [one["success"] for one in answer.json()["deploymentResult"]["environmentResults"]] == [True, False]
        assert (raw.gateway(), raw.gateway(environment="staging")) == (401, 200)
        raw("PATCH", f"{BASE}client1/", {"password": "second-password"})
        assert raw.gateway(password="second-password", environment="staging") == 200


@pytest.mark.parametrize("fault", ["null-deployment", "empty-deployment"])
def test_a_deployment_that_names_nothing_reaches_nothing(fault, client):
    with apinizer_project() as project:
        raw = RawClient(project, client)
        project.sandbox.faults.plan(fault, verb="create")
        result = raw("POST", body=FULL).json()["deploymentResult"]
        assert (result is None) if fault == "null-deployment" else (result["environmentResults"] == [])
        assert project.accepted_nowhere("client1", "first-password")


def test_an_expired_one_is_listed_and_not_let_in(client):
    with apinizer_project() as project:
        raw = RawClient(project, client)
        project.api.add(PROJECT, "client1", Secret("first-password"), [ORDERS], expireDate="2026-01-01T00:00:00.000Z")
        assert len(raw("GET").json()["resultList"]) == 1
        assert raw.gateway() == 401


def test_access_that_is_revoked_ends(client):
    with apinizer_project() as project:
        raw = RawClient(project, client)
        project.api.add(PROJECT, "client1", Secret("first-password"), [ORDERS, ALL])
        for name, kind in (ORDERS, INVOICES, ALL):  # one that was never granted is passed over in silence
            body = {"credentialAccessList": [{"name": name, "type": kind}]}
            assert raw("DELETE", f"{BASE}client1/access/", body).status_code == 200
        assert raw.gateway() == 403


def test_tokens(client):
    with apinizer_project() as project:
        raw = RawClient(project, client)
        project.api.add(PROJECT, "client1", Secret("first-password"), [ORDERS])
        url = f"{project.sandbox.http_url}/gateway/production/Orders"

        def works(token) -> bool:
            return client.get(url, headers={"Authorization": f"Bearer {token}"}).status_code == 200

        first = raw.token().json()["access_token"]
        second = raw.token(None, client_id="client1", client_secret="first-password").json()["access_token"]
        assert works(first)
        assert works(second)
        assert raw.token(client_id="client1").json() == {"error": "invalid_request"}
        assert raw.token(("client1", "x")).status_code == 401
        assert raw.token(None).json() == {"error": "invalid_client"}
        assert raw.token(grant_type="password").json() == {"error": "unsupported_grant_type"}
        project.api.read_as(delete_previous=True)
        third = raw.token().json()["access_token"]
        assert [works(token) for token in (first, second, third)] == [False, False, True]
        malformed = {"Authorization": "Basic " + base64.b64encode(b"nocolon").decode()}
        assert client.get(url, headers=malformed).status_code == 401


def test_a_client_that_reads_vault_is_never_cut_off_and_one_that_is_refused_says_so():
    with apinizer_project() as project:
        project.api.add(PROJECT, "client1", Secret("first-password"), [ORDERS])
        project.api.add(PROJECT, "client2", Secret("second-password"), [ORDERS])
        given = [PublishedCredential("client1", Secret("first-password"), "")]
        clock, url = WallClock(), f"{project.sandbox.http_url}/gateway/staging/Orders"
        timing = DeviceTiming(interval=0.02, refresh=0.05, retry=0.02, patience=0.2, overlap=60)
        clients = [
            ApiClient("reader", lambda: given[0], url, clock, timing),
            ApiClient(
                "forgetful", lambda: PublishedCredential("client1", Secret("first-password"), ""), url, clock, timing
            ),
        ]
        fleet = Fleet(clients, clock, threads=2)
        fleet.start()
        try:
            eventually(lambda: all(report.accepted > 2 for report in fleet.reports().values()), "all are let in")
            given[0] = PublishedCredential("client2", Secret("second-password"), "")
            seen = fleet.reports()["reader"].accepted
            eventually(lambda: fleet.reports()["reader"].accepted > seen + 10, "the reader goes on")
            project.account.update("credential", project.account.by_username("client1").id)
            project.api._environments.deploy("staging", "client1", None, 0)
            eventually(lambda: bool(fleet.reports()["forgetful"].cut_off), "the forgetful one is cut off")
            assert fleet.reports()["reader"].cut_off == ()
            assert fleet.reports()["reader"].refused == 0
        finally:
            fleet.stop()
            for one in clients:
                one.close()


def test_a_client_without_an_answer_is_not_refused():
    timing = DeviceTiming(timeout=0.2)
    client = ApiClient(
        "c", lambda: PublishedCredential("u", Secret("p"), ""), "http://127.0.0.1:1", WallClock(), timing
    )
    client.step()
    client.close()
    assert (client.report().tried, client.report().unanswered, client.report().refused) == (1, 1, 0)
