"""Vobiz trunks: which of them name a credential, and how they are pointed to another one."""

from datetime import timedelta
from typing import Any

import httpx
import pytest
from provider_fixtures import ACCOUNT, answer, answers_in_turn, credential, listing, vobiz

from rotator.core.answers import Done, Refusal, Refused, Unknown, Wait
from rotator.core.model import Attachment
from rotator.ports import CALL_TERMS, CallTerms

TRUNKS = f"/api/v1/Account/{ACCOUNT}/trunks"
LIST = f"GET {TRUNKS}?limit=100&offset=0"
ONE, TWO = (Attachment(f"t-{number}", f"trunk office ({'t-'}{number})", "id-1", "t.sip.vobiz.ai") for number in (1, 2))
NEW = credential("id-9", "new")


def trunk(identity: Any = "t-1", named: Any = "id-1", name: Any = "office", **more: Any) -> dict[str, Any]:
    return {"trunk_id": identity, "name": name, "credential_uuid": named, "trunk_domain": "t.sip.vobiz.ai"} | more


def without_credential(identity: str) -> httpx.Response:
    """As the SDK's model of the answer has it."""
    return answer(200, {"trunk_id": identity, "name": "office"})


def test_the_trunks_that_name_a_credential_are_found_on_every_page():
    every = [trunk("t-1"), *(trunk(f"x-{number}", "other") for number in range(150)), trunk("t-2"), trunk("t-3", None)]

    def page(request: httpx.Request) -> httpx.Response:
        start, size = (int(request.url.params[key]) for key in ("offset", "limit"))
        return listing(*every[start : start + size], count=len(every))

    provider, network = vobiz(page)
    assert provider.attachments([credential("id-1"), credential("id-7")]) == Done((ONE, TWO))
    assert network.request_lines[:2] == [LIST, f"GET {TRUNKS}?limit=100&offset=95"]


@pytest.mark.parametrize(
    "odd",
    [
        {"trunk_id": None, "credential_uuid": None},
        {"name": 7},
        trunk("t-5", ""),
        trunk(7, "other"),
        trunk("t-5", None, "\n"),
    ],
)
def test_what_names_nobody_may_look_as_it_likes(odd):
    provider, _ = vobiz(answers_in_turn(listing(trunk("t-1"), odd)))
    assert provider.attachments([credential("id-1")]).value == (ONE,)


@pytest.mark.parametrize("odd", [7, None, trunk(None), trunk("../x"), trunk("t-5", 7), trunk("t-5", ["id-1"])])
def test_what_may_name_it_and_cannot_be_read_says_nothing(odd):
    provider, _ = vobiz(answers_in_turn(listing(trunk("t-2"), odd)))
    answer = provider.attachments([credential("id-1")])
    assert isinstance(answer, Unknown)
    assert "cannot be read" in answer.message


def test_a_trunk_without_a_printable_name_has_its_id():
    provider, _ = vobiz(answers_in_turn(listing(trunk("t-1", name="x" * 101), trunk("t-2", name=None))))
    assert [one.name for one in provider.attachments([credential("id-1")]).value] == ["trunk t-1", "trunk t-2"]


@pytest.mark.parametrize("status", [401, 403, 404, 405, 501])
def test_that_trunks_are_not_shown_is_believed_when_it_is_said_again_and_again(status, caplog):
    provider, network = vobiz(lambda _: answer(status))
    began = network.clock.monotonic()
    for asked in (6, 7):  # once it is believed, one answer is enough
        hidden = provider.attachments([credential("id-1")])
        assert hidden.value == ()
        assert "does not show its trunks" in hidden.note
        assert len(network.request_lines) == asked
    assert network.clock.monotonic() - began == 15
    assert [record.levelname for record in caplog.records] == ["WARNING"]


@pytest.mark.parametrize("odd", [None, 7, "", "two words", "x.example.com/path", "-x.example.com", "x" * 300, "a..b"])
def test_a_domain_that_is_no_host_name_is_not_dialled(odd):
    provider, _ = vobiz(answers_in_turn(listing(trunk("t-1", trunk_domain=odd))))
    (found,) = provider.attachments([credential("id-1")]).value
    assert found.host == ""


def test_one_such_answer_is_a_gateways_trouble():
    provider, _ = vobiz(answers_in_turn(*[answer(403)] * 5, listing(trunk()), answer(403)))
    assert provider.attachments([credential("id-1")]).value == (ONE,)
    assert provider.attachments([credential("id-1")]).why is Refusal.PERMISSION


def test_an_emergency_does_not_wait_for_that():
    provider, _ = vobiz(lambda _: answer(403))
    token = CALL_TERMS.set(CallTerms(urgent=True))
    try:
        assert provider.attachments([credential("id-1")]).value == ()
    finally:
        CALL_TERMS.reset(token)


@pytest.mark.parametrize(
    ("status", "why"), [(401, Refusal.AUTHENTICATION), (403, Refusal.PERMISSION), (404, Refusal.OTHER)]
)
def test_what_was_shown_once_is_not_missing_later(status, why):
    provider, network = vobiz(answers_in_turn(listing(trunk()), answer(status), answer(status)))
    assert provider.attachments([credential("id-1")]).value == (ONE,)
    for _ in range(2):
        network.clock.advance(timedelta(hours=1))
        assert provider.attachments([credential("id-1")]).why is why


def test_each_trunk_is_pointed_and_an_answer_that_shows_it_is_believed():
    provider, network = vobiz(answers_in_turn(answer(200, trunk("t-1", "id-9")), answer(200, trunk("t-2", "id-9"))))
    assert provider.attach(NEW, [ONE, TWO]) == Done(None)
    assert network.request_lines == [f"PUT {TRUNKS}/t-1", f"PUT {TRUNKS}/t-2"]
    assert network.bodies == [{"credential_uuid": "id-9"}] * 2
    assert network.meter.outcomes == [("attach", "200")] * 2


def test_answers_that_do_not_show_it_are_read_back_once():
    shown = listing(trunk("t-1", "id-9"), trunk("t-2", "id-9"))
    provider, network = vobiz(answers_in_turn(without_credential("t-1"), without_credential("t-2"), shown))
    assert provider.attach(NEW, [ONE, TWO]) == Done(None)
    assert network.request_lines[-1] == LIST


def test_what_is_accepted_and_ignored_is_refused():
    provider, _ = vobiz(answers_in_turn(without_credential("t-1"), listing(trunk("t-1"))))
    refused = provider.attach(NEW, [ONE])
    assert isinstance(refused, Refused)
    assert refused.why is Refusal.UNSUPPORTED
    assert "trunk office (t-1) names the same credential as before" in refused.message


def test_what_is_ignored_for_one_of_them_is_not_done():
    provider, _ = vobiz(
        answers_in_turn(
            answer(200, trunk("t-1", "id-9")), without_credential("t-2"), listing(trunk("t-1", "id-9"), trunk("t-2"))
        )
    )
    assert provider.attach(NEW, [ONE, TWO]).why is Wait.PARTIAL


@pytest.mark.parametrize("status", [400, 403, 404, 422])
def test_a_refusal_of_the_first_one_changed_nothing_and_of_the_second_something(status):
    provider, _ = vobiz(lambda _: answer(status))
    refused = provider.attach(NEW, [ONE, TWO])
    assert isinstance(refused, Refused)
    assert refused.message.startswith("trunk office (t-1) cannot be pointed to another credential: ")
    provider, _ = vobiz(answers_in_turn(answer(200, trunk("t-1", "id-9")), answer(status)))
    partly = provider.attach(NEW, [ONE, TWO])
    assert partly.why is Wait.PARTIAL
    assert "trunk office (t-2)" in partly.message


@pytest.mark.parametrize("back", [answer(500), httpx.ReadTimeout("x"), answer(200, {"objects": 7})])
def test_what_cannot_be_read_back_is_unknown(back):
    provider, _ = vobiz(answers_in_turn(without_credential("t-1"), *[back] * 4))
    assert isinstance(provider.attach(NEW, [ONE]), Unknown)


def test_a_lost_answer_is_unknown_and_a_credential_without_an_id_is_refused():
    provider, _ = vobiz(answers_in_turn(*[httpx.ReadError("x")] * 4))
    assert isinstance(provider.attach(NEW, [ONE]), Unknown)
    assert provider.attach(credential(None), [ONE]).why is Refusal.INVALID
