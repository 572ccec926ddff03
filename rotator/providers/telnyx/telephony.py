"""Telnyx telephony credentials (SIP and WebRTC users of a connection): strategy `replace`.

Telnyx makes username and password itself and takes neither. Its only way to stop a credential short of deleting it is
`expires_at`, which is terminal: "An expired credential can only be deleted" (Telephony credentials). A create is not
safe to repeat, so each one carries its attempt in `name` and `tag`, and can be found when its answer is lost.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta

from rotator.core.answers import Answer, Done, Refusal, Refused, Retry, Unknown, Wait
from rotator.core.model import Capabilities, Credential
from rotator.core.passwords import PasswordRules
from rotator.providers.base import SipCredentialKind, gone
from rotator.providers.http.calls import Call, Request
from rotator.providers.http.client import Http
from rotator.providers.http.replies import Failure, Reply, codes
from rotator.providers.telnyx import api
from rotator.providers.telnyx.api import TelephonyOptions
from rotator.providers.telnyx.telephony_object import FAR, USERNAMES, Shown, name_of, read_credential, tag_of

_SECOND = timedelta(seconds=1)
_SOON = timedelta(seconds=10)
_BUSY = {"10021", "10035", "10036"}  # in use, locked, being processed (Error codes)
_UNUSABLE = Refused(Refusal.INVALID, "the credential has no id that could be sent, or no password to compare with")
_EXPIRED = Refused(Refusal.EXPIRED, "the credential has expired, which is final: it can only be deleted")
_NO_PASSWORD = "Telnyx makes the password of a telephony credential itself: replace it"  # noqa: S105 - no password


def capabilities(options: TelephonyOptions) -> Capabilities:
    """What a telephony credential can do. Nothing is connected to."""
    return Capabilities(
        chooses_password=False,
        sets_password=False,
        generates_password=True,
        disables=True,
        re_enables=False,
        deletes=True,
        lists=True,
        creates=True,
        proof="SIP REGISTER"
        if options.registrar
        else "read-back: shown with this password and not expired, the password itself is not tried",
        propagation=options.propagation,
        password_limits=PasswordRules(),
        username_pattern=USERNAMES,
        expires=True,
    )


class TelnyxTelephony(SipCredentialKind):
    """The telephony credentials of one Telnyx connection."""

    def __init__(self, options: TelephonyOptions, http: Http) -> None:
        """Connects to nothing yet."""
        super().__init__(http, capabilities(options), _NO_PASSWORD)
        self._options, self._registrar, self._domain = options, options.registrar, options.domain
        self._resource = api.Resource("telephony_credentials", read_credential)

    def find(self, wanted: Credential) -> Answer[tuple[Credential, ...]]:
        """Gets it by its id, or looks for its username or its attempt: in what the filters leave, then everywhere.

        That a filter matches nothing proves nothing: neither how it matches nor when it knows of a new credential is
        documented. So absence is only stated after the whole listing.
        """
        found = self._search(self._http.call(), wanted)
        if not isinstance(found, Done):
            return found
        now = self._http.clock.now()
        alive_first = sorted(found.value, key=lambda shown: (shown.ended(now), shown.id))
        return Done(tuple(self._credential(shown, wanted.account) for shown in alive_first))

    def create(self, staged: Credential, target: str, like: Credential | None = None) -> Answer[Credential]:  # noqa: ARG002
        """Creates one more on the connection. Nothing of another credential could be taken over."""
        if staged.attempt is None:
            return Refused(Refusal.INVALID, "a telephony credential is created for an attempt, and there is none")
        name = name_of(target, staged.attempt)
        body = {"connection_id": self._options.connection_id, "name": name, "tag": tag_of(staged.attempt)}
        reply = self._http.call().send(Request("create", "POST", self._resource.path(), body=body, repeatable=False))
        if not isinstance(reply, Reply):
            return reply
        if not reply.ok:
            return api.failed(reply)
        made = read_credential(api.data_of(reply))
        if made is None or made.password is None or made.name != name or not made.lasts() or not self._is_here(made):
            # It is looked for by its name, and completed or removed.
            return Unknown(f"the provider answered {reply.status} without the credential that was to be created")
        return Done(self._taken(staged, made))

    def complete(self, made: Credential, like: Credential | None = None) -> Answer[Credential]:  # noqa: ARG002
        """Reads the password of what a create has made whose answer was lost, and sees that no end is set."""
        if api.usable_id(made) is None:
            return _UNUSABLE
        answer = self._lasting(self._http.call(), made)
        if not isinstance(answer, Done):
            return answer
        if not self._is_here(answer.value):
            return Refused(Refusal.OTHER, "the credential belongs to another connection: was connection_id changed?")
        return self._usable(made, answer.value)

    def enable(self, credential: Credential) -> Answer[Credential]:
        """Lifts an end that has not come yet. Once it has come, that is refused for good."""
        if api.usable_id(credential) is None:
            return _UNUSABLE
        answer = self._lasting(self._http.call(), credential)
        return self._usable(credential, answer.value) if isinstance(answer, Done) else answer

    def expire(self, credential: Credential, at: datetime) -> Answer[None]:
        """Sets `expires_at`, rounded up to a second. It can be lifted until then, and never after."""
        if api.usable_id(credential) is None:
            return _UNUSABLE
        ends = (at - timedelta(microseconds=at.microsecond)) + (_SECOND if at.microsecond else timedelta())
        call = self._http.call()
        answer = self._patch(call, "expire", credential, api.write_moment(ends), lambda shown: shown.ends_at(ends))
        return Done(None) if isinstance(answer, Done) else answer

    def disable(self, credential: Credential) -> Answer[None]:
        """Lets it expire now, unless it has already. This is terminal."""
        if api.usable_id(credential) is None:
            return _UNUSABLE
        call = self._http.call()
        found = self._resource.get(call, credential)
        if not isinstance(found, Done):
            return found
        now = self._http.clock.now()
        if found.value.ended(now):
            return Done(None)
        answer = self._patch(call, "disable", credential, api.write_moment(now), lambda shown: shown.ended(now))
        # An end that has to lie ahead: rejected, or taken and seen to be ignored.
        if isinstance(answer, Refused) and answer.why in (Refusal.INVALID, Refusal.UNSUPPORTED):
            soon = now.replace(microsecond=0) + _SOON
            answer = self._patch(call, "disable", credential, api.write_moment(soon), lambda shown: shown.ends_at(soon))
            if isinstance(answer, Done):
                return Retry(Wait.NOT_YET, "the provider takes no end that has passed: it ends in some seconds", _SOON)
        return Done(None) if isinstance(answer, Done) else answer

    def delete(self, credential: Credential) -> Answer[None]:
        """Removes it. 404 is believed where a listing confirms it."""
        if api.usable_id(credential) is None:
            return _UNUSABLE
        call = self._http.call()
        reply = call.send(Request("delete", "DELETE", self._resource.path(credential)))
        if not isinstance(reply, Reply):
            return reply
        if reply.status == 404:
            return gone(self._resource.missing(call, credential, reply))
        if 400 <= reply.status < 500 and _BUSY & set(codes(reply.body)):
            return Retry(Wait.IN_USE, f"the provider answered {reply.status}: it is in use just now", reply.after)
        # 200 with the deleted credential, whose password is not looked at.
        shown = read_credential(api.data_of(reply))
        return Done(None) if shown is not None and shown.id == credential.id else api.failed(reply)

    def _read_back_proof(self, call: Call, credential: Credential, note: str) -> Answer[str]:
        if api.usable_id(credential) is None or credential.password is None:
            return _UNUSABLE
        found = self._resource.get(call, credential)
        if not isinstance(found, Done):
            return found
        shown = found.value
        same = shown.username == credential.username and shown.password == credential.password
        if not same or shown.ended(self._http.clock.now()):
            return Retry(Wait.NOT_YET, "the provider does not show the credential, with this password and alive, yet")
        return Done(f"read back: shown with this password and not expired; it was not tried, since {note}")

    def _search(self, call: Call, wanted: Credential) -> Answer[tuple[Shown, ...]]:
        if wanted.id is not None:
            return self._resource.by_id(call, wanted)
        filters, matches = _criterion(wanted)
        if not filters:
            return Refused(Refusal.INVALID, "neither id nor username nor attempt says what to look for")
        found = self._resource.search(call, matches, filters)
        rejected = isinstance(found, Refused) and found.why is Refusal.INVALID
        return self._resource.search(call, matches) if rejected or found == Done(()) else found

    def _is_here(self, shown: Shown) -> bool:
        return shown.resource == f"connection:{self._options.connection_id}"

    def _credential(self, shown: Shown, account: str) -> Credential:
        return Credential(
            account,
            shown.username,
            shown.id,
            shown.password,
            uri=self._options.domain,
            attempt=shown.attempt,
            enabled=not shown.ended(self._http.clock.now()),
        )

    def _taken(self, staged: Credential, made: Shown) -> Credential:
        """The staged credential with what the provider made."""
        return replace(
            staged, username=made.username, id=made.id, password=made.password, uri=self._options.domain, enabled=True
        )

    def _usable(self, credential: Credential, shown: Shown) -> Answer[Credential]:
        if shown.password is None:
            return Unknown("the provider does not show the password")
        if credential.password is not None and credential.password != shown.password:
            return Refused(Refusal.OTHER, "the provider shows another password than the one that was known")
        return Done(self._taken(credential, shown))

    def _lasting(self, call: Call, credential: Credential) -> Answer[Shown]:
        """The credential with no end set. Whether null lifts one is not documented; a date that is far away is one."""
        found = self._resource.get(call, credential)
        if not isinstance(found, Done) or found.value.lasts():
            return found
        if found.value.ended(self._http.clock.now()):
            return _EXPIRED
        answer = self._patch(call, "enable", credential, None, Shown.lasts)
        if isinstance(answer, Refused) and answer.why in (Refusal.INVALID, Refusal.UNSUPPORTED):
            return self._patch(call, "enable", credential, api.write_moment(FAR), Shown.lasts)
        return answer

    def _patch(
        self, call: Call, verb: str, credential: Credential, ends: str | None, holds: Callable[[Shown], bool]
    ) -> Answer[Shown]:
        """Sets `expires_at`. `Done` only where the answer, or else reading it back, shows what `holds`."""
        reply = call.send(Request(verb, "PATCH", self._resource.path(credential), body={"expires_at": ends}))
        if isinstance(reply, Reply) and reply.status == 404:
            return self._resource.missing(call, credential, reply)
        said = self._resource.shown(reply, credential) if isinstance(reply, Reply) else None
        if said is not None and holds(said):
            return Done(said)
        failed = api.failure_of(reply)
        if isinstance(failed, Retry) or (isinstance(failed, Refused) and failed.why is not Refusal.INVALID):
            return failed
        return self._read_back(call, credential, holds, failed)

    def _read_back(
        self, call: Call, credential: Credential, holds: Callable[[Shown], bool], failed: Failure | None
    ) -> Answer[Shown]:
        """After an answer that says too little, or a rejection that may be due to the credential's having expired."""
        found = self._resource.get(call, credential)
        if not isinstance(found, Done):
            return failed or found
        if holds(found.value):
            return found
        if found.value.ended(self._http.clock.now()):
            return _EXPIRED
        return failed or Refused(Refusal.UNSUPPORTED, "the provider accepted the request and ignored it")


def _criterion(wanted: Credential) -> tuple[Mapping[str, str], Callable[[Shown], bool]]:
    """The filter that narrows a listing, and what tells whether an item is meant."""
    if wanted.username:
        return {"filter[sip_username]": wanted.username}, lambda shown: shown.username == wanted.username
    if wanted.attempt:
        return {"filter[tag]": tag_of(wanted.attempt)}, lambda shown: shown.attempt == wanted.attempt
    return {}, lambda _: False
