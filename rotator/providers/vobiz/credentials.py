"""Vobiz trunk credentials: strategies `replace`, `alternating` and `in-place`.

Vobiz's pages contradict each other. So each method relies only on what it can read back, and sends a request in the
other documented form if the first was rejected or ignored.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from rotator.core.answers import Answer, Done, Refusal, Refused, Retry, Unknown, Wait
from rotator.core.model import Credential, Proof
from rotator.core.selection import ListedCredential
from rotator.ports import Randomness
from rotator.providers.base import SipCredentialKind, missing, unconfirmed
from rotator.providers.http.calls import HttpCall, HttpRequest
from rotator.providers.http.client import Http
from rotator.providers.http.replies import Failure, HttpReply, codes
from rotator.providers.vobiz import api
from rotator.providers.vobiz.api import VobizRecord
from rotator.providers.vobiz.options import VobizOptions

_UNUSABLE = Refused(Refusal.INVALID, "the credential lacks an id or a password that can be sent")


class VobizCredentials(SipCredentialKind):
    """The trunk credentials of one Vobiz account."""

    options_model = VobizOptions
    not_offered = "Vobiz cannot set the end of a trunk credential in advance"

    def __init__(self, options: VobizOptions, http: Http, randomness: Randomness) -> None:
        """Prepares the adapter without connecting."""
        super().__init__(options, http, randomness)
        self._options = options
        # The one path with `trunks/` in it (Retrieve all Credentials).
        self._resource = api.VobizResource(options.path("trunks", "credentials"), key="id", switchable=True)

    def each(self, take: Callable[[ListedCredential], object]) -> Answer[None]:
        """Reads the listing."""
        return api.each(self._http.call(), self._resource, take)

    def find(self, wanted: Credential) -> Answer[tuple[Credential, ...]]:
        """Reads the listing, since no page documents a request for a single credential."""
        listed = self._search(self._http.call(), wanted)
        if not isinstance(listed, Done):
            return listed
        return Done(tuple(item.credential(wanted.account) for item in listed.value))

    def create(self, staged: Credential, target: str, like: Credential | None = None) -> Answer[Credential]:  # noqa: ARG002
        """Creates the credential with the chosen password. 200 and 201 both mean success (Create Credential)."""
        if staged.password is None:
            return Refused(Refusal.INVALID, "a trunk credential cannot be created without a password")
        body = {"username": staged.username, "password": staged.password}
        where = self._options.path("credentials")
        reply = self._http.call().send(HttpRequest("create", "POST", where, body=body, repeatable=False))
        if not isinstance(reply, HttpReply):
            return reply
        taken = reply.status == 409 or (400 <= reply.status < 500 and "DUPLICATE_USERNAME" in codes(reply.body))
        if taken:
            return Refused(Refusal.DUPLICATE, f"the provider answered {reply.status}: the username is taken")
        return self._created(reply, staged) if reply.ok else api.failed(reply)

    def complete(self, created: Credential, like: Credential | None = None) -> Answer[Credential]:  # noqa: ARG002
        """Sets the password, since nothing shows whether the lost create set it."""
        return self.set_password(created)

    def set_password(self, credential: Credential) -> Answer[Credential]:
        """Sets the password and enables the credential if it is disabled."""
        if credential.password is None or api.usable_id(credential) is None:
            return _UNUSABLE
        call = self._http.call()
        reply = self._put(call, "set_password", credential, {"password": credential.password})
        if not isinstance(reply, HttpReply):
            return reply
        changed = self._object(reply, credential)
        if changed is None:
            return Unknown(f"the provider answered {reply.status} without the credential that was changed")
        if changed.enabled:
            return Done(replace(credential, uri=changed.realm or credential.uri, enabled=True))
        # The password is set, whether or not enabling succeeds: nothing counts as refused any more.
        enabled = self._enable(call, credential)
        if isinstance(enabled, Done):
            return enabled
        return unconfirmed("the password is set, but the credential is still disabled", enabled)

    def enable(self, credential: Credential) -> Answer[Credential]:
        """Enables the credential, with its password in force."""
        if api.usable_id(credential) is None:
            return _UNUSABLE
        return self._enable(self._http.call(), credential)

    def disable(self, credential: Credential) -> Answer[None]:
        """Disables the credential, first without its password, so that nothing else changes."""
        if api.usable_id(credential) is None:
            return _UNUSABLE
        bodies: list[dict[str, Any]] = [{"enabled": False}]
        if credential.password is not None:
            bodies.append({"enabled": False, "password": credential.password})
        answer = self._switch(self._http.call(), credential, bodies, on=False)
        return Done(None) if isinstance(answer, Done) else answer

    def delete(self, credential: Credential) -> Answer[None]:
        """Removes the credential. 409 means that active calls use it; 404 counts if a listing confirms it."""
        if api.usable_id(credential) is None:
            return _UNUSABLE
        call = self._http.call()
        reply = call.send(HttpRequest("delete", "DELETE", self._path(credential)))
        if not isinstance(reply, HttpReply):
            return reply
        if reply.status == 409:
            return Retry(Wait.IN_USE, "active calls use the credential; it can be deleted when they end", reply.after)
        if reply.status == 404:
            return self._missing(call, credential, reply)
        # 204, or 200 with a JSON string. After anything else it is sent again, and then answered with 404.
        return Done(None) if reply.status == 204 or (reply.ok and isinstance(reply.body, str)) else api.failed(reply)

    def _read_back_proof(self, call: HttpCall, credential: Credential, reason: str) -> Answer[Proof]:
        listed = self._search(call, credential)
        if not isinstance(listed, Done):
            return listed
        if not any(item.username == credential.username and item.enabled for item in listed.value):
            return Retry(Wait.NOT_YET, "the listing does not yet show the credential enabled and with this username")
        return Done(Proof(f"listed and enabled; {reason}", tries_password=False))

    def _search(self, call: HttpCall, wanted: Credential) -> Answer[tuple[VobizRecord, ...]]:
        def matches(item: VobizRecord) -> bool:
            return item.id == wanted.id if wanted.id is not None else item.username == wanted.username

        return api.search(call, self._resource, matches)

    def _path(self, credential: Credential) -> str:
        return self._options.path("credentials", credential.id or "")

    def _created(self, reply: HttpReply, staged: Credential) -> Answer[Credential]:
        record = api.read_object(reply.body, self._resource)
        if record is None or record.username != staged.username:
            return Unknown(f"the provider answered {reply.status} without the new credential")
        if not record.enabled:
            return Unknown("the provider created the credential disabled")
        return Done(replace(staged, id=record.id, uri=record.realm, enabled=True))

    def _put(self, call: HttpCall, verb: str, credential: Credential, body: Mapping[str, Any]) -> HttpReply | Failure:
        reply = call.send(HttpRequest(verb, "PUT", self._path(credential), body=body))
        if not isinstance(reply, HttpReply) or reply.ok:
            return reply
        return self._missing(call, credential, reply) if reply.status == 404 else api.failed(reply)

    def _object(self, reply: HttpReply, credential: Credential) -> VobizRecord | None:
        record = api.read_object(reply.body, self._resource)
        return record if record is not None and record.id == credential.id else None

    def _missing(self, call: HttpCall, credential: Credential, reply: HttpReply) -> Failure:
        return missing(self._search(call, credential), api.failed(reply), "the credential")

    def _enable(self, call: HttpCall, credential: Credential) -> Answer[Credential]:
        bodies: list[dict[str, Any]] = [{"enabled": True}]
        if credential.password is not None:  # with it first, which puts it into force, whatever was set in between
            bodies.insert(0, {"enabled": True, "password": credential.password})
        answer = self._switch(call, credential, bodies, on=True)
        return Done(replace(credential, enabled=True)) if isinstance(answer, Done) else answer

    def _switch(
        self, call: HttpCall, credential: Credential, bodies: Sequence[Mapping[str, Any]], *, on: bool
    ) -> Answer[VobizRecord]:
        """Sends one body after another until the listing shows the effect."""
        answer: Answer[VobizRecord] = _UNUSABLE
        for body in bodies:
            answer = self._switch_once(call, credential, body, on=on)
            if not (isinstance(answer, Refused) and answer.why in (Refusal.INVALID, Refusal.UNSUPPORTED)):
                return answer
        if credential.password is None:
            message = "the provider requires the password for this change, but it is unknown: set one first"
            return Refused(Refusal.UNSUPPORTED, message)
        return answer

    def _switch_once(
        self, call: HttpCall, credential: Credential, body: Mapping[str, Any], *, on: bool
    ) -> Answer[VobizRecord]:
        reply = self._put(call, "enable" if on else "disable", credential, body)
        if not isinstance(reply, HttpReply):
            return reply
        answered = self._object(reply, credential)
        listed = self._search(call, credential)
        if not isinstance(listed, Done):
            return unconfirmed("the provider reported success, but the change could not be read back", listed)
        if not listed.value:
            return Unknown("the provider reported success, but the listing does not show the credential")
        if listed.value[0].enabled is on:
            # The listing says nothing about a password that was sent along; the answer to the request must.
            evident = answered is not None or not on
            return Done(listed.value[0]) if evident else Unknown("the provider did not answer with the credential")
        if answered is not None and answered.enabled is on:
            return Retry(Wait.NOT_YET, "the provider reported success, but the listing does not yet show the change")
        return Refused(Refusal.UNSUPPORTED, "the provider accepted the request and ignored it")
