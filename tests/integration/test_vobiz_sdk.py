"""Vobiz's own older SDK (vobiz-python 0.1.1) drives the sandbox: that it behaves like Vobiz is not only our own word.

The SDK has the host in its code, and the paths of before May 2026, with a lower-case `account`: both are changed on the
way. Everything else is the SDK's: the paths behind it, the bodies, the headers, and what it makes of an answer.
"""

from collections.abc import Iterator
from threading import Event

import pytest
from openapi_contract import Contract
from requests import PreparedRequest, Response
from requests.adapters import HTTPAdapter
from vobiz.exceptions import InvalidRequestError, ResourceNotFoundError, ValidationError
from vobiz.rest.client import Client

from rotator.core.secret import Secret
from rotator.daemon.clock import SystemClock
from rotator_simulator.account import SimulatedAccount
from rotator_simulator.providers.vobiz.api import VobizApi
from rotator_simulator.server import SimulatorServer

TOKEN, FIRST, SECOND = "sandbox-token-1", "Vbz!2025$SecureP", "Other+2026*SecureP"
HOST, OLD_PATH = "https://api.vobiz.ai", "/api/v1/account/"


class ToTheSandbox(HTTPAdapter):
    """Sends what is meant for Vobiz to the sandbox."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self._url = url

    def send(self, request: PreparedRequest, **options: object) -> Response:  # type: ignore[override]
        assert request.url is not None
        request.url = request.url.replace(HOST, self._url).replace(OLD_PATH, "/api/v1/Account/")
        return super().send(request, **options)  # type: ignore[arg-type]


@pytest.fixture
def account() -> SimulatedAccount:
    return SimulatedAccount("MA_DEMO", Secret(TOKEN), SystemClock(Event()))


@pytest.fixture
def api(account: SimulatedAccount) -> VobizApi:
    return VobizApi([account], SystemClock(Event()))


@pytest.fixture
def sdk(api: VobizApi) -> Iterator[Client]:
    contract = Contract.load("vobiz", lenient=True)
    with (
        SimulatorServer([api], SystemClock(Event()), observe=contract.watch) as sandbox,
        Client("MA_DEMO", TOKEN) as client,
    ):
        client.session.trust_env = False
        client.session.mount(HOST, ToTheSandbox(sandbox.http_url))
        yield client
    contract.verify()


def test_a_trunk_credential_lives(sdk: Client, api: VobizApi, account: SimulatedAccount) -> None:
    api.read_as(single_get=True)
    made = sdk.credentials.create("officephone01", FIRST)
    assert (made.username, made.enabled, made.password) == ("officephone01", True, "<redacted>")
    with pytest.raises(InvalidRequestError):
        sdk.credentials.create("officephone01", FIRST)
    assert sdk.credentials.get(made.id).username == "officephone01"
    listed = sdk.credentials.list(limit=5, offset=0)
    assert [one.id for one in listed.objects] == [made.id]
    assert sdk.credentials.update(made.id, password=SECOND).id == made.id
    assert account.accepts("officephone01", Secret(SECOND))
    assert sdk.credentials.update(made.id, enabled=False).enabled is False
    sdk.credentials.delete(made.id)
    with pytest.raises(ResourceNotFoundError):
        sdk.credentials.delete(made.id)


def test_what_a_create_refuses(sdk: Client) -> None:
    with pytest.raises(ValidationError):
        sdk.credentials.create("office phone", FIRST)
    with pytest.raises(InvalidRequestError):
        sdk.credentials.create("officephone01", "short")


def test_a_trunk_is_pointed_elsewhere(sdk: Client, api: VobizApi, account: SimulatedAccount) -> None:
    old, new = (account.create("credential", name, Secret(FIRST)).id for name in ("old", "new"))
    trunk = api.trunks.add(account, "office", old)
    assert sdk.sip_trunks.list().objects[0].credential_uuid == old
    assert sdk.sip_trunks.update(trunk.id, credential_uuid=new).credential_uuid == new


def test_an_endpoint_lives(sdk: Client, account: SimulatedAccount) -> None:
    identity = account.create("endpoint", "desk1", Secret(FIRST), {"alias": "Desk"}).id
    assert sdk.endpoints.list().objects[0].endpoint_id == identity
    assert sdk.endpoints.update(identity, password=SECOND) is None  # 202 without a body
    assert account.accepts("desk1", Secret(SECOND))
    assert sdk.endpoints.get(identity).sip_registered == "false"


def test_a_delete_of_the_sdk_has_the_header_that_the_page_lists(sdk: Client, api: VobizApi) -> None:
    api.read_as(delete_needs_type=True)
    sdk.credentials.delete(sdk.credentials.create("officephone01", FIRST).id)
