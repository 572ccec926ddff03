"""Apinizer credentials in a project, named by their usernames: strategies `replace`, `alternating` and `in-place`.

A successor takes over what the API shows of its predecessor: email, full name, description, roles, IP list, expiry
and the grants within the project. What it does not show has to be made by hand, or kept by `in-place`: metadata and
their secrets, token settings, keys and certificates, passwords of single environments, the link to an organization,
geographic rules, grants outside of the project.

Setting a password (PATCH) changes nothing else. Enabling and disabling need a full update (PUT), which sets all that
the listing shows and may drop the rest; so it is sent only where `enabled` has to change. It also sets a password: a
disabled credential gets one that nobody keeps, and enabling it brings back the one that the ledger kept.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from rotator.core.answers import Answer, Done, Refusal, Refused, Retry, Unknown, Wait
from rotator.core.model import Capabilities, Credential
from rotator.core.passwords import PasswordRules, generate
from rotator.core.secret import Secret
from rotator.ports import Randomness
from rotator.providers.apinizer import api, envelope
from rotator.providers.apinizer import grants as access
from rotator.providers.apinizer.api import ApinizerOptions, Listed
from rotator.providers.apinizer.envelope import Said
from rotator.providers.apinizer.gateway import Gateway, proof
from rotator.providers.apinizer.grants import Grant
from rotator.providers.base import CredentialKind, unconfirmed
from rotator.providers.http.calls import Call, Request
from rotator.providers.http.client import Http
from rotator.providers.http.replies import Failure, Reply

T = TypeVar("T")

# No page states a policy beyond "not empty". Without what is awkward in configuration files, URLs and forms, and
# without the `#` that separates username and password in the console's CSV import.
PASSWORD_LIMITS = PasswordRules(shortest=1, symbol=0, symbols="!$()*+,-./=?@[]^_{|}~")
_THROWN_AWAY = PasswordRules(length=64)
# Setting `expireDate` needs a full update, which would set a password during the overlap.
_NO_END = "an Apinizer credential's end is not set beforehand"
_UNUSABLE = Refused(Refusal.INVALID, "the credential has no username or no password that could be sent")


def capabilities(options: ApinizerOptions) -> Capabilities:
    """What a credential can do. Nothing is connected to."""
    return Capabilities(
        chooses_password=True,
        sets_password=True,
        generates_password=False,
        disables=True,
        re_enables=True,
        deletes=True,
        lists=True,
        creates=True,
        proof=proof(options),
        propagation=options.propagation,
        password_limits=PASSWORD_LIMITS,
        username_pattern=api.USERNAMES,
    )


@dataclass(frozen=True, slots=True)
class _Legacy:
    """What a successor takes over."""

    fields: Mapping[str, Any]
    grants: tuple[Grant, ...] = ()


class ApinizerCredentials(CredentialKind):
    """The credentials of one Apinizer project."""

    def __init__(self, options: ApinizerOptions, http: Http, randomness: Randomness) -> None:
        """Connects to nothing yet. `randomness` makes the passwords that nobody keeps."""
        super().__init__(http, capabilities(options), _NO_END)
        self._options, self._randomness = options, randomness
        self._gateway = Gateway(options, http)

    def find(self, wanted: Credential) -> Answer[tuple[Credential, ...]]:
        """Reads the project's listing: no page of the reference documents how to get a single credential."""
        found = api.listed(self._http.call(), self._options)
        if not isinstance(found, Done):
            return found
        item = found.value.get(_name(wanted))
        return Done(() if item is None else (item.credential(wanted.account),))

    def create(self, staged: Credential, target: str, like: Credential | None = None) -> Answer[Credential]:
        """Creates it with all that `like` has and the API shows, and grants it the same access.

        Once it is there, nothing counts as refused any more: what is missing is added by `complete`.
        """
        if staged.password is None or not api.usable_name(staged.username):
            return _UNUSABLE
        call = self._http.call()
        legacy = self._legacy(call, staged, target, like)
        if not isinstance(legacy, Done):
            return legacy
        body = {**legacy.value.fields, "username": staged.username, "password": staged.password, "enabled": True}
        request = Request("create", "POST", self._options.path(), body=body, repeatable=False)
        answer = self._write(call, request, staged.username)
        if not isinstance(answer, Done):
            return self._duplicate(call, staged, answer)
        made = replace(staged, id=staged.username, enabled=True)
        return self._endowed(call, made, legacy.value.grants, "the credential is there")

    def complete(self, made: Credential, like: Credential | None = None) -> Answer[Credential]:
        """Sets the password, which a lost create may have set or not, and grants the access of `like`."""
        if made.password is None or not api.usable_name(_name(made)):
            return _UNUSABLE
        call = self._http.call()
        inherited = self._inherited(call, made, like)
        if not isinstance(inherited, Done):
            return inherited
        answer = self._bring_into_force(call, made, "complete")
        if not isinstance(answer, Done):
            return answer
        return self._endowed(call, answer.value, inherited.value, "the password is set")

    def set_password(self, credential: Credential) -> Answer[Credential]:
        """Sets the password, and enables it where it is not."""
        return self._set(credential, "set_password")

    def enable(self, credential: Credential) -> Answer[Credential]:
        """Enables it with its own password: a full update where it is disabled, else only the password is set."""
        return self._set(credential, "enable")

    def disable(self, credential: Credential) -> Answer[None]:
        """Disables it, and sets a password that nobody keeps: the old one is dead even where `enabled` is ignored."""
        call = self._http.call()
        item = self._entry(call, credential)
        if not isinstance(item, Done):
            return item
        thrown_away = generate(_THROWN_AWAY, self._randomness.choice)
        answer = self._update(call, "disable", item.value, thrown_away, enabled=False)
        return self._read_back(call, credential, enabled=False) if isinstance(answer, Done) else answer

    def delete(self, credential: Credential) -> Answer[None]:
        """Removes it and its grants. 400 "was not found" is believed where the project's listing lacks it, too.

        An environment that kept it is reported once; afterwards the API knows it no more, and it was disabled before.
        """
        name = _name(credential)
        if not api.usable_name(name):
            return _UNUSABLE
        call = self._http.call()
        reply = call.send(Request("delete", "DELETE", self._options.path(name)))
        if not isinstance(reply, Reply):
            return reply
        answer = envelope.outcome(reply, name, self._hidden())
        nowhere = isinstance(answer, Retry) and answer.message == envelope.NOWHERE
        if envelope.said(reply, name) is Said.NO_CREDENTIAL or nowhere:
            return self._gone(call, name)
        return answer

    def prove(self, credential: Credential) -> Answer[str]:
        """At the gateway where one is configured, else by reading back, which is weak; the text says which."""
        call, note = self._http.call(), "no gateway is configured"
        answer = self._gateway.accepts(credential, call.left)
        if answer is not None:
            return answer
        if self._options.probe_url:
            note = "the gateway lets in anybody at this address"
        item = self._entry(call, credential)
        if not isinstance(item, Done):
            missing = isinstance(item, Refused) and item.why is Refusal.NOT_FOUND
            return Retry(Wait.NOT_YET, item.message) if missing else item
        if not item.value.enabled:
            return Retry(Wait.NOT_YET, "the listing does not show the credential enabled yet")
        if item.value.expired(self._http.clock.now()):
            return Refused(Refusal.EXPIRED, "its expireDate has passed: move it in the console")
        return Done(f"read back: listed and enabled; the password itself was not tried, since {note} (weak)")

    # -- what a successor takes over

    def _legacy(self, call: Call, staged: Credential, target: str, like: Credential | None) -> Answer[_Legacy]:
        if like is None or like.account != staged.account:
            return self._fresh(target)
        item = self._entry(call, like)
        if not isinstance(item, Done):
            return item
        fields = _carried(item.value)
        if not isinstance(fields, Done):
            return fields
        if item.value.expired(self._http.clock.now()):
            message = f"the expireDate of {like.username!r} has passed, and would be taken over: move it in the console"
            return Refused(Refusal.EXPIRED, message)
        inherited = access.grants(call, self._options, _name(like))
        return Done(_Legacy(fields.value, inherited.value)) if isinstance(inherited, Done) else inherited

    def _fresh(self, target: str) -> Answer[_Legacy]:
        if not self._options.email or not self._options.full_name:
            message = "there is no predecessor to take them from, so set email and full_name, which the API asks for"
            return Refused(Refusal.INVALID, message)
        fields = {"email": self._options.email, "fullName": self._options.full_name}
        return Done(_Legacy({**fields, "description": target, "roleNameList": [], "ipList": [], "expireDate": None}))

    def _inherited(self, call: Call, made: Credential, like: Credential | None) -> Answer[tuple[Grant, ...]]:
        if like is None or like.account != made.account:
            return Done(())
        return access.grants(call, self._options, _name(like))

    def _endowed(self, call: Call, made: Credential, grants: tuple[Grant, ...], done: str) -> Answer[Credential]:
        answer = _after(access.endow(call, self._options, made.username, grants), done)
        return Done(made) if isinstance(answer, Done) else answer

    # -- writing and reading back

    def _set(self, credential: Credential, verb: str) -> Answer[Credential]:
        if credential.password is None or not api.usable_name(_name(credential)):
            return _UNUSABLE
        return self._bring_into_force(self._http.call(), credential, verb)

    def _bring_into_force(self, call: Call, credential: Credential, verb: str) -> Answer[Credential]:
        """Sets the password, by the request that changes least: PATCH where it is enabled, else the full PUT."""
        item = self._entry(call, credential)
        if not isinstance(item, Done):
            return item
        password = credential.password or Secret("")
        if item.value.enabled:
            where = self._options.path(item.value.username)
            answer = self._write(call, Request(verb, "PATCH", where, body={"password": password}), item.value.username)
        else:
            answer = self._update(call, verb, item.value, password, enabled=True)
        if not isinstance(answer, Done):
            return answer
        shown = self._read_back(call, credential, enabled=True)
        return Done(replace(credential, id=_name(credential), enabled=True)) if isinstance(shown, Done) else shown

    def _update(self, call: Call, verb: str, item: Listed, password: Secret, *, enabled: bool) -> Done[None] | Failure:
        """The full update: it has no username in its path (Update Credential)."""
        fields = _carried(item)
        if not isinstance(fields, Done):
            return fields
        body = {**fields.value, "username": item.username, "password": password, "enabled": enabled}
        return self._write(call, Request(verb, "PUT", self._options.path(), body=body), item.username)

    def _write(self, call: Call, request: Request, username: str) -> Done[None] | Failure:
        reply = call.send(request)
        if not isinstance(reply, Reply):
            return reply
        if envelope.said(reply, username) is Said.NO_CREDENTIAL:
            return Unknown(f"the provider answered {reply.status} for a credential that its listing shows")
        sent = [value for value in (request.body or {}).values() if isinstance(value, Secret)]
        return envelope.outcome(reply, username, (*sent, *self._hidden()))

    def _hidden(self) -> tuple[Secret, ...]:
        return (self._options.access_token,)

    def _entry(self, call: Call, credential: Credential) -> Answer[Listed]:
        found = api.listed(call, self._options)
        if not isinstance(found, Done):
            return found
        item = found.value.get(_name(credential))
        if item is not None and api.usable_name(item.username):
            return Done(item)
        return Refused(Refusal.NOT_FOUND, f"the project's listing does not show it: was it deleted, {envelope.MOVED}")

    def _read_back(self, call: Call, credential: Credential, *, enabled: bool) -> Answer[None]:
        """After a write that succeeded: whatever comes now, nothing counts as refused."""
        item = self._entry(call, credential)
        if isinstance(item, Done) and item.value.enabled is not enabled:
            state = "disabled" if enabled else "enabled"
            return Retry(Wait.PARTIAL, f"the provider answered that it was done, but the listing shows it {state}")
        return _after(Done(None) if isinstance(item, Done) else item, "the provider answered that it was done")

    def _duplicate(self, call: Call, staged: Credential, answer: Failure) -> Answer[Credential]:
        """A create that was rejected in words that nobody documented: the listing tells whether the name is taken."""
        if isinstance(answer, Refused) and answer.why is Refusal.INVALID:
            found = api.listed(call, self._options)
            if isinstance(found, Done) and staged.username in found.value:
                return Refused(Refusal.DUPLICATE, f"{answer.message}; the username is taken")
        return answer

    def _gone(self, call: Call, name: str) -> Answer[None]:
        found = api.listed(call, self._options)
        if not isinstance(found, Done):
            return unconfirmed("the provider says that it is gone, and no listing confirms it", found)
        if name in found.value:
            return Unknown("the provider says that it is gone, but its listing still shows it")
        return Done(None)


def _name(credential: Credential) -> str:
    return credential.id or credential.username


def _carried(item: Listed) -> Done[Mapping[str, Any]] | Refused:
    fields = item.carried()
    if fields is not None:
        return Done(fields)
    message = "the listing does not show all that a full update or a successor needs (email, fullName, roles, IP list)"
    return Refused(Refusal.INVALID, message)


def _after(answer: Answer[T], done: str) -> Done[T] | Retry | Unknown:
    """What follows a write that succeeded is never a refusal: the write is there, and the rest is tried again."""
    if isinstance(answer, Done):
        return answer
    message = f"{done}, but: {answer.message}"
    if isinstance(answer, Unknown):
        return Unknown(message, answer.after)
    return Retry(Wait.PARTIAL, message, answer.after if isinstance(answer, Retry) else None)
