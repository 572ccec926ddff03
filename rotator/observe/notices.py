"""What people are told of: what needs attention begins and ends, and a route collects that into messages. Pure."""

from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import Enum
from itertools import groupby

from rotator.core.model import TargetState
from rotator.observe.controls import visible
from rotator.observe.needs import Need
from rotator.observe.target_words import ORPHAN

BLOCKED, EMERGENCY, CIRCUIT_OPEN = "blocked", "emergency", "circuit_open"
TOPICS: Mapping[str, str] = {
    Need.DEVICES_OUT: "devices may be refused",
    Need.REFUSED: "the provider refuses the published password",
    EMERGENCY: "a compromised credential is being replaced",
    Need.OVER_AGE_LIMIT: "a password is over its age limit",
    Need.STILL_ACCEPTED: "what was ended is still accepted",
    BLOCKED: "blocked until somebody acts",
    Need.KEEPS_FAILING: "rotating fails again and again",
    Need.STAYS_OPEN: "a rotation does not end",
    CIRCUIT_OPEN: "the provider account fails, and its circuit is open",
    Need.RETIREMENT_OVERDUE: "what was replaced is not retired",
    Need.IN_USE: "a replaced credential is still in use, or nobody can say",
    Need.HOOK_FAILS: "a hook that follows a rotation or a retirement fails",
    Need.AGE_LIMIT_NEAR: "a password reaches its age limit soon",
    Need.OVERDUE: "the password is older than its policy allows",
    Need.FIRST_LATE: "never rotated, though it is due",
    Need.PAUSED_LONG: "a pause or a blackout holds what is due",
    Need.UNVERIFIED: "the published password is not verified",
    Need.NOT_LOOKED_AT: "no process looks at it",
    Need.IN_THE_FUTURE: "its stored times lie in the future",
    ORPHAN: "credentials are left that nobody ends",
}
"""Everything that people can be told of, the most urgent first, and what it means."""
URGENT = frozenset((Need.DEVICES_OUT, Need.REFUSED, EMERGENCY, Need.OVER_AGE_LIMIT, Need.STILL_ACCEPTED))
"""What services that know of severities are told as a failure, and not as a warning."""
SHOWN = 10
"""Subjects of one topic that a message names."""
_HOUR = 3600.0
_AGAIN, _LATEST = 30.0, 1800.0  # seconds until a message that was not taken is sent again


@dataclass(frozen=True, slots=True)
class Condition:
    """Something that needs attention."""

    topic: str  # one of TOPICS
    subject: str  # the target's name; of `circuit_open`, the account's


@dataclass(frozen=True, slots=True)
class NoticeRules:
    """What one route is told, and how often."""

    collect: timedelta  # how long news is collected into one message
    remind: timedelta  # how often what lasts is told again
    at_most: int  # messages in an hour; what comes beyond that is told together, later


class Told(Enum):
    """What a message says of a condition."""

    BEGAN = ""
    LASTS = "Still: "  # told before, and still so
    ENDED = "Ended: "


@dataclass(frozen=True, slots=True)
class TopicNews:
    """What a message says of one topic."""

    topic: str  # one of TOPICS
    told: Told
    named: tuple[str, ...]  # some of the subjects, each with what is known of it
    more: int = 0  # subjects beyond those

    def lines(self) -> Iterator[str]:
        """Yields it as text for people."""
        yield f"{self.told.value}{TOPICS[self.topic]} ({self.topic}):"
        yield from (f"  {each}" for each in self.named)
        if self.more:
            yield f"  and {self.more} more"


@dataclass(frozen=True, slots=True)
class Notification:
    """What a service is given."""

    title: str
    text: str
    topics: tuple[TopicNews, ...] = ()  # the same as the text, the most urgent first; none of a test
    urgent: bool = False


@dataclass(frozen=True, slots=True)
class Notice:
    """What one message tells."""

    began: tuple[Condition, ...]
    ended: tuple[Condition, ...] = ()
    lasting: tuple[Condition, ...] = ()  # told before, and still so

    def message(self, detail: Callable[[Condition], str]) -> Notification:
        """Returns it in words, at most some lines for each topic.

        Args:
            detail: what is known of one, in a few words without any secret; empty if there is nothing to add.
        """
        parts = ((Told.BEGAN, self.began), (Told.LASTS, self.lasting), (Told.ENDED, self.ended))
        topics = tuple(news for told, found in parts for news in _news(told, found, detail))
        text = "\n".join(line for news in topics for line in news.lines())
        return Notification(self._title(), text, topics, any(one.topic in URGENT for one in self.began))

    def _title(self) -> str:
        """Returns one line: how much needs attention."""
        now = len({one.subject for one in (*self.began, *self.lasting)})
        if not now:
            return f"rotator: {_counted(len({one.subject for one in self.ended}))} in order again"
        verb = "need" if now > 1 else "needs"
        return f"rotator: {_counted(now)} {verb} attention"


def is_emergency(state: TargetState) -> bool:
    """True from the request to replace a compromised credential until it was ended."""
    of_ours = state.request, state.attempt, *state.ledger
    return any(one is not None and one.compromised for one in of_ours)


@dataclass(slots=True)
class NoticeBook:
    """What one route was told, and what it will be told next. All times are those of a monotonic clock, in seconds."""

    rules: NoticeRules
    _told: dict[Condition, float] = field(default_factory=dict)  # when it was told last
    _began: dict[Condition, float] = field(default_factory=dict)  # in order, since when it waits to be told
    _ended: dict[Condition, float] = field(default_factory=dict)
    _sent: deque[float] = field(default_factory=deque)  # the messages of the last hour
    _not_before: float = 0.0
    _wait: float = _AGAIN

    def observe(self, current: Collection[Condition], judged: Callable[[Condition], bool], now: float) -> None:
        """Compares what holds now with what was told.

        Args:
            judged: whether this process can say that a condition has ended: another one may look at the target now.
        """
        for one in current:
            self._ended.pop(one, None)
            if one not in self._told:
                self._began.setdefault(one, now)
        for one in self._began.keys() - current:
            # An emergency may be over before anybody was told that it began.
            if judged(one) and one.topic == EMERGENCY:
                self._ended.setdefault(one, now)
            else:
                del self._began[one]
        for one in self._told.keys() - current:
            if judged(one):
                self._ended.setdefault(one, now)
            else:
                del self._told[one]
                self._ended.pop(one, None)

    def next_notice(self, now: float) -> Notice | None:
        """Returns the message that is due now, if there is one; then `sent` or `failed` is called."""
        lasting = self._due_again(now)
        waiting = min((*self._began.values(), *self._ended.values()), default=None)
        ripe = waiting is not None and now - waiting >= self.rules.collect.total_seconds()
        if not (ripe or lasting) or now < self._not_before or self._used_up(now):
            return None
        return Notice(tuple(self._began), tuple(self._ended), lasting)

    def sent(self, notice: Notice, now: float) -> None:
        """Notes that a message was taken."""
        for one in (*notice.began, *notice.lasting):
            self._told[one] = now
            self._began.pop(one, None)
        for one in notice.ended:
            self._ended.pop(one, None)
            self._told.pop(one, None)
        self._sent.append(now)
        self._wait, self._not_before = _AGAIN, now

    def failed(self, now: float) -> None:
        """Notes that a message was not taken: everything in it waits, and is told with what comes meanwhile."""
        self._not_before = now + self._wait
        self._wait = min(2 * self._wait, _LATEST)

    def _due_again(self, now: float) -> tuple[Condition, ...]:
        latest = now - self.rules.remind.total_seconds()
        due = any(at <= latest for one, at in self._told.items() if one not in self._ended)
        return tuple(one for one in self._told if one not in self._ended) if due else ()

    def _used_up(self, now: float) -> bool:
        while self._sent and self._sent[0] <= now - _HOUR:
            self._sent.popleft()
        return len(self._sent) >= self.rules.at_most


def _counted(subjects: int) -> str:
    return f"{subjects} target or account" if subjects == 1 else f"{subjects} targets and accounts"


def _news(told: Told, found: Iterable[Condition], detail: Callable[[Condition], str]) -> Iterator[TopicNews]:
    order = list(TOPICS)
    ranked = sorted(found, key=lambda one: (order.index(one.topic), one.subject))
    for topic, group in groupby(ranked, key=lambda one: one.topic):
        of_topic = list(group)
        # Text from elsewhere must not add lines.
        known = ((one.subject, visible(detail(one))) for one in of_topic[:SHOWN])
        named = tuple(f"{subject}: {more}" if more else subject for subject, more in known)
        yield TopicNews(topic, told, named, len(of_topic) - len(named))
