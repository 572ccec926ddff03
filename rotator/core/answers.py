"""The four answers to a call: done, refused (definitely), retry (after), or unknown.

They are kept apart because the next act differs: only a definite refusal may discard a staged password, only an
unknown answer must be looked into, and only `Done` moves an attempt forward.
"""

from dataclasses import dataclass
from datetime import timedelta
from enum import Enum
from typing import Generic, TypeAlias, TypeVar

T_co = TypeVar("T_co", covariant=True)


class Refusal(Enum):
    """A reason why a provider definitely did not do what was asked."""

    AUTHENTICATION = "authentication"  # the account's API key is wrong or expired: nothing works until it is replaced
    PERMISSION = "permission"  # the API key is known but may not do this; also a project that cannot be seen
    NOT_FOUND = "not_found"  # the credential is not there, and a listing confirms it
    DUPLICATE = "duplicate"  # the username is taken
    INVALID = "invalid"  # the request's content was rejected: a password rule, a username rule
    UNSUPPORTED = "unsupported"  # accepted, but read back as not done: the provider cannot do this
    EXPIRED = "expired"  # the credential has expired for good; it can only be deleted
    OTHER = "other"  # any other definite no

    @property
    def concerns_account(self) -> bool:
        """True if no other request to the same account would fare better."""
        return self in (Refusal.AUTHENTICATION, Refusal.PERMISSION)


class Wait(Enum):
    """A reason to make the same call again later, although nothing is wrong with it."""

    RATE_LIMITED = "rate_limited"  # 429: the request was not looked at
    IN_USE = "in_use"  # active calls hold the credential (Vobiz 409 on DELETE)
    ATTACHED = "attached"  # a trunk still names the credential: nothing was sent
    PARTIAL = (
        "partial"  # done in some environments but not in all (Apinizer), or not read back yet: send the same again
    )
    NOT_YET = "not_yet"  # a proof that has not come yet: the change may still be propagating
    UNREACHABLE = "unreachable"  # no connection was made, so the request certainly never arrived
    DOUBTFUL = "doubtful"  # an answer that is impossible, or may have been changed on the way: it proves nothing
    READING = "reading"  # the account's listing is still being read; the reading goes on when somebody asks again
    CHANGING = "changing"  # the listing was read, but too much changed meanwhile for it to show what is missing


@dataclass(frozen=True, slots=True)
class Done(Generic[T_co]):
    """The provider did it; `value` is its reply."""

    value: T_co
    note: str = ""  # what somebody should know although it was done; safe to print


@dataclass(frozen=True, slots=True)
class Refused:
    """The provider definitely did not do it. `message` is safe to print: no part of a body, no value."""

    why: Refusal
    message: str


@dataclass(frozen=True, slots=True)
class Retry:
    """Not done, or not wholly, and worth repeating unchanged; not before `after`, if the provider said so."""

    why: Wait
    message: str
    after: timedelta | None = None


@dataclass(frozen=True, slots=True)
class Unknown:
    """Nobody can tell: a timeout, a reset, a 5xx, a body that cannot be read. It may have been done."""

    message: str
    after: timedelta | None = None


Answer: TypeAlias = Done[T_co] | Refused | Retry | Unknown
