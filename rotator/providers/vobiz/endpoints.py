"""Vobiz Endpoint users (SIP phones and clients that register): strategy `in-place`.

No page documents a way to disable an Endpoint, and its username is locked, so there can be no overlap. Paths end with a
slash and have a capital E (Endpoint). All other fields of an Endpoint are left alone.
"""

from collections.abc import Callable
from dataclasses import replace

from rotator.core.answers import Answer, Done, Refusal, Refused, Retry, Unknown, Wait
from rotator.core.model import Credential, Proof
from rotator.core.selection import ListedCredential
from rotator.core.usage_rules import Usage
from rotator.ports import Randomness
from rotator.providers.base import SipCredentialKind, missing
from rotator.providers.http.calls import HttpCall, HttpRequest
from rotator.providers.http.client import Http
from rotator.providers.http.replies import Failure, HttpReply
from rotator.providers.vobiz import api
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
        listing = options.path("Endpoint", end="/")
        resource = api.VobizResource(listing, self._path, key="endpoint_id", switchable=False)
        self._listing = api.VobizListing(http, resource)

    def each(self, take: Callable[[ListedCredential], object]) -> Answer[None]:
        """Reads the listing."""
        return self._listing.each(self._http.call(), take)

    def find(self, wanted: Credential) -> Answer[tuple[Credential, ...]]:
        """Gets the Endpoint by its id, or reads the listing."""
        listed = self._listing.find(self._http.call(), wanted)
        if not isinstance(listed, Done):
            return listed
        return Done(tuple(item.credential(wanted.account) for item in listed.value), listed.note)

    def set_password(self, credential: Credential) -> Answer[Credential]:
        """Sets the password. The answer is 202 without a body: accepted, but perhaps not in force yet."""
        if credential.password is None or api.usable_id(credential) is None:
            return _UNUSABLE
        call = self._http.call()
        body = {"password": credential.password}
        # This POST may be repeated, since it only sets values.
        reply = call.send(HttpRequest("set_password", "POST", self._path(credential.id or ""), body=body))
        if not isinstance(reply, HttpReply):
            return reply
        if reply.status == 404:
            return self._missing(call, credential, reply)
        accepted = reply.status == 202 or (reply.ok and isinstance(reply.body, dict) and "error" not in reply.body)
        return Done(replace(credential, enabled=True)) if accepted else api.failed(reply)

    def enable(self, credential: Credential) -> Answer[Credential]:
        """Puts the password into force; an Endpoint is always enabled."""
        return self.set_password(credential)

    def usage(self, credential: Credential) -> Answer[Usage]:
        """Reads `sip_registered`, a text. Over WSS it is said to stay "false", so a "no" is weak."""
        if api.usable_id(credential) is None:
            return _UNUSABLE
        reply = self._http.call().send(HttpRequest("usage", "GET", self._path(credential.id or "")))
        if not isinstance(reply, HttpReply):
            return reply
        shown = reply.body.get("sip_registered") if reply.ok and isinstance(reply.body, dict) else None
        if shown == "true":
            return Done(Usage(in_use=True, evidence="registered"))
        if shown == "false":
            return Done(Usage(in_use=False, evidence="not registered, which Vobiz may also show of a browser that is"))
        return api.failed(reply) if not reply.ok else Unknown("the Endpoint does not show whether it is registered")

    def _read_back_proof(self, call: HttpCall, credential: Credential, reason: str) -> Answer[Proof]:
        listed = self._listing.find(call, credential)
        if not isinstance(listed, Done):
            return listed
        if not any(item.username == credential.username for item in listed.value):
            return Retry(Wait.NOT_YET, "the provider does not yet show an Endpoint with this id and username")
        return Done(Proof(f"the Endpoint exists; {reason}", tries_password=False))

    def _path(self, identity: str) -> str:
        return self._options.path("Endpoint", identity, end="/")

    def _missing(self, call: HttpCall, credential: Credential, reply: HttpReply) -> Failure:
        return missing(self._listing.search(call, credential), api.failed(reply), "the Endpoint")
