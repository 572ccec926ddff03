"""The meaning of an HTTP answer: parsing within bounds, and the classification that providers share.

No message repeats a body, since providers echo rejected passwords in their errors (Vobiz, Errors:
`details.errors[].value`). Only error codes of a strict form are named.
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
from rotator.core.nesting import is_too_deep

# Capitals joined by underscores, or a short number. No password under the rules looks like one: it is longer than the
# number and contains more than capitals and underscores.
_CODE = re.compile(r"[A-Z]{2,20}(?:_[A-Z]{2,20}){1,4}|[0-9]{1,6}")
_MOST_CODES = 3
_SECONDS = re.compile(r"[0-9]{1,9}")

Failure: TypeAlias = Refused | Retry | Unknown
"""Any answer except `Done`."""


@dataclass(frozen=True, slots=True)
class HttpReply:
    """An HTTP answer that was read to its end. `body` is parsed JSON, or None if it was empty or not JSON."""

    status: int
    body: Any = field(default=None, repr=False)
    readable: bool = True  # False: there was a body, and it was not JSON
    after: timedelta | None = None  # from Retry-After or its equivalent
    pause: timedelta | None = None  # to wait before anything else is sent to the account, although it answered
    uncertain: bool = False  # an earlier try of the same write got no answer and may have acted

    @property
    def ok(self) -> bool:
        """True for a 2xx whose body, if any, is JSON."""
        return 200 <= self.status < 300 and self.readable


def parse(status: int, content: bytes, headers: Mapping[str, str], now: datetime) -> HttpReply:
    """Parses an answer. Never raises."""
    after, pause = wait_asked_for(status, headers, now), _pause(status, headers, now)
    if not content.strip():
        return HttpReply(status, after=after, pause=pause)
    try:
        body = json.loads(content, parse_float=_finite, parse_constant=_finite)
    except (ValueError, RecursionError):  # not text, or not JSON
        return HttpReply(status, readable=False, after=after, pause=pause)
    if is_too_deep(body):
        return HttpReply(status, readable=False, after=after, pause=pause)
    return HttpReply(status, body, after=after, pause=pause)


def _pause(status: int, headers: Mapping[str, str], now: datetime) -> timedelta | None:
    """Returns how long the whole account should pause: a quota is used up, or the provider is overloaded and says so.

    A quota's headers count what is left and the seconds until it is full again (Telnyx, Rate Limiting).
    """
    if status == 503:
        return wait_asked_for(status, headers, now)
    if headers.get("x-ratelimit-remaining", "").strip() != "0":
        return None
    return _wait(headers.get("x-ratelimit-reset", "").strip(), now)


def _finite(text: str) -> float:
    """Rejects NaN and Infinity, which are not JSON, and 1e999, which could not be sent back (Apinizer's full PUT)."""
    number = float(text)
    if not math.isfinite(number):
        raise ValueError("not a finite number")
    return number


def wait_asked_for(status: int, headers: Mapping[str, str], now: datetime) -> timedelta | None:
    """Returns the wait that the provider asks for: Retry-After (seconds or a date), or `x-ratelimit-reset` on a 429.

    `x-ratelimit-reset` counts seconds (Telnyx, Rate Limiting). An unreadable header is ignored.
    """
    text = headers.get("retry-after", "").strip()
    if status == 429:
        text = text or headers.get("x-ratelimit-reset", "").strip()
    return _wait(text, now)


def _wait(text: str, now: datetime) -> timedelta | None:
    """Reads seconds or a date; None if it is neither."""
    if not text:  # as nearly always
        return None
    if _SECONDS.fullmatch(text):
        return timedelta(seconds=int(text))
    try:
        date = parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    try:
        return max(timedelta(), (date if date.tzinfo else date.replace(tzinfo=UTC)) - now)
    except OverflowError:  # a date at the edge of the calendar, which its zone moves beyond it
        return None


def codes(body: Any) -> tuple[str, ...]:
    """Returns the error codes in a body of any known shape, but only codes that cannot be a secret.

    Shapes: `{"error": {"code": ...}}`, `{"error": ..., "code": ...}` (Vobiz, Errors and Create Credential) and
    `{"errors": [{"code": ...}]}` (Telnyx).
    """
    candidates = (str(code) for code in _candidates(body) if isinstance(code, str | int) and not isinstance(code, bool))
    return tuple(dict.fromkeys(code for code in candidates if _CODE.fullmatch(code)))[:_MOST_CODES]


def _candidates(body: Any) -> Iterator[Any]:
    if not isinstance(body, dict):
        return
    yield body.get("code")
    for key in ("error", "errors"):
        inner = body.get(key)
        for item in inner if isinstance(inner, list) else [inner]:
            if isinstance(item, dict):
                yield item.get("code")


def failure(reply: HttpReply) -> Failure:
    """Interprets an answer that is not `ok`, unless the provider's pages give it another meaning."""
    return settled(reply, _definite(reply))


def settled(reply: HttpReply, definite: Failure) -> Failure:
    """Returns `definite`, or `Unknown` if an earlier try of the same write got no answer and may have acted."""
    if reply.uncertain:
        return Unknown(f"{definite.message}; an earlier try of the same request got no answer and may have acted")
    return definite


def _definite(reply: HttpReply) -> Failure:
    if 400 <= reply.status < 500:
        return _client_error(reply)
    answered = _answered(reply)
    if 200 <= reply.status < 300:
        return Unknown(f"{answered} with a body that does not have the documented form: check base_url")
    if 300 <= reply.status < 400:
        return Unknown(f"{answered}, a redirect, which rotator never follows with credentials: correct base_url")
    return Unknown(answered, after=reply.after)


_REFUSALS: Mapping[int, tuple[Refusal, str]] = {
    400: (Refusal.INVALID, "the content of the request was rejected"),
    401: (Refusal.AUTHENTICATION, "the API key is wrong or has expired"),
    402: (Refusal.PERMISSION, "the account's balance does not allow it"),
    403: (Refusal.PERMISSION, "the API key is not allowed to do this, or the account is inactive"),
    404: (Refusal.OTHER, "check base_url and the account's id"),
    405: (Refusal.OTHER, "check base_url"),
    409: (Refusal.OTHER, "it conflicts with the current state"),
    422: (Refusal.INVALID, "the content of the request was rejected"),
}


def _client_error(reply: HttpReply) -> Failure:
    answered = _answered(reply)
    if reply.status == 429:
        return Retry(Wait.RATE_LIMITED, f"{answered}: too many requests", after=reply.after)
    if reply.status == 408:  # the provider gave up reading the request, or says so
        return Unknown(answered, after=reply.after)
    why, advice = _REFUSALS.get(reply.status, (Refusal.OTHER, "the request was rejected"))
    return Refused(why, f"{answered}: {advice}")


def _answered(reply: HttpReply) -> str:
    names = ", ".join(codes(reply.body))
    return f"the provider answered {reply.status}" + (f" ({names})" if names else "")
