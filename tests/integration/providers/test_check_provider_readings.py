"""`check-provider --write` against every reading of the simulated providers: tells them apart, leaves nothing."""

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from functools import cache
from typing import Any

import pytest
from checked_harness import KEY, CheckedHarness, by_key, findings
from simulated_accounts import (
    BYSTANDER,
    STANDING,
    TOKEN,
    RequestFault,
    Setup,
    apinizer,
    registrar,
    telnyx,
    vobiz,
    vobiz_at_trunk,
    vobiz_without_registrar,
)

from rotator.cli.check_provider import shapes
from rotator.core.evidence import Shown
from rotator.core.left_over import left_over
from rotator.core.model import Credential, Strategy, TargetState
from rotator.core.strategy_evidence import Standing, judge
from rotator.engine.account_check import CheckImpossible, CheckReport
from rotator.engine.check_results import CheckStopped
from rotator.engine.scratch_ground import CheckRuns
from rotator.ports import Versioned
from rotator.testing import Crash

HOLDS, DOES_NOT, NOT_SHOWN = Shown.HOLDS, Shown.DOES_NOT, Shown.NOT_SHOWN
KINDS = {
    "vobiz": Setup("vobiz", Strategy.REPLACE, vobiz),
    "vobiz at its trunk": Setup("vobiz", Strategy.REPLACE, vobiz_at_trunk),
    "vobiz-endpoint": Setup("vobiz-endpoint", Strategy.IN_PLACE, vobiz),
    "telnyx": Setup("telnyx", Strategy.REPLACE, telnyx, adopts=False),
    "telnyx-connection": Setup("telnyx-connection", Strategy.IN_PLACE, telnyx),
    "apinizer": Setup("apinizer", Strategy.REPLACE, apinizer),
}


# What each reading changes, compared with the default one.
READINGS: list[tuple[str, dict[str, Any], dict[str, Shown]]] = [
    ("vobiz", {"put_without_password": "refused"}, {"form-disable": DOES_NOT}),
    ("vobiz", {"put_without_password": "ignored"}, {"form-disable": DOES_NOT}),
    (
        "vobiz",
        {"enabled_honoured": False},
        {
            "form-disable": DOES_NOT,
            "disables": DOES_NOT,
            "disabled-refused": None,
            "enables": None,
            "enabled-logs-in": None,
        },
    ),
    (
        "vobiz",
        {"enabled_honoured": False, "enabled_echoed": True},
        {"disables": DOES_NOT, "disabled-refused": DOES_NOT},
    ),
    ("vobiz", {"single_get": True}, {"gets": HOLDS}),
    ("vobiz", {"password_longest": None}, {"longer-passwords": HOLDS}),
    ("vobiz", {"trunks_status": 403}, {"shows-attachments": DOES_NOT}),
    (
        "vobiz",
        {"attached_only": True},
        {
            "logs-in": NOT_SHOWN,
            "unattached": NOT_SHOWN,
            "wrong-refused": NOT_SHOWN,
            "new-logs-in": NOT_SHOWN,
            "old-refused": NOT_SHOWN,
            "disabled-refused": NOT_SHOWN,
            "enabled-logs-in": NOT_SHOWN,
            "deleted-refused": NOT_SHOWN,
            "propagates": None,
        },
    ),
    (
        "vobiz at its trunk",
        {"attached_only": True},
        {
            "logs-in": NOT_SHOWN,
            "unattached": NOT_SHOWN,
            "wrong-refused": NOT_SHOWN,
            "new-logs-in": NOT_SHOWN,
            "old-refused": NOT_SHOWN,
            "disabled-refused": NOT_SHOWN,
            "enabled-logs-in": NOT_SHOWN,
            "deleted-refused": NOT_SHOWN,
            "propagates": None,
        },
    ),
    ("vobiz", {"put_answer": "empty"}, {"form-set-password": DOES_NOT}),
    ("vobiz", {"put_answer": "no content"}, {"form-set-password": DOES_NOT}),
    ("vobiz", {"put_answer": "message"}, {"form-set-password": DOES_NOT}),
    ("vobiz", {"put_answer": "without enabled"}, {"form-set-password": DOES_NOT}),
    ("vobiz", {"delete_needs_type": True}, {"form-delete": DOES_NOT}),
    ("telnyx-connection", {"passwords_masked": "connections"}, {"shows-passwords": DOES_NOT}),
    ("telnyx-connection", {"passwords_masked": "connections", "changes_masked": True}, {"shows-passwords": DOES_NOT}),
    ("telnyx", {"passwords_masked": "everywhere"}, {"shows-passwords": DOES_NOT}),
    ("telnyx", {"null_lifts_end": "refused"}, {"form-enable": DOES_NOT}),
    ("telnyx", {"null_lifts_end": "ignored"}, {"form-enable": DOES_NOT}),
    ("telnyx", {"past_end": "refused"}, {"form-disable": DOES_NOT}),
    ("telnyx", {"past_end": "ignored"}, {"form-disable": DOES_NOT}),
    ("apinizer", {"enabled_enforced": False}, {}),  # a disabled one gets a random password, so it ends all the same
]
# What changes no more than the form of an answer that every adapter reads in all of its forms.
HARMLESS: list[tuple[str, dict[str, Any]]] = [
    ("vobiz", {"create_status": 200}),
    ("vobiz", {"delete_status": 200}),
    ("vobiz", {"total_key": "total_count"}),
    ("vobiz", {"short_items": True}),
    ("vobiz", {"list_reveals_password": True}),
    ("vobiz", {"list_longest_page": 1}),
    ("vobiz", {"order": "newest"}),
    ("vobiz", {"empty_not_found": True}),
    ("vobiz", {"realm_form": "trunk"}),
    ("vobiz", {"put_password_enables": True}),
    ("telnyx", {"expired_as": "text"}),
    ("telnyx", {"expired_as": "null"}),
    ("telnyx", {"expired_as": "missing"}),
    ("telnyx", {"resource_as": "bare"}),
    ("telnyx", {"expired_lags": True}),
    ("telnyx", {"moments": "naive"}),
    ("telnyx", {"rounds_moments": True}),
    ("telnyx", {"filters": "ignored"}),
    ("telnyx", {"filters_refused": True}),
    ("telnyx", {"longest_page": 1}),
    ("telnyx", {"meta": False}),
    ("telnyx", {"expired_update": "list"}),
    ("apinizer", {"envelope": "status"}),
    ("apinizer", {"pods": True}),
    ("apinizer", {"gateway_delay": 3.0}),
    # A listing shows neither metadata nor that an environment has a password of its own: nobody can tell these apart.
    ("apinizer", {"update_keeps_hidden": False}),
    ("apinizer", {"password_reaches_all": False}),
]


def checked(kind: str, **readings: Any) -> tuple[CheckedHarness, CheckReport]:
    harness = CheckedHarness(KINDS[kind], **readings)
    report = harness.write()
    assert report.left == ()
    assert harness.there == harness.before
    assert harness.store.evidence[KEY].scratch == ()
    assert harness.store.evidence[KEY].holder == ""
    return harness, report


@cache
def usual_findings(kind: str) -> dict[str, Shown]:
    return findings(checked(kind)[1])


@pytest.mark.parametrize("kind", KINDS)
def test_at_an_account_that_follows_the_pages_everything_holds(kind):
    harness, report = checked(kind)
    found = findings(report)
    unsettled = {key for key, shown in found.items() if shown is not HOLDS}
    # No page of Vobiz's has the request for one credential; a longer password than the console takes is refused.
    assert unsettled <= {"clock", "gets", "longer-passwords", "usernames", "shows-usage"}, found
    evidence = harness.store.evidence[KEY]
    standing = judge(harness.target.strategy, harness.account.capabilities, evidence).standing
    assert standing is Standing.PROVED
    assert evidence.rotator == "1.2.3"
    assert evidence.checked_by == "tester"
    assert by_key(report)["propagates"].seconds > 0 or kind == "apinizer"


@pytest.mark.parametrize(("kind", "readings", "changed"), READINGS, ids=str)
def test_a_reading_is_told_apart(kind, readings, changed):
    usual, found = usual_findings(kind), findings(checked(kind, **readings)[1])
    differing = {key: found.get(key) for key in usual | found if found.get(key) is not usual.get(key)}
    assert differing == changed


@pytest.mark.parametrize(("kind", "readings"), HARMLESS, ids=str)
def test_a_reading_that_every_adapter_takes_changes_no_shown(kind, readings):
    assert findings(checked(kind, **readings)[1]) == usual_findings(kind)


def test_a_key_without_rights_is_said_and_nothing_else_is_tried():
    _, report = checked("apinizer", permitted=False)
    assert findings(report)["key"] is DOES_NOT or findings(report)["lists"] is DOES_NOT
    assert "creates" not in findings(report)


def test_a_listing_at_another_path_is_said_before_anything_is_written():
    harness, report = checked("vobiz", listing_path="credentials")
    assert findings(report)["lists"] is DOES_NOT
    assert "404" in by_key(report)["lists"].evidence
    assert "creates" not in findings(report)
    assert {one.method for one in report.exchanges} == {"GET"}
    assert harness.audit.records == []


def test_a_password_that_is_made_there_and_not_shown_disproves_replace():
    harness, report = checked("telnyx", passwords_masked="everywhere", changes_masked=True)
    assert findings(report)["creates"] is DOES_NOT
    standing = judge(Strategy.REPLACE, harness.account.capabilities, report.evidence)
    assert standing.standing is Standing.DISPROVED
    assert "Telnyx does not show the password that it generated" in standing.why


def test_only_what_a_trunk_names_is_let_in_where_a_published_one_shows_it():
    harness = CheckedHarness(KINDS["vobiz"], attached_only=True)
    (office,) = [each for each in harness.account.account.credentials("credential") if each.username == "office"]
    published = Credential("one", "office", office.id, STANDING)
    harness.store.states["office"] = Versioned(TargetState("office", published=published), 1)
    report = harness.write()
    assert findings(report)["unattached"] is DOES_NOT
    assert "office, which one names, is let in" in by_key(report)["unattached"].evidence
    standing = judge(Strategy.REPLACE, harness.account.capabilities, report.evidence)
    assert standing.standing is Standing.UNPROVED


@pytest.fixture
def trunk_serves() -> Iterator[Callable[..., None]]:
    """Sets which requests the trunk's domain answers."""
    options = registrar().options

    def serve(*methods: str) -> None:
        registrar().options = replace(options, serves=methods)

    yield serve
    registrar().options = options


@pytest.mark.parametrize(
    ("served", "configured"), [("REGISTER", "options"), ("OPTIONS", "options"), ("INVITE", "invite")]
)
def test_at_a_trunk_right_and_wrong_are_told_apart_by_what_it_serves(trunk_serves, served, configured):
    trunk_serves(served)
    harness, report = checked("vobiz at its trunk", prove_at_trunk=configured)
    found = by_key(report)
    assert {found[key].shown for key in ("trunk-asks", "logs-in", "wrong-refused", "old-refused")} == {HOLDS}
    where = f"127.0.0.1:{registrar().address.port}"
    assert found["trunk-asks"].evidence == f"{served} is challenged by {where} over UDP"
    assert f"SIP {served} accepted by {where} over UDP" in found["logs-in"].evidence
    assert judge(Strategy.REPLACE, harness.account.capabilities, report.evidence).standing is Standing.PROVED
    assert {one.method for one in report.exchanges if one.is_sip} == {served}


def test_reading_asks_the_trunk_without_a_password():
    harness = CheckedHarness(KINDS["vobiz at its trunk"])
    accepted = dict(registrar().accepted())
    assert findings(harness.check().read("reader"))["trunk-asks"] is HOLDS
    assert registrar().accepted() == accepted


def test_a_trunk_that_asks_nobody_is_said_and_no_log_in_is_claimed(trunk_serves):
    trunk_serves("INVITE")
    _, report = checked("vobiz at its trunk")  # `options`, which sends none
    assert findings(report)["trunk-asks"] is DOES_NOT
    assert by_key(report)["trunk-asks"].evidence.endswith("OPTIONS is answered 405 without a password")
    assert findings(report)["logs-in"] is NOT_SHOWN
    assert "nothing at 127.0.0.1 asks for a password" in by_key(report)["logs-in"].evidence


@pytest.mark.parametrize(
    ("domain", "allowed", "words"),
    [
        ("elsewhere.example", "127.0.0.1", "elsewhere.example is not below 127.0.0.1: set trunk_domains"),
        ("5f1b.localhost.invalid", "localhost.invalid", "the name 5f1b.localhost.invalid cannot be resolved"),
    ],
)
def test_a_trunk_that_cannot_be_asked_is_said(domain, allowed, words):
    harness = CheckedHarness(KINDS["vobiz at its trunk"], trunk_domain=domain)
    keys = {"trunk_domains": allowed, "allow_plain_sip": (allowed,)}
    harness.account.options = harness.account.options.model_copy(update=keys)
    found = by_key(harness.check().read("reader"))["trunk-asks"]
    assert found.shown is DOES_NOT
    assert words in found.evidence


def test_without_a_trunk_of_a_target_there_is_nowhere_to_log_in():
    harness = CheckedHarness(KINDS["vobiz at its trunk"])
    harness.account.remove_trunks()
    found = by_key(harness.check().read("reader"))["trunk-asks"]
    assert (found.shown, found.evidence) == (
        NOT_SHOWN,
        "no trunk that is shown with its domain names a credential of a target",
    )


def test_without_a_registrar_no_log_in_is_claimed():
    harness = CheckedHarness(Setup("vobiz", Strategy.REPLACE, vobiz_without_registrar))
    report = harness.write()
    found = findings(report)
    assert {found[key] for key in ("logs-in", "wrong-refused", "old-refused", "disabled-refused")} == {NOT_SHOWN}
    assert found["creates"] is found["disables"] is found["deletes"] is HOLDS
    standing = judge(Strategy.REPLACE, harness.account.capabilities, report.evidence)
    assert (standing.standing, standing.why) == (
        Standing.UNPROVED,
        "no log-in is configured that tries a password",
    )


@pytest.mark.parametrize("kind", KINDS)
def test_a_check_that_is_killed_anywhere_is_cleaned_up_by_the_next(kind):
    """At every boundary between two effects, whether Vault's or the provider's."""
    whole = CheckedHarness(KINDS[kind])
    points = whole.cut_at(0)
    whole.write()
    # Between an effect and the next one nothing changes, and reading leaves nothing.
    labels = enumerate(points.passed, 1)
    boundaries = [number for number, label in labels if label.startswith("after ") and " GET " not in label]
    assert len(boundaries) > 5
    for number in boundaries:
        harness = CheckedHarness(KINDS[kind])
        passwords = {
            each.id: each.password for each in harness.account.account.credentials(harness.account.record_kind)
        }
        harness.cut_at(number)
        assert harness.crash(harness.write) is not None
        harness.cut_at(0)
        harness.clock.advance(timedelta(hours=2))
        report = harness.write()
        assert report.left == (), number
        assert harness.there == harness.before, number
        assert harness.store.evidence[KEY].scratch == (), number
        # The password of the expendable one is the old one wherever the account shows it; nobody else's has changed.
        changed = {
            each.username
            for each in harness.account.account.credentials(harness.account.record_kind)
            if each.id in passwords and each.password != passwords[each.id]
        }
        assert changed == ({BYSTANDER} if kind == "vobiz-endpoint" else set()), number


def test_a_create_whose_answer_was_lost_stays_written_down_until_it_is_certain_never_to_arrive():
    harness = CheckedHarness(KINDS["vobiz"])
    points = harness.cut_at(0)
    harness.write()
    create = points.passed.index("before POST " + next(one for one in points.passed if "before POST" in one)[12:])
    harness = CheckedHarness(KINDS["vobiz"])
    harness.cut_at(create + 1)
    with pytest.raises(Crash):
        harness.write()
    harness.cut_at(0)
    soon = harness.write()
    assert [each.endswith("its create got no answer, and may still arrive") for each in soon.left] == [True]
    harness.clock.advance(timedelta(hours=1))
    assert harness.write().left == ()


def test_two_checks_of_one_account_do_not_meet():
    harness = CheckedHarness(KINDS["vobiz"])
    harness.cut_at(30)
    with pytest.raises(Crash):
        harness.write()
    harness.cut_at(0)
    dead = f"process-{harness.processes}"
    with pytest.raises(CheckRuns, match=f"another check of one runs: {dead}"):
        harness.write(living=(dead,))
    assert harness.write(living=("somebody-else",)).left == ()
    assert harness.there == harness.before


def test_a_check_that_is_stopped_cleans_up():
    harness = CheckedHarness(KINDS["vobiz"])
    sleeps: list[float] = []

    def stopped(seconds: float) -> None:
        sleeps.append(seconds)  # and time does not pass: the process must stop

    harness.clock.sleep = stopped
    with pytest.raises(CheckStopped):
        harness.write()
    assert len(sleeps) == 1
    assert harness.there == harness.before
    assert harness.store.evidence[KEY].scratch == ()


@pytest.mark.parametrize("name", ["office", "unknown"])
def test_what_a_target_uses_is_not_expendable(name):
    harness = CheckedHarness(KINDS["vobiz-endpoint"])
    with pytest.raises(CheckImpossible, match=r"target office uses it|has no 'unknown'"):
        harness.check().find_expendable(name)


def test_what_a_target_uses_by_another_name_of_the_account_or_after_its_removal_is_not_expendable():
    """Its password was changed under the devices."""
    harness = CheckedHarness(KINDS["vobiz-endpoint"])
    found = harness.check().find_expendable(BYSTANDER)
    renamed = replace(harness.target, name="lobby", account="the-same", usernames=(BYSTANDER,))
    used = TargetState("gone", published=Credential("the-same", "", found.id))
    harness.store.states["gone"] = Versioned(used, 1)
    for user in (renamed, left_over(used)):
        check = harness.check(users=lambda user=user: [harness.target, user], names=("the-same",))
        with pytest.raises(CheckImpossible, match=f"target {user.name} uses it"):
            check.find_expendable(BYSTANDER)
        elsewhere = harness.check(users=lambda user=user: [harness.target, user])
        assert elsewhere.find_expendable(BYSTANDER).id == found.id, "another account has the same names"


def test_reading_sends_only_gets_and_is_kept_beside_what_was_tried_before():
    harness = CheckedHarness(KINDS["vobiz"])
    harness.write()
    harness.account.api.read_as(single_get=True)
    requests = harness.account.transport.requests
    report = harness.check().read("reader")
    assert {one.method for one in report.exchanges} == {"GET"}
    assert harness.account.transport.requests - requests == len(report.exchanges)
    assert "creates" not in findings(report)
    evidence = harness.store.evidence[KEY]
    assert {one.key: one.shown for one in evidence.results}["gets"] is HOLDS
    assert {one.key: one.shown for one in evidence.results}["creates"] is HOLDS
    assert evidence.checked_by == "reader"


@pytest.mark.parametrize("kind", KINDS)
def test_the_shapes_of_a_check_have_no_value(kind):
    harness = CheckedHarness(KINDS[kind])
    report = harness.write()
    text = json.dumps(shapes(report.exchanges))
    stored = harness.account.stored_credentials().values()
    values = {TOKEN.reveal(), STANDING.reveal(), *harness.secrets, *(each.password.reveal() for each in stored)}
    values |= {each.username for each in stored} | harness.before | {harness.account.account.name}
    values |= {one.credential.username for one in harness.store.evidence[KEY].scratch}
    values -= {"one", "office"}  # words that may stand there by chance; nothing else of theirs does
    assert harness.secrets
    assert [value for value in values if value and value in text] == []
    assert "rotatorcheck" not in text
    assert '"text"' in text


def test_a_check_that_reaches_nobody_takes_nothing_back_that_was_shown():
    """It took the disproof of a strategy back, which began rotations then, and said that everything had been tried."""
    harness = CheckedHarness(KINDS["vobiz"], enabled_honoured=False)
    harness.write()
    before = harness.store.evidence[KEY]
    harness.clock.advance(timedelta(days=1))
    harness.account.transport.plan = lambda _: RequestFault.UNREACHABLE
    for check in (lambda: harness.check().read("reader"), harness.write):
        assert findings(check())["connects"] is DOES_NOT
        kept = {one.key: one.shown for one in harness.store.evidence[KEY].results}
        assert (kept["connects"], kept["disables"], kept["creates"], kept["usernames"]) == (
            DOES_NOT, DOES_NOT, HOLDS, HOLDS,
        )  # fmt: skip
        assert harness.store.evidence[KEY].written_at == before.written_at
    harness.account.transport.plan = None
    harness.account.api.read_as(enabled_honoured=True)
    assert findings(harness.write())["disables"] is HOLDS
    assert harness.store.evidence[KEY].written_at > before.written_at
