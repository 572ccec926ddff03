"""The directory of an account: what is shared, what is kept, and what a page that came too early does not answer."""

import threading
from dataclasses import dataclass, field
from typing import Any

import pytest
from polling import eventually

from rotator.core.answers import Done, Refusal, Refused, Retry, Unknown, Wait
from rotator.core.secret import Secret
from rotator.providers.http.directory import Directories, Directory
from rotator.providers.http.listing import PageRequest
from rotator.providers.http.pages import ListedEntry, Page, Question
from rotator.testing import FakeClock

SIZE = 10


@dataclass
class Call:
    """A call with so many requests' time."""

    requests: int = 1_000

    @property
    def left(self) -> float:
        return float(self.requests)


@dataclass
class Listing:
    """The names of an account's credentials, in pages."""

    names: list[str]
    numbered: bool = False
    asked: list[PageRequest] = field(default_factory=list)
    unreadable: tuple[str, ...] = ()
    failure: Any = None

    def __post_init__(self) -> None:
        self.clock = FakeClock()
        self.directory: Directory[str] = Directory(self.clock, (SIZE,), numbered=self.numbered)

    def read(self, asked: PageRequest, page: Page[str], call: Call) -> Any:
        call.requests -= 1
        self.asked.append(asked)
        if self.failure is not None:
            return self.failure
        for name in self.names[asked.start : asked.start + asked.size]:
            page.add(ListedEntry({"id": name}, None if name in self.unreadable else name))
        page.total = len(self.names)
        return None

    def find(self, name: str, call: Call | None = None) -> Any:
        call = call or Call()
        return self.directory.search(Question("id", name), lambda asked, page: self.read(asked, page, call), call)


def names(count: int) -> list[str]:
    return [f"n{number}" for number in range(count)]


def test_what_time_does_not_suffice_for_goes_on_where_it_was():
    listing = Listing(names(45))
    first = listing.find("nobody", Call(2))
    assert isinstance(first, Retry)
    assert first.why is Wait.READING
    assert "20 entries" in first.message or "19 entries" in first.message
    assert listing.find("nobody") == Done(())
    assert [one.start for one in listing.asked] == [0, 9, 18, 27, 36, 0, 9, 18, 27]


def test_what_was_created_meanwhile_is_asked_for_anew():
    listing = Listing(names(45))
    assert isinstance(listing.find("new", Call(2)), Retry)
    listing.directory.forget(Question("id", "new"))
    listing.names.insert(0, "new")
    assert listing.find("new") == Done(("new",))


def test_a_question_that_comes_back_late_is_a_new_one():
    listing = Listing(names(45))
    assert isinstance(listing.find("new", Call(2)), Retry)
    listing.names.insert(0, "new")
    listing.clock.sleep(301)
    assert listing.find("new") == Done(("new",))


@pytest.mark.parametrize("failure", [Unknown("a 500"), Refused(Refusal.AUTHENTICATION, "a 401")])
def test_a_page_that_fails_is_the_answer_of_the_one_who_asked_and_loses_nothing(failure):
    listing = Listing(names(45))
    assert isinstance(listing.find("nobody", Call(2)), Retry)
    listing.failure = failure
    assert listing.find("somebody") == failure
    listing.failure = None
    assert listing.find("nobody") == Done(())
    assert [one.start for one in listing.asked] == [0, 9, 18, 18, 27, 36, 0, 9, 18, 27]


def test_a_reading_rests_when_nobody_waits():
    listing = Listing(names(45))
    assert listing.find("n15") == Done(("n15",))
    assert len(listing.asked) == 2
    assert listing.find("nobody") == Done(())
    assert [one.start for one in listing.asked[2:]] == [18, 27, 36, 0, 9, 18, 27]


def test_what_keeps_coming_and_going_is_not_known_in_bounded_time():
    """An entry that is there all the time moves before each page to where nobody reads: nothing shows that it does."""
    listing = Listing(names(45))

    def read(asked: PageRequest, page: Page[str]) -> None:
        listing.names.remove("n7")
        listing.names.insert(0 if asked.start else 44, "n7")
        listing.names.remove(next(one for one in listing.names if one != "n7"))
        listing.names.append(f"new{len(listing.asked)}")
        listing.read(asked, page, Call())

    answer = listing.directory.search(Question("id", "n7"), read, Call())
    assert isinstance(answer, Retry)
    assert answer.why is Wait.CHANGING
    assert len(listing.asked) == 25
    assert listing.find("n7") == Done(("n7",))


def test_an_unreadable_entry_counts_where_it_may_be_meant():
    listing = Listing(names(5), unreadable=("n3",))
    assert listing.find("n4") == Done(("n4",))
    assert isinstance(listing.find("n3"), Unknown)
    assert "id n3" in listing.find("nobody").note


def passed(listing: Listing, read: Any = None, call: Call | None = None) -> tuple[Any, set[str]]:
    call, taken = call or Call(), set()
    reader = read or (lambda asked, page: listing.read(asked, page, call))
    return listing.directory.each(str.upper, taken.add, reader, call), taken


def test_everything_is_passed_once_it_is_certainly_all():
    listing = Listing(names(45))
    answer, taken = passed(listing, call=Call(2))
    assert (answer.why, taken) == (Wait.READING, set())
    assert passed(listing) == (Done(None), {name.upper() for name in names(45)})


def test_what_can_be_read_is_passed_although_an_entry_cannot():
    listing = Listing(names(25), unreadable=("n3",))
    answer, taken = passed(listing)
    assert isinstance(answer, Unknown)
    assert "id n3" in answer.message
    assert taken == {name.upper() for name in names(25) if name != "n3"}


def test_what_was_seen_is_passed_although_too_much_moves():
    listing = Listing(names(25))

    def read(asked: PageRequest, page: Page[str]) -> None:
        listing.names.remove("n7")
        listing.names.insert(0 if asked.start else 24, "n7")
        listing.names.remove(next(one for one in listing.names if one != "n7"))
        listing.names.append(f"new{len(listing.asked)}")
        listing.read(asked, page, Call())

    answer, taken = passed(listing, read)
    assert (type(answer), answer.why) == (Retry, Wait.CHANGING)
    assert "N24" in taken


def test_a_page_that_was_asked_for_before_the_question_does_not_answer_it():
    """It was on its way, with an entry that is gone now."""
    listing = Listing(names(5))
    on_its_way, go_on = threading.Event(), threading.Event()
    answers: dict[str, Any] = {}

    def read_slowly(asked: PageRequest, page: Page[str]) -> None:
        listing.read(asked, page, Call())
        on_its_way.set()
        assert go_on.wait(10)

    def ask_first() -> None:
        answers["first"] = listing.directory.search(Question("id", "n1"), read_slowly, Call())

    def ask_then() -> None:
        answers["then"] = listing.find("n2")

    first, then = threading.Thread(target=ask_first), threading.Thread(target=ask_then)
    first.start()
    assert on_its_way.wait(10)
    listing.names.remove("n2")
    then.start()
    eventually(lambda: len(listing.directory._waiters) == 2 or None, "the second one waits")
    go_on.set()
    first.join()
    then.join()
    assert answers == {"first": Done(("n1",)), "then": Done(())}


@pytest.mark.parametrize("place", [20, 44])
def test_a_page_on_its_way_does_not_answer_a_question_that_was_taken_up_since(place):
    """The state from before a write would be taken for that after it, or the page for one that shows nothing."""
    listing = Listing(names(45))
    wanted = f"n{place}"
    assert isinstance(listing.find(wanted, Call(2)), Retry)
    on_its_way, go_on = threading.Event(), threading.Event()

    def read_slowly(asked: PageRequest, page: Page[str]) -> None:
        listing.read(asked, page, Call())
        on_its_way.set()
        assert go_on.wait(10)

    other = threading.Thread(
        target=lambda: listing.directory.search(Question("id", "n40"), read_slowly, Call()), daemon=True
    )
    other.start()
    assert on_its_way.wait(10)
    answers: list[Any] = []
    asked_before = len(listing.asked)
    again = threading.Thread(target=lambda: answers.append(listing.find(wanted)), daemon=True)
    again.start()
    eventually(lambda: len(listing.directory._waiters) == 2 or None, "it is asked again")
    go_on.set()
    again.join()
    other.join()
    assert answers == [Done((wanted,))]
    assert len(listing.asked) > asked_before


def test_one_reading_answers_everybody_who_waits():
    listing = Listing(names(95))
    answers: list[Any] = []

    def read_when_all_wait(asked: PageRequest, page: Page[str]) -> None:
        eventually(lambda: listing.asked or len(listing.directory._waiters) == 8 or None, "all wait")
        listing.read(asked, page, Call())

    def ask(number: int) -> None:
        answers.append(listing.directory.search(Question("id", f"nobody{number}"), read_when_all_wait, Call()))

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == [Done(())] * 8
    assert len(listing.asked) == 21


@pytest.mark.parametrize("numbered", [False, True])
def test_in_a_long_listing_an_entry_is_looked_for_where_it_was_and_a_new_one_at_the_end(numbered):
    listing = Listing(names(200), numbered=numbered)
    assert listing.find("nobody") == Done(())
    listing.asked.clear()
    for name in ("n0", "n117", "n199"):
        assert listing.find(name) == Done((name,))
    listing.names.append("new")
    assert listing.find("new") == Done(("new",))
    assert len(listing.asked) == 4
    listing.names.remove("n50")
    assert listing.find("n50") == Done(())


def test_accounts_with_one_address_and_key_share_a_directory():
    directories = Directories()
    made = [
        directories.of(where, {"key": Secret(key)}, lambda: Directory(FakeClock()))
        for where, key in (("a", "k"), ("a", "k"), ("a", "l"), ("b", "k"))
    ]
    assert made[0] is made[1]
    assert len({id(one) for one in made}) == 3
