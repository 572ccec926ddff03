"""What all kinds of credentials share: what a kind does not offer is refused, and a SIP password is proved by SIP."""

from abc import ABC, abstractmethod
from datetime import datetime, timedelta

from rotator.core.answers import Answer, Done, Refusal, Refused, Retry, Unknown
from rotator.core.model import Capabilities, Credential
from rotator.providers.http.calls import Call
from rotator.providers.http.client import Http
from rotator.providers.http.replies import Failure
from rotator.providers.sip.proof import by_register
from rotator.providers.sip.register import Address


class CredentialKind(ABC):
    """One kind of credential at one account: a `ports.Provider` as soon as its subclass has the verbs that it offers.

    Whatever it does not override is answered `Refused(UNSUPPORTED)`, without a request.
    """

    def __init__(self, http: Http, capabilities: Capabilities, not_offered: str) -> None:
        """`not_offered` says in words why what is not overridden is refused."""
        self._http, self._capabilities = http, capabilities
        self._not_offered = Refused(Refusal.UNSUPPORTED, not_offered)

    @property
    def capabilities(self) -> Capabilities:
        """What this kind can do."""
        return self._capabilities

    @property
    def longest_call(self) -> timedelta:
        """The bound within which every method returns."""
        return self._http.longest_call

    @abstractmethod
    def find(self, wanted: Credential) -> Answer[tuple[Credential, ...]]:
        """See `ports.Provider`; every kind offers it."""

    @abstractmethod
    def enable(self, credential: Credential) -> Answer[Credential]:
        """See `ports.Provider`; every kind offers it: what cannot be disabled is enabled with its password in force."""

    @abstractmethod
    def prove(self, credential: Credential) -> Answer[str]:
        """See `ports.Provider`; every kind offers it."""

    def create(self, staged: Credential, target: str, like: Credential | None = None) -> Answer[Credential]:  # noqa: ARG002
        """Not offered."""
        return self._not_offered

    def complete(self, made: Credential, like: Credential | None = None) -> Answer[Credential]:  # noqa: ARG002
        """Not offered."""
        return self._not_offered

    def set_password(self, credential: Credential) -> Answer[Credential]:  # noqa: ARG002  # the port's signature
        """Not offered."""
        return self._not_offered

    def expire(self, credential: Credential, at: datetime) -> Answer[None]:  # noqa: ARG002
        """Not offered."""
        return self._not_offered

    def disable(self, credential: Credential) -> Answer[None]:  # noqa: ARG002  # the port's signature
        """Not offered."""
        return self._not_offered

    def delete(self, credential: Credential) -> Answer[None]:  # noqa: ARG002  # the port's signature
        """Not offered."""
        return self._not_offered


class SipCredentialKind(CredentialKind):
    """A kind of credential that devices register with."""

    _registrar: Address | None
    _domain: str | None

    def prove(self, credential: Credential) -> Answer[str]:
        """By a SIP REGISTER where a registrar is configured, else by reading back; the text says which."""
        call = self._http.call()
        if self._registrar is None:
            return self._read_back_proof(call, credential, "no SIP registrar is configured")
        answer = by_register(self._http, call, credential, self._registrar, self._domain)
        if answer is not None:
            return answer
        return self._read_back_proof(call, credential, "the SIP registrar asks for no password")

    @abstractmethod
    def _read_back_proof(self, call: Call, credential: Credential, note: str) -> Answer[str]:
        """What the provider shows of it; `note` says why the password itself was not tried."""


def missing(found: Answer[tuple[object, ...]], shown: Failure, what: str) -> Failure:
    """What a 404 means, by what a listing shows: `Refused(NOT_FOUND)` only where the whole of it was read and lacks it.

    Args:
        found: the listing's entries with its id.
        shown: what the 404 means where the listing shows it all the same.
        what: it, in words.
    """
    if not isinstance(found, Done):
        return unconfirmed("the provider answered 404, and no listing confirms it", found)
    return shown if found.value else Refused(Refusal.NOT_FOUND, f"{what} is not there, and the listing confirms it")


def gone(answer: Failure) -> Done[None] | Failure:
    """What a 404 means to a delete: what is not there, is deleted."""
    return Done(None) if isinstance(answer, Refused) and answer.why is Refusal.NOT_FOUND else answer


def unconfirmed(message: str, why: Failure) -> Unknown:
    """Something was said, or done, that could not be read back; a wait that the provider asks for is passed on."""
    after = why.after if isinstance(why, Retry | Unknown) else None
    return Unknown(f"{message}: {why.message}", after)
