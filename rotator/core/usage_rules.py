"""The usage check of a policy, and what it found: whether devices still log in with a replaced credential."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum

PROVIDER_SOURCE = "provider"
"""The name of the source that every account has: the provider itself, where it shows who is logged in."""

MOST_KEPT = 3
"""So many replaced credentials of a target may be in use past the bound, or stay since a hook before their end fails.
Then no rotation begins by schedule, as each would leave one more that is accepted."""


class AfterExtension(Enum):
    """What becomes of a replaced credential that may still be in use when its overlap was extended to the limit."""

    RETIRE = "retire"
    HOLD = "hold"  # until nobody uses it, or a person ends it


@dataclass(frozen=True, slots=True)
class UsageRules:
    """Whom to ask before the overlap of a replaced credential ends, and how long a "yes" extends it."""

    sources: tuple[str, ...]  # each has to say that nobody uses it
    every: timedelta  # how often they are asked while it is extended
    extend_at_most: timedelta
    then: AfterExtension = AfterExtension.RETIRE


@dataclass(frozen=True, slots=True)
class Usage:
    """What one source says of a replaced credential."""

    in_use: bool
    evidence: str  # in words


@dataclass(frozen=True, slots=True)
class Sighting:
    """The result of a usage check."""

    at: datetime  # by Vault's clock
    in_use: bool | None  # None: a source could not say
    evidence: str  # what each source said that was asked
    seen_at: datetime | None = None  # when devices were last found to use it
