"""The access of an Apinizer credential to API proxies: reads it, and grants a successor the same.

The facts are from Apinizer's pages Get Granted Access List ("only shows accesses within the project") and Grant Access
("cannot grant access that already exists").
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from rotator.core.answers import Answer, Done, Retry, Unknown, Wait
from rotator.providers.apinizer.api import rows
from rotator.providers.apinizer.envelope import DocumentedError, documented_error, outcome
from rotator.providers.apinizer.options import ApinizerOptions
from rotator.providers.http.calls import HttpCall, HttpRequest
from rotator.providers.http.replies import Failure, HttpReply

_LONGEST = 255
_TYPE = re.compile(r"[A-Z][A-Z_]{0,39}")


@dataclass(frozen=True, slots=True)
class AccessGrant:
    """Access to one API proxy or to one group of them."""

    name: str
    type: str  # API_PROXY or API_PROXY_GROUP


def grants(call: HttpCall, options: ApinizerOptions, username: str) -> Answer[tuple[AccessGrant, ...]]:
    """Returns the access of a credential within the project (Get Granted Access List)."""
    whole = rows(call, HttpRequest("list_access", "GET", options.path(username, "access")), username)
    if not isinstance(whole, Done):
        return whole
    parsed = [_read(row) for row in whole.value]
    known = tuple(dict.fromkeys(grant for grant in parsed if grant is not None))
    if None in parsed:
        return Unknown("the list of grants cannot be read: it does not have the documented form")
    return Done(known)


def _read(row: Any) -> AccessGrant | None:
    name, kind = (row.get("name"), row.get("type")) if isinstance(row, dict) else (None, None)
    if not isinstance(name, str) or not name or len(name) > _LONGEST:
        return None
    return AccessGrant(name, kind) if isinstance(kind, str) and _TYPE.fullmatch(kind) else None


def grant_access(
    call: HttpCall, options: ApinizerOptions, username: str, wanted: Iterable[AccessGrant]
) -> Answer[None]:
    """Grants the part of `wanted` that is missing. `Done` only if the provider then shows all of it."""
    has = grants(call, options, username)
    if not isinstance(has, Done):
        return has
    missing = [grant for grant in wanted if grant not in has.value]
    if not missing:
        return Done(None)
    answer = _grant(call, options, username, missing)
    if not isinstance(answer, Done):
        return answer
    has = grants(call, options, username)
    if not isinstance(has, Done):
        return has
    lacking = sum(grant not in has.value for grant in missing)
    return Retry(Wait.PARTIAL, f"the provider does not show {lacking} of its grants yet") if lacking else Done(None)


def _grant(call: HttpCall, options: ApinizerOptions, username: str, missing: list[AccessGrant]) -> Done[None] | Failure:
    """Grants everything at once, or one by one if the provider answers that some of it is granted already."""
    body = {"credentialAccessList": [{"name": grant.name, "type": grant.type} for grant in missing]}
    reply = call.send(HttpRequest("grant", "PUT", options.path(username, "access"), body=body))
    if not isinstance(reply, HttpReply):
        return reply
    if documented_error(reply, username) is not DocumentedError.GRANTED:
        return outcome(reply, username, options.secrets)
    for grant in missing if len(missing) > 1 else ():
        answer = _grant(call, options, username, [grant])
        if not isinstance(answer, Done):
            return answer
    return Done(None)
