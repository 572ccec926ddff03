"""The examples in config/ load, and the published schema agrees with the program about them and their mistakes."""

import json
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from settings_texts import CONFIG, SENTINEL, changed, check_text, complaints, load_text, mistakes

from rotator.settings import schema
from rotator.settings.document import parse
from rotator.settings.vault import EmbeddedVaultSettings, RemoteVaultSettings

EXAMPLES = sorted(path.stem for path in CONFIG.glob("*.yaml"))
VALIDATOR = Draft202012Validator(schema.schema())


@pytest.fixture
def example(tmp_path: Path) -> Callable[..., Any]:
    """The text of an example, with the files that it names put into the test's folder."""
    (tmp_path / "tls").mkdir()
    (tmp_path / "tls/ca.pem").write_text("-----BEGIN CERTIFICATE-----\n")
    shutil.copytree(CONFIG / "targets.d", tmp_path / "targets.d")
    (tmp_path / "token").write_text(f"{SENTINEL}\n")
    (tmp_path / "token").chmod(0o640)

    def read(name: str) -> str:
        text = (CONFIG / f"{name}.yaml").read_text()
        text = text.replace("/etc/rotator/tls/", "tls/")
        return text.replace("/run/secrets/rotator/vobiz-auth-token", "token")

    return read


def test_all_examples_are_known():
    """A new one is tested as soon as it is there."""
    assert EXAMPLES == ["embedded", "full", "kubernetes", "many-targets", "minimal", "password-rules"]


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_example_loads(name, example, tmp_path):
    """With no warning but the one that in-place has to have, and that this machine has no token of Vault Agent."""
    settings, warnings = check_text(example(name), tmp_path)

    assert settings.core_targets()
    expected = {"in-place has no overlap: devices are refused until they read Vault", "there is no such file"}
    assert {warning.what for warning in warnings} <= expected


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_example_meets_the_schema(name):
    """And tells editors where the schema is."""
    text = (CONFIG / f"{name}.yaml").read_text()

    assert text.startswith("# yaml-language-server: $schema=schema.json\n")
    assert [error.message for error in VALIDATOR.iter_errors(parse(text).data)] == []


def test_the_published_schema_is_the_one_of_the_program():
    """`python -m rotator.settings.schema > config/schema.json` makes it anew."""
    Draft202012Validator.check_schema(schema.schema())

    assert (CONFIG / "schema.json").read_text() == schema.text()


def properties(part: Any) -> Iterator[tuple[str, Any]]:
    """Every key that the schema describes; not those inside of references to secrets, which explain themselves."""
    for section in part["$defs"].values():
        yield from section.get("properties", {}).items()
    yield from part["properties"].items()


def test_every_key_is_described():
    """In the words of the code; a section that says the same of itself is not described twice."""
    whole = schema.schema()
    for key, described in properties(whole):
        referred = whole["$defs"].get(described.get("$ref", "").removeprefix("#/$defs/"), {})
        assert described.get("description") or referred.get("description"), key


def test_every_default_in_the_schema_is_a_value_that_the_schema_takes():
    """Written as in YAML: `90d`, not P90D."""
    whole = schema.schema()
    for key, described in properties(whole):
        if "default" in described:
            errors = Draft202012Validator({**described, "$defs": whole["$defs"]}).iter_errors(described["default"])
            assert [error.message for error in errors] == [], key


def test_the_full_example_shows_every_key():
    """As a value or in a comment."""
    text = (CONFIG / "full.yaml").read_text() + (CONFIG / "embedded.yaml").read_text()

    assert {key for key, _ in properties(schema.schema()) if not re.search(rf"\b{key}\b", text)} == set()


def test_the_examples_show_every_way(example, tmp_path):
    """A server and an embedded one; secrets from all three places."""
    vaults = {name: load_text(example(name), tmp_path).vault for name in EXAMPLES}

    assert isinstance(vaults["embedded"], EmbeddedVaultSettings)
    assert isinstance(vaults["kubernetes"], RemoteVaultSettings)
    assert {"env:", "file:", "vault:"} <= set(re.findall(r"auth_token: \{(\w+:)", "".join(map(example, EXAMPLES))))


@pytest.mark.parametrize("mistake", mistakes("examples"))
def test_a_mistake_in_an_example_is_explained(mistake, example, tmp_path):
    """With its line and key; and an editor that knows the schema sees those that a schema can see."""
    text = changed(example(mistake["example"]), mistake["old"], mistake["new"])
    blamed = "vault:" if mistake["said"].startswith("vault: ") else mistake["new"]
    line = text[: text.index(blamed) + len(blamed)].count("\n") + 1  # the last one that was changed

    said = complaints(text, tmp_path)

    assert f"config.yaml:{line}: {mistake['said']}" in said
    assert VALIDATOR.is_valid(parse(text).data) is not mistake["schema_sees_it"]


def test_the_schema_is_json_of_one_form():
    """Two spaces, a line break at its end: what the generator writes."""
    text = (CONFIG / "schema.json").read_text()

    assert json.loads(text)["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert text.endswith("}\n")
