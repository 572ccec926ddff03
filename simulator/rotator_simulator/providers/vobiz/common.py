"""The parts that both simulated Vobiz resources share: the readings, the error responses, the formats.

The numbers V1 to V11 are the traps in Vobiz's pages on credentials.
"""

import hashlib
import itertools
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal, TypeVar

from flask import Response, jsonify, request

from rotator.ports import Clock
from rotator_simulator.account import ListingOrder, SimulatedAccount
from rotator_simulator.simulated_api import Responses

T = TypeVar("T")

_CODES = {
    400: ("BAD_REQUEST", "The request cannot be understood"),
    401: ("INVALID_CREDENTIALS", "Invalid authentication credentials"),
    402: ("INSUFFICIENT_BALANCE", "Insufficient balance"),
    403: ("ACCOUNT_INACTIVE", "Account is inactive"),
    404: ("CREDENTIAL_NOT_FOUND", "Credential not found"),
    409: ("CREDENTIAL_IN_USE", "Credential is currently in use by active calls"),
    422: ("VALIDATION_ERROR", "Validation failed"),
    429: ("RATE_LIMIT_EXCEEDED", "Rate limit exceeded"),
}


@dataclass(frozen=True, slots=True)
class VobizReadings:
    """The reading of each open point on the pages. The defaults follow the prose, and the stricter of two rules."""

    put_without_password: Literal["accepted", "refused", "ignored"] = "accepted"  # noqa: S105 - no password
    """Prose: every field is optional. OpenAPI of the same page: `password` is required (V1)."""
    put_answer: Literal["object", "without enabled", "message", "empty", "no content"] = "object"
    """The answer to the `PUT` of a credential: the object, as the page says; the object without `enabled`; a
    `message`; 200 with nothing; 204. The change is made in any case."""
    enabled_honoured: bool = True
    """False: `enabled` changes nothing, password or not. The OpenAPI block does not know the field (V1)."""
    enabled_echoed: bool = False
    """True: the answer to a `PUT` shows the `enabled` that was sent, even where it changes nothing. Not documented."""
    listing_path: Literal["trunks/credentials", "credentials"] = "trunks/credentials"
    """The path of the listing below the account; the other one is answered 404. No primary page has it."""
    delete_needs_type: bool = False
    """True: a `DELETE` without `Content-Type` is refused with 400. The page lists the header, its cURL omits it."""
    parent_key: bool = False
    """True: the key of a main account (`MA_...`) administers the sub-accounts (`SA_...`). Not documented."""
    trunk_domain: str = ""
    """What every trunk names as its domain, such as `localhost`; empty: `<first 8 of its id>.sip.vobiz.ai`."""
    single_get: bool = False
    """True: `GET credentials/{id}` shows the credential, as an older SDK has it; current pages do not."""
    put_password_enables: bool = False
    """True: a `PUT` with a password and without `enabled` enables the credential. Not documented."""
    create_status: Literal[201, 200] = 201
    """Prose 201, OpenAPI 200 (V5)."""
    delete_status: Literal[204, 200] = 204
    """Prose 204, OpenAPI also 200 with a JSON string (V5)."""
    delete_during_call: Literal["conflict", "disconnect"] = "conflict"
    """409 while calls are active, or the calls are disconnected (V6)."""
    total_key: Literal["total", "total_count"] = "total"
    """The newer and the older form of the listing's `meta`."""
    short_items: bool = False
    """True: the older form of the listing, without account, realm and password, with description."""
    list_reveals_password: bool = False
    """True: the listing shows the password itself, as a public client reports."""
    list_longest_page: int = 100
    """The largest `limit`; a larger one is reduced to it. Not documented for this listing."""
    order: ListingOrder = "oldest"
    """Which credential is listed first. Not documented."""
    username_underscore_allowed: bool = False
    """The examples have underscores; the warning says that they can be rejected (V8). Hyphens are treated the same."""
    password_longest: int | None = 20
    """The console's form accepts at most 20; the API's pages name no limit (None)."""
    password_symbol_required: bool = True
    """The console requires alphanumerics and at least one of its symbols; the API's pages only 8 characters."""
    empty_not_found: bool = False
    """True: a 404 has no body at all."""
    lowercase_status: Literal[404, 401] = 404
    """The status for `/account/` in lower case."""
    realm_form: Literal["account", "trunk"] = "account"
    """The `realm` in the API: by account (V11), or by trunk as on the console's page."""
    attached_only: bool = False
    """True: a trunk credential is let in only while a trunk names it (`credential_uuid`, one for each trunk, as the SDK
    has it); False: any enabled one of the account is, as the prose has it."""
    trunks_status: Literal[200, 403, 404] = 200
    """Otherwise the account does not show its trunks, as to a key without the right."""
    trunk_update_shows_credential: bool = True
    """False: the answer to the `PUT` of a trunk lacks `credential_uuid`, as in the SDK's model."""
    challenge_realm: Literal["account", "trunk"] = "account"
    """The realm in the registrar's challenge, whatever the API shows."""


class VobizResponses(Responses[VobizReadings]):
    """Builds Vobiz's responses."""

    def __init__(self, clock: Clock, readings: VobizReadings) -> None:
        """Starts with these readings."""
        super().__init__(readings)
        self._clock = clock
        self._numbers = itertools.count(1)

    def error(self, status: int, retry_after: int | None, details: Mapping[str, Any] | None = None) -> Response:
        """Returns the global error envelope (Vobiz, Errors)."""
        if status == 404 and self.readings.empty_not_found:
            return Response(status=404)
        code, message = _CODES.get(status, ("INTERNAL_ERROR", "Something went wrong"))
        inner: dict[str, Any] = {"code": code, "message": message}
        if status == 429:
            details = {"limitType": "api", "limit": 10, "current": 11, "retryAfter": retry_after}
        if details:
            inner["details"] = details
        number = f"req_{next(self._numbers):08d}"
        answer = jsonify(status="error", error=inner, timestamp=stamp(self._clock.now()), requestId=number)
        answer.status_code = status
        if retry_after is not None:
            answer.headers["Retry-After"] = str(retry_after)
        return answer

    def invalid(self, field: str, message: str, code: str, value: Any) -> Response:
        """Returns a 422 that echoes the rejected value, even a password (Vobiz, Errors: `details.errors`)."""
        item = {"field": field, "message": message, "code": code, "value": value}
        return self.error(422, None, {"errors": [item]})

    def page(self, entries: Sequence[T], as_json: Callable[[T], Mapping[str, Any]]) -> Response:
        """Returns the page of a listing that the request asks for."""
        try:
            limit, offset = int(request.args.get("limit", "20")), int(request.args.get("offset", "0"))
        except ValueError:
            return self.error(400, None)
        if limit < 1 or offset < 0:
            return self.error(400, None)
        limit = min(limit, self.readings.list_longest_page)
        meta = {"limit": limit, "offset": offset, self.readings.total_key: len(entries)}
        return self.json(200, {"meta": meta, "objects": [as_json(one) for one in entries[offset : offset + limit]]})

    def username_problem(self, username: Any) -> str | None:
        """Returns why this username is refused with 400 (V8); None if it is accepted."""
        more = "_-" if self.readings.username_underscore_allowed else ""
        if isinstance(username, str) and re.fullmatch(f"[A-Za-z0-9{more}]+", username):
            return None
        return "Username must be alphanumeric"


def realm(account: SimulatedAccount, form: str) -> str:
    """Returns the SIP realm of an account, by its name or by the first eight characters of its trunk's id."""
    trunk = hashlib.sha256(account.name.encode()).hexdigest()[:8]
    return f"{account.name if form == 'account' else trunk}.sip.vobiz.ai"


def stamp(moment: datetime) -> str:
    """Formats a time as Vobiz does: UTC, microseconds, `Z`."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
