"""A sandbox with one Telnyx account, whose exchanges are checked against the contract, and providers of ours for it."""

from dataclasses import replace
from datetime import timedelta
from threading import Event
from typing import Any, Self

from openapi_contract import Contract
from provider_fixtures import RecordingMeter, account_options
from sip_access import over_tls

from rotator.core.model import Credential
from rotator.core.secret import Secret
from rotator.daemon.clock import SystemClock, SystemRandomness
from rotator.ports import Provider
from rotator.providers.http.client import CallTimeouts, Http
from rotator.providers.registry import KINDS
from rotator_simulator.account import SimulatedAccount, SimulatedCredential
from rotator_simulator.providers.telnyx.api import TelnyxApi
from rotator_simulator.server import SimulatorServer

KEY = Secret("KEY0123-sandbox")
FIRST, SECOND = Secret("Tlx!2025$SecureP"), Secret("Other+2026*SecureP")
CONNECTION = "1494404757140276705"
ATTEMPT = "attempt0001a"


class TelnyxSandbox:
    """A sandbox with one Telnyx account and one connection, and providers of ours for it.

    With a clock of its own the sandbox's time is that of the test. Each exchange is held against the contract.
    """

    def __init__(
        self,
        *,
        clock: Any = None,
        timeouts: CallTimeouts | None = None,
        register: bool = True,
        key: Secret = KEY,
        lenient: bool = False,
        **readings: Any,
    ) -> None:
        self.clock = clock or SystemClock(Event())
        self.account = SimulatedAccount("TELNYX", KEY, self.clock)
        self.account.create(
            "connection", "officetrunk1", FIRST, {"connection_name": "Office trunk"}, identity=CONNECTION
        )
        self.api = TelnyxApi([self.account], self.clock)
        self.api.read_as(**readings)
        self.contract = Contract.load("telnyx", lenient=lenient)
        self.sandbox = SimulatorServer([self.api], self.clock, observe=self.contract.watch)
        self.meter = RecordingMeter()
        self._register, self._key, self._timeouts = register, key, timeouts or CallTimeouts()
        self._https: list[Http] = []
        self.telephony, self.connections = self.open("telnyx"), self.open("telnyx-connection")

    def open(self, kind: str, *, read_only: bool = False, **more: Any) -> Provider:
        """A provider of this kind, as the daemon makes it."""
        keys = (over_tls(self.sandbox) if self._register else {"registrar": "off"}) | more
        if kind == "telnyx":
            keys = {"connection_id": CONNECTION} | keys
        options = account_options(kind, self._key, base_url=f"{self.sandbox.http_url}/v2", **keys)
        connection = options.http("prod", read_only=read_only)
        http = Http(replace(connection, timeouts=self._timeouts, rate_limit=None), self.clock, self.meter)
        self._https.append(http)
        return KINDS[kind](options, http, SystemRandomness())

    def __enter__(self) -> Self:
        self.sandbox.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        for http in self._https:
            http.close()
        self.sandbox.stop()
        if kind is None:
            self.contract.verify()

    @property
    def records(self) -> tuple[SimulatedCredential, ...]:
        """The telephony credentials, oldest first."""
        return self.account.credentials("telephony")

    def record_of(self, identity: str | None) -> SimulatedCredential | None:
        """What the provider holds under an id."""
        return next((record for record in self.account.credentials() if record.id == identity), None)

    def add(
        self, name: str = "somebody else's", username: str = "gencredOld", password: Secret = FIRST
    ) -> SimulatedCredential:
        """A telephony credential that somebody made."""
        extra = {"name": name, "tag": None, "connection_id": CONNECTION}
        return self.account.create("telephony", username, password, extra)

    @property
    def request_lines(self) -> list[str]:
        """What was asked for, as `METHOD path`."""
        return [f"{one.method} {one.path}" for one in self.sandbox.exchanges()]

    def accepts(self, credential: Credential) -> bool:
        """True where a device with these would be let in."""
        return credential.password is not None and self.account.accepts(credential.username, credential.password)


def staged(attempt: str | None = ATTEMPT) -> Credential:
    """As the engine stages it for a provider that generates."""
    return Credential("prod", "", None, None, attempt=attempt)


def trunk_credential(password: Secret | None = SECOND) -> Credential:
    """The credential connection, as it should be."""
    return Credential("prod", "officetrunk1", CONNECTION, password)


HOUR = timedelta(hours=1)
