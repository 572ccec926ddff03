"""The simulated Vobiz over a real socket: what its pages say, each reading, each error shape."""

import httpx
import pytest
from simulator_support import GOOD, VobizClient

from rotator_simulator.account import CredentialEvent, SimulatedAccount
from rotator_simulator.providers.vobiz.api import VobizApi
from rotator_simulator.providers.vobiz.common import VobizReadings

OTHER = "Other!Password22"


def test_create_answers_the_documented_object(vobiz: VobizClient) -> None:
    answer = vobiz("POST", "credentials", json={"username": "officephone01", "password": GOOD})
    assert answer.status_code == 201
    body = answer.json()
    assert set(body) == {"id", "account_id", "username", "password", "realm", "enabled", "created_at", "updated_at"}
    assert body["password"] == "<redacted>"
    assert body["realm"] == "MA_DEMO.sip.vobiz.ai"
    assert body["enabled"] is True
    assert body["created_at"].endswith("Z")
    assert GOOD not in answer.text


def test_listing_is_at_another_path_and_paged(vobiz: VobizClient) -> None:
    made = [vobiz.create(f"phone{number}") for number in range(25)]
    assert vobiz("GET", "credentials").status_code == 405
    first = vobiz("GET", "trunks/credentials").json()
    rest = vobiz("GET", "trunks/credentials?limit=20&offset=20").json()
    assert first["meta"] == {"limit": 20, "offset": 0, "total": 25}
    assert [item["id"] for item in first["objects"] + rest["objects"]] == made


def test_longest_page_cuts_the_limit(vobiz: VobizClient, api: VobizApi) -> None:
    api.read_as(list_longest_page=2)
    for number in range(3):
        vobiz.create(f"phone{number}")
    page = vobiz("GET", "trunks/credentials?limit=500").json()
    assert (page["meta"]["limit"], len(page["objects"])) == (2, 2)


@pytest.mark.parametrize("query", ["limit=x", "limit=0", "offset=-1"])
def test_listing_refuses_a_bad_page(vobiz: VobizClient, query: str) -> None:
    assert vobiz("GET", f"trunks/credentials?{query}").status_code == 400


def test_update_sets_password_enabled_and_description(vobiz: VobizClient, account: SimulatedAccount, clock) -> None:
    identity = vobiz.create()
    clock.seconds += 5
    answer = vobiz("PUT", f"credentials/{identity}", json={"password": OTHER, "enabled": False, "description": "x"})
    assert answer.status_code == 200
    assert answer.json()["enabled"] is False
    assert answer.json()["updated_at"] > answer.json()["created_at"]
    assert "description" not in answer.json()
    assert account.credentials()[0].password.reveal() == OTHER
    assert [line.event for line in account.history()] == [
        CredentialEvent.CREATED,
        CredentialEvent.SET,
        CredentialEvent.DISABLED,
    ]


def test_username_is_immutable(vobiz: VobizClient) -> None:
    assert vobiz("PUT", f"credentials/{vobiz.create()}", json={"username": "another"}).status_code == 400


def test_delete_answers_204_and_then_404(vobiz: VobizClient, account: SimulatedAccount) -> None:
    identity = vobiz.create()
    answer = vobiz("DELETE", f"credentials/{identity}")
    assert (answer.status_code, answer.content) == (204, b"")
    gone = vobiz("DELETE", f"credentials/{identity}")
    assert gone.status_code == 404
    assert gone.json()["status"] == "error"
    assert account.credentials() == ()


def test_delete_during_a_call_conflicts_until_it_ends(vobiz: VobizClient, account: SimulatedAccount) -> None:
    identity = vobiz.create()
    call = account.start_call(identity)
    assert vobiz("DELETE", f"credentials/{identity}").status_code == 409
    account.end_call(call)
    assert vobiz("DELETE", f"credentials/{identity}").status_code == 204


def test_the_three_error_shapes(vobiz: VobizClient) -> None:
    vobiz.create()
    duplicate = vobiz("POST", "credentials", json={"username": "officephone01", "password": GOOD})
    assert (duplicate.status_code, duplicate.json()) == (409, {"error": "Username already exists", "code": 409})
    endpoint = vobiz("POST", "Endpoint/", json={"username": "desk1", "password": "short"})
    assert endpoint.status_code == 400
    assert endpoint.json()["error"] == "invalid request parameters"
    assert set(endpoint.json()["details"]) == {"password"}
    envelope = vobiz("PUT", "credentials/none", json={"enabled": True}).json()
    assert set(envelope) == {"status", "error", "timestamp", "requestId"}


def test_422_echoes_the_rejected_password(vobiz: VobizClient) -> None:
    answer = vobiz("POST", "credentials", json={"username": "a1", "password": "tooshor"})
    assert answer.status_code == 422
    assert answer.json()["error"]["details"]["errors"][0]["value"] == "tooshor"


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({}, 401),
        ({"X-Auth-ID": "MA_DEMO", "X-Auth-Token": "wrong"}, 401),
        ({"X-Auth-ID": "MA_OTHER", "X-Auth-Token": "simulator-token-1"}, 401),
    ],
)
def test_wrong_key_gets_401_in_the_global_envelope(vobiz: VobizClient, headers: dict[str, str], code: int) -> None:
    answer = httpx.get(f"{vobiz.base}/trunks/credentials", headers=headers, trust_env=False)
    assert answer.status_code == code
    assert answer.json()["error"]["code"] == "INVALID_CREDENTIALS"


def test_anothers_path_is_not_found(vobiz: VobizClient) -> None:
    path = f"{vobiz.url}/api/v1/Account/MA_OTHER/trunks/credentials"
    assert vobiz.client.get(path, headers=vobiz.headers).status_code == 404


@pytest.mark.parametrize("status", [404, 401])
def test_lower_case_account_is_refused(vobiz: VobizClient, api: VobizApi, status: int) -> None:
    api.read_as(lowercase_status=status)
    path = f"{vobiz.url}/api/v1/account/MA_DEMO/trunks/credentials"
    assert vobiz.client.get(path, headers=vobiz.headers).status_code == status


@pytest.mark.parametrize("username", ["with space", "a-b", "a_b", "", 7, None, "ünï"])
def test_usernames_are_alphanumeric(vobiz: VobizClient, username: object) -> None:
    assert vobiz("POST", "credentials", json={"username": username, "password": GOOD}).status_code == 400


def test_underscore_reading_takes_the_pages_own_example(vobiz: VobizClient, api: VobizApi) -> None:
    api.read_as(username_underscore_allowed=True)
    assert vobiz("POST", "credentials", json={"username": "trunk_user-001", "password": GOOD}).status_code == 201


def test_create_takes_nothing_but_username_and_password(vobiz: VobizClient, account: SimulatedAccount) -> None:
    body = {"username": "a1", "password": GOOD, "enabled": False}
    assert vobiz("POST", "credentials", json=body).status_code == 400
    assert vobiz("POST", "credentials", content=b"{not json").status_code == 400
    assert account.credentials() == ()


@pytest.mark.parametrize(
    ("readings", "password", "status"),
    [
        ({}, "A!bcdefgh123456789012", 422),
        ({"password_longest": None}, "A!bcdefgh123456789012", 201),
        ({}, "NoSymbolAtAll123", 422),
        ({"password_symbol_required": False}, "NoSymbolAtAll123", 201),
        ({}, "Has;Semicolon!12", 422),
        ({"password_symbol_required": False}, "Has;Semicolon!12", 201),
        ({"password_symbol_required": False}, "1234567", 422),
        ({}, None, 422),
    ],
)
def test_password_rules(vobiz: VobizClient, api: VobizApi, readings: dict, password: str | None, status: int) -> None:
    api.read_as(**readings)
    assert vobiz("POST", "credentials", json={"username": "a1", "password": password}).status_code == status


def test_put_without_password_accepted(vobiz: VobizClient, account: SimulatedAccount) -> None:
    assert vobiz("PUT", f"credentials/{vobiz.create()}", json={"enabled": False}).json()["enabled"] is False
    assert not account.accepts("officephone01", account.credentials()[0].password)


def test_put_without_password_refused(vobiz: VobizClient, api: VobizApi, account: SimulatedAccount) -> None:
    api.read_as(put_without_password="refused")
    identity = vobiz.create()
    assert vobiz("PUT", f"credentials/{identity}", json={"enabled": False}).status_code == 422
    assert account.credentials()[0].enabled
    answer = vobiz("PUT", f"credentials/{identity}", json={"enabled": False, "password": GOOD})
    assert answer.json()["enabled"] is False


def test_put_without_password_ignored(vobiz: VobizClient, api: VobizApi, account: SimulatedAccount) -> None:
    api.read_as(put_without_password="ignored")
    identity = vobiz.create()
    answer = vobiz("PUT", f"credentials/{identity}", json={"enabled": False})
    assert (answer.status_code, answer.json()["enabled"]) == (200, True)
    answer = vobiz("PUT", f"credentials/{identity}", json={"enabled": False, "password": GOOD})
    assert answer.json()["enabled"] is False


def test_enabled_not_honoured_at_all(vobiz: VobizClient, api: VobizApi) -> None:
    api.read_as(enabled_honoured=False)
    answer = vobiz("PUT", f"credentials/{vobiz.create()}", json={"enabled": False, "password": OTHER})
    assert (answer.status_code, answer.json()["enabled"]) == (200, True)


def test_enabled_not_honoured_but_shown(vobiz: VobizClient, api: VobizApi, account: SimulatedAccount) -> None:
    api.read_as(enabled_honoured=False, enabled_echoed=True)
    assert vobiz("PUT", f"credentials/{vobiz.create()}", json={"enabled": False}).json()["enabled"] is False
    assert account.credentials()[0].enabled


def test_a_single_credential_can_be_read_where_the_account_has_that(vobiz: VobizClient, api: VobizApi) -> None:
    identity = vobiz.create()
    assert vobiz("GET", f"credentials/{identity}").status_code == 404
    api.read_as(single_get=True)
    assert vobiz("GET", f"credentials/{identity}").json()["id"] == identity
    assert vobiz("GET", "credentials/no-such-id").status_code == 404


@pytest.mark.parametrize("enables", [True, False])
def test_password_only_put_may_enable(vobiz: VobizClient, api: VobizApi, enables: bool) -> None:
    api.read_as(put_password_enables=enables)
    identity = vobiz.create()
    vobiz("PUT", f"credentials/{identity}", json={"enabled": False})
    assert vobiz("PUT", f"credentials/{identity}", json={"password": OTHER}).json()["enabled"] is enables


def test_success_codes_of_the_openapi_block(vobiz: VobizClient, api: VobizApi) -> None:
    api.read_as(create_status=200, delete_status=200)
    made = vobiz("POST", "credentials", json={"username": "a1", "password": GOOD})
    assert made.status_code == 200
    deleted = vobiz("DELETE", f"credentials/{made.json()['id']}")
    assert deleted.status_code == 200
    assert isinstance(deleted.json(), str)


def test_delete_may_cut_calls_off(vobiz: VobizClient, api: VobizApi, account: SimulatedAccount) -> None:
    api.read_as(delete_during_call="disconnect")
    identity = vobiz.create()
    account.start_call(identity)
    assert vobiz("DELETE", f"credentials/{identity}").status_code == 204
    assert not account.calls()


def test_older_generation_of_the_listing(vobiz: VobizClient, api: VobizApi) -> None:
    identity = vobiz.create()
    vobiz("PUT", f"credentials/{identity}", json={"description": "desk"})
    api.read_as(short_items=True, total_key="total_count")
    page = vobiz("GET", "trunks/credentials").json()
    assert page["meta"]["total_count"] == 1
    assert set(page["objects"][0]) == {"id", "username", "enabled", "description", "created_at", "updated_at"}
    assert page["objects"][0]["description"] == "desk"


def test_listing_may_reveal_passwords(vobiz: VobizClient, api: VobizApi) -> None:
    vobiz.create()
    assert vobiz("GET", "trunks/credentials").json()["objects"][0]["password"] == "<redacted>"
    api.read_as(list_reveals_password=True)
    assert vobiz("GET", "trunks/credentials").json()["objects"][0]["password"] == GOOD


def test_not_found_may_be_empty(vobiz: VobizClient, api: VobizApi) -> None:
    api.read_as(empty_not_found=True)
    answer = vobiz("DELETE", "credentials/none")
    assert (answer.status_code, answer.content) == (404, b"")


def test_realm_by_trunk(vobiz: VobizClient, api: VobizApi, account: SimulatedAccount) -> None:
    vobiz.create()
    api.read_as(realm_form="trunk", challenge_realm="trunk")
    shown = vobiz("GET", "trunks/credentials").json()["objects"][0]["realm"]
    assert shown != "MA_DEMO.sip.vobiz.ai"
    assert shown.endswith(".sip.vobiz.ai")
    assert api.realms() == {shown: account}


def test_readings_are_checked_and_can_be_given_at_construction(account: SimulatedAccount, clock) -> None:
    api = VobizApi([account], clock, VobizReadings(create_status=200))
    assert api.readings.create_status == 200
    with pytest.raises(ValueError, match="201 or 200"):
        api.read_as(create_status=202)
    with pytest.raises(ValueError, match="there is no 'creates'"):
        api.read_as(creates=True)
    with pytest.raises(ValueError, match="bool"):
        api.read_as(short_items=1)
    with pytest.raises(ValueError, match="int or null"):
        api.read_as(password_longest="20")


def test_endpoint_life(vobiz: VobizClient, account: SimulatedAccount) -> None:
    made = vobiz("POST", "Endpoint/", json={"username": "desk1", "password": "longenough", "alias": "Desk"})
    assert (made.status_code, set(made.json())) == (201, {"alias", "endpoint_id", "username"})
    path = f"Endpoint/{made.json()['endpoint_id']}/"
    changed = vobiz("POST", path, json={"password": "evenlonger"})
    assert (changed.status_code, changed.content) == (202, b"")
    assert account.by_username("desk1").password.reveal() == "evenlonger"
    shown = vobiz("GET", path).json()
    assert shown["sip_registered"] == "false"
    assert "longer" not in str(shown)
    assert vobiz("DELETE", path).status_code == 204
    gone = vobiz("GET", path)
    assert (gone.status_code, gone.content) == (404, b"")


def test_endpoint_listing_filters_and_counts(vobiz: VobizClient) -> None:
    for name, alias in (("desk1", "Front"), ("desk2", "Back"), ("mobile1", "Back")):
        vobiz("POST", "Endpoint/", json={"username": name, "password": "longenough", "alias": alias})

    def names(query: str) -> list[str]:
        page = vobiz("GET", f"Endpoint/?{query}").json()
        assert page["meta"]["total_count"] == len(page["objects"])
        return [item["username"] for item in page["objects"]]

    assert names("") == ["desk1", "desk2", "mobile1"]
    assert names("username__exact=desk1") == ["desk1"]
    assert names("username__startswith=desk") == ["desk1", "desk2"]
    assert names("username__contains=bile") == ["mobile1"]
    assert names("alias__exact=Back&username__contains=desk") == ["desk2"]
    assert names("application_id__isnull=true") == ["desk1", "desk2", "mobile1"]
    assert names("application_id__isnull=false") == []


def test_endpoint_paths_need_slash_and_capital(vobiz: VobizClient) -> None:
    assert vobiz("GET", "Endpoint").status_code == 404
    assert vobiz("GET", "endpoint/").status_code == 404
    assert vobiz("POST", "Endpoint/1").status_code == 404


def test_endpoint_username_is_locked(vobiz: VobizClient) -> None:
    made = vobiz("POST", "Endpoint/", json={"username": "desk1", "password": "longenough"}).json()
    assert vobiz("POST", f"Endpoint/{made['endpoint_id']}/", json={"username": "desk2"}).status_code == 400


def test_credentials_and_endpoints_are_apart(vobiz: VobizClient) -> None:
    made = vobiz("POST", "Endpoint/", json={"username": "desk1", "password": "longenough"}).json()
    assert vobiz("GET", "trunks/credentials").json()["objects"] == []
    assert vobiz("DELETE", f"credentials/{made['endpoint_id']}").status_code == 404
