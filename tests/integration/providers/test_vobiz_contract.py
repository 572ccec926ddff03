"""What rotator sends to Vobiz, and what the sandbox answers under every reading, is what Vobiz's pages describe."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from threading import Event

import pytest
from openapi_contract import Contract, ContractBroken
from provider_fixtures import RecordingMeter, account_options

from rotator.core.answers import Done, Refusal, Wait
from rotator.core.model import Credential
from rotator.core.secret import Secret
from rotator.daemon.clock import SystemClock, SystemRandomness
from rotator.ports import Provider
from rotator.providers.http.client import Http
from rotator.providers.registry import KINDS
from rotator_simulator.account import SimulatedAccount
from rotator_simulator.http_server import RecordedExchange
from rotator_simulator.providers.vobiz.api import VobizApi
from rotator_simulator.server import SimulatorServer

TOKEN, FIRST, SECOND = Secret("sandbox-token-1"), Secret("Vbz!2025$SecureP"), Secret("Other+2026*SecureP")
READINGS = [
    {},
    {"put_without_password": "refused", "create_status": 200, "delete_status": 200},
    {"put_without_password": "ignored", "total_key": "total_count", "short_items": True},
    {"single_get": True, "trunk_update_shows_credential": False},
    {"list_reveals_password": True, "realm_form": "trunk", "list_longest_page": 1},
]


@pytest.fixture(params=READINGS, ids=lambda readings: ",".join(readings) or "the prose")
def sandbox(request) -> Iterator[tuple[Callable[[str], Provider], SimulatedAccount, Contract]]:
    clock = SystemClock(Event())
    account = SimulatedAccount("MA_DEMO", TOKEN, clock)
    api = VobizApi([account], clock)
    api.read_as(**request.param)
    contract = Contract.load("vobiz")
    with SimulatorServer([api], clock, observe=contract.watch) as sandbox:

        def open_provider(kind) -> Provider:
            options = account_options(kind, TOKEN, base_url=sandbox.http_url, auth_id="MA_DEMO")
            http = Http(replace(options.http("prod"), rate_limit=None), clock, RecordingMeter())
            request.addfinalizer(http.close)
            return KINDS[kind](options, http, SystemRandomness())

        office = account.create("credential", "office", FIRST)
        api.trunks.add(account, "office", office.id)
        yield open_provider, account, contract
    contract.verify()


def test_a_trunk_credential_lives_by_the_contract(sandbox):
    open_provider, account, contract = sandbox
    provider, staged = open_provider("vobiz"), Credential("prod", "officephone01", None, FIRST, attempt="a1")
    account.create("credential", "somebodyelse", FIRST)
    one = provider.create(staged, "office").value
    assert provider.create(staged, "office").why is Refusal.DUPLICATE
    changed = provider.set_password(replace(one, password=SECOND)).value
    assert isinstance(provider.find(changed), Done)
    assert provider.disable(changed) == Done(None)
    assert provider.enable(changed).value.enabled
    call = account.start_call(one.id)
    assert provider.delete(one).why is Wait.IN_USE
    account.end_call(call)
    assert provider.delete(one) == Done(None)
    assert provider.delete(one).why is Refusal.NOT_FOUND
    assert {kind.split()[0] for kind in contract.seen} == {"GET", "POST", "PUT", "DELETE"}


def test_a_trunk_is_pointed_by_the_contract(sandbox):
    open_provider, account, contract = sandbox
    provider, office = open_provider("vobiz"), Credential("prod", "office", account.by_username("office").id)
    new = Credential("prod", "new", account.create("credential", "new", FIRST).id)
    (trunk,) = provider.attachments([office]).value
    assert provider.attach(new, [trunk]) == Done(None)
    assert provider.attachments([office]) == Done(())
    assert [one.id for one in provider.attachments([new]).value] == [trunk.id]
    assert contract.seen["PUT 200"] == 1


def test_an_endpoint_is_updated_by_the_contract(sandbox):
    open_provider, account, contract = sandbox
    record = account.create("endpoint", "phone1", FIRST)
    provider, one = open_provider("vobiz-endpoint"), Credential("prod", "phone1", record.id, SECOND)
    assert provider.find(replace(one, id=None)).value[0].id == record.id
    assert isinstance(provider.set_password(one), Done)
    assert not provider.prove(one).value.tries_password
    assert provider.set_password(replace(one, id="none")).why is Refusal.NOT_FOUND
    assert contract.seen["POST 202"] == 1


def exchange(method, path, *, body=b"", status=200, answer=b"{}", query="") -> RecordedExchange:
    headers = {"X-Auth-ID": "MA_DEMO", "X-Auth-Token": "t"} | ({"Content-Type": "application/json"} if body else {})
    kind = {"Content-Type": "application/json"}
    return RecordedExchange(method, path, query, headers, body, status, kind, answer, replaced=False)


ACCOUNT = "/api/v1/Account/MA_DEMO"


@pytest.mark.parametrize(
    "broken",
    [
        exchange("GET", "/api/v1/account/MA_DEMO/trunks/credentials"),
        exchange("GET", f"{ACCOUNT}/credentials"),
        exchange("GET", f"{ACCOUNT}/trunks/credentials", answer=b'{"meta": {}, "objects": []}'),
        exchange("GET", f"{ACCOUNT}/trunks/credentials", query="page=1", answer=b'{"meta":{"total":0},"objects":[]}'),
        exchange("PUT", f"{ACCOUNT}/credentials/1", body=b'{"username": "other"}'),
        exchange("PUT", f"{ACCOUNT}/credentials/1", body=b'{"enabled": "false"}'),
        exchange("POST", f"{ACCOUNT}/credentials", body=b'{"username": "x", "password": "hunter2"}'),
        exchange("DELETE", f"{ACCOUNT}/credentials/1", answer=b'{"deleted": true}'),
        exchange("DELETE", f"{ACCOUNT}/Endpoint/1", status=204, answer=b""),
    ],
    ids=lambda one: f"{one.method} {one.path}",
)
def test_the_contract_can_be_broken_and_says_where_without_a_value(broken):
    contract = Contract.load("vobiz")
    contract.watch(broken)
    with pytest.raises(ContractBroken) as said:
        contract.verify()
    assert broken.path in str(said.value)
    assert "hunter2" not in str(said.value)


def test_a_contract_that_judged_nothing_is_no_comfort():
    contract = Contract.load("vobiz")
    contract.watch(exchange("GET", "/v2/elsewhere"))
    with pytest.raises(ContractBroken, match="nothing was judged"):
        contract.verify()
