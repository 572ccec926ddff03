"""Vobiz Endpoint users (SIP phones and clients that register): strategy `in-place`.

No page documents a way to disable an Endpoint, and its username is locked, so there can be no overlap. Paths end with a
slash and have a capital E (Endpoint). All other fields of an Endpoint are left alone.
"""

from collections.abc import Callable
from dataclasses import replace

from rotator.core.answers import Answer, Done, Refusal, Refused, Retry, Wait
from rotator.core.model import Credential, Proof
from rotator.core.selection import ListedCredential
from rotator.ports import Randomness
from rotator.providers.base import SipCredentialKind, missing
from rotator.providers.http.calls import HttpCall, HttpRequest
from rotator.providers.http.client import Http
from rotator.providers.http.replies import Failure, HttpReply
from rotator.providers.vobiz import api
from rotator.providers.vobiz.api import VobizRecord
from rotator.providers.vobiz.options import VobizEndpointOptions

_UNUSABLE = Refused(Refusal.INVALID, "the Endpoint lacks an id or a password that can be sent")


class VobizEndpoints(SipCredentialKind):
    """The Endpoint users of one Vobiz account."""

    options_model = VobizEndpointOptions
    # An Endpoint belongs to an application that only its owner knows, and no page documents a way to disable one.
    not_offered = "only the password of an Endpoint can be changed (strategy in-place)"

    def __init__(self, options: VobizEndpointOptions, http: Http, randomness: Randomness) -> None:
        """Prepares the adapter without connecting."""
        super().__init__(options, http, randomness)
        self._options = options
        self._resource = api.VobizResource(options.path("Endpoint", end="/"), key="endpoint_id", switchable=False)

    def each(self, take: Callable[[ListedCredential], object]) -> Answer[None]:
        """Reads the listing."""
        return api.each(self._http.call(), self._resource, take)

    def find(self, wanted: Credential) -> Answer[tuple[Credential, ...]]:
        """Gets the Endpoint by its id, or reads the listing."""
        listed = self._search(self._http.call(), wanted)
        if not isinstance(listed, Done):
            return listed
        return Done(tuple(item.credential(wanted.account) for item in listed.value))

    def set_password(self, credential: Credential) -> Answer[Credential]:
        """Sets the password. The answer is 202 without a body: accepted, but perhaps not in force yet."""
        if credential.password is None or api.usable_id(credential) is None:
            return _UNUSABLE
        call = self._http.call()
        body = {"password": credential.password}
        # This POST may be repeated, since it only sets values.
        reply = call.send(HttpRequest("set_password", "POST", self._path(credential), body=body))
        if not isinstance(reply, HttpReply):
            return reply
        if reply.status == 404:
            return self._missing(call, credential, reply)
        accepted = reply.status == 202 or (reply.ok and isinstance(reply.body, dict) and "error" not in reply.body)
        return Done(replace(credential, enabled=True)) if accepted else api.failed(reply)

    def enable(self, credential: Credential) -> Answer[Credential]:
        """Puts the password into force; an Endpoint is always enabled."""
        return self.set_password(credential)

    def _read_back_proof(self, call: HttpCall, credential: Credential, reason: str) -> Answer[Proof]:
        listed = self._search(call, credential)
        if not isinstance(listed, Done):
            return listed
        if not any(item.username == credential.username for item in listed.value):
            return Retry(Wait.NOT_YET, "the provider does not yet show an Endpoint with this id and username")
        return Done(Proof(f"the Endpoint exists; {reason}", tries_password=False))

    def _search(self, call: HttpCall, wanted: Credential) -> Answer[tuple[VobizRecord, ...]]:
        if wanted.id is None:
            return api.search(call, self._resource, lambda item: item.username == wanted.username)
        if api.usable_id(wanted) is not None:
            reply = call.send(HttpRequest("get", "GET", self._path(wanted)))
            if not isinstance(reply, HttpReply):
                return reply
            if reply.status != 404:
                return self._got(reply, wanted)
        return api.search(call, self._resource, lambda item: item.id == wanted.id)

    def _got(self, reply: HttpReply, wanted: Credential) -> Answer[tuple[VobizRecord, ...]]:
        record = api.read_object(reply.body, self._resource) if reply.ok else None
        return Done((record,)) if record is not None and record.id == wanted.id else api.failed(reply)

    def _path(self, credential: Credential) -> str:
        return self._options.path("Endpoint", credential.id or "", end="/")

    def _missing(self, call: HttpCall, credential: Credential, reply: HttpReply) -> Failure:
        listed = api.search(call, self._resource, lambda item: item.id == credential.id)
        return missing(listed, api.failed(reply), "the Endpoint")
