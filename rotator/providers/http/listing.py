"""Reads all pages of a listing, and checks that the pages fit together.

A provider may send shorter pages than requested or repeat one, and somebody may add or remove an item meanwhile. So a
reading counts only if its pages fit together, and an absent item is searched for once more.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeAlias, TypeVar

from rotator.core.answers import Answer, Done, Unknown
from rotator.providers.http.replies import Failure

_MOST_ITEMS = 20_000
_READINGS = 3


class Identified(Protocol):
    """Anything with an id."""

    @property
    def id(self) -> str:
        """Unique in the listing."""
        ...


T = TypeVar("T", bound=Identified)


@dataclass(frozen=True, slots=True)
class ListingPage(Generic[T]):
    """One page."""

    items: tuple[T, ...]
    total: int | None  # number of items on all pages; None if the provider does not report it


ReadPage: TypeAlias = Callable[[int, int], ListingPage[T] | Failure | None]
"""Reads the page after that many pages and items; returns None if the answer is a different page."""


@dataclass(slots=True)
class _Whole(Generic[T]):
    ids: set[str] = field(default_factory=set)
    matches: list[T] = field(default_factory=list)
    pages: int = 0


def search(read: ReadPage[T], wanted: Callable[[T], bool]) -> Answer[tuple[T, ...]]:
    """Returns every item that is `wanted`; the empty tuple only after the whole listing was certainly read.

    While the pages are read, an item can move from an unread page to one already read. So if nothing matches, the whole
    listing is read again.
    """
    whole = _read_stable(read, wanted)
    if isinstance(whole, Done) and whole.value.pages > 1 and not whole.value.matches:
        whole = _read_stable(read, wanted)
    return Done(tuple(whole.value.matches)) if isinstance(whole, Done) else whole


def _read_stable(read: ReadPage[T], wanted: Callable[[T], bool]) -> Answer[_Whole[T]]:
    for _ in range(_READINGS):
        whole = _read_whole(read, wanted)
        if whole is not None:
            return whole
    return Unknown("the pages of the listing do not fit together, or it changed while it was read")


def _read_whole(read: ReadPage[T], wanted: Callable[[T], bool]) -> Answer[_Whole[T]] | None:
    """Reads all pages; returns None if they do not fit together, for example because an item was added meanwhile."""
    whole: _Whole[T] = _Whole()
    total: int | None = None
    while len(whole.ids) < _MOST_ITEMS:
        page = read(whole.pages, len(whole.ids))
        if not isinstance(page, ListingPage):
            return page
        fresh = {item.id for item in page.items} - whole.ids
        if len(fresh) < len(page.items) or (whole.pages and page.total != total):
            return None
        whole.ids |= fresh
        whole.matches += filter(wanted, page.items)
        whole.pages, total = whole.pages + 1, page.total
        if len(whole.ids) == total or (total is None and not page.items):
            return Done(whole)
        if not page.items or (total is not None and len(whole.ids) > total):
            return None
    return Unknown(f"the listing has more than {_MOST_ITEMS} entries")
