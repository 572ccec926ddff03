"""What the simulated Telnyx resources share: the readings of what its pages leave open, its envelopes, its spelling.

The numbers T1 to T6 in comments are the traps of the page Delete a credential.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from flask import Response, jsonify, request

from rotator.ports import Clock
from rotator_simulator.account import Account

_PROBLEMS = {
    400: ("10015", "Bad Request"),
    401: ("10009", "Authentication failed"),
    403: ("10010", "Authorization failed"),
    404: ("10005", "Resource not found"),
    409: ("10021", "Resource in use"),
    422: ("10027", "Unprocessable Entity"),
    429: ("10011", "Too many requests"),
    503: ("10037", "Service unavailable"),
}
_LIMIT = 500
_LONGEST_PAGE = 250


@dataclass(frozen=True, slots=True)
class TelnyxReadings:
    """How to read what the pages leave open or contradict."""

    expired_as: Literal["boolean", "text"] = "boolean"
    """`expired` as a boolean, or as the text that older examples show: "false" is true to Python."""
    expired_lags: bool = False
    """True: `expired` says false for ever, whatever `expires_at` says; the registrar knows better."""
    moments: Literal["zone", "fraction", "naive"] = "zone"
    """`2020-06-18T21:32:38Z`, with `.000Z`, or without a zone (T4)."""
    rounds_moments: bool = False
    """True: an end is kept to the whole second below."""
    filters: Literal["exact", "contains", "ignored"] = "exact"
    """How `filter[name]`, `filter[tag]` and `filter[sip_username]` match. Not documented."""
    filters_refused: bool = False
    """True: a listing with a filter is answered 400."""
    default_page: int = 50
    """The page size where none is asked for: 50 on one page, 20 on another."""
    longest_page: int = _LONGEST_PAGE
    """What a larger page is cut to."""
    newest_first: bool = True
    """The order of the listings."""
    meta: bool = True
    """False: the listing's `meta` lacks the totals."""
    null_lifts_end: Literal["accepted", "refused", "ignored"] = "accepted"
    """What an `expires_at` of null does. Not documented."""
    past_end: Literal["accepted", "refused", "ignored"] = "accepted"
    """What an `expires_at` that has passed does. Not documented."""
    expired_update: Literal["object", "list"] = "object"
    """`errors` of the 422 that answers the update of an expired credential: an object, as documented, or a list."""
    delete_in_use: bool = False
    """True: a credential with active calls is not deleted (10021). Not documented for it."""


View = Callable[..., Response]
"""Answers a request: called with the account and the ids in the path."""


class Answers:
    """Makes the answers of one simulated Telnyx under the readings in force."""

    def __init__(self, clock: Clock, readings: TelnyxReadings) -> None:
        """Starts with these readings; they may be replaced at any time."""
        self.readings = readings
        self.clock = clock

    def error(self, status: int, retry_after: int | None, detail: str = "See the documentation") -> Response:
        """The error envelope (Telnyx, Error codes). Seconds to wait stand in `x-ratelimit-reset`, nowhere else."""
        code, title = _PROBLEMS.get(status, ("10007", "Unexpected error"))
        url = f"https://developers.telnyx.com/docs/overview/errors/{code}"
        problem = {"code": code, "title": title, "detail": detail, "meta": {"url": url}}
        answer = self.plain(status, {"errors": [problem]})
        if retry_after is not None:
            answer.headers["x-ratelimit-remaining"] = "0"
            answer.headers["x-ratelimit-reset"] = str(retry_after)
        return answer

    def expired(self) -> Response:
        """The refusal to update what has expired: `errors` is an object there (Telephony credentials)."""
        said = "can't update credentials in expired status"
        if self.readings.expired_update == "list":
            return self.error(422, None, said)
        return self.plain(422, {"errors": {"status": said}})

    def body(self) -> dict[str, Any] | None:
        """The JSON object of the request; None where there is none."""
        given = request.get_json(silent=True)
        return given if isinstance(given, dict) else None

    def data(self, status: int, shown: Mapping[str, Any]) -> Response:
        """An object in its envelope."""
        return self.plain(status, {"data": dict(shown)})

    def plain(self, status: int, content: Any) -> Response:
        """A JSON answer with the headers of the rate limit (Telnyx, Rate limiting)."""
        made = jsonify(content)
        made.status_code = status
        made.headers["x-ratelimit-limit"] = str(_LIMIT)
        made.headers["x-ratelimit-remaining"] = str(_LIMIT - 1)
        made.headers["x-ratelimit-reset"] = "1"
        return made

    def page(self, found: list[dict[str, Any]], default: int) -> Response:
        """The page of a listing that was asked for."""
        try:
            number = int(request.args.get("page[number]", "1"))
            size = int(request.args.get("page[size]", str(default)))
        except ValueError:
            return self.error(400, None)
        if number < 1 or not 1 <= size <= _LONGEST_PAGE:
            return self.error(400, None)
        size = min(size, self.readings.longest_page)
        pages = -(-len(found) // size)
        meta = {"total_pages": pages, "total_results": len(found), "page_number": number, "page_size": size}
        shown = found[(number - 1) * size : number * size]
        return self.plain(200, {"data": shown, "meta": meta} if self.readings.meta else {"data": shown})

    def stamp(self, moment: datetime) -> str:
        """A time as the readings have it."""
        text = moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S")
        if self.readings.moments == "fraction":
            return f"{text}.{moment.microsecond // 1000:03d}Z"
        return text if self.readings.moments == "naive" else f"{text}Z"

    def ordered(self, account: Account, kind: str) -> list[Any]:
        """The records of one kind in the order of the listings."""
        records = list(account.records(kind))
        return records[::-1] if self.readings.newest_first else records


def matches(wanted: str | None, held: str, how: str) -> bool:
    """True where a filter lets something through."""
    if wanted is None or how == "ignored":
        return True
    return wanted == held if how == "exact" else wanted.lower() in held.lower()
