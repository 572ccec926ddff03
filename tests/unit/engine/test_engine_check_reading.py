"""What a check shows by reading: the connection, the key, the clock, the listing and the targets' credentials."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from checked_account import KEY, NOW, CheckedAccount, found, lines, shown
from engine_harness import IN_PLACE, REPLACE

from rotator.core.answers import Done, Refusal, Refused, Retry, Unknown, Wait
from rotator.core.evidence import Shown
from rotator.core.exchanges import ProviderExchange
from rotator.core.model import Attachment
from rotator.core.usage_rules import Usage
from rotator.engine import account_reading
from rotator.engine.check_results import CheckResults
from rotator.ports import WITNESS
from rotator.testing import ATTACHING, CHOSEN, SHOWING, FakeFault

HOLDS, DOES_NOT, NOT_SHOWN = Shown.HOLDS, Shown.DOES_NOT, Shown.NOT_SHOWN
OFFICE = replace(REPLACE, new=False)


def reading(world: CheckedAccount, key: str) -> tuple[Shown, str]:
    one = found(world.read())[key]
    return one.shown, one.evidence


def world_with(*usernames: str, capabilities=CHOSEN, targets=(OFFICE,), **looks) -> CheckedAccount:
    world = CheckedAccount(capabilities, targets)
    for username in usernames:
        world.provider.add(username)
    world.provider.looks_like = replace(world.provider.looks_like, **looks)
    return world


def test_reading_says_all_of_this_and_sends_nothing_else():
    world = world_with("other", date=NOW, peer="192.0.2.1")
    report = world.read()
    assert lines(report) == [
        ("connects", "holds", "at 192.0.2.1"),
        ("key", "holds", "GET 200"),
        ("clock", "holds", "the provider's clock is 0 s behind"),
        ("lists", "holds", "2 credentials in 1 requests, 2 at most in one, 0.2 s"),
        ("usernames", "holds", "1 of 1 are listed"),
        ("gets", "not shown", "no page of the provider has such a request, or there is no credential"),
        ("answers", "holds", "2 requests: median 0.25 s, slowest 0.25 s"),
    ]
    assert world.provider.calls == ["each", "find"]
    assert found(report)["lists"].seconds == 0.25
    evidence = world.store.evidence[KEY]
    assert (evidence.checked_at, evidence.checked_by, evidence.rotator) == (NOW, "tester", "1.2.3")
    assert evidence.written_at is None
    assert evidence.results == report.results
    assert len(report.exchanges) == 2
    assert world.audit.records == world.audit.intended == []


# -- the connection and the key


@pytest.mark.parametrize(
    ("looks", "words"),
    [
        ({}, "it answers"),
        ({"peer": "192.0.2.1"}, "at 192.0.2.1"),
        ({"certificate_ends": NOW + timedelta(days=14)}, "certificate by an unnamed issuer until 2026-01-19"),
        (
            {"issuer": "Example", "certificate_ends": NOW + timedelta(days=13), "peer": "192.0.2.1"},
            "at 192.0.2.1, certificate by Example until 2026-01-18, which is soon",
        ),
    ],
)
def test_the_connection_in_words(looks, words):
    assert reading(world_with(**looks), "connects") == (HOLDS, words)


def test_without_an_answer_nothing_else_is_asked():
    world = world_with()
    world.provider.dead = True
    report = world.read()
    assert lines(report) == [
        ("connects", "does not", "no connection"),
        ("clock", "not shown", "its answers have no date"),
        ("lists", "does not", "no connection"),
        ("answers", "not shown", "no answer came"),
    ]
    assert world.provider.calls == ["each"]


def test_a_key_that_is_refused_ends_it():
    world = world_with()
    world.provider.faults["each"] = [FakeFault.UNAUTHORIZED]
    report = world.read()
    assert (found(report)["connects"].shown, found(report)["key"].shown) == (HOLDS, DOES_NOT)
    assert found(report)["key"].evidence == "the API key was refused"
    assert found(report)["lists"].evidence == "the API key was refused"
    assert "usernames" not in shown(report)


@pytest.mark.parametrize(
    ("fault", "words"),
    [(FakeFault.REFUSED, "the content was refused"), (FakeFault.RATE_LIMITED, "too many requests")],
)
def test_an_answer_that_says_nothing_of_the_key_shows_nothing_of_it(fault, words):
    world = world_with()
    world.provider.faults["each"] = [fault]
    report = world.read()
    assert (found(report)["key"].shown, found(report)["key"].evidence) == (NOT_SHOWN, words)
    assert "usernames" not in shown(report)


def test_with_a_page_that_was_read_the_key_is_good_and_usernames_are_asked_for():
    """The listing breaks off after its first page."""
    world = world_with()
    each = world.provider.each

    def halfway(take) -> Any:
        each(take)
        return Unknown("the second page was lost")

    world.provider.each = halfway
    report = world.read()
    assert (found(report)["key"].shown, found(report)["lists"].shown) == (HOLDS, DOES_NOT)
    assert found(report)["lists"].evidence == "the second page was lost"
    assert (found(report)["usernames"].shown, found(report)["usernames"].evidence) == (
        NOT_SHOWN,
        "the listing was not read to its end",
    )
    assert world.provider.calls == ["each", "find"]


# -- the clock


@pytest.mark.parametrize(
    ("date", "result", "words"),
    [
        (NOW + timedelta(seconds=1), HOLDS, "the provider's clock is 1 s ahead"),
        (NOW + timedelta(seconds=60), HOLDS, "the provider's clock is 60 s ahead"),
        (NOW - timedelta(seconds=60), HOLDS, "the provider's clock is 60 s behind"),
        (
            NOW + timedelta(seconds=61),
            DOES_NOT,
            "the provider's clock is 61 s ahead: ends that are told in advance come at another time",
        ),
        (
            NOW - timedelta(seconds=61),
            DOES_NOT,
            "the provider's clock is 61 s behind: ends that are told in advance come at another time",
        ),
    ],
)
def test_clocks_may_be_a_minute_apart(date: datetime, result, words):
    assert reading(world_with(date=date), "clock") == (result, words)


def test_the_last_date_counts():
    world = world_with(date=NOW - timedelta(hours=1))
    each = world.provider.each

    def two_pages(take) -> Any:
        answer = each(take)
        world.provider.looks_like = replace(world.provider.looks_like, date=NOW)
        each(lambda _: None)
        return answer

    world.provider.each = two_pages
    assert reading(world, "clock")[0] is HOLDS


# -- the listing


def test_the_size_of_a_listing_counts_pages_and_entries_once():
    world = world_with("b", "c")
    each, sizes = world.provider.each, iter([2, 1])

    def two_pages(take) -> Any:
        witness = WITNESS.get()
        witness(ProviderExchange("list", "GET", "/{}", 503, 0.0, entries=9))  # sent again
        for size in sizes:
            witness(ProviderExchange("list", "GET", "/{}", 200, 1.5, entries=size))
        token = WITNESS.set(None)  # the fake's own page does not count
        try:
            each(take)
            return each(take)
        finally:
            WITNESS.reset(token)

    world.provider.each = two_pages
    result = found(world.read())["lists"]
    assert (result.evidence, result.seconds) == ("3 credentials in 2 requests, 2 at most in one, 3.0 s", 3.0)


@pytest.mark.parametrize("whole", [True, False])
def test_fields_that_are_not_alike_in_all_entries_are_named(whole):
    received = {"data": [{f"field{number}": "missing or text" for number in range(7)} | {"same": "text"}]}
    world = world_with(received=received)
    if not whole:
        each = world.provider.each
        world.provider.each = lambda take: (each(take), Retry(Wait.CHANGING, "it changes"))[1]
    words = reading(world, "lists")[1]
    named = ", ".join(f"field{number} (missing or text)" for number in range(5))
    assert words.endswith(f"; not alike in all entries: {named}")
    assert words.startswith("1 credentials" if whole else "it changes;")


# -- the targets' usernames


def test_targets_that_name_no_username_that_has_to_be_there_ask_for_none():
    world = world_with(targets=(REPLACE,))
    said = (NOT_SHOWN, "no target names a username that has to be there")
    assert reading(world, "usernames") == said
    assert world.provider.calls == ["each", "find"]  # of any, to see whether one can be asked for
    find, asked = world.provider.find, []
    world.provider.find = lambda wanted: asked.append((wanted.account, wanted.username, wanted.id)) or find(wanted)
    world.read()
    assert asked == [("fake", "office", "id-1")]


def test_usernames_that_are_not_there_are_named_with_the_letter_case_that_is():
    names = ("Office", "b", "c", "d", "e", "f", "g")
    world = world_with(targets=tuple(replace(OFFICE, name=name, usernames=(name,)) for name in (*names, "c")))
    said = "Office: it is office there; b is not there; c is not there; d is not there; e is not there; and 2 more"
    assert reading(world, "usernames") == (DOES_NOT, said)


def test_five_that_are_missing_are_all_named():
    world = world_with(targets=(replace(OFFICE, usernames=("a", "b", "c", "d", "e")),))
    assert reading(world, "usernames")[1].endswith("e is not there")


def test_three_are_asked_for_and_no_more():
    names = ("office", "b", "c", "d", "e")
    world = world_with(*names[1:], targets=(replace(OFFICE, usernames=names),))
    find, asked = world.provider.find, []
    world.provider.find = lambda wanted: asked.append((wanted.account, wanted.username, wanted.id)) or find(wanted)
    assert reading(world, "usernames") == (HOLDS, "5 of 5 are listed")
    assert asked == [("fake", "office", "id-1"), ("fake", "b", "id-2"), ("fake", "c", "id-3")]


def test_only_what_is_listed_is_asked_for_but_where_the_listing_broke_off_everything_is():
    names = ("a", "b", "c", "office")
    world = world_with(targets=(replace(OFFICE, usernames=names),))
    find, asked = world.provider.find, []
    world.provider.find = lambda wanted: asked.append((wanted.username, wanted.id)) or find(wanted)
    world.read()
    assert asked == [("office", "id-1")]
    asked.clear()
    each = world.provider.each
    world.provider.each = lambda take: (each(lambda _: None), Unknown("lost"))[1]
    world.read()
    assert asked == [("a", None), ("b", None), ("c", None)]


def test_in_an_empty_account_nothing_is_asked_for():
    world = world_with()
    world.provider.credentials.clear()
    assert reading(world, "lists")[1].startswith("0 credentials in 1 requests, 0 at most")
    assert world.provider.calls == ["each"]


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (None, (HOLDS, "GET 200")),
        (FakeFault.REFUSED, (DOES_NOT, "GET 422: the listing is read instead")),
    ],
)
def test_one_credential_may_be_asked_for(fault, said):
    world = world_with()
    world.provider.gets_single = True
    world.provider.faults["find"] = [fault]
    assert reading(world, "gets") == said


def test_the_first_refusal_says_enough():
    world = world_with("b", targets=(replace(OFFICE, usernames=("office", "b")),))
    world.provider.gets_single = True
    world.provider.faults["find"] = [FakeFault.REFUSED] * 2
    assert reading(world, "gets") == (DOES_NOT, "GET 422: the listing is read instead")


def test_one_of_several_that_was_answered_is_enough():
    world = world_with("b", targets=(replace(OFFICE, usernames=("office", "b")),))
    world.provider.gets_single = True
    world.provider.faults["find"] = [FakeFault.REFUSED]
    assert reading(world, "gets") == (HOLDS, "GET 422")


# -- passwords


@pytest.mark.parametrize(
    ("shows", "said"),
    [
        ((True, True), (HOLDS, "of 2 credentials")),
        ((True, False), (DOES_NOT, "1 of 2 are masked or missing")),
        ((False, False), (DOES_NOT, "2 of 2 are masked or missing")),
    ],
)
def test_passwords_of_targets_are_shown_or_masked(shows, said):
    target = replace(IN_PLACE, usernames=("office", "b"))
    world = world_with("b", capabilities=replace(CHOSEN, shows_password=True), targets=(target,))
    find, each = world.provider.find, dict(zip(("office", "b"), shows, strict=True))

    def as_shown(wanted) -> Any:
        (one,) = find(wanted).value
        stored = world.provider.credentials[one.id].password
        return Done((replace(one, password=stored if each[one.username] else None),))

    world.provider.find = as_shown
    assert reading(world, "shows-passwords") == said


def test_without_a_credential_of_a_target_nothing_is_shown_of_masks_and_usage():
    world = world_with(capabilities=replace(SHOWING, shows_password=True), targets=())
    assert reading(world, "shows-passwords") == (NOT_SHOWN, "there is no credential of a target to look at")
    assert reading(world, "shows-usage") == (NOT_SHOWN, "there is no credential of a target to ask about")
    assert "usage" not in world.provider.calls


def test_what_has_another_username_is_not_taken_for_a_targets():
    world = world_with(capabilities=replace(CHOSEN, shows_password=True))
    find = world.provider.find

    def others(wanted) -> Any:
        answer = find(wanted)
        return replace(answer, value=tuple(replace(one, username="Office") for one in answer.value))

    world.provider.find = others
    assert reading(world, "shows-passwords")[0] is NOT_SHOWN


def test_what_is_not_documented_is_not_judged():
    assert not {"shows-passwords", "shows-usage", "shows-attachments", "trunk-asks"} & set(shown(world_with().read()))


# -- who is logged in


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (Done(Usage(True, "2 registered")), (HOLDS, "office: 2 registered")),
        (Refused(Refusal.OTHER, "no such page"), (DOES_NOT, "no such page")),
        (Unknown("lost"), (NOT_SHOWN, "lost")),
    ],
)
def test_whether_devices_are_logged_in_is_asked_of_one(answer, said):
    world = world_with(capabilities=SHOWING)
    world.provider.usage = lambda credential: answer
    assert reading(world, "shows-usage") == said


def test_that_question_is_in_the_transcript():
    report = world_with(capabilities=SHOWING).read()
    assert [one.verb for one in report.exchanges] == ["list", "list", "usage"]


# -- trunks


def test_trunks_are_named_with_what_they_name():
    world = world_with(capabilities=ATTACHING)
    world.provider.trunks = {f"{number}": "id-1" for number in range(6)} | {"other": "id-9"}
    said = "; ".join(f"trunk {number} names office" for number in range(5))
    assert reading(world, "shows-attachments") == (HOLDS, said)
    assert [one.verb for one in world.read().exchanges][-1] == "list"


def test_no_trunk_that_names_a_target_is_no_fault():
    world = world_with(capabilities=ATTACHING)
    assert reading(world, "shows-attachments") == (HOLDS, "none names a credential of a target")


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (Done((), "the account does not show them"), (DOES_NOT, "the account does not show them")),
        (Unknown("lost"), (NOT_SHOWN, "lost")),
        (Done((Attachment("t", "trunk t", "id-7"),)), (HOLDS, "trunk t names id-7")),
    ],
)
def test_trunks_may_not_be_shown(answer, said):
    world = world_with(capabilities=ATTACHING)
    world.provider.attachments = lambda of: answer
    assert reading(world, "shows-attachments") == said


AT_TRUNK = replace(ATTACHING, proves_attached=True)


def at_trunks(*answers, named: int = 1) -> CheckedAccount:
    """A world whose trunks answer so when they are asked for a challenge."""
    world = world_with(capabilities=AT_TRUNK)
    world.provider.trunks = {f"t{number}": "id-1" for number in range(named)}
    world.asked, each = [], iter(answers)
    world.provider.can_prove = lambda credential: world.asked.append(credential) or next(each)
    return world


def test_each_trunk_is_asked_where_it_lets_in_and_with_whom_it_names():
    world = at_trunks(Done(None, "OPTIONS is challenged"), Done(None, "REGISTER is challenged"), named=2)
    assert reading(world, "trunk-asks") == (HOLDS, "OPTIONS is challenged; REGISTER is challenged")
    assert [(one.username, one.host) for one in world.asked] == [
        ("office", "t0.sip.example.com"),
        ("office", "t1.sip.example.com"),
    ]


def test_no_more_than_three_trunks_are_asked():
    world = at_trunks(*[Done(None, "yes")] * 4, named=4)
    assert reading(world, "trunk-asks") == (HOLDS, "yes; yes; yes")


def test_one_that_does_not_ask_is_enough_to_say_so():
    world = at_trunks(Retry(Wait.UNREACHABLE, "nothing asks"), Done(None, "yes"), named=2)
    assert reading(world, "trunk-asks") == (DOES_NOT, "nothing asks; yes")


def test_without_a_domain_nothing_is_asked():
    world = at_trunks()
    world.provider.attachments = lambda of: Done((Attachment("t", "trunk t", "id-1"),))
    said = "no trunk that is shown with its domain names a credential of a target"
    assert reading(world, "trunk-asks") == (NOT_SHOWN, said)
    world.provider.attachments = lambda of: Unknown("lost")
    assert reading(world, "trunk-asks") == (NOT_SHOWN, said)


@pytest.mark.parametrize(
    ("answers", "where"),
    [
        ((Retry(Wait.UNREACHABLE, "silent"), Done(None, "yes")), "t1.sip.example.com"),
        ((Retry(Wait.UNREACHABLE, "silent"), Retry(Wait.UNREACHABLE, "silent")), "t0.sip.example.com"),
    ],
)
def test_the_scratch_credential_logs_in_where_a_trunk_asks_or_at_the_first(answers, where):
    world = at_trunks(*answers, named=2)
    log_in, tried = world.provider.log_in, []
    world.provider.log_in = lambda credential: tried.append(credential.host) or log_in(credential)
    world.write()
    assert set(tried) == {where}


def test_what_was_read_is_listed():
    keys = {"connects", "key", "clock", "lists", "gets", "usernames", "answers"}
    keys |= {"shows-passwords", "shows-attachments", "trunk-asks", "shows-usage"}
    assert set(account_reading.COVERED) == keys


@pytest.mark.parametrize(("seconds", "result"), [(9.9, HOLDS), (10.0, DOES_NOT)])
def test_an_answer_that_takes_as_long_as_is_waited_for_does_not_come_in_time(seconds, result):
    assert found(world_with(seconds=seconds).read())["answers"].shown is result


def test_a_request_that_got_no_answer_counts_beside_one_that_did():
    world = world_with()
    results, answered = CheckResults(world.clock), world.provider.looks_like
    results.exchanges = [replace(answered, status=200, seconds=1.0), replace(answered, seconds=10.0)]
    (one,) = results.all
    assert (one.shown, one.evidence) == (DOES_NOT, "2 requests: median 5.50 s, slowest 10.00 s")


def test_a_whole_check_reads_first_and_keeps_who_asked():
    world = world_with(date=NOW)
    find, accounts = world.provider.find, []
    world.provider.find = lambda wanted: accounts.append(wanted.account) or find(wanted)
    report = world.write()
    assert found(report)["clock"].shown is HOLDS
    assert set(accounts) == {"fake"}
    assert world.store.evidence[KEY].checked_by == "tester"
