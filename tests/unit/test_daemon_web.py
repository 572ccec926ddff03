"""The daemon's pages for people: what they say in every state, and that nothing in them is markup or a secret."""

import shlex
from base64 import b64encode
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from hashlib import sha256
from pathlib import Path
from urllib.parse import quote

import pytest
import typer
from page_reading import PageAsRead, check_page
from shown_fleet import DAY, HOSTILE, HOUR, PASSWORD, TOKEN, ShownFleet, shown_fleet

from rotator.cli.app import build
from rotator.core.account_key import AccountKey
from rotator.core.circuit import ProviderVerb
from rotator.core.discrepancies import DiscrepancyKind
from rotator.core.evidence import AccountEvidence, FoundCredentials, Scratch
from rotator.core.holding import Hold, HoldEnd, HoldReason
from rotator.core.model import Credential, Purpose, Request, Target, TargetState
from rotator.core.origin import Origin
from rotator.core.pauses import Pause, Pauses, Scope
from rotator.daemon.snapshot import Snapshot
from rotator.daemon.web import Web
from rotator.observe.ledger_status import iso
from rotator.observe.needs import Need
from rotator.observe.remedies import BY_URGENCY, commands_of_hold, end_of, remedies
from rotator.observe.selections import SelectionFigures
from rotator.observe.status_query import StatusQuery
from rotator.observe.style import STYLE, STYLE_SOURCE
from rotator.observe.target_figures import TargetSnapshot
from rotator.observe.target_words import FILTERS, STATES
from rotator.observe.web.target_list import PAGE
from rotator.testing.clock import START

PATHS = ("/", "/targets", "/accounts", "/targets/phone-0000")


@pytest.fixture
def fleet(tmp_path: Path) -> Iterator[ShownFleet]:
    with shown_fleet(tmp_path, 12) as made:
        made.live()
        yield made


def read(fleet: ShownFleet, path: str, query: str = "", status: int = 200) -> PageAsRead:
    return check_page(fleet.html(path, query, status))


def rows(page: PageAsRead) -> list[str]:
    """The names of the rows of a list of targets."""
    return [tag.text for tag in page.all("a") if "th" in tag.around]


def test_every_page_of_a_fleet_in_every_state_is_well_made(fleet):
    names = [target.name for target in fleet.targets]
    for path in (*PATHS, *(f"/targets/{name}" for name in names)):
        read(fleet, path)
    for word in FILTERS:
        read(fleet, "/targets", f"state={word}")


@pytest.mark.parametrize(
    ("number", "says", "command"),
    [
        (1, "failed 4 times in a row", "rotator abandon phone-0001"),
        (2, "held, consumer document changed by somebody else", "rotator adopt phone-0002"),
        (3, "NOT ACCEPTED", "rotator verify phone-0003"),
        (5, "paused by uid:1000", 'rotator rotate phone-0005 --despite-pause --reason "urgent"'),
        (6, "Never rotated, though it is due.", "rotator plan phone-0006"),
        (7, "STILL ACCEPTED", None),
        (8, "still in use", "rotator report phone-0008"),
        (9, "none: it was retired", None),
    ],
)
def test_a_target_s_page_says_what_is_wrong_and_the_command_that_ends_it(fleet, number, says, command):
    page = read(fleet, f"/targets/phone-{number:04}")
    assert says in page.text
    given = [
        tag.text for tag in page.all("code") if tag.attributes.get("class") == "command" and "--from" not in tag.text
    ]
    assert command in given if command else given == []


def test_the_fleet_s_page_counts_sorts_and_names_what_somebody_has_to_do(fleet):
    page = read(fleet, "/")
    assert page.texts("h1") == ["12 targets"]
    assert "to be looked after, some at once" in page.text
    tiles = {tag.text: tag.attributes["href"] for tag in page.all("a") if "ul" in tag.around}
    assert tiles["1failing"] == "/targets?state=failing"
    assert len(tiles) == len(STATES)
    needs = [text for text in page.texts("th") if text[:1].isdigit()]
    urgent = needs.index("1 keeps failing")
    assert {"1 refused", "1 ended still accepted"} <= set(needs[:urgent])
    assert "1 paused" in needs[urgent:]
    assert "removed-phone: not in the configuration" in page.text


def test_a_fleet_at_rest_needs_nobody(tmp_path):
    with shown_fleet(tmp_path, 2) as fleet:
        resting = [(target, fleet._at_rest(target, 1)) for target in fleet.targets]
        for target, state in resting:
            fleet.know(target, state)
        page = read(fleet, "/")
        assert "Nothing needs anybody." in page.text
        fleet.know(resting[0][0], resting[0][1], Hold(HoldReason.CLOCKS_DIFFER, "correct the clock"))
        page = read(fleet, "/")
        assert "1 target blocked." in page.text
        assert "none: what its message says ends it" in page.text


def test_what_others_wrote_is_text_wherever_it_stands(fleet):
    """Error texts, reasons and names of people come from providers, from Vault and from who asks."""
    target = fleet.targets[0]
    state = fleet._at_rest(target, 1)
    credential = replace(state.published, username=HOSTILE, id=HOSTILE)
    entry = replace(fleet._replaced(target, 0.5), credential=credential, note=HOSTILE)
    shown = replace(state.verification, accepted=False, proof=HOSTILE)
    state = replace(
        state,
        published=credential,
        ledger=(entry,),
        last_error=HOSTILE,
        failures=3,
        verification=shown,
        request=Request(Purpose.ROTATE, HOSTILE, HOSTILE, fleet.now),
    )
    fleet.know(target, state, Hold(HoldReason.FOREIGN_DOCUMENT, HOSTILE))
    for path in PATHS:
        html = fleet.html(path)
        check_page(html)
        html.encode()
        assert "<script" not in html
        assert "<img" not in html
        assert "\x1b" not in html
    assert "<script>alert(1)</script>" in read(fleet, "/targets/phone-0000").text
    page = read(fleet, "/targets", f"name={quote(HOSTILE, errors='replace')}")
    assert "No target matches." in page.text
    assert HOSTILE[:8] in next(tag.attributes["value"] for tag in page.all("input"))


def test_no_page_has_a_secret(fleet):
    for path in (*PATHS, *(f"/targets/{target.name}" for target in fleet.targets)):
        html = fleet.html(path)
        assert PASSWORD not in html
        assert TOKEN not in html


def test_the_style_is_the_one_that_the_policy_allows(fleet):
    (style,) = read(fleet, "/").texts("style")
    assert style == STYLE
    assert f"'sha256-{b64encode(sha256(style.encode()).digest()).decode()}'" == STYLE_SOURCE


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("name=0003", ["phone-0003"]),
        ("name=phone-000?&account=vobiz-lab", ["phone-0004", "phone-0009"]),
        ("name=&state=&account=&label=&due=&sort=name&name=000", [f"phone-{number:04}" for number in range(10)]),
        ("state=failing", ["phone-0001"]),
        ("state=retired&account=vobiz-prod", []),
        ("label=site=wien&sort=age", ["phone-0011", "phone-0007", "phone-0003"]),
        ("due=1d", ["phone-0005", "phone-0006"]),
        ("sort=due&due=30d", ["phone-0005", "phone-0006", "phone-0002", "phone-0011", "phone-0004"]),
    ],
)
def test_targets_are_searched_filtered_and_sorted(fleet, query, found):
    page = read(fleet, "/targets", query)
    assert sorted(rows(page)) == sorted(found)
    assert rows(page) == found or "age" in query


def test_the_form_keeps_what_was_asked(fleet):
    page = read(fleet, "/targets", "name=phone&state=open&account=vobiz-prod&due=7d&sort=need")
    assert {tag.attributes["value"] for tag in page.all("option") if "selected" in tag.attributes} == {
        *("open", "vobiz-prod", "7d", "need")
    }
    assert page.all("input")[0].attributes["value"] == "phone"


def test_pages_are_turned_and_hold_each_target_once(tmp_path):
    with shown_fleet(tmp_path, 2 * PAGE + 7) as fleet:
        fleet.live()
        seen, address = [], "/targets?label=&sort=due"
        while address:
            page = read(fleet, *address.split("?"))
            seen += rows(page)
            address = next((tag.attributes["href"] for tag in page.all("a") if tag.text == "next"), "")
        assert len(seen) == len(set(seen)) == 2 * PAGE + 7
        assert "This page is past the last one." in read(fleet, "/targets", "page=99").text
        assert "1 to 50 of 107 targets" in read(fleet, "/targets").text


@pytest.mark.parametrize(
    "query", ["state=nonsense", "page=0", "page=x", "sort=x", "due=9d", "colour=red", f"name={'x' * 400}"]
)
def test_an_address_that_means_nothing_is_told_in_words(fleet, query):
    assert "This address means nothing" in read(fleet, "/targets", query, status=400).text


def test_there_is_no_page_that_nobody_made(fleet):
    assert fleet.web("/nothing", "") is None
    assert fleet.web("/targets.html", "") is None
    assert "There is no target with this name" in read(fleet, "/targets/nobody", status=404).text
    assert "There is no target with this name" in read(fleet, f"/targets/{quote('<b>')}", status=404).text


def test_a_replica_says_that_the_others_have_the_rest(fleet):
    fleet.snapshot.keep_only([target.name for target in fleet.targets[:5]], lambda _: True)
    assert "This process looks at 5 of 12 targets" in read(fleet, "/").text
    assert "Another replica looks at it" in read(fleet, "/targets/phone-0011", status=404).text


def test_what_is_left_of_a_removed_target_has_a_page_with_its_command(fleet):
    page = read(fleet, "/targets/removed-phone")
    assert "rotator retire removed-phone" in page.texts("code")


def test_before_vault_was_reached_the_pages_say_so(fleet):
    web = Web(fleet.composition, Snapshot(fleet.composition), lambda: None)
    for path in PATHS:
        page = web(path, "")
        assert page is not None
        assert "Vault has not been reached yet" in check_page(page.html).text


def test_a_pause_is_shown_with_the_command_that_ends_it(fleet, monkeypatch):
    origin = Origin("uid:1000", "PBX <moves>")
    pause = Pause(Scope(account="vobiz-lab"), fleet.now - DAY, fleet.now + DAY, origin)
    monkeypatch.setattr(fleet.components.pauses, "_known", Pauses(1, (pause,)))
    for path in ("/", "/targets/phone-0004"):
        page = read(fleet, path)
        assert "rotator resume --account vobiz-lab" in page.texts("code")
        assert "PBX <moves>" in page.text
    assert "rotator resume --account vobiz-lab" not in read(fleet, "/targets/phone-0003").texts("code")
    monkeypatch.setattr(fleet.components.pauses, "_known", Pauses(problem="the document of the pauses cannot be read"))
    assert "cannot be read" in read(fleet, "/").text


def test_accounts_show_circuit_rights_pace_key_and_listing(fleet, monkeypatch):
    throttles, paces = fleet.components.engine.throttles, fleet.components.paces
    for _ in range(20):
        throttles._count_failure(("vobiz-lab", ProviderVerb.DELETE), 0.0)
        throttles._count_failure((throttles.key("vobiz-prod"), None), fleet.composition.clock.monotonic())
    paces["vobiz-lab"]._held_until = fleet.composition.clock.monotonic() + 90
    listed = SelectionFigures(fleet.now - HOUR, 7, ("gone-1",), (), 2)
    fleet.composition.selections.set("vobiz-lab", listed)
    key = AccountKey(fleet.now - 80 * DAY, fleet.now + DAY + HOUR, 60 * DAY)
    monkeypatch.setitem(fleet.components.account_keys, "vobiz-lab", key)
    page = read(fleet, "/accounts")
    assert "made 80 d ago" in [tag.text for tag in page.all("span") if tag.attributes.get("class") == "bad"]
    of_the_key = ("expires in 1 d", "at most 60 d old", "age unknown", "its key may not delete")
    of_the_pace = ("open: the next call in ", "asked to wait 1 min", "300/m")
    for said in (*of_the_key, *of_the_pace, "read 1 h ago: 7 selected", "1 gone", "2 undecided"):
        assert said in page.text


def test_accounts_show_when_they_were_compared_and_checked_and_what_came_of_it(fleet, monkeypatch):
    page = read(fleet, "/accounts")
    assert page.text.count("not yet") == 2 * len(fleet.components.kinds)
    assert "rotator reconcile vobiz-lab" not in page.texts("code")
    found = [FoundCredentials(DiscrepancyKind.ORPHANED, 2), FoundCredentials(DiscrepancyKind.NEVER_ROTATED, 1)]
    scratch = Scratch(Credential("vobiz-lab", "rotatorcheck1", attempt="a1"), fleet.now)
    known = AccountEvidence(
        scratch=(scratch,),
        checked_at=fleet.now - HOUR,
        written_at=fleet.now - 3 * DAY,
        reconciled_at=fleet.now - 5 * HOUR,
        reconciled=(*found, FoundCredentials(DiscrepancyKind.CHANGED, 0)),
    )
    key = fleet.components.evidence_keys["vobiz-lab"]
    monkeypatch.setitem(fleet.components.engine._documents.evidence._known, key, (0.0, known, ""))
    page = read(fleet, "/accounts")
    assert "2 orphaned" in [tag.text for tag in page.all("span") if tag.attributes.get("class") == "bad"]
    for said in ("5 h ago", "1 never rotated", "read-only 1 h ago", "with writes 3 d ago", "1 credential of a check"):
        assert said in page.text
    assert "changed" not in page.text
    assert "rotator reconcile vobiz-lab" in page.texts("code")
    row = fleet.snapshot.document(fleet.components, StatusQuery())["accounts"]["vobiz-lab"]
    assert row == {
        "checked_at": iso(fleet.now - HOUR),
        "written_at": iso(fleet.now - 3 * DAY),
        "scratch": 1,
        "compared_at": iso(fleet.now - 5 * HOUR),
        "found": {"orphaned": 2, "never_rotated": 1, "changed": 0},
    }


def test_what_a_check_left_at_an_account_that_was_removed_is_on_the_first_page(fleet, monkeypatch):
    left = {"vobiz-gone": (Credential("vobiz-old", "rotatorcheck<1>", attempt="a1"),)}
    monkeypatch.setattr(fleet.components.engine._documents.evidence, "elsewhere", left)
    text = read(fleet, "/").text
    assert "vobiz-old: a check may have left rotatorcheck<1>, and this account is not configured, or not with" in text
    assert "delete the record _evidence-vobiz-gone in Vault" in text


def test_every_need_has_a_remedy_and_every_hold_an_end():
    assert set(BY_URGENCY) == set(Need)
    assert {end_of(reason) for reason in HoldReason if reason.end is HoldEnd.BY_SOMEBODY} == {
        "what its message says ends it"
    }


def test_no_command_that_is_shown_cuts_devices_off():
    assert not [command for command in commands() if "--compromised" in command or "--published" in command]


def commands() -> set[str]:
    target = Target("it's $(a) name", "an account", *([None] * 4))
    seen = TargetSnapshot(target, TargetState(target.name), START)
    return commands_about(seen) | commands_about(replace(seen, target=replace(target, removed=True)))


def commands_about(seen: TargetSnapshot) -> set[str]:
    given = {command for remedy in remedies(set(Need), seen) for command in remedy.commands}
    return given | {command for reason in HoldReason for command in commands_of_hold(reason, seen)}


@pytest.mark.parametrize("how", ["removed", "retired"])
def test_no_command_that_is_shown_begins_a_target_anew_that_nobody_wants_any_more(how):
    target = Target("phone", "vobiz", *([None] * 4), removed=how == "removed")
    state = TargetState("phone", retired_at=START if how == "retired" else None)
    seen = TargetSnapshot(target, state, START)
    assert commands_about(seen) == {"rotator retire phone"}
    assert {each.advice for each in remedies(set(Need), seen)} == {f"Its target was {how}."}
    assert all(commands_of_hold(reason, seen) for reason in (HoldReason.PAUSED, HoldReason.BLACKOUT))
    assert not commands_of_hold(HoldReason.RETIREMENTS_CAPPED, seen)


@pytest.mark.parametrize("command", sorted(commands()))
def test_each_command_is_one_that_the_program_takes(command):
    """Also with a name that a shell would take apart."""
    program, name, *arguments = shlex.split(command)
    assert program == "rotator"
    found = typer.main.get_command(build()).commands[name]
    with found.make_context(name, list(arguments)) as context:
        assert not context.args
    assert {"it's $(a) name", "an account"} & set(arguments)


def test_a_timeline_shows_each_password_with_its_moments(fleet):
    page = read(fleet, "/targets/phone-0007")
    labels = [text for text in page.texts("text") if "phone-0007" in text]
    assert labels == ["phone-00077xq4: published", "phone-0007old7: replaced", "phone-00072old: ended"]
    said = [row.text for row in page.all("tr")]
    for what in ("its overlap begins", "disabled", "deleted", "accepted: SIP REGISTER", "next rotation", "age limit"):
        assert any(what in row for row in said), what
    kinds = {tag.attributes["class"] for tag in page.all("rect")}
    assert {"use", "use plan", "overlap", "off", "off plan"} <= kinds
    (drawn,) = page.all("svg")
    _, _, width, height = (float(part) for part in drawn.attributes["viewbox"].split())
    for tag in page.all("rect"):
        assert 0 <= float(tag.attributes["x"]) <= float(tag.attributes["x"]) + float(tag.attributes["width"]) <= width
        assert 0 <= float(tag.attributes["y"]) < height


@pytest.mark.parametrize("age", [timedelta(milliseconds=1), timedelta(seconds=5), HOUR, 4000 * DAY])
def test_a_timeline_of_any_length_can_be_drawn(fleet, age):
    target = fleet.targets[0]
    published = replace(fleet._made(target, 0, "fresh"), made_at=fleet.now - age)
    fleet.know(target, TargetState(target.name, published=published, published_since=fleet.now - age))
    page = read(fleet, "/targets/phone-0000")
    places = [float(tag.attributes["x"]) for tag in page.all("text") if tag.attributes.get("text-anchor")]
    assert all(0 < place < 960 for place in places)
    assert "nan" not in fleet.html("/targets/phone-0000")
