"""The simulated providers in the readings that the vendors' pages leave open, as a raw client sees them."""

from collections.abc import Callable

import pytest
from flask import Flask
from flask.testing import FlaskClient
from simulator_support import GOOD, TOKEN, HandMovedClock

from rotator.core.secret import Secret
from rotator_simulator.account import SimulatedAccount
from rotator_simulator.providers.apinizer.api import ApinizerApi
from rotator_simulator.providers.telnyx import connections
from rotator_simulator.providers.telnyx.api import TelnyxApi
from rotator_simulator.providers.vobiz.api import VobizApi

MASK, OTHER = "********", "Other!Password22"
SimulatedCall = Callable[..., tuple[int, dict]]


def calls(api, **headers: str) -> SimulatedCall:
    application = Flask("simulated")
    application.register_blueprint(api.blueprint())
    client: FlaskClient = application.test_client()

    def call(method: str, path: str, body: object = None, **more: str) -> tuple[int, dict]:
        answer = client.open(path, method=method, json=body, headers={**headers, **more})
        return answer.status_code, answer.get_json(silent=True) or {}

    return call


def telnyx(**readings) -> SimulatedCall:
    clock = HandMovedClock()
    account = SimulatedAccount("TELNYX", Secret(TOKEN), clock)
    account.create(connections.KIND, "trunk", Secret(GOOD), {"connection_name": "trunk"}, identity="17")
    api = TelnyxApi([account], clock)
    api.read_as(**readings)
    return calls(api, Authorization=f"Bearer {TOKEN}")


def vobiz(*, accounts: tuple[str, ...] = ("MA_DEMO",), **readings) -> SimulatedCall:
    clock = HandMovedClock()
    api = VobizApi([SimulatedAccount(name, Secret(TOKEN), clock) for name in accounts], clock)
    api.read_as(**readings)
    return calls(api, **{"X-Auth-ID": "MA_DEMO", "X-Auth-Token": TOKEN})


VOBIZ = "/api/v1/Account/MA_DEMO"


@pytest.mark.parametrize("changes_masked", [False, True])
def test_a_connection_of_a_newer_account_shows_its_password_once(changes_masked):
    call = telnyx(passwords_masked="connections", changes_masked=changes_masked)

    def shown(*request) -> str:
        status, body = call(*request)
        assert status in (200, 201)
        return body["data"]["password"]

    once = MASK if changes_masked else OTHER
    assert shown("GET", "/v2/credential_connections/17") == MASK
    assert shown("PATCH", "/v2/credential_connections/17", {"password": OTHER}) == once
    assert shown("PATCH", "/v2/credential_connections/17", {"password": OTHER}) == MASK  # it changes nothing
    assert shown("PATCH", "/v2/credential_connections/17", {"active": True}) == MASK
    made = {"user_name": "another1", "password": OTHER, "connection_name": "another"}
    assert shown("POST", "/v2/credential_connections", made) == once
    assert {item["password"] for item in call("GET", "/v2/credential_connections")[1]["data"]} == {MASK}
    assert shown("DELETE", "/v2/credential_connections/17") == MASK


@pytest.mark.parametrize(("where", "masked"), [("nowhere", False), ("connections", False), ("everywhere", True)])
def test_telephony_credentials_may_be_masked_as_well(where, masked):
    call = telnyx(passwords_masked=where)
    made = call("POST", "/v2/telephony_credentials", {"connection_id": "17"})[1]["data"]
    assert made["sip_password"] != MASK
    path = f"/v2/telephony_credentials/{made['id']}"
    for method, body in (("GET", None), ("PATCH", {"name": "x"}), ("DELETE", None)):
        assert (call(method, path, body)[1]["data"]["sip_password"] == MASK) is masked


@pytest.mark.parametrize(("form", "value"), [("text", "false"), ("null", None), ("missing", "nothing")])
def test_expired_and_the_resource_have_other_forms(form, value):
    call = telnyx(expired_as=form, resource_as="bare")
    made = call("POST", "/v2/telephony_credentials", {"connection_id": "17"})[1]["data"]
    assert made.get("expired", "nothing") == value
    assert made["resource_id"] == "17"


@pytest.mark.parametrize(
    ("form", "status", "keys"),
    [
        ("without enabled", 200, {"id", "account_id", "username", "password", "realm", "created_at", "updated_at"}),
        ("message", 200, {"message"}),
        ("empty", 200, set()),
        ("no content", 204, set()),
    ],
)
def test_an_update_is_answered_otherwise_and_made(form, status, keys):
    call = vobiz(put_answer=form)
    made = call("POST", f"{VOBIZ}/credentials", {"username": "phone", "password": GOOD})[1]
    answered, body = call("PUT", f"{VOBIZ}/credentials/{made['id']}", {"enabled": False})
    assert (answered, set(body)) == (status, keys)
    assert call("GET", f"{VOBIZ}/trunks/credentials")[1]["objects"][0]["enabled"] is False


def test_the_listing_is_elsewhere():
    call = vobiz(listing_path="credentials")
    assert call("GET", f"{VOBIZ}/trunks/credentials")[0] == 404
    assert call("GET", f"{VOBIZ}/credentials")[1]["objects"] == []


def test_a_delete_needs_a_content_type():
    call = vobiz(delete_needs_type=True)
    made = call("POST", f"{VOBIZ}/credentials", {"username": "phone", "password": GOOD})[1]
    assert call("DELETE", f"{VOBIZ}/credentials/{made['id']}")[0] == 400
    typed = {"Content-Type": "application/json"}
    assert call("DELETE", f"{VOBIZ}/credentials/{made['id']}", **typed)[0] == 204


@pytest.mark.parametrize(("parent_key", "status"), [(False, 404), (True, 200)])
def test_the_key_of_a_main_account_may_administer_its_sub_accounts(parent_key, status):
    call = vobiz(accounts=("MA_DEMO", "SA_ONE", "MA_OTHER"), parent_key=parent_key)
    assert call("GET", "/api/v1/Account/SA_ONE/trunks/credentials")[0] == status
    assert call("GET", "/api/v1/Account/MA_OTHER/trunks/credentials")[0] == 404


def apinizer(**readings) -> tuple[ApinizerApi, SimulatedCall]:
    api = ApinizerApi([SimulatedAccount("pay", Secret(TOKEN), HandMovedClock())], HandMovedClock())
    api.read_as(**readings)
    api.add("pay", "client1", Secret(GOOD), [("Orders", "API_PROXY")])
    return api, calls(api, Authorization=f"Bearer {TOKEN}")


@pytest.mark.parametrize("keeps", [True, False])
def test_a_full_update_may_drop_what_the_listing_does_not_show(keeps):
    api, call = apinizer(update_keeps_hidden=keeps)
    api.add_hidden("pay", "client1", metadata=[{"key": "customer", "value": "17"}])
    path = "/apiops/projects/pay/credentials/"
    (shown,) = call("GET", path)[1]["resultList"]
    assert "metadata" not in shown
    assert call("PUT", path, {**shown, "password": OTHER})[0] == 200
    assert bool(api.hidden("pay", "client1")) is keeps


@pytest.mark.parametrize("reaches", [True, False])
def test_an_environment_may_keep_its_own_password(reaches):
    api, call = apinizer(password_reaches_all=reaches)
    api.set_own_password("pay", "client1", "staging", Secret("staging-password"))
    assert call("PATCH", "/apiops/projects/pay/credentials/client1/", {"password": OTHER})[0] == 200
    assert api.lets_in("production", "client1", Secret(OTHER), "Orders")
    assert api.lets_in("staging", "client1", Secret(OTHER), "Orders") is reaches
    assert api.lets_in("staging", "client1", Secret("staging-password"), "Orders") is not reaches


def test_a_rate_limit_list_takes_credentials_by_username():
    api, call = apinizer()
    path = "/apiops/projects/pay/rlcl/PremiumUserRLCL/credentials/"
    for _ in range(2):  # duplicates are ignored
        assert call("POST", path, {"credentialNameList": ["client1"]}) == (200, {"success": True})
    assert api.rate_limits.named_in("PremiumUserRLCL") == {"client1"}
    assert call("POST", path, {"credentialNameList": []})[0] == 400
    assert call("POST", path, {"credentialNameList": ["nobody"]})[0] == 400
    assert call("POST", path.replace("Premium", "None"), {"credentialNameList": ["client1"]})[0] == 400
    assert call("DELETE", "/apiops/projects/pay/credentials/client1/")[0] == 200
    assert api.rate_limits.named_in("PremiumUserRLCL") == set()
