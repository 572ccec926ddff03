"""Proofs by REGISTER through the adapters, on every transport, and with somebody on the path."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event

import pytest
from provider_fixtures import RecordingMeter, account_options
from sip_access import authority_file, over_tls

from rotator.core.answers import Answer, Done, Retry, Wait
from rotator.core.model import Credential, Proof
from rotator.core.secret import Secret
from rotator.daemon.clock import SystemClock, SystemRandomness
from rotator.fields.network import HostPort
from rotator.providers.http.client import Http
from rotator.providers.registry import KINDS
from rotator.providers.sip.links import SipRoute
from rotator.providers.sip.register import register
from rotator_simulator.account import SimulatedAccount
from rotator_simulator.providers.vobiz.api import VobizApi
from rotator_simulator.registrar import RegistrarOptions
from rotator_simulator.server import SimulatorServer

TOKEN, PASSWORD = Secret("sandbox-token-1"), Secret("Vbz!2025$SecureP")
PHONE = Credential("prod", "officephone01", "id-1", PASSWORD, realm="MA_DEMO.sip.vobiz.ai")
ATTACKER = "sip:attacker@203.0.113.66:5060"
CLOCK = SystemClock(Event())


@pytest.fixture
def account() -> SimulatedAccount:
    made = SimulatedAccount("MA_DEMO", TOKEN, CLOCK)
    made.create("credential", PHONE.username, PASSWORD)
    return made


@pytest.fixture
def server(account: SimulatedAccount) -> Iterator[SimulatorServer]:
    with SimulatorServer([VobizApi([account], CLOCK)], CLOCK) as running:
        yield running


def prove(server: SimulatorServer, meter: RecordingMeter | None = None, **keys) -> Answer[Proof]:
    options = account_options("vobiz", TOKEN, base_url=server.http_url, auth_id="MA_DEMO", **keys)
    http = Http(options.http("prod"), CLOCK, meter or RecordingMeter())
    try:
        return KINDS["vobiz"](options, http, SystemRandomness()).prove(PHONE)
    finally:
        http.close()


@contextmanager
def relay(server: SimulatorServer) -> Iterator[HostPort]:
    """Somebody on the path, who adds a device of theirs to what is authenticated."""
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as front,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as back,
    ):
        front.bind(("127.0.0.1", 0))
        back.connect((server.sip_address.host, server.sip_address.port))
        back.settimeout(10)

        def pass_on() -> None:
            while True:
                request, source = front.recvfrom(8192)
                if not request:
                    return
                if b"Authorization:" in request:
                    added = f"Contact: <{ATTACKER}>;expires=3600\r\nContent-Length: 0".encode()
                    request = request.replace(b"Content-Length: 0", added)
                back.send(request)
                front.sendto(back.recv(8192), source)

        thread = threading.Thread(target=pass_on)
        thread.start()
        try:
            yield HostPort("127.0.0.1", front.getsockname()[1])
        finally:
            front.sendto(b"", front.getsockname())
            thread.join(10)


def test_by_default_a_proof_goes_over_tls(server: SimulatorServer) -> None:
    proof = prove(server, **over_tls(server))
    assert proof == Done(Proof(f"SIP REGISTER accepted by {server.sips_address} over TLS", tries_password=True))


@pytest.mark.parametrize("transport", ["tcp", "udp"])
def test_it_goes_without_tls_where_that_is_chosen(server: SimulatorServer, transport: str) -> None:
    proof = prove(server, registrar=server.sip_address, sip_transport=transport)
    assert str(proof.value) == f"SIP REGISTER accepted by {server.sip_address} over {transport.upper()}"


def test_a_registrar_beyond_this_machine_is_not_asked_without_tls_unless_it_is_named(server: SimulatorServer) -> None:
    plain = {"registrar": HostPort("Sip.Example.com", 5060), "sip_transport": "udp"}
    with pytest.raises(ValueError, match=r"SIP over udp to Sip\.Example\.com is not allowed"):
        prove(server, **plain)
    options = account_options("vobiz", TOKEN, allow_plain_sip=("sip.example.com",), **plain)
    assert options.exposed_registrar is None


def test_an_untrusted_certificate_is_no_proof(server: SimulatorServer) -> None:
    proof = prove(server, registrar=server.sips_address)
    assert isinstance(proof, Retry)
    assert proof.why is Wait.UNREACHABLE
    assert "sip_ca_file" in proof.message


def test_a_binding_that_was_added_on_the_way_is_an_alarm_and_no_proof(
    server: SimulatorServer, account: SimulatedAccount
) -> None:
    meter = RecordingMeter()
    with relay(server) as where:
        proof = prove(server, meter, registrar=where, sip_transport="udp")
    assert [binding.contact for binding in account.bindings(PHONE.username)] == [ATTACKER]  # the attack works
    assert isinstance(proof, Retry)
    assert proof.why is Wait.DOUBTFUL
    assert "lists a binding that was not asked for" in proof.message
    assert "sip_transport: tls" in proof.message
    assert ATTACKER not in proof.message
    assert meter.outcomes == [("prove", "foreign_binding")]


def test_over_tls_registered_devices_are_no_reason_for_doubt(server: SimulatorServer) -> None:
    phone = SipRoute(server.sip_address, "udp")
    assert register(phone, PHONE.username, PASSWORD, clock=CLOCK, contact="sip:desk@phone").authenticated
    proof = prove(server, **over_tls(server))
    assert isinstance(proof, Done)
    assert proof.value.in_use


def test_a_challenge_without_qop_says_nothing_about_the_password(server: SimulatorServer) -> None:
    server.registrar.options = RegistrarOptions(qop=False)
    keys = {"registrar": server.sips_address, "sip_ca_file": authority_file()}
    proof = prove(server, **keys)
    assert isinstance(proof, Retry)
    assert proof.why is Wait.UNREACHABLE  # which is no refused log-in, and repairs nothing
    assert "allow_digest_without_qop: true" in proof.message
    assert isinstance(prove(server, **keys, allow_digest_without_qop=True), Done)
