"""Vobiz Endpoint users, and the table of providers with the check of strategies against capabilities."""

from dataclasses import replace
from datetime import timedelta
from itertools import product
from typing import Any

import httpx
import pytest
from provider_fixtures import (
    ENDPOINTS,
    PASSWORD,
    TOKEN,
    FakeNetwork,
    account_options,
    answer,
    answers_in_turn,
    credential,
    endpoints,
    provider_on,
)

from rotator.core.answers import Done, Refusal, Refused, Retry, Unknown, Wait
from rotator.core.model import Proof, Strategy
from rotator.core.passwords import PasswordRules, problems
from rotator.fields.network import HostPort
from rotator.providers.registry import KINDS
from rotator.providers.strategies import unsupported
from rotator.testing import GENERATED, FakeRandomness

ONE = f"{ENDPOINTS}id-1/"
LIST = f"GET {ENDPOINTS}?limit=100&offset=0"


def user_json(identity="id-1", username="phone1") -> dict[str, Any]:
    return {"endpoint_id": identity, "username": username, "alias": "x", "sip_registered": "false"}


def listing(*objects) -> httpx.Response:
    return answer(
        200, {"meta": {"total_count": len(objects), "next": None, "previous": None}, "objects": list(objects)}
    )


def test_set_password_is_a_post_that_is_accepted_with_an_empty_body():
    provider, network = endpoints(answers_in_turn(answer(202)))
    assert provider.set_password(credential()) == Done(credential())
    assert network.request_lines == [f"POST {ONE}"]
    assert network.bodies == [{"password": PASSWORD}]


@pytest.mark.parametrize("status", [200, 201])
def test_set_password_takes_an_object_too(status):
    provider, _ = endpoints(answers_in_turn(answer(status, {"message": "changed"})))
    assert isinstance(provider.set_password(credential()), Done)


@pytest.mark.parametrize("strange", [answer(200), answer(204), answer(200, text="<html>"), answer(200, {"error": "x"})])
def test_set_password_that_is_answered_otherwise_is_unknown(strange):
    provider, _ = endpoints(answers_in_turn(strange))
    assert isinstance(provider.set_password(credential()), Unknown)


def test_set_password_means_the_same_twice_and_is_sent_again():
    provider, network = endpoints(answers_in_turn(httpx.ReadTimeout("no"), answer(202)))
    assert isinstance(provider.set_password(credential()), Done)
    assert len(network.sent) == 2


def test_set_password_that_is_rejected_does_not_repeat_the_echo():
    body = {"error": "invalid request parameters", "details": {"password": PASSWORD}}
    provider, _ = endpoints(answers_in_turn(answer(400, body)))
    result = provider.set_password(credential())
    assert result.why is Refusal.INVALID
    assert PASSWORD not in result.message


def test_a_404_without_a_body_is_not_found_where_the_listing_confirms_it():
    provider, network = endpoints(answers_in_turn(answer(404), listing(user_json("id-2"))))
    assert provider.set_password(credential()).why is Refusal.NOT_FOUND
    assert network.request_lines == [f"POST {ONE}", LIST]


def test_a_404_for_what_is_listed_names_the_path():
    provider, _ = endpoints(answers_in_turn(answer(404), listing(user_json())))
    result = provider.set_password(credential())
    assert result.why is Refusal.OTHER
    assert "letter case" in result.message


def test_find_by_id_gets_it_and_by_name_lists():
    provider, network = endpoints(
        answers_in_turn(answer(200, user_json()), listing(user_json("id-9", "other"), user_json()))
    )
    assert provider.find(credential()).value[0].username == "phone1"
    assert provider.find(credential(None)).value[0].id == "id-1"
    assert network.request_lines == [f"GET {ONE}", LIST]


def test_find_believes_a_404_only_with_the_listing():
    provider, _ = endpoints(answers_in_turn(answer(404), listing(), answer(404), answer(500)))
    assert provider.find(credential()) == Done(())
    assert isinstance(provider.find(credential()), Unknown)


@pytest.mark.parametrize("body", [None, {}, [], user_json("id-2"), {"endpoint_id": "id-1"}])
def test_find_of_an_answer_that_is_not_this_endpoint_is_looked_up_in_the_listing(body):
    provider, _ = endpoints(answers_in_turn(answer(200, body), answer(500)))
    assert isinstance(provider.find(credential()), Unknown)


@pytest.mark.parametrize("identity", ["", "..", "a/b", "a?b"])
def test_an_id_that_cannot_stand_in_a_path_is_not_sent(identity):
    provider, network = endpoints(answers_in_turn(listing()))
    assert provider.set_password(credential(identity)).why is Refusal.INVALID
    assert provider.find(credential(identity)) == Done(())
    assert network.request_lines == [LIST]


def test_the_read_back_does_not_try_the_password():
    provider, _ = endpoints(answers_in_turn(answer(200, user_json())))
    assert not provider.prove(credential()).value.tries_password


def test_another_username_under_this_id_is_no_proof():
    provider, _ = endpoints(answers_in_turn(answer(200, user_json(username="other"))))
    assert provider.prove(credential()).why is Wait.NOT_YET


def test_enable_puts_the_password_in_force():
    provider, network = endpoints(answers_in_turn(answer(202)))
    assert isinstance(provider.enable(credential()), Done)
    assert network.bodies == [{"password": PASSWORD}]


def test_what_an_endpoint_cannot_do_is_refused_without_a_request():
    provider, network = endpoints(answers_in_turn())
    for result in (provider.create(credential(), "t"), provider.disable(credential()), provider.delete(credential())):
        assert isinstance(result, Refused)
        assert result.why is Refusal.UNSUPPORTED
        assert "in-place" in result.message
    assert network.sent == []


def test_no_answer_from_the_registrar_is_a_retry():
    provider, network = endpoints(answers_in_turn(), registrar=HostPort("no-such-host.invalid", 5060))
    result = provider.prove(credential())
    assert isinstance(result, Retry)
    assert result.why is Wait.UNREACHABLE
    assert network.meter.outcomes == [("prove", "timeout")]


# -- the table

VOBIZ = ("vobiz", "vobiz-endpoint")


@pytest.mark.parametrize("name", VOBIZ)
def test_a_row_builds_a_provider_that_says_what_the_row_says(name):
    options, network = account_options(name), FakeNetwork(answers_in_turn())
    provider = KINDS[name](options, network.http, FakeRandomness())
    assert provider.capabilities == options.capabilities
    assert network.sent == []
    assert {key: value.reveal() for key, value in options.headers().items()} == {
        "X-Auth-ID": "MA_TEST",
        "X-Auth-Token": TOKEN,
    }
    assert options.type_name() == options.type == name
    assert options.base_url.startswith("https://")


@pytest.mark.parametrize("name", VOBIZ)
def test_the_default_password_rules_can_be_met_everywhere(name):
    limits = account_options(name).capabilities.password_limits
    assert problems(PasswordRules(), limits) == ()
    assert problems(PasswordRules(length=21), limits)
    assert problems(PasswordRules(length=7), limits)
    assert problems(PasswordRules(symbols="!;"), limits)


@pytest.mark.parametrize("name", VOBIZ)
def test_the_proof_and_the_propagation_follow_the_options(name):
    plain = account_options(name).capabilities
    probed = account_options(name, registrar="r:5061", propagation="5s").capabilities
    assert not plain.proof.tries_password
    assert probed.proof == Proof("SIP REGISTER over TLS", tries_password=True)
    assert (plain.propagation, probed.propagation) == (timedelta(seconds=30), timedelta(seconds=5))


@pytest.mark.parametrize(
    ("name", "possible"),
    [
        ("vobiz", {Strategy.REPLACE, Strategy.ALTERNATING, Strategy.IN_PLACE}),
        ("vobiz-endpoint", {Strategy.IN_PLACE}),
    ],
)
def test_the_strategies_are_those_of_the_design(name, possible):
    can = account_options(name).capabilities
    assert {strategy for strategy in Strategy if unsupported(strategy, can) is None} == possible


def test_the_reason_names_what_is_missing_and_what_would_do():
    reason = unsupported(Strategy.REPLACE, account_options("vobiz-endpoint").capabilities)
    assert reason == (
        "strategy replace needs a provider that creates credentials and disables them and deletes them, "
        "and this one does not; use in-place"
    )


def test_a_terminal_disable_and_a_made_password_will_do_for_replace_only():
    assert unsupported(Strategy.REPLACE, GENERATED) is None
    assert unsupported(Strategy.ALTERNATING, GENERATED)
    assert unsupported(Strategy.IN_PLACE, GENERATED)


FLAGS = (
    "chooses_password",
    "sets_password",
    "generates_password",
    "disables",
    "re_enables",
    "deletes",
    "lists",
    "creates",
)


def test_every_combination_of_capabilities_has_an_answer_and_more_of_them_never_hurts():
    for flags in product([False, True], repeat=len(FLAGS)):
        can = replace(GENERATED, **dict(zip(FLAGS, flags, strict=True)))
        for strategy in Strategy:
            reason = unsupported(strategy, can)
            if reason is None:
                more = (replace(can, **{flag: True}) for flag in FLAGS)
                assert all(unsupported(strategy, better) is None for better in more)
            else:
                assert reason.startswith(f"strategy {strategy.value} needs")


@pytest.mark.parametrize(
    ("kind", "keys", "identity"),
    [
        ("vobiz", {"auth_id": "MA_7"}, "MA_7"),
        ("vobiz-endpoint", {"auth_id": "MA_7"}, "MA_7"),
        ("telnyx", {"connection_id": "17"}, "17"),
        ("telnyx-connection", {}, ""),  # nothing but the key names the account
        ("apinizer", {"project": "Mine"}, "Mine"),
    ],
)
def test_an_account_is_known_by_what_the_provider_calls_it(kind, keys, identity):
    assert provider_on(FakeNetwork(answers_in_turn()), kind, **keys).identity == identity
