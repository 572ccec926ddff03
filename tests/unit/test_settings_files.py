"""Many targets: included files and folders, CSV, JSON lines, defaults, labels, and where each problem is."""

import time
from pathlib import Path

import pytest
from settings_texts import GOOD, changed, complaints, load_text, warnings_of

from rotator.core.model import Strategy
from rotator.settings import Settings

HEAD = GOOD[: GOOD.index("targets:")]
DEFAULTS = "defaults: {provider: prod, strategy: in-place, path: 'sip/{name}', policy: usual}\n"

NO_NAME = (
    "is not a name that a Vault path can contain; use up to 63 letters, digits, '-', '_' and '.', "
    "beginning and ending with a letter or digit"
)
ENDINGS = "known endings: .yaml, .yml, .csv, .jsonl, .ndjson; move other files elsewhere"


def names(settings: Settings) -> list[str]:
    return [target.name for target in settings.core_targets()]


def included(folder: Path, name: str, text: str, head: str = HEAD + DEFAULTS) -> str:
    """Writes a file, and returns a configuration that includes it."""
    file = folder / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")
    return f"{head}include: [{name}]\n"


def test_files_and_folders_are_read_in_order(tmp_path):
    """One's own targets first, then those of each entry; a folder by name, with its folders; dot files are left out."""
    for name in ("b", "a", "a2/z", ".hidden", "..data/x"):
        included(tmp_path, f"more/{name}.csv", f"name,username\n{name[0]}{len(name)},u{name[0]}{len(name)}\n")
    text = included(tmp_path, "one.jsonl", '{"name": "one", "credential": {"username": "one"}}\n\n')
    text = changed(text, "[one.jsonl]", "[one.jsonl, more]")
    text += "targets:\n  - {name: own, credential: {username: own}}\n"

    assert names(load_text(text, tmp_path)) == ["own", "one", "a1", "a4", "b1"]


def test_a_path_starts_at_the_file_that_names_it(tmp_path):
    """Not at the configuration, and not at the working folder."""
    included(tmp_path, "deep/down/list.csv", "name,username\nx,x01\n")
    text = included(tmp_path, "deep/more.yaml", "include: [down/list.csv]\n")

    assert names(load_text(text, tmp_path)) == ["x"]


def test_defaults_are_inherited_and_may_be_changed_key_by_key(tmp_path):
    """The nearest wins: the target, its file, the including file. Labels are added up."""
    head = HEAD + changed(DEFAULTS, "policy: usual", "policy: usual, labels: {site: berlin, floor: '1'}")
    text = included(
        tmp_path,
        "list.yaml",
        "defaults: {path: 'sip/{username}', labels: {floor: '2'}}\n"
        "targets:\n"
        "  - {name: a, credential: {username: a01}}\n"
        "  - {name: b, credential: {username: b01}, path: x/b, strategy: replace, labels: {floor: '3', door: north}}\n",
        head,
    )

    a, b = load_text(text, tmp_path).core_targets()

    assert (a.path, a.strategy, a.policy.name, a.labels) == (
        "sip/a01",
        Strategy.IN_PLACE,
        "usual",
        (("floor", "2"), ("site", "berlin")),
    )
    assert (b.path, b.strategy, b.labels) == (
        "x/b",
        Strategy.REPLACE,
        (("door", "north"), ("floor", "3"), ("site", "berlin")),
    )


def test_a_target_without_what_the_path_is_made_of_has_to_say_it(tmp_path):
    """There is no `sip/{username}` without a username."""
    text = HEAD + changed(DEFAULTS, "{name}", "{username}") + "targets:\n  - {name: x}\n"

    (said,) = complaints(text, tmp_path)

    assert said == "config.yaml:15: targets[0].path: is missing; add it, such as 'path: sip/office-phone'"


def test_csv_says_what_yaml_says(tmp_path):
    """Every column, quotes, empty cells, a byte order mark, and lines of either kind."""
    csv = (
        "\ufeffname,provider,strategy,username,usernames,new,path,policy,label.site\r\n"
        'a,prod,replace,a01,,,"sip/a",usual,berlin\r\n'
        "\r\n"
        "b,prod,alternating,, b1  b2 ,true,sip/b,,\r\n"
    )
    yaml = (
        "targets:\n"
        "  - {name: a, provider: prod, strategy: replace, credential: {username: a01}, path: sip/a, policy: usual,"
        " labels: {site: berlin}}\n"
        "  - {name: b, provider: prod, strategy: alternating, path: sip/b,"
        " credential: {usernames: [b1, b2], new: true}}\n"
    )
    assert load_text(included(tmp_path, "list.csv", csv, HEAD), tmp_path).targets == (
        load_text(included(tmp_path, "list.yaml", yaml, HEAD), tmp_path).targets
    )


def test_policies_may_be_in_any_file(tmp_path):
    """They are one set of names."""
    text = included(tmp_path, "p.yaml", "policies: {often: {every: 30d}}\ntargets:\n  - {name: x, policy: often}\n")
    text = changed(text, "strategy: in-place", "strategy: replace")
    (tmp_path / "p.yaml").write_text(
        "policies: {often: {every: 30d}}\ntargets:\n  - {name: x, credential: {username: x1}, policy: often}\n"
    )

    (target,) = load_text(text, tmp_path).core_targets()

    assert target.policy.name == "often"


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        (
            "l.csv",
            "name,username\na,a1\nb,b1,c\n",
            "l.csv:3: has 3 cells, and the header 2; leave a cell empty rather than out, and quote a cell with a comma",
        ),
        (
            "l.csv",
            "name,usrname\na,a1\n",
            "l.csv:1: the header has an unknown column; did you mean 'username'?",
        ),
        ("l.csv", "name;username\na;a1\n", "l.csv:1: the header has no commas; separate the columns with commas"),
        ("l.csv", "name,name\na,a1\n", "l.csv:1: the header has a column twice; keep one of the two"),
        ("l.csv", "", "l.csv:1: has no header; begin it with a line such as name,username,path"),
        ("l.csv", 'name,username\n"a"x,a1\n', "l.csv:2: this is not CSV; check the quotes in this line"),
        (
            "l.csv",
            "name,username,path\n\na b,a1,x\n",
            f"l.csv:3: name: {NO_NAME}",
        ),
        (
            "l.csv",
            "name,username,new\na,a1,perhaps\n",
            "l.csv:2: credential.new: is invalid; see the description of this key in config/schema.json",
        ),
        (
            "l.csv",
            "name,username,policy\na,a1,usul\n",
            "l.csv:2: policy: there is no policy with this name; did you mean 'usual'?",
        ),
        (
            "l.jsonl",
            '{"name": "a", "credential": {"username": "a1"}}\n{"name": "a", "name": "b"}\n',
            "l.jsonl:2: a key is there twice; keep one of the two",
        ),
        (
            "l.jsonl",
            '\n{"name": NaN}\n',
            'l.jsonl:2: this is not JSON; write one object a line, such as {"name": "office-phone"}',
        ),
        ("l.jsonl", "[1]\n", "l.jsonl:1: must be a mapping; write keys and values below it, as 'key: value'"),
        (
            "l.jsonl",
            '{"name": "a", "credential": {"username": "a1"}, "polcy": "usual"}\n',
            "l.jsonl:1: polcy: unknown key; did you mean 'policy'?",
        ),
        (
            "l.yaml",
            "vault: {}\ntargets: []\n",
            "l.yaml:1: vault: unknown key; did you mean 'defaults'?",
        ),
        (
            "l.yaml",
            "policies: {usual: {every: 3d}}\n",
            "l.yaml:1: policies.usual: config.yaml has a policy with the same name; keep one of the two",
        ),
        ("l.yaml", "- a\n", "l.yaml:1: the file is not a mapping; begin it with 'targets:'"),
        ("l.yaml", "# nothing\n", "l.yaml: the file is empty; begin it with 'targets:', or do not include it"),
        ("l.yaml", "targets: {a: b}\n", "l.yaml:1: targets: must be a list; begin each item with '- '"),
        (
            "l.yaml",
            "defaults: {path: sip/phone}\ntargets:\n  - {name: a}\n",
            "l.yaml:1: defaults.path: is the same for every target; use {name}, {username} in it",
        ),
        (
            "l.yaml",
            "targets:\n  - {name: a, labels: {site: 5}, credential: {username: a1}}\n",
            "l.yaml:2: targets[0].labels: has a value that is not text; put the value in quotes",
        ),
        (
            "l.yaml",
            "targets:\n  - {name: a, credential: {username: a1}}\n  - {name: a, credential: {username: a2}, path: b}\n",
            "l.yaml:3: targets[1].name: targets[0] has the same name; give each target its own name",
        ),
    ],
)
def test_a_problem_of_an_included_file_is_named_with_its_line(tmp_path, name, text, said):
    """And nothing else is said."""
    extra = "targets:\n  - {name: own, credential: {username: own}}\n"

    assert complaints(included(tmp_path, name, text) + extra, tmp_path) == [said]


def test_what_is_included_must_be_there_and_be_known(tmp_path):
    """Each problem says where the name stands, and what would be right."""
    text = included(tmp_path, "ok.csv", "name,username\nx,x1\n")
    (tmp_path / "empty").mkdir()
    (tmp_path / "odd").mkdir()
    (tmp_path / "odd/phones.cvs").write_text("")
    text = changed(text, "[ok.csv]", "[ok.csv, no.csv, empty, odd, ok.csv, config.yaml]")

    assert complaints(text, tmp_path) == [
        f"config.yaml:14: include[1]: there is no such file or folder; a relative path starts at {tmp_path}",
        "config.yaml:14: include[2]: the folder empty is empty; put files of targets into it",
        f"config.yaml:14: include[3]: odd/phones.cvs has an unknown ending; {ENDINGS}",
        "config.yaml:14: include[4]: ok.csv is included already, or includes itself; include each file once",
        "config.yaml:14: include[5]: config.yaml is included already, or includes itself; include each file once",
    ]


def test_two_files_that_include_each_other_are_refused(tmp_path):
    """By whatever names."""
    included(tmp_path, "b.yaml", "include: [here/a.yaml]\n")
    (tmp_path / "here").symlink_to(tmp_path)
    text = included(tmp_path, "a.yaml", "include: [b.yaml]\n")

    assert complaints(text, tmp_path) == [
        "b.yaml:1: include[0]: here/a.yaml is included already, or includes itself; include each file once"
    ]


def test_problems_of_one_kind_are_counted(tmp_path):
    """Ten thousand lines about one mistake help nobody: ten places, and how many more there are."""
    rows = "".join(f"n{number},u{number},usul\n" for number in range(2000))

    said = complaints(included(tmp_path, "l.csv", f"name,username,policy\n{rows}"), tmp_path)

    assert len(said) == 10
    assert said[-1] == (
        "l.csv:11: policy: there is no policy with this name; did you mean 'usual'? (and 1,990 more like this)"
    )


@pytest.mark.unmeasured
@pytest.mark.parametrize("ending", ["csv", "yaml"])
def test_what_loading_takes_grows_with_the_number_of_targets_and_not_with_its_square(tmp_path, ending):
    """Sixteen times the targets take far less than 256 times as long, duplicates and all."""

    def seconds(number: int) -> float:
        names = [f"n{each}" for each in range(number)]
        names[-2:] = names[:2]  # two names, usernames and paths occur twice
        if ending == "csv":
            rows = "name,username\n" + "".join(f"{name},{name}u\n" for name in names)
        else:
            rows = "targets:\n" + "".join(f"- {{name: {name}, credential: {{username: {name}u}}}}\n" for name in names)
        text = included(tmp_path, f"l.{ending}", rows)
        began = time.process_time()
        assert len(complaints(text, tmp_path)) == 3 * 2
        return time.process_time() - began

    seconds(100)
    small = min(seconds(2000) for _ in range(3))

    assert seconds(32_000) < small * 100


def test_what_collides_across_files_is_named_with_its_file(tmp_path):
    """A line of a list, a position of a YAML file."""
    text = included(tmp_path, "l.csv", "name,username,path\nown,x01,x\nb,x02,x\n")
    text += "targets:\n  - {name: own, credential: {username: own}}\n"

    assert complaints(text, tmp_path) == [
        "l.csv:2: name: targets[0] of config.yaml has the same name; give each target its own name",
        "l.csv:3: path: line 2 has the same path; give each target its own path",
    ]


def test_in_place_is_warned_of_at_the_first_targets(tmp_path):
    """With the number of the rest."""
    rows = "".join(f"n{number},u{number}\n" for number in range(500))

    everything = warnings_of(included(tmp_path, "l.csv", f"name,username\n{rows}"), tmp_path)
    warnings = [warning for warning in everything if "no overlap" in warning.what]

    assert [warning.line for warning in warnings] == [*range(2, 12)]
    assert warnings[-1].remedy == "(and 490 more like this)"


SELECTION = (
    "selections:\n  - {provider: prod, username: 'a*', name: 'x-{username}', path: 'sip/{name}', strategy: replace}\n"
)


def test_a_selection_is_enough(tmp_path):
    """It may be in any file, and needs no target beside it."""
    settings = load_text(included(tmp_path, "s.yaml", SELECTION), tmp_path)

    (selection,) = settings.core_selections
    assert settings.core_targets() == ()
    assert selection.target("abc").path == "sip/x-abc"


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("prod", "prd", "selections[0].provider: there is no provider with this name; did you mean 'prod'?"),
        (
            "x-{username}",
            "x",
            "selections[0].name: is the same for every target; use {username} in it",
        ),
        (
            "x-{username}",
            "{username}-{username}",
            "selections[0].name: has its placeholder more than once; use {username} once",
        ),
        (
            "strategy: replace",
            "strategy: alternating",
            "selections[0].strategy: alternating needs two usernames for each target; name such targets one by one",
        ),
        (
            "sip/{name}",
            "rotator/state/{name}",
            "selections[0].path: is inside vault.state_prefix, which only rotator may read; keep the two apart",
        ),
        (
            "strategy: replace",
            "strategy: replace, policy: no",
            "selections[0].policy: there is no policy with this name",
        ),
    ],
)
def test_a_selection_that_cannot_work_is_refused(tmp_path, old, new, said):
    """In the file that it is in."""
    (complaint,) = complaints(included(tmp_path, "s.yaml", changed(SELECTION, old, new)), tmp_path)

    assert complaint.startswith(f"s.yaml:2: {said}")


def test_two_selections_do_not_mean_one_target(tmp_path):
    """Nor one path."""
    twice = SELECTION + changed(SELECTION.split("\n")[1], "'a*'", "'b*'") + "\n"

    assert complaints(included(tmp_path, "s.yaml", twice), tmp_path) == [
        f"s.yaml:3: selections[1].{key}: selections[0] has the same {key}: one target could be meant by both; "
        "give each selection its own"
        for key in ("name", "path")
    ]


def test_a_budget_that_is_too_small_for_the_fleet_is_a_warning(tmp_path):
    """Two thousand targets at ten a day are not done in ninety days."""
    rows = "".join(f"n{number},u{number}\n" for number in range(2000))
    text = changed(included(tmp_path, "l.csv", f"name,username\n{rows}"), "overlap: 24h", "first: {per_day: 10}")
    text = changed(text, "strategy: in-place", "strategy: replace")

    (warning,) = warnings_of(text, tmp_path)

    assert str(warning).endswith(
        "config.yaml:12: policies.usual.first: 2,000 targets at one account take 200 days: passwords become older than "
        "`every` allows; set per_day to at least 23"
    )
