"""The parts of Vobiz's API that trunk credentials and Endpoint users share: objects, listings, failures.

The facts are from Vobiz's pages Create, Update, Delete and Retrieve all Credentials, Endpoint, and Errors. They
contradict each other in places; this code handles every reading.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from rotator.core.answers import Answer, Done, Unknown
from rotator.core.model import Credential
from rotator.core.selection import ListedCredential
from rotator.providers.http.calls import HttpCall, HttpRequest
from rotator.providers.http.client import Http
from rotator.providers.http.directory import Directory
from rotator.providers.http.pages import ListedEntry, Page, Question
from rotator.providers.http.replies import Failure, HttpReply, failure

T = TypeVar("T")

_HINT = "Vobiz also answers this if the account's id or the letter case of the path is wrong"
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,127}")
_REALM = re.compile(r"[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)+")  # always below a domain, whichever page is right
_LONGEST_NAME = 255
# The default is 20; the largest `limit` is documented only for another listing (Applications: 100). If 100 is rejected,
# the default is used; if it is silently reduced, reading continues after the items received.
SIZES = (100, 20)
# No current page has a request for a single credential, but an older SDK of Vobiz's (vobiz-python 0.1.1).
_NO_SUCH_REQUEST = (400, 401, 403, 404, 405, 501)
UNREADABLE = "the listing cannot be read: it does not have the documented form"


@dataclass(frozen=True, slots=True)
class VobizRecord:
    """One object as Vobiz shows it. Its `password` is ignored, whether it is `<redacted>` or not."""

    id: str
    username: str
    enabled: bool = True
    realm: str = ""
    updated: str = ""  # as it is shown; empty: it is not

    def credential(self, account: str) -> Credential:
        """Returns the credential that it describes, without a password."""
        return Credential(account, self.username, self.id, realm=self.realm, enabled=self.enabled)


@dataclass(frozen=True, slots=True)
class VobizResource:
    """One kind of object: the paths of its listing and of one object, and the form of its entries."""

    listing: str
    path: Callable[[str], str]  # by id
    key: str  # of its id
    switchable: bool  # it has `enabled`


def usable_id(credential: Credential) -> str | None:
    """Returns the credential's id if it can be part of a path."""
    return credential.id if credential.id is not None and _ID.fullmatch(credential.id) else None


def read_object(body: Any, resource: VobizResource) -> VobizRecord | None:
    """Reads an object; None if a required field is missing or has the wrong type."""
    if not isinstance(body, dict):
        return None
    identity, username = read_id(body.get(resource.key)), _read_name(body)
    enabled, realm = body.get("enabled"), body.get("realm")
    if identity is None or username is None:
        return None
    if resource.switchable and not isinstance(enabled, bool):
        return None
    named = realm if isinstance(realm, str) and len(realm) <= _LONGEST_NAME and _REALM.fullmatch(realm) else ""
    updated = body.get("updated_at")
    moment = updated if isinstance(updated, str) and len(updated) <= _LONGEST_NAME else ""
    return VobizRecord(identity, username, bool(enabled) if resource.switchable else True, named, moment)


def read_id(value: Any) -> str | None:
    """Returns an id that can be part of a path, as text; None if it is none."""
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    return value if isinstance(value, str) and _ID.fullmatch(value) else None


def _read_name(body: Mapping[str, Any]) -> str | None:
    name = body.get("username")
    return name if isinstance(name, str) and name.isprintable() and 0 < len(name) <= _LONGEST_NAME else None


def fill(page: Page[T], body: Any, entry: Callable[[Any], ListedEntry[T]]) -> bool:
    """Adds what one page of a listing shows; False if it does not have the documented form."""
    if not isinstance(body, dict) or not isinstance(body.get("objects"), list):
        return False
    meta = body.get("meta")
    totals = [meta[key] for key in ("total", "total_count") if key in meta] if isinstance(meta, dict) else []
    if not all(type(total) is int and total >= 0 for total in totals):
        return False
    page.total = totals[0] if totals else None
    for one in body["objects"]:
        page.add(entry(one))
    return True


def failed(reply: HttpReply) -> Failure:
    """Interprets an answer that is not `ok`."""
    answer = failure(reply)
    return replace(answer, message=f"{answer.message}; {_HINT}") if reply.status in (401, 404) else answer


class VobizListing:
    """The listing of one kind of object, and the request for a single one."""

    def __init__(self, http: Http, resource: VobizResource) -> None:
        """Prepares the requests without connecting."""
        self._resource = resource
        self._directory: Directory[VobizRecord] = http.directory(resource.listing, SIZES)

    def find(self, call: HttpCall, wanted: Credential) -> Answer[tuple[VobizRecord, ...]]:
        """Returns the objects with the id, or else the username; none only if the listing certainly has none."""
        single = self._get(call, wanted) if self._directory.answers_get is not False else None
        if single is not None:
            return single
        listed = self.search(call, wanted)
        if wanted.id is not None and self._directory.answers_get is None and isinstance(listed, Done) and listed.value:
            self._directory.answers_get = False  # it was not shown, though it is there
        return listed

    def forget(self, username: str) -> None:
        """Forgets a look-up that was not finished: the username is about to be created."""
        self._directory.forget(Question("username", username))

    def each(self, call: HttpCall, take: Callable[[ListedCredential], object]) -> Answer[None]:
        """Passes every object of the listing to `take`; Done only after the whole was certainly read."""
        return self._directory.each(_listed, take, lambda _, page: self._read_page(call, page), call)

    def search(self, call: HttpCall, wanted: Credential) -> Answer[tuple[VobizRecord, ...]]:
        """Like `find`, by the listing alone."""
        key, value = ("id", wanted.id) if wanted.id is not None else ("username", wanted.username)
        return self._directory.search(Question(key, value), lambda _, page: self._read_page(call, page), call)

    def _get(self, call: HttpCall, wanted: Credential) -> Answer[tuple[VobizRecord, ...]] | None:
        """Asks for the single object; None if that says nothing: no current page has the request."""
        if usable_id(wanted) is None:
            return None
        reply = call.send(HttpRequest("get", "GET", self._resource.path(wanted.id or "")))
        if not isinstance(reply, HttpReply):
            return reply
        record = read_object(reply.body, self._resource) if reply.ok else None
        if record is not None and record.id == wanted.id:
            self._directory.answers_get = True
            return Done((record,))
        return None if reply.ok or reply.status in _NO_SUCH_REQUEST else failed(reply)

    def _read_page(self, call: HttpCall, page: Page[VobizRecord]) -> Failure | None:
        query = {"limit": page.asked.size, "offset": page.asked.start}
        reply = call.send(HttpRequest("list", "GET", self._resource.listing, query=query))
        if not isinstance(reply, HttpReply):
            return reply
        if not reply.ok:
            return failed(reply)
        return None if fill(page, reply.body, self._entry) else Unknown(UNREADABLE)

    def _entry(self, body: Any) -> ListedEntry[VobizRecord]:
        record = read_object(body, self._resource)
        if record is not None:
            return ListedEntry({"id": record.id, "username": record.username}, record)
        known = body if isinstance(body, dict) else {}
        return ListedEntry({"id": read_id(known.get(self._resource.key)), "username": _read_name(known)}, None)


def _listed(record: VobizRecord) -> ListedCredential:
    return ListedCredential(record.id, record.username, record.enabled)
