"""The configuration's YAML means what another parser of YAML 1.2 says: any text, and whole lists of targets."""

import warnings
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from long_runs import examples
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode

from rotator.settings.document import parse
from rotator.settings.yaml_events import SyntaxProblem

TRAPS = [
    *(
        "yes",
        "No",
        "on",
        "Off",
        "Y",
        "n",
        "true",
        "True",
        "TRUE",
        "false",
        "~",
        "null",
        "Null",
        "nul",
        "<<",
        "=",
        "-",
        "?",
    ),
    *("007", "0o14", "0x1F", "0b11", "1_000", "-0", "+5", "0", "00", "08", "0o8", "0x", "_1", "1_", "1:20", "12:30:45"),
    *("1e3", "1.5e-3", ".5", "-.5", "5.", ".inf", "-.INF", ".nan", "1e", "1e+", "1.e1", "+.5e+3", ".5e3", "2024-01-01"),
]
WORDS = st.sampled_from(TRAPS) | st.text(alphabet="abcXYZ019._-+eExo~", min_size=1, max_size=8)


def oracle(text: str) -> Any:
    """What ruamel.yaml composes, with the rules for scalars of its own resolver."""
    yaml = YAML(typ="safe", pure=True)
    yaml.composer.warn_double_anchors = False
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        root = yaml.compose(text)
    return None if root is None else plain(root)


def plain(node: Node) -> Any:
    if isinstance(node, MappingNode):
        return {str(key.value): plain(value) for key, value in node.value}
    if not isinstance(node, ScalarNode):
        return [plain(each) for each in node.value]
    text = str(node.value)
    try:
        match str(node.tag).removeprefix("tag:yaml.org,2002:"):
            case "null":
                return None
            case "bool":
                return text.lower() == "true"
            case "int":
                return int(text.replace("_", ""), 0)
            case "float":
                return float(text.replace("_", ""))
    except ValueError:
        pass
    return text


@pytest.mark.parametrize("word", TRAPS)
def test_words_that_other_parsers_take_for_something_else(word):
    """`yes`, octal numbers, times, dates: what YAML 1.1 made of them is not meant."""
    try:
        expected = oracle(f"a: {word}\nb: '{word}'\n")
    except YAMLError:
        with pytest.raises(SyntaxProblem):
            parse(f"a: {word}\n")
    else:
        data = parse(f"a: {word}\nb: '{word}'\n").data
        assert [(type(each), each) for each in data.values()] == [(type(each), each) for each in expected.values()]


SCALARS = WORDS | WORDS.map(lambda word: f"'{word}'") | WORDS.map(lambda word: f'"{word}"') | st.just("")


@st.composite
def target_lists(draw: st.DrawFn) -> str:
    """A file of targets in either style, with anchors, comments and empty values."""
    lines = ["defaults: &d {provider: prod, labels: {site: berlin}} # of all", "targets:"]
    for _ in range(draw(st.integers(0, 6))):
        pairs = draw(
            st.dictionaries(st.sampled_from(["name", "policy", "path", "new", "a b", "5"]), SCALARS, max_size=4)
        )
        if draw(st.booleans()):
            lines.append("  - {" + ", ".join(f"{key}: {value}" for key, value in pairs.items()) + ", x: *d}")
        else:
            lines += [
                f"  {'-' if not number else ' '} {key}: {value}" for number, (key, value) in enumerate(pairs.items())
            ]
    return "\n".join(lines) + "\n"


@examples(300)
@given(target_lists())
def test_a_list_of_targets_means_the_same_to_another_parser(text):
    """Or neither reads it."""
    try:
        expected = oracle(text)
    except YAMLError:
        return  # what only one of two parsers refuses does no harm: nothing is misread
    try:
        data = parse(text).data
    except SyntaxProblem:
        return
    assert repr(data) == repr(expected)  # 1 is not True, and not-a-number is itself


@examples(400)
@given(st.text(alphabet="ab:-[]{},&*|>'\"#?\n 01~.", max_size=40))
def test_any_text_means_the_same_to_another_parser(text):
    """Whatever both read."""
    try:
        data, expected = parse(text).data, oracle(text)
    except (SyntaxProblem, YAMLError, RecursionError):
        return
    assert repr(data) == repr(expected)
