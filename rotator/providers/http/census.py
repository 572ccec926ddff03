"""When pages that were read at different moments show everything that a listing had at one of them.

Others add, remove and move entries between any two pages, and so do we, so an entry may slip from a page that follows
to one that was read. What was seen before a moment and after it was there at that moment, since what was removed does
not come back under the same id. The page with the listing's end shows how many entries there were when it was read. If
as many were seen before and after that moment, or on that page itself, they are all of them: no other one was there.
"""

from collections import deque
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

_MOMENTS = 4  # ends of which everything may still come to be known: entries that move may take more than one pass


@dataclass(slots=True)
class _ListingEnd:
    """The moment at which the page with the end was read."""

    page: int  # the number of that page
    entries: int  # of the whole listing, at that moment
    known: int  # of them, that were certainly there


class Census:
    """Counts the pages of a listing, and the entries that were certainly there at the moments of its ends."""

    def __init__(self) -> None:
        """Begins with no page."""
        self.pages = 0
        """How many pages were read."""
        self.ends = 0
        """How many of them had the listing's end."""
        self.whole_at = 0
        """The number of the last page at whose moment everything is known; 0: there is none yet."""
        self._last_seen: dict[Hashable, int] = {}  # the number of the page, by entry
        self._moments: deque[_ListingEnd] = deque(maxlen=_MOMENTS)
        self._passes: deque[int] = deque([0, 0], maxlen=2)  # the numbers of the pages with the last two ends

    def take(self, entries: Sequence[Hashable | None], end: int | None) -> None:
        """Takes the next page.

        Args:
            entries: what tells the page's entries apart; None for one that nothing tells apart. Whoever is answered
                must know that one may be meant: it is counted as often as it is shown.
            end: how many entries the listing has at most, if the page has its end.
        """
        self.pages += 1
        told_apart = {one for one in entries if one is not None}
        others = sum(one is None for one in entries)
        for moment in self._moments:
            moment.known += others + sum(self._last_seen.get(one, moment.page) < moment.page for one in told_apart)
        self._last_seen |= dict.fromkeys(told_apart, self.pages)
        if end is not None:
            self._take_end(_ListingEnd(self.pages, end, others + len(told_apart)))
        self.whole_at = max((one.page for one in self._moments if one.known >= one.entries), default=self.whole_at)

    def is_new(self, entries: Sequence[Hashable | None], after: int) -> bool:
        """True if one of the entries was on none of the pages after the page with this number."""
        return any(one is not None and self._last_seen.get(one, 0) <= after for one in entries)

    def _take_end(self, moment: _ListingEnd) -> None:
        self.ends += 1
        self._moments.append(moment)
        # What two whole passes did not show is gone, and forgotten.
        floor = self._passes[0]
        self._last_seen = {one: page for one, page in self._last_seen.items() if page > floor}
        self._passes.append(moment.page)
