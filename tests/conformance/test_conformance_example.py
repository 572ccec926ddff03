"""The made-up provider in the configuration: one line in the registry is enough for settings, schema and checks."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from rotator.providers.registry import KINDS
from rotator.settings import ConfigError, Settings, check, schema

ENVIRON = {"INTERCOM_API_KEY": "key-of-the-door", "VAULT_TOKEN": "token"}
REJECTED = "the intercom account would reject usernames derived from this; choose one that matches [A-Za-z0-9]{1,32}"
GOOD = """\
vault:
  address: https://vault:8200
  auth: {method: token, token: {env: VAULT_TOKEN}}
providers:
  front-door:
    type: intercom
    base_url: https://intercom.example.com
    api_key: {env: INTERCOM_API_KEY}
targets:
  - name: postman
    provider: front-door
    strategy: alternating
    credential: {usernames: [postmana, postmanb]}
    path: door/postman
"""


@pytest.fixture(autouse=True)
def settings_model(example_provider) -> Iterator[None]:
    """The settings' model with the example; a program registers every kind before it builds the model."""
    Settings.model_rebuild(force=True)
    yield
    KINDS.pop("intercom")
    Settings.model_rebuild(force=True)


def problems(text: str, folder: Path) -> list[str]:
    file = folder / "config.yaml"
    file.write_text(text)
    try:
        settings, warnings = check(file, ENVIRON)
    except ConfigError as error:
        return [f"{problem.key}: {problem.sentence}" for problem in error.problems]
    assert warnings == ()
    assert settings.providers["front-door"].headers()["X-Api-Key"].reveal() == "key-of-the-door"
    return []


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("", "", []),
        ("    api_key: {env: INTERCOM_API_KEY}\n", "", [
            "providers.front-door.api_key: is missing; add it, such as 'api_key: {env: INTERCOM_API_KEY}'"]),
        ("api_key:", "apikey:", [
            "providers.front-door.api_key: is missing; add it, such as 'api_key: {env: INTERCOM_API_KEY}'",
            "providers.front-door.apikey: unknown key; did you mean 'api_key'?"]),
        ("postmana", "postman-a", [
            f"targets[0].credential: {REJECTED}"]),
        ("type: intercom", "type: intercon", [
            "providers.front-door.type: unknown type; did you mean 'intercom'?"]),
    ],
)  # fmt: skip
def test_the_configuration_knows_it(old, new, expected, tmp_path):
    assert sorted(problems(GOOD.replace(old, new), tmp_path)) == sorted(expected)


def test_the_schema_describes_it():
    described = schema.schema()["$defs"]["IntercomOptions"]["properties"]
    assert described["type"] == {"const": "intercom", "description": "The provider: `intercom`.", "type": "string"}
    assert "INTERCOM_API_KEY" in json.dumps(described["api_key"])
