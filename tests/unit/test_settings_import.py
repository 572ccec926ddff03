"""Imports: hostile CSV and JSON lines, what rows are compared with, and what is added to a file."""

import csv
import io
import json
import os
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from settings_texts import ENVIRON, GOOD, changed, load_text

from rotator.fields.text import LoadContext
from rotator.settings import ConfigProblem, Draft, load
from rotator.settings.import_plan import ImportRow, RowDefaults, RowVerdict, compare_rows, read_rows
from rotator.settings.import_source import ImportSource, read_source
from rotator.settings.list_writing import FORMS, appended, without_targets
from rotator.settings.load import check_new_targets
from rotator.settings.target_models import DefaultsSettings

SECRET = "hunter2-Tr0ub4dor"
KNOWN = "label.KEY, name, new, password, path, policy, provider, strategy, username, usernames"
QUOTE = "leave a cell empty rather than out, and quote a cell with a separator in it"
DEFAULTS = {"strategy": "replace", "path": "sip/{name}"}


def source_of(text: str) -> ImportSource:
    source = read_source(Path("phones.csv"), text)
    assert SECRET not in repr(source)
    assert SECRET.lower() not in "".join(map(str, source.problems)).lower()
    return source


def rows_of(
    text: str, folder: Path, name: str = "{username}", **defaults: Any
) -> tuple[list[ImportRow], list[ConfigProblem]]:
    whole = RowDefaults.of("prod", {**DEFAULTS, **defaults}, name, DefaultsSettings())
    return read_rows(source_of(text), whole, LoadContext(ENVIRON, folder))


def said(problems: Iterable[ConfigProblem]) -> list[str]:
    return [str(problem) for problem in problems]


@pytest.mark.parametrize(
    "text",
    [
        "name,username,password\nanna,agentanna,s,\n",
        "name,username,path\nanna,agent\n",
    ],
)
def test_a_line_with_too_many_or_too_few_cells_is_named(text):
    (problem,) = source_of(text).problems
    assert (problem.line, problem.file) == (2, "phones.csv")
    assert "cells, and the header 3; leave a cell empty rather than out" in str(problem)


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_what_a_spreadsheet_writes_is_understood(separator, end):
    """Separators, ends of lines, letter case and blanks in the header, quotes, empty lines of separators at the end."""
    lines = [["Name", " USERNAME ", "Label.site", "password"], ['"anna"', " agentanna ", "", '"a,; ""b"" "']]
    text = end.join(separator.join(cells) for cells in lines) + end + separator * 3 + end
    source = source_of(text)
    assert not source.problems
    assert source.rows == [{"name": "anna", "credential": {"username": "agentanna"}}]
    assert source.passwords[0].reveal() == 'a,; "b" '  # of a password nothing is cut off
    assert source.lines == [2]


def test_every_mistake_is_named_at_once_with_its_line():
    text = (
        f"nmae,username,username,,password,{SECRET}\r\n"
        f"a,b,c,,{SECRET}\r\n"
        f'd,e,f,,"{SECRET}\nsecond line",g\r\n'
        f'h,i,"unclosed,{SECRET}'
    )
    assert said(source_of(text).problems) == [
        "phones.csv:1: column 1: the header has an unknown name; did you mean 'name'?",
        "phones.csv:1: column 3: the header has this column twice; keep one of the two",
        "phones.csv:1: column 4: has no name in the header; name it, or remove it",
        f"phones.csv:1: column 6: the header has an unknown name; known columns: {KNOWN}",
        f"phones.csv:2: has 5 cells, and the header 6; {QUOTE}",
        "phones.csv:3: password: is not one line of text; write the password itself, or leave it out",
        "phones.csv:5: this is not CSV; check the quotes in this line, and close them",
    ]


def test_json_lines_are_read_likewise():
    text = (
        '{"name": "a", "credential": {"username": "u"}, "password": "' + SECRET + '"}\n\n'
        '{"name": "b", "name": "c"}\n{"password": 5}\n["d"]\n{broken ' + SECRET + "\n"
    )
    source = source_of(text)
    assert source.rows == [{"name": "a", "credential": {"username": "u"}}]
    assert source.passwords[0].reveal() == SECRET
    assert said(source.problems) == [
        "phones.csv:3: a key is there twice; keep one of the two",
        "phones.csv:4: password: is not one line of text; write the password itself, or leave it out",
        'phones.csv:5: is not an object; write one object a line, such as {"name": "office-phone"}',
        'phones.csv:6: this is not JSON; write one object a line, such as {"name": "office-phone"}',
    ]
    assert said(source_of(" \n").problems)[0].startswith("phones.csv:1: is empty; give a header")


@pytest.mark.parametrize("cell", ["=HYPERLINK(1)", "+1", "-1", "@SUM(1)", "a b", "a\x00b", "ä", "a\nb"])
def test_a_cell_that_is_no_username_is_refused_whatever_a_spreadsheet_makes_of_it(tmp_path, cell):
    text = io.StringIO()
    csv.writer(text).writerows([["name", "username"], ["fine", "fine"], ["anna", cell]])
    rows, problems = rows_of(text.getvalue(), tmp_path)
    assert [row.target.name for row in rows] == ["fine"]
    (problem,) = problems
    assert (problem.line, problem.key) == (3, "credential.username")
    assert cell not in str(problem)


def test_what_rows_leave_out_is_completed(tmp_path):
    text = "name,username,path,password\n,agentanna,,x\nbela,agentbela,other/bela,\n"
    rows, problems = rows_of(text, tmp_path, name="agent-{username}", policy="usual", labels={"site": "vienna"})
    assert not problems
    assert [(row.target.name, row.target.path, row.is_named) for row in rows] == [
        ("agent-agentanna", "sip/agent-agentanna", False),
        ("bela", "other/bela", True),
    ]
    assert {row.target.policy for row in rows} == {"usual"}
    assert rows[0].target.labels == (("site", "vienna"),)
    assert rows[0].password.reveal() == "x"
    assert rows[1].password is None
    with pytest.raises(ValueError, match="--strategy unknown value; did you mean 'replace'"):
        RowDefaults.of("prod", {"strategy": "replce"}, "{username}", DefaultsSettings())


def test_rows_are_compared_with_the_configuration_and_with_each_other(tmp_path):
    settings = load_text(GOOD, tmp_path)  # the target phone with the username phone01 at sip/phone
    text = (
        "name,username,path\n"
        "phone,PHONE01,\n"  # the same in other letters
        ",phone01,\n"
        "other,phone01,\n"
        "phone,new01,\n"
        "phone,phone01,sip/elsewhere\n"
        "x,new02,sip/phone\n"
        "y,new03,\n"
        "y2,NEW03,\n"
        "y,new04,sip/y4\n"
        "y3,new05,sip/y\n"
    )
    rows, problems = rows_of(text, tmp_path)
    assert not problems
    compare_rows(rows, settings)
    assert [(row.line, row.verdict.value, row.why or row.configured_as) for row in rows] == [
        (2, "configured", ""),
        (3, "conflict", "line 2 is of the same target"),
        (4, "conflict", "the target phone has this username"),
        (5, "conflict", "the target phone has this name"),
        (6, "conflict", "it is configured with the path sip/phone"),
        (7, "conflict", "the target phone has this path"),
        (8, "new", ""),
        (9, "conflict", "line 8 has this username"),
        (10, "conflict", "line 8 has this name"),
        (11, "conflict", "line 8 has this path"),
    ]


def test_a_row_without_a_name_is_the_target_that_has_its_username(tmp_path):
    """Also where another target has the name that the row would get."""
    named = changed(
        GOOD, "targets:\n", "targets:\n  - {name: phone, provider: prod, strategy: replace, path: sip/p, CRED}\n"
    )
    named = named.replace("CRED", "credential: {username: other01}").replace("  - name: phone\n", "  - name: desk\n")
    settings = load_text(named, tmp_path)
    rows, _ = rows_of("username\nphone01\nother01\n", tmp_path)
    rows[0].target = replace(rows[0].target, name="phone")
    compare_rows(rows, settings)
    assert [(row.verdict.value, row.name) for row in rows] == [("configured", "desk"), ("configured", "phone")]


ROWS = [
    {"name": "a", "provider": "prod", "strategy": "replace", "credential": {"username": "ua"}, "path": "sip/a"},
    {
        "name": "b",
        "provider": "prod",
        "strategy": "alternating",
        "credential": {"usernames": ["ub1", "ub2"], "new": True},
        "path": "sip/b",
        "labels": {"site": "berlin"},
    },
]


@pytest.mark.parametrize("ending", FORMS)
def test_what_is_added_to_a_file_is_loaded_from_it(tmp_path, ending):
    """To a new file, and to one that has targets of fewer columns."""
    file = tmp_path / f"list{ending}"
    config = tmp_path / "config.yaml"
    config.write_text(GOOD + f"include: [{file.name}]\n")
    first = appended(ending, "", ROWS[:1])
    both = appended(ending, first.removesuffix("\n"), ROWS[1:])
    for text, names in ((without_targets(ending), []), (first, ["a"]), (both, ["a", "b"])):
        loaded = load(config, ENVIRON, Draft({file: text}))
        assert [target.name for target in loaded.core_targets()] == ["phone", *names]
    target = loaded.core_targets()[-1]
    assert (target.usernames, target.new, target.labels) == (("ub1", "ub2"), True, (("site", "berlin"),))
    assert not file.exists()


def test_the_other_lines_of_a_file_stay_as_they_are():
    mine = 'path,name\r\n"sip/x",x\r\n'
    assert appended(".csv", mine, [{"name": "y", "path": "sip/y"}]) == mine + "sip/y,y\n"
    assert appended(".jsonl", '{"name": "x"}', [{"name": "y"}]) == '{"name": "x"}\n{"name": "y"}\n'
    assert appended(".csv", "name\nx\n", [{"name": "y", "path": "sip/y"}]) == "name,path\nx,\ny,sip/y\n"


def test_a_draft_stands_in_for_files_and_folders_that_are_not_there(tmp_path):
    config = tmp_path / "config.yaml"
    config.write_text(changed(GOOD, "targets:\n", "include: [targets.d]\ntargets:\n"))
    draft = Draft({tmp_path / "targets.d" / "x.jsonl": json.dumps(ROWS[0])})
    assert [target.name for target in load(config, ENVIRON, draft).core_targets()] == ["phone", "a"]
    nothing = Draft({tmp_path / "targets.d" / "x.csv": "name\n"}, targets_may_lack=True)
    config.write_text(changed(GOOD[: GOOD.index("targets:")], "policies:", "include: [targets.d]\npolicies:"))
    assert not load(config, ENVIRON, nothing).core_targets()


def test_what_is_wrong_with_new_targets_is_told_apart_from_the_rest(tmp_path):
    config = tmp_path / "config.yaml"
    config.write_text(GOOD + "include: [x.jsonl]\n")
    odd = {**ROWS[0], "name": "odd", "credential": {"username": "not-for-vobiz"}, "path": "sip/odd", "policy": "usaul"}
    draft = Draft({tmp_path / "x.jsonl": "\n".join(map(json.dumps, [ROWS[0], odd]))})
    _, wrong = check_new_targets(config, ENVIRON, draft, {"a", "odd"})
    assert {name: finding.remedy for name, finding in wrong.items()} == {"odd": "did you mean 'usual'?"}


def test_five_thousand_rows_take_seconds(tmp_path):
    """The CPU time, whatever else runs here."""
    config = tmp_path / "config.yaml"
    config.write_text(GOOD + "include: [targets.d]\n")
    text = "name,username\n" + "".join(f"phone-{n},phone{n:06}\n" for n in range(5000))
    began = sum(os.times()[:2])
    rows, problems = rows_of(text, tmp_path)
    compare_rows(rows, load_text(GOOD, tmp_path))
    written = appended(".csv", "", [row.row for row in rows])
    config.write_text(GOOD + "include: [targets.d]\n")
    names = {row.target.name for row in rows}
    settings, wrong = check_new_targets(config, ENVIRON, Draft({tmp_path / "targets.d" / "x.csv": written}), names)
    assert sum(os.times()[:2]) - began < 30
    assert (len(settings.targets), wrong, problems) == (5001, {}, [])
    assert {row.verdict for row in rows} == {RowVerdict.NEW}
