"""The proof of a trunk credential at its trunk's domain, in both readings, with REGISTER served and not."""

from collections.abc import Iterator
from dataclasses import replace
from threading import Event
from typing import Any

import pytest
from provider_fixtures import RecordingMeter, account_options
from sip_access import authority_file

from rotator.core.answers import Answer, Done, Retry, Wait
from rotator.core.model import Credential
from rotator.core.secret import Secret
from rotator.daemon.clock import SystemClock, SystemRandomness
from rotator.providers.http.client import Http
from rotator.providers.registry import KINDS
from rotator.providers.vobiz.credentials import VobizCredentials
from rotator_simulator.account import SimulatedAccount
from rotator_simulator.providers.vobiz.api import VobizApi
from rotator_simulator.server import SimulatorServer

TOKEN, PASSWORD = Secret("sandbox-token-1"), Secret("Vbz!2025$SecureP")
CLOCK = SystemClock(Event())


class TrunkWorld:
    """A simulated account with one credential that a trunk names and one that none does."""

    def __init__(self) -> None:
        self.account = SimulatedAccount("MA_DEMO", TOKEN, CLOCK)
        self.api = VobizApi([self.account], CLOCK)
        self.api.read_as(trunk_domain="localhost")
        self.named, self.unnamed = (
            Credential("prod", made.username, made.id, PASSWORD)
            for made in (self.account.create("credential", name, PASSWORD) for name in ("officephone01", "spare01"))
        )
        self.api.trunks.add(self.account, "office", self.named.id)
        self.server = SimulatorServer([self.api], CLOCK)

    def asked(self, verb: str, credential: Credential, **keys: object) -> Answer[Any]:
        """What the adapter answers to `prove`, `log_in` or `can_prove`."""
        where = {"trunk_domains": "localhost", "trunk_port": self.server.sips_address.port}
        options = account_options(
            "vobiz",
            TOKEN,
            **{
                "base_url": self.server.http_url,
                "auth_id": "MA_DEMO",
                "sip_ca_file": authority_file(),
                "prove_at_trunk": "options",
                **where,
                **keys,
            },
        )
        http = Http(options.http("prod"), CLOCK, RecordingMeter())
        try:
            provider = KINDS["vobiz"](options, http, SystemRandomness())
            assert isinstance(provider, VobizCredentials)
            return getattr(provider, verb)(credential)
        finally:
            http.close()

    def serves(self, *methods: str) -> None:
        self.server.registrar.options = replace(self.server.registrar.options, serves=methods)


@pytest.fixture
def world() -> Iterator[TrunkWorld]:
    made = TrunkWorld()
    with made.server:
        yield made


@pytest.mark.parametrize("attached_only", [False, True])
@pytest.mark.parametrize(
    ("served", "prove_at_trunk"),
    [(("REGISTER",), "options"), (("OPTIONS",), "options"), (("INVITE",), "invite"), (("OPTIONS", "INVITE"), "invite")],
)
def test_what_a_trunk_names_is_proved_where_it_lets_in(world, attached_only, served, prove_at_trunk):
    world.api.read_as(attached_only=attached_only)
    world.serves(*served)
    proof = world.asked("prove", world.named, prove_at_trunk=prove_at_trunk)
    assert isinstance(proof, Done)
    assert proof.value.tries_password
    assert proof.value.method.startswith(f"SIP {served[0]} accepted by localhost:")
    assert proof.value.host == "localhost"
    wrong = replace(world.named, password=Secret("Wrong!2025$SecurP"))
    refused = world.asked("prove", wrong, prove_at_trunk=prove_at_trunk)
    assert isinstance(refused, Retry)
    assert refused.why is Wait.NOT_YET
    assert not world.account.calls()


@pytest.mark.parametrize("attached_only", [False, True])
def test_what_was_ended_is_tried_where_it_was_let_in(world, attached_only):
    world.api.read_as(attached_only=attached_only)
    old = replace(world.unnamed, host="localhost")  # no trunk names it any more
    tried = world.asked("log_in", old)
    assert (tried.why is Wait.NOT_YET) if attached_only else isinstance(tried, Done)
    world.account.update("credential", old.id or "", enabled=False)
    assert world.asked("log_in", old).why is Wait.NOT_YET


def test_where_nothing_asks_for_a_password_the_listing_is_read_back_and_nothing_is_evidence(world):
    world.serves()
    proof = world.asked("prove", world.named, prove_at_trunk="invite")
    assert isinstance(proof, Done)
    assert not proof.value.tries_password
    assert "nothing at localhost asks for a password" in proof.value.method
    assert world.asked("log_in", world.named, prove_at_trunk="invite").why is Wait.DOUBTFUL


def test_what_no_trunk_names_has_nowhere_to_log_in(world):
    proof = world.asked("prove", world.unnamed)
    assert isinstance(proof, Done)
    assert "no trunk names the credential" in proof.value.method
    assert not proof.value.tries_password


def test_a_domain_that_is_not_below_the_configured_one_gets_no_password(world):
    proof = world.asked("prove", world.named, trunk_domains="sip.vobiz.ai")
    assert isinstance(proof, Done)
    assert "localhost is not below sip.vobiz.ai" in proof.value.method
    assert not proof.value.tries_password
    assert not world.server.registrar.accepted()


def test_whether_a_password_would_be_tried_is_found_out_without_one(world):
    unknown = replace(world.named, password=None)
    world.serves("OPTIONS")
    assert isinstance(world.asked("can_prove", unknown), Done)
    world.serves("INVITE")
    silent = world.asked("can_prove", unknown)
    assert "would prove nothing: OPTIONS is answered 405 without a password" in silent.message
    assert isinstance(world.asked("can_prove", unknown, prove_at_trunk="invite"), Done)
    assert isinstance(world.asked("can_prove", replace(world.unnamed, password=None)), Done)  # nobody can tell
    assert world.server.registrar.accepted() == world.server.registrar.refused() == {}
