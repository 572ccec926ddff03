"""Telnyx's own SDK drives the sandbox: that it behaves like Telnyx is not only our own word."""

import importlib
import inspect
import json
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import pytest
import yaml
from openapi_contract import FOLDER
from pydantic import BaseModel
from telnyx_fixtures import CONNECTION, HOUR, KEY, TelnyxSandbox

from rotator.testing import FakeClock

CONNECTIONS, TELEPHONY = "CredentialConnection", "TelephonyCredential"  # the SDK's models, and schemas of the contract
READINGS = [{}, {"moments": "naive"}, {"moments": "fraction", "order": "oldest"}]


@pytest.fixture(scope="module")
def telnyx() -> ModuleType:
    """The SDK. To import it takes seconds, which those who only collect this test need not spend."""
    return importlib.import_module("telnyx")


@pytest.fixture(params=READINGS, ids=lambda readings: "".join(map(str, readings.values())) or "as it is")
def sandbox(request) -> Iterator[TelnyxSandbox]:
    # Not strict about requests that are refused: some are sent to see that they are.
    with TelnyxSandbox(clock=FakeClock(), lenient=True, **request.param) as running:
        yield running


@pytest.fixture
def sdk(sandbox, telnyx) -> Iterator[Any]:
    with telnyx.Telnyx(api_key=KEY.reveal(), base_url=f"{sandbox.sandbox.http_url}/v2", max_retries=0) as client:
        yield client


def assert_valid(model) -> BaseModel:
    """What the SDK read, with each of its fields validated: it reads leniently by itself."""
    return type(model).model_validate(json.loads(model.model_dump_json()), strict=True)


def test_a_telephony_credential_lives(sdk, sandbox, telnyx):
    made = sdk.telephony_credentials.create(connection_id=CONNECTION, name="office", tag="t1").data
    assert_valid(made)
    assert made.sip_username.startswith("gencred")
    assert sandbox.account.accepts(made.sip_username, sandbox.records[0].password)
    assert made.sip_password == sandbox.records[0].password.reveal()
    assert made.expired is False
    assert made.resource_id == f"connection:{CONNECTION}"

    assert sdk.telephony_credentials.retrieve(made.id).data == made
    end = (sandbox.clock.now() + HOUR).isoformat()
    changed = sdk.telephony_credentials.update(made.id, name="renamed", expires_at=end).data
    assert (changed.name, changed.expired) == ("renamed", False)
    assert changed.expires_at.startswith("2026-01-05T13:00:00")

    sandbox.clock.advance(2 * HOUR)
    assert sdk.telephony_credentials.retrieve(made.id).data.expired is True
    with pytest.raises(telnyx.UnprocessableEntityError) as refused:
        sdk.telephony_credentials.update(made.id, name="too late")
    assert refused.value.body == {"errors": {"status": "can't update credentials in expired status"}}

    deleted = sdk.telephony_credentials.delete(made.id).data
    assert_valid(deleted)
    assert deleted.sip_password == made.sip_password
    with pytest.raises(telnyx.NotFoundError):
        sdk.telephony_credentials.retrieve(made.id)


def test_listings_are_paged_and_filtered(sdk, sandbox):
    made = [
        sdk.telephony_credentials.create(connection_id=CONNECTION, name=f"phone {number}", tag=f"tag{number % 2}").data
        for number in range(7)
    ]
    for item in sdk.telephony_credentials.list(page_size=3):
        assert_valid(item)
    listed = [item.id for item in sdk.telephony_credentials.list(page_size=3)]
    assert sorted(listed) == sorted(item.id for item in made)
    assert sandbox.request_lines.count("GET /v2/telephony_credentials") == 6
    first = sdk.telephony_credentials.list(page_size=3)
    assert (first.meta.page_number, first.meta.total_pages) == (1, 3)

    def named(**filters) -> list[str]:
        return [item.name for item in sdk.telephony_credentials.list(filter=filters)]

    assert named(name="phone 3") == ["phone 3"]
    assert sorted(named(tag="tag1")) == ["phone 1", "phone 3", "phone 5"]
    assert named(sip_username=made[5].sip_username) == ["phone 5"]
    assert len(named(resource_id=f"connection:{CONNECTION}")) == 7
    assert named(resource_id="connection:other") == []


def test_a_connection_lives(sdk, sandbox, telnyx):
    made = sdk.credential_connections.create(
        user_name="branchtrunk1", password="branch-password", connection_name="Branch"
    ).data
    assert_valid(made)
    assert (made.active, made.password) == (True, "branch-password")
    changed = sdk.credential_connections.update(made.id, password="another-password").data
    assert changed.password == "another-password"
    assert sdk.credential_connections.retrieve(made.id).data.password == "another-password"
    names = [item.connection_name for item in sdk.credential_connections.list(page_size=1)]
    assert sorted(names) == ["Branch", "Office trunk"]
    found = sdk.credential_connections.list(filter={"connection_name": {"contains": "ranc"}})
    assert [item.user_name for item in found] == ["branchtrunk1"]
    assert sdk.credential_connections.delete(made.id).data.password == "another-password"
    with pytest.raises(telnyx.NotFoundError):
        sdk.credential_connections.retrieve(made.id)


@pytest.mark.parametrize("model", [CONNECTIONS, TELEPHONY])
def test_the_contract_has_no_field_that_the_sdk_does_not_have(model, telnyx):
    schemas = yaml.safe_load((FOLDER / "telnyx.yaml").read_text())["components"]["schemas"]
    fields, ours = set(getattr(telnyx.types, model).model_fields), set(schemas[model]["properties"])
    assert ours <= fields
    assert model == CONNECTIONS or ours == fields


def test_a_connection_of_a_newer_account_is_masked_as_the_sdk_says(telnyx):
    models = [getattr(telnyx.types, name) for name in (CONNECTIONS, TELEPHONY)]
    assert ["********" in inspect.getsource(inspect.getmodule(one)) for one in models] == [True, False]
    with TelnyxSandbox(clock=FakeClock(), lenient=True, passwords_masked="connections") as newer:
        url = f"{newer.sandbox.http_url}/v2"
        with telnyx.Telnyx(api_key=KEY.reveal(), base_url=url, max_retries=0) as client:
            connections = client.credential_connections
            made = connections.create(
                user_name="branchtrunk1", password="branch-password", connection_name="Branch"
            ).data
            assert_valid(made)
            assert made.password == "branch-password"
            assert connections.retrieve(made.id).data.password == "********"
            assert {item.password for item in connections.list()} == {"********"}
            assert connections.update(made.id, password="another-password").data.password == "another-password"
            assert connections.update(made.id, password="another-password").data.password == "********"
            assert connections.update(made.id, connection_name="Other").data.password == "********"
            assert connections.delete(made.id).data.password == "********"
            # Nothing is said of telephony credentials.
            assert client.telephony_credentials.create(connection_id=CONNECTION).data.sip_password != "********"


def test_a_connection_that_is_switched_off_takes_its_credentials_along(sdk, sandbox):
    made = sdk.telephony_credentials.create(connection_id=CONNECTION).data
    password = sandbox.records[0].password
    assert sdk.credential_connections.update(CONNECTION, active=False).data.active is False
    assert not sandbox.account.accepts(made.sip_username, password)
    sdk.credential_connections.update(CONNECTION, active=True)
    assert sandbox.account.accepts(made.sip_username, password)


def test_who_is_registered_is_shown_of_both_kinds(sdk, sandbox, telnyx):
    made = sdk.telephony_credentials.create(connection_id=CONNECTION, name="office").data
    trunk = sdk.credential_connections.retrieve(CONNECTION).data.user_name
    for kind, username in (("telephony_credential", made.sip_username), ("sip_credential_connection", trunk)):
        nobody = sdk.sip_registration_status.list(credential_type=kind, username=username)
        sandbox.account.bind(username, "sip:phone@192.0.2.7", 3600, "phone")
        somebody = sdk.sip_registration_status.list(credential_type=kind, username=username)
        assert (nobody.registered, somebody.registered) == (False, True)
        assert somebody.sip_registration_status == "registered"
        assert somebody.credential_username == username
        assert_valid(nobody)
        assert_valid(somebody)
    with pytest.raises(telnyx.NotFoundError):
        sdk.sip_registration_status.list(credential_type="telephony_credential", username="nobody")


def test_errors_are_those_that_the_sdk_knows(sdk, sandbox, telnyx):
    with pytest.raises(telnyx.UnprocessableEntityError):
        sdk.telephony_credentials.create(connection_id="no-such-connection")
    with pytest.raises(telnyx.UnprocessableEntityError):
        sdk.credential_connections.create(user_name="12345", password="long enough", connection_name="x")
    with pytest.raises(telnyx.UnprocessableEntityError):
        sdk.credential_connections.update(CONNECTION, password="short")
    with pytest.raises(telnyx.BadRequestError):
        sdk.telephony_credentials.list(page_size=251)
    sandbox.sandbox.faults.plan("rate-limited", verb="list")
    with pytest.raises(telnyx.RateLimitError) as limited:
        sdk.telephony_credentials.list()
    assert limited.value.body["errors"][0]["code"] == "10011"
    assert limited.value.response.headers["x-ratelimit-reset"] == "2"
    wrong = sdk.with_options(api_key="KEYwrong")
    with pytest.raises(telnyx.AuthenticationError):
        wrong.telephony_credentials.list()


def test_a_repeated_create_makes_orphans_which_is_why_ours_is_never_repeated(sandbox, telnyx):
    sandbox.sandbox.faults.plan("error-after-commit", verb="create", times=2)
    with telnyx.Telnyx(api_key=KEY.reveal(), base_url=f"{sandbox.sandbox.http_url}/v2", max_retries=2) as eager:
        eager.telephony_credentials.create(connection_id=CONNECTION, name="one")
    assert len(sandbox.records) == 3
