"""Telnyx credential connections (a SIP trunk with one username and password): strategy `in-place`.

A connection has one pair, so that there is no overlap. Whether it is switched on as a whole is not a matter of its
password: that field is neither sent nor used to retire anything here.
"""

from dataclasses import dataclass, replace
from typing import Any

from rotator.core.answers import Answer, Done, Refusal, Refused, Retry, Unknown, Wait
from rotator.core.model import Capabilities, Credential
from rotator.core.passwords import PasswordRules
from rotator.core.secret import Secret
from rotator.providers.base import SipCredentialKind
from rotator.providers.http.calls import Call, Request
from rotator.providers.http.client import Http
from rotator.providers.http.replies import Failure, Reply
from rotator.providers.telnyx import api
from rotator.providers.telnyx.api import TelnyxOptions

# Create a credential connection: 8 to 128 characters, and nothing about which. The symbols are those of ours.
PASSWORD_LIMITS = PasswordRules(shortest=8, longest=128, symbol=0)
USERNAMES = r"(?=.{0,4}[A-Za-z])[A-Za-z0-9]{4,32}"
"""Create a credential connection: 4 to 32 letters and digits, one of the first five a letter."""
# Numbers, routes and prices hang on a connection, which only its owner knows; switching it off takes down all of them.
_ONLY_IN_PLACE = "a connection can only be given another password (strategy in-place)"
_UNUSABLE = Refused(Refusal.INVALID, "the connection has no id or no password that could be sent")


def capabilities(options: TelnyxOptions) -> Capabilities:
    """What a credential connection can do. Nothing is connected to."""
    return Capabilities(
        chooses_password=True,
        sets_password=True,
        generates_password=False,
        disables=False,
        re_enables=False,
        deletes=False,
        lists=True,
        creates=False,
        proof="SIP REGISTER"
        if options.registrar
        else "read-back: shown with this password and active, the password itself is not tried",
        propagation=options.propagation,
        password_limits=PASSWORD_LIMITS,
        username_pattern=USERNAMES,
    )


@dataclass(frozen=True, slots=True)
class Shown:
    """A connection as Telnyx shows it."""

    id: str
    username: str
    password: Secret | None
    active: bool


def read_connection(data: Any) -> Shown | None:
    """Reads what Telnyx shows; None where it lacks what matters or has it in the wrong type."""
    if not isinstance(data, dict):
        return None
    identity, username, active = api.read_id(data.get("id")), data.get("user_name"), data.get("active")
    if identity is None or not api.is_word(username) or not isinstance(active, bool):
        return None
    return Shown(identity, str(username), api.read_secret(data.get("password")), active)


class TelnyxConnections(SipCredentialKind):
    """The credential connections of one Telnyx account."""

    def __init__(self, options: TelnyxOptions, http: Http) -> None:
        """Connects to nothing yet."""
        super().__init__(http, capabilities(options), _ONLY_IN_PLACE)
        self._options, self._registrar, self._domain = options, options.registrar, options.domain
        self._resource = api.Resource("credential_connections", read_connection)

    def find(self, wanted: Credential) -> Answer[tuple[Credential, ...]]:
        """Gets it by its id, or pages the listing, which has no filter for the username."""
        found = self._search(self._http.call(), wanted)
        if not isinstance(found, Done):
            return found
        return Done(tuple(self._credential(shown, wanted.account) for shown in found.value))

    def set_password(self, credential: Credential) -> Answer[Credential]:
        """Sets the password. What is shown afterwards decides, whatever became of the request."""
        if credential.password is None or api.usable_id(credential) is None:
            return _UNUSABLE
        call = self._http.call()
        body = {"password": credential.password}
        reply = call.send(Request("set_password", "PATCH", self._resource.path(credential), body=body))
        if isinstance(reply, Reply) and reply.status == 404:
            return self._resource.missing(call, credential, reply)
        said = self._resource.shown(reply, credential) if isinstance(reply, Reply) else None
        if said is not None and said.password == credential.password:
            return Done(self._taken(credential, said))
        failed = api.failure_of(reply)
        return failed if isinstance(failed, Refused | Retry) else self._read_back(call, credential, failed)

    def enable(self, credential: Credential) -> Answer[Credential]:
        """Puts its password in force. A connection that is switched off stays so."""
        return self.set_password(credential)

    def _read_back_proof(self, call: Call, credential: Credential, note: str) -> Answer[str]:
        found = self._search(call, credential)
        if not isinstance(found, Done):
            return found
        same = [shown for shown in found.value if shown.username == credential.username]
        if not any(shown.password is not None and shown.password == credential.password for shown in same):
            return Retry(Wait.NOT_YET, "the provider does not show the connection with this password yet")
        if not any(shown.active for shown in same):
            return Retry(Wait.NOT_YET, "the connection is switched off at Telnyx, which rotator never changes")
        return Done(f"read back: shown with this password and active; it was not tried, since {note}")

    def _search(self, call: Call, wanted: Credential) -> Answer[tuple[Shown, ...]]:
        if wanted.id is not None:
            return self._resource.by_id(call, wanted)
        return self._resource.search(call, lambda shown: shown.username == wanted.username)

    def _credential(self, shown: Shown, account: str) -> Credential:
        return Credential(
            account, shown.username, shown.id, shown.password, uri=self._options.domain, enabled=shown.active
        )

    def _taken(self, credential: Credential, shown: Shown) -> Credential:
        return replace(credential, uri=self._options.domain, enabled=shown.active)

    def _read_back(self, call: Call, credential: Credential, lost: Failure | None) -> Answer[Credential]:
        """After an answer that says too little: the password that is shown tells what became of the request."""
        found = self._resource.get(call, credential)
        if isinstance(found, Done) and found.value.password == credential.password:
            return Done(self._taken(credential, found.value))
        return lost or Unknown("the provider answered without the connection, and does not show the new password")
