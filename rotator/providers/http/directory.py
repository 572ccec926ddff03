"""The directory of an account: one reading of its listing at a time answers everybody who asks what is in it.

Whoever waits reads the next page for all of them, in turns, within the deadline of an own call. Only a page that was
requested after the question answers it, and only a reading that began after it says that something is not there. A
reading that was not finished in time is taken up again by the next one who asks.
"""

import logging
import threading
from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Generic, Protocol, TypeAlias, TypeVar

from rotator.core.answers import Answer, Done, Refusal, Refused, Retry, Unknown, Wait
from rotator.core.secret import Secret
from rotator.ports import Clock
from rotator.providers.http.listing import PageOutline, PageRequest, Walk, WalkState
from rotator.providers.http.places import ListingPlaces
from rotator.providers.http.replies import Failure

T = TypeVar("T")
V = TypeVar("V")

_LOG = logging.getLogger("rotator.providers.directory")
_SOON = timedelta(seconds=1)
_TURN = 0.2  # seconds of real time between two looks at the own deadline, while somebody else reads
_TAKEN_UP = 300.0  # seconds after which a question that was not answered in time is a new one
_MOST_NAMED, _MOST_COUNTED = 3, 1_000  # unreadable entries, in a message and on a page
WHOLE = PageRequest(0, 0)
"""The request for a listing that comes in one piece."""


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
        self.ids: list[str | None] = []
        self.keys: list[Mapping[str, str | None]] = []  # of each entry; none are kept of a listing in one piece
        self.matches: dict[Question, dict[str | None, T]] = {}
        self.doubtful: set[Question] = set()
        self.unreadable: list[str] = []  # names of entries

    def add(self, entry: ListedEntry[T]) -> None:
        """Takes the next entry."""
        identity = entry.keys["id"]
        self.ids.append(identity)
        if self.asked is not WHOLE:
            self.keys.append(entry.keys)
        if entry.item is None:
            if len(self.unreadable) < _MOST_COUNTED:
                self.unreadable.append(f"id {identity}" if identity else f"entry {self.start + len(self.ids)}")
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
        return PageOutline(self.start, tuple(self.ids), self.total)

    @property
    def fits(self) -> bool:
        """False if it contradicts itself, or is not the page that was asked for."""
        return not self.is_another and self.outline.fits


ReadPage: TypeAlias = Callable[[PageRequest, Page[T]], Failure | None]
"""Reads a page into a `Page`; returns why it could not."""


class CallTime(Protocol):
    """The time of a call."""

    @property
    def left(self) -> float:
        """Seconds until its deadline."""
        ...


@dataclass(eq=False, slots=True)
class _Waiter(Generic[T]):
    question: Question
    since: float  # on the monotonic clock
    covered: bool = False  # the reading began after the question
    found: dict[str | None, T] = field(default_factory=dict)
    doubtful: bool = False  # an entry that may be meant cannot be read
    answer: Answer[tuple[T, ...]] | None = None
    heir: "_Waiter[T] | None" = None  # the same question, asked again


class Directory(Generic[T]):
    """The listing of one account. Thread-safe."""

    def __init__(self, clock: Clock, sizes: tuple[int, ...] = (), *, numbered: bool = False) -> None:
        """Prepares the directory without a request.

        Args:
            clock: for questions that are taken up again.
            sizes: the longest page to ask for, and what to ask for if that is rejected; none: it is one piece.
            numbered: see `Walk`.
        """
        self.answers_get: bool | None = None
        """Whether the provider answers a request for a single entry; None: nobody knows yet."""
        self._clock, self._sizes, self._numbered = clock, sizes, numbered
        self._turn = threading.Condition()
        self._reading = False  # somebody reads a page
        self._walk: Walk | None = None
        self._waiters: list[_Waiter[T]] = []
        self._away: dict[Question, _Waiter[T]] = {}  # whose calls ended before the reading
        self._places = ListingPlaces(sizes[0] if sizes else 0, numbered=numbered)
        self._unreadable: dict[str, None] = {}  # by name, in this reading
        self._reported = 0

    def search(self, question: Question, read: ReadPage[T], call: CallTime) -> Answer[tuple[T, ...]]:
        """Returns the entries asked for; none only if a whole reading that began after the question has none.

        `Retry(READING)`: the time was not enough; the reading goes on when somebody asks again.

        Args:
            question: what to look for.
            read: reads a page by the caller's own call.
            call: the caller's own.
        """
        spotted = self._look_where_it_was(question, read)
        if spotted is not None:
            return spotted
        waiter = self._join(question)
        try:
            while waiter.answer is None:
                self._take_turn(waiter, read, call)
        finally:
            self._leave(waiter)
        return waiter.answer

    def each(
        self, brief: Callable[[T], V], take: Callable[[V], object], read: ReadPage[T], call: CallTime
    ) -> Answer[None]:
        """Passes what `brief` makes of each entry to `take`; Done only after a whole reading. See `search`.

        An entry that cannot be read makes the answer `Unknown`.
        """
        answer: Answer[tuple[Any, ...]] = self.search(Question("", "", unique=False, brief=brief), read, call)
        if not isinstance(answer, Done):
            return answer
        for one in answer.value:
            take(one)
        return Done(None)

    def forget(self, question: Question) -> None:
        """Forgets a question that was not answered in time: what it asks for was just changed."""
        with self._turn:
            self._away.pop(question, None)

    # -- taking turns

    def _join(self, question: Question) -> _Waiter[T]:
        now = self._clock.monotonic()
        with self._turn:
            self._away = {key: one for key, one in self._away.items() if now - one.since < _TAKEN_UP}
            waiter: _Waiter[T] = _Waiter(question, now)
            before = self._away.pop(question, None)
            if before is not None:
                waiter.covered, waiter.found, waiter.doubtful = before.covered, before.found, before.doubtful
                before.heir = waiter
            self._waiters.append(waiter)
            return waiter

    def _leave(self, waiter: _Waiter[T]) -> None:
        with self._turn:
            self._waiters.remove(waiter)
            if not self._waiters and not self._away:
                self._walk = None
            self._turn.notify_all()

    def _take_turn(self, waiter: _Waiter[T], read: ReadPage[T], call: CallTime) -> None:
        """Reads the next page for everybody who waits, or waits while somebody else does."""
        with self._turn:
            if call.left <= 0:
                waiter.answer = self._put_off(waiter)
                return
            if self._reading:
                self._turn.wait(min(call.left, _TURN))
                return
            self._reading = True
            walk, asking = self._going(), (*self._waiters, *self._away.values())
            page: Page[T] = Page(walk.next_page() if self._sizes else WHOLE, [one.question for one in asking])
        failure: Failure | None = Unknown("the reading was broken off")
        try:
            failure = read(page.asked, page)
        finally:
            with self._turn:
                self._reading = False
                if failure is None:
                    self._record(walk, page, asking)
                else:
                    waiter.answer = self._failed(waiter, failure, call)
                self._turn.notify_all()

    def _going(self) -> Walk:
        """Returns the walk that is going on, or begins one, which answers everybody."""
        if self._walk is None:
            self._walk = Walk(self._sizes[0] if self._sizes else 0, numbered=self._numbered)
            self._unreadable.clear()
            for one in (*self._waiters, *self._away.values()):
                one.covered, one.doubtful = True, False
                one.found.clear()
        return self._walk

    def _failed(self, waiter: _Waiter[T], failure: Failure, call: CallTime) -> Answer[tuple[T, ...]] | None:
        """Returns the answer of the one who read; the others try themselves. What was read before is kept."""
        if isinstance(failure, Refused) and failure.why is Refusal.INVALID and len(self._sizes) > 1:
            self._sizes, self._walk = self._sizes[1:], None
            return None
        if self._walk is None or not self._walk.cursor:
            return failure
        put_off = self._put_off(waiter)
        return put_off if call.left <= 0 else failure

    def _put_off(self, waiter: _Waiter[T]) -> Retry:
        waiter.since = self._clock.monotonic()
        self._away.setdefault(waiter.question, waiter)
        cursor = self._walk.cursor if self._walk is not None else 0
        return Retry(Wait.READING, f"the account's listing is still being read: {cursor} entries so far", _SOON)

    def _look_where_it_was(self, question: Question, read: ReadPage[T]) -> Answer[tuple[T, ...]] | None:
        """Reads the page where the entry was last, or where new ones are; None if it is not on it."""
        with self._turn:
            asked = self._places.page_for(question.key, question.value) if question.unique else None
        if asked is None:
            return None
        page: Page[T] = Page(asked, [question])
        failure = read(asked, page)
        if failure is not None:
            return failure
        with self._turn:
            if page.fits:
                self._places.note(page.outline, page.keys)
            else:
                page.matches.clear()
            if question in page.matches:
                return Done(tuple(page.matches[question].values()))
            self._places.forget(question.key, question.value)
        return None

    # -- what a page says

    def _record(self, walk: Walk, page: Page[T], asking: Iterable[_Waiter[T]]) -> None:
        self._unreadable |= dict.fromkeys(page.unreadable)
        if page.fits:
            self._places.note(page.outline, page.keys)
            for one in asking:
                self._answer(one, page)
        else:
            for one in asking:
                one.doubtful |= one.question in page.matches  # such a page proves nothing, least of all absence
        state = _taken(walk, page) if self._sizes else (WalkState.ENDED if page.fits else WalkState.ASTRAY)
        if state is not WalkState.GOING and self._walk is walk:
            self._finish(state)

    def _answer(self, one: _Waiter[T], page: Page[T]) -> None:
        matches, doubtful = page.matches.get(one.question, {}), one.question in page.doubtful
        if one.heir is not None:
            # The page was requested before the question was asked again: it may show what is gone or changed since.
            self._asked_again(one).covered &= not matches and not doubtful
            return
        one.doubtful |= doubtful
        one.found |= matches
        if matches and one.question.unique:
            one.answer = Done(tuple(matches.values()))
            self._away.pop(one.question, None)  # when it is asked again, its place is known

    def _asked_again(self, one: _Waiter[T]) -> _Waiter[T]:
        return one if one.heir is None else self._asked_again(one.heir)

    def _finish(self, state: WalkState) -> None:
        self._walk = None
        self._places.complete |= state is WalkState.ENDED
        note = self._unreadable_in_words()
        for one in self._waiters:
            if one.covered and one.answer is None:
                one.answer = _conclusion(one, state, note)
        self._away.clear()

    def _unreadable_in_words(self) -> str:
        names = list(self._unreadable)
        if not names:
            return ""
        note = f"{len(names)} of the listing's entries cannot be read, such as {', '.join(names[:_MOST_NAMED])}"
        if len(names) != self._reported:
            self._reported = len(names)
            _LOG.warning("%s; they are skipped where they cannot be meant", note)
        return note


def _taken(walk: Walk, page: Page[T]) -> WalkState:
    if page.is_another:
        walk.reject()
    else:
        walk.take(page.outline, page.asked)
    return walk.state


def _conclusion(one: _Waiter[T], state: WalkState, note: str) -> Answer[tuple[T, ...]]:
    if state is WalkState.ASTRAY:
        return Unknown("the pages of the listing do not fit together, repeat themselves or have no end")
    if one.doubtful:
        why = note or "one of its pages contradicts itself"
        return Unknown(f"the listing cannot be read: {why}, and it may show what was looked for")
    return Done(tuple(one.found.values()), note)


class Directories:
    """The directories of a process: one for each listing, however many configured accounts mean the same."""

    def __init__(self) -> None:
        """Begins with none."""
        self._lock = threading.Lock()
        self._made: list[tuple[Hashable, Mapping[str, Secret], Directory[Any]]] = []

    def of(self, where: Hashable, key: Mapping[str, Secret], make: Callable[[], Directory[Any]]) -> Directory[Any]:
        """Returns the directory of a listing.

        Args:
            where: the listing's address.
            key: the headers that are sent: another key may see other entries.
            make: returns a new directory.
        """
        with self._lock:
            for known, headers, directory in self._made:
                if known == where and headers == key:
                    return directory
            made = make()
            self._made.append((where, key, made))
            return made
