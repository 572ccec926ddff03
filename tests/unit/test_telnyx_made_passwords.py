"""Passwords that Telnyx makes: only one that is shown and strong is used, and its own word for it is no proof."""

import httpx
import pytest
from provider_fixtures import FakeNetwork, account_options, answer, provider_on

from rotator.core.answers import Done, Refusal, Refused, Retry, Unknown, Wait
from rotator.core.model import Credential, Proof
from rotator.core.secret import Secret
from rotator.fields.network import HostPort
from rotator.ports import Provider

ATTEMPT = "attempt0001"
SHOWN = "a92dbcfb60184a8cb330b0acb2f7617b"  # the example of Telnyx's page
MASKS = ["********", "<redacted>", "[FILTERED]", "****7617", "a92d****", "x", "xxxxxxxxxxxxxxxxxxxxxxxx"]
WEAK = [
    "hunter2",
    'a b"c',
    "1234567890123456",
    "correct horse battery staple",
    "abcabcabcabcabcabcabc",
    "aabbaabbabababbaba",
]


def shown(password: str | None, status: int = 200, **more: object) -> httpx.Response:
    record = {
        "id": "id-1",
        "name": f"rotator/office/{ATTEMPT}",
        "resource_id": "connection:conn1",
        "expired": False,
        "sip_username": "gencred1",
        "sip_password": password,
        "expires_at": None,
    }
    return answer(status, {"data": record | more})


def provider_with(**more: object) -> Provider:
    return provider_on(FakeNetwork(lambda _: shown(SHOWN, **more)), "telnyx")


def provider_that_shows(password: str | None, **keys) -> Provider:
    return provider_on(
        FakeNetwork(lambda request: shown(password, 201 if request.method == "POST" else 200)), "telnyx", **keys
    )


STAGED = Credential("prod", "", attempt=ATTEMPT)
CREATED = Credential("prod", "gencred1", "id-1", attempt=ATTEMPT)


@pytest.mark.parametrize("password", [*MASKS, *WEAK])
def test_a_mask_or_a_weak_password_is_never_taken(password):
    provider = provider_that_shows(password)
    created = provider.create(STAGED, "office")
    assert isinstance(created, Unknown)  # it exists: the engine finds it by its name, and has it completed
    completed = provider.complete(CREATED)
    assert isinstance(completed, Refused)  # which ends the attempt, and removes what was created
    for message in (created.message, completed.message):
        assert "nothing is published" in message or "is refused" in message
        assert len(password) < 5 or password not in message


def test_what_is_wrong_with_a_weak_one_is_said():
    assert (
        "its 7 characters have 36 bits of entropy at most, and 70 are required"
        in provider_that_shows("hunter2").complete(CREATED).message
    )
    assert "it repeats itself" in provider_that_shows("abcabcabcabcabcabcabc").complete(CREATED).message
    assert "a space, a quotation mark" in provider_that_shows('a b"c').complete(CREATED).message
    assert "does not show the password" in provider_that_shows("********").complete(CREATED).message


def test_the_password_of_telnyxs_example_is_taken():
    provider = provider_that_shows(SHOWN)
    assert provider.create(STAGED, "office").value.password == Secret(SHOWN)
    assert provider.complete(CREATED).value.password == Secret(SHOWN)


def test_an_undo_uses_the_password_that_is_known_where_telnyx_shows_a_mask():
    known = Credential("prod", "gencred1", "id-1", Secret(SHOWN))
    assert provider_that_shows("********").enable(known).value.password == Secret(SHOWN)


def test_a_masked_connection_has_no_known_password():
    body = {"data": {"id": "id-1", "user_name": "trunk1", "password": "********", "active": True}}
    provider = provider_on(FakeNetwork(lambda _: answer(200, body)), "telnyx-connection")
    assert provider.find(Credential("prod", "trunk1", "id-1")).value[0].password is None


def test_where_connections_are_masked_and_no_log_in_could_prove_a_password_none_is_set():
    shown = {"id": "id-1", "user_name": "trunk1", "password": "********", "active": True}
    network = FakeNetwork(lambda _: answer(200, {"data": shown}))
    provider = provider_on(network, "telnyx-connection")
    mine = Credential("prod", "trunk1", "id-1", Secret(SHOWN))
    refused = provider.set_password(mine)
    assert refused.why is Refusal.UNSUPPORTED
    assert "remove `registrar: off`" in refused.message
    assert [request.method for request in network.sent] == ["GET"]
    told = provider.prove(mine)
    assert (told.why, "registrar: off" in told.message) == (Wait.DOUBTFUL, True)


@pytest.mark.parametrize("password", ["********", "<redacted>"])
def test_a_masked_answer_says_that_a_password_was_set_and_the_registrar_which(password):
    body = {"data": {"id": "id-1", "user_name": "trunk1", "password": password, "active": True}}
    network = FakeNetwork(lambda _: answer(200, body))
    provider = provider_on(network, "telnyx-connection", registrar="127.0.0.1:5061")
    mine = Credential("prod", "trunk1", "id-1", Secret(SHOWN))
    assert provider.set_password(mine).value.password == Secret(SHOWN)
    assert [request.method for request in network.sent] == ["PATCH"]
    lost = provider_on(
        FakeNetwork(lambda asked: answer(200 if asked.method == "GET" else 503, body)),
        "telnyx-connection",
        registrar="127.0.0.1:5061",
    )
    assert isinstance(lost.set_password(mine), Unknown)  # a mask that is read back says nothing


def test_a_masked_telephony_credential_is_taken_on_trust_only_without_a_registrar():
    known = Credential("prod", "gencred1", "id-1", Secret(SHOWN))
    proof = provider_that_shows("********").prove(known)
    assert "is masked" in str(proof.value)
    assert not proof.value.tries_password


def test_a_credential_whose_expired_is_null_is_not_expired():
    assert provider_with(expired=None).find(CREATED).value[0].enabled


def test_a_bare_resource_id_is_the_connections():
    assert isinstance(provider_with(resource_id="conn1").complete(CREATED), Done)
    assert isinstance(provider_with(resource_id="conn2").complete(CREATED), Refused)


# -- the proof


def test_by_default_the_registrar_of_the_domain_is_asked_over_tls():
    by_default = account_options("telnyx", registrar=None)  # a key without a value
    assert by_default.proving_registrar == HostPort("sip.telnyx.com", 5061)
    assert by_default.capabilities.proof == Proof("SIP REGISTER over TLS", tries_password=True)
    abroad = account_options("telnyx-connection", registrar=None, domain="sip-eu.telnyx.com")
    assert abroad.proving_registrar == HostPort("sip-eu.telnyx.com", 5061)


def test_without_a_registrar_the_proof_says_whose_word_it_is():
    provider = provider_that_shows(SHOWN)
    proof = provider.prove(Credential("prod", "gencred1", "id-1", Secret(SHOWN)))
    assert isinstance(proof, Done)
    assert not proof.value.tries_password
    assert "that Telnyx made itself" in str(proof.value)
    assert "that Telnyx made itself" in str(provider.capabilities.proof)


def test_a_registrar_that_asks_for_no_password_leaves_nothing_proved(monkeypatch):
    monkeypatch.setattr("rotator.providers.base.by_register", lambda *_, **__: None)
    provider = provider_that_shows(SHOWN, registrar="127.0.0.1:5061")
    proof = provider.prove(Credential("prod", "gencred1", "id-1", Secret(SHOWN)))
    assert isinstance(proof, Retry)
    assert proof.why is Wait.DOUBTFUL
    assert "`registrar: off` takes its word for it" in proof.message
