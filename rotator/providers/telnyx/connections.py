"""Telnyx credential connections (a SIP trunk with one username and password): strategy `in-place`.

A connection has one username and password, so there can be no overlap. Its field `active` switches all of its traffic,
so it is never sent, not even to retire a password.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from rotator.core.answers import Answer, Done, Refusal, Refused, Retry, Unknown, Wait
from rotator.core.model import Credential, Proof
from rotator.core.secret import Secret
from rotator.core.selection import ListedCredential
from rotator.core.usage_rules import Usage
from rotator.ports import Randomness
from rotator.providers.base import SipCredentialKind
from rotator.providers.http.calls import HttpCall, HttpRequest
from rotator.providers.http.client import Http
from rotator.providers.http.pages import Question
from rotator.providers.http.replies import Failure, HttpReply
from rotator.providers.telnyx import api
from rotator.providers.telnyx.options import TelnyxConnectionOptions

_UNUSABLE = Refused(Refusal.INVALID, "the connection lacks an id or a password that can be sent")
_MASKED = "Telnyx does not show the password of this connection"
_UNPROVABLE = f"{_MASKED}: a new one could be proved by a registrar only, so it stays; remove `registrar: off`"


@dataclass(frozen=True, slots=True)
class ConnectionRecord:
    """A connection as Telnyx shows it."""

    id: str
    username: str
    password: Secret | None
    active: bool
    masked: bool


def read_connection(data: Any) -> ConnectionRecord | None:
    """Reads a connection; None if a required field is missing or has the wrong type."""
    if not isinstance(data, dict):
        return None
    identity, username, active = api.read_id(data.get("id")), data.get("user_name"), data.get("active")
    if identity is None or not api.is_word(username) or not isinstance(active, bool):
        return None
    password = data.get("password")
    return ConnectionRecord(identity, str(username), api.read_secret(password), active, api.is_masked(password))


def connection_keys(data: Any) -> Mapping[str, str | None]:
    """Reads what a connection is found by."""
    return api.read_keys(data, "user_name")


class TelnyxConnections(SipCredentialKind):
    """The credential connections of one Telnyx account."""

    options_model = TelnyxConnectionOptions
    # Only its owner knows the numbers, routes and prices of a connection, and switching it off stops all of them.
    not_offered = "only the password of a connection can be changed (strategy in-place)"

    def __init__(self, options: TelnyxConnectionOptions, http: Http, randomness: Randomness) -> None:
        """Prepares the adapter without connecting."""
        super().__init__(options, http, randomness)
        self._options = options
        self._resource = api.TelnyxResource(http, "credential_connections", read_connection, connection_keys)

    def each(self, take: Callable[[ListedCredential], object]) -> Answer[None]:
        """Reads the listing."""

        def listed(record: ConnectionRecord) -> ListedCredential:
            return ListedCredential(record.id, record.username, record.active, password=record.password)

        return self._resource.each(self._http.call(), listed, take)

    def find(self, wanted: Credential) -> Answer[tuple[Credential, ...]]:
        """Gets the connection by its id, or reads the listing, which has no filter for the username."""
        answer = self._search(self._http.call(), wanted)
        if not isinstance(answer, Done):
            return answer
        return Done(tuple(self._credential(record, wanted.account) for record in answer.value), answer.note)

    def set_password(self, credential: Credential) -> Answer[Credential]:
        """Sets the password. Only the password that Telnyx shows afterwards counts, or a mask in its place.

        A mask says that the request was carried out, and not which password is in force: the registrar shows that. So
        nothing is sent where there are masks and no registrar.
        """
        if credential.password is None or api.usable_id(credential) is None:
            return _UNUSABLE
        call = self._http.call()
        if self._options.proving_registrar is None:
            shown = self._resource.get(call, credential)
            if not isinstance(shown, Done):
                return shown
            if shown.value.masked:
                return Refused(Refusal.UNSUPPORTED, _UNPROVABLE)
        body = {"password": credential.password}
        reply = call.send(HttpRequest("set_password", "PATCH", self._resource.path(credential), body=body))
        if isinstance(reply, HttpReply) and reply.status == 404:
            return self._resource.missing(call, credential, reply)
        answered = self._resource.answered(reply, credential) if isinstance(reply, HttpReply) else None
        if answered is not None and (answered.masked or answered.password == credential.password):
            return Done(self._with_facts(credential, answered))
        failed = api.failure_of(reply)
        return failed if isinstance(failed, Refused | Retry) else self._read_back(call, credential, failed)

    def enable(self, credential: Credential) -> Answer[Credential]:
        """Puts the password into force. A connection that is switched off stays off."""
        return self.set_password(credential)

    def usage(self, credential: Credential) -> Answer[Usage]:
        """Asks for the registration. What only makes calls, without a REGISTER, is not seen."""
        return api.registration(self._http.call(), "sip_credential_connection", credential.username)

    def _read_back_proof(self, call: HttpCall, credential: Credential, reason: str) -> Answer[Proof]:
        answer = self._search(call, credential)
        if not isinstance(answer, Done):
            return answer
        same = [record for record in answer.value if record.username == credential.username]
        if any(record.masked for record in same):
            return Retry(Wait.DOUBTFUL, f"{_MASKED}: only a registrar could tell; remove `registrar: off` ({reason})")
        if not any(record.password is not None and record.password == credential.password for record in same):
            return Retry(Wait.NOT_YET, "the provider does not yet show the connection with this password")
        if not any(record.active for record in same):
            return Retry(Wait.NOT_YET, "the connection is switched off at Telnyx, which rotator never changes")
        return Done(Proof(f"shown with this password and active; {reason}", tries_password=False))

    def _search(self, call: HttpCall, wanted: Credential) -> Answer[tuple[ConnectionRecord, ...]]:
        if wanted.id is not None:
            return self._resource.by_id(call, wanted)
        return self._resource.search(call, Question("username", wanted.username))

    def _credential(self, record: ConnectionRecord, account: str) -> Credential:
        return Credential(
            account, record.username, record.id, record.password, host=self._options.devices_host, enabled=record.active
        )

    def _with_facts(self, credential: Credential, record: ConnectionRecord) -> Credential:
        return replace(credential, host=self._options.devices_host, enabled=record.active)

    def _read_back(self, call: HttpCall, credential: Credential, lost: Failure | None) -> Answer[Credential]:
        """Reads the connection after an inconclusive answer: its password shows whether the request was carried out.

        A mask does not.
        """
        answer = self._resource.get(call, credential)
        if isinstance(answer, Done) and answer.value.password == credential.password:
            return Done(self._with_facts(credential, answer.value))
        return lost or Unknown("the provider did not answer with the connection and does not show the new password")
