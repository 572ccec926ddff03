"""An Apinizer account in the configuration: its keys, its mistakes, and what is made of it."""

import pytest
from provider_fixtures import FakeNetwork, answers_in_turn
from settings_texts import SENTINEL, changed, complaints, load_text

from rotator.providers.apinizer.credentials import ApinizerCredentials
from rotator.providers.apinizer.options import ApinizerOptions
from rotator.providers.registry import KINDS
from rotator.testing import FakeRandomness

GOOD = """\
vault:
  address: https://vault:8200
  auth: {method: token, token: {env: VAULT_TOKEN}}
providers:
  gateway:
    type: apinizer
    base_url: https://console.example.com
    project: Pay ments
    access_token: {env: APINIZER_TOKEN}
    email: team@example.com
    full_name: The Team
    probe_url: https://gateway.example.com/health
targets:
  - name: client
    provider: gateway
    strategy: replace
    credential: {username: billing-client}
    path: api/client
"""


def no_vault(path, key):
    raise AssertionError("nothing of this lies in Vault")


@pytest.mark.parametrize("strategy", ["replace", "in-place", "alternating"])
def test_a_right_one_is_taken_with_every_strategy(strategy, tmp_path):
    text = changed(GOOD, "strategy: replace", f"strategy: {strategy}")
    if strategy == "alternating":
        text = changed(text, "{username: billing-client}", "{usernames: [client-a, client-b]}")
    assert complaints(text, tmp_path) == []


def test_what_is_made_of_it(tmp_path):
    options = load_text(GOOD, tmp_path).providers["gateway"].with_secrets(no_vault)
    assert isinstance(options, ApinizerOptions)
    assert (options.project, options.email, options.full_name) == ("Pay ments", "team@example.com", "The Team")
    assert (options.probe_url, options.gateway_url) == ("https://gateway.example.com/health", None)
    assert options.access_token.value.reveal() == SENTINEL
    assert options.secrets == (options.access_token.value,)
    made = options.http("gateway")
    assert made.headers["Authorization"].reveal() == f"Bearer {SENTINEL}"
    provider = KINDS["apinizer"](options, FakeNetwork(answers_in_turn()).http, FakeRandomness())
    assert isinstance(provider, ApinizerCredentials)
    assert provider.capabilities == options.capabilities


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("    base_url: https://console.example.com\n", "", "base_url: is missing"),
        ("    project: Pay ments\n", "", "project: is missing"),
        ("project: Pay ments", "project: a/b", "project: is not a project name"),
        ("project: Pay ments", "project: ..", "project: is not a project name"),
        ("{env: APINIZER_TOKEN}", "plain-token", "access_token: "),
        ("    full_name", "    gateway_url: https://gw.example.com\n    full_name", "exclude each other; keep one"),
        ("https://gateway.example", "http://gateway.example", "probe_url: plain http would expose"),
        ("https://gateway.example.com/health", "https://u:p@gw/x", "probe_url: must not contain a user name"),
    ],
)
def test_a_mistake_is_explained(old, new, said, tmp_path):
    messages = complaints(changed(GOOD, old, new), tmp_path)
    assert any(said in message for message in messages), messages


def test_plain_http_to_the_gateway_is_allowed_by_name(tmp_path):
    text = changed(GOOD, "https://gateway.example.com", "http://gateway.example.com")
    text = changed(text, "    email", "    allow_plain_http: [gateway.example.com]\n    email")
    assert complaints(text, tmp_path) == []
    options = load_text(text, tmp_path).providers["gateway"]
    assert options.http("gateway").allow_plain_http == ("gateway.example.com",)


def test_a_username_is_one_in_all_projects_of_an_installation(tmp_path):
    """Two targets of one username in two projects cannot both be meant."""
    second = GOOD.partition("providers:\n")[2].partition("targets:\n")[0].replace("gateway:", "other:", 1)
    second = second.replace("Pay ments", "Other")
    target = (
        GOOD.partition("targets:\n")[2]
        .replace("name: client", "name: second")
        .replace("provider: gateway", "provider: other")
    )
    text = changed(GOOD, "targets:\n", f"{second}targets:\n") + target.replace("api/client", "api/second")
    (message,) = complaints(text, tmp_path)
    assert "rotates a credential with the same username at the same account" in message
