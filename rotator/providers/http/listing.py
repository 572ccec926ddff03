"""Reading a listing of several pages to its end, and believing only what adds up.

A provider may cut pages shorter than they were asked for, repeat one, or have something added or removed while it is
read. So a reading counts only where its pages fit together, and what is absent from it is looked for once more.
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
class Page(Generic[T]):
    """One page."""

    items: tuple[T, ...]
    total: int | None  # how many items all pages have together; None where that is not said


ReadPage: TypeAlias = Callable[[int, int], Page[T] | Failure | None]
"""Reads the page after so many pages and so many items; None where the answer is that of another page."""


@dataclass(slots=True)
class _Whole(Generic[T]):
    ids: set[str] = field(default_factory=set)
    found: list[T] = field(default_factory=list)
    pages: int = 0


def search(read: ReadPage[T], wanted: Callable[[T], bool]) -> Answer[tuple[T, ...]]:
    """Every item that is `wanted`; nothing else is kept. The empty tuple: the whole listing was read for certain.

    While a listing of several pages is read, an item can move from a page not yet read to one already read. So what
    was not found there is looked for a second time.
    """
    whole = _read_stable(read, wanted)
    if isinstance(whole, Done) and whole.value.pages > 1 and not whole.value.found:
        whole = _read_stable(read, wanted)
    return Done(tuple(whole.value.found)) if isinstance(whole, Done) else whole


def _read_stable(read: ReadPage[T], wanted: Callable[[T], bool]) -> Answer[_Whole[T]]:
    for _ in range(_READINGS):
        whole = _read_whole(read, wanted)
        if whole is not None:
            return whole
    return Unknown("the listing contradicts itself, repeats itself or changes each time while it is read")


def _read_whole(read: ReadPage[T], wanted: Callable[[T], bool]) -> Answer[_Whole[T]] | None:
    """Reads all pages; None where they do not fit together, as when something was added in between."""
    whole: _Whole[T] = _Whole()
    total: int | None = None
    while len(whole.ids) < _MOST_ITEMS:
        page = read(whole.pages, len(whole.ids))
        if not isinstance(page, Page):
            return page
        fresh = {item.id for item in page.items} - whole.ids
        if len(fresh) < len(page.items) or (whole.pages and page.total != total):
            return None
        whole.ids |= fresh
        whole.found += filter(wanted, page.items)
        whole.pages, total = whole.pages + 1, page.total
        if len(whole.ids) == total or (total is None and not page.items):
            return Done(whole)
        if not page.items or (total is not None and len(whole.ids) > total):
            return None
    return Unknown(f"the listing has more than {_MOST_ITEMS} entries")
