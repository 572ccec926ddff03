"""The pages of /status: from memory, in the order of names, filtered. With a real composition, and no Vault."""

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from threading import Event

import pytest
from core_facts import ATTEMPT, DAY, ENTRY, OLD

from rotator.core.actions import Step
from rotator.core.holding import Hold, HoldReason
from rotator.core.left_over import OrphanKind
from rotator.core.model import Target, TargetState
from rotator.daemon.components import Components
from rotator.daemon.composition import Composition
from rotator.daemon.snapshot import Snapshot
from rotator.engine import Engine, Look, Outcome
from rotator.observe.status_query import PAGE, StatusQuery

TARGETS = 450


@pytest.fixture
def composition(tmp_path: Path) -> Iterator[Composition]:
    account = {"type": "vobiz", "auth_token": {"env": "TOKEN"}, "registrar": "127.0.0.1:5061"}
    document = {
        "vault": {"address": "http://127.0.0.1:9", "auth": {"method": "token", "token": {"env": "TOKEN"}}},
        "providers": {"a": {**account, "auth_id": "MA_A"}, "b": {**account, "auth_id": "MA_B"}},
        "policies": {"daily": {"every": "1d", "overlap": "1h", "quarantine": "1h"}},
        "targets": [
            {"name": f"t{number:03}", "provider": "ab"[number % 2], "strategy": "replace", "policy": "daily",
             "credential": {"username": f"user{number:03}"}, "path": f"sip/t{number:03}"}
            for number in reversed(range(TARGETS))
        ],
    }  # fmt: skip
    config = tmp_path / "config.yaml"
    config.write_text(json.dumps(document))
    with Composition(config, {"TOKEN": "secret-token-1"}, Event(), quiet=True) as made:
        yield made


@pytest.fixture
def snapshot(composition: Composition) -> Snapshot:
    return Snapshot(composition)


@pytest.fixture
def components(composition: Composition, snapshot: Snapshot) -> Components:
    made = composition.assemble(composition.settings, seen=snapshot.update_state)
    snapshot.keep_only([*made.by_name, "gone"], lambda _: True)
    for target in made.targets:
        published = replace(OLD, account=target.account, made_at=composition.clock.now())
        snapshot.update_state(target, TargetState(target.name, published=published))
    return made


def names(document) -> list[str]:
    return [row["name"] for row in document["targets"]]


def target_of(components: Components, name: str) -> Target:
    return next(target for target in components.targets if target.name == name)


def test_pages_follow_one_another_and_hold_each_target_once(snapshot, components):
    found, after = [], ""
    for _ in range(9):
        document = snapshot.document(components, StatusQuery(after=after, limit=100))
        found += names(document)
        if document["next"] is None:
            break
        after = document["next"]
    assert found == sorted(target.name for target in components.targets)


def test_a_page_that_ends_with_the_last_target_is_the_last_page(snapshot, components):
    document = snapshot.document(components, StatusQuery(after=f"t{TARGETS - 101:03}", limit=100))
    assert (len(document["targets"]), document["next"]) == (100, None)


def test_without_a_limit_there_is_a_first_page_and_the_summary_of_all(snapshot, components):
    document = snapshot.document(components, StatusQuery())
    assert len(document["targets"]) == PAGE
    assert document["summary"] == {"targets": TARGETS, "states": {"idle": TARGETS}, "needs": {}, "orphans": 0}


def test_a_process_shows_what_it_looks_at_and_no_other_one_s(snapshot, components):
    left = replace(ENTRY, credential=replace(ENTRY.credential, account="closed"))
    orphaned = TargetState("t005", published=OLD, ledger=(left,))
    snapshot.update_state(target_of(components, "t005"), orphaned)
    assert [orphan.target for orphan in snapshot.orphans(components)] == ["t005"]
    snapshot.keep_only(["t001", "t003"], lambda _: True)
    snapshot.update_state(target_of(components, "t005"), orphaned)
    document = snapshot.document(components, StatusQuery())
    assert (names(document), document["summary"]["states"]) == (["t001", "t003"], {"idle": 2})
    assert snapshot.orphans(components) == ()
    snapshot.forget("t003")
    assert snapshot.document(components, StatusQuery())["summary"]["states"] == {"idle": 1}


def test_a_limit_of_nothing_leaves_only_the_summary(snapshot, components):
    document = snapshot.document(components, StatusQuery(limit=0))
    assert (document["targets"], document["orphans"]) == ([], [])
    assert document["summary"]["targets"] == TARGETS


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        (StatusQuery(states=("open",)), ["t007"]),
        (StatusQuery(states=("rotating", "blocked")), ["t007", "t100"]),
        (StatusQuery(states=("held",), accounts=("a",)), ["t100"]),
        (StatusQuery(states=("held",), accounts=("b",)), []),
        (StatusQuery(names=("t10?", "t007"), accounts=("b",)), ["t007", "t101", "t103", "t105", "t107", "t109"]),
        (StatusQuery(names=("t10?",), accounts=("b",), limit=2), ["t101", "t103"]),
    ],
)
def test_filters(snapshot, components, query, expected):
    open_one = TargetState("t007", published=OLD, attempt=ATTEMPT)
    snapshot.update_state(target_of(components, "t007"), open_one)
    hold = Hold(HoldReason.FOREIGN_DOCUMENT, "why")
    snapshot.update_look(target_of(components, "t100"), Look("t100", Outcome.HELD, "", (), None, hold, None, 0.0))
    assert names(snapshot.document(components, query)) == expected


def test_targets_that_are_due_before_a_moment(composition, snapshot, components):
    now = composition.clock.now()
    for number, days in ((1, 1), (2, 3)):
        due = TargetState(f"t{number:03}", published=OLD, next_rotation=now + days * DAY)
        snapshot.update_state(target_of(components, due.target), due)
    assert names(snapshot.document(components, StatusQuery(due_before=now + 2 * DAY))) == ["t001"]


def test_before_vault_was_reached_the_targets_are_there_and_nothing_is_known_of_them(snapshot):
    document = snapshot.document(None, StatusQuery(limit=1))
    (row,) = document["targets"]
    assert (row["name"], row["state"], row["waiting"]) == ("t000", "never rotated", None)


def test_orphans_are_found_when_a_state_is_read_and_when_the_configuration_changes(snapshot, components):
    gone = replace(target_of(components, "t000"), name="gone", removed=True)
    snapshot.update_state(gone, TargetState("gone", published=OLD))
    snapshot.document(components, StatusQuery())
    left = replace(ENTRY, credential=replace(ENTRY.credential, account="closed"))
    snapshot.update_state(target_of(components, "t001"), TargetState("t001", published=OLD, ledger=(left,)))
    document = snapshot.document(components, StatusQuery(limit=5))
    assert [orphan["name"] for orphan in document["orphans"]] == ["gone", "t001"]
    assert document["summary"]["orphans"] == 2
    assert [orphan.target for orphan in snapshot.orphans(components)] == ["gone", "t001"]
    without = replace(components, targets=tuple(each for each in components.targets if each.name != "t003"))
    assert sorted(orphan.target for orphan in snapshot.orphans(without)) == ["gone", "t001", "t003"]
    only = snapshot.document(without, StatusQuery(states=("orphan",)))
    assert (only["targets"], len(only["orphans"])) == ([], 3)
    assert snapshot.document(without, StatusQuery(states=("idle",), limit=1))["orphans"] == []
    snapshot.update_state(target_of(components, "t001"), TargetState("t001", published=OLD))
    assert "t001" not in {orphan.target for orphan in snapshot.orphans(without)}


def test_the_number_of_orphans_is_that_of_the_credentials_that_nobody_ends(snapshot, components, monkeypatch):
    """The sum of the metric: what checks left was only there, and a target with two counted once."""
    closed = replace(ENTRY, credential=replace(ENTRY.credential, account="closed"))
    gone = replace(target_of(components, "t000"), name="gone", removed=True)
    snapshot.update_state(gone, TargetState("gone", published=OLD, ledger=(closed,)))
    left = {"vobiz-mine": (OLD, ENTRY.credential), "vobiz-other-replica": (OLD,)}
    monkeypatch.setattr(Engine, "left_by_checks", left)
    snapshot.keep_only([*components.by_name, "gone"], lambda name: name != "vobiz-other-replica")
    kinds = Counter(orphan.kind for orphan in snapshot.orphans(components))
    assert kinds == {OrphanKind.PUBLISHED: 1, OrphanKind.LEDGER: 1, OrphanKind.CHECK: 2}
    document = snapshot.document(components, StatusQuery(limit=1))
    assert document["summary"]["orphans"] == kinds.total()
    assert [each["record"] for each in document["left_by_checks"]] == ["vobiz-mine"] * 2


def test_the_report_has_the_rows_that_need_somebody_and_no_more_than_a_page(snapshot, components):
    snapshot.update_state(target_of(components, "t005"), TargetState("t005", published=OLD, failures=3))
    hold = Hold(HoldReason.FOREIGN_DOCUMENT, "why")
    snapshot.update_look(target_of(components, "t100"), Look("t100", Outcome.HELD, "", (), None, hold, None, 0.0))
    report = snapshot.in_need(components)
    assert (names(report), report["next"]) == (["t005", "t100"], None)
    assert report["summary"]["states"] == {"idle": TARGETS - 2, "failing": 1, "blocked": 1}
    for target in components.targets:
        snapshot.update_state(target, TargetState(target.name, published=OLD, failures=3))
    report = snapshot.in_need(components)
    assert (len(report["targets"]), report["next"]) == (PAGE, f"t{PAGE - 1:03}")


def looked(*, hold: Hold | None = None, outcome: Outcome = Outcome.HELD, steps: tuple[Step, ...] = ()) -> Look:
    return Look("t100", outcome, "the provider answered 401", steps, None, hold, None, 0.0)


def test_a_try_that_failed_is_logged_once_and_not_at_every_look_until_the_next(caplog, snapshot, components):
    target, backing_off = target_of(components, "t100"), Hold(HoldReason.BACKING_OFF, "again in 5 min")
    for steps in ((Step.APPLY,), (), ()):
        snapshot.update_look(target, looked(hold=backing_off, outcome=Outcome.FAILED, steps=steps))
    (line,) = caplog.messages
    assert "401" in line
    assert "apply" in line


def test_a_look_that_could_not_read_vault_is_logged(caplog, snapshot, components):
    snapshot.update_look(target_of(components, "t100"), looked(outcome=Outcome.VAULT))
    assert "401" in caplog.text


def test_what_waits_for_a_person_is_logged_once_with_its_remedy(caplog, snapshot, components):
    target = target_of(components, "t100")
    foreign = Hold(HoldReason.FOREIGN_DOCUMENT, "sip/t100 was written by somebody else: use --take-over")
    deleted = Hold(HoldReason.DOCUMENT_DELETED, "sip/t100 was deleted: restore it")
    for hold in (foreign, foreign, deleted, deleted, None, None):
        snapshot.update_look(target, looked(hold=hold))
    said = [(line.levelname, "use --take-over" in line.getMessage()) for line in caplog.records]
    assert said == [("WARNING", True), ("WARNING", False)]


def test_a_look_that_acted_holds_nothing_any_more(snapshot, components):
    target = target_of(components, "t100")
    hold = Hold(HoldReason.FOREIGN_DOCUMENT, "why")
    snapshot.update_look(target, Look("t100", Outcome.HELD, "", (), None, hold, None, 0.0))
    snapshot.update_look(target, Look("t100", Outcome.ROTATED, "", (Step.CLOSE,), None, None, None, 0.0))
    assert names(snapshot.document(components, StatusQuery(states=("held",)))) == []
