"""The listing of an Apinizer project.

The facts are from Apinizer's pages List and Create Credential.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from rotator.core.answers import Answer, Done, Refusal, Refused, Unknown
from rotator.core.model import Credential
from rotator.core.selection import ListedCredential
from rotator.providers.apinizer.envelope import MOVED, accepted
from rotator.providers.apinizer.options import ApinizerOptions
from rotator.providers.http.bodies import LongList
from rotator.providers.http.calls import HttpCall, HttpRequest
from rotator.providers.http.client import Http
from rotator.providers.http.directory import Directory
from rotator.providers.http.pages import ListedEntry, Page, Question
from rotator.providers.http.replies import Failure, HttpReply

_LONGEST = 255


@dataclass(frozen=True, slots=True)
class ApinizerRecord:
    """One credential in the project's listing. Its `password` is ignored, whether null or not."""

    username: str
    enabled: bool
    fields: Mapping[str, Any]

    def credential(self, account: str) -> Credential:
        """Returns the credential that it describes. The id is the username, and the password is unknown."""
        return Credential(account, self.username, self.username, enabled=self.enabled)

    def expired(self, now: datetime) -> bool:
        """Returns True if its `expireDate` has passed; such a credential cannot authenticate (Create Credential)."""
        until = self.fields.get("expireDate")
        try:
            date = datetime.fromisoformat(until) if isinstance(until, str) else None
        except ValueError:
            return False
        return date is not None and (date if date.tzinfo else date.replace(tzinfo=UTC)) <= now

    def carried(self) -> Done[Mapping[str, Any]] | Refused:
        """Returns the fields that a full update or a successor inherits, if the listing shows all of them.

        An update "requires all fields" (Update Credential): without the IP list, for example, it would allow any
        address.
        """
        lists = {key: self.fields.get(key, False) for key in ("roleNameList", "ipList")}
        texts = {key: self.fields.get(key) for key in ("email", "fullName")}
        known = (
            all(isinstance(text, str) and text for text in texts.values())
            and all(isinstance(entries, list | None) for entries in lists.values())
            and all(isinstance(item, str) for entries in lists.values() for item in entries or [])
            and isinstance(self.fields.get("description"), str | None)
            and isinstance(self.fields.get("expireDate", False), str | None)
        )
        if not known:
            lacking = (
                "the listing lacks fields that a full update or a successor needs (email, fullName, roles, IP list)"
            )
            return Refused(Refusal.INVALID, lacking)
        plain = {key: self.fields.get(key) for key in ("description", "expireDate")}
        return Done({**texts, **plain, **{key: entries or [] for key, entries in lists.items()}})


def usable_name(username: str) -> bool:
    """Returns True if a username can be part of a path."""
    return username.isprintable() and username not in ("", ".", "..") and len(username) <= _LONGEST


class ApinizerListing:
    """The credentials of a project. Their listing comes in one piece (List Credentials)."""

    def __init__(self, http: Http, options: ApinizerOptions) -> None:
        """Prepares the requests without connecting."""
        self._path = options.path()
        self._directory: Directory[ApinizerRecord] = http.directory(self._path)

    def find(self, call: HttpCall, username: str) -> Answer[tuple[ApinizerRecord, ...]]:
        """Returns the credential with this username, or none if the whole listing lacks it."""
        return self._directory.search(Question("id", username), lambda _, page: self._read(call, page), call)

    def forget(self, username: str) -> None:
        """Forgets a look-up that was not finished: the username is about to be created."""
        self._directory.forget(Question("id", username))

    def each(self, call: HttpCall, take: Callable[[ListedCredential], object]) -> Answer[None]:
        """Passes every credential of the project to `take`; Done only after the whole listing was read."""
        return self._directory.each(_listed, take, lambda _, page: self._read(call, page), call)

    def entry(self, call: HttpCall, credential: Credential) -> Answer[ApinizerRecord]:
        """Returns the listing's entry of a credential; NOT_FOUND if the listing lacks it."""
        listed = self.find(call, name_of(credential))
        if not isinstance(listed, Done):
            return listed
        if listed.value and usable_name(listed.value[0].username):
            return Done(listed.value[0])
        message = f"the project's listing does not show the credential: was it deleted, {MOVED}"
        return Refused(Refusal.NOT_FOUND, message)

    def _read(self, call: HttpCall, page: Page[ApinizerRecord]) -> Failure | None:
        def take(row: Any) -> None:
            page.add(_entry(row))

        def reader() -> LongList:
            page.clear()
            return LongList("resultList", ("success", "status"), take)

        whole = rows(call, HttpRequest("list", "GET", self._path, reader=reader), "")
        if not isinstance(whole, Done):
            return whole
        for row in whole.value:
            take(row)
        return None


def name_of(credential: Credential) -> str:
    """Returns the username under which the project has a credential."""
    return credential.id or credential.username


def _entry(row: Any) -> ListedEntry[ApinizerRecord]:
    known = row if isinstance(row, dict) else {}
    username, enabled = known.get("username"), known.get("enabled")
    if not isinstance(username, str) or not username.isprintable() or not 0 < len(username) <= _LONGEST:
        return ListedEntry({"id": None}, None)
    record = ApinizerRecord(username, enabled, known) if isinstance(enabled, bool) else None
    return ListedEntry({"id": username}, record)


def _listed(record: ApinizerRecord) -> ListedCredential:
    return ListedCredential(record.username, record.username, record.enabled)


def rows(call: HttpCall, request: HttpRequest, username: str) -> Answer[list[Any]]:
    """Returns the entries of any listing; those of a long one have been handed over already."""
    reply = call.send(request)
    if not isinstance(reply, HttpReply):
        return reply
    answer = accepted(reply, username)
    if not isinstance(answer, Done):
        return answer
    entries = answer.value.get("resultList")
    if not isinstance(entries, list):
        return Unknown("the listing cannot be read: it does not have the documented form")
    return Done(entries)
