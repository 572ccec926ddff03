"""The description of one simulated type of provider account, from which the demo and the sandbox are set up."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from rotator.core.model import Strategy
from rotator.core.secret import Secret
from rotator.fields.network import HostPort
from rotator.ports import Clock
from rotator_simulator.account import SimulatedAccount
from rotator_simulator.devices.device import Device, DeviceTiming, ReadPublished
from rotator_simulator.devices.sip_phone import SipPhone
from rotator_simulator.simulated_api import SimulatedApi

AUTHORITY_FILE = "sip-ca.pem"
"""The name of the file with the registrar's authority, in the directory of the configuration."""


@dataclass(frozen=True, slots=True)
class SimulatedTarget:
    """A target of the demo's configuration."""

    name: str
    strategy: Strategy
    usernames: tuple[str, ...]  # of credentials that exist from the start, with unknown passwords
    devices: int = 2  # simulated phones or API clients that use it
    emergency: bool = False  # the demo declares it compromised, which ends every overlap
    late: bool = False  # its devices read Vault only when they are refused

    @property
    def overlaps(self) -> bool:
        """True if its devices are promised an overlap, and read Vault often enough to use it."""
        return self.strategy is not Strategy.IN_PLACE and not self.emergency and not self.late

    @property
    def path(self) -> str:
        """The path of its consumer document, below the mount."""
        return f"sip/{self.name}"


@dataclass(frozen=True, slots=True)
class Addresses:
    """The addresses of a running simulator."""

    api: str  # base URL of every simulated API
    registrar: HostPort  # for UDP and TCP
    registrar_tls: HostPort

    def proving(self) -> Mapping[str, str]:
        """Returns the settings of an account that proves passwords at the registrar. The file is beside them."""
        return {"registrar": str(self.registrar_tls), "sip_ca_file": AUTHORITY_FILE, "registration": "1s"}


def _sip_phone(name: str, read: ReadPublished, addresses: Addresses, clock: Clock, timing: DeviceTiming) -> Device:
    return SipPhone(name, read, addresses.registrar, clock, timing)


@dataclass(frozen=True, slots=True)
class Simulation:
    """One type of provider account. The module `simulation` in each provider's folder lists those of the provider."""

    name: str  # of the account in the configuration
    type: str  # of the account in the configuration
    api: Callable[[Iterable[SimulatedAccount], Clock], SimulatedApi[Any]]
    account: str  # its name at the provider; simulations that share the name share the account
    key_variable: str  # the environment variable of its API key
    settings: Callable[[Addresses], Mapping[str, Any]]  # the rest of the account in the configuration
    seed: Callable[[Any, SimulatedAccount, str, Secret], None]  # adds a credential that existed before rotator
    targets: tuple[SimulatedTarget, ...]
    device: Callable[[str, ReadPublished, Addresses, Clock, DeviceTiming], Device] = _sip_phone
