"""The users of a door intercom: strategies `replace`, `alternating` and `in-place`."""

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from example.options import IntercomOptions
from rotator.core.answers import Answer, Done, Refusal, Refused, Retry, Unknown, Wait
from rotator.core.model import Credential, Proof
from rotator.core.selection import ListedCredential
from rotator.providers.base import CredentialKind, missing
from rotator.providers.http.calls import HttpCall, HttpRequest, path
from rotator.providers.http.replies import HttpReply, failure

_ID = re.compile(r"[A-Za-z0-9-]{1,64}")


@dataclass(frozen=True, slots=True)
class _User:
    id: str
    username: str
    enabled: bool


def _read(body: Any) -> _User | None:
    """Reads a user; None if a field is missing or has the wrong type."""
    if not isinstance(body, dict):
        return None
    identity, username, enabled = body.get("id"), body.get("username"), body.get("enabled")
    if not isinstance(identity, str) or not _ID.fullmatch(identity):
        return None
    return _User(identity, username, enabled) if isinstance(username, str) and isinstance(enabled, bool) else None


class IntercomUsers(CredentialKind):
    """The users of one intercom."""

    options_model = IntercomOptions
    not_offered = "the end of an intercom user cannot be set in advance"

    def each(self, take: Callable[[ListedCredential], object]) -> Answer[None]:
        listed = self._list(self._http.call())
        if not isinstance(listed, Done):
            return listed
        for one in listed.value:
            take(ListedCredential(one.id, one.username, one.enabled))
        return Done(None)

    def find(self, wanted: Credential) -> Answer[tuple[Credential, ...]]:
        found = self._search(self._http.call(), wanted)
        if not isinstance(found, Done):
            return found
        return Done(tuple(Credential(wanted.account, one.username, one.id, enabled=one.enabled) for one in found.value))

    def create(self, staged: Credential, target: str, like: Credential | None = None) -> Answer[Credential]:
        body = {"username": staged.username, "password": staged.password}
        reply = self._http.call().send(HttpRequest("create", "POST", "/users", body=body, repeatable=False))
        if not isinstance(reply, HttpReply):
            return reply
        if reply.status == 409:
            return Refused(Refusal.DUPLICATE, "the username is taken")
        user = _read(reply.body) if reply.ok else None
        if user is not None and user.username == staged.username and user.enabled:
            return Done(replace(staged, id=user.id, enabled=True))
        return failure(reply)

    def complete(self, created: Credential, like: Credential | None = None) -> Answer[Credential]:
        return self._update("complete", created, {"password": created.password, "enabled": True})

    def set_password(self, credential: Credential) -> Answer[Credential]:
        return self._update("set_password", credential, {"password": credential.password, "enabled": True})

    def enable(self, credential: Credential) -> Answer[Credential]:
        return self._update("enable", credential, {"password": credential.password, "enabled": True})

    def disable(self, credential: Credential) -> Answer[None]:
        answer = self._update("disable", credential, {"enabled": False})
        return Done(None) if isinstance(answer, Done) else answer

    def delete(self, credential: Credential) -> Answer[None]:
        call = self._http.call()
        reply = call.send(HttpRequest("delete", "DELETE", path("users", credential.id or "")))
        if not isinstance(reply, HttpReply):
            return reply
        if reply.status == 404:
            return missing(self._search(call, credential), failure(reply), "the user")
        return Done(None) if reply.status == 204 else failure(reply)

    def prove(self, credential: Credential) -> Answer[Proof]:
        found = self._search(self._http.call(), credential)
        if not isinstance(found, Done):
            return found
        if not any(user.username == credential.username and user.enabled for user in found.value):
            return Retry(Wait.NOT_YET, "the listing does not show the user, enabled and with this username, yet")
        return Done(self.capabilities.proof)

    def _search(self, call: HttpCall, wanted: Credential) -> Answer[tuple[_User, ...]]:
        listed = self._list(call)
        if not isinstance(listed, Done):
            return listed
        return Done(
            tuple(
                one
                for one in listed.value
                if wanted.id == one.id or (not wanted.id and wanted.username == one.username)
            )
        )

    def _list(self, call: HttpCall) -> Answer[tuple[_User, ...]]:
        reply = call.send(HttpRequest("list", "GET", "/users"))
        if not isinstance(reply, HttpReply):
            return reply
        listed = reply.body.get("users") if reply.ok and isinstance(reply.body, dict) else None
        users = [_read(entry) for entry in listed] if isinstance(listed, list) else [None]
        known = [user for user in users if user is not None]
        if len(known) < len(users):
            return failure(reply)
        return Done(tuple(known))

    def _update(self, verb: str, credential: Credential, body: dict[str, Any]) -> Answer[Credential]:
        call = self._http.call()
        reply = call.send(HttpRequest(verb, "PATCH", path("users", credential.id or ""), body=body))
        if not isinstance(reply, HttpReply):
            return reply
        if reply.status == 404:
            return missing(self._search(call, credential), failure(reply), "the user")
        user = _read(reply.body) if reply.ok else None
        if user is None or user.id != credential.id:
            return failure(reply)
        if user.enabled is not body["enabled"]:
            return Unknown("the answer shows that `enabled` did not change")
        return Done(replace(credential, enabled=user.enabled))
