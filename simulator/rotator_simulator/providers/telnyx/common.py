"""The parts that both simulated Telnyx resources share: the readings, the envelopes, the formats.

The numbers T1 to T6 in comments are the traps in the page Delete a credential.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from flask import Response, request

from rotator.ports import Clock
from rotator_simulator.account import ListingOrder, SimulatedCredential
from rotator_simulator.simulated_api import Responses

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
_MASK = "********"
_LONGEST_PAGE = 250


@dataclass(frozen=True, slots=True)
class TelnyxReadings:
    """The reading of each point that the pages leave open or contradict."""

    passwords_masked: Literal["nowhere", "connections", "everywhere"] = "nowhere"
    """Where answers have `********` for a password: nowhere; at connections, as the SDK 4.189.0 says of accounts made
    since 2026-09-08; or at telephony credentials as well. The answer to a create, and to an update that changes the
    password, shows it all the same."""
    changes_masked: bool = False
    """True: where passwords are masked, the answer that makes or changes one masks it as well. Not documented."""
    expired_as: Literal["boolean", "text", "null", "missing"] = "boolean"
    """`expired` as a boolean, or as the text that older examples show: "false" is true to Python. The page requires no
    field of an object (null, missing)."""
    resource_as: Literal["prefixed", "bare"] = "prefixed"
    """`resource_id` as `connection:ID` (T5), or as the id alone."""
    expired_lags: bool = False
    """True: `expired` stays false after `expires_at`, although the registrar refuses the credential."""
    moments: Literal["zone", "fraction", "naive"] = "zone"
    """`2020-06-18T21:32:38Z`, with `.000Z`, or without a zone (T4)."""
    rounds_moments: bool = False
    """True: `expires_at` is rounded down to a whole second."""
    filters: Literal["exact", "contains", "ignored"] = "exact"
    """How `filter[name]`, `filter[tag]` and `filter[sip_username]` match. Not documented."""
    filters_refused: bool = False
    """True: a listing with a filter is refused with 400."""
    default_page: int = 50
    """The default page size: 50 on one page of the documentation, 20 on another."""
    longest_page: int = _LONGEST_PAGE
    """The size that a larger page is reduced to."""
    order: ListingOrder = "newest"
    """Which credential is listed first. Not documented."""
    meta: bool = True
    """False: the listing has no `meta`."""
    null_lifts_end: Literal["accepted", "refused", "ignored"] = "accepted"
    """The effect of an `expires_at` of null. Not documented."""
    past_end: Literal["accepted", "refused", "ignored"] = "accepted"
    """The effect of an `expires_at` in the past. Not documented."""
    expired_update: Literal["object", "list"] = "object"
    """`errors` in the 422 for an update of an expired credential: an object, as documented, or a list."""
    unregistered_as: Literal["not registered", "unknown", "not found"] = "not registered"
    """What `GET /sip_registration_status` says of a credential that no device is registered with. Not documented."""
    delete_in_use: bool = False
    """True: a credential with active calls is not deleted (10021). Not documented."""


class TelnyxResponses(Responses[TelnyxReadings]):
    """Builds Telnyx's responses."""

    def __init__(self, clock: Clock, readings: TelnyxReadings) -> None:
        """Starts with these readings."""
        super().__init__(readings)
        self.clock = clock

    def error(self, status: int, retry_after: int | None, detail: str = "See the documentation") -> Response:
        """Returns the error envelope (Telnyx, Error codes). The seconds to wait are in `x-ratelimit-reset` only."""
        code, title = _PROBLEMS.get(status, ("10007", "Unexpected error"))
        url = f"https://developers.telnyx.com/docs/overview/errors/{code}"
        problem = {"code": code, "title": title, "detail": detail, "meta": {"url": url}}
        answer = self.json(status, {"errors": [problem]})
        if retry_after is not None:
            answer.headers["x-ratelimit-remaining"] = "0"
            answer.headers["x-ratelimit-reset"] = str(retry_after)
        return answer

    def expired(self) -> Response:
        """Returns the refusal to update an expired credential (Telephony credentials)."""
        detail = "can't update credentials in expired status"
        if self.readings.expired_update == "list":
            return self.error(422, None, detail)
        return self.json(422, {"errors": {"status": detail}})

    def password(self, credential: SimulatedCredential, kind: str, *, changed: bool) -> str:
        """Returns the password as it is shown in an answer, of which `changed` says whether it made or changed it."""
        masked = self.readings.passwords_masked
        hidden = masked == "everywhere" or (masked == "connections" and kind == "connections")
        if hidden and (self.readings.changes_masked or not changed):
            return _MASK
        return credential.password.reveal()

    def data(self, status: int, item: Mapping[str, Any]) -> Response:
        """Returns an object in its envelope."""
        return self.json(status, {"data": dict(item)})

    def json(self, status: int, content: Any) -> Response:
        """Returns a JSON response with the headers of the rate limit (Telnyx, Rate limiting)."""
        response = super().json(status, content)
        response.headers["x-ratelimit-limit"] = str(_LIMIT)
        response.headers["x-ratelimit-remaining"] = str(_LIMIT - 1)
        response.headers["x-ratelimit-reset"] = "1"
        return response

    def page(self, items: list[dict[str, Any]], default: int) -> Response:
        """Returns the requested page of a listing."""
        try:
            number = int(request.args.get("page[number]", "1"))
            size = int(request.args.get("page[size]", str(default)))
        except ValueError:
            return self.error(400, None)
        if number < 1 or not 1 <= size <= _LONGEST_PAGE:
            return self.error(400, None)
        size = min(size, self.readings.longest_page)
        pages = -(-len(items) // size)
        meta = {"total_pages": pages, "total_results": len(items), "page_number": number, "page_size": size}
        page = items[(number - 1) * size : number * size]
        return self.json(200, {"data": page, "meta": meta} if self.readings.meta else {"data": page})

    def stamp(self, moment: datetime) -> str:
        """Formats a time as the readings say."""
        text = moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S")
        if self.readings.moments == "fraction":
            return f"{text}.{moment.microsecond // 1000:03d}Z"
        return text if self.readings.moments == "naive" else f"{text}Z"


def matches(wanted: str | None, value: str, how: str) -> bool:
    """Returns True if a value passes a filter."""
    if wanted is None or how == "ignored":
        return True
    return wanted == value if how == "exact" else wanted.lower() in value.lower()
