"""Vobiz Endpoint users (SIP phones and clients that register): strategy `in-place`.

No page documents a way to disable an Endpoint, and its username is locked, so that there is nothing to overlap. Paths
end with a slash and have a capital E (Endpoint). Whatever else belongs to an Endpoint is left alone.
"""

from dataclasses import replace

from rotator.core.answers import Answer, Done, Refusal, Refused, Retry, Wait
from rotator.core.model import Capabilities, Credential
from rotator.core.passwords import PasswordRules
from rotator.providers.base import SipCredentialKind, missing
from rotator.providers.http.calls import Call, Request
from rotator.providers.http.client import Http
from rotator.providers.http.replies import Failure, Reply
from rotator.providers.vobiz import api
from rotator.providers.vobiz.api import Listed, VobizOptions

# Endpoint: 8 characters or more, nothing else. The upper limit and the characters are those of the trunk credentials'
# form in the same console: a guess on the safe side.
PASSWORD_LIMITS = PasswordRules(shortest=8, longest=20, symbol=0, symbols=api.CONSOLE_SYMBOLS)
# An Endpoint belongs to an application, which only its owner knows; no page documents a way to disable one.
_ONLY_IN_PLACE = "an Endpoint can only be given another password (strategy in-place)"
_UNUSABLE = Refused(Refusal.INVALID, "the Endpoint has no id or no password that could be sent")


def capabilities(options: VobizOptions) -> Capabilities:
    """What an Endpoint user can do. Nothing is connected to."""
    return Capabilities(
        chooses_password=True,
        sets_password=True,
        generates_password=False,
        disables=False,
        re_enables=False,
        deletes=False,
        lists=True,
        creates=False,
        proof="SIP REGISTER" if options.registrar else "read-back: it exists, the password itself is not tried (weak)",
        propagation=options.propagation,
        password_limits=PASSWORD_LIMITS,
        username_pattern=api.USERNAMES,
    )


class VobizEndpoints(SipCredentialKind):
    """The Endpoint users of one Vobiz account."""

    def __init__(self, options: VobizOptions, http: Http) -> None:
        """Connects to nothing yet."""
        super().__init__(http, capabilities(options), _ONLY_IN_PLACE)
        self._options, self._registrar, self._domain = options, options.registrar, options.domain
        self._resource = api.Resource(options.path("Endpoint", end="/"), key="endpoint_id", switchable=False)

    def find(self, wanted: Credential) -> Answer[tuple[Credential, ...]]:
        """Gets it by its id, or pages the listing."""
        found = self._search(self._http.call(), wanted)
        if not isinstance(found, Done):
            return found
        return Done(tuple(item.credential(wanted.account) for item in found.value))

    def set_password(self, credential: Credential) -> Answer[Credential]:
        """Sets the password. The answer is 202 without a body: accepted, and perhaps not in force yet."""
        if credential.password is None or api.usable_id(credential) is None:
            return _UNUSABLE
        call = self._http.call()
        body = {"password": credential.password}
        # A POST, but one that sets: sent twice, it means the same.
        reply = call.send(Request("set_password", "POST", self._path(credential), body=body))
        if not isinstance(reply, Reply):
            return reply
        if reply.status == 404:
            return self._missing(call, credential, reply)
        accepted = reply.status == 202 or (reply.ok and isinstance(reply.body, dict) and "error" not in reply.body)
        return Done(replace(credential, enabled=True)) if accepted else api.failed(reply)

    def enable(self, credential: Credential) -> Answer[Credential]:
        """An Endpoint is always enabled, so this puts its password in force."""
        return self.set_password(credential)

    def _read_back_proof(self, call: Call, credential: Credential, note: str) -> Answer[str]:
        found = self._search(call, credential)
        if not isinstance(found, Done):
            return found
        if not any(item.username == credential.username for item in found.value):
            return Retry(Wait.NOT_YET, "no Endpoint with this id and username is shown yet")
        return Done(f"read back: the Endpoint exists; the password itself was not tried, since {note} (weak)")

    def _search(self, call: Call, wanted: Credential) -> Answer[tuple[Listed, ...]]:
        if wanted.id is None:
            return api.search(call, self._resource, lambda item: item.username == wanted.username)
        if api.usable_id(wanted) is not None:
            reply = call.send(Request("get", "GET", self._path(wanted)))
            if not isinstance(reply, Reply):
                return reply
            if reply.status != 404:
                return self._got(reply, wanted)
        return api.search(call, self._resource, lambda item: item.id == wanted.id)

    def _got(self, reply: Reply, wanted: Credential) -> Answer[tuple[Listed, ...]]:
        shown = api.read_object(reply.body, self._resource) if reply.ok else None
        return Done((shown,)) if shown is not None and shown.id == wanted.id else api.failed(reply)

    def _path(self, credential: Credential) -> str:
        return self._options.path("Endpoint", credential.id or "", end="/")

    def _missing(self, call: Call, credential: Credential, reply: Reply) -> Failure:
        found = api.search(call, self._resource, lambda item: item.id == credential.id)
        return missing(found, api.failed(reply), "the Endpoint")
