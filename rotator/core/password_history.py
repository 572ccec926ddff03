"""How long each password of a target was accepted, by the records of the audit. Pure.

Records come in any order within some days, since each process has a chain of its own; what concerns passwords waits
until nothing earlier can come. Nothing is filled in: a password of which the audit has no record does not appear.
"""

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from heapq import heappop, heappush
from itertools import count
from typing import TypeAlias

from rotator.core.audit_chain import AuditRecord
from rotator.core.audit_words import AuditOutcome, AuditVerb

_OPENS = frozenset({AuditVerb.PUBLISH, AuditVerb.CLOSE, AuditVerb.ADOPT, AuditVerb.ENABLE})
_ENDS = frozenset({AuditVerb.DISABLE, AuditVerb.OVERWRITE, AuditVerb.DELETE, AuditVerb.EXPIRE})
_OTHERS = frozenset({AuditVerb.TRY_ENDED, AuditVerb.LIFT_END, AuditVerb.RENAME, AuditVerb.REQUEST_ROTATION})
_CONCERNED = _OPENS | _ENDS | _OTHERS


@dataclass(frozen=True, slots=True)
class PasswordLife:
    """How long a password was accepted."""

    target: str
    account: str
    username: str
    credential: str | None  # the id
    made_at: datetime | None  # None: somebody else made it
    counted_from: datetime  # when it was made or, if that is unknown, first seen
    accepted_from: datetime  # by the first record of it
    accepted_until: datetime | None = None  # None: there is no record of its end
    told_end: datetime | None = None  # the provider was told to end it then

    def ends_by(self, end: datetime) -> datetime:
        """Returns until when it was accepted, at most `end`."""
        known = [moment for moment in (self.accepted_until, self.told_end) if moment is not None]
        return min([*known, end])

    def oldest_in(self, begin: datetime, end: datetime) -> timedelta | None:
        """Returns the greatest age at which it was accepted in a period; None if it was not accepted in it."""
        until = self.ends_by(end)
        return None if until < begin or self.accepted_from > end else max(until - self.counted_from, timedelta())


@dataclass(frozen=True, slots=True)
class Emergency:
    """A request for a rotation since a password was compromised, and what came of it."""

    target: str
    asked_at: datetime
    requested_by: str
    stated: str
    reason: str
    published_at: datetime | None = None  # the new password
    ended_at: datetime | None = None  # the old one was refused from then on
    awaits: tuple[str, str] | None = None  # the credential that must end: its account and id


@dataclass(slots=True)
class TargetHistory:
    """What the audit says of one target in a period."""

    rotations: int = 0
    oldest: PasswordLife | None = None
    age: timedelta = timedelta()  # of the oldest
    unknown: PasswordLife | None = None  # somebody else made it; of several, what is known for longest
    too_old: list[PasswordLife] = field(default_factory=list)


class PasswordHistory:
    """Takes the records of an audit, and keeps what they say of a period.

    It keeps what is accepted now, what was too old, and a result for each target: its size depends on the fleet and on
    `release`, not on the number of records.
    """

    def __init__(
        self, begin: datetime, end: datetime, limits: Mapping[str, timedelta], otherwise: timedelta | None
    ) -> None:
        """Begins a history.

        Args:
            limits: the greatest age by target.
            otherwise: that of targets which are not configured any more; None: they have no limit.
        """
        self.begin, self.end = begin, end
        self._limits, self._otherwise = limits, otherwise
        self.first: datetime | None = None  # the earliest record
        self.late = 0  # records that came after later ones were judged
        self.targets: dict[str, TargetHistory] = {}
        self.emergencies: list[Emergency] = []
        self._lives: dict[str, dict[_LifeKey, PasswordLife]] = {}  # what was accepted last, by target and credential
        self._unknown_before: dict[tuple[str, _LifeKey], datetime | None] = {}  # not closed yet: made when
        self._reopened: set[tuple[str, _LifeKey]] = set()  # ended, and accepted all the same
        self._open: dict[str, list[Emergency]] = {}
        self._waiting: list[tuple[datetime, int, AuditRecord]] = []
        self._number, self._judged_until = count(), datetime.min.replace(tzinfo=begin.tzinfo)

    def take(self, record: AuditRecord) -> None:
        """Takes one authentic record."""
        at = datetime.fromisoformat(record["time"])
        self.first = at if self.first is None else min(self.first, at)
        if record["verb"] in _CONCERNED and record["outcome"] != AuditOutcome.INTENDED:
            self.late += at < self._judged_until
            kept = {name: record[name] for name in ("verb", "target", "outcome", "facts")}
            heappush(self._waiting, (at, next(self._number), kept))

    def release(self, until: datetime) -> None:
        """Judges what was recorded before `until`: nothing earlier is to come."""
        while self._waiting and self._waiting[0][0] < until:
            at, _, record = heappop(self._waiting)
            self._judged_until = max(self._judged_until, at)
            self._apply(at, record)

    def finish(self) -> None:
        """Judges everything, and what is accepted at the end."""
        self.release(datetime.max.replace(tzinfo=self.begin.tzinfo))
        for lives in self._lives.values():
            for life in lives.values():
                if life.accepted_until is None:
                    self._judge(life)
        for emergencies in self._open.values():
            self.emergencies += emergencies
        self.emergencies = [each for each in self.emergencies if self.begin <= each.asked_at <= self.end]
        self.emergencies.sort(key=lambda each: (each.asked_at, each.target))

    def keep_only(self, targets: Collection[str]) -> None:
        """Forgets what concerns other targets."""
        self.targets = {name: found for name, found in self.targets.items() if name in targets}
        self.emergencies = [each for each in self.emergencies if each.target in targets]

    def too_old(self) -> Iterator[PasswordLife]:
        """Yields every password that was accepted beyond its limit in the period."""
        for name in sorted(self.targets):
            yield from self.targets[name].too_old

    def limit_of(self, target: str) -> timedelta | None:
        """Returns the greatest age that is allowed."""
        return self._limits.get(target, self._otherwise)

    def _apply(self, at: datetime, record: AuditRecord) -> None:
        verb, target, facts = record["verb"], record["target"], record["facts"]
        done = record["outcome"] == AuditOutcome.DONE
        if verb == AuditVerb.REQUEST_ROTATION:
            self._asked(at, target, facts)
        elif verb == AuditVerb.TRY_ENDED:
            if record["outcome"] == AuditOutcome.REFUSED:
                self._still_accepted(at, target, facts)
        elif done and verb == AuditVerb.RENAME:
            self._rename(str(facts.get("renamed_from")), target)
        elif facts.get("credential") and (done or "gone" in facts):
            self._change(at, target, facts, verb)

    def _change(self, at: datetime, target: str, facts: AuditRecord, verb: str) -> None:
        if verb in _OPENS:
            self._accepted(at, target, facts, verb)
        elif verb == AuditVerb.LIFT_END or (verb == AuditVerb.EXPIRE and "gone" not in facts):
            self._told_end(at, target, facts, verb)
        else:
            self._ended(at, target, facts, verb)

    def _asked(self, at: datetime, target: str, facts: AuditRecord) -> None:
        if facts.get("compromised"):
            by, stated, reason = (str(facts.get(name) or "") for name in ("requested_by", "stated", "reason"))
            self._open.setdefault(target, []).append(Emergency(target, at, by, stated, reason))

    def _accepted(self, at: datetime, target: str, facts: AuditRecord, verb: str) -> None:
        lives, fresh, key = self._lives.setdefault(target, {}), _life(at, target, facts, at), _key(facts)
        known = lives.get(key)
        if known is None or known.accepted_until is not None or known.made_at != fresh.made_at:
            if known is not None:  # it was set anew: the old one is refused
                self._ends(known, at)
            else:
                self._unknown_before[target, key] = fresh.made_at
            lives[key] = fresh
        if verb == AuditVerb.CLOSE:
            self._of(target).rotations += self.begin <= at <= self.end
            self._replaced(at, target, facts, key)

    def _replaced(self, at: datetime, target: str, facts: AuditRecord, key: "_LifeKey") -> None:
        """Takes what a rotation says of what it replaced, which may have no record of its own yet."""
        old, lives = facts.get("predecessor"), self._lives[target]
        awaits = (str(facts.get("predecessor_account")), str(old)) if old else None
        if awaits is not None and (awaits == key or awaits not in lives):
            moments = {"made": facts.get("predecessor_made"), "seen": facts.get("predecessor_seen")}
            named = {"account": awaits[0], "credential": old, "username": facts.get("predecessor_username")}
            before = _life(at, target, named | moments)
            if awaits != key:
                lives[awaits] = before
            elif self._unknown_before.get((target, key), before.made_at) == lives[key].made_at:
                self._ends(before, at)
        self._unknown_before.pop((target, key), None)
        self._emergencies(target, lambda each: replace(each, published_at=each.published_at or at, awaits=awaits))
        if awaits == key:
            self._emergencies(target, lambda each: replace(each, ended_at=at))

    def _told_end(self, at: datetime, target: str, facts: AuditRecord, verb: str) -> None:
        lives, key = self._lives.setdefault(target, {}), _key(facts)
        told = facts.get("ends") if verb == AuditVerb.EXPIRE else None
        lives[key] = replace(lives.get(key) or _life(at, target, facts), told_end=_moment(told))

    def _ended(self, at: datetime, target: str, facts: AuditRecord, verb: str) -> None:
        lives, key = self._lives.setdefault(target, {}), _key(facts)
        if (target, key) not in self._reopened:
            # If it was disabled before and is deleted now, the record says since when it is refused.
            at = _moment(facts.get("ended")) or at
        self._reopened.discard((target, key))
        life = lives.get(key) or _life(at, target, facts)
        self._ends(life, at)
        lives[key] = replace(life, accepted_until=life.accepted_until or at)
        if verb == AuditVerb.DELETE:
            del lives[key]
        self._emergencies(target, lambda each: replace(each, ended_at=at) if each.awaits == key else each)

    def _still_accepted(self, at: datetime, target: str, facts: AuditRecord) -> None:
        """Takes the record of a log-in that worked with something that had been ended."""
        lives, fresh, key = self._lives.setdefault(target, {}), _life(at, target, facts), _key(facts)
        known = lives.get(key, fresh)
        if known.made_at == fresh.made_at:  # otherwise it was set anew
            lives[key] = replace(known, accepted_until=None, told_end=None)
            self._reopened.add((target, key))

    def _ends(self, life: PasswordLife, at: datetime) -> None:
        if life.accepted_until is None:
            self._judge(replace(life, accepted_until=at))

    def _judge(self, life: PasswordLife) -> None:
        age = life.oldest_in(self.begin, self.end)
        if age is None:
            return
        history, limit = self._of(life.target), self.limit_of(life.target)
        if history.oldest is None or age > history.age:
            history.oldest, history.age = life, age
        if life.made_at is None and (history.unknown is None or life.counted_from < history.unknown.counted_from):
            history.unknown = life
        if limit is not None and age > limit:
            same = [each for each in history.too_old if _is_same(each, life)]  # what was ended, and not believed
            history.too_old = [*(each for each in history.too_old if each not in same), life]

    def _emergencies(self, target: str, change: Callable[[Emergency], Emergency]) -> None:
        changed = [change(each) for each in self._open.get(target, [])]
        self._open[target] = [each for each in changed if each.ended_at is None]
        self.emergencies += [each for each in changed if each.ended_at is not None]

    def _rename(self, old: str, new: str) -> None:
        for life in self._lives.pop(old, {}).values():
            self._lives.setdefault(new, {})[life.account, str(life.credential)] = replace(life, target=new)
        if old in self.targets and new not in self.targets:
            self.targets[new] = self.targets.pop(old)
        self._open.setdefault(new, []).extend(replace(each, target=new) for each in self._open.pop(old, []))

    def _of(self, target: str) -> TargetHistory:
        return self.targets.setdefault(target, TargetHistory())


_LifeKey: TypeAlias = tuple[str, str]
"""A credential: its account and id."""


def _key(facts: AuditRecord) -> _LifeKey:
    return str(facts.get("account")), str(facts.get("credential"))


def _is_same(one: PasswordLife, other: PasswordLife) -> bool:
    return (one.account, one.credential, one.made_at) == (other.account, other.credential, other.made_at)


def _moment(text: object) -> datetime | None:
    return datetime.fromisoformat(str(text)) if text else None


def _life(at: datetime, target: str, facts: AuditRecord, accepted_from: datetime | None = None) -> PasswordLife:
    """Returns what a record says of the password of its credential; without `accepted_from` it was accepted before."""
    made_at = _moment(facts.get("made"))
    counted_from = made_at or _moment(facts.get("seen")) or at
    names = str(facts.get("account")), str(facts.get("username") or ""), facts.get("credential")
    return PasswordLife(target, *names, made_at, counted_from, accepted_from or counted_from)
