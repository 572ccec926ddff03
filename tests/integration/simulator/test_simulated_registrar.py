"""The registrar over a real socket, with our client and with one that we did not write."""

import asyncio
import random
import socket

import pytest
from aiosipua.auth import SipDigestAuth
from aiosipua.registration import Registration
from aiosipua.transport import UdpSipTransport
from aiosipua.uac import SipUAC
from simulator_support import GOOD, HandMovedClock, VobizClient, WallClock

from rotator.core.secret import Secret
from rotator.providers.sip import codec as sipcodec
from rotator.providers.sip.links import SipRoute
from rotator.providers.sip.register import RegisterResult, register
from rotator_simulator.account import Propagation, SimulatedAccount
from rotator_simulator.faults import CATALOGUE
from rotator_simulator.registrar import RegistrarOptions
from rotator_simulator.server import SimulatorServer

NAME = "officephone01"
DOMAIN = "MA_DEMO.sip.vobiz.ai"


@pytest.fixture
def identity(account: SimulatedAccount) -> str:
    return account.create("credential", NAME, Secret(GOOD)).id


def send_register(simulator: SimulatorServer, password: str = GOOD, username: str = NAME, **rest) -> RegisterResult:
    given = {"domain": DOMAIN, "timeout": 5.0, "without_qop": True, **rest}
    return register(SipRoute(simulator.sip_address, "udp"), username, Secret(password), clock=WallClock(), **given)


@pytest.mark.parametrize("quality", [True, False])
@pytest.mark.parametrize("algorithms", [("MD5",), ("SHA-256",), ("SHA-256", "MD5")])
def test_right_and_wrong_passwords(
    simulator: SimulatorServer, identity: str, quality: bool, algorithms: tuple[str, ...]
) -> None:
    simulator.registrar.options = RegistrarOptions(algorithms=algorithms, qop=quality)
    assert send_register(simulator).authenticated
    wrong = send_register(simulator, "wrong-password")
    assert (wrong.status, wrong.refused) == (401, True)
    assert simulator.registrar.accepted() == {NAME: 1}
    assert simulator.registrar.refused() == {NAME: 1}


def test_disabled_is_403_unknown_and_deleted_are_401(
    simulator: SimulatorServer, account: SimulatedAccount, identity: str
) -> None:
    account.update("credential", identity, enabled=False)
    assert (send_register(simulator).status, send_register(simulator).refused) == (403, True)
    account.update("credential", identity, enabled=True)
    assert send_register(simulator).authenticated
    account.delete("credential", identity)
    assert send_register(simulator).status == 401
    assert send_register(simulator, username="nobody").status == 401


def test_a_proof_changes_no_binding(simulator: SimulatorServer, account: SimulatedAccount, identity: str) -> None:
    assert send_register(simulator, contact="sip:phone@desk", expires=60).authenticated
    assert send_register(simulator).authenticated
    assert [binding.contact for binding in account.bindings(NAME)] == ["sip:phone@desk"]
    assert send_register(simulator, contact="sip:phone@desk", expires=0).authenticated
    assert account.bindings(NAME) == ()


def test_bindings_expire(
    simulator: SimulatorServer, account: SimulatedAccount, identity: str, clock: HandMovedClock
) -> None:
    send_register(simulator, contact="sip:phone@desk", expires=60)
    clock.seconds += 61
    assert account.bindings(NAME) == ()


def test_endpoint_shows_its_registration_as_text(simulator: SimulatorServer, vobiz: VobizClient) -> None:
    made = vobiz("POST", "Endpoint/", json={"username": "desk1", "password": "longenough"}).json()
    assert send_register(
        simulator, "longenough", "desk1", domain="registrar.vobiz.ai", contact="sip:desk1@x"
    ).authenticated
    shown = vobiz("GET", f"Endpoint/{made['endpoint_id']}/").json()
    assert (shown["sip_registered"], shown["sip_contact"]) == ("true", "sip:desk1@x")


@pytest.mark.parametrize(
    ("propagation", "after", "old", "new"),
    [
        (Propagation(), 0, False, True),
        (Propagation(old=5), 4, True, True),
        (Propagation(old=5), 6, False, True),
        (Propagation(new=5), 4, False, False),
        (Propagation(new=5), 6, False, True),
        (Propagation(old=5, new=5), 4, True, False),
        (Propagation(old=5, new=5), 6, False, True),
    ],
)
def test_propagation_in_both_senses(
    simulator: SimulatorServer,
    account: SimulatedAccount,
    identity: str,
    clock: HandMovedClock,
    propagation,
    after: float,
    old,
    new,
) -> None:
    simulator.registrar.options = RegistrarOptions(propagation=propagation)
    clock.seconds += 100
    account.update("credential", identity, password=Secret("Other!Password22"))
    clock.seconds += after
    assert send_register(simulator).authenticated is old
    assert send_register(simulator, "Other!Password22").authenticated is new


def test_disabling_propagates_late_too(
    simulator: SimulatorServer, account: SimulatedAccount, identity: str, clock: HandMovedClock
) -> None:
    simulator.registrar.options = RegistrarOptions(propagation=Propagation(old=5))
    account.update("credential", identity, enabled=False)
    clock.seconds += 4
    assert send_register(simulator).authenticated
    clock.seconds += 2
    assert send_register(simulator).status == 403


def test_setting_the_same_password_again_is_no_change(
    simulator: SimulatorServer, account: SimulatedAccount, identity: str, clock: HandMovedClock
) -> None:
    simulator.registrar.options = RegistrarOptions(propagation=Propagation(new=5))
    clock.seconds += 100
    account.update("credential", identity, password=Secret(GOOD))
    assert send_register(simulator).authenticated


def test_nonces_grow_stale_and_the_client_copes(simulator: SimulatorServer, identity: str) -> None:
    simulator.registrar.options = RegistrarOptions(nonce_lifetime=0.0)  # stale before it can be used
    result = send_register(simulator)
    assert (result.authenticated, result.refused) == (False, False)
    assert simulator.registrar.accepted() == {}


def _ask(link: socket.socket, branch: str, *headers: tuple[str, str]) -> sipcodec.Message:
    base = [("Via", f"SIP/2.0/UDP h;branch={branch};rport"), ("From", f"<sip:{NAME}@{DOMAIN}>;tag=1")]
    base += [("To", f"<sip:{NAME}@{DOMAIN}>"), ("Call-ID", "c"), ("CSeq", "1 REGISTER"), *headers]
    link.send(sipcodec.encode(f"REGISTER sip:{DOMAIN} SIP/2.0", base))
    return sipcodec.parse(link.recv(65535))


def test_a_replay_is_stale_and_a_retransmission_is_answered_as_before(
    simulator: SimulatorServer, identity: str
) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as link:
        link.settimeout(5)
        link.connect((simulator.sip_address.host, simulator.sip_address.port))
        challenge = sipcodec.challenges(_ask(link, "z9hG4bKa"), "www-authenticate")[0]
        text = sipcodec.authorization(NAME, Secret(GOOD), challenge, "REGISTER", f"sip:{DOMAIN}", "cn")
        credentials = ("Authorization", text)
        first = _ask(link, "z9hG4bKb", credentials)
        again = _ask(link, "z9hG4bKb", credentials)
        replay = _ask(link, "z9hG4bKc", credentials)
    assert (first.status, again.headers) == (200, first.headers)
    assert simulator.registrar.accepted() == {NAME: 1}
    assert (replay.status, sipcodec.challenges(replay, "www-authenticate")[0].stale) == (401, True)


def test_realm_and_domain_may_differ(simulator: SimulatorServer, api, identity: str) -> None:
    api.read_as(challenge_realm="trunk")
    assert send_register(simulator).authenticated


def test_a_lost_datagram_and_an_error_can_be_planned(simulator: SimulatorServer, identity: str) -> None:
    lost = simulator.faults.plan(CATALOGUE["silence"], verb="register")
    assert send_register(simulator).authenticated
    assert lost.fired == 1
    simulator.faults.plan(CATALOGUE["unavailable"], verb="register")
    assert send_register(simulator).status == 503
    assert simulator.registrar.accepted() == {NAME: 1}


def test_datagrams_of_any_kind_leave_it_answering(simulator: SimulatorServer, identity: str) -> None:
    whole = (
        b"REGISTER sip:x SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK%d;rport\r\nFrom: <sip:a@x>;tag=1\r\n"
        b"To: <sip:officephone01@x>\r\nCall-ID: c\r\nCSeq: 1 REGISTER\r\nContact: <sip:c>;expires=-1\r\n"
        b'Authorization: Digest username="officephone01", realm="r", nonce="n", uri="sip:x", nc=zz, response="\xff"\r\n'
        b"Expires: many\r\n\r\n"
    )
    draw = random.Random(7)
    where = (simulator.sip_address.host, simulator.sip_address.port)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as link:
        for number in range(400):
            mutated = bytearray(whole % number)
            for _ in range(draw.randrange(8)):
                mutated[draw.randrange(len(mutated))] = draw.randrange(256)
            link.sendto(bytes(mutated[: draw.randrange(len(mutated) + 1)]), where)
    assert send_register(simulator).authenticated


async def _independent(simulator: SimulatorServer, password: str) -> tuple[str, int]:
    transport = UdpSipTransport(local_addr=("127.0.0.1", 0))
    uac = SipUAC(transport)
    transport.on_message = uac.handle_response
    await transport.start()
    where = simulator.sip_address
    ended: asyncio.Future[tuple[str, int]] = asyncio.get_running_loop().create_future()
    registration = Registration(
        uac,
        f"sip:{NAME}@{DOMAIN}",
        (where.host, where.port),
        auth=SipDigestAuth(NAME, password),
        expires=120,
        contact_uri="sip:independent@client",
    )
    registration.on_registered = lambda it: ended.set_result(("registered", it.granted_expires))
    registration.on_failed = lambda _, status, __: ended.set_result(("failed", status))
    registration.register()
    try:
        return await asyncio.wait_for(ended, 5)
    finally:
        registration._cancel_timers()
        await transport.stop()


@pytest.mark.parametrize("algorithm", ["MD5", "SHA-256"])
@pytest.mark.parametrize("quality", [True, False])
def test_a_client_that_we_did_not_write(
    simulator: SimulatorServer, account: SimulatedAccount, identity: str, algorithm: str, quality: bool
) -> None:
    simulator.registrar.options = RegistrarOptions(algorithms=(algorithm,), qop=quality)
    assert asyncio.run(_independent(simulator, GOOD)) == ("registered", 120)
    assert [binding.contact for binding in account.bindings(NAME)] == ["sip:independent@client"]
    assert asyncio.run(_independent(simulator, "wrong-password")) == ("failed", 401)
    account.update("credential", identity, enabled=False)
    assert asyncio.run(_independent(simulator, GOOD)) == ("failed", 403)


def test_a_registrar_may_require_a_contact(simulator: SimulatorServer, identity: str) -> None:
    simulator.registrar.options = RegistrarOptions(contact_required=True)
    assert send_register(simulator).status == 400
    assert send_register(simulator, contact="sip:phone@desk", expires=60).authenticated


def test_a_challenge_is_asked_for_without_a_password(simulator: SimulatorServer, identity: str) -> None:
    def asked() -> RegisterResult:
        return register(SipRoute(simulator.sip_address, "udp"), NAME, None, clock=WallClock(), domain=DOMAIN)

    assert asked().challenged
    assert (simulator.registrar.accepted(), simulator.registrar.refused()) == ({}, {})
    simulator.registrar.options = RegistrarOptions(qop=False)
    assert not asked().challenged
    simulator.registrar.options = RegistrarOptions(contact_required=True)
    assert not asked().challenged
