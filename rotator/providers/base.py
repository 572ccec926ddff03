"""The base of all adapters: refuses verbs that a kind of credential lacks, and proves SIP passwords by SIP."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import ClassVar

from rotator.core.answers import Answer, Done, Refusal, Refused, Retry, Unknown, Wait
from rotator.core.evidence import Assumption
from rotator.core.model import Attachment, Capabilities, Credential, Proof
from rotator.core.selection import ListedCredential
from rotator.core.usage_rules import Usage
from rotator.fields.network import HostPort
from rotator.ports import Randomness
from rotator.providers.http.calls import HttpCall
from rotator.providers.http.client import Http
from rotator.providers.http.replies import Failure
from rotator.providers.http.transport import trusted
from rotator.providers.options import AccountOptions, SipAccountOptions
from rotator.providers.sip.links import SipRoute
from rotator.providers.sip.proof import by_register, is_challenged

_LISTING = (Wait.READING, Wait.CHANGING)  # the listing does not show it yet, and nothing is wrong with the provider


class CredentialKind(ABC):
    """One kind of credential at one account. A subclass adds the verbs that it offers and is then a `ports.Provider`.

    A verb that it does not override returns `Refused(UNSUPPORTED)` without sending a request.
    """

    options_model: ClassVar[type[AccountOptions]]
    """The model of its section in the configuration; `type` there selects this kind."""
    not_offered: ClassVar[str]
    """The reason for refusing a verb that is not overridden."""
    first_forms: Mapping[str, Assumption] = MappingProxyType({})
    """See `ports.Provider`; by the verb of the requests."""

    def __init__(self, options: AccountOptions, http: Http, randomness: Randomness) -> None:
        """Prepares the adapter without connecting. The options are of `options_model`, with their secrets read."""
        self._http, self._randomness = http, randomness
        self._capabilities, self._identity, self._host = options.capabilities, options.identity, options.devices_host
        self._not_offered = Refused(Refusal.UNSUPPORTED, self.not_offered)

    @property
    def capabilities(self) -> Capabilities:
        """The abilities of this kind."""
        return self._capabilities

    @property
    def identity(self) -> str:
        """The account as the provider knows it; empty if nothing but the key names it."""
        return self._identity

    @property
    def host(self) -> str:
        """Where devices log in; empty if the account does not tell."""
        return self._host

    @property
    def longest_call(self) -> timedelta:
        """The time within which every method returns."""
        return self._http.longest_call

    @abstractmethod
    def each(self, take: Callable[[ListedCredential], object]) -> Answer[None]:
        """See `ports.Provider`; every kind offers it."""

    @abstractmethod
    def find(self, wanted: Credential) -> Answer[tuple[Credential, ...]]:
        """See `ports.Provider`; every kind offers it."""

    @abstractmethod
    def enable(self, credential: Credential) -> Answer[Credential]:
        """See `ports.Provider`; every kind offers it. One that is never disabled puts the password into force."""

    @abstractmethod
    def prove(self, credential: Credential) -> Answer[Proof]:
        """See `ports.Provider`; every kind offers it."""

    def can_prove(self, credential: Credential) -> Answer[None]:  # noqa: ARG002  # the port's signature
        """Nobody can tell."""
        return Done(None)

    def log_in(self, credential: Credential) -> Answer[Proof]:  # noqa: ARG002  # the port's signature
        """Not offered."""
        return self._not_offered

    def create(self, staged: Credential, target: str, like: Credential | None = None) -> Answer[Credential]:  # noqa: ARG002
        """Not offered."""
        return self._not_offered

    def complete(self, created: Credential, like: Credential | None = None) -> Answer[Credential]:  # noqa: ARG002
        """Not offered."""
        return self._not_offered

    def set_password(self, credential: Credential) -> Answer[Credential]:  # noqa: ARG002  # the port's signature
        """Not offered."""
        return self._not_offered

    def attachments(self, of: Collection[Credential]) -> Answer[tuple[Attachment, ...]]:  # noqa: ARG002
        """Not offered."""
        return self._not_offered

    def attach(self, credential: Credential, to: Sequence[Attachment]) -> Answer[None]:  # noqa: ARG002
        """Not offered."""
        return self._not_offered

    def usage(self, credential: Credential) -> Answer[Usage]:  # noqa: ARG002
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

    def __init__(self, options: SipAccountOptions, http: Http, randomness: Randomness) -> None:
        """Prepares the adapter without connecting.

        Raises:
            ValueError: `sip_ca_file` is unusable, or the registrar would be asked without TLS and is not allowed to be.
        """
        super().__init__(options, http, randomness)
        if options.exposed_registrar is not None:
            raise ValueError(
                f"SIP over {options.sip_transport} to {options.exposed_registrar.host} is not allowed: use TLS"
            )
        self._sip, self._trust = options, trusted(options.sip_ca_file) if options.sip_transport == "tls" else None
        registrar = options.proving_registrar
        self._route = self._route_to(registrar) if registrar is not None else None

    def prove(self, credential: Credential) -> Answer[Proof]:
        """Logs in with the password; reads the provider's API back if nothing is configured that asks for it."""
        call = self._http.call()
        answer = self._tried(call, credential)
        return self._read_back_proof(call, credential, answer) if isinstance(answer, str) else answer

    def log_in(self, credential: Credential) -> Answer[Proof]:
        """Logs in with the password."""
        answer = self._tried(self._http.call(), credential)
        return Retry(Wait.DOUBTFUL, answer) if isinstance(answer, str) else answer

    def _tried(self, call: HttpCall, credential: Credential) -> Answer[Proof] | str:
        """Registers with the password; returns why that is impossible if nothing asks for it."""
        if self._route is None:
            return "no SIP registrar is configured"
        return self._registered(call, credential, self._route) or "the SIP registrar does not ask for a password"

    def _route_to(self, address: HostPort) -> SipRoute:
        return SipRoute(address, self._sip.sip_transport, self._trust)

    def _registered(self, call: HttpCall, credential: Credential, route: SipRoute) -> Answer[Proof] | None:
        without_qop = self._sip.allow_digest_without_qop
        return by_register(self._http, call, credential, route, self._sip.domain, without_qop=without_qop)

    def can_prove(self, credential: Credential) -> Answer[None]:
        """Asks the registrar for a challenge, if one is configured."""
        if self._route is None:
            return Done(None)
        without_qop = self._sip.allow_digest_without_qop
        call = self._http.call()
        return is_challenged(self._http, call, credential, self._route, self._sip.domain, without_qop=without_qop)

    @abstractmethod
    def _read_back_proof(self, call: HttpCall, credential: Credential, reason: str) -> Answer[Proof]:
        """Returns what the provider's API shows; `reason` says why the password itself is not tried."""


def missing(listed: Answer[tuple[object, ...]], failure: Failure, what: str) -> Failure:
    """Interprets a 404: `Refused(NOT_FOUND)` only if the whole listing was read and lacks the credential.

    Args:
        listed: the listing's entries with the credential's id.
        failure: the meaning of the 404 if the listing does show the credential.
        what: the credential, in words.
    """
    if not isinstance(listed, Done):
        if isinstance(failure, Refused) and isinstance(listed, Retry) and listed.why in _LISTING:
            return listed
        return unconfirmed("the provider answered 404, but no listing confirms it", listed)
    return (
        failure if listed.value else Refused(Refusal.NOT_FOUND, f"{what} does not exist, and the listing confirms it")
    )


def unconfirmed(message: str, why: Failure) -> Retry | Unknown:
    """Returns the answer for a change that could not be read back, with any wait that the provider asked for."""
    after = why.after if isinstance(why, Retry | Unknown) else None
    if isinstance(why, Retry) and why.why in _LISTING:
        return Retry(Wait.PARTIAL, f"{message}: {why.message}", after)
    return Unknown(f"{message}: {why.message}", after)
