"""YAML with places: what is read, where it stands, and what is said to what is not YAML."""

import warnings

import pytest
from hypothesis import given
from hypothesis import strategies as st
from long_runs import examples

from rotator.settings.document import YamlDocument, parse
from rotator.settings.problems import Loc
from rotator.settings.yaml_events import SyntaxProblem

SECRET = "hunter2"


def test_every_key_and_item_has_its_place():
    """Lines and columns are counted from 1, and a key's position is the key, not its value."""
    document = parse("a: 1\nb:\n  - x\n  - {c: d}\n")

    assert document.data == {"a": 1, "b": ["x", {"c": "d"}]}
    places: list[Loc] = [("a",), ("b", 1), ("b", 1, "c")]
    assert document.places(places) == dict(zip(places, [(1, 1), (4, 5), (4, 6)], strict=True))


def test_what_is_missing_has_the_place_of_what_surrounds_it():
    """The top level has no line of its own."""
    document = parse("a:\n  b: 1\n")

    assert document.positions([("a", "zz", 3), ("zz",)]) == {("a", "zz", 3): (1, 1)}
    assert document.at(("a", "b")) == 1
    assert document.at(("a", "b", "c")) is None


def test_scalars_mean_what_yaml_1_2_says():
    """`yes` is text; a date is text; nothing is nothing."""
    text = "a: yes\nb: true\nc: 0o14\nd: 1_000\ne: 2024-01-01\nf:\ng: '5'\nh: 1.5\ni: ~\nj: 007\nk: .inf"

    data = parse(text).data

    assert isinstance(data, dict)
    assert [*data.values()] == ["yes", True, 12, 1000, "2024-01-01", None, "5", 1.5, None, "007", ".inf"]


def test_anchors_may_be_used():
    """What they stand for counts at each place; a name used twice is no warning, for it would quote the text."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        document = parse("a: &x {k: 1}\nb: *x\nc: &x 2\n")

    assert document.data == {"a": {"k": 1}, "b": {"k": 1}, "c": 2}
    assert document.places([("b", "k")]) == {("b", "k"): (1, 8)}


def test_an_empty_file_holds_nothing():
    """Comments are nothing, too."""
    assert parse("").data is None
    assert parse("# only a comment\n").data is None


@pytest.mark.parametrize(
    ("text", "position", "what", "remedy"),
    [
        ("a:\n\tb: 1", (2, 1), "a tab is not allowed here", "indent with spaces"),
        ("a: b: c", (1, 5), "a ':' is not allowed here", "check the indentation, or put the value in quotes"),
        (f"a: *{SECRET}", (1, 4), "'*' refers to an anchor that does not exist", "put the value in quotes"),
        (f"a: !{SECRET}!x y", (1, 4), "'!' begins a tag, and tags are not allowed", "put the value in quotes"),
        (f"a: !{SECRET} y", (1, 4), "tags beginning with '!' are not allowed", "put the value in quotes"),
        (f"a: @{SECRET}", (1, 4), "this character cannot begin a value", "put the value in quotes"),
        (f"a: %{SECRET}", (1, 4), "this character cannot begin a value", "put the value in quotes"),
        (
            "a: * 2 * * *",
            (1, 5),
            "a value that begins with '*' or '&' means something else in YAML",
            "put the value in quotes",
        ),
        (f"a: [1, {SECRET}", (1, 14), "a bracket is not closed", "close it with ']' or '}'"),
        (f"a: '{SECRET}", (1, 12), "a quote is not closed", "close it"),
        (f'a: "{SECRET}\\q"', (1, 12), "unknown escape after '\\'", "use single quotes"),
        (
            "a:\n  b: 1\n c: 2",
            (3, 2),
            "the indentation does not match the lines above",
            "align it with the surrounding lines",
        ),
        (f"a:\n  b: 1\n{SECRET}\nc: d", (4, 1), "a key without ':'", "write it as 'key: value'"),
        ("a: 1\n---\nb: 2", (2, 1), "a second document begins here", "keep one document, without '---' inside"),
        ("a: 1\nb: \x07", (2, 4), "a control character", "remove it"),
        (f"a: >{SECRET}\n x", (1, 5), "this is not YAML", "check the indentation, quotes and brackets around it"),
        ("a: 1\nb: 2\na: 3", (3, 1), "this key is already on line 1", "keep one of the two"),
        ("? [a]\n: b", (1, 3), "a key must be text", "check the brackets and the '?'"),
        ("a: &x [*x]", (1, 8), "an anchor contains itself", "write the values out"),
        ("[" * 40, (1, 31), "nested deeper than 30 levels", "check the brackets and the indentation"),
    ],
)
def test_what_is_not_usable_yaml_is_explained(text, position, what, remedy):
    """Line, column, what and what to do; never a word of the text."""
    with pytest.raises(SyntaxProblem) as caught:
        parse(text)

    problem = caught.value
    assert (problem.position, problem.what, problem.remedy) == (position, what, remedy)
    assert SECRET not in f"{problem} {problem.what} {problem.remedy}"


def test_anchors_cannot_fill_the_memory():
    """Ten anchors of ten items each stand for ten thousand million values."""
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 10)]

    with pytest.raises(SyntaxProblem, match="too many values"):
        parse("\n".join(lines))


def test_no_parser_error_is_left_in_the_chain():
    """A traceback must not lead back to a message that quotes the text."""
    with pytest.raises(SyntaxProblem) as caught:
        parse(f"a: *{SECRET}")

    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None


@examples(300)
@given(st.text(alphabet="ab:-[]{},&*!|>'\"%@`#?\n\t 01\\~", max_size=60) | st.text(max_size=60))
def test_any_text_is_read_or_refused(text):
    """Nothing but a SyntaxProblem comes out."""
    try:
        outcome = parse(text)
    except SyntaxProblem as problem:
        outcome = problem

    assert isinstance(outcome, YamlDocument) or outcome.what
