"""The environment of the demo and the sandbox: simulated providers with credentials, and OpenBao in memory."""

from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import yaml

from rotator.core.passwords import PasswordRules, generate
from rotator.core.secret import Secret
from rotator.fields.times import duration_text
from rotator.ports import Clock, Randomness
from rotator.testing import NullMeter
from rotator.vault.auth import AppRole, Method
from rotator.vault.client import VaultClient
from rotator.vault.embedded import EmbeddedVault
from rotator.vault.store import VaultStore
from rotator_simulator.account import SimulatedAccount
from rotator_simulator.authority import authority_pem
from rotator_simulator.providers import simulations
from rotator_simulator.registrar import RegistrarOptions
from rotator_simulator.server import SimulatorServer
from rotator_simulator.simulated_api import SimulatedApi
from rotator_simulator.simulation import AUTHORITY_FILE, Addresses, SimulatedTarget, Simulation

MOUNT, STATE_PREFIX = "secret", "rotator/state"
_SECRET_ID = "ROTATOR_SECRET_ID"  # noqa: S105 - the name of a variable
_TOKEN_LENGTH = 40
_TOKEN_CHARACTERS = "abcdefghijkmnopqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789"  # noqa: S105 - no token


@dataclass(frozen=True, slots=True)
class PolicyTimes:
    """The policy of all targets, in whole seconds."""

    every: int
    overlap: int
    quarantine: int
    propagation: int = 2  # of every account: how long the provider may lag behind a change


class SimulatedEnvironment:
    """A context manager: starts everything on entry and removes it on exit."""

    def __init__(
        self,
        clock: Clock,
        randomness: Randomness,
        *,
        vault: bool = True,
        http_port: int = 0,
        sip_port: int = 0,
        sips_port: int = 0,
        registrar_options: RegistrarOptions | None = None,
    ) -> None:
        """Prepares the environment without starting it. Port 0 takes any free port. `vault` False: without OpenBao."""
        self.simulations = simulations()
        self.targets = tuple(target for simulation in self.simulations for target in simulation.targets)
        self.accounts: dict[str, SimulatedAccount] = {}
        self._vault = EmbeddedVault(None, clock) if vault else None
        self._clock, self._randomness = clock, randomness
        self._ports, self._registrar_options = (http_port, sip_port, sips_port), registrar_options
        self._apis = self._create_apis()
        self._exit = ExitStack()

    def __enter__(self) -> Self:
        """Starts.

        Raises:
            OSError: a port is taken.
            EmbeddedError: OpenBao is not installed, or does not start.
        """
        http_port, sip_port, sips_port = self._ports
        with ExitStack() as undo:
            # The ports first: they may be in use, and OpenBao takes two seconds.
            self.server = SimulatorServer(
                self._apis,
                self._clock,
                http_port=http_port,
                sip_port=sip_port,
                sips_port=sips_port,
                registrar_options=self._registrar_options,
            )
            undo.enter_context(self.server)
            if self._vault is not None:
                undo.enter_context(self._vault)
            self._exit = undo.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._exit.close()

    @property
    def has_vault(self) -> bool:
        """False if it was created without OpenBao."""
        return self._vault is not None

    @property
    def vault(self) -> EmbeddedVault:
        """The OpenBao of this environment."""
        assert self._vault is not None  # noqa: S101 - the caller asked for one
        return self._vault

    @property
    def addresses(self) -> Addresses:
        """The addresses of the simulator, once it has started."""
        return Addresses(self.server.http_url, self.server.sip_address, self.server.sips_address)

    def simulation_of(self, target: str) -> Simulation:
        """Returns the simulation that has this target."""
        return next(one for one in self.simulations if any(its.name == target for its in one.targets))

    def account_of(self, target: str) -> SimulatedAccount:
        """Returns the account with the credentials of this target."""
        return self.accounts[self.simulation_of(target).account]

    @cached_property
    def device_login(self) -> AppRole:
        """The login of all devices, which may read what is published."""
        return self.vault.device_login("all", ["*"], timedelta(days=1))

    def secrets(self) -> Mapping[str, Secret]:
        """Returns the environment variables that the configuration refers to."""
        keys = {one.key_variable: self.accounts[one.account].token for one in self.simulations}
        return {**keys, _SECRET_ID: self.vault.rotator_login().current_secret_id()} if self.has_vault else keys

    def configuration(self, times: PolicyTimes, vault: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Returns a configuration for this environment. Without OpenBao, `vault` is the section of that name."""
        policy = {"every": times.every, "overlap": times.overlap, "quarantine": times.quarantine}
        limits = {"rate_limit": "50/s", "propagation": f"{times.propagation}s"}
        return {
            "vault": dict(self._vault_section() if vault is None else vault),
            "providers": {
                one.name: {"type": one.type, **one.settings(self.addresses), **limits} for one in self.simulations
            },
            "policies": {
                "default": {
                    **{name: duration_text(timedelta(seconds=value)) for name, value in policy.items()},
                    "devices": {"read_every": "1s", "longest_call": "1s"},
                }
            },
            "targets": [_target(one.name, target) for one in self.simulations for target in one.targets],
        }

    def store(self, method: Method) -> tuple[VaultClient, VaultStore]:
        """Returns a client that logs in to OpenBao by `method`, for the caller to close, and its store."""
        client = VaultClient(
            self.vault.connection, method, clock=self._clock, randomness=self._randomness, meter=NullMeter()
        )
        return client, VaultStore(client, MOUNT, STATE_PREFIX)

    def _vault_section(self) -> Mapping[str, Any]:
        role = self.vault.rotator_login().role_id
        auth = {"method": "approle", "role_id": role, "secret_id": {"env": _SECRET_ID}}
        where = {"address": self.vault.address, "ca_file": str(self.vault.ca_file)}
        return {**where, "auth": auth, "mount": MOUNT, "state_prefix": STATE_PREFIX}

    def _create_apis(self) -> tuple[SimulatedApi[Any], ...]:
        """Creates the simulated providers, their accounts, and the credentials that exist from the start."""
        by_api: dict[Any, dict[str, SimulatedAccount]] = {}
        for one in self.simulations:
            if one.account not in self.accounts:
                token = Secret(self._randomness.text(_TOKEN_CHARACTERS, _TOKEN_LENGTH))
                self.accounts[one.account] = SimulatedAccount(one.account, token, self._clock)
            by_api.setdefault(one.api, {})[one.account] = self.accounts[one.account]
        apis = {create: create(accounts.values(), self._clock) for create, accounts in by_api.items()}
        for one in self.simulations:
            for username in (name for target in one.targets for name in target.usernames):
                password = generate(PasswordRules(), self._randomness.text)
                one.seed(apis[one.api], self.accounts[one.account], username, password)
        return tuple(apis.values())


def _target(provider: str, target: SimulatedTarget) -> dict[str, Any]:
    first, *others = target.usernames
    return {
        "name": target.name,
        "provider": provider,
        "strategy": target.strategy.value,
        "credential": {"usernames": [first, *others]} if others else {"username": first},
        "path": target.path,
    }


def write_configuration(path: Path, document: Mapping[str, Any], header: str = "") -> None:
    """Writes a configuration as YAML below the comment `header`, and the registrar's authority beside it."""
    path.with_name(AUTHORITY_FILE).write_bytes(authority_pem())
    path.write_text(header + yaml.safe_dump(dict(document), sort_keys=False))
