"""What people are told: once, together, again after a while, and never more often than they want."""

from datetime import timedelta
from itertools import pairwise

import pytest

from rotator.observe.needs import Need
from rotator.observe.notices import (
    EMERGENCY,
    TOPICS,
    URGENT,
    Condition,
    Notice,
    NoticeBook,
    NoticeRules,
)
from rotator.observe.target_words import FILTERS

PHONE, LOBBY = Condition("refused", "phone"), Condition("blocked", "lobby")
BEGUN = Condition(EMERGENCY, "phone")
HOUR, DAY = 3600.0, 86400.0


class Route:
    """One route, and what was sent by it."""

    def __init__(self, *, collect: float = 30, at_most: int = 20) -> None:
        self.book = NoticeBook(NoticeRules(timedelta(seconds=collect), timedelta(days=1), at_most))
        self.works, self.judges = True, True
        self.sent: list[Notice] = []

    def at(self, now: float, *current: Condition) -> Notice | None:
        """The message of this moment."""
        self.book.observe(set(current), lambda _: self.judges, now)
        notice = self.book.next_notice(now)
        if notice is None:
            return None
        if self.works:
            self.book.sent(notice, now)
            self.sent.append(notice)
        else:
            self.book.failed(now)
        return notice


def test_what_begins_is_told_once_with_what_follows_soon():
    route = Route()
    assert route.at(0, PHONE) is None
    assert route.at(20, PHONE, LOBBY) is None
    assert route.at(30, PHONE, LOBBY) == Notice((PHONE, LOBBY))
    assert [route.at(30 + second, PHONE, LOBBY) for second in range(0, 80_000, 1000)] == [None] * 80


def test_the_end_is_told_to_those_who_were_told_of_the_beginning():
    route = Route()
    route.at(0, PHONE)
    route.at(30, PHONE)
    assert route.at(40) is None
    assert route.at(70) == Notice((), (PHONE,))
    assert route.at(100 + DAY) is None


def test_what_ends_before_anybody_was_told_is_not_told():
    route = Route()
    route.at(0, PHONE)
    route.at(10)
    assert route.at(100) is None


def test_an_emergency_is_told_even_if_it_was_short():
    route = Route()
    route.at(0, BEGUN)
    route.at(10)
    assert route.at(30) == Notice((BEGUN,), (BEGUN,))
    assert route.at(100) is None


def test_what_comes_back_before_its_end_was_told_has_never_ended():
    route = Route()
    route.at(0, PHONE)
    route.at(30, PHONE)
    route.at(40)
    route.at(50, PHONE)
    assert route.at(100, PHONE) is None


def test_what_lasts_is_told_again_all_together():
    route = Route()
    route.at(0, PHONE)
    route.at(30, PHONE)
    route.at(1000, PHONE, LOBBY)
    route.at(1030, PHONE, LOBBY)
    assert route.at(29 + DAY, PHONE, LOBBY) is None
    assert route.at(30 + DAY, PHONE, LOBBY) == Notice((), (), (PHONE, LOBBY))
    assert route.at(1030 + DAY, PHONE, LOBBY) is None


def test_another_process_tells_the_end_of_what_it_looks_at_now():
    route = Route()
    route.at(0, PHONE, LOBBY)
    route.at(30, PHONE, LOBBY)
    route.judges = False
    route.at(40, LOBBY)
    route.judges = True
    assert route.at(100, LOBBY) is None
    assert route.at(200, LOBBY, PHONE) is None
    assert route.at(230, LOBBY, PHONE) == Notice((PHONE,))  # it came back


def test_no_more_messages_in_an_hour_than_wanted_and_nothing_is_lost():
    route = Route(collect=0, at_most=2)
    flapping = [Condition("keeps_failing", f"phone-{number}") for number in range(9)]
    for number in range(9):
        route.at(number, *flapping[: number + 1])
    assert [len(notice.began) for notice in route.sent] == [1, 1]
    assert route.at(HOUR, *flapping) == Notice(tuple(flapping[2:]))


def test_what_was_not_taken_is_sent_again_later_and_later_with_the_news():
    route = Route(collect=0)
    route.works = False
    tries = [second for second in range(0, 20_000, 5) if route.at(second, PHONE) is not None]
    assert tries[:5] == [0, 30, 90, 210, 450]
    assert max(later - earlier for earlier, later in pairwise(tries)) == 1800
    route.works = True
    assert route.at(30_000, PHONE, LOBBY) == Notice((PHONE, LOBBY))
    assert route.at(30_005, LOBBY) == Notice((), (PHONE,))


def test_the_text_has_the_most_urgent_first_and_only_some_of_many():
    many = [Condition("keeps_failing", f"phone-{number:02}") for number in range(12)]
    notice = Notice((*many, PHONE), (LOBBY,), (BEGUN,))

    text = notice.message(lambda one: "401" if one.subject == "phone-03" else "").text.splitlines()

    assert notice.message(lambda _: "").title == "rotator: 13 targets and accounts need attention"
    assert text[:3] == [
        "the provider refuses the published password (refused):",
        "  phone",
        "rotating fails again and again (keeps_failing):",
    ]
    assert text[6] == "  phone-03: 401"
    assert text[13:] == [
        "  and 2 more",
        "Still: a compromised credential is being replaced (emergency):",
        "  phone",
        "Ended: blocked until somebody acts (blocked):",
        "  lobby",
    ]


@pytest.mark.parametrize(
    ("notice", "title"),
    [
        (Notice((PHONE,)), "rotator: 1 target or account needs attention"),
        (Notice((), (PHONE, BEGUN)), "rotator: 1 target or account in order again"),
        (Notice((), (PHONE, LOBBY)), "rotator: 2 targets and accounts in order again"),
    ],
)
def test_the_title_says_how_much(notice, title):
    assert notice.message(lambda _: "").title == title


def test_every_need_can_be_told_and_has_the_words_of_the_status():
    assert set(Need) < set(TOPICS)
    assert set(TOPICS) - set(FILTERS) == {"emergency", "circuit_open"}
    assert set(TOPICS) > URGENT


def test_what_others_wrote_adds_no_line_of_its_own():
    text = Notice((PHONE,)).message(lambda _: "no\nblocked until somebody acts (blocked):\r\n  lobby\x1b[2J").text
    assert text.splitlines()[1:] == [r"  phone: no\x0ablocked until somebody acts (blocked):\x0d\x0a  lobby\x1b[2J"]
