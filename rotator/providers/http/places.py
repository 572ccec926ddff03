"""Where the entries of a long listing were last, so that most look-ups take one page instead of all of them."""

from collections.abc import Iterable, Mapping

from rotator.providers.http.listing import PageOutline, PageRequest, page_from

_FEW_PAGES = 8  # up to which a reading that is shared costs less
_MOST = 500_000


class ListingPlaces:
    """A guess at the page of each entry. A wrong one costs a request, nothing else."""

    def __init__(self, size: int, *, numbered: bool) -> None:
        """Knows nothing yet; `size` and `numbered` as for a `Walk`."""
        self.complete = False
        """Whether the whole listing was read once, so that what is not known is new."""
        self._size, self._numbered = size, numbered
        self._positions: dict[int, int] = {}  # by the hash of key and value, to save memory
        self._end = 0

    def note(self, page: PageOutline, keys: Iterable[Mapping[str, str | None]]) -> None:
        """Remembers the entries of a page."""
        self._end = page.total if page.total is not None else max(self._end, page.end)
        if not self._is_long:
            return
        if len(self._positions) > _MOST:
            self._positions.clear()
        for position, named in enumerate(keys, page.start):
            for key, value in named.items():
                if value:
                    self._positions[hash((key, value))] = position

    def page_for(self, key: str, value: str) -> PageRequest | None:
        """Returns the page to look at first: around the last place, or at the end for what is new."""
        if not self._is_long:
            return None
        position = self._positions.get(hash((key, value)))
        if position is None:
            if not self.complete:
                return None
            return page_from(self._end - self._size // 4, self._size, numbered=self._numbered)
        return page_from(max(position - self._size // 2, 0), self._size, numbered=self._numbered)

    def forget(self, key: str, value: str) -> None:
        """Forgets an entry that is not where it was."""
        self._positions.pop(hash((key, value)), None)

    @property
    def _is_long(self) -> bool:
        return self._end > _FEW_PAGES * self._size > 0
