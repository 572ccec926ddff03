"""What an HTTP answer means, whoever gave it: parsing within bounds, and the classification that providers share.

Nothing here looks into a body except for JSON and for error codes of a strict form; no message repeats any of it, since
providers echo rejected passwords in their errors (Vobiz, Errors: `details.errors[].value`).
"""

import json
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any, TypeAlias

from rotator.core.answers import Refusal, Refused, Retry, Unknown, Wait

# Words of capitals joined by underscores, or a short number. A password that any rules of ours let through is longer
# than the number and has more than capitals and underscores, so that an echoed one never passes for a code.
_CODE = re.compile(r"[A-Z]{2,20}(?:_[A-Z]{2,20}){1,4}|[0-9]{1,6}")
_MOST_CODES = 3
_SECONDS = re.compile(r"[0-9]{1,9}")

Failure: TypeAlias = Refused | Retry | Unknown
"""Every answer but `Done`."""


@dataclass(frozen=True, slots=True)
class Reply:
    """An HTTP answer that was read to its end. `body` is parsed JSON, or None where it was empty or not JSON."""

    status: int
    body: Any = field(default=None, repr=False)
    readable: bool = True  # False: there was a body, and it was not JSON
    after: timedelta | None = None  # Retry-After, or what stands for it
    uncertain: bool = False  # the same write was sent before in this call, and that answer was lost: it may have acted

    @property
    def ok(self) -> bool:
        """True for a 2xx whose body, if any, is JSON."""
        return 200 <= self.status < 300 and self.readable


def parse(status: int, content: bytes, headers: Mapping[str, str], now: datetime) -> Reply:
    """Makes a `Reply` of an answer that was read. Never raises."""
    after = wait_asked_for(status, headers, now)
    if not content.strip():
        return Reply(status, after=after)
    try:
        body = json.loads(content, parse_float=_finite, parse_constant=_finite)
    except (ValueError, RecursionError):  # not text, not JSON, or nested so deeply that it was made to hurt
        return Reply(status, readable=False, after=after)
    return Reply(status, body, after=after)


def _finite(text: str) -> float:
    """NaN and Infinity are no JSON, and 1e999 is a number that could not be sent back (Apinizer's full PUT)."""
    number = float(text)
    if not math.isfinite(number):
        raise ValueError("not a finite number")
    return number


def wait_asked_for(status: int, headers: Mapping[str, str], now: datetime) -> timedelta | None:
    """How long the provider asks to wait: Retry-After in seconds or as a date, or `x-ratelimit-reset` with a 429.

    `x-ratelimit-reset` counts seconds (Telnyx, Rate Limiting). Anything unreadable counts as not said.
    """
    said = headers.get("retry-after", "").strip()
    if status == 429:
        said = said or headers.get("x-ratelimit-reset", "").strip()
    if not said:
        return None
    if _SECONDS.fullmatch(said):
        return timedelta(seconds=int(said))
    try:
        date = parsedate_to_datetime(said)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    try:
        return max(timedelta(), (date if date.tzinfo else date.replace(tzinfo=UTC)) - now)
    except OverflowError:  # a date at the edge of the calendar, moved beyond it by its zone
        return None


def codes(body: Any) -> tuple[str, ...]:
    """The provider's error codes in a body, of whichever known shape; only those of a form that cannot be a secret.

    Shapes: `{"error": {"code": ...}}`, `{"error": ..., "code": ...}` (Vobiz, Errors and Create Credential) and
    `{"errors": [{"code": ...}]}` (Telnyx).
    """
    found = (str(code) for code in _candidates(body) if isinstance(code, str | int) and not isinstance(code, bool))
    return tuple(dict.fromkeys(code for code in found if _CODE.fullmatch(code)))[:_MOST_CODES]


def _candidates(body: Any) -> Iterator[Any]:
    if not isinstance(body, dict):
        return
    yield body.get("code")
    for key in ("error", "errors"):
        inner = body.get(key)
        for item in inner if isinstance(inner, list) else [inner]:
            if isinstance(item, dict):
                yield item.get("code")


def failure(reply: Reply) -> Failure:
    """What an answer that is not `ok` means, where the provider's own pages say nothing special about it.

    A definite answer to a write that was sent before in the same call, and whose first answer was lost, is not
    definite: the first may have acted.
    """
    return settled(reply, _definite(reply))


def settled(reply: Reply, definite: Failure) -> Failure:
    """`definite`, unless an earlier try of the same write was lost: then nobody can tell."""
    if reply.uncertain:
        return Unknown(f"{definite.message}; an earlier try of the same request got no answer and may have acted")
    return definite


def _definite(reply: Reply) -> Failure:
    if 400 <= reply.status < 500:
        return _client_error(reply)
    said = _said(reply)
    if 200 <= reply.status < 300:
        return Unknown(f"{said} with a body that cannot be read as expected: is the base URL that of the API?")
    if 300 <= reply.status < 400:
        return Unknown(f"{said}, a redirect, which is never followed with credentials: correct the base URL")
    return Unknown(said, after=reply.after)


_REFUSALS: Mapping[int, tuple[Refusal, str]] = {
    400: (Refusal.INVALID, "the content of the request was rejected"),
    401: (Refusal.AUTHENTICATION, "the API key is wrong or has expired"),
    402: (Refusal.PERMISSION, "the account's balance does not allow it"),
    403: (Refusal.PERMISSION, "the API key is not allowed to do this, or the account is inactive"),
    404: (Refusal.OTHER, "check the base URL and the account's id"),
    405: (Refusal.OTHER, "check the base URL"),
    409: (Refusal.OTHER, "it conflicts with what is there"),
    422: (Refusal.INVALID, "the content of the request was rejected"),
}


def _client_error(reply: Reply) -> Failure:
    said = _said(reply)
    if reply.status == 429:
        return Retry(Wait.RATE_LIMITED, f"{said}: too many requests", after=reply.after)
    if reply.status == 408:  # it gave up reading the request, or says so
        return Unknown(said, after=reply.after)
    why, advice = _REFUSALS.get(reply.status, (Refusal.OTHER, "it declines for good"))
    return Refused(why, f"{said}: {advice}")


def _said(reply: Reply) -> str:
    named = ", ".join(codes(reply.body))
    return f"the provider answered {reply.status}" + (f" ({named})" if named else "")
