"""The listing of an Apinizer project.

The facts are from Apinizer's pages List and Create Credential.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any

from rotator.core.answers import Answer, Done, Refusal, Refused, Unknown
from rotator.core.model import Credential
from rotator.providers.apinizer.envelope import MOVED, accepted
from rotator.providers.apinizer.options import ApinizerOptions
from rotator.providers.http.calls import HttpCall, HttpRequest
from rotator.providers.http.replies import HttpReply

_LONGEST = 255
_LARGEST_LISTING = 32 * 1024 * 1024  # bytes; it comes in one piece, and an entry without lists has about 250


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


def list_credentials(call: HttpCall, options: ApinizerOptions) -> Answer[Mapping[str, ApinizerRecord]]:
    """Returns every credential of the project by its username. The listing has no pages (List Credentials)."""
    whole = rows(call, options.path(), "list", "")
    if not isinstance(whole, Done):
        return whole
    items = [_read(row) for row in whole.value]
    by_username = {item.username: item for item in items if item is not None}
    if len(by_username) < len(items):
        return Unknown("the listing is unreadable: an entry lacks username or enabled, or occurs twice")
    return Done(MappingProxyType(by_username))


def name_of(credential: Credential) -> str:
    """Returns the username under which the project has a credential."""
    return credential.id or credential.username


def entry(call: HttpCall, options: ApinizerOptions, credential: Credential) -> Answer[ApinizerRecord]:
    """Returns the listing's entry of a credential; NOT_FOUND if the listing lacks it."""
    listed = list_credentials(call, options)
    if not isinstance(listed, Done):
        return listed
    item = listed.value.get(name_of(credential))
    if item is not None and usable_name(item.username):
        return Done(item)
    return Refused(Refusal.NOT_FOUND, f"the project's listing does not show the credential: was it deleted, {MOVED}")


def _read(row: Mapping[str, Any]) -> ApinizerRecord | None:
    username, enabled = row.get("username"), row.get("enabled")
    if not isinstance(username, str) or not isinstance(enabled, bool) or not username.isprintable() or not username:
        return None
    return ApinizerRecord(username, enabled, row) if len(username) <= _LONGEST else None


def rows(call: HttpCall, where: str, verb: str, username: str) -> Answer[list[dict[str, Any]]]:
    """Returns the entries of any listing."""
    reply = call.send(HttpRequest(verb, "GET", where, largest=_LARGEST_LISTING))
    if not isinstance(reply, HttpReply):
        return reply
    answer = accepted(reply, username)
    if not isinstance(answer, Done):
        return answer
    entries = answer.value.get("resultList")
    if not isinstance(entries, list) or not all(isinstance(row, dict) for row in entries):
        return Unknown("the listing cannot be read: it does not have the documented form")
    return Done(entries)
