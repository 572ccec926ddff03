"""What an Apinizer credential has access to: reading it, and granting what its predecessor had.

The facts are from Apinizer's pages Get Granted Access List ("only shows accesses within the project") and Grant Access
("cannot grant access that already exists").
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from rotator.core.answers import Answer, Done, Retry, Unknown, Wait
from rotator.providers.apinizer.api import ApinizerOptions, rows
from rotator.providers.apinizer.envelope import Said, outcome, said
from rotator.providers.http.calls import Call, Request
from rotator.providers.http.replies import Failure, Reply

_LONGEST = 255
_TYPE = re.compile(r"[A-Z][A-Z_]{0,39}")


@dataclass(frozen=True, slots=True)
class Grant:
    """Access to one API proxy, or to one group of them."""

    name: str
    type: str  # API_PROXY or API_PROXY_GROUP

    def shown(self) -> Mapping[str, str]:
        """As it is asked for."""
        return {"name": self.name, "type": self.type}


def grants(call: Call, options: ApinizerOptions, username: str) -> Answer[tuple[Grant, ...]]:
    """What a credential has access to, within the project (Get Granted Access List)."""
    whole = rows(call, options.path(username, "access"), "list_access", username)
    if not isinstance(whole, Done):
        return whole
    found = [_read(row) for row in whole.value]
    known = tuple(dict.fromkeys(grant for grant in found if grant is not None))
    if None in found:
        return Unknown("the list of grants cannot be read: it is not of the documented form")
    return Done(known)


def _read(row: Mapping[str, Any]) -> Grant | None:
    name, kind = row.get("name"), row.get("type")
    if not isinstance(name, str) or not name or len(name) > _LONGEST:
        return None
    return Grant(name, kind) if isinstance(kind, str) and _TYPE.fullmatch(kind) else None


def endow(call: Call, options: ApinizerOptions, username: str, wanted: Iterable[Grant]) -> Answer[None]:
    """Grants what of `wanted` is missing, and is done when the provider shows all of it."""
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
    return Retry(Wait.PARTIAL, f"{lacking} of its grants are not shown yet") if lacking else Done(None)


def _grant(call: Call, options: ApinizerOptions, username: str, missing: list[Grant]) -> Done[None] | Failure:
    """Grants all at once; one by one where the provider says that some are there already."""
    body = {"credentialAccessList": [grant.shown() for grant in missing]}
    reply = call.send(Request("grant", "PUT", options.path(username, "access"), body=body))
    if not isinstance(reply, Reply):
        return reply
    if said(reply, username) is not Said.GRANTED:
        return outcome(reply, username, (options.access_token,))
    for grant in missing if len(missing) > 1 else ():
        answer = _grant(call, options, username, [grant])
        if not isinstance(answer, Done):
            return answer
    return Done(None)
