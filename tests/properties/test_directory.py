"""The directory of an account, while others add, remove and move entries between any two pages.

Whatever the order of the entries, the size of the pages and the moment of each change: what is there all the time is
never reported absent, and what was gone before the question is never reported there.
"""

import itertools
import re
from dataclasses import dataclass, field
from random import Random
from types import SimpleNamespace
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st
from long_runs import examples

from rotator.core.answers import Done, Retry, Unknown, Wait
from rotator.providers.http.directory import Directory
from rotator.providers.http.listing import PageRequest
from rotator.providers.http.pages import ListedEntry, Page, Question
from rotator.providers.http.replies import Failure
from rotator.testing import FakeClock

CALL = SimpleNamespace(left=1.0)
ASTRAY = "the pages of the listing do not fit together, repeat themselves or have no end"
ORDERS = ("oldest first", "newest first", "by name", "by chance", "last change first", "last change last")


@dataclass(frozen=True)
class Stored:
    id: str
    username: str


@dataclass
class ChangingListing:
    """A listing in pages that changes as it is told, between any two requests."""

    order: str
    cap: int = 100
    numbered: bool = False
    total: str = "right"  # "none", or "early": counted before the page was selected
    entries: list[Stored] = field(default_factory=list)
    # Before each page: what is added "+", removed "-", changed "*", moved anywhere "~", and the wanted one moved "!".
    changes: list[str] = field(default_factory=list)
    random: Random = field(default_factory=Random)  # where

    def __post_init__(self) -> None:
        self._numbers = itertools.count()
        if self.total == "early":
            self.cap = 100  # a first page that is shortened is told from a last one by its total alone

    def add(self) -> Stored:
        number = next(self._numbers)
        made = Stored(f"id{number}", f"{self.random.randrange(1000):03}n{number}")
        self.put(made)
        return made

    def put(self, one: Stored) -> None:
        ends = {"oldest first": len(self.entries), "newest first": 0}
        ends |= {"last change last": ends["oldest first"], "last change first": 0}
        index = ends.get(self.order)
        self.entries.insert(self.random.randint(0, len(self.entries)) if index is None else index, one)
        if self.order == "by name":
            self.entries.sort(key=lambda one: one.username)

    def change(self) -> None:
        if self.order.startswith("last change") and self.entries:
            self.put(self.entries.pop(self.random.randrange(len(self.entries))))

    def move(self, *which: Stored) -> None:
        """Moves one of these entries, or of all, to anywhere, whatever the order says."""
        movable = which or self.entries
        if movable:
            one = self.random.choice(movable)
            self.entries.remove(one)
            self.entries.insert(self.random.randint(0, len(self.entries)), one)

    def remove(self, *kept: Stored) -> None:
        rest = [one for one in self.entries if one not in kept]
        if rest:
            self.entries.remove(self.random.choice(rest))

    def read(self, asked: PageRequest, page: Page[Stored], *kept: Stored) -> Failure | None:
        early = len(self.entries)
        for change in self.changes.pop(0) if self.changes else "":
            if change == "+":
                self.add()
            elif change == "-":
                self.remove(*kept)
            elif change == "*":
                self.change()
            else:
                self.move(*(kept if change == "!" else ()))
        size = min(asked.size, self.cap)
        page.start = asked.start // asked.size * size if self.numbered else asked.start
        for one in self.entries[page.start : page.start + size]:
            page.add(ListedEntry({"id": one.id, "username": one.username}, one))
        page.total = {"right": len(self.entries), "early": early}.get(self.total)
        return None


listings = st.builds(
    ChangingListing,
    order=st.sampled_from(ORDERS),
    cap=st.sampled_from([1, 2, 3, 7, 20, 100]),
    numbered=st.booleans(),
    total=st.sampled_from(["right", "early", "none"]),
    changes=st.lists(st.text("+-*~!", max_size=30), max_size=30),
    random=st.integers(0, 2**32).map(Random),
)
counts = st.integers(1, 90)


def directory_for(listing: ChangingListing) -> Directory[Stored]:
    return Directory(FakeClock(), (20,), numbered=listing.numbered)


def one_of(listing: ChangingListing, count: int) -> Stored:
    """Fills the listing and picks an entry."""
    for _ in range(count):
        listing.add()
    return listing.random.choice(listing.entries)


def ask(directory: Directory[Stored], listing: ChangingListing, username: str, *kept: Stored) -> Any:
    question = Question("username", username)
    return directory.search(question, lambda asked, page: listing.read(asked, page, *kept), CALL)


def is_not_known(answer: Any) -> bool:
    return answer == Unknown(ASTRAY) or (isinstance(answer, Retry) and answer.why is Wait.CHANGING)


@examples(500)
@example(ChangingListing("newest first", 3, numbered=True, total="none", changes=["", "+"], random=Random(0)), 7, 1)
@given(listing=listings, count=counts, times=st.integers(1, 3))
def test_what_is_there_all_the_time_is_never_absent(listing, count, times):
    kept = one_of(listing, count)
    directory = directory_for(listing)
    for _ in range(times):
        answer = ask(directory, listing, kept.username, kept)
        assert answer == Done((kept,)) or is_not_known(answer)
    listing.changes.clear()
    assert ask(directory, listing, kept.username) == Done((kept,))


@examples(300)
@given(listing=listings, count=counts)
def test_what_was_gone_before_the_question_is_never_there(listing, count):
    gone = one_of(listing, count)
    directory = directory_for(listing)
    ask(directory, listing, gone.username, gone)
    listing.entries.remove(gone)
    answer = ask(directory, listing, gone.username)
    assert answer == Done(()) or is_not_known(answer)
    listing.changes.clear()
    assert ask(directory, listing, gone.username) == Done(())


@examples(200)
@given(listing=listings.filter(lambda one: one.cap > 3), count=counts)
def test_what_only_we_add_spoils_no_reading(listing, count):
    """A fleet that creates while it looks up: 168 of 200 failed. What keeps coming before the end has to calm down."""
    listing.changes = [re.sub("[^+*]", "+", changed) for changed in listing.changes]
    one_of(listing, count + 10)
    listing.total = "right" if listing.total == "early" else listing.total
    directory = directory_for(listing)
    answer = ask(directory, listing, "nobody")
    at_the_end = listing.order in ("oldest first", "last change last")
    assert answer == Done(()) or (not at_the_end and isinstance(answer, Retry) and answer.why is Wait.CHANGING)
    listing.changes.clear()
    assert ask(directory, listing, "nobody") == Done(())
