"""Random damage to a good configuration: it loads, or a ConfigError names places; never a traceback, never a secret."""

import copy
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from long_runs import examples
from settings_texts import CONFIG, ENVIRON, GOOD, SENTINEL

from rotator.settings import ConfigError, ConfigProblem, Settings, check
from rotator.settings.document import parse
from rotator.settings.schema import schema

FULL = (CONFIG / "full.yaml").read_text()
DATA: Any = parse(FULL).data
KEYS = sorted(
    {key for part in schema()["$defs"].values() for key in part.get("properties", {})} | {"x", "a b", "", "ü"}
)
ODD = st.one_of(
    st.sampled_from(
        [SENTINEL, "", " ", "0s", "5s", "a/b", "x" * 500, "http://h", "\u202e", "\0", "* * * * *", "1e999", "~"]
    ),
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=20),
)
VALUES = st.recursive(
    ODD,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=3),
    max_leaves=6,
)


def containers(data: Any) -> list[Any]:
    """Every mapping and list that has something in it."""
    inner = data.values() if isinstance(data, dict) else data if isinstance(data, list) else ()
    found = [part for item in inner for part in containers(item)]
    return [data, *found] if isinstance(data, dict | list) and data else found


@st.composite
def damaged(draw: st.DrawFn) -> Any:
    """A copy of the full example with up to four things replaced, removed, renamed or doubled."""
    data = copy.deepcopy(DATA)
    for _ in range(draw(st.integers(1, 4))):
        container = draw(st.sampled_from(containers(data) or [data]))
        places = sorted(container) if isinstance(container, dict) else range(len(container))
        if not places:
            continue
        place = draw(st.sampled_from(places))
        match draw(st.sampled_from(["replace", "remove", "rename", "double"])):
            case "replace":
                container[place] = draw(VALUES)
            case "remove":
                del container[place]
            case "rename" if isinstance(container, dict):
                container[draw(st.sampled_from(KEYS))] = container.pop(place)
            case "double" if isinstance(container, list):
                container.append(copy.deepcopy(container[place]))
    return data


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("fuzz")
    (made / "tls").mkdir()
    (made / "tls/ca.pem").write_text("-----BEGIN CERTIFICATE-----\n")
    return made


LoadOutcome = ConfigError | tuple[Settings, tuple[ConfigProblem, ...]]


def loaded(text: str, folder: Path) -> LoadOutcome:
    file = folder / "config.yaml"
    file.write_text(text, encoding="utf-8", errors="surrogatepass")
    try:
        return check(file, ENVIRON)
    except ConfigError as error:
        return error


def is_explained(outcome: LoadOutcome) -> None:
    """Whatever is said holds no secret; an error has whole sentences, each on one line."""
    if isinstance(outcome, ConfigError):
        assert SENTINEL not in f"{outcome} {outcome!r}"
        assert outcome.problems
        assert len(str(outcome).split("\n")) == len(outcome.problems)
        assert all(problem.what and str(problem).isprintable() for problem in outcome.problems)
    else:
        settings, warnings = outcome
        assert settings.core_targets()
        assert SENTINEL not in " ".join(str(warning) for warning in warnings)


@examples(150)
@given(damaged())
def test_no_damage_to_the_data_makes_a_traceback(folder, data):
    """Wrong types, missing and unknown keys, secrets in wrong places, everywhere in the full example."""
    is_explained(loaded(json.dumps(data), folder))


@examples(100)
@given(st.data())
def test_no_damage_to_the_text_makes_a_traceback(folder, data):
    """Characters removed, inserted and moved anywhere in the file."""
    text = FULL
    for _ in range(data.draw(st.integers(1, 5))):
        start = data.draw(st.integers(0, len(text)))
        end = min(len(text), start + data.draw(st.integers(0, 30)))
        text = text[:start] + data.draw(st.text(alphabet=":-[]{}\"'\n\t #&*!|a0", max_size=4)) + text[end:]

    is_explained(loaded(text, folder))


LISTS = {
    "list.csv": 'name,provider,strategy,username,new,path,label.site\r\na,prod,replace,a01,,"sip/a",berlin\r\n',
    "list.jsonl": '{"name": "a", "provider": "prod", "strategy": "replace", "path": "sip/a"}\n{"name": "b"}\n',
    "list.yaml": "targets:\n  - {name: a, provider: prod, strategy: in-place, credential: {username: a}}\n",
}


@examples(100)
@given(st.sampled_from(sorted(LISTS)), st.data())
def test_no_damage_to_a_list_of_targets_makes_a_traceback(folder, name, data):
    """Bytes removed, inserted and doubled anywhere in an included file, whatever they encode."""
    content = LISTS[name].encode()
    for _ in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.integers(0, len(content)))
        end = min(len(content), start + data.draw(st.integers(0, 20)))
        odd = st.sampled_from(
            [b'"', b",", b"\r", b"\n", b"\0", b"\xff", b"{", b"[" * 3000, b"\xef\xbb\xbf", b"9" * 5000]
        )
        content = (
            content[:start] + data.draw(odd | st.binary(max_size=3)) * data.draw(st.integers(1, 2)) + content[end:]
        )
    (folder / name).write_bytes(content)

    is_explained(loaded(GOOD[: GOOD.index("targets:")] + f"include: [{name}]\n", folder))


SECRETS = [
    ("vault", "auth", "secret_id"),
    ("providers", "vobiz-prod", "auth_token"),
    ("providers", "vobiz-phones", "auth_token"),
]


@examples(100)
@given(
    st.sampled_from(SECRETS),
    st.recursive(
        st.just(SENTINEL),
        lambda inner: st.one_of(
            st.lists(inner, min_size=1, max_size=2),
            st.dictionaries(
                st.sampled_from([SENTINEL, "env", "file", "vault", "path", "key"]), inner, min_size=1, max_size=2
            ),
        ),
        max_leaves=4,
    ),
)
def test_a_secret_where_a_reference_is_expected_is_never_repeated(folder, place, wrong):
    """As a value, as a key, inside of a reference, at any depth."""
    data = copy.deepcopy(DATA)
    here = data
    for key in place[:-1]:
        here = here[key]
    here[place[-1]] = wrong

    outcome = loaded(json.dumps(data), folder)

    is_explained(outcome)
    assert isinstance(outcome, ConfigError) or "vault" in wrong
