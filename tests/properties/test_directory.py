"""The directory of an account, while others add and remove entries between any two pages.

Whatever the order of the entries, the size of the pages and the moment of each change: what is there all the time is
never reported absent, and what was gone before the question is never reported there.
"""

import itertools
from dataclasses import dataclass, field
from random import Random
from types import SimpleNamespace
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st
from long_runs import examples

from rotator.core.answers import Done, Unknown
from rotator.providers.http.directory import Directory, ListedEntry, Page, Question
from rotator.providers.http.listing import PageRequest
from rotator.providers.http.replies import Failure
from rotator.testing import FakeClock

CALL = SimpleNamespace(left=1.0)
ASTRAY = "the pages of the listing do not fit together, repeat themselves or have no end"
ORDERS = ("oldest first", "newest first", "by name", "by chance")


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
    changes: list[str] = field(default_factory=list)  # before each page: what is added "+" and removed "-"
    random: Random = field(default_factory=Random)  # where

    def __post_init__(self) -> None:
        self._numbers = itertools.count()
        if self.total == "early":
            self.cap = 100  # a first page that is shortened is told from a last one by its total alone

    def add(self) -> Stored:
        number = next(self._numbers)
        made = Stored(f"id{number}", f"{self.random.randrange(1000):03}n{number}")
        index = {"oldest first": len(self.entries), "newest first": 0}.get(self.order)
        if index is None:
            index = self.random.randint(0, len(self.entries))
        self.entries.insert(index, made)
        if self.order == "by name":
            self.entries.sort(key=lambda one: one.username)
        return made

    def remove(self, *kept: Stored) -> None:
        rest = [one for one in self.entries if one not in kept]
        if rest:
            self.entries.remove(self.random.choice(rest))

    def read(self, asked: PageRequest, page: Page[Stored], *kept: Stored) -> Failure | None:
        early = len(self.entries)
        for change in self.changes.pop(0) if self.changes else "":
            if change == "+":
                self.add()
            else:
                self.remove(*kept)
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
    changes=st.lists(st.text("+-", max_size=30), max_size=30),
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


@examples(500)
@example(ChangingListing("newest first", 3, numbered=True, total="none", changes=["", "+"], random=Random(0)), 7, 1)
@given(listing=listings, count=counts, times=st.integers(1, 3))
def test_what_is_there_all_the_time_is_never_absent(listing, count, times):
    kept = one_of(listing, count)
    directory = directory_for(listing)
    for _ in range(times):
        answer = ask(directory, listing, kept.username, kept)
        assert answer in (Done((kept,)), Unknown(ASTRAY))
    listing.changes.clear()
    assert ask(directory, listing, kept.username) == Done((kept,))


@examples(300)
@given(listing=listings, count=counts)
def test_what_was_gone_before_the_question_is_never_there(listing, count):
    gone = one_of(listing, count)
    directory = directory_for(listing)
    ask(directory, listing, gone.username, gone)
    listing.entries.remove(gone)
    assert ask(directory, listing, gone.username) in (Done(()), Unknown(ASTRAY))
    listing.changes.clear()
    assert ask(directory, listing, gone.username) == Done(())


@examples(200)
@given(listing=listings.filter(lambda one: one.cap > 3), count=counts)
def test_what_only_we_add_spoils_no_reading(listing, count):
    """A fleet that creates while it looks up: 168 of 200 failed."""
    listing.changes = [changed.replace("-", "+") for changed in listing.changes]
    one_of(listing, count + 10)  # pages of a single entry, without a total, cannot overlap
    listing.total = "right" if listing.total == "early" else listing.total
    assert ask(directory_for(listing), listing, "nobody") == Done(())
