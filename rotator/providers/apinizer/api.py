"""What Apinizer's credentials are reached and shown by: the options of a project, and its listing.

The facts are from Apinizer's pages List and Create Credential.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Any

from rotator.core.answers import Answer, Done, Unknown
from rotator.core.model import Credential
from rotator.core.secret import Secret
from rotator.providers.apinizer.envelope import accepted
from rotator.providers.http.calls import Call, Request, path
from rotator.providers.http.replies import Reply

USERNAMES = r"[A-Za-z0-9][A-Za-z0-9._@+-]{0,127}"
"""No page states a rule; without a colon, which HTTP Basic cannot carry, and without what a path would have to hide."""
_LONGEST = 255


@dataclass(frozen=True, slots=True)
class ApinizerOptions:
    """The credentials of one project.

    Raises:
        ValueError: the project's name cannot stand in a path, or two ways to prove a password are given.
    """

    project: str
    access_token: Secret  # a Personal API Access Token
    email: str = ""  # of a credential that replaces none; the API asks for both
    full_name: str = ""
    probe_url: str | None = None  # an API proxy that asks for HTTP Basic: a GET there proves a password
    gateway_url: str | None = (
        None  # or: the gateway whose token endpoint proves it, which may end a client's live token
    )
    allow_plain_http: tuple[str, ...] = ()  # hosts, of `probe_url` and `gateway_url`, too
    propagation: timedelta = timedelta(seconds=30)  # a guess: Apinizer documents no time

    def __post_init__(self) -> None:
        """Checks what becomes a part of every path."""
        if not self.project.isprintable() or self.project in ("", ".", "..") or len(self.project) > _LONGEST:
            raise ValueError("project must be the project's name as the console shows it: letter case counts")
        if self.probe_url and self.gateway_url:
            raise ValueError("probe_url and gateway_url exclude each other: keep one")

    def path(self, *segments: str) -> str:
        """A path below the project's credentials. Every one ends with a slash."""
        return path("apiops", "projects", self.project, "credentials", *segments, end="/")


def headers(options: ApinizerOptions) -> Mapping[str, Secret]:
    """How Apinizer is told who asks."""
    return {"Authorization": Secret(f"Bearer {options.access_token.reveal()}")}


@dataclass(frozen=True, slots=True)
class Listed:
    """One credential as the project's listing shows it. Its `password` is left alone, whether null or not."""

    username: str
    enabled: bool
    shown: Mapping[str, Any]

    def credential(self, account: str) -> Credential:
        """The same in our words: it is named by its username, and nobody here knows the password."""
        return Credential(account, self.username, self.username, enabled=self.enabled)

    def expired(self, now: datetime) -> bool:
        """True where its `expireDate` has passed; such a credential cannot authenticate (Create Credential)."""
        until = self.shown.get("expireDate")
        try:
            date = datetime.fromisoformat(until) if isinstance(until, str) else None
        except ValueError:
            return False
        return date is not None and (date if date.tzinfo else date.replace(tzinfo=UTC)) <= now

    def carried(self) -> Mapping[str, Any] | None:
        """What a full update or a successor takes over; None where the listing does not show all of it.

        An update "requires all fields" (Update Credential): without the IP list, say, it would let in any address.
        """
        lists = {key: self.shown.get(key, False) for key in ("roleNameList", "ipList")}
        texts = {key: self.shown.get(key) for key in ("email", "fullName")}
        known = (
            all(isinstance(text, str) and text for text in texts.values())
            and all(found is None or _is_text_list(found) for found in lists.values())
            and isinstance(self.shown.get("description"), str | None)
            and isinstance(self.shown.get("expireDate", False), str | None)
        )
        if not known:
            return None
        plain = {key: self.shown.get(key) for key in ("description", "expireDate")}
        return {**texts, **plain, **{key: found or [] for key, found in lists.items()}}


def _is_text_list(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)


def usable_name(username: str) -> bool:
    """True where a username can stand in a path."""
    return username.isprintable() and username not in ("", ".", "..") and len(username) <= _LONGEST


def listed(call: Call, options: ApinizerOptions) -> Answer[Mapping[str, Listed]]:
    """Every credential of the project by its username. There are no pages (List Credentials)."""
    whole = rows(call, options.path(), "list", "")
    if not isinstance(whole, Done):
        return whole
    items = [_read(row) for row in whole.value]
    found = {item.username: item for item in items if item is not None}
    if len(found) < len(items):
        return Unknown("the listing cannot be read: an entry has no username, no enabled, or occurs twice")
    return Done(MappingProxyType(found))


def _read(row: Mapping[str, Any]) -> Listed | None:
    username, enabled = row.get("username"), row.get("enabled")
    if not isinstance(username, str) or not isinstance(enabled, bool) or not username.isprintable() or not username:
        return None
    return Listed(username, enabled, row) if len(username) <= _LONGEST else None


def rows(call: Call, where: str, verb: str, username: str) -> Answer[list[dict[str, Any]]]:
    """The entries of a listing, whichever it is."""
    reply = call.send(Request(verb, "GET", where))
    if not isinstance(reply, Reply):
        return reply
    answer = accepted(reply, username)
    if not isinstance(answer, Done):
        return answer
    found = answer.value.get("resultList")
    if not isinstance(found, list) or not all(isinstance(row, dict) for row in found):
        return Unknown("the listing cannot be read: it is not of the documented form")
    return Done(found)
