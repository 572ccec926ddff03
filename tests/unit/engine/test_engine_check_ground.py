"""What a check works on is written down first, is nobody's, and is cleaned up whatever happens."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from checked_account import KEY, NOW, CheckedAccount, found, shown
from engine_harness import ALTERNATING, IN_PLACE, REPLACE

from rotator.core import evidence as known
from rotator.core.evidence import AccountEvidence, AssumptionResult, Scratch, Shown
from rotator.core.model import (
    Attempt,
    Credential,
    Ending,
    LedgerEntry,
    Phase,
    Purpose,
    Strategy,
    TargetState,
)
from rotator.core.secret import Secret
from rotator.engine.account_check import CheckImpossible
from rotator.engine.check_results import CheckStopped
from rotator.engine.scratch_ground import CheckRuns
from rotator.ports import Conflict, StoreUnavailable, Versioned
from rotator.testing import ATTACHING, CHOSEN, GENERATED, Crash, FakeFault

SET_ONLY = replace(CHOSEN, creates=False)


@pytest.mark.parametrize("capabilities", [CHOSEN, GENERATED, ATTACHING], ids=["chosen", "generated", "attaching"])
def test_killed_anywhere_it_is_cleaned_up_by_the_next(capabilities):
    whole = CheckedAccount(capabilities)
    passed = whole.cut_at(0)
    whole.write()
    assert len(passed.passed) > 20
    for number in range(1, len(passed.passed) + 1):
        world = CheckedAccount(capabilities)
        world.cut_at(number)
        with pytest.raises(Crash):
            world.write()
        world.cut_at(0)
        world.clock.advance(timedelta(hours=1))
        assert world.write().left == (), number
        assert world.usernames == ["office"], number
        evidence = world.store.evidence[KEY]
        assert (evidence.scratch, evidence.holder) == ((), ""), number


def test_what_is_written_down_has_no_password_and_comes_before_the_create():
    world = CheckedAccount()
    create, seen = world.provider.create, []

    def looking(staged, target, like=None) -> Any:
        seen.append((staged, target, world.store.evidence[KEY].scratch, world.store.evidence[KEY].holder))
        return create(staged, target, like)

    world.provider.create = looking
    world.write()
    ((staged, target, scratch, holder),) = seen
    assert scratch == (Scratch(replace(staged, password=None), NOW),)
    assert staged.password is not None
    assert (staged.account, staged.identity, target) == ("fake", "identity of fake", "check-provider")
    assert holder == "process-1"
    assert world.store.evidence[KEY].holder == ""
    assert world.store.evidence[KEY].written_at == NOW


def test_what_came_of_it_is_written_down_as_well():
    world = CheckedAccount(GENERATED)
    log_in, seen = world.provider.log_in, []
    world.provider.log_in = lambda credential: seen.append(world.left[0]) or log_in(credential)
    world.write()
    assert (seen[0].id, seen[0].username, seen[0].password) == ("id-2", "generated2", None)


def test_a_credential_like_the_targets_is_made():
    world = CheckedAccount(targets=(IN_PLACE,))
    create, likes = world.provider.create, []
    world.provider.create = lambda staged, target, like=None: likes.append(like) or create(staged, target, like)
    world.write()
    assert [one.username for one in likes] == ["office"]


def test_no_two_checks_work_on_one_account():
    world = CheckedAccount()
    world.cut_at(20)
    with pytest.raises(Crash):
        world.write()
    world.cut_at(0)
    with pytest.raises(CheckRuns, match="another check of fake runs: process-1"):
        world.write(living=("process-1",))
    before = world.store.evidence[KEY]
    assert before.holder == "process-1"
    assert world.write(living=("process-9",)).left == ()


def test_a_process_takes_its_own_account_again():
    world = CheckedAccount()
    world.store.evidence[KEY] = AccountEvidence(3, holder="process-1")
    assert world.write(living=("process-1",)).left == ()


def test_who_lost_the_document_stops_with_a_conflict():
    world = CheckedAccount()
    create = world.provider.create

    def somebody_else(staged, target, like=None) -> Any:
        world.store.evidence[KEY] = replace(world.store.evidence[KEY], version=99)
        return create(staged, target, like)

    world.provider.create = somebody_else
    with pytest.raises(Conflict):
        world.write()


def test_what_is_left_is_said_before_anything_is_done():
    world = CheckedAccount()
    scratch = Scratch(Credential("fake", "rotatorcheck1", attempt="a1", identity="identity of fake"), NOW)
    world.store.evidence[KEY] = AccountEvidence(1, scratch=(scratch,))
    assert world.check().left_behind == (scratch,)


# -- cleaning up


def left_over(world: CheckedAccount, username: str = "rotatorcheckabcdefgh", **changes) -> Scratch:
    """A credential that an earlier check has made."""
    stored = world.provider.add(username)
    kept = Credential("fake", username, stored.id, attempt="a1", identity="identity of fake")
    scratch = Scratch(replace(kept, **changes), NOW)
    world.store.evidence[KEY] = AccountEvidence(1, scratch=(scratch,))
    return scratch


def test_what_is_left_is_removed_before_the_next_is_made():
    world = CheckedAccount()
    left_over(world)
    world.write()
    assert world.provider.calls[:3] == ["find", "delete", "each"]
    assert world.usernames == ["office"]
    assert world.audit.records[0].facts["effect"] == "delete"


def test_nothing_is_deleted_on_the_word_of_a_document():
    world = CheckedAccount()
    left_over(world, "somebodys")
    assert world.write().left == ()
    assert world.usernames == ["office", "somebodys"]


def test_what_carries_the_attempt_is_ours_whatever_its_name():
    world = CheckedAccount(GENERATED)
    left_over(world, "generated7")
    world.provider.credentials["id-2"].name = "a1"
    world.write()
    assert world.usernames == ["office"]


def test_what_was_made_at_another_account_is_left_to_a_person():
    world = CheckedAccount()
    left_over(world, identity="another")
    report = world.write()
    assert report.left == ("rotatorcheckabcdefgh: it was made at another account than fake means now",)
    assert [one.username for one in world.left] == ["rotatorcheckabcdefgh"]


@pytest.mark.parametrize(
    ("verb", "fault", "words"),
    [
        ("find", FakeFault.LOST_BEFORE, "the answer was lost"),
        ("delete", FakeFault.REFUSED, "the content was refused"),
    ],
)
def test_what_cannot_be_removed_stays_written_down(verb, fault, words):
    world = CheckedAccount()
    left_over(world)
    world.provider.faults["create"] = [FakeFault.REFUSED]
    world.provider.faults[verb] = [fault] * 60
    report = world.write()
    assert report.left == (f"rotatorcheckabcdefgh: {words}",)


def test_what_is_gone_already_is_nothing_that_is_left():
    world = CheckedAccount()
    left_over(world)
    delete = world.provider.delete

    def gone(credential) -> Any:
        delete(credential)
        return delete(credential)

    world.provider.delete = gone
    assert world.write().left == ()


@pytest.mark.parametrize(("hours", "left"), [(0.99, 1), (1, 0)])
def test_a_lost_create_may_arrive_for_an_hour(hours, left):
    world = CheckedAccount()
    kept = Credential("fake", "rotatorcheckabcdefgh", attempt="a1", identity="identity of fake")
    world.store.evidence[KEY] = AccountEvidence(1, scratch=(Scratch(kept, NOW),))
    world.clock.advance(timedelta(hours=hours))
    report = world.write()
    assert len(report.left) == left
    if left:
        assert report.left == ("rotatorcheckabcdefgh: its create got no answer, and may still arrive",)


def test_one_without_a_name_is_called_by_its_attempt():
    world = CheckedAccount(GENERATED)
    kept = Credential("fake", "", attempt="a1", identity="identity of fake")
    world.store.evidence[KEY] = AccountEvidence(1, scratch=(Scratch(kept, NOW),))
    assert world.write().left == ("a1: its create got no answer, and may still arrive",)


# -- expendable ones


def test_an_expendable_one_gets_its_password_back():
    world = CheckedAccount(replace(GENERATED, creates=False, sets_password=True), targets=())
    spare = world.provider.add("spare", "the-old-one")
    spare.name = "by-somebody"
    set_password, seen = world.provider.set_password, []
    world.provider.set_password = lambda one: (seen.append(world.store.evidence[KEY].scratch), set_password(one))[1]
    assert world.write("spare").left == ()
    ((kept,), *_) = seen
    assert (kept.expendable, kept.credential.username, kept.since) == (True, "spare", NOW)
    assert kept.credential.password == Secret("the-old-one")
    assert kept.credential.identity == "identity of fake"
    assert kept.credential.attempt not in (None, "by-somebody")
    assert spare.password == Secret("the-old-one")
    assert [one.facts["effect"] for one in world.audit.records][-1] == "restore"
    assert "the-old-one" in world.learnt


def test_an_expendable_one_that_cannot_be_restored_is_said():
    world = CheckedAccount(replace(GENERATED, creates=False, sets_password=True), targets=())
    world.provider.add("spare", "the-old-one")
    world.provider.faults["set_password"] = [None] * 2 + [FakeFault.REFUSED]
    report = world.write("spare")
    assert report.left == ("spare: its old password could not be set: the content was refused",)


def test_one_whose_password_is_not_known_is_let_go():
    world = CheckedAccount(SET_ONLY, targets=())
    world.provider.add("spare")
    assert world.write("spare").left == ()
    assert world.left == []
    assert world.audit.records[-1].facts["effect"] == "set_password"


def test_an_earlier_one_is_restored_before_the_next_look():
    """Else the password that the earlier check has set would be taken for the old one."""
    world = CheckedAccount(replace(GENERATED, creates=False, sets_password=True), targets=())
    spare = world.provider.add("spare", "set-by-a-check")
    kept = Credential("fake", "spare", spare.id, Secret("the-old-one"), identity="identity of fake", attempt="a1")
    world.store.evidence[KEY] = AccountEvidence(1, scratch=(Scratch(kept, NOW, expendable=True),))
    world.write("spare")
    assert spare.password == Secret("the-old-one")


@pytest.mark.parametrize("by", ["spare", "id-2"])
def test_an_expendable_one_is_found_by_id_or_name(by):
    world = CheckedAccount(SET_ONLY)
    world.provider.add("spare")
    find, asked = world.provider.find, []
    world.provider.find = lambda wanted: asked.append(wanted) or find(wanted)
    assert world.check().find_expendable(by).id == "id-2"
    assert asked == [Credential("fake", "", by), Credential("fake", by)]


def test_one_that_is_not_there_is_said_with_the_reason():
    world = CheckedAccount(SET_ONLY)
    with pytest.raises(CheckImpossible, match=r"^fake has no 'spare'$"):
        world.check().find_expendable("spare")
    world.provider.faults["find"] = [FakeFault.UNREACHABLE, FakeFault.RATE_LIMITED]
    with pytest.raises(CheckImpossible, match=r"^fake has no 'spare': no connection; too many requests$"):
        world.check().find_expendable("spare")


SPARE = Credential("fake", "spare", "id-2")
ELSEWHERE = replace(SPARE, account="other")
STATES = {
    "published": TargetState("office", published=SPARE),
    "standby": TargetState("office", standby=SPARE),
    "ledger": TargetState("office", ledger=(LedgerEntry(SPARE, Ending.DELETE, NOW, NOW, timedelta(days=7)),)),
    "attempt": TargetState(
        "office",
        attempt=Attempt("a1", Purpose.ROTATE, Strategy.IN_PLACE, Phase.STAGED, SPARE, None, NOW, "me", "because"),
    ),
    "by name": TargetState("office", published=Credential("fake", "SPARE")),
    "by id": TargetState("office", published=Credential("fake", "renamed", "id-2")),
}


@pytest.mark.parametrize("state", STATES.values(), ids=STATES)
def test_what_a_target_uses_is_not_expendable(state):
    world = CheckedAccount(SET_ONLY)
    world.provider.add("spare")
    world.store.states["office"] = Versioned(state, 1)
    with pytest.raises(CheckImpossible, match=r"^spare is not expendable: target office uses it$"):
        world.check().find_expendable("spare")


def test_what_a_target_names_is_not_expendable_and_what_is_elsewhere_is():
    world = CheckedAccount(SET_ONLY, targets=(ALTERNATING,))
    world.provider.add("officeB")
    with pytest.raises(CheckImpossible, match="target office uses it"):
        world.check().find_expendable("officeB")
    world.provider.add("spare")
    for other in (replace(ELSEWHERE, id="id-3"), Credential("fake", "another", "id-7"), Credential("fake", "noid")):
        world.store.states["office"] = Versioned(TargetState("office", published=other), 1)
        assert world.check().find_expendable("spare").id == "id-3"


def test_an_account_may_have_other_names_and_a_target_may_have_been_removed():
    world = CheckedAccount(SET_ONLY, targets=())
    world.provider.add("spare")
    world.names, world.users = ("other",), (REPLACE,)
    world.store.states["office"] = Versioned(TargetState("office", published=ELSEWHERE), 1)
    with pytest.raises(CheckImpossible, match="target office uses it"):
        world.check().find_expendable("spare")
    world.names = ()
    assert world.check().find_expendable("spare").id == "id-2"
    world.users = (replace(REPLACE, usernames=("spare",)),)
    with pytest.raises(CheckImpossible, match="target office uses it"):
        world.check().find_expendable("spare")
    world.users = (replace(REPLACE, account="other", usernames=("spare",)),)
    assert world.check().find_expendable("spare").id == "id-2"


# -- what is kept


def test_what_was_shown_before_stays_until_it_is_looked_at_again():
    world = CheckedAccount()
    world.write()
    world.clock.advance(timedelta(days=1))
    report = world.read()
    assert "creates" not in shown(report)
    assert report.left == ()
    evidence = world.store.evidence[KEY]
    assert evidence.shown(known.CREATES) is Shown.HOLDS
    assert (evidence.checked_at, evidence.written_at) == (NOW + timedelta(days=1), NOW)


def test_what_was_looked_at_and_not_seen_this_time_is_forgotten():
    """What a whole check could have shown, and did not, is not left from an earlier one."""
    world = CheckedAccount()
    stale = tuple(
        AssumptionResult(one.key, one.text, Shown.DOES_NOT, "long ago", NOW)
        for one in vars(known).values()
        if isinstance(one, known.Assumption)
    )
    foreign = AssumptionResult("form-gone", "of another version", Shown.HOLDS, "", NOW)
    world.store.evidence[KEY] = AccountEvidence(1, (*stale, foreign))
    report = world.write()
    assert world.store.evidence[KEY].results == (foreign, *report.results)
    assert report.evidence == world.store.evidence[KEY]


def test_a_check_that_lost_the_document_at_the_end_writes_it_again():
    world = CheckedAccount()
    check = world.check()
    world.store.failing = []
    write, failed = world.store.write_evidence, []

    def once(account, evidence) -> Any:
        if not failed:
            failed.append(account)
            raise Conflict("somebody else")
        write(account, evidence)

    world.store.write_evidence = once
    check.read("tester")
    assert failed == [KEY]
    assert world.store.evidence[KEY].checked_by == "tester"


def test_where_nothing_can_be_asked_nothing_is_made_and_nothing_is_taken_back():
    world = CheckedAccount()
    world.write()
    world.clock.advance(timedelta(days=1))
    for ask in (world.write, world.read):
        world.provider.calls.clear()
        world.provider.faults["each"] = [FakeFault.UNAUTHORIZED]
        report = ask()
        assert "create" not in world.provider.calls
        assert shown(report)["key"] is Shown.DOES_NOT
        evidence = world.store.evidence[KEY]
        assert (evidence.shown(known.KEY), evidence.shown(known.CREATES)) == (Shown.DOES_NOT, Shown.HOLDS)
        assert evidence.shown(known.USERNAMES) is Shown.NOT_SHOWN
        assert (evidence.checked_at, evidence.written_at) == (NOW + timedelta(days=1), NOW)


def test_a_process_that_must_stop_cleans_up_at_once():
    world = CheckedAccount()
    world.provider.faults["set_password"] = [FakeFault.UNREACHABLE]
    world.clock.sleep = lambda seconds: None
    with pytest.raises(CheckStopped):
        world.write()
    assert world.usernames == ["office"]
    assert world.left == []
    assert world.store.evidence[KEY].written_at is None


@pytest.mark.parametrize("writes", [False, True])
def test_a_check_that_is_stopped_keeps_nothing_of_what_was_not_asked_any_more(writes):
    """Ctrl-C: a request that is not sent any more looked like an assumption that nothing shows."""
    world, told = CheckedAccount(), []

    def going_on(key: str) -> None:
        told.append(key)
        if key == known.LISTS.key:
            raise CheckStopped

    check = world.check(going_on=going_on)
    with pytest.raises(CheckStopped):
        check.write("tester", ()) if writes else check.read("tester")
    assert told == [known.CONNECTS.key, known.KEY.key, known.CLOCK.key, known.LISTS.key]
    assert world.usernames == ["office"]
    assert (world.store.evidence.get(KEY) or AccountEvidence()).results == ()


def test_vault_that_fails_ends_the_check():
    world = CheckedAccount()
    world.store.failing = [StoreUnavailable("sealed")]
    with pytest.raises(StoreUnavailable):
        world.write()
    assert world.provider.calls == []


# -- the neighbour


def named(world: CheckedAccount, *credentials: Credential | None) -> None:
    """Targets that publish these; trunk 1 names the office."""
    targets = []
    for number, one in enumerate(credentials):
        targets.append(replace(REPLACE, name=f"t{number}"))
        world.store.states[f"t{number}"] = Versioned(TargetState(f"t{number}", published=one), 1)
    world.targets = tuple(targets)
    world.provider.trunks = {"1": world.office.id}
    world.provider.attached_only = True


OFFICE = Credential("fake", "office", "id-1", Secret("the-password-of-office"))


def test_a_published_one_that_a_trunk_names_shows_that_only_those_are_let_in():
    world = CheckedAccount(ATTACHING)
    named(world, None, replace(OFFICE, id="id-9"), replace(OFFICE, password=None), OFFICE)
    result = found(world.write())["unattached"]
    assert result.shown is Shown.DOES_NOT
    words = "the scratch credential is refused, and no trunk names it; office, which one names, is let in"
    assert result.evidence == words


@pytest.mark.parametrize(
    "published",
    [None, replace(OFFICE, account="other"), replace(OFFICE, password=None), replace(OFFICE, id="id-9")],
    ids=["none", "elsewhere", "unknown", "not named"],
)
def test_without_such_a_one_nothing_is_shown(published):
    world = CheckedAccount(ATTACHING)
    named(world, published)
    assert found(world.write())["unattached"].shown is Shown.NOT_SHOWN


def test_a_neighbour_that_is_refused_shows_nothing():
    world = CheckedAccount(ATTACHING)
    named(world, replace(OFFICE, password=Secret("of-long-ago")))
    assert found(world.write())["unattached"].shown is Shown.NOT_SHOWN


def test_trunks_that_cannot_be_read_name_no_neighbour():
    world = CheckedAccount(ATTACHING)
    named(world, OFFICE)
    world.provider.faults["attachments"] = [FakeFault.LOST_BEFORE] * 9
    assert found(world.write())["unattached"].shown is Shown.NOT_SHOWN
