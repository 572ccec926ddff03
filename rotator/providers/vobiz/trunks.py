"""Vobiz trunks: each one names one credential, its `credential_uuid`.

Whether a trunk also lets in other credentials of the account is not settled: Vobiz's SDK gives a trunk one
`credential_uuid`, and the prose of other pages several credentials.
"""

import logging
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from rotator.core.answers import Answer, Done, Refusal, Refused, Retry, Unknown, Wait
from rotator.core.model import Attachment, Credential
from rotator.ports import CALL_TERMS
from rotator.providers.http.calls import HttpCall, HttpRequest
from rotator.providers.http.client import Http
from rotator.providers.http.directory import Directory
from rotator.providers.http.pages import ListedEntry, Page
from rotator.providers.http.rate_limit import slept
from rotator.providers.http.replies import Failure, HttpReply
from rotator.providers.vobiz import api
from rotator.providers.vobiz.options import VobizBaseOptions

_LOG = logging.getLogger("rotator.providers.vobiz")
_NOT_SHOWN = (401, 403, 404, 405, 501)  # 401 also means another letter case; a key that is wrong fails elsewhere
_LONGEST_NAME = 100
_DOMAIN = re.compile(r"(?=.{1,253}$)[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?)*")
# That trunks are not shown is believed after so many answers, so many seconds apart: one may be a gateway's trouble.
_BELIEVED, _PAUSE = 6, 3.0
NOT_SHOWN = "the account does not show its trunks: whether one of them names the credential is not known"


@dataclass(frozen=True, slots=True)
class TrunkRecord:
    """A trunk as Vobiz lists it."""

    id: str
    name: str
    credential: str  # empty: none
    domain: str = ""  # where it lets in; empty: not shown, or no host name

    @property
    def attachment(self) -> Attachment:
        """What the engine knows of it."""
        label = f"trunk {self.name} ({self.id})" if self.name else f"trunk {self.id}"
        return Attachment(self.id, label, self.credential, self.domain)


class VobizTrunks:
    """The trunks of one account."""

    def __init__(self, options: VobizBaseOptions, http: Http) -> None:
        """Prepares the requests without connecting."""
        self._http, self._options, self._path = http, options, options.path("trunks")
        self._directory: Directory[TrunkRecord] = http.directory(self._path, api.SIZES)
        self._shown = False  # once it was shown, a refusal is a failure
        self._told = False  # that they are not shown

    def naming(self, of: Collection[Credential]) -> Answer[tuple[Attachment, ...]]:
        """Returns the trunks that name one of these credentials, after reading all of them."""
        found: dict[str, TrunkRecord] = {}
        read = self._read(self._http.call(), {one.id for one in of if one.id is not None}, found)
        return Done(tuple(one.attachment for one in found.values()), read.note) if isinstance(read, Done) else read

    def point(self, credential: Credential, to: Sequence[Attachment]) -> Answer[None]:
        """Points each trunk to the credential. What an answer does not show is read back, once for all of them."""
        identity = api.usable_id(credential)
        if identity is None:
            return Refused(Refusal.INVALID, "the credential lacks an id")
        call = self._http.call()
        unconfirmed = False
        for number, trunk in enumerate(to):
            path = self._options.path("trunks", trunk.id)
            reply = call.send(HttpRequest("attach", "PUT", path, body={"credential_uuid": identity}))
            if not isinstance(reply, HttpReply) or not reply.ok:
                failure = api.failed(reply) if isinstance(reply, HttpReply) else reply
                return _partial(trunk, failure) if number else _named(trunk, failure)
            unconfirmed |= _shown_credential(reply.body) != identity
        return self._confirm(call, to) if unconfirmed else Done(None)

    def _confirm(self, call: HttpCall, to: Sequence[Attachment]) -> Answer[None]:
        """Reads whether none of the trunks names what it named before."""
        found: dict[str, TrunkRecord] = {}
        read = self._read(call, {one.credential_id for one in to}, found)
        if not isinstance(read, Done):
            return _unread(read)
        wrong = [one for one in to if one.id in found and found[one.id].credential == one.credential_id]
        if not wrong:
            return Done(None)
        message = (
            f"the provider accepted the request and ignored it: {wrong[0].name} names the same credential as before"
        )
        return Refused(Refusal.UNSUPPORTED, message) if len(wrong) == len(to) else Retry(Wait.PARTIAL, message)

    def _read(self, call: HttpCall, wanted: Collection[str], found: dict[str, TrunkRecord]) -> Answer[None]:
        """Puts the trunks that name a credential of `wanted` into `found`; with a note if they are not shown.

        An emergency believes that at once.
        """

        def take(trunk: TrunkRecord) -> None:
            if trunk.credential in wanted:
                found[trunk.id] = trunk

        for number in range(1 if self._told or CALL_TERMS.get().urgent else _BELIEVED):
            if number and not slept(self._http.clock, _PAUSE):
                return Retry(Wait.NOT_YET, NOT_SHOWN)
            answer = self._directory.each(lambda trunk: trunk, take, lambda _, page: self._read_page(call, page), call)
            if not (isinstance(answer, Refused) and answer.why is Refusal.UNSUPPORTED):
                return answer
        if not self._told:
            self._told = True
            _LOG.warning("%s: %s", self._options.auth_id, NOT_SHOWN)
        return Done(None, NOT_SHOWN)

    def _read_page(self, call: HttpCall, page: Page[TrunkRecord]) -> Failure | None:
        query = {"limit": page.asked.size, "offset": page.asked.start}
        reply = call.send(HttpRequest("list", "GET", self._path, query=query))
        if not isinstance(reply, HttpReply):
            return reply
        if not reply.ok:
            hidden = reply.status in _NOT_SHOWN and not self._shown
            return Refused(Refusal.UNSUPPORTED, NOT_SHOWN) if hidden else api.failed(reply)
        if not api.fill(page, reply.body, _entry):
            return Unknown(api.UNREADABLE)
        self._shown = True
        return None


def _entry(body: Any) -> ListedEntry[TrunkRecord]:
    """Reads a trunk. One without an id that names a credential cannot be pointed elsewhere: it is unreadable."""
    known = body if isinstance(body, dict) else {}
    identity, name = api.read_id(known.get("trunk_id", known.get("id"))), known.get("name")
    credential = known.get("credential_uuid")
    readable = isinstance(body, dict) and (not credential or (isinstance(credential, str) and identity is not None))
    label = name if isinstance(name, str) and name.isprintable() and len(name) <= _LONGEST_NAME else ""
    shown = known.get("trunk_domain")
    domain = shown if isinstance(shown, str) and _DOMAIN.fullmatch(shown) else ""
    record = TrunkRecord(identity or "", label, credential or "", domain) if readable else None
    return ListedEntry({"id": identity}, record)


def _shown_credential(body: Any) -> Any:
    return body.get("credential_uuid") if isinstance(body, dict) else None


def _named(trunk: Attachment, failure: Failure) -> Failure:
    """Says which trunk it is, and what a person can do about it."""
    if isinstance(failure, Refused):
        return Refused(failure.why, f"{trunk.name} cannot be pointed to another credential: {failure.message}")
    return failure


def _partial(trunk: Attachment, failure: Failure) -> Failure:
    message = f"not every trunk was pointed to the credential: {trunk.name}: {failure.message}"
    return Retry(Wait.PARTIAL, message) if isinstance(failure, Refused) else Unknown(message)


def _unread(failure: Failure) -> Failure:
    message = f"the provider reported success, but the trunks could not be read back: {failure.message}"
    if isinstance(failure, Retry) and failure.why is Wait.READING:
        return Retry(Wait.PARTIAL, message, failure.after)
    return Unknown(message)
