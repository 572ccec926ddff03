"""The parts of Telnyx's API that telephony credentials and credential connections share: objects, listings, times.

The facts are from Telnyx's pages on both resources, Error codes and Rate limiting. Every answer about either resource
contains its password in plain text, even the answer to a DELETE and every page of a listing, unless it is masked. It
becomes a `Secret` immediately.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any, Generic, TypeAlias, TypeVar

from rotator.core.answers import Answer, Done, Refusal, Refused, Retry, Unknown
from rotator.core.model import Credential, is_same_name
from rotator.core.passwords import is_mask
from rotator.core.secret import Secret
from rotator.core.selection import ListedCredential
from rotator.core.usage_rules import Usage
from rotator.providers.base import missing
from rotator.providers.http.calls import HttpCall, HttpRequest, path
from rotator.providers.http.client import Http
from rotator.providers.http.directory import Directory
from rotator.providers.http.pages import ListedEntry, Page, Question
from rotator.providers.http.replies import Failure, HttpReply, failure

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,127}")
_LONGEST_TEXT = 1024
_LONGEST_MOMENT = 40
_SIZES = (250,)  # the largest `page[size]`; the default is 50 on one page and 20 on another
_UNREADABLE = "the listing cannot be read: it does not have the documented form"
# Neither registered nor not: what is being tried, or waits.
_NOT_SAID = ("unknown", "trying", "standby")
_HINTS = {
    401: "Telnyx's codes: 10009 a wrong key, 20002 a revoked one, 20012 an inactive account",
    404: "check the base URL (https://api.telnyx.com/v2) and the connection's id",
}

T = TypeVar("T")
ReadKeys: TypeAlias = Callable[[Any], Mapping[str, str | None]]


def usable_id(credential: Credential) -> str | None:
    """Returns the credential's id if it can be part of a path."""
    return credential.id if credential.id is not None and _ID.fullmatch(credential.id) else None


def read_id(value: Any) -> str | None:
    """Reads an id: text, or a number for a connection."""
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    return value if isinstance(value, str) and _ID.fullmatch(value) else None


def read_keys(data: Any, username: str) -> dict[str, str | None]:
    """Reads the id and the username, which is the field `username`; None for what cannot be read."""
    known = data if isinstance(data, dict) else {}
    name = known.get(username)
    return {"id": read_id(known.get("id")), "username": str(name) if is_word(name) else None}


def read_secret(value: Any) -> Secret | None:
    """Reads a password; None for a mask."""
    return Secret(value) if is_word(value) and not is_mask(value) else None


def is_masked(value: Any) -> bool:
    """Returns True for what stands in place of a password that is not shown: it is compared with nothing."""
    return is_word(value) and is_mask(value)


def is_word(value: Any) -> bool:
    """Returns True for text of a reasonable length, without control characters."""
    return isinstance(value, str) and 0 < len(value) <= _LONGEST_TEXT and value.isprintable()


def read_moment(text: Any) -> datetime | None:
    """Reads a time, with a zone and a fraction or without; None if it is unreadable.

    The examples of one object have both forms (Delete a credential). A time without a zone counts as UTC, which no page
    confirms; `write_moment` always writes a zone, and the result is compared with the time in the answer.
    """
    if not isinstance(text, str) or len(text) > _LONGEST_MOMENT:
        return None
    try:
        moment = datetime.fromisoformat(text)
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def write_moment(moment: datetime) -> str:
    """Formats a time by RFC 3339, in UTC, in whole seconds."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def data_of(reply: HttpReply) -> Any:
    """Returns the content of an answer that is `ok`, which Telnyx wraps in `data`."""
    return reply.body.get("data") if reply.ok and isinstance(reply.body, dict) else None


def failed(reply: HttpReply) -> Failure:
    """Interprets an answer that is not `ok`."""
    answer, hint = failure(reply), _HINTS.get(reply.status)
    return replace(answer, message=f"{answer.message}; {hint}") if hint else answer


def failure_of(reply: HttpReply | Retry | Unknown) -> Failure | None:
    """Returns why a request was not or may not have been carried out; None if the provider reports success."""
    if not isinstance(reply, HttpReply):
        return reply
    return None if reply.ok else failed(reply)


def registration(call: HttpCall, kind: str, username: str) -> Answer[Usage]:
    """Asks whether a device is registered (Check SIP registration status; in the SDK since 4.176).

    The answer has no envelope. 404 means that Telnyx knows of nothing: no page says whether a credential that is only
    not registered gets it, so it proves nothing.

    Args:
        kind: the `credential_type`, such as `telephony_credential`.
        username: the credential's.
    """
    query = {"credential_type": kind, "username": username}
    reply = call.send(HttpRequest("usage", "GET", path("sip_registration_status"), query=query))
    if not isinstance(reply, HttpReply):
        return reply
    if not reply.ok:
        return failed(reply)
    body = reply.body if isinstance(reply.body, dict) else {}
    registered, status = body.get("registered"), body.get("sip_registration_status")
    named = body.get("credential_username", username)
    if not isinstance(registered, bool) or not is_same_name(str(named), username):
        return Unknown("the registration status cannot be read: it does not have the documented form")
    if registered:
        return Done(Usage(in_use=True, evidence="registered"))
    if status in _NOT_SAID:
        return Unknown(f"the registration status is {status}")
    return Done(Usage(in_use=False, evidence="not registered"))


class TelnyxResource(Generic[T]):
    """One kind of object at Telnyx: its paths, and how to read and find one."""

    def __init__(self, http: Http, name: str, read: Callable[[Any], T | None], keys: ReadKeys) -> None:
        """Prepares the requests without connecting.

        Args:
            http: the account's connection.
            name: the resource in paths.
            read: reads an object; returns None if it cannot.
            keys: reads what an object can be found by; None for a value that cannot be read.
        """
        self._name, self._read, self._keys, self._clock = name, read, keys, http.clock
        self._directory: Directory[T] = http.directory(self.path(), _SIZES, numbered=True)

    def path(self, credential: Credential | None = None) -> str:
        """Returns the path of the listing, or of one object, whose id is usable."""
        return path(self._name) if credential is None else path(self._name, credential.id or "")

    def answered(self, reply: HttpReply, credential: Credential) -> T | None:
        """Returns the object in an answer; None if it is not the credential's."""
        data = data_of(reply)
        item = self._read(data)
        return item if item is not None and self._keys(data)["id"] == credential.id else None

    def get(self, call: HttpCall, credential: Credential) -> Answer[T]:
        """Reads one object by its id."""
        reply = call.send(HttpRequest("get", "GET", self.path(credential)))
        if not isinstance(reply, HttpReply):
            return reply
        if reply.status == 404:
            return self.missing(call, credential, reply)
        item = self.answered(reply, credential)
        return Done(item) if item is not None else failed(reply)

    def by_id(self, call: HttpCall, wanted: Credential) -> Answer[tuple[T, ...]]:
        """Returns the object with this id, or none if the whole listing lacks it as well."""
        if usable_id(wanted) is None:
            return self.search(call, Question("id", wanted.id or ""))
        answer = self.get(call, wanted)
        if isinstance(answer, Done):
            return Done((answer.value,))
        return Done(()) if isinstance(answer, Refused) and answer.why is Refusal.NOT_FOUND else answer

    def missing(self, call: HttpCall, credential: Credential, reply: HttpReply) -> Failure:
        """Interprets a 404: `Refused(NOT_FOUND)` only if the whole listing was read and lacks the object."""
        return missing(self.search(call, Question("id", credential.id or "")), failed(reply), "the object")

    def search(
        self, call: HttpCall, question: Question, filters: Mapping[str, str] = MappingProxyType({})
    ) -> Answer[tuple[T, ...]]:
        """Returns the objects asked for, even if the provider ignores the filters. What is filtered is not shared."""
        directory = Directory[T](self._clock, _SIZES, numbered=True) if filters else self._directory
        return directory.search(question, lambda _, page: self._read_page(call, page, filters), call)

    def each(
        self,
        call: HttpCall,
        listed: Callable[[T], ListedCredential],
        take: Callable[[ListedCredential], object],
    ) -> Answer[None]:
        """Passes every object of the listing to `take`; Done only after the whole was certainly read."""
        return self._directory.each(listed, take, lambda _, page: self._read_page(call, page, {}), call)

    def forget(self, question: Question) -> None:
        """See `Directory.forget`."""
        self._directory.forget(question)

    def _read_page(self, call: HttpCall, page: Page[T], filters: Mapping[str, str]) -> Failure | None:
        number = page.asked.start // page.asked.size + 1
        asked: dict[str, str | int] = {**filters, "page[number]": number, "page[size]": page.asked.size}
        reply = call.send(HttpRequest("list", "GET", self.path(), query=asked))
        if not isinstance(reply, HttpReply):
            return reply
        if not reply.ok:
            return failed(reply)
        data, meta = data_of(reply), reply.body.get("meta", {}) if isinstance(reply.body, dict) else None
        total, size = (meta.get("total_results"), meta.get("page_size")) if isinstance(meta, dict) else (None, None)
        if not isinstance(data, list) or not isinstance(meta, dict) or not _is_count(total):
            return Unknown(_UNREADABLE)
        page.is_another = meta.get("page_number", number) != number
        page.total = total
        if type(size) is int and 0 < size < page.asked.size:  # a shorter page than asked for begins earlier
            page.start = (number - 1) * size
        for entry in data:
            page.add(ListedEntry(self._keys(entry), self._read(entry)))
        return None


def _is_count(total: Any) -> bool:
    return total is None or (type(total) is int and total >= 0)
