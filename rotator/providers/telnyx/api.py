"""What Telnyx's telephony credentials and credential connections have in common: key, pages, moments, failures.

The facts are from Telnyx's pages on both resources, Error codes and Rate limiting. Every answer about either resource
holds its password in plain text, also the one to a DELETE and every page of a listing: it becomes a `Secret` at once.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Any, Generic, TypeVar

from rotator.core.answers import Answer, Done, Refusal, Refused, Retry, Unknown
from rotator.core.model import Credential
from rotator.core.secret import Secret
from rotator.providers.base import missing
from rotator.providers.http import listing
from rotator.providers.http.calls import Call, Request, path
from rotator.providers.http.listing import Identified, Page
from rotator.providers.http.replies import Failure, Reply, failure
from rotator.providers.sip.register import Address

BASE_URL = "https://api.telnyx.com/v2"
DOMAIN = "sip.telnyx.com"
"""Where devices register in the US; also sip-eu, sip-ca and sip-au (SIP, SRV records)."""
PROPAGATION = timedelta(seconds=30)
"""A guess: Telnyx documents no time."""
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,127}")
_LONGEST_TEXT = 1024
_LONGEST_MOMENT = 40
_PAGE = 250  # the largest `page[size]`; the default is 50 on one page and 20 on another
_UNREADABLE = "the listing cannot be read: it is not of the documented form"
_HINTS = {
    401: "Telnyx's codes: 10009 a wrong key, 20002 a revoked one, 20012 an inactive account",
    404: "is the base URL https://api.telnyx.com/v2, and the connection's id right?",
}

T = TypeVar("T", bound=Identified)


@dataclass(frozen=True, slots=True, kw_only=True)
class TelnyxOptions:
    """One Telnyx account."""

    api_key: Secret
    registrar: Address | None = None  # where a password is proved by a SIP REGISTER; None: by a read-back only
    domain: str = DOMAIN  # the SIP domain: of that REGISTER, and what devices are told
    propagation: timedelta = PROPAGATION


@dataclass(frozen=True, slots=True, kw_only=True)
class TelephonyOptions(TelnyxOptions):
    """One Telnyx account, and the connection that new telephony credentials belong to.

    Raises:
        ValueError: `connection_id` cannot be one.
    """

    connection_id: str

    def __post_init__(self) -> None:
        """Checks what each answer is compared with."""
        if not _ID.fullmatch(self.connection_id):
            raise ValueError("connection_id must be letters, digits, '_' and '-', such as 1494404757140276705")


def headers(options: TelnyxOptions) -> Mapping[str, Secret]:
    """How Telnyx is told who asks."""
    return {"Authorization": Secret(f"Bearer {options.api_key.reveal()}")}


def usable_id(credential: Credential) -> str | None:
    """The credential's id where it can stand in a path."""
    return credential.id if credential.id is not None and _ID.fullmatch(credential.id) else None


def read_id(found: Any) -> str | None:
    """An id as Telnyx shows it: text, or a number where it is one of a connection."""
    if isinstance(found, int) and not isinstance(found, bool):
        found = str(found)
    return found if isinstance(found, str) and _ID.fullmatch(found) else None


def read_secret(found: Any) -> Secret | None:
    """A password as Telnyx shows it."""
    return Secret(found) if is_word(found) else None


def is_word(found: Any) -> bool:
    """True for text of a reasonable length, without control characters."""
    return isinstance(found, str) and 0 < len(found) <= _LONGEST_TEXT and found.isprintable()


def read_moment(text: Any) -> datetime | None:
    """A time as Telnyx writes it, in UTC: with a zone and a fraction, or without either. None: it cannot be read.

    The examples of one and the same object have both (Delete a credential). One without a zone counts as UTC, which no
    page says; what is written is always with a zone, and compared with what comes back.
    """
    if not isinstance(text, str) or len(text) > _LONGEST_MOMENT:
        return None
    try:
        found = datetime.fromisoformat(text)
        return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def write_moment(moment: datetime) -> str:
    """A time as RFC 3339 wants it, in UTC, whole seconds."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def data_of(reply: Reply) -> Any:
    """What an answer that is `ok` is about: all of them are wrapped in `data`."""
    return reply.body.get("data") if reply.ok and isinstance(reply.body, dict) else None


def failed(reply: Reply) -> Failure:
    """What an answer that is not `ok` means at Telnyx."""
    answer, hint = failure(reply), _HINTS.get(reply.status)
    return replace(answer, message=f"{answer.message}; {hint}") if hint else answer


def failure_of(reply: Reply | Retry | Unknown) -> Failure | None:
    """Why a request was not carried out, or may not have been; None where the provider says that it was."""
    if not isinstance(reply, Reply):
        return reply
    return None if reply.ok else failed(reply)


class Resource(Generic[T]):
    """One kind of object at Telnyx: where it is, how it is read, and how one is found."""

    def __init__(self, name: str, read: Callable[[Any], T | None]) -> None:
        """Takes the name in the path, and what reads an object: None where it cannot."""
        self._name, self._read = name, read

    def path(self, credential: Credential | None = None) -> str:
        """Of the listing, or of one object, whose id is usable."""
        return path(self._name) if credential is None else path(self._name, credential.id or "")

    def shown(self, reply: Reply, credential: Credential) -> T | None:
        """The object that an answer is about, where it is this one."""
        found = self._read(data_of(reply))
        return found if found is not None and found.id == credential.id else None

    def get(self, call: Call, credential: Credential) -> Answer[T]:
        """Reads one by its id."""
        reply = call.send(Request("get", "GET", self.path(credential)))
        if not isinstance(reply, Reply):
            return reply
        if reply.status == 404:
            return self.missing(call, credential, reply)
        found = self.shown(reply, credential)
        return Done(found) if found is not None else failed(reply)

    def by_id(self, call: Call, wanted: Credential) -> Answer[tuple[T, ...]]:
        """The one with this id, or none where the whole listing lacks it, too."""
        if usable_id(wanted) is None:
            return self.search(call, lambda item: item.id == wanted.id)
        found = self.get(call, wanted)
        if isinstance(found, Done):
            return Done((found.value,))
        gone = isinstance(found, Refused) and found.why is Refusal.NOT_FOUND
        return Done(()) if gone else found

    def missing(self, call: Call, credential: Credential, reply: Reply) -> Failure:
        """What a 404 means: `Refused(NOT_FOUND)` only where the whole listing was read and lacks it, too."""
        return missing(self.search(call, lambda item: item.id == credential.id), failed(reply), "it")

    def search(
        self, call: Call, wanted: Callable[[T], bool], filters: Mapping[str, str] = MappingProxyType({})
    ) -> Answer[tuple[T, ...]]:
        """Every item of the listing that is `wanted`, whether or not the provider honours the filters."""

        def read_page(pages: int, _: int) -> Page[T] | Failure | None:
            asked: dict[str, str | int] = {**filters, "page[number]": pages + 1, "page[size]": _PAGE}
            reply = call.send(Request("list", "GET", self.path(), query=asked))
            if not isinstance(reply, Reply):
                return reply
            return self._page(reply, pages + 1) if reply.ok else failed(reply)

        return listing.search(read_page, wanted)

    def _page(self, reply: Reply, number: int) -> Page[T] | Failure | None:
        data, meta = data_of(reply), reply.body.get("meta", {}) if isinstance(reply.body, dict) else None
        if not isinstance(data, list) or not isinstance(meta, dict):
            return Unknown(_UNREADABLE)
        items = tuple(item for item in map(self._read, data) if item is not None)
        total = meta.get("total_results")
        if len(items) < len(data) or not (total is None or (type(total) is int and total >= 0)):
            return Unknown(_UNREADABLE)
        return Page(items, total) if meta.get("page_number", number) == number else None
