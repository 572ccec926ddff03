"""What Vobiz's trunk credentials and Endpoint users have in common: options, objects, listings, failures.

The facts are from Vobiz's pages Create, Update, Delete and Retrieve all Credentials, Endpoint, and Errors. They
contradict each other in places; where they do, every reading is handled.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from rotator.core.answers import Answer, Refusal, Refused, Unknown
from rotator.core.model import Credential
from rotator.core.secret import Secret
from rotator.providers.http import listing
from rotator.providers.http.calls import Call, Request, path
from rotator.providers.http.listing import Page
from rotator.providers.http.replies import Failure, Reply, failure
from rotator.providers.sip.register import Address

BASE_URL = "https://api.vobiz.ai"
CONSOLE_SYMBOLS = "~!@#$%^&*()_+"
"""The special characters that the console's form takes; whether the API takes others is not documented."""
USERNAMES = r"[A-Za-z0-9]+"
"""Create Credential: "Keep usernames alphanumeric. Dashes, underscores [...] can be rejected with a 400"."""
_HINT = "Vobiz answers so, too, where the account's id or the letter case of the path is wrong"
_AUTH_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,127}")
_REALM = re.compile(r"[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)+")  # always below a domain, whichever page is right
_LONGEST_NAME = 255
# The default is 20; the greatest `limit` is documented only for another listing (Applications: 100). Where 100 is
# rejected, the default is not; where it is cut silently, the listing is read on from what came.
_PAGE, _DEFAULT_PAGE = 100, 20


@dataclass(frozen=True, slots=True)
class VobizOptions:
    """One Vobiz account.

    Raises:
        ValueError: `auth_id` cannot be one.
    """

    auth_id: str  # MA_..., SA_... (sub-account) or PA_... (partner)
    auth_token: Secret
    registrar: Address | None = None  # where a password is proved by a SIP REGISTER; None: by a read-back only
    domain: str | None = None  # SIP domain of that REGISTER; None: the credential's realm, else the registrar's host
    propagation: timedelta = timedelta(seconds=30)  # a guess: Vobiz documents no time

    def __post_init__(self) -> None:
        """Checks what becomes a part of every path."""
        if not _AUTH_ID.fullmatch(self.auth_id):
            raise ValueError("auth_id must be letters, digits, '_' and '-', such as MA_XXXXXXXX")

    def path(self, *segments: str, end: str = "") -> str:
        """A path below this account. `Account` has a capital A (Changelog, 18 May 2026)."""
        return path("api", "v1", "Account", self.auth_id, *segments, end=end)


def headers(options: VobizOptions) -> Mapping[str, Secret]:
    """How Vobiz is told who asks."""
    return {"X-Auth-ID": Secret(options.auth_id), "X-Auth-Token": options.auth_token}


@dataclass(frozen=True, slots=True)
class Listed:
    """One object as Vobiz shows it. Its `password` is left alone, whether it says `<redacted>` or not."""

    id: str
    username: str
    enabled: bool = True
    realm: str = ""

    def credential(self, account: str) -> Credential:
        """The same in our words: nobody here knows the password."""
        return Credential(account, self.username, self.id, uri=self.realm, enabled=self.enabled)


@dataclass(frozen=True, slots=True)
class Resource:
    """Where one kind of object is listed, and how it is written."""

    listing: str  # the path
    key: str  # of its id
    switchable: bool  # it has `enabled`


def usable_id(credential: Credential) -> str | None:
    """The credential's id where it can stand in a path."""
    return credential.id if credential.id is not None and _ID.fullmatch(credential.id) else None


def read_object(body: Any, resource: Resource) -> Listed | None:
    """Reads an object; None where it lacks what matters or has it in the wrong type."""
    if not isinstance(body, dict):
        return None
    found, username, enabled, realm = (body.get(key) for key in (resource.key, "username", "enabled", "realm"))
    if isinstance(found, int) and not isinstance(found, bool):
        found = str(found)
    if not isinstance(found, str) or not _ID.fullmatch(found):
        return None
    if not isinstance(username, str) or not username.isprintable() or not 0 < len(username) <= _LONGEST_NAME:
        return None
    if resource.switchable and not isinstance(enabled, bool):
        return None
    named = realm if isinstance(realm, str) and len(realm) <= _LONGEST_NAME and _REALM.fullmatch(realm) else ""
    return Listed(found, username, bool(enabled) if resource.switchable else True, named)


def failed(reply: Reply) -> Failure:
    """What an answer that is not `ok` means at Vobiz."""
    answer = failure(reply)
    return replace(answer, message=f"{answer.message}; {_HINT}") if reply.status in (401, 404) else answer


def search(call: Call, resource: Resource, wanted: Callable[[Listed], bool]) -> Answer[tuple[Listed, ...]]:
    """Every object that is `wanted`. The empty tuple is only returned when the whole listing was read for certain."""
    found = listing.search(lambda _, items: _read_page(call, resource, _PAGE, items), wanted)
    if isinstance(found, Refused) and found.why is Refusal.INVALID:
        return listing.search(lambda _, items: _read_page(call, resource, _DEFAULT_PAGE, items), wanted)
    return found


def _read_page(call: Call, resource: Resource, size: int, offset: int) -> Page[Listed] | Failure:
    query = {"limit": size, "offset": offset}
    reply = call.send(Request("list", "GET", resource.listing, query=query))
    if not isinstance(reply, Reply):
        return reply
    if not reply.ok:
        return failed(reply)
    return _page_of(reply.body, resource) or Unknown("the listing cannot be read: it is not of the documented form")


def _page_of(body: Any, resource: Resource) -> Page[Listed] | None:
    if not isinstance(body, dict) or not isinstance(body.get("objects"), list):
        return None
    items = [read_object(entry, resource) for entry in body["objects"]]
    read = tuple(item for item in items if item is not None)
    meta = body.get("meta")
    totals = [meta[key] for key in ("total", "total_count") if key in meta] if isinstance(meta, dict) else []
    if len(read) < len(items) or not all(type(total) is int and total >= 0 for total in totals):
        return None
    return Page(read, totals[0] if totals else None)
