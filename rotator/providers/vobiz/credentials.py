"""Vobiz trunk credentials: strategies `replace`, `alternating` and `in-place`.

Vobiz's pages contradict each other. So each method relies only on what an answer shows, reads back what it does not
show, and sends a request in the other documented form if the first was rejected or ignored.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Any

from rotator.core.answers import Answer, Done, Refusal, Refused, Retry, Unknown, Wait
from rotator.core.evidence import Assumption
from rotator.core.model import Attachment, Credential, Proof
from rotator.core.secret import Secret
from rotator.core.selection import ListedCredential
from rotator.ports import Randomness
from rotator.providers.base import SipCredentialKind, missing, unconfirmed
from rotator.providers.http.calls import HttpCall, HttpRequest
from rotator.providers.http.client import Http
from rotator.providers.http.replies import Failure, HttpReply, codes
from rotator.providers.vobiz import api
from rotator.providers.vobiz.api import VobizRecord
from rotator.providers.vobiz.options import VobizOptions
from rotator.providers.vobiz.trunk_log_ins import TrunkLogIns
from rotator.providers.vobiz.trunks import VobizTrunks

_UNUSABLE = Refused(Refusal.INVALID, "the credential lacks an id or a password that can be sent")


class VobizCredentials(SipCredentialKind):
    """The trunk credentials of one Vobiz account."""

    options_model = VobizOptions
    not_offered = "Vobiz cannot set the end of a trunk credential in advance"
    # Update Credential: every field is optional by its prose, and `password` is required by its OpenAPI block. Delete
    # Credential: the page lists Content-Type, its cURL omits it.
    first_forms = MappingProxyType(
        {
            "set_password": Assumption("form-set-password", "the answer to a change shows the credential"),
            "disable": Assumption("form-disable", "`enabled` alone disables a credential, without its password"),
            "delete": Assumption("form-delete", "a credential is deleted without a Content-Type"),
        }
    )

    def __init__(self, options: VobizOptions, http: Http, randomness: Randomness) -> None:
        """Prepares the adapter without connecting."""
        super().__init__(options, http, randomness)
        self._options = options
        # The one path with `trunks/` in it (Retrieve all Credentials).
        self._resource = api.VobizResource(options.path("trunks", "credentials"), self._path, key="id", switchable=True)
        self._listing = api.VobizListing(http, self._resource)
        self._trunks = VobizTrunks(options, http)
        at_trunk = options.prove_at_trunk != "off"
        self._log_ins = TrunkLogIns(options, http, self._trunks, self._route_to) if at_trunk else None

    def each(self, take: Callable[[ListedCredential], object]) -> Answer[None]:
        """Reads the listing."""
        return self._listing.each(self._http.call(), take)

    def find(self, wanted: Credential) -> Answer[tuple[Credential, ...]]:
        """Asks for the credential by its id, if the account answers that, or reads the listing."""
        listed = self._listing.find(self._http.call(), wanted)
        if not isinstance(listed, Done):
            return listed
        return Done(tuple(item.credential(wanted.account) for item in listed.value), listed.note)

    def create(self, staged: Credential, target: str, like: Credential | None = None) -> Answer[Credential]:  # noqa: ARG002
        """Creates the credential with the chosen password. 200 and 201 both mean success (Create Credential)."""
        if staged.password is None:
            return Refused(Refusal.INVALID, "a trunk credential cannot be created without a password")
        self._listing.forget(staged.username)
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
        if not credential.enabled:  # both at once, if the provider takes that
            body = {"password": credential.password, "enabled": True}
            both = self._switch_once(call, credential, body, on=True)
            if isinstance(both, Refused) and both.why is Refusal.UNSUPPORTED:
                both = _after_password(self._switch_once(call, credential, {"enabled": True}, on=True))
            if not (isinstance(both, Refused) and both.why is Refusal.INVALID):
                return _with_facts(credential, both)
        reply = self._put(call, "set_password", credential, {"password": credential.password})
        if not isinstance(reply, HttpReply):
            return reply
        changed = self._object(reply, credential)
        if changed is None:
            shown = self._sent_again(call, "set_password", credential, {"password": credential.password}, reply)
            if not isinstance(shown, Done):
                return shown
            changed = shown.value
        if changed.enabled:
            return _with_facts(credential, Done(changed))
        return _with_facts(credential, _after_password(self._enable(call, credential)))

    def enable(self, credential: Credential) -> Answer[Credential]:
        """Enables the credential, with its password in force."""
        if api.usable_id(credential) is None:
            return _UNUSABLE
        return _with_facts(credential, self._enable(self._http.call(), credential))

    def attachments(self, of: Collection[Credential]) -> Answer[tuple[Attachment, ...]]:
        """Reads which trunks name one of these."""
        return self._trunks.naming(of)

    def attach(self, credential: Credential, to: Sequence[Attachment]) -> Answer[None]:
        """Points the trunks to the credential."""
        return self._trunks.point(credential, to)

    def _tried(self, call: HttpCall, credential: Credential) -> Answer[Proof] | str:
        """Logs in where the trunk that names the credential lets it in, if that is configured."""
        return self._log_ins.tried(call, credential) if self._log_ins else super()._tried(call, credential)

    def can_prove(self, credential: Credential) -> Answer[None]:
        """Asks there for a challenge."""
        return self._log_ins.asks(credential) if self._log_ins else super().can_prove(credential)

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
        request = HttpRequest("delete", "DELETE", self._path(credential.id or ""))
        reply = call.send(request)
        if isinstance(reply, HttpReply) and reply.status in (400, 415):  # the page's cURL omits a header that it lists
            reply = call.send(replace(request, headers={"Content-Type": Secret("application/json")}))
        if not isinstance(reply, HttpReply):
            return reply
        if reply.status == 409:
            return Retry(Wait.IN_USE, "active calls use the credential; it can be deleted when they end", reply.after)
        if reply.status == 404:
            return self._missing(call, credential, reply)
        # 204, or 200 with a JSON string. After anything else it is sent again, and then answered with 404.
        return Done(None) if reply.status == 204 or (reply.ok and isinstance(reply.body, str)) else api.failed(reply)

    def _read_back_proof(self, call: HttpCall, credential: Credential, reason: str) -> Answer[Proof]:
        listed = self._listing.find(call, credential)
        if not isinstance(listed, Done):
            return listed
        if not any(item.username == credential.username and item.enabled for item in listed.value):
            return Retry(Wait.NOT_YET, "the listing does not yet show the credential enabled and with this username")
        return Done(Proof(f"listed and enabled; {reason}", tries_password=False))

    def _path(self, identity: str) -> str:
        return self._options.path("credentials", identity)

    def _created(self, reply: HttpReply, staged: Credential) -> Answer[Credential]:
        record = api.read_object(reply.body, self._resource)
        if record is None or record.username != staged.username:
            return Unknown(f"the provider answered {reply.status} without the new credential")
        if not record.enabled:
            return Unknown("the provider created the credential disabled")
        return Done(replace(staged, id=record.id, realm=record.realm, enabled=True))

    def _put(self, call: HttpCall, verb: str, credential: Credential, body: Mapping[str, Any]) -> HttpReply | Failure:
        reply = call.send(HttpRequest(verb, "PUT", self._path(credential.id or ""), body=body))
        if not isinstance(reply, HttpReply) or reply.ok:
            return reply
        return self._missing(call, credential, reply) if reply.status == 404 else api.failed(reply)

    def _object(self, reply: HttpReply, credential: Credential) -> VobizRecord | None:
        record = api.read_object(reply.body, self._resource)
        return record if record is not None and record.id == credential.id else None

    def _missing(self, call: HttpCall, credential: Credential, reply: HttpReply) -> Failure:
        return missing(self._listing.search(call, credential), api.failed(reply), "the credential")

    def _enable(self, call: HttpCall, credential: Credential) -> Answer[VobizRecord]:
        bodies: list[dict[str, Any]] = [{"enabled": True}]
        if credential.password is not None:  # with it first, which puts it into force, whatever was set in between
            bodies.insert(0, {"enabled": True, "password": credential.password})
        return self._switch(call, credential, bodies, on=True)

    def _switch(
        self, call: HttpCall, credential: Credential, bodies: Sequence[Mapping[str, Any]], *, on: bool
    ) -> Answer[VobizRecord]:
        """Sends one body after another until one has an effect."""
        answer: Answer[VobizRecord] = _UNUSABLE
        for body in bodies:
            answer = self._switch_once(call, credential, body, on=on)
            if not _is_ignored(answer):
                return answer
        if credential.password is None:
            message = "the provider requires the password for this change, but it is unknown: set one first"
            return Refused(Refusal.UNSUPPORTED, message)
        return answer

    def _switch_once(
        self, call: HttpCall, credential: Credential, body: Mapping[str, Any], *, on: bool
    ) -> Answer[VobizRecord]:
        """Believes an answer that shows the change. One that shows nothing, or no change, is read back."""
        reply = self._put(call, "enable" if on else "disable", credential, body)
        if not isinstance(reply, HttpReply):
            return reply
        answered = self._object(reply, credential)
        if answered is not None and answered.enabled is on:
            return Done(answered)
        shown = self._shown(call, credential)
        if isinstance(shown, Done) and shown.value.enabled is not on:
            return Refused(Refusal.UNSUPPORTED, "the provider accepted the request and ignored it")
        if answered is not None or "password" not in body or not on or not isinstance(shown, Done):
            return shown
        return self._sent_again(call, "enable", credential, body, reply)

    def _sent_again(
        self, call: HttpCall, verb: str, credential: Credential, body: Mapping[str, Any], said: HttpReply
    ) -> Answer[VobizRecord]:
        """Sends a password once more after a success that does not show the credential, between two looks.

        No page has such an answer. `updated_at`, which changes with each update, shows whether it was carried out.
        """
        if not _says_nothing(said.body, credential):
            return _of_something_else(said)
        before = self._shown(call, credential)
        if not isinstance(before, Done):
            return before
        reply = self._put(call, verb, credential, body)
        if not isinstance(reply, HttpReply):
            return reply
        answered = self._object(reply, credential)
        after = Done(answered) if answered is not None else self._shown(call, credential)
        if not isinstance(after, Done) or answered is not None:
            return after
        carried_out = after.value.updated not in ("", before.value.updated)
        return after if carried_out and _says_nothing(reply.body, credential) else _of_something_else(reply)

    def _shown(self, call: HttpCall, credential: Credential) -> Answer[VobizRecord]:
        """Reads the credential after a success that does not show it."""
        shown = self._listing.find(call, credential)
        if not isinstance(shown, Done):
            return unconfirmed("the provider reported success, but the change could not be read back", shown)
        if not shown.value:
            return Unknown("the provider reported success, but the listing does not show the credential")
        return Done(shown.value[0])


def _with_facts(credential: Credential, answer: Answer[VobizRecord]) -> Answer[Credential]:
    if not isinstance(answer, Done):
        return answer
    return Done(replace(credential, realm=answer.value.realm or credential.realm, enabled=True))


def _after_password(answer: Answer[VobizRecord]) -> Answer[VobizRecord]:
    """The answer to enabling. The password is set, whether or not that succeeds: nothing counts as refused any more."""
    if isinstance(answer, Done):
        return answer
    return unconfirmed("the password is set, but the credential is still disabled", answer)


def _says_nothing(body: Any, credential: Credential) -> bool:
    """True for no body, for a message, and for the credential without `enabled`; not for an error or another object."""
    return body is None or (
        isinstance(body, dict) and "error" not in body and body.get("id", credential.id) == credential.id
    )


def _of_something_else(reply: HttpReply) -> Unknown:
    return Unknown(f"the provider answered {reply.status} without the credential that was changed")


def _is_ignored(answer: Answer[VobizRecord]) -> bool:
    """True if the request was rejected for its form, or had no effect."""
    return isinstance(answer, Refused) and answer.why in (Refusal.INVALID, Refusal.UNSUPPORTED)
