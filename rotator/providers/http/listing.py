"""The walk through a listing's pages, round and round: which page comes next, and which one has the listing's end.

What the pages show together is for the `Census`. The walk only sees to it that little slips through: each page repeats
one in twenty entries of the page before, so that a few entries which others remove meanwhile hide nothing.
"""

from collections.abc import Hashable
from dataclasses import dataclass

from rotator.providers.http.census import Census

MOST_ENTRIES = 1_000_000
"""A listing that goes on beyond it has no end."""
_PATIENCE = 3  # pages in a row that may not fit, lead nowhere, or show nothing new
_OVERLAP = 20  # a page repeats one in twenty entries of the page before


@dataclass(frozen=True, slots=True)
class PageRequest:
    """A page to be read: at most `size` entries from the position `start`. Both are 0 for a listing in one piece."""

    start: int
    size: int


@dataclass(frozen=True, slots=True)
class PageOutline:
    """What a walk has to know of a page."""

    start: int
    entries: tuple[Hashable | None, ...]  # what tells each apart: its id, if that can be read
    total: int | None  # number of entries on all pages; None if the provider does not report it

    @property
    def end(self) -> int:
        """The position after its last entry."""
        return self.start + len(self.entries)

    @property
    def fits(self) -> bool:
        """False if an id occurs twice, or the total says that there are fewer or more entries."""
        ids = [one for one in self.entries if isinstance(one, str)]
        if len(set(ids)) < len(ids):
            return False
        return self.total is None or (self.end <= self.total if self.entries else self.start >= self.total)


class Walk:
    """A walk from the beginning of a listing to its end, and again."""

    def __init__(self, size: int, *, numbered: bool = False) -> None:
        """Prepares a walk.

        Args:
            size: the longest page to ask for; 0: the listing comes in one piece.
            numbered: the provider counts pages, so that a page begins at a multiple of its size.
        """
        self.census = Census()
        self.astray = False
        """The pages do not fit together, or have no end."""
        self._longest_asked, self._numbered = size, numbered
        self._in_vain = 0
        self._begin()

    def _begin(self) -> None:
        self.cursor = 0
        """The position after the last entry that was read in this pass."""
        self._size = self._longest_asked
        self._longest = 0  # page so far: a provider may send shorter pages than asked for
        self._back = 0  # how far before the cursor the next page begins
        self._news = 0  # the cursor after the last page with an entry that this pass had not seen
        self._first = self.census.pages  # the number of the last page before this pass

    def next_page(self) -> PageRequest:
        """Returns the page to be read next."""
        following = page_from(self.cursor - self._back, self._size, numbered=self._numbered)
        if following.start + following.size > self.cursor:
            return following
        return page_from(self.cursor, self._size, numbered=self._numbered)  # no page reaches to both sides of it

    def take(self, page: PageOutline, asked: PageRequest) -> None:
        """Goes on by the page that was read for `asked`."""
        if not page.fits:
            self.reject()
            return
        fresh, further = self.census.is_new(page.entries, self._first), page.end > self.cursor
        last = self._is_last(page, asked, fresh=fresh)
        # One piece is of one moment, and may be long: none of it has to be remembered.
        self.census.take(page.entries if self._size else (), (page.end if self._size else 0) if last else None)
        if last:
            self._in_vain = 0
            self._begin()
        else:
            self._go_on(page, asked)
            self._news = self.cursor if fresh else self._news
            # What others add shifts what was read to pages that follow. It is not more than was read.
            if further and self.cursor <= 2 * self._news + self._longest:
                self._in_vain = 0
            else:
                self.reject()

    def reject(self) -> None:
        """Notes a page that leads nowhere, or is another one than was asked for."""
        self._in_vain += 1
        self.astray = self._in_vain > _PATIENCE or not self._size

    def _go_on(self, page: PageOutline, asked: PageRequest) -> None:
        count = len(page.entries)
        self._longest = max(self._longest, count)
        self.cursor = page.end
        # At least one entry is repeated, and at least one can be new.
        self._back = min(max(self._longest // _OVERLAP, 1), count - 1)
        if page.start == 0 and self._numbered and count < asked.size:
            self._size = count  # where the next page begins depends on how long pages really are
        if self.cursor > MOST_ENTRIES:
            self.astray = True

    def _is_last(self, page: PageOutline, asked: PageRequest, *, fresh: bool) -> bool:
        """True if nothing follows: the page is empty or has room for more, and nobody says that there is more."""
        count = len(page.entries)
        if not count or not self._size:
            return True
        has_room = count < asked.size and (not self._longest or count < self._longest)
        if page.total is not None:
            return has_room and page.end == page.total
        return has_room and self._longest > 0 and not fresh


def page_from(reach: int, size: int, *, numbered: bool) -> PageRequest:
    """Returns the page that has the position `reach` and goes on furthest beyond it."""
    if not numbered:
        return PageRequest(reach, size)
    best = max(range(max(size // 2, 1), size + 1), key=lambda each: (reach // each * each + each, each))
    return PageRequest(reach // best * best, best)
