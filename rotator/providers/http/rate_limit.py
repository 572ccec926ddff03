"""The pace of a provider account in this process: one queue for all threads and all its configuration entries."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from threading import Condition

from rotator.core.pace import URGENT_HELD, AccountPace, Moment, Slots
from rotator.fields.network import RateLimit
from rotator.ports import Clock, Conflict, PaceBook, StoreError

_TRIES = 25  # of a check-and-set, each after a read: with ten processes that begin at once, some lose ten in a row
_SOON = 0.001  # seconds: the shortest sleep
_SHARP = timedelta(milliseconds=50)  # Vault's time is known well enough to reserve slots beside those of others
_RESERVING = 1.0  # seconds after which a thread looks again, whatever has become of the reservation
_LEAD, _LONGEST_LEAD = 0.005, 1.0  # seconds from reading Vault's time until the first slot is used
_WITHOUT_VAULT = 0.25  # of the limit, while nobody can tell what the other processes send
_ASK_VAULT_AGAIN = 10.0  # seconds
_READ_ONLY = 0.1  # of the limit, for commands that write nothing, reservations included
_START = datetime(1970, 1, 1, tzinfo=UTC)


def slept(clock: Clock, seconds: float) -> bool:
    """Waits. Returns False if the wait ended early because the process must stop."""
    started = clock.monotonic()
    clock.sleep(seconds)
    return clock.monotonic() - started >= seconds / 2


class _Alone:
    """The book of a process that shares its paces with nobody."""

    def __init__(self, clock: Clock, share: float = 1.0) -> None:
        self._clock, self._paces = clock, dict[str, AccountPace]()
        self._new = AccountPace(share=share, shared_at=_START + timedelta(days=365_000) if share < 1 else None)

    def moment(self) -> Moment:
        return Moment(_START + timedelta(seconds=self._clock.monotonic()))

    def read_pace(self, account: str) -> AccountPace:
        return self._paces.get(account, self._new)

    def write_pace(self, account: str, pace: AccountPace) -> None:
        self._paces[account] = pace


class ReadOnlyBook:
    """The book of a process that writes nothing: it uses what nobody has reserved, at a small part of the rate."""

    def __init__(self, book: PaceBook) -> None:
        self._book = book

    def moment(self) -> Moment | None:
        """See `PaceBook`."""
        return self._book.moment()

    def read_pace(self, account: str) -> AccountPace:
        """See `PaceBook`."""
        pace, moment = self._book.read_pace(account), self._book.moment()
        if moment is None:
            return pace
        return replace(pace, share=pace.share_at(moment.now) * _READ_ONLY, shared_at=moment.now)

    def write_pace(self, account: str, pace: AccountPace) -> None:
        """Does nothing."""


@dataclass(frozen=True, slots=True)
class _Reserved:
    """A reservation that is in the document."""

    before: AccountPace
    written: AccountPace
    moment: Moment
    now: float
    number: int


class Pacer:
    """Admits the requests to one account, from all threads. What is urgent goes ahead of everything that waits."""

    def __init__(
        self,
        limit: RateLimit | None,
        clock: Clock,
        book: PaceBook | None = None,
        account: str = "",
        holder: str = "",
    ) -> None:
        """Prepares the pace; nothing is reserved before the first request.

        Args:
            limit: None: no slots, but a wait that the provider asks for is obeyed.
            book: shared by all processes; None: this process is alone.
            account: the account's name in the book.
            holder: names this process in the book.
        """
        self._limit, self._clock, self._account, self._holder = limit, clock, account, holder
        self._book: PaceBook = book or _Alone(clock)
        self._shared = book is not None
        self._alone = _Alone(clock, _WITHOUT_VAULT)
        self._alone_until = float("-inf")
        self._condition = Condition()  # guards what follows
        self._queue: list[tuple[bool, object]] = []  # urgent or not; in the order of their turns
        self._slots = self._new_slots()
        self._reserving = False
        self._took = 0.0  # seconds, for writing the book
        self._held_until = self._held_since = float("-inf")  # the provider asked to wait
        self._shut_until = float("-inf")  # a circuit is open, here or in another process

    def _new_slots(self) -> Slots | None:
        return Slots(self._limit.requests, self._limit.per, self._holder) if self._limit is not None else None

    def lower_to(self, limit: RateLimit | None) -> None:
        """Uses the lower of two limits: another entry of the configuration means the same account."""
        with self._condition:
            if limit is not None and (self._limit is None or limit.a_second < self._limit.a_second):
                self._limit = limit
                self._slots = self._new_slots()

    def admit(self, within: float, *, urgent: bool = False) -> bool:
        """Waits for a turn, at most `within` seconds. Returns False if none comes in time or the process stops.

        What is `urgent` obeys a wait that the provider asks for only for minutes.
        """
        ticket = (urgent, object())
        with self._condition:
            place = sum(other for other, _ in self._queue) if urgent else len(self._queue)
            self._queue.insert(place, ticket)
        deadline = self._clock.monotonic() + within
        try:
            while (wait := self._wait(ticket)) > 0:
                if self._clock.monotonic() + wait > deadline or not slept(self._clock, wait):
                    return False
            return True
        finally:
            with self._condition:
                self._queue.remove(ticket)

    def _wait(self, ticket: tuple[bool, object]) -> float:
        """Returns how long to wait before asking again; 0: it is the turn of `ticket`."""
        with self._condition:
            now = self._clock.monotonic()
            held = self._held_for(now, urgent=ticket[0])
            if held > 0 or self._slots is None:
                return held
            ahead = self._queue.index(ticket)
            overtakes = not ticket[0] and self._queue[0][0]
            has_turn = not overtakes and self._slots.take(now)
            if has_turn:
                number = 0 if self._reserving else self._slots.wanted_ahead(now)
                if not number:
                    return 0.0
            else:
                opens = self._slots.opens(ahead, now)
                if opens is not None:
                    return max(opens - now, _SOON)
                number = self._slots.wanted(len(self._queue), now)
                if not number:
                    return max(self._slots.asks_at(now) - now, _SOON)
                if self._reserving:
                    self._condition.wait(_RESERVING)
                    return _SOON
            self._reserving = True
        try:
            self._reserve(self._slots, number, urgent=ticket[0])
        finally:
            with self._condition:
                self._reserving = False
                self._condition.notify_all()
        return 0.0 if has_turn else _SOON

    def _reserve(self, slots: Slots, number: int, *, urgent: bool) -> None:
        reserved = None
        if self._clock.monotonic() >= self._alone_until:
            try:
                reserved = self._reserve_in(self._book, slots, number, urgent=urgent)
            except StoreError:
                self._alone_until = self._clock.monotonic() + _ASK_VAULT_AGAIN
        if reserved is None:
            reserved = self._reserve_in(self._alone, slots, number, urgent=urgent)
        with self._condition:
            slots.add(reserved.before, reserved.written, reserved.moment, reserved.now, reserved.number)
            self._take_over(reserved.before, reserved.moment, reserved.now)

    def learn(self) -> None:
        """Reads until when other processes were told to send nothing, if the store answers.

        Otherwise the first reservation does so.
        """
        with suppress(StoreError):
            pace, (moment, now) = self._book.read_pace(self._account), self._moment(self._book)
            with self._condition:
                self._take_over(pace, moment, now)

    def _take_over(self, pace: AccountPace, moment: Moment, now: float) -> None:
        held, shut = replace(pace, shut_until=None), replace(pace, held_until=None)
        held_until = now + held.held_for(moment).total_seconds()
        if held_until > max(self._held_until, now):
            self._held_until, self._held_since = held_until, now
        self._shut_until = max(self._shut_until, now + shut.held_for(moment).total_seconds())

    def _reserve_in(self, book: PaceBook, slots: Slots, number: int, *, urgent: bool) -> _Reserved:
        """Reserves slots by check-and-set. Raises StoreError."""
        for _ in range(_TRIES):
            before = book.read_pace(self._account)
            moment, now = self._moment(book)
            others_until = slots.others_until(before, moment) if moment.within > _SHARP else None
            if others_until is not None and moment.now - moment.within < others_until:
                # A write tells the time sharply. Without that, a gap as wide as the doubt would be left free.
                with suppress(Conflict):
                    book.write_pace(self._account, replace(before, version=before.version + 1))
                continue
            with self._condition:
                lead = _LEAD + 2 * self._took
                written = slots.reserve(before, moment, now, number, lead=lead, urgent=urgent)
            try:
                book.write_pace(self._account, written)
            except Conflict:
                continue
            self._took = min(max(self._clock.monotonic() - now, self._took * 0.9), _LONGEST_LEAD)
            return _Reserved(before, written, moment, now, number)
        raise Conflict(f"others keep writing the pace of the account {self._account}")

    def _moment(self, book: PaceBook) -> tuple[Moment, float]:
        """Returns the store's time and this process's at one moment. Raises StoreError if it is not known."""
        began = self._clock.monotonic()
        moment, now = book.moment(), self._clock.monotonic()
        if moment is None:
            raise StoreError("the time of the store is not known")
        # Whatever kept this thread between the two is a doubt as well.
        return replace(moment, within=moment.within + timedelta(seconds=now - began)), now

    def hold(self, asked: timedelta | None, *, refused: bool) -> None:
        """Sends nothing for as long as the provider asked, and tells the other processes.

        Args:
            asked: None: it named no time.
            refused: it answered 429: the rate is lowered as well.
        """
        with self._condition:
            now = self._clock.monotonic()
            wait = AccountPace().after_hold(Moment(_START), asked, refused=refused).held_for(Moment(_START))
            if now + wait.total_seconds() > self._held_until:
                self._held_until, self._held_since = now + wait.total_seconds(), now
            if self._slots is not None:
                self._slots.clear()
        self._tell(lambda pace, moment: pace.after_hold(moment, asked, refused=refused))

    def shut(self, wait: timedelta) -> None:
        """Sends only what is urgent for so long, in every process: the account's circuit has opened here."""
        with self._condition:
            self._shut_until = self._clock.monotonic() + wait.total_seconds()
        self._tell(lambda pace, moment: pace.after_opening(moment, wait))

    def _tell(self, change: Callable[[AccountPace, Moment], AccountPace]) -> None:
        """Changes the document, if the store answers."""
        with suppress(StoreError):
            for _ in range(_TRIES):
                pace, moment = self._book.read_pace(self._account), self._book.moment()
                changed = change(pace, moment) if moment is not None else pace
                if changed is pace:
                    return
                with suppress(Conflict):
                    self._book.write_pace(self._account, replace(changed, version=pace.version + 1))
                    return

    def delay(self) -> float:
        """Returns how many seconds a request that comes now waits at least."""
        with self._condition:
            now = self._clock.monotonic()
            queued = self._slots.expects(len(self._queue), now) - now if self._slots is not None else 0.0
            return max(self._held_for(now, urgent=False), queued, 0.0)

    def held_for(self) -> float:
        """Returns for how many seconds the provider still asks to wait."""
        with self._condition:
            return max(self._held_until - self._clock.monotonic(), 0.0)

    def share(self) -> float:
        """Returns the share of the limit that is used at most: less than 1 after answers 429."""
        with self._condition:
            return self._slots.share if self._slots is not None else 1.0

    def _held_for(self, now: float, *, urgent: bool) -> float:
        if urgent:
            return min(self._held_until, self._held_since + URGENT_HELD.total_seconds()) - now
        return max(self._held_until, self._shut_until) - now


class Pacers:
    """One pacer for each account at a provider, however many entries of the configuration mean it."""

    def __init__(self, make: Callable[[RateLimit | None, str], Pacer]) -> None:
        """`make` returns a new pacer for a limit and an account's name in the book."""
        self._make = make
        self._pacers: dict[str, Pacer] = {}

    def of(self, account: str, limit: RateLimit | None) -> Pacer:
        """Returns the pacer of an account; of several limits the lowest counts."""
        pacer = self._pacers.get(account)
        if pacer is None:
            pacer = self._pacers[account] = self._make(limit, account)
        pacer.lower_to(limit)
        return pacer
