"""Vobiz against the sandbox on real sockets: every reading of its pages, every fault, and proofs by real REGISTERs."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import product
from threading import Event
from typing import Self

import pytest
from provider_fixtures import RecordingMeter, account_options, done_if_gone
from sip_access import over_tls

from rotator.core.answers import Done, Refusal, Refused, Retry, Unknown, Wait
from rotator.core.model import Credential
from rotator.core.secret import Secret
from rotator.daemon.clock import SystemClock
from rotator.ports import Provider
from rotator.providers.http.client import CallTimeouts, Http
from rotator.providers.http.transport import ReadOnlyViolation
from rotator.providers.registry import KINDS
from rotator.testing import FakeClock, FakeRandomness
from rotator_simulator.account import SimulatedAccount, SimulatedCredential
from rotator_simulator.faults import CATALOGUE
from rotator_simulator.http_server import RecordedExchange
from rotator_simulator.providers.vobiz.api import VobizApi
from rotator_simulator.server import SimulatorServer

TOKEN, FIRST, SECOND = Secret("sandbox-token-1"), Secret("Vbz!2025$SecureP"), Secret("Other+2026*SecureP")
QUICK = CallTimeouts(connect=1, read=0.1, write=1, pool=1, total=30)


class VobizSandbox:
    """A sandbox with one account, and a provider of ours for it."""

    def __init__(
        self, kind="vobiz", *, timeouts=None, register=True, clock=None, token=TOKEN, auth_id="MA_DEMO", **readings
    ):
        self.real = SystemClock(Event())
        self.account = SimulatedAccount("MA_DEMO", TOKEN, self.real)
        self.api = VobizApi([self.account], self.real)
        self.api.read_as(**readings)
        self.sandbox = SimulatorServer([self.api], self.real)
        self.meter = RecordingMeter()
        self._keys = {"key": token, "auth_id": auth_id, **(over_tls(self.sandbox) if register else {})}
        self.clock = clock or self.real
        self._timeouts = timeouts or CallTimeouts()
        self.provider, self.http = self.open(kind)

    def open(self, kind, *, read_only=False) -> tuple[Provider, Http]:
        options = account_options(kind, base_url=self.sandbox.http_url, **self._keys)
        connection = options.http("prod", read_only=read_only)
        http = Http(replace(connection, timeouts=self._timeouts, rate_limit=None), self.clock, self.meter)
        return KINDS[kind](options, http, FakeRandomness()), http

    def __enter__(self) -> Self:
        self.sandbox.start()
        return self

    def __exit__(self, *_):
        self.http.close()
        self.sandbox.stop()

    def record_of(self, identity) -> SimulatedCredential | None:
        return next((record for record in self.account.credentials() if record.id == identity), None)

    @property
    def writes(self) -> list[RecordedExchange]:
        return [exchange for exchange in self.sandbox.exchanges() if exchange.method != "GET"]


def staged(username="officephone01", password=FIRST) -> Credential:
    return Credential("prod", username, None, password, attempt="a1")


READINGS = [
    {
        "put_without_password": put,
        "create_status": create,
        "delete_status": delete,
        "total_key": total,
        "short_items": short,
    }
    for put, (create, delete, total, short) in product(
        ["accepted", "refused", "ignored"], [(201, 204, "total", False), (200, 200, "total_count", True)]
    )
] + [
    {"list_longest_page": 1},
    {"put_password_enables": True},
    {"single_get": True},
    {"list_reveals_password": True},
    {"empty_not_found": True},
    {"challenge_realm": "trunk"},
    {"realm_form": "trunk"},
]


@pytest.mark.parametrize("readings", READINGS, ids=lambda readings: ",".join(map(str, readings.values())))
def test_the_whole_life_of_a_credential_under_every_reading(readings):
    with VobizSandbox(**readings) as sandbox:
        provider = sandbox.provider
        sandbox.account.create("credential", "somebodyelse", FIRST)
        assert provider.find(staged()) == Done(())
        made = provider.create(staged(), "office").value
        assert sandbox.record_of(made.id).username == "officephone01"
        assert provider.prove(made).value.tries_password
        assert provider.create(staged(), "office").why is Refusal.DUPLICATE

        changed = provider.set_password(replace(made, password=SECOND)).value
        assert provider.prove(changed).value.tries_password
        assert provider.prove(made).why is Wait.NOT_YET

        assert provider.disable(changed) == Done(None)
        assert not sandbox.record_of(made.id).enabled
        assert provider.prove(changed).why is Wait.NOT_YET
        assert provider.find(changed).value[0].enabled is False
        assert provider.disable(changed) == Done(None)

        assert provider.enable(changed).value.enabled
        assert provider.prove(changed).value.tries_password

        assert provider.delete(changed) == Done(None)
        assert provider.find(changed) == Done(())
        assert [record.username for record in sandbox.account.credentials()] == ["somebodyelse"]
        for method in (provider.set_password, provider.enable, provider.disable, provider.delete):
            assert method(changed).why is Refusal.NOT_FOUND


@pytest.mark.parametrize("put", ["accepted", "refused", "ignored"])
def test_setting_the_password_of_the_idle_one_enables_it(put):
    with VobizSandbox(put_without_password=put) as sandbox:
        made = sandbox.provider.create(staged(), "office").value
        assert sandbox.provider.disable(made) == Done(None)
        changed = sandbox.provider.set_password(replace(made, password=SECOND, enabled=False)).value
        assert changed.enabled
        assert sandbox.provider.prove(changed).value.tries_password


@pytest.mark.parametrize("put", ["refused", "ignored"])
def test_disabling_with_an_unknown_password_asks_for_one(put):
    with VobizSandbox(put_without_password=put) as sandbox:
        made = sandbox.provider.create(staged(), "office").value
        result = sandbox.provider.disable(replace(made, password=None))
        assert result.why is Refusal.UNSUPPORTED
        assert sandbox.account.accepts("officephone01", FIRST)


def test_disabling_that_is_never_honoured_is_unsupported_and_breaks_nothing():
    with VobizSandbox(enabled_honoured=False) as sandbox:
        made = sandbox.provider.create(staged(), "office").value
        assert sandbox.provider.disable(made).why is Refusal.UNSUPPORTED
        assert sandbox.account.accepts("officephone01", FIRST)


def test_an_answer_that_repeats_enabled_is_believed_and_only_the_deletion_ends_the_credential():
    """The documented limit of believing answers: an emergency deletes at once."""
    with VobizSandbox(enabled_honoured=False, enabled_echoed=True) as sandbox:
        made = sandbox.provider.create(staged(), "office").value
        assert sandbox.provider.disable(made) == Done(None)
        assert sandbox.account.accepts("officephone01", FIRST)
        assert sandbox.provider.delete(made) == Done(None)
        assert not sandbox.account.accepts("officephone01", FIRST)


def test_deleting_waits_for_active_calls():
    with VobizSandbox() as sandbox:
        made = sandbox.provider.create(staged(), "office").value
        call = sandbox.account.start_call(made.id)
        assert sandbox.provider.delete(made).why is Wait.IN_USE
        assert sandbox.record_of(made.id)
        sandbox.account.end_call(call)
        assert sandbox.provider.delete(made) == Done(None)


def test_one_among_hundreds_is_found_and_absence_is_certain():
    with VobizSandbox(register=False) as sandbox:
        for number in range(250):
            sandbox.account.create("credential", f"phone{number}", FIRST)
        assert sandbox.provider.find(staged("phone249")).value[0].username == "phone249"
        assert sandbox.provider.find(staged("phone250")) == Done(())


@pytest.mark.parametrize("changed", [{"token": Secret("wrong")}, {"auth_id": "MA_OTHER"}])
def test_a_wrong_key_or_account_refuses_everything_and_says_what_to_check(changed):
    with VobizSandbox(**changed) as sandbox:
        record = sandbox.account.create("credential", "phone1", FIRST)
        one = Credential("prod", "phone1", record.id, SECOND)
        provider = sandbox.provider
        answers = [provider.find(one), provider.create(staged(), "t")]
        answers += [
            method(one) for method in (provider.set_password, provider.enable, provider.disable, provider.delete)
        ]
        assert not [answer for answer in answers if isinstance(answer, Done)]
        assert answers[0].why is Refusal.AUTHENTICATION
        assert "letter case" in answers[0].message
        assert sandbox.account.accepts("phone1", FIRST)


def test_a_read_only_provider_cannot_change_anything():
    with VobizSandbox() as sandbox:
        record = sandbox.account.create("credential", "phone1", FIRST)
        provider, http = sandbox.open("vobiz", read_only=True)
        one = Credential("prod", "phone1", record.id, SECOND)
        assert len(provider.find(one).value) == 1
        for method in (provider.set_password, provider.enable, provider.disable, provider.delete):
            with pytest.raises(ReadOnlyViolation):
                method(one)
        with pytest.raises(ReadOnlyViolation):
            provider.create(staged(), "t")
        http.close()
        assert sandbox.writes == []


def test_a_registrar_that_is_silent_is_a_retry():
    with VobizSandbox(timeouts=CallTimeouts(total=1)) as sandbox:
        made = sandbox.provider.create(staged(), "office").value
        sandbox.sandbox.faults.plan("silence", verb="register", times=None)
        result = sandbox.provider.prove(made)
        assert isinstance(result, Retry)
        assert result.why is Wait.UNREACHABLE


def test_an_endpoint_gets_another_password_in_place():
    with VobizSandbox("vobiz-endpoint") as sandbox:
        record = sandbox.account.create("endpoint", "phone1", FIRST)
        sandbox.account.create("credential", "trunk1", FIRST)
        found = sandbox.provider.find(staged("phone1")).value[0]
        assert found.id == record.id
        changed = sandbox.provider.set_password(replace(found, password=SECOND)).value
        assert sandbox.provider.prove(changed).value.tries_password
        assert sandbox.provider.prove(replace(changed, password=FIRST)).why is Wait.NOT_YET
        assert sandbox.provider.find(staged("trunk1")) == Done(())
        gone = replace(changed, id="no-such-id")
        assert sandbox.provider.set_password(gone).why is Refusal.NOT_FOUND
        assert sandbox.provider.find(gone) == Done(())


# -- faults: what is answered must be true of what the provider holds


@contextmanager
def sandbox_with_fault(kind, name, verb, times) -> Iterator[tuple[VobizSandbox, SimulatedCredential]]:
    # A clock whose waits pass at once, so that only what the sockets wait for takes time.
    with VobizSandbox(kind, register=False, timeouts=QUICK, clock=FakeClock()) as sandbox:
        record = sandbox.account.create("credential" if kind == "vobiz" else "endpoint", "phone1", FIRST)
        sandbox.sandbox.faults.plan(name, verb=verb, times=times)
        yield sandbox, record


WHAT = {
    "create": ("create", lambda provider, _: provider.create(staged(), "office")),
    "set_password": ("update", lambda provider, one: provider.set_password(one)),
    "enable": ("update", lambda provider, one: provider.enable(one)),
    "disable": ("update", lambda provider, one: provider.disable(one)),
    "delete": ("delete", lambda provider, one: done_if_gone(provider.delete(one))),
    "find": ("list", lambda provider, one: provider.find(one)),
    "read back": ("list", lambda provider, one: provider.disable(one)),
}


def took_effect(sandbox, record, what) -> bool:
    """Whether what was asked for is true at the provider."""
    held = sandbox.record_of(record.id)
    if what == "create":
        return sandbox.account.accepts("officephone01", FIRST)
    if what == "delete":
        return held is None
    if what in ("disable", "read back"):
        return held is not None and not held.enabled
    return held is not None and held.enabled and held.password == SECOND


def is_untouched(sandbox, record) -> bool:
    held = sandbox.record_of(record.id)
    return held is not None and held.enabled and held.password == FIRST and len(sandbox.account.credentials()) == 1


@pytest.mark.parametrize("times", [1, None])
@pytest.mark.parametrize("what", WHAT)
@pytest.mark.parametrize("name", CATALOGUE)
def test_under_every_fault_the_answer_is_true(name, what, times):
    verb, act = WHAT[what]
    with sandbox_with_fault("vobiz", name, verb, times) as (sandbox, record):
        one = Credential("prod", "phone1", record.id, SECOND)
        answer = act(sandbox.provider, one)
        if isinstance(answer, Done):
            assert what == "find" or took_effect(sandbox, record, what)
        elif isinstance(answer, Refused | Retry) and what != "read back":
            assert is_untouched(sandbox, record)
        else:
            assert isinstance(answer, Unknown | Refused | Retry)
        assert "/_sandbox/elsewhere" not in [exchange.path for exchange in sandbox.sandbox.exchanges()]
        if what == "create":
            assert len([exchange for exchange in sandbox.writes if exchange.method == "POST"]) <= 1


@pytest.mark.parametrize("times", [1, None])
@pytest.mark.parametrize("name", CATALOGUE)
def test_under_every_fault_an_endpoints_answer_is_true(name, times):
    with sandbox_with_fault("vobiz-endpoint", name, "update", times) as (sandbox, record):
        answer = sandbox.provider.set_password(Credential("prod", "phone1", record.id, SECOND))
        if isinstance(answer, Done):
            assert took_effect(sandbox, record, "set_password")
        elif isinstance(answer, Refused | Retry):
            assert is_untouched(sandbox, record)


@pytest.mark.parametrize("name", CATALOGUE)
@pytest.mark.parametrize("what", ["set_password", "disable", "delete"])
def test_the_same_again_after_a_fault_ends_as_wanted(name, what):
    verb, act = WHAT[what]
    with sandbox_with_fault("vobiz", name, verb, 1) as (sandbox, record):
        one = Credential("prod", "phone1", record.id, SECOND)
        act(sandbox.provider, one)
        assert isinstance(act(sandbox.provider, one), Done)
        assert took_effect(sandbox, record, what)
