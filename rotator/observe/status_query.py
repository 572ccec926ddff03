"""Which targets the status shows: filters and pages, for `/status` and `rotator status`. Pure."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from fnmatch import translate
from functools import lru_cache

from rotator.core.model import Target
from rotator.observe.target_figures import TargetSnapshot
from rotator.observe.target_words import FILTERS, ORPHAN, has_a_word

PAGE = 200
"""The length of a page unless it is asked for."""
LONGEST_PAGE = 1000
_KEYS = ("limit", "after", "state", "account", "name", "label", "due_before")
# Each pattern is tried on each target, and nobody else gets a page meanwhile.
_MOST_WORDS = 20
_LONGEST_WORD = 300
_LIMIT = re.compile("[0-9]{1,4}")


class StatusQueryError(ValueError):
    """A query that means nothing; the message is for whoever asks."""


@dataclass(frozen=True, slots=True)
class StatusQuery:
    """A selection of targets. An empty filter lets everything through; several words of one filter mean either."""

    states: tuple[str, ...] = ()  # of `FILTERS`
    accounts: tuple[str, ...] = ()
    names: tuple[str, ...] = ()  # names, or patterns with `*` and `?`
    labels: tuple[str, ...] = ()  # such as `site=berlin`; a target has to have all of them
    due_before: datetime | None = None
    after: str = ""  # the name that the page before ended with
    limit: int = PAGE

    @property
    def asks_for_orphans(self) -> bool:
        """True if what is left of removed targets is asked for: by its word, or by no filter at all."""
        return ORPHAN in self.states or not (
            self.states or self.accounts or self.names or self.labels or self.due_before
        )

    def may_match(self, target: Target) -> bool:
        """True unless the configuration alone says that a target is not asked for."""
        if self.accounts and target.account not in self.accounts:
            return False
        if self.names and not any(_pattern(name).match(target.name) for name in self.names):
            return False
        return not self.labels or {f"{key}={value}" for key, value in target.labels}.issuperset(self.labels)

    def matches(self, seen: TargetSnapshot, now: datetime, looked_at_within: timedelta) -> bool:
        """True if what is known of a target is asked for, provided that `may_match`."""
        due = seen.state.next_rotation
        if self.due_before is not None and (due is None or due >= self.due_before or seen.has_left):
            return False
        return not self.states or has_a_word(seen, self.states, now, looked_at_within)


def checked_states(given: Iterable[str]) -> tuple[str, ...]:
    """Returns the words of a filter by state. Raises StatusQueryError for one that means nothing."""
    asked = tuple(word.lower().replace("-", "_").replace(" ", "_") for word in given)
    unknown = [word for word in asked if word not in FILTERS]
    if unknown:
        raise StatusQueryError(f"no state {', '.join(unknown)}: use {', '.join(FILTERS)}")
    return asked


def parse(query: Mapping[str, Sequence[str]]) -> StatusQuery:
    """Returns the query that an address asks for. Raises StatusQueryError."""
    unknown = sorted(set(query) - set(_KEYS))
    if unknown:
        raise StatusQueryError(f"no parameter {', '.join(unknown)}: use {', '.join(_KEYS)}")
    if any(len(words) > _MOST_WORDS or any(len(word) > _LONGEST_WORD for word in words) for words in query.values()):
        raise StatusQueryError(f"a filter has at most {_MOST_WORDS} words of at most {_LONGEST_WORD} characters")
    return StatusQuery(
        states=checked_states(query.get("state", ())),
        accounts=tuple(query.get("account", ())),
        names=tuple(query.get("name", ())),
        labels=tuple(query.get("label", ())),
        due_before=_moment(query.get("due_before", [])),
        after=query.get("after", [""])[-1],
        limit=_limit(query.get("limit", [str(PAGE)])[-1]),
    )


@lru_cache(maxsize=2 * _MOST_WORDS)  # `fnmatchcase` keeps 32,768 of them: those of a stranger would fill the memory
def _pattern(text: str) -> re.Pattern[str]:
    return re.compile(translate(text))


def _limit(text: str) -> int:
    if _LIMIT.fullmatch(text) is None or int(text) > LONGEST_PAGE:
        raise StatusQueryError(f"limit is a number from 0 (only the summary) to {LONGEST_PAGE}")
    return int(text)


def _moment(given: Sequence[str]) -> datetime | None:
    if not given:
        return None
    try:
        moment = datetime.fromisoformat(given[-1])
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise StatusQueryError("due_before is a moment with its offset from UTC, such as 2026-01-31T00:00:00Z")
    return moment
