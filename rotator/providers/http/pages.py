"""A page of an account's listing while it is read: it keeps what was asked for, and little of the rest."""

from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeAlias, TypeVar

from rotator.providers.http.listing import PageOutline, PageRequest
from rotator.providers.http.replies import Failure

T = TypeVar("T")

_MOST_COUNTED = 1_000  # unreadable entries on a page


@dataclass(frozen=True, slots=True)
class Question:
    """What somebody looks for: the entries with this value under a key, such as `id` or `username`.

    Without a key, every entry is meant.
    """

    key: str
    value: str
    unique: bool = True  # at most one entry has it, so the first one found is the answer
    brief: Callable[[Any], Any] | None = field(default=None, compare=False)  # what to keep of an entry


@dataclass(frozen=True, slots=True)
class ListedEntry(Generic[T]):
    """An entry of a listing."""

    keys: Mapping[str, str | None]  # `id` and whatever else can be asked for; None: it cannot be read
    item: T | None  # None: the entry cannot be read

    def may_be(self, question: Question) -> bool:
        """True if nothing shows that it is another one."""
        return self.keys.get(question.key) in (None, question.value)


class Page(Generic[T]):
    """A page while it is read. It keeps what was asked for, and only the ids of the rest."""

    def __init__(self, asked: PageRequest, questions: Iterable[Question]) -> None:
        """Prepares an empty page that looks for the answers to these questions."""
        self.asked = asked
        self._questions: dict[tuple[str, str | None], Question] = {(one.key, one.value): one for one in questions}
        self.clear()

    def clear(self) -> None:
        """Forgets what was read: the same page comes once more."""
        self.start = self.asked.start  # the provider may begin elsewhere
        self.total: int | None = None
        self.is_another = False  # the provider says that it is not the page that was asked for
        self._entries: list[Hashable | None] = []  # what tells each apart
        self.keys: list[Mapping[str, str | None]] = []  # of each entry; none are kept of a listing in one piece
        self.matches: dict[Question, dict[str | None, T]] = {}
        self.doubtful: set[Question] = set()
        self.unreadable: list[str] = []  # names of entries

    def add(self, entry: ListedEntry[T]) -> None:
        """Takes the next entry."""
        identity = entry.keys["id"]
        self._entries.append(identity if identity is not None else _told_apart(entry))
        if self.asked.size:
            self.keys.append(entry.keys)
        if entry.item is None:
            if len(self.unreadable) < _MOST_COUNTED:
                self.unreadable.append(f"id {identity}" if identity else f"entry {self.start + len(self._entries)}")
            self.doubtful |= {one for one in self._questions.values() if entry.may_be(one)}
            return
        for key, value in (("", ""), *entry.keys.items()):
            question = self._questions.get((key, value)) if value is not None else None
            if question is not None:
                item = question.brief(entry.item) if question.brief is not None else entry.item
                self.matches.setdefault(question, {})[identity] = item

    @property
    def outline(self) -> PageOutline:
        """What the walk has to know of it."""
        return PageOutline(self.start, tuple(self._entries), self.total)

    @property
    def fits(self) -> bool:
        """False if it contradicts itself, or is not the page that was asked for."""
        return not self.is_another and self.outline.fits


def _told_apart(entry: ListedEntry[Any]) -> Hashable | None:
    """Returns what tells an entry without a readable id apart; None if nothing does, so that it may always be meant."""
    return tuple(value for value in entry.keys.values() if value is not None) or None


ReadPage: TypeAlias = Callable[[PageRequest, Page[T]], Failure | None]
"""Reads a page into a `Page`; returns why it could not."""
