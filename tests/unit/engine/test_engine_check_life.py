"""The life of a scratch credential: what is sent, what is shown of each assumption, and what is on record."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from checked_account import KEY, NOW, CheckedAccount, found, lines, shown
from engine_harness import IN_PLACE

from rotator.core import evidence as known
from rotator.core.answers import Done, Refusal, Refused, Retry, Unknown, Wait
from rotator.core.audit_words import AuditOutcome, AuditVerb
from rotator.core.evidence import Assumption, Shown
from rotator.core.model import Credential
from rotator.core.passwords import PasswordRules
from rotator.testing import ATTACHING, CHOSEN, GENERATED, FakeFault

HOLDS, DOES_NOT, NOT_SHOWN = Shown.HOLDS, Shown.DOES_NOT, Shown.NOT_SHOWN
LET_IN, REFUSED = "let in within 0.0 s: asking the fake", "refused within 0.0 s: not accepted"
BY_READING = {one.key for one in (known.CONNECTS, known.KEY, known.CLOCK, known.LISTS, known.USERNAMES, known.GETS)}


def life(report) -> list[tuple[str, str, str]]:
    """What was shown beside reading."""
    return [line for line in lines(report) if line[0] not in BY_READING]


def sent(world: CheckedAccount) -> list[str]:
    """The provider's verbs, without those of the reading before."""
    return world.provider.calls[world.provider.calls.index("create") :]


def test_everything_is_tried_in_this_order_and_judged_by_these_words():
    world = CheckedAccount()
    report = world.write()
    assert life(report) == [
        ("creates", "holds", "POST 200"),
        ("finds", "holds", "GET 200"),
        ("logs-in", "holds", LET_IN),
        ("wrong-refused", "holds", REFUSED),
        ("sets-password", "holds", "PUT 200"),
        ("new-logs-in", "holds", LET_IN),
        ("old-refused", "holds", REFUSED),
        ("sets-again", "holds", "PUT 200"),
        ("disables", "holds", "PUT 200"),
        ("disabled-refused", "holds", REFUSED),
        ("enables", "holds", "PUT 200"),
        ("enabled-logs-in", "holds", LET_IN),
        ("deletes", "holds", "DELETE 200"),
        ("deleted-refused", "holds", REFUSED),
        ("deletes-again", "holds", "DELETE 404; no such credential"),
        ("propagates", "holds", "0.0 s at the most"),
        ("answers", "holds", "11 requests: median 0.25 s, slowest 0.25 s"),
    ]
    before = ["create", "find", "find", "log_in", "log_in", "set_password", "log_in", "log_in", "set_password"]
    after = ["disable", "find", "log_in", "enable", "log_in", "delete", "log_in", "delete"]
    assert sent(world) == [*before, *after]
    texts = {one.key: one.text for one in vars(known).values() if isinstance(one, Assumption)}
    assert {one.key: one.text for one in report.results}.items() <= texts.items()
    timed = {one.key: one.seconds for one in report.results if one.seconds is not None and one.key != "lists"}
    instant = dict.fromkeys(("logs-in", "wrong-refused", "new-logs-in", "old-refused", "disabled-refused"), 0.0)
    instant |= dict.fromkeys(("enabled-logs-in", "deleted-refused", "propagates"), 0.0)
    assert timed == instant | dict.fromkeys(("creates", "sets-password", "sets-again", "answers"), 0.25)
    assert world.usernames == ["office"]
    assert world.clock.now() == NOW
    assert report.left == ()
    assert report.account == "fake"


def test_what_generates_passwords_is_ended_in_advance_and_stays_disabled():
    world = CheckedAccount(GENERATED)
    assert life(world.write()) == [
        ("creates", "holds", "POST 200"),
        ("finds", "holds", "GET 200"),
        ("logs-in", "holds", LET_IN),
        ("wrong-refused", "holds", REFUSED),
        ("expires", "holds", "PUT 200"),
        ("lifts-end", "holds", "PUT 200"),
        ("disables", "holds", "PUT 200"),
        ("disabled-refused", "holds", REFUSED),
        ("deletes", "holds", "DELETE 200"),
        ("deletes-again", "holds", "DELETE 404; no such credential"),
        ("propagates", "holds", "0.0 s at the most"),
        ("answers", "holds", "10 requests: median 0.25 s, slowest 0.25 s"),
    ]
    assert world.usernames == ["office"]
    effects = ["create", "expire", "enable", "disable", "delete"]
    assert [one.facts["effect"] for one in world.audit.records] == effects


def test_every_effect_is_on_record_with_what_it_was_done_to():
    world = CheckedAccount()
    world.write()
    records = world.audit.records
    assert {(one.verb, one.target) for one in records} == {(AuditVerb.CHECK_PROVIDER, "")}
    assert {(one.facts["account"], one.facts["username"]) for one in records} == {("fake", "rotatorcheckbbb8ayn1")}
    effects = ["create", "set_password", "set_password", "disable", "enable", "delete"]
    assert [one.facts["effect"] for one in records] == effects
    assert [one.facts["effect"] for one in world.audit.intended] == effects
    assert [one.facts["credential"] for one in records] == [None, *["id-2"] * 5]
    assert {one.outcome for one in records} == {AuditOutcome.DONE}
    assert not any("detail" in one.facts for one in records)


def test_an_effect_that_fails_is_on_record_with_the_reason():
    world = CheckedAccount()
    world.provider.faults["create"] = [FakeFault.REFUSED]
    world.write()
    (record,) = world.audit.records
    assert record.outcome is AuditOutcome.REFUSED
    assert record.facts["detail"] == "the content was refused"


def test_every_password_is_learnt_and_keeps_to_the_rules():
    world = CheckedAccount()
    limits = replace(CHOSEN.password_limits, longest=16, symbol=1, symbols="-_")
    world.provider.capabilities = replace(CHOSEN, password_limits=limits)
    world.write()
    assert set(world.learnt) >= {one.password.reveal() for one in world.provider.credentials.values()} - {
        "the-password-of-office"
    }
    lengths = {len(one) for one in world.learnt}
    assert lengths == {16, 32}  # a longer one is tried where the pages allow fewer
    assert all(set(one) & {"-", "_"} for one in world.learnt)
    assert all(one.replace("-", "").replace("_", "").isalnum() for one in world.learnt)


def test_where_no_symbol_is_allowed_none_is_used():
    world = CheckedAccount()
    world.provider.capabilities = replace(CHOSEN, password_limits=PasswordRules(symbol=0, symbols="", longest=20))
    world.write()
    assert all(one.isalnum() for one in world.learnt)
    assert {len(one) for one in world.learnt} == {20, 32}


@pytest.mark.parametrize(
    ("fault", "result", "words"),
    [
        (FakeFault.REFUSED, DOES_NOT, "POST 422; the content was refused"),
        (FakeFault.UNAUTHORIZED, NOT_SHOWN, "POST 401; the API key was refused"),
    ],
)
def test_a_refused_create_made_nothing_and_ends_the_life(fault, result, words):
    world = CheckedAccount()
    world.provider.faults["create"] = [fault]
    report = world.write()
    assert life(report)[0] == ("creates", result.value, words)
    assert "finds" not in shown(report)
    assert sent(world) == ["create"]
    assert world.left == []


@pytest.mark.parametrize("capabilities", [CHOSEN, GENERATED])
def test_a_create_whose_answer_is_lost_is_found_and_completed(capabilities):
    world = CheckedAccount(capabilities, [IN_PLACE])
    find, complete, asked, likes = world.provider.find, world.provider.complete, [], []
    world.provider.find = lambda wanted: asked.append(wanted.password) or find(wanted)
    world.provider.complete = lambda made, like=None: likes.append(like.username) or complete(made, like)
    world.provider.faults["create"] = [FakeFault.LOST_AFTER]
    report = world.write()
    assert found(report)["creates"].shown is HOLDS
    assert found(report)["creates"].evidence == "POST without an answer, GET 200, PUT 200"
    assert found(report)["creates"].seconds is None
    assert sent(world)[:4] == ["create", "find", "complete", "find"]
    assert world.clock.now() == NOW + timedelta(seconds=30)
    assert found(report)["logs-in"].shown is HOLDS
    assert world.usernames == ["office"]
    assert likes == ["office"]
    assert set(asked) == {None}


def test_a_create_that_never_arrived_stays_unknown():
    world = CheckedAccount()
    world.provider.faults["create"] = [FakeFault.LOST_BEFORE]
    report = world.write()
    said = ("creates", "not shown", "POST without an answer, GET 200; the answer was lost")
    assert life(report)[0] == said
    (left,) = report.left
    assert left.endswith(": its create got no answer, and may still arrive")
    assert [one.username for one in world.left] == ["rotatorcheckbbb8ayn1"]


def test_a_long_propagation_is_not_waited_for_wholly():
    world = CheckedAccount(replace(CHOSEN, propagation=timedelta(minutes=5)))
    world.provider.faults["create"] = [FakeFault.LOST_AFTER]
    world.write()
    assert world.clock.now() == NOW + timedelta(seconds=30)


def test_a_new_one_that_is_not_found_is_said():
    world = CheckedAccount()
    world.provider.faults["find"] = [None, FakeFault.REFUSED]
    world.provider.add("hidden")
    find = world.provider.find
    seen: list[Credential] = []

    def only_by_id(wanted) -> Any:
        seen.append(wanted)
        return find(wanted if wanted.id else replace(wanted, username="somebody-else"))

    world.provider.find = only_by_id
    report = world.write()
    assert found(report)["finds"].shown is DOES_NOT
    by_name, by_id = [one for one in seen if one.username.startswith("rotatorcheck")][:2]
    assert (by_name.id, by_name.password) == (None, None)
    assert (by_id.id, by_id.password) == ("id-3", None)


def test_what_is_made_under_a_name_of_its_own_is_looked_for_by_the_attempt():
    world = CheckedAccount(GENERATED)
    find, seen = world.provider.find, []
    world.provider.find = lambda wanted: seen.append(wanted) or find(wanted)
    assert shown(world.write())["finds"] is HOLDS
    (by_name,) = [one for one in seen if one.id is None]
    assert by_name.username == ""
    assert by_name.attempt


def test_a_request_for_one_credential_is_judged_by_the_scratch_one():
    world = CheckedAccount()
    world.provider.gets_single = True
    assert found(world.write())["gets"].evidence == "GET 200"
    world.provider.faults["find"] = [None, None, FakeFault.REFUSED]
    assert (found(world.write())["gets"].shown, found(world.write())["gets"].shown) == (DOES_NOT, HOLDS)


@pytest.mark.parametrize("masked", [False, True])
def test_passwords_are_shown_or_masked(masked):
    world = CheckedAccount(replace(GENERATED, shows_password=True))
    if masked:
        find = world.provider.find

        def without(wanted) -> Any:
            answer = find(wanted)
            return replace(answer, value=tuple(replace(one, password=None) for one in answer.value))

        world.provider.find = without
    result = found(world.write())["shows-passwords"]
    assert (result.shown, result.evidence) == (
        (DOES_NOT, "masked or missing") if masked else (HOLDS, "of the scratch credential")
    )


def test_whether_passwords_are_shown_is_not_asked_where_no_page_says_so():
    assert "shows-passwords" not in shown(CheckedAccount(GENERATED).write())


# -- what one answer shows


@pytest.mark.parametrize(
    ("verb", "key", "fault", "result"),
    [
        ("set_password", "sets-password", FakeFault.REFUSED, DOES_NOT),
        ("set_password", "sets-password", FakeFault.UNAUTHORIZED, NOT_SHOWN),
        ("disable", "disables", FakeFault.REFUSED, DOES_NOT),
        ("enable", "enables", FakeFault.REFUSED, DOES_NOT),
        ("delete", "deletes", FakeFault.REFUSED, DOES_NOT),
        ("delete", "deletes", FakeFault.UNAUTHORIZED, NOT_SHOWN),
    ],
)
def test_a_refusal_says_that_it_does_not_hold_unless_the_key_is_refused(verb, key, fault, result):
    world = CheckedAccount()
    world.provider.faults[verb] = [fault]
    assert shown(world.write())[key] is result


def test_without_a_password_that_can_be_set_nothing_follows_from_it():
    world = CheckedAccount()
    world.provider.faults["set_password"] = [FakeFault.REFUSED] * 9
    report = world.write()
    assert not {"new-logs-in", "old-refused", "sets-again"} & set(shown(report))
    assert shown(report)["deleted-refused"] is HOLDS


def test_a_disable_that_is_taken_and_ignored_does_not_hold():
    world = CheckedAccount()
    world.provider.ignores.add("disable")
    report = world.write()
    assert found(report)["disables"].evidence == "PUT 200; and then it is shown enabled"
    assert found(report)["disables"].shown is DOES_NOT
    assert found(report)["disabled-refused"].shown is DOES_NOT
    assert found(report)["disabled-refused"].evidence == "still let in after 30.0 s: asking the fake"


def test_what_was_not_disabled_is_neither_tried_nor_enabled():
    world = CheckedAccount()
    world.provider.faults["disable"] = [FakeFault.REFUSED]
    report = world.write()
    assert not {"disabled-refused", "enables", "enabled-logs-in"} & set(shown(report))
    assert found(report)["disables"].evidence == "PUT 422; the content was refused"
    assert found(report)["deleted-refused"].shown is HOLDS


def test_what_was_not_enabled_again_is_not_tried_after_the_delete():
    world = CheckedAccount()
    world.provider.faults["enable"] = [FakeFault.REFUSED]
    report = world.write()
    assert "enabled-logs-in" not in shown(report)
    assert "deleted-refused" not in shown(report)


def test_what_cannot_be_disabled_is_not():
    world = CheckedAccount(replace(CHOSEN, disables=False))
    assert "disables" not in shown(world.write())
    assert "disable" not in world.provider.calls


def test_an_end_that_is_refused_is_not_lifted():
    world = CheckedAccount(GENERATED)
    world.provider.faults["expire"] = [FakeFault.REFUSED]
    report = world.write()
    assert found(report)["expires"].shown is DOES_NOT
    assert "lifts-end" not in shown(report)


def test_an_end_is_an_hour_ahead():
    world = CheckedAccount(GENERATED)
    expire, told = world.provider.expire, []
    world.provider.expire = lambda credential, at: told.append(at) or expire(credential, at)
    world.write()
    assert told == [NOW + timedelta(hours=1)]


def test_a_delete_that_finds_nothing_holds_and_one_that_goes_on_finding_it_is_said():
    world = CheckedAccount()
    world.provider.delete = lambda credential: Refused(Refusal.NOT_FOUND, "no such credential")
    report = world.write()
    assert (found(report)["deletes"].shown, found(report)["deletes-again"].shown) == (HOLDS, HOLDS)
    assert shown(report)["deleted-refused"] is DOES_NOT
    again = CheckedAccount()
    delete, answers = again.provider.delete, []

    def second_is_refused(credential) -> Any:
        answers.append(credential)
        return delete(credential) if len(answers) == 1 else Refused(Refusal.OTHER, "no")

    again.provider.delete = second_is_refused
    report = again.write()
    assert (found(report)["deletes-again"].shown, found(report)["deletes-again"].evidence) == (DOES_NOT, "no")
    assert len(report.left) == 0  # nothing is found of it any more


# -- other forms of a request


def test_a_form_that_was_refused_before_another_one_is_told():
    world = CheckedAccount()
    verbs = ("set_password", "disable", "enable", "delete")
    world.provider.first_forms = {verb: Assumption(f"form-{verb}", verb) for verb in verbs}
    assert {shown(world.write())[f"form-{verb}"] for verb in verbs} == {HOLDS}
    world.provider.refuses_form = set(verbs)
    report = world.write()
    assert {shown(report)[f"form-{verb}"] for verb in verbs} == {DOES_NOT}
    assert found(report)["form-disable"].evidence == "PUT 422, PUT 200"
    evidence = world.store.evidence[KEY]
    assert {evidence.shown(one) for one in world.provider.first_forms.values()} == {DOES_NOT}


@pytest.mark.parametrize(("looks_after", "result"), [((1,), DOES_NOT), ((2,), HOLDS), ((1, 2), DOES_NOT)])
def test_the_answer_to_a_first_change_may_need_a_look_to_be_understood(looks_after, result):
    """After the same password was set again a look says nothing; nor does one after the others."""
    world = CheckedAccount()
    world.provider.first_forms = {verb: Assumption(f"form-{verb}", verb) for verb in ("set_password", "enable")}
    set_password, enable, number = world.provider.set_password, world.provider.enable, iter(range(1, 9))

    def set_and_look(credential) -> Any:
        answer = set_password(credential)
        if next(number) in looks_after:
            world.provider.find(credential)
        return answer

    world.provider.set_password = set_and_look
    world.provider.enable = lambda credential: (enable(credential), world.provider.find(credential))[0]
    report = world.write()
    assert shown(report)["form-set_password"] is result
    if result is DOES_NOT:
        assert found(report)["form-set_password"].evidence == "PUT 200, GET 200"
    assert shown(report)["form-enable"] is HOLDS


def test_a_form_of_which_no_request_was_answered_is_not_shown():
    world = CheckedAccount()
    world.provider.first_forms = {"enable": Assumption("form-enable", "enable")}
    world.provider.faults["enable"] = [FakeFault.UNREACHABLE] * 6
    result = found(world.write())["form-enable"]
    assert (result.shown, result.evidence) == (NOT_SHOWN, "no such request was answered")


# -- calls that are tried again


def test_an_answer_that_says_later_is_asked_for_again_and_no_oftener_than_agreed():
    world = CheckedAccount()
    world.provider.faults["set_password"] = [FakeFault.RATE_LIMITED, FakeFault.UNREACHABLE]
    report = world.write()
    assert shown(report)["sets-password"] is HOLDS
    assert world.clock.now() == NOW + timedelta(seconds=7 + 4)  # what was asked for, then twice the pause
    tired = CheckedAccount()
    tired.provider.faults["set_password"] = [FakeFault.UNREACHABLE] * 20
    report = tired.write()
    assert shown(report)["sets-password"] is NOT_SHOWN
    assert tired.provider.calls.count("set_password") == 6
    assert tired.clock.now() == NOW + timedelta(seconds=2 + 4 + 6 + 8 + 10)


def test_no_wait_is_longer_than_half_a_minute():
    world = CheckedAccount()
    answers = [Retry(Wait.RATE_LIMITED, "later", timedelta(hours=1)), Unknown("lost", timedelta(seconds=31))]
    disable = world.provider.disable
    world.provider.disable = lambda credential: answers.pop(0) if answers else disable(credential)
    world.write()
    assert world.clock.now() == NOW + timedelta(seconds=60)


@pytest.mark.parametrize("why", [Wait.IN_USE, Wait.ATTACHED])
def test_what_no_moment_changes_is_not_asked_for_again(why):
    world = CheckedAccount()
    asked: list[Credential] = []
    world.provider.delete = lambda credential: asked.append(credential) or Retry(why, "calls")
    report = world.write()
    assert found(report)["deletes"].shown is NOT_SHOWN
    assert len(asked) == 2  # once in the life, once in the cleaning
    assert "deleted-refused" not in shown(report)
    assert [one.partition(": ")[2] for one in report.left] == ["calls"]


# -- what no trunk names


def test_a_credential_that_no_trunk_names_is_let_in():
    world = CheckedAccount(ATTACHING)
    result = found(world.write())["unattached"]
    assert result.shown is HOLDS
    assert result.evidence == "the scratch credential was let in, and no trunk names it"


def test_where_only_what_a_trunk_names_is_let_in_nothing_is_said_of_log_ins():
    world = CheckedAccount(ATTACHING)
    world.provider.attached_only = True
    report = world.write()
    words = "the scratch credential is refused, and no trunk names it"
    for key in ("logs-in", "unattached"):
        assert (found(report)[key].shown, found(report)[key].evidence) == (NOT_SHOWN, words)
    skipped = ("wrong-refused", "new-logs-in", "old-refused", "disabled-refused", "enabled-logs-in", "deleted-refused")
    for key in skipped:
        assert (found(report)[key].shown, found(report)[key].evidence) == (NOT_SHOWN, "no log-in was let in before")
    assert "propagates" not in shown(report)
    assert world.provider.calls.count("log_in") == 6  # after 0, 1, 3, 7, 15 and 30 seconds
    assert world.clock.now() == NOW + timedelta(seconds=30)


def test_what_attaches_nothing_is_not_judged_by_trunks():
    world = CheckedAccount()
    world.provider.accepts = lambda username, password: False
    report = world.write()
    assert "unattached" not in shown(report)
    assert found(report)["logs-in"].evidence == "refused after 30.0 s: not accepted"
    assert found(report)["logs-in"].shown is DOES_NOT


# -- one that the operator named


def test_an_expendable_one_is_set_twice_and_gets_its_password_back_where_that_is_known():
    world = CheckedAccount(replace(CHOSEN, creates=False), targets=())
    world.provider.add("spare", "the-old-one")
    set_password, log_in, sent, tried = world.provider.set_password, world.provider.log_in, [], []
    world.provider.set_password = lambda one: sent.append(one.password.reveal()) or set_password(one)
    world.provider.log_in = lambda one: tried.append(one.password.reveal()) or log_in(one)
    report = world.write("spare")
    assert sent[:2] == tried[:2] == world.learnt[:2]
    assert (sent[2], tried[3]) == (sent[1], sent[0])
    assert tried[2] not in sent
    assert life(report) == [
        ("sets-password", "holds", "PUT 200"),
        ("new-logs-in", "holds", LET_IN),
        ("wrong-refused", "holds", REFUSED),
        ("old-refused", "holds", REFUSED),
        ("sets-again", "holds", "PUT 200"),
        ("propagates", "holds", "0.0 s at the most"),
        ("answers", "holds", "5 requests: median 0.25 s, slowest 0.25 s"),
    ]
    assert "create" not in world.provider.calls
    assert "delete" not in world.provider.calls


def test_a_first_password_that_is_refused_leaves_an_expendable_one_alone():
    world = CheckedAccount(replace(CHOSEN, creates=False), targets=())
    world.provider.add("spare", "the-old-one")
    world.provider.faults["set_password"] = [FakeFault.REFUSED]
    report = world.write("spare")
    assert life(report)[0][:2] == ("sets-password", "does not")
    assert world.provider.calls.count("set_password") == 1
    assert "new-logs-in" not in shown(report)


# -- longer passwords


@pytest.mark.parametrize(
    ("faults", "accepted", "result", "words"),
    [
        ([], True, HOLDS, "32 characters"),
        ([], False, DOES_NOT, "32 characters are taken, and the log-in is refused"),
        ([None, None, FakeFault.REFUSED], True, DOES_NOT, "PUT 422; the content was refused"),
    ],
)
def test_a_longer_password_is_tried(faults, accepted, result, words):
    world = CheckedAccount(replace(CHOSEN, password_limits=replace(CHOSEN.password_limits, longest=31)))
    world.provider.faults["set_password"] = [*faults]
    accepts = world.provider.accepts
    world.provider.accepts = lambda username, password: (
        accepts(username, password) and (accepted or len(password.reveal()) < 32)
    )
    longer = found(world.write())["longer-passwords"]
    assert (longer.shown, longer.evidence) == (result, words)


def test_a_longer_password_that_is_let_in_late_is_let_in():
    world = CheckedAccount(replace(CHOSEN, password_limits=replace(CHOSEN.password_limits, longest=31)))
    accepts, began = world.provider.accepts, []

    def late(username, password) -> Any:
        if len(password.reveal()) < 32:
            return accepts(username, password)
        began.append(world.clock.now())
        return accepts(username, password) and world.clock.now() - began[0] > timedelta(seconds=2)

    world.provider.accepts = late
    report = world.write()
    assert found(report)["longer-passwords"].evidence == "32 characters"
    assert [one - began[0] for one in began[:3]] == [timedelta(seconds=seconds) for seconds in (0, 1, 3)]


def test_a_longer_password_without_a_log_in_is_only_taken():
    rules = replace(CHOSEN.password_limits, longest=31)
    proof = replace(CHOSEN.proof, tries_password=False)
    world = CheckedAccount(replace(CHOSEN, password_limits=rules, proof=proof))
    report = world.write()
    assert found(report)["longer-passwords"].evidence == "32 characters; no log-in tried it"
    assert found(report)["logs-in"].evidence == "no log-in is configured that tries a password"
    assert "log_in" not in world.provider.calls
    assert world.clock.now() == NOW


def test_where_longer_ones_are_documented_none_is_tried():
    limits = replace(CHOSEN.password_limits, longest=32)
    assert "longer-passwords" not in shown(CheckedAccount(replace(CHOSEN, password_limits=limits)).write())


# -- log-ins


def test_a_log_in_that_nobody_answers_shows_nothing():
    world = CheckedAccount()
    world.provider.faults["log_in"] = [FakeFault.UNREACHABLE] * 60
    report = world.write()
    assert (found(report)["logs-in"].shown, found(report)["logs-in"].evidence) == (NOT_SHOWN, "no connection")
    assert found(report)["logs-in"].seconds is None
    assert shown(report)["deleted-refused"] is NOT_SHOWN


def test_the_last_try_is_at_the_end_of_the_propagation_time():
    world = CheckedAccount(replace(CHOSEN, propagation=timedelta(seconds=7.5)))
    world.provider.accepts = lambda username, password: False
    result = found(world.write())["logs-in"]
    assert (result.shown, result.seconds, result.evidence) == (DOES_NOT, 7.5, "refused after 7.5 s: not accepted")
    assert world.provider.calls.count("log_in") == 5  # after 0, 1, 3, 7 and 7.5 seconds


def test_one_that_was_let_in_late_says_how_late():
    world = CheckedAccount()
    accepts = world.provider.accepts
    late = NOW + timedelta(seconds=2)
    world.provider.accepts = lambda username, password: world.clock.now() > late and accepts(username, password)
    report = world.write()
    assert found(report)["logs-in"].evidence == "let in within 3.0 s: asking the fake"
    assert (found(report)["propagates"].evidence, found(report)["propagates"].seconds) == ("3.0 s at the most", 3.0)


def test_what_was_let_in_once_makes_every_later_refusal_count():
    world = CheckedAccount()
    world.provider.set_password = Done  # and nothing is changed
    report = world.write()
    assert found(report)["new-logs-in"].evidence == "refused after 30.0 s: not accepted"
    assert found(report)["old-refused"].evidence == "still let in after 30.0 s: asking the fake"
    assert found(report)["old-refused"].seconds == 30.0
    assert (shown(report)["new-logs-in"], shown(report)["old-refused"]) == (DOES_NOT, DOES_NOT)
    assert shown(report)["disabled-refused"] is HOLDS
