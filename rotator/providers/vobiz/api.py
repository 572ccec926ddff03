"""The parts of Vobiz's API that trunk credentials and Endpoint users share: objects, listings, failures.

The facts are from Vobiz's pages Create, Update, Delete and Retrieve all Credentials, Endpoint, and Errors. They
contradict each other in places; this code handles every reading.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from rotator.core.answers import Answer, Done, Refusal, Refused, Unknown
from rotator.core.model import Credential
from rotator.core.selection import ListedCredential
from rotator.providers.http import listing
from rotator.providers.http.calls import HttpCall, HttpRequest
from rotator.providers.http.listing import ListingPage
from rotator.providers.http.replies import Failure, HttpReply, failure

_HINT = "Vobiz also answers this if the account's id or the letter case of the path is wrong"
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,127}")
_REALM = re.compile(r"[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)+")  # always below a domain, whichever page is right
_LONGEST_NAME = 255
# The default is 20; the largest `limit` is documented only for another listing (Applications: 100). If 100 is rejected,
# the default is used; if it is silently reduced, reading continues after the items received.
_PAGE, _DEFAULT_PAGE = 100, 20


@dataclass(frozen=True, slots=True)
class VobizRecord:
    """One object as Vobiz shows it. Its `password` is ignored, whether it is `<redacted>` or not."""

    id: str
    username: str
    enabled: bool = True
    realm: str = ""

    def credential(self, account: str) -> Credential:
        """Returns the credential that it describes, without a password."""
        return Credential(account, self.username, self.id, uri=self.realm, enabled=self.enabled)


@dataclass(frozen=True, slots=True)
class VobizResource:
    """One kind of object: the path of its listing and the form of its entries."""

    listing: str
    key: str  # of its id
    switchable: bool  # it has `enabled`


def usable_id(credential: Credential) -> str | None:
    """Returns the credential's id if it can be part of a path."""
    return credential.id if credential.id is not None and _ID.fullmatch(credential.id) else None


def read_object(body: Any, resource: VobizResource) -> VobizRecord | None:
    """Reads an object; None if a required field is missing or has the wrong type."""
    if not isinstance(body, dict):
        return None
    identity, username, enabled, realm = (body.get(key) for key in (resource.key, "username", "enabled", "realm"))
    if isinstance(identity, int) and not isinstance(identity, bool):
        identity = str(identity)
    if not isinstance(identity, str) or not _ID.fullmatch(identity):
        return None
    if not isinstance(username, str) or not username.isprintable() or not 0 < len(username) <= _LONGEST_NAME:
        return None
    if resource.switchable and not isinstance(enabled, bool):
        return None
    named = realm if isinstance(realm, str) and len(realm) <= _LONGEST_NAME and _REALM.fullmatch(realm) else ""
    return VobizRecord(identity, username, bool(enabled) if resource.switchable else True, named)


def failed(reply: HttpReply) -> Failure:
    """Interprets an answer that is not `ok`."""
    answer = failure(reply)
    return replace(answer, message=f"{answer.message}; {_HINT}") if reply.status in (401, 404) else answer


def search(
    call: HttpCall, resource: VobizResource, wanted: Callable[[VobizRecord], bool]
) -> Answer[tuple[VobizRecord, ...]]:
    """Returns every object that is `wanted`; the empty tuple only after the whole listing was certainly read."""
    answer = listing.search(lambda _, items: _read_page(call, resource, _PAGE, items), wanted)
    if isinstance(answer, Refused) and answer.why is Refusal.INVALID:
        return listing.search(lambda _, items: _read_page(call, resource, _DEFAULT_PAGE, items), wanted)
    return answer


def each(call: HttpCall, resource: VobizResource, take: Callable[[ListedCredential], object]) -> Answer[None]:
    """Passes every object of the listing to `take`, some twice; Done only after the whole was certainly read."""

    def pass_on(record: VobizRecord) -> bool:
        take(ListedCredential(record.id, record.username, record.enabled))
        return False

    answer = search(call, resource, pass_on)
    return Done(None) if isinstance(answer, Done) else answer


def _read_page(call: HttpCall, resource: VobizResource, size: int, offset: int) -> ListingPage[VobizRecord] | Failure:
    query = {"limit": size, "offset": offset}
    reply = call.send(HttpRequest("list", "GET", resource.listing, query=query))
    if not isinstance(reply, HttpReply):
        return reply
    if not reply.ok:
        return failed(reply)
    return _page_of(reply.body, resource) or Unknown("the listing cannot be read: it does not have the documented form")


def _page_of(body: Any, resource: VobizResource) -> ListingPage[VobizRecord] | None:
    if not isinstance(body, dict) or not isinstance(body.get("objects"), list):
        return None
    items = [read_object(entry, resource) for entry in body["objects"]]
    read = tuple(item for item in items if item is not None)
    meta = body.get("meta")
    totals = [meta[key] for key in ("total", "total_count") if key in meta] if isinstance(meta, dict) else []
    if len(read) < len(items) or not all(type(total) is int and total >= 0 for total in totals):
        return None
    return ListingPage(read, totals[0] if totals else None)
