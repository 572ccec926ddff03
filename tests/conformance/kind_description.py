"""What the suite has to know of one kind of credential: how its simulator is opened, and what the kind cannot do."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sip_access import written_over_tls

from rotator.core.model import Credential
from rotator.core.secret import Secret
from rotator.ports import Clock
from rotator_simulator.account import SimulatedAccount, SimulatedCredential
from rotator_simulator.simulated_api import SimulatedApi

if TYPE_CHECKING:
    from account_under_test import AccountUnderTest


def _create(account: "AccountUnderTest", username: str, password: Secret) -> None:
    account.simulated.create(account.description.record_kind, username, password, dict(account.description.extra))


def _registrar(account: "AccountUnderTest") -> Mapping[str, Any]:
    return written_over_tls(account.sandbox)


def _accepted_by_sip(account: "AccountUnderTest", username: str, password: Secret) -> bool:
    return account.simulated.accepts(username, password)


@dataclass(frozen=True)
class KindDescription:
    """One kind. The defaults are those of a SIP provider that names a credential by an id of its own."""

    kind: str  # as in `registry.KINDS`
    options: Mapping[str, Any]  # its section of the configuration, with `API_KEY` for each secret and no base_url
    record_kind: str  # the simulation's for such a credential
    account: str  # what the simulation calls the account
    simulate: Callable[[SimulatedAccount, Clock], SimulatedApi[Any]]
    path: str  # of the account, as it begins that of each request
    gaps: Mapping[str, str]  # what of `FEATURES` in the suite it cannot do, and why
    base: str = ""  # of the API, below the sandbox
    proof_options: Callable[["AccountUnderTest"], Mapping[str, Any]] | None = (
        _registrar  # the keys for trying passwords
    )
    extra: Mapping[str, Any] = field(default_factory=dict)  # what the simulation keeps beside the common facts
    add: Callable[["AccountUnderTest", str, Secret], None] = _create  # puts a credential there, as somebody else would
    accepts: Callable[["AccountUnderTest", str, Secret], bool] = (
        _accepted_by_sip  # who uses these is let in, everywhere
    )
    identity: Callable[[SimulatedCredential], str] = lambda record: record.id  # the credential's id in our documents
    page: int | None = None  # the longest page of its listing; None: it is one piece
    in_use: Mapping[str, Any] | None = None  # the readings under which active calls hold a credential; None: none do
    shows_passwords: bool = False  # so that even a read-back tells a wrong one
    lingers: bool = False  # a gateway may keep what is deleted, and cannot be asked again to let go of it
    strategies: tuple[str, ...] = ("in-place",)  # that it can be rotated by
    attach: Callable[["AccountUnderTest", Credential], object] | None = None  # something, such as a trunk, names it


NO_END = "the provider has no date after which a credential ends by itself"
API_KEY = {"env": "API_KEY"}
NOT_BY_US = "it belongs to an application or to a route, which only its owner knows: it is neither made nor removed"
