"""The directory of an account: one reading of its listing at a time answers everybody who asks what is in it.

Whoever waits reads the next page for all of them, in turns, within the deadline of an own call. Only a page that was
requested after the question answers it, and that something is not there is said only of a moment after the question, at
which every entry is known (`Census`). The reading rests when nobody waits, and the next one who asks takes it up again.
"""

import logging
import threading
from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Generic, Protocol, TypeVar

from rotator.core.answers import Answer, Done, Refusal, Refused, Retry, Unknown, Wait
from rotator.core.secret import Secret
from rotator.ports import Clock
from rotator.providers.http.listing import Walk
from rotator.providers.http.pages import Page, Question, ReadPage
from rotator.providers.http.places import ListingPlaces
from rotator.providers.http.replies import Failure

T = TypeVar("T")
V = TypeVar("V")

_LOG = logging.getLogger("rotator.providers.directory")
_SOON = timedelta(seconds=1)
_CALMER = timedelta(seconds=30)
_TURN = 0.2  # seconds of real time between two looks at the own deadline, while somebody else reads
_TAKEN_UP = 300.0  # seconds after which a question that was not answered in time is a new one
_MOST_NAMED = 3  # unreadable entries, in a message
_MOST_ENDS = 5  # that a reading comes to without an answer


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
    page: int | None = None  # the number of the first page that was requested after the question
    ends: int = 0  # of the listing, that were read before that page
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
        self._walk = self._new_walk()
        self._waiters: list[_Waiter[T]] = []
        self._away: dict[Question, _Waiter[T]] = {}  # whose calls ended before the reading
        self._places = ListingPlaces(sizes[0] if sizes else 0, numbered=numbered)
        self._unreadable: dict[str, None] = {}  # by name, in this pass
        self._note = ""  # of them, in the pass before
        self._reported = 0

    def search(self, question: Question, read: ReadPage[T], call: CallTime) -> Answer[tuple[T, ...]]:
        """Returns the entries asked for; none only if there certainly was none at a moment after the question.

        `Retry(READING)`: the time was not enough; the reading goes on when somebody asks again. `Retry(CHANGING)`: too
        many entries come, go or move for that to be known.

        Args:
            question: what to look for.
            read: reads a page by the caller's own call.
            call: the caller's own.
        """
        spotted = self._look_where_it_was(question, read)
        return self._asked(question, read, call)[0] if spotted is None else spotted

    def each(
        self, brief: Callable[[T], V], take: Callable[[V], object], read: ReadPage[T], call: CallTime
    ) -> Answer[None]:
        """Passes what `brief` makes of each entry to `take`; Done only if it was certainly all. See `search`.

        An entry that cannot be read makes the answer `Unknown`; the others are passed all the same. While the listing
        is still being read, none is.
        """
        answer, found = self._asked(Question("", "", unique=False, brief=brief), read, call)
        for one in () if isinstance(answer, Retry) and answer.why is Wait.READING else found:
            take(one)
        return Done(None) if isinstance(answer, Done) else answer

    def forget(self, question: Question) -> None:
        """Forgets a question that was not answered in time: what it asks for was just changed."""
        with self._turn:
            self._away.pop(question, None)

    # -- taking turns

    def _asked(
        self, question: Question, read: ReadPage[T], call: CallTime
    ) -> tuple[Answer[tuple[Any, ...]], tuple[Any, ...]]:
        """Returns the answer, and what was found of it so far."""
        waiter = self._join(question)
        try:
            while waiter.answer is None:
                self._take_turn(waiter, read, call)
        finally:
            self._leave(waiter)
        return waiter.answer, tuple(waiter.found.values())

    def _join(self, question: Question) -> _Waiter[T]:
        now = self._clock.monotonic()
        with self._turn:
            self._away = {key: one for key, one in self._away.items() if now - one.since < _TAKEN_UP}
            waiter: _Waiter[T] = _Waiter(question, now)
            before = self._away.pop(question, None)
            if before is not None:
                waiter.page, waiter.ends = before.page, before.ends
                waiter.found, waiter.doubtful = before.found, before.doubtful
                before.heir = waiter
            self._waiters.append(waiter)
            return waiter

    def _leave(self, waiter: _Waiter[T]) -> None:
        with self._turn:
            self._waiters.remove(waiter)
            self._turn.notify_all()

    def _take_turn(self, waiter: _Waiter[T], read: ReadPage[T], call: CallTime) -> None:
        """Reads the next page for everybody who waits, or waits while somebody else does."""
        with self._turn:
            if waiter.answer is not None:  # by who has just read, before this thread came to its turn
                return
            if call.left <= 0:
                waiter.answer = self._put_off(waiter)
                return
            if self._reading:
                self._turn.wait(min(call.left, _TURN))
                return
            self._reading = True
            walk, asking = self._walk, (*self._waiters, *self._away.values())
            for one in asking:
                if one.page is None:
                    one.page, one.ends = walk.census.pages + 1, walk.census.ends
            page: Page[T] = Page(walk.next_page(), [one.question for one in asking])
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

    def _new_walk(self) -> Walk:
        return Walk(self._sizes[0] if self._sizes else 0, numbered=self._numbered)

    def _begin_anew(self) -> None:
        """Begins a new walk, in which nobody's question has seen a page yet."""
        self._walk = self._new_walk()
        self._unreadable.clear()
        for one in (*self._waiters, *self._away.values()):
            one.page, one.doubtful = None, False
            one.found.clear()

    def _failed(self, waiter: _Waiter[T], failure: Failure, call: CallTime) -> Answer[tuple[T, ...]] | None:
        """Returns the answer of the one who read; the others try themselves. What was read before is kept."""
        if isinstance(failure, Refused) and failure.why is Refusal.INVALID and len(self._sizes) > 1:
            self._sizes = self._sizes[1:]
            self._begin_anew()
            return None
        if waiter.page is None or waiter.page > self._walk.census.pages:
            return failure
        put_off = self._put_off(waiter)
        return put_off if call.left <= 0 else failure

    def _put_off(self, waiter: _Waiter[T]) -> Retry:
        waiter.since = self._clock.monotonic()
        self._away.setdefault(waiter.question, waiter)
        so_far = f"{self._walk.cursor} entries so far"
        return Retry(Wait.READING, f"the account's listing is still being read: {so_far}", _SOON)

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
        if self._walk is walk:
            self._go_on(page)

    def _answer(self, one: _Waiter[T], page: Page[T]) -> None:
        matches, doubtful = page.matches.get(one.question, {}), one.question in page.doubtful
        if one.heir is not None:
            # The page was requested before the question was asked again: it may show what is gone or changed since.
            if matches or doubtful:
                self._asked_again(one).page = None
            return
        one.doubtful |= doubtful
        one.found |= matches
        if matches and one.question.unique:
            one.answer = Done(tuple(matches.values()))
            self._away.pop(one.question, None)  # when it is asked again, its place is known

    def _asked_again(self, one: _Waiter[T]) -> _Waiter[T]:
        return one if one.heir is None else self._asked_again(one.heir)

    def _go_on(self, page: Page[T]) -> None:
        """Goes on by the page, and answers those whose answer is certain now, or will not be."""
        walk = self._walk
        if page.is_another:
            walk.reject()
        else:
            walk.take(page.outline, page.asked)
        self._places.complete |= walk.census.whole_at > 0
        if not walk.cursor:
            self._note = self._unreadable_in_words()
        for one in (*self._waiters, *self._away.values()):
            if one.page is not None and one.answer is None:
                one.answer = _conclusion(one, walk, self._note)
        self._away = {question: one for question, one in self._away.items() if one.answer is None}
        if walk.astray:
            self._begin_anew()

    def _unreadable_in_words(self) -> str:
        names = list(self._unreadable)
        self._unreadable.clear()
        if not names:
            return ""
        note = f"{len(names)} of the listing's entries cannot be read, such as {', '.join(names[:_MOST_NAMED])}"
        if len(names) != self._reported:
            self._reported = len(names)
            _LOG.warning("%s; they are skipped where they cannot be meant", note)
        return note


def _conclusion(one: _Waiter[T], walk: Walk, note: str) -> Answer[tuple[T, ...]] | None:
    """Returns what somebody can be told who has seen every page since the question; None: nothing yet."""
    if walk.astray:
        return Unknown("the pages of the listing do not fit together, repeat themselves or have no end")
    if one.page is not None and one.page <= walk.census.whole_at:
        if not one.doubtful:
            return Done(tuple(one.found.values()), note)
        why = note or "one of its pages contradicts itself"
        return Unknown(f"the listing cannot be read: {why}, and it may show what was looked for")
    if walk.census.ends - one.ends < _MOST_ENDS:
        return None
    changing = "entries of the account's listing come, go or move each time it is read, so it does not show"
    return Retry(Wait.CHANGING, f"{changing} that something is not there", _CALMER)


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
