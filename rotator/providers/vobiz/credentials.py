"""Vobiz trunk credentials: strategies `replace`, `alternating` and `in-place`.

Nobody outside Vobiz knows which of its contradicting pages is right, so each method takes its evidence from what can be
read back, and the same request is made in the other documented form where the first was rejected or ignored.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from rotator.core.answers import Answer, Done, Refusal, Refused, Retry, Unknown, Wait
from rotator.core.model import Capabilities, Credential
from rotator.core.passwords import PasswordRules
from rotator.providers.base import SipCredentialKind, gone, missing, unconfirmed
from rotator.providers.http.calls import Call, Request
from rotator.providers.http.client import Http
from rotator.providers.http.replies import Failure, Reply, codes
from rotator.providers.vobiz import api
from rotator.providers.vobiz.api import Listed, VobizOptions

T = TypeVar("T")

# Create and Update Credential: 8 characters or more. The console's form: 20 at most, with a special character.
PASSWORD_LIMITS = PasswordRules(shortest=8, longest=20, symbol=1, symbols=api.CONSOLE_SYMBOLS)
_UNUSABLE = Refused(Refusal.INVALID, "the credential has no id or no password that could be sent")


def capabilities(options: VobizOptions) -> Capabilities:
    """What a trunk credential can do. Nothing is connected to."""
    return Capabilities(
        chooses_password=True,
        sets_password=True,
        generates_password=False,
        disables=True,
        re_enables=True,
        deletes=True,
        lists=True,
        creates=True,
        proof="SIP REGISTER"
        if options.registrar
        else "read-back: listed and enabled, the password itself is not tried",
        propagation=options.propagation,
        password_limits=PASSWORD_LIMITS,
        username_pattern=api.USERNAMES,
    )


class VobizCredentials(SipCredentialKind):
    """The trunk credentials of one Vobiz account."""

    def __init__(self, options: VobizOptions, http: Http) -> None:
        """Connects to nothing yet."""
        super().__init__(http, capabilities(options), "a trunk credential has no end that could be set beforehand")
        self._options, self._registrar, self._domain = options, options.registrar, options.domain
        # The one path with `trunks/` in it (Retrieve all Credentials).
        listing = options.path("trunks", "credentials")
        self._resource = api.Resource(listing, key="id", switchable=True)

    def find(self, wanted: Credential) -> Answer[tuple[Credential, ...]]:
        """Pages the listing, since no page documents how to get a single credential."""
        found = self._search(self._http.call(), wanted)
        if not isinstance(found, Done):
            return found
        return Done(tuple(item.credential(wanted.account) for item in found.value))

    def create(self, staged: Credential, target: str, like: Credential | None = None) -> Answer[Credential]:  # noqa: ARG002
        """Creates it with our password. 200 and 201 both say that it was done (Create Credential)."""
        if staged.password is None:
            return Refused(Refusal.INVALID, "a trunk credential is created with a password, and there is none")
        body = {"username": staged.username, "password": staged.password}
        where = self._options.path("credentials")
        reply = self._http.call().send(Request("create", "POST", where, body=body, repeatable=False))
        if not isinstance(reply, Reply):
            return reply
        taken = reply.status == 409 or (400 <= reply.status < 500 and "DUPLICATE_USERNAME" in codes(reply.body))
        if taken:
            return Refused(Refusal.DUPLICATE, f"the provider answered {reply.status}: the username is taken")
        return self._created(reply, staged) if reply.ok else api.failed(reply)

    def complete(self, made: Credential, like: Credential | None = None) -> Answer[Credential]:  # noqa: ARG002
        """Sets the password: whether the lost create has set it is not to be seen. Nothing is taken over."""
        return self.set_password(made)

    def set_password(self, credential: Credential) -> Answer[Credential]:
        """Sets the password, and enables it where it is not."""
        if credential.password is None or api.usable_id(credential) is None:
            return _UNUSABLE
        call = self._http.call()
        reply = self._put(call, "set_password", credential, {"password": credential.password})
        if not isinstance(reply, Reply):
            return reply
        changed = self._object(reply, credential)
        if changed is None:
            return Unknown(f"the provider answered {reply.status} without the credential that was to be changed")
        if changed.enabled:
            return Done(replace(credential, uri=changed.realm or credential.uri, enabled=True))
        # Whatever enabling comes to: the password is set, so that nothing is refused or undone any more.
        return _open(self._enable(call, credential), "the password is set, but the credential is still disabled")

    def enable(self, credential: Credential) -> Answer[Credential]:
        """Enables it, with its password in force."""
        if api.usable_id(credential) is None:
            return _UNUSABLE
        return self._enable(self._http.call(), credential)

    def disable(self, credential: Credential) -> Answer[None]:
        """Disables it; tried without its password first, so that nothing else changes."""
        if api.usable_id(credential) is None:
            return _UNUSABLE
        bodies: list[dict[str, Any]] = [{"enabled": False}]
        if credential.password is not None:
            bodies.append({"enabled": False, "password": credential.password})
        answer = self._switch(self._http.call(), credential, bodies, on=False)
        return Done(None) if isinstance(answer, Done) else answer

    def delete(self, credential: Credential) -> Answer[None]:
        """Removes it. 409 says that active calls use it; 404 is believed where a listing confirms it."""
        if api.usable_id(credential) is None:
            return _UNUSABLE
        call = self._http.call()
        reply = call.send(Request("delete", "DELETE", self._path(credential)))
        if not isinstance(reply, Reply):
            return reply
        if reply.status == 409:
            return Retry(
                Wait.IN_USE, "active calls use the credential: it can be deleted when they have ended", reply.after
            )
        if reply.status == 404:
            return gone(self._missing(call, credential, reply))
        # 204, or 200 with a JSON string; anything else is asked again, and then answered 404.
        return Done(None) if reply.status == 204 or (reply.ok and isinstance(reply.body, str)) else api.failed(reply)

    def _read_back_proof(self, call: Call, credential: Credential, note: str) -> Answer[str]:
        found = self._search(call, credential)
        if not isinstance(found, Done):
            return found
        if not any(item.username == credential.username and item.enabled for item in found.value):
            return Retry(Wait.NOT_YET, "the listing does not show the credential, enabled and with this username, yet")
        return Done(f"read back: listed and enabled; the password itself was not tried, since {note}")

    def _search(self, call: Call, wanted: Credential) -> Answer[tuple[Listed, ...]]:
        def matches(item: Listed) -> bool:
            return item.id == wanted.id if wanted.id is not None else item.username == wanted.username

        return api.search(call, self._resource, matches)

    def _path(self, credential: Credential) -> str:
        return self._options.path("credentials", credential.id or "")

    def _created(self, reply: Reply, staged: Credential) -> Answer[Credential]:
        made = api.read_object(reply.body, self._resource)
        if made is None or made.username != staged.username:
            return Unknown(f"the provider answered {reply.status} without the credential that was to be created")
        if not made.enabled:
            return Unknown("the provider created the credential, but disabled")
        return Done(replace(staged, id=made.id, uri=made.realm, enabled=True))

    def _put(self, call: Call, verb: str, credential: Credential, body: Mapping[str, Any]) -> Reply | Failure:
        reply = call.send(Request(verb, "PUT", self._path(credential), body=body))
        if not isinstance(reply, Reply) or reply.ok:
            return reply
        return self._missing(call, credential, reply) if reply.status == 404 else api.failed(reply)

    def _object(self, reply: Reply, credential: Credential) -> Listed | None:
        shown = api.read_object(reply.body, self._resource)
        return shown if shown is not None and shown.id == credential.id else None

    def _missing(self, call: Call, credential: Credential, reply: Reply) -> Failure:
        return missing(self._search(call, credential), api.failed(reply), "the credential")

    def _enable(self, call: Call, credential: Credential) -> Answer[Credential]:
        bodies: list[dict[str, Any]] = [{"enabled": True}]
        if credential.password is not None:  # first with it, so that it is in force, whatever was set in between
            bodies.insert(0, {"enabled": True, "password": credential.password})
        answer = self._switch(call, credential, bodies, on=True)
        return Done(replace(credential, enabled=True)) if isinstance(answer, Done) else answer

    def _switch(
        self, call: Call, credential: Credential, bodies: Sequence[Mapping[str, Any]], *, on: bool
    ) -> Answer[Listed]:
        """Sends one body after the other until the listing shows that it took effect, or no other form is left."""
        answer: Answer[Listed] = _UNUSABLE
        for body in bodies:
            answer = self._switch_once(call, credential, body, on=on)
            if not (isinstance(answer, Refused) and answer.why in (Refusal.INVALID, Refusal.UNSUPPORTED)):
                return answer
        if credential.password is None:
            message = "the provider wants a password with that, and nobody knows this one: set one first"
            return Refused(Refusal.UNSUPPORTED, message)
        return answer

    def _switch_once(self, call: Call, credential: Credential, body: Mapping[str, Any], *, on: bool) -> Answer[Listed]:
        reply = self._put(call, "enable" if on else "disable", credential, body)
        if not isinstance(reply, Reply):
            return reply
        said = self._object(reply, credential)
        found = self._search(call, credential)
        if not isinstance(found, Done):
            return unconfirmed("the provider answered that it was done, but it could not be read back", found)
        if not found.value:
            return Unknown("the provider answered that it was done, but the listing does not show it")
        if found.value[0].enabled is on:
            # The listing shows nothing of the password that went along; the answer to the request has to.
            evident = said is not None or not on
            return Done(found.value[0]) if evident else Unknown("the provider did not answer with the credential")
        if said is not None and said.enabled is on:
            return Retry(Wait.NOT_YET, "the provider answered that it was done, but the listing does not show it yet")
        return Refused(Refusal.UNSUPPORTED, "the provider accepted the request and ignored it")


def _open(answer: Answer[T], message: str) -> Done[T] | Unknown:
    return answer if isinstance(answer, Done) else unconfirmed(message, answer)
