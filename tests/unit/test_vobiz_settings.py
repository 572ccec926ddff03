"""The options of a Vobiz account: whose key, whose paths, and how long a password may be."""

import pytest
from provider_fixtures import FakeNetwork, account_options, answer, listing, provider_on, trunk_json

from rotator.core.answers import Done
from rotator.core.model import Credential
from rotator.core.passwords import PasswordRules, problems


@pytest.mark.parametrize("kind", ["vobiz", "vobiz-endpoint"])
def test_the_key_of_a_main_account_goes_with_the_paths_of_a_sub_account(kind):
    options = account_options(kind, auth_id="MA_PARENT", account_id="SA_ONE")
    assert options.headers()["X-Auth-ID"].reveal() == "MA_PARENT"
    assert options.path("x") == "/api/v1/Account/SA_ONE/x"
    assert options.identity == "SA_ONE"
    assert options.namespace == account_options(kind, auth_id="SA_ONE").namespace
    assert options.account_key != account_options(kind, auth_id="MA_PARENT").account_key


@pytest.mark.parametrize("kind", ["vobiz", "vobiz-endpoint"])
def test_sub_accounts_that_one_key_administers_share_its_pace_and_nothing_else(kind):
    """Each had a pace of its own: the key of a main account with N of them sent N times the rate."""
    one, two = (account_options(kind, auth_id="MA_PARENT", account_id=name) for name in ("SA_ONE", "SA_TWO"))
    parent, own = account_options(kind, auth_id="MA_PARENT"), account_options(kind, auth_id="SA_ONE")
    assert one.pace_key == two.pace_key == parent.account_key
    assert (parent.pace_key, own.pace_key) == ("", ""), "their own"
    assert one.account_key == own.account_key != two.account_key


def test_every_request_is_below_the_sub_account():
    network = FakeNetwork(
        lambda asked: listing() if asked.method == "GET" else answer(201, trunk_json(username="new1"))
    )
    provider = provider_on(network, "vobiz", auth_id="MA_PARENT", account_id="SA_ONE")
    staged = Credential("prod", "new1", password=account_options("vobiz").auth_token.value)
    assert isinstance(provider.create(staged, "office"), Done)
    provider.find(Credential("prod", "phone1"))
    provider.attachments([Credential("prod", "phone1", "id-1")])
    assert network.sent
    assert all(request.url.path.startswith("/api/v1/Account/SA_ONE/") for request in network.sent)


@pytest.mark.parametrize("kind", ["vobiz", "vobiz-endpoint"])
def test_a_password_is_as_long_as_the_account_is_said_to_accept(kind):
    rules = PasswordRules(length=24, symbols="!@$^*_+")
    (said,) = problems(rules, account_options(kind).capabilities.password_limits)
    assert "more than the 20" in said
    assert problems(rules, account_options(kind, longest_password=24).capabilities.password_limits) == ()
    for wrong in (7, 129):
        with pytest.raises(ValueError, match="longest_password"):
            account_options(kind, longest_password=wrong)
