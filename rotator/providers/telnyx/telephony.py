"""Telnyx telephony credentials (SIP and WebRTC users of a connection): strategy `replace`.

Telnyx generates username and password itself and accepts neither. The only way to stop a credential without deleting it
is `expires_at`, which is terminal: "An expired credential can only be deleted" (Telephony credentials). A create is not
safe to repeat. Each one carries its attempt in `name` and `tag`, so it can be found if its answer is lost.
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from types import MappingProxyType

from rotator.core.answers import Answer, Done, Refusal, Refused, Retry, Unknown, Wait
from rotator.core.evidence import Assumption
from rotator.core.model import Credential, Proof
from rotator.core.passwords import weakness
from rotator.core.selection import ListedCredential
from rotator.core.usage_rules import Usage
from rotator.ports import Randomness
from rotator.providers.base import SipCredentialKind
from rotator.providers.http.calls import HttpCall, HttpRequest
from rotator.providers.http.client import Http
from rotator.providers.http.pages import Question
from rotator.providers.http.replies import Failure, HttpReply, codes
from rotator.providers.telnyx import api
from rotator.providers.telnyx.options import MASKED_ON_TRUST, TAKEN_ON_TRUST, TelnyxOptions
from rotator.providers.telnyx.telephony_record import (
    FAR,
    TelephonyRecord,
    credential_keys,
    name_of,
    read_credential,
    tag_of,
)

_SECOND = timedelta(seconds=1)
_SOON = timedelta(seconds=10)
_BUSY = {"10021", "10035", "10036"}  # in use, locked, being processed (Error codes)
_UNUSABLE = Refused(Refusal.INVALID, "the credential lacks an id that can be sent, or a password to compare")
_EXPIRED = Refused(Refusal.EXPIRED, "the credential has expired, which is final: it can only be deleted")


class TelnyxTelephony(SipCredentialKind):
    """The telephony credentials of one Telnyx connection."""

    options_model = TelnyxOptions
    not_offered = "Telnyx generates the password of a telephony credential itself (strategy replace)"
    # No page says what either does.
    first_forms = MappingProxyType(
        {
            "disable": Assumption("form-disable", "an `expires_at` in the past ends a credential"),
            "enable": Assumption("form-enable", "an `expires_at` of null takes an end away"),
        }
    )

    def __init__(self, options: TelnyxOptions, http: Http, randomness: Randomness) -> None:
        """Prepares the adapter without connecting."""
        super().__init__(options, http, randomness)
        self._options = options
        self._resource = api.TelnyxResource(http, "telephony_credentials", read_credential, credential_keys)

    def each(self, take: Callable[[ListedCredential], object]) -> Answer[None]:
        """Reads the listing. The description is `name`, which carries the attempt of what was created here."""

        def listed(record: TelephonyRecord) -> ListedCredential:
            alive = not record.ended(self._http.clock.now())
            return ListedCredential(record.id, record.username, alive, record.name, record.attempt, record.password)

        return self._resource.each(self._http.call(), listed, take)

    def find(self, wanted: Credential) -> Answer[tuple[Credential, ...]]:
        """Gets the credential by id, or searches by username or attempt: with a filter, then in the whole listing.

        A filter that matches nothing proves nothing: no page documents how it matches, or how soon it includes a new
        credential.
        """
        answer = self._search(self._http.call(), wanted)
        if not isinstance(answer, Done):
            return answer
        now = self._http.clock.now()
        alive_first = sorted(answer.value, key=lambda record: (record.ended(now), record.id))
        return Done(tuple(self._credential(record, wanted.account) for record in alive_first), answer.note)

    def create(self, staged: Credential, target: str, like: Credential | None = None) -> Answer[Credential]:  # noqa: ARG002
        """Creates another credential on the connection. It inherits nothing."""
        if staged.attempt is None:
            return Refused(Refusal.INVALID, "a telephony credential cannot be created without an attempt")
        self._resource.forget(_question(staged.attempt))
        name = name_of(target, staged.attempt)
        body = {"connection_id": self._options.connection_id, "name": name, "tag": tag_of(staged.attempt)}
        reply = self._http.call().send(
            HttpRequest("create", "POST", self._resource.path(), body=body, repeatable=False)
        )
        if not isinstance(reply, HttpReply):
            return reply
        if not reply.ok:
            return api.failed(reply)
        record = read_credential(api.data_of(reply))
        # Where this answer does not do, the engine searches for the name, and completes or removes what it finds.
        if record is None or record.name != name or not record.lasts() or not self._is_here(record):
            return Unknown(f"the provider answered {reply.status} without the new credential")
        unusable = _unusable(record)
        return Unknown(unusable) if unusable else Done(self._with_facts(staged, record))

    def complete(self, created: Credential, like: Credential | None = None) -> Answer[Credential]:  # noqa: ARG002
        """Reads the password of a credential whose create got no answer, and removes its end if it has one."""
        if api.usable_id(created) is None:
            return _UNUSABLE
        answer = self._lasting(self._http.call(), created)
        if not isinstance(answer, Done):
            return answer
        record = answer.value
        if not self._is_here(record):
            return Refused(Refusal.OTHER, "the credential belongs to another connection: was connection_id changed?")
        unusable = _unusable(record)
        return Refused(Refusal.OTHER, unusable) if unusable else self._as_known(created, record)

    def enable(self, credential: Credential) -> Answer[Credential]:
        """Removes an end in the future. An end in the past is final."""
        if api.usable_id(credential) is None:
            return _UNUSABLE
        answer = self._lasting(self._http.call(), credential)
        return self._as_known(credential, answer.value) if isinstance(answer, Done) else answer

    def expire(self, credential: Credential, at: datetime) -> Answer[None]:
        """Sets `expires_at`, rounded up to a second. It can be removed until then, but not later."""
        if api.usable_id(credential) is None:
            return _UNUSABLE
        ends = (at - timedelta(microseconds=at.microsecond)) + (_SECOND if at.microsecond else timedelta())
        call = self._http.call()
        answer = self._patch(call, "expire", credential, api.write_moment(ends), lambda record: record.ends_at(ends))
        return Done(None) if isinstance(answer, Done) else answer

    def usage(self, credential: Credential) -> Answer[Usage]:
        """Asks for the registration. What only makes calls, without a REGISTER, is not seen."""
        return api.registration(self._http.call(), "telephony_credential", credential.username)

    def disable(self, credential: Credential) -> Answer[None]:
        """Lets the credential expire now, unless it already has. This is final."""
        if api.usable_id(credential) is None:
            return _UNUSABLE
        call = self._http.call()
        current = self._resource.get(call, credential)
        if not isinstance(current, Done):
            return current
        now = self._http.clock.now()
        if current.value.ended(now):
            return Done(None)
        answer = self._patch(call, "disable", credential, api.write_moment(now), lambda record: record.ended(now))
        # The provider may reject or ignore an end that is not in the future.
        if isinstance(answer, Refused) and answer.why in (Refusal.INVALID, Refusal.UNSUPPORTED):
            soon = now.replace(microsecond=0) + _SOON
            answer = self._patch(
                call, "disable", credential, api.write_moment(soon), lambda record: record.ends_at(soon)
            )
            if isinstance(answer, Done):
                return Retry(
                    Wait.NOT_YET,
                    "the provider accepts only an end in the future; the credential ends in a few seconds",
                    _SOON,
                )
        return Done(None) if isinstance(answer, Done) else answer

    def delete(self, credential: Credential) -> Answer[None]:
        """Removes the credential. 404 counts if a listing confirms it."""
        if api.usable_id(credential) is None:
            return _UNUSABLE
        call = self._http.call()
        reply = call.send(HttpRequest("delete", "DELETE", self._resource.path(credential)))
        if not isinstance(reply, HttpReply):
            return reply
        if reply.status == 404:
            return self._resource.missing(call, credential, reply)
        if 400 <= reply.status < 500 and _BUSY & set(codes(reply.body)):
            return Retry(Wait.IN_USE, f"the provider answered {reply.status}: the credential is in use", reply.after)
        # 200 with the deleted credential.
        return Done(None) if self._resource.answered(reply, credential) is not None else api.failed(reply)

    def _read_back_proof(self, call: HttpCall, credential: Credential, reason: str) -> Answer[Proof]:
        """Compares what Telnyx shows with what it showed before: nothing but its own word, which the operator chose."""
        if api.usable_id(credential) is None or credential.password is None:
            return _UNUSABLE
        if self._options.proving_registrar is not None:
            message = (
                "no proof: Telnyx made the password and only shows it again. `registrar: off` takes its word for it"
            )
            return Retry(Wait.DOUBTFUL, f"{reason}, so there is {message}")
        answer = self._resource.get(call, credential)
        if not isinstance(answer, Done):
            return answer
        record = answer.value
        same = record.username == credential.username and (record.masked or record.password == credential.password)
        if not same or record.ended(self._http.clock.now()):
            return Retry(Wait.NOT_YET, "the provider does not yet show the credential with this password and unexpired")
        shown = MASKED_ON_TRUST if record.masked else TAKEN_ON_TRUST
        return Done(Proof(f"{shown}; {reason}", tries_password=False))

    def _search(self, call: HttpCall, wanted: Credential) -> Answer[tuple[TelephonyRecord, ...]]:
        if wanted.id is not None:
            return self._resource.by_id(call, wanted)
        if wanted.username:
            question, filters = Question("username", wanted.username), {"filter[sip_username]": wanted.username}
        elif wanted.attempt:
            question, filters = _question(wanted.attempt), {"filter[tag]": tag_of(wanted.attempt)}
        else:
            return Refused(Refusal.INVALID, "there is no id, username or attempt to search for")
        answer = self._resource.search(call, question, filters)
        rejected = isinstance(answer, Refused) and answer.why is Refusal.INVALID
        missed = isinstance(answer, Done) and not answer.value
        return self._resource.search(call, question) if rejected or missed else answer

    def _is_here(self, record: TelephonyRecord) -> bool:
        return record.resource.removeprefix("connection:") == self._options.connection_id

    def _credential(self, record: TelephonyRecord, account: str) -> Credential:
        return Credential(
            account,
            record.username,
            record.id,
            record.password,
            host=self._options.devices_host,
            attempt=record.attempt,
            enabled=not record.ended(self._http.clock.now()),
        )

    def _with_facts(self, staged: Credential, record: TelephonyRecord) -> Credential:
        """Returns the credential with the username and password that the provider generated."""
        return replace(
            staged,
            username=record.username,
            id=record.id,
            password=record.password or staged.password,
            host=self._options.devices_host,
            enabled=True,
        )

    def _as_known(self, credential: Credential, record: TelephonyRecord) -> Answer[Credential]:
        """Returns the credential with its password, which may be shown or known."""
        if record.password is None and credential.password is None:
            return Unknown("the provider does not show the password")
        if None not in (record.password, credential.password) and credential.password != record.password:
            return Refused(Refusal.OTHER, "the provider shows a different password from the known one")
        return Done(self._with_facts(credential, record))

    def _lasting(self, call: HttpCall, credential: Credential) -> Answer[TelephonyRecord]:
        """Removes the end. No page says whether null does that; a distant date certainly does."""
        current = self._resource.get(call, credential)
        if not isinstance(current, Done) or current.value.lasts():
            return current
        if current.value.ended(self._http.clock.now()):
            return _EXPIRED
        answer = self._patch(call, "enable", credential, None, TelephonyRecord.lasts)
        if isinstance(answer, Refused) and answer.why in (Refusal.INVALID, Refusal.UNSUPPORTED):
            return self._patch(call, "enable", credential, api.write_moment(FAR), TelephonyRecord.lasts)
        return answer

    def _patch(
        self,
        call: HttpCall,
        verb: str,
        credential: Credential,
        ends: str | None,
        holds: Callable[[TelephonyRecord], bool],
    ) -> Answer[TelephonyRecord]:
        """Sets `expires_at`. `Done` only if the answer, or else a read-back, shows a record that `holds`."""
        reply = call.send(HttpRequest(verb, "PATCH", self._resource.path(credential), body={"expires_at": ends}))
        if isinstance(reply, HttpReply) and reply.status == 404:
            return self._resource.missing(call, credential, reply)
        answered = self._resource.answered(reply, credential) if isinstance(reply, HttpReply) else None
        if answered is not None and holds(answered):
            return Done(answered)
        failed = api.failure_of(reply)
        if isinstance(failed, Retry) or (isinstance(failed, Refused) and failed.why is not Refusal.INVALID):
            return failed
        return self._read_back(call, credential, holds, failed)

    def _read_back(
        self, call: HttpCall, credential: Credential, holds: Callable[[TelephonyRecord], bool], failed: Failure | None
    ) -> Answer[TelephonyRecord]:
        """Reads the credential after an inconclusive answer, or a rejection that may mean that it has expired."""
        answer = self._resource.get(call, credential)
        if not isinstance(answer, Done):
            return failed or answer
        if holds(answer.value):
            return answer
        if answer.value.ended(self._http.clock.now()):
            return _EXPIRED
        return failed or Refused(Refusal.UNSUPPORTED, "the provider accepted the request and ignored it")


def _unusable(record: TelephonyRecord) -> str:
    """Returns why the password that Telnyx generated must not be published; empty if it may."""
    if record.password is None:
        return "Telnyx does not show the password that it generated, or shows a mask: nothing is published"
    weak = weakness(record.password)
    return weak and f"the password that Telnyx generated is refused: {weak}"


def _question(attempt: str) -> Question:
    """Asks for everything that an attempt has created: a create whose answer was lost may have been sent twice."""
    return Question("attempt", attempt, unique=False)
