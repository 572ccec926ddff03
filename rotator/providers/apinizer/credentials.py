"""Apinizer credentials in a project, named by their usernames: strategies `replace`, `alternating` and `in-place`.

A successor inherits the fields of its predecessor that the API shows: email, full name, description, roles, IP list,
expiry and the grants within the project. The API does not show metadata and their secrets, token settings, keys and
certificates, passwords of single environments, the link to an organization, geographic rules, and grants outside the
project: set them by hand, or use `in-place`.

Setting a password (PATCH) changes nothing else. Enabling and disabling need a full update (PUT), which sets all fields
of the listing and may drop the rest, so it is sent only if `enabled` must change. It also sets a password: a disabled
credential gets a random one that is not kept, and enabling it restores the one in the ledger.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar

from rotator.core.answers import Answer, Done, Refusal, Refused, Retry, Unknown, Wait
from rotator.core.model import Credential, Proof
from rotator.core.passwords import PasswordRules, generate
from rotator.core.secret import Secret
from rotator.core.selection import ListedCredential
from rotator.ports import Randomness
from rotator.providers.apinizer import api, envelope
from rotator.providers.apinizer.api import ApinizerListing, ApinizerRecord, name_of
from rotator.providers.apinizer.envelope import DocumentedError
from rotator.providers.apinizer.gateway import Gateway
from rotator.providers.apinizer.grants import AccessGrant, grant_access
from rotator.providers.apinizer.inheritance import access_of, inheritance
from rotator.providers.apinizer.options import ApinizerOptions
from rotator.providers.base import CredentialKind, unconfirmed
from rotator.providers.http.calls import HttpCall, HttpRequest
from rotator.providers.http.client import Http
from rotator.providers.http.replies import Failure, HttpReply

T = TypeVar("T")

_MAY_STAY = "an environment with a password of its own may keep that one"
_MAY_DROP = "sent as a full update, which may drop what the listing does not show, such as metadata"

_RANDOM = PasswordRules(length=64)
_UNUSABLE = Refused(Refusal.INVALID, "the credential lacks a username or a password that can be sent")


class ApinizerCredentials(CredentialKind):
    """The credentials of one Apinizer project."""

    options_model = ApinizerOptions
    # Setting `expireDate` needs a full update, which would set a password during the overlap.
    not_offered = "the end of an Apinizer credential cannot be set in advance"

    def __init__(self, options: ApinizerOptions, http: Http, randomness: Randomness) -> None:
        """Prepares the adapter without connecting."""
        super().__init__(options, http, randomness)
        self._options = options
        self._listing = ApinizerListing(http, options)
        self._gateway = Gateway(options, http)

    def each(self, take: Callable[[ListedCredential], object]) -> Answer[None]:
        """Reads the project's listing."""
        return self._listing.each(self._http.call(), take)

    def find(self, wanted: Credential) -> Answer[tuple[Credential, ...]]:
        """Reads the project's listing, since no page documents a request for a single credential."""
        listed = self._listing.find(self._http.call(), name_of(wanted))
        if not isinstance(listed, Done):
            return listed
        return Done(tuple(item.credential(wanted.account) for item in listed.value), listed.note)

    def create(self, staged: Credential, target: str, like: Credential | None = None) -> Answer[Credential]:
        """Creates the credential with all fields of `like` that the API shows, and grants it the same access.

        Once it exists, nothing counts as refused any more: `complete` adds what is missing.
        """
        if staged.password is None or not api.usable_name(staged.username):
            return _UNUSABLE
        self._listing.forget(staged.username)
        call = self._http.call()
        inherited = inheritance(call, self._options, self._listing, staged, target, like, self._http.clock.now())
        if not isinstance(inherited, Done):
            return inherited
        body = {**inherited.value.fields, "username": staged.username, "password": staged.password, "enabled": True}
        request = HttpRequest("create", "POST", self._options.path(), body=body, repeatable=False)
        answer = self._write(call, request, staged.username)
        if not isinstance(answer, Done):
            return self._duplicate(call, staged, answer)
        created = replace(staged, id=staged.username, enabled=True)
        granted = self._granted(call, created, inherited.value.access, "the credential exists")
        note = inherited.value.note or (_unlisted(like, staged) if like is not None else "")
        return Done(granted.value, note) if isinstance(granted, Done) else granted

    def complete(self, created: Credential, like: Credential | None = None) -> Answer[Credential]:
        """Sets the password, which the lost create may not have set, and grants the access of `like`."""
        if created.password is None or not api.usable_name(name_of(created)):
            return _UNUSABLE
        call = self._http.call()
        inherited = access_of(call, self._options, self._listing, created, like)
        if not isinstance(inherited, Done):
            return inherited
        answer = self._bring_into_force(call, created, "complete")
        if not isinstance(answer, Done):
            return answer
        return self._granted(call, answer.value, inherited.value, "the password is set")

    def set_password(self, credential: Credential) -> Answer[Credential]:
        """Sets the password and enables the credential if it is disabled."""
        return self._set(credential, "set_password")

    def enable(self, credential: Credential) -> Answer[Credential]:
        """Enables the credential with its password: by a full update if it is disabled, else by setting that."""
        return self._set(credential, "enable")

    def disable(self, credential: Credential) -> Answer[None]:
        """Disables the credential and sets a random password, so the old one is dead even if `enabled` is ignored."""
        call = self._http.call()
        item = self._listing.entry(call, credential)
        if not isinstance(item, Done):
            return item
        random_password = generate(_RANDOM, self._randomness.text)
        answer = self._update(call, "disable", item.value, random_password, enabled=False)
        answer = self._read_back(call, credential, enabled=False) if isinstance(answer, Done) else answer
        return Done(None, _MAY_DROP) if isinstance(answer, Done) else answer

    def delete(self, credential: Credential) -> Answer[None]:
        """Removes the credential and its grants. 400 "was not found" counts if the project's listing lacks it as well.

        An environment that kept it is reported only once, since the API then no longer knows it. It was disabled
        before.
        """
        name = name_of(credential)
        if not api.usable_name(name):
            return _UNUSABLE
        call = self._http.call()
        reply = call.send(HttpRequest("delete", "DELETE", self._options.path(name)))
        if not isinstance(reply, HttpReply):
            return reply
        answer = envelope.outcome(reply, name, self._options.secrets)
        if envelope.documented_error(reply, name) is DocumentedError.NO_CREDENTIAL:
            message = "the credential does not exist, and the project's listing confirms it"
            return self._unless_listed(call, name, Refused(Refusal.NOT_FOUND, message))
        if isinstance(answer, Retry) and answer.message == envelope.NOWHERE:
            return self._unless_listed(call, name, Done(None))
        return answer

    def prove(self, credential: Credential) -> Answer[Proof]:
        """Tries the password at the gateway if one is configured; otherwise reads the listing."""
        call, reason = self._http.call(), "no gateway is configured"
        answer = self._gateway.accepts(credential, call.left)
        if answer is not None:
            return answer
        if self._options.probe_url:
            reason = "the gateway does not ask for a password at this address"
        item = self._listing.entry(call, credential)
        if not isinstance(item, Done):
            missing = isinstance(item, Refused) and item.why is Refusal.NOT_FOUND
            return Retry(Wait.NOT_YET, item.message) if missing else item
        if not item.value.enabled:
            return Retry(Wait.NOT_YET, "the listing does not show the credential enabled yet")
        if item.value.expired(self._http.clock.now()):
            return Refused(Refusal.EXPIRED, "its expireDate has passed: set a later one in the console")
        return Done(Proof(f"listed and enabled; {reason}", tries_password=False))

    def can_prove(self, credential: Credential) -> Answer[None]:  # noqa: ARG002  # the port's signature
        """Asks the gateway without a password."""
        return self._gateway.asks(self._http.call().left)

    def log_in(self, credential: Credential) -> Answer[Proof]:
        """Tries the password at the gateway."""
        call = self._http.call()
        return self._gateway.accepts(credential, call.left) or Retry(Wait.DOUBTFUL, "no gateway asks for a password")

    def _granted(
        self, call: HttpCall, created: Credential, access: tuple[AccessGrant, ...], done: str
    ) -> Answer[Credential]:
        answer = _after(grant_access(call, self._options, created.username, access), done)
        return Done(created) if isinstance(answer, Done) else answer

    # -- writing and reading back

    def _set(self, credential: Credential, verb: str) -> Answer[Credential]:
        if credential.password is None or not api.usable_name(name_of(credential)):
            return _UNUSABLE
        return self._bring_into_force(self._http.call(), credential, verb)

    def _bring_into_force(self, call: HttpCall, credential: Credential, verb: str) -> Answer[Credential]:
        """Sets the password with the request that changes least: PATCH if it is enabled, else the full PUT."""
        item = self._listing.entry(call, credential)
        if not isinstance(item, Done):
            return item
        password, note = credential.password or Secret(""), _MAY_STAY
        if item.value.enabled:
            where = self._options.path(item.value.username)
            answer = self._write(
                call, HttpRequest(verb, "PATCH", where, body={"password": password}), item.value.username
            )
        else:
            answer, note = self._update(call, verb, item.value, password, enabled=True), _MAY_DROP
        if not isinstance(answer, Done):
            return answer
        seen = self._read_back(call, credential, enabled=True)
        return Done(replace(credential, id=name_of(credential), enabled=True), note) if isinstance(seen, Done) else seen

    def _update(
        self, call: HttpCall, verb: str, item: ApinizerRecord, password: Secret, *, enabled: bool
    ) -> Done[None] | Failure:
        """Sends the full update, which has no username in its path (Update Credential)."""
        fields = item.carried()
        if not isinstance(fields, Done):
            return fields
        body = {**fields.value, "username": item.username, "password": password, "enabled": enabled}
        return self._write(call, HttpRequest(verb, "PUT", self._options.path(), body=body), item.username)

    def _write(self, call: HttpCall, request: HttpRequest, username: str) -> Done[None] | Failure:
        reply = call.send(request)
        if not isinstance(reply, HttpReply):
            return reply
        if envelope.documented_error(reply, username) is DocumentedError.NO_CREDENTIAL:
            return Unknown(f"the provider answered {reply.status}, but its listing shows the credential")
        sent = [value for value in (request.body or {}).values() if isinstance(value, Secret)]
        return envelope.outcome(reply, username, (*sent, *self._options.secrets))

    def _read_back(self, call: HttpCall, credential: Credential, *, enabled: bool) -> Answer[None]:
        """Reads the result of a successful write; nothing counts as refused any more."""
        item = self._listing.entry(call, credential)
        if isinstance(item, Done) and item.value.enabled is not enabled:
            state = "disabled" if enabled else "enabled"
            return Retry(Wait.PARTIAL, f"the provider reported success, but the listing shows the credential {state}")
        return _after(Done(None) if isinstance(item, Done) else item, "the provider reported success")

    def _duplicate(self, call: HttpCall, staged: Credential, answer: Failure) -> Answer[Credential]:
        """Checks the listing for the name: a create of a taken one may be rejected with an undocumented message."""
        if isinstance(answer, Refused) and answer.why is Refusal.INVALID:
            listed = self._listing.find(call, staged.username)
            if isinstance(listed, Done) and listed.value:
                return Refused(Refusal.DUPLICATE, f"{answer.message}; the username is taken")
        return answer

    def _unless_listed(self, call: HttpCall, name: str, gone: Answer[None]) -> Answer[None]:
        listed = self._listing.find(call, name)
        if not isinstance(listed, Done):
            return unconfirmed("the provider reports the credential deleted, but no listing confirms it", listed)
        if listed.value:
            return Unknown("the provider reports the credential deleted, but its listing still shows it")
        return gone


def _unlisted(like: Credential, staged: Credential) -> str:
    """Says what no request shows: rate-limit control lists name credentials by username (Add Credentials to RLCL)."""
    lists = "rate-limit control lists are not taken over, and no request shows which of them name"
    return f"{lists} {like.username}: add {staged.username} to those"


def _after(answer: Answer[T], done: str) -> Done[T] | Retry | Unknown:
    """Returns the answer of a step after a successful write. It is never a refusal: the rest is tried again."""
    if isinstance(answer, Done):
        return answer
    message = f"{done}, but: {answer.message}"
    if isinstance(answer, Unknown):
        return Unknown(message, answer.after)
    return Retry(Wait.PARTIAL, message, answer.after if isinstance(answer, Retry) else None)
