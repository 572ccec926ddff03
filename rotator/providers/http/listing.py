"""The walk through a listing's pages: which page comes next, and when all of them together show every entry.

While it lasts, others add and remove entries, and so do we. An entry that is there all the time and was not seen yet
stands, in the listing's order, after every entry that was seen, as long as each page begins with one that was seen
before. So pages overlap, and where a page has lost its hold, the next one begins further back. The end is a page that
shows nothing new and has room for more. No total has to stand still, and the order of the entries does not matter.
"""

from collections import deque
from dataclasses import dataclass
from enum import Enum

MOST_ENTRIES = 1_000_000
"""A listing that goes on beyond it has no end."""
_PATIENCE = 3  # times that pages may not fit, lead nowhere, or lead back to the beginning
_REMEMBERED_PAGES = 4
_OVERLAP = 20  # a page repeats one in twenty entries of the page before


@dataclass(frozen=True, slots=True)
class PageRequest:
    """A page to be read: at most `size` entries from the position `start`."""

    start: int
    size: int


@dataclass(frozen=True, slots=True)
class PageOutline:
    """What a walk has to know of a page: its ids in order, None for one that cannot be read."""

    start: int
    ids: tuple[str | None, ...]
    total: int | None  # number of entries on all pages; None if the provider does not report it

    @property
    def end(self) -> int:
        """The position after its last entry."""
        return self.start + len(self.ids)

    @property
    def known(self) -> tuple[str, ...]:
        """The ids that can be read."""
        return tuple(one for one in self.ids if one is not None)

    @property
    def fits(self) -> bool:
        """False if an entry occurs twice, or the total says that there are fewer or more."""
        if len(set(self.known)) < len(self.known):
            return False
        return self.total is None or (self.end <= self.total if self.ids else self.start >= self.total)


class WalkState(Enum):
    """How far a walk is."""

    GOING = "going"
    ENDED = "ended"  # every entry that was there all the time was on one of its pages
    ASTRAY = "astray"  # the pages do not fit together, or have no end


class Walk:
    """One walk from the beginning of a listing to its end."""

    def __init__(self, size: int, *, numbered: bool = False) -> None:
        """Prepares a walk.

        Args:
            size: the longest page to ask for.
            numbered: the provider counts pages, so that a page begins at a multiple of its size.
        """
        self.state = WalkState.GOING
        self.cursor = 0  # the position after the last entry that was read
        self._size, self._numbered = size, numbered
        self._seen: deque[tuple[str, ...]] = deque(maxlen=_REMEMBERED_PAGES)
        self._longest = 0  # page so far: a provider may send shorter pages than asked for
        self._back = 0  # how far before the cursor the next page begins
        self._in_vain = self._restarts = 0
        self._passes: _Passes | None = None

    def next_page(self) -> PageRequest:
        """Returns the page to be read next."""
        if self._passes is not None:
            return PageRequest(self.cursor, self._size)
        return page_from(max(self.cursor - self._back, 0), self._size, numbered=self._numbered)

    def take(self, page: PageOutline, asked: PageRequest) -> None:
        """Goes on by the page that was read for `asked`."""
        if not page.fits:
            self.reject()
        elif self._passes is not None:
            self._take_apart(page, self._passes)
        elif page.start > 0 and not self._is_seen(page.known[:1]):
            self._back = min(max(2 * self._back, self._size // 2), self.cursor)
        else:
            if page.start == 0 and self.cursor > 0:
                self._restart()
            self._accept(page, asked)

    def reject(self) -> None:
        """Notes a page that leads nowhere, or is another one than was asked for."""
        self._in_vain += 1
        if self._in_vain > _PATIENCE:
            self.state = WalkState.ASTRAY

    def _is_seen(self, ids: tuple[str, ...]) -> bool:
        return any(one in page for one in ids for page in self._seen)

    def _restart(self) -> None:
        self._restarts += 1
        self._seen.clear()
        self.cursor = self._back = 0
        if self._restarts > _PATIENCE:
            self.state = WalkState.ASTRAY

    def _accept(self, page: PageOutline, asked: PageRequest) -> None:
        count, before = len(page.ids), self._longest
        fresh = any(not self._is_seen((one,)) for one in page.known)
        self._seen.append(page.known)
        self._longest = max(before, count)
        self.cursor = page.end
        # At least one entry is repeated, and at least one can be new.
        self._back = min(max(self._longest // _OVERLAP, 1), max(count - 1, 1))
        if page.start == 0 and self._numbered and 0 < count < asked.size:
            self._size = count  # where the next page begins depends on how long pages really are
        if _is_last(page, asked, before, fresh=fresh):
            self.state = WalkState.ENDED
        elif self._cannot_overlap():
            self._passes, self.cursor = _Passes(), 0
        elif fresh:
            self._in_vain = 0
        else:
            self.reject()
        if self.cursor > MOST_ENTRIES:
            self.state = WalkState.ASTRAY

    def _cannot_overlap(self) -> bool:
        """True for pages of one entry, and where no number and size of a page reach to both sides of the cursor."""
        following = self.next_page()
        return self._longest == 1 or following.start + following.size <= self.cursor

    def _take_apart(self, page: PageOutline, passes: "_Passes") -> None:
        if len(page.ids) > self._longest:
            self._passes, self._longest = None, len(page.ids)
            self._restart()
            return
        self.cursor = page.end
        last = not page.ids or page.end == page.total or (page.total is None and len(page.ids) < self._longest)
        spoiled = not passes.take(page.ids) or self.cursor > MOST_ENTRIES
        if last or spoiled:
            self.cursor = 0
            if passes.end(spoiled=spoiled):
                self.state = WalkState.ENDED
            elif passes.count > _PATIENCE:
                self.state = WalkState.ASTRAY
        elif self._numbered and self.cursor % self._size:
            self.reject()


class _Passes:
    """Passes over pages that do not overlap: the end counts if two in a row saw the same entries.

    Without an overlap, an entry is passed over only if one that was read is removed, and the next pass lacks that one.
    """

    def __init__(self) -> None:
        self.count = 1
        self._order: dict[str, None] = {}  # the ids of this pass so far
        self._before: list[str] | None = None

    def take(self, ids: tuple[str | None, ...]) -> bool:
        """Adds a page. Returns False if an entry comes again or cannot be read."""
        for one in ids:
            if one is None or one in self._order:
                return False
            self._order[one] = None
        return True

    def end(self, *, spoiled: bool) -> bool:
        """Ends a pass. Returns True if it agrees with the one before."""
        order = None if spoiled else list(self._order)
        agrees = order is not None and order == self._before
        self._before = order
        self._order.clear()
        self.count += 1
        return agrees


def page_from(reach: int, size: int, *, numbered: bool) -> PageRequest:
    """Returns the page that has the position `reach` and goes on furthest beyond it."""
    if not numbered:
        return PageRequest(reach, size)
    best = max(range(max(size // 2, 1), size + 1), key=lambda each: (reach // each * each + each, each))
    return PageRequest(reach // best * best, best)


def _is_last(page: PageOutline, asked: PageRequest, longest: int, *, fresh: bool) -> bool:
    """True if nothing follows: the page has room for more, and nobody says that there is more."""
    count = len(page.ids)
    if page.total is not None:
        has_room = count < asked.size and (not longest or count < longest)
        return page.end == page.total and (has_room or not count)
    return not count or (not fresh and count < min(longest, asked.size))
