"""What `rotator demo` and `rotator sandbox` stand on: OpenBao in memory, the simulated providers, their credentials."""

import io
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from ruamel.yaml import YAML

from rotator.core.passwords import PasswordRules, generate
from rotator.core.secret import Secret
from rotator.ports import Clock, Randomness
from rotator.testing import NullMeter
from rotator.vault.auth import Method
from rotator.vault.client import VaultClient
from rotator.vault.embedded import EmbeddedVault
from rotator.vault.store import VaultStore
from rotator.vault.transport import Connection
from rotator_simulator.account import Account
from rotator_simulator.demo.targets import ROWS, Pace, Place, Row, configuration
from rotator_simulator.registrar import Manner
from rotator_simulator.server import Sandbox
from rotator_simulator.simulated_api import SimulatedApi

MOUNT, STATE_PREFIX = "secret", "rotator/state"
SECRET_ID = "ROTATOR_SECRET_ID"  # noqa: S105  # the name of a variable
_TOKEN_LENGTH = 40
_TOKEN_CHARACTERS = "abcdefghijkmnopqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789"  # noqa: S105


class Site:
    """A context manager: everything is started on entry, and gone after the exit."""

    def __init__(
        self,
        clock: Clock,
        randomness: Randomness,
        *,
        rows: tuple[Row, ...] = ROWS,
        vault: bool = True,
        http_port: int = 0,
        sip_port: int = 0,
        manner: Manner | None = None,
    ) -> None:
        """Starts nothing yet; a port of 0 takes a free one. `vault` False: without OpenBao."""
        self.rows = rows
        self.accounts: dict[str, Account] = {}
        self.vault = EmbeddedVault(None, clock) if vault else None
        self._clock, self._randomness = clock, randomness
        self._ports, self._manner = (http_port, sip_port), manner
        self._apis = self._made()
        self._exit = ExitStack()

    def __enter__(self) -> Self:
        """Starts.

        Raises:
            OSError: a port is taken.
            EmbeddedError: OpenBao is not installed, or does not start.
        """
        http_port, sip_port = self._ports
        with ExitStack() as undo:
            # The ports first: they are what can be taken, and OpenBao takes two seconds.
            self.sandbox = Sandbox(self._apis, self._clock, http_port=http_port, sip_port=sip_port, manner=self._manner)
            undo.enter_context(self.sandbox)
            if self.vault is not None:
                undo.enter_context(self.vault)
            self._exit = undo.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._exit.close()

    def environment(self) -> Mapping[str, Secret]:
        """The variables that the configuration refers to."""
        found = {row.variable: self.accounts[row.login].token for row in self.rows}
        if self.vault is not None:
            found[SECRET_ID] = self.vault.rotator_login().secret_id
        return found

    def configuration(self, pace: Pace, vault: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """A configuration of `rotator` for this place. `vault` is its section where there is no OpenBao here."""
        return configuration(self.place(vault if vault is not None else self._vault_section()), pace, self.rows)

    def place(self, vault: Mapping[str, Any] | None = None) -> Place:
        """Where everything is, once it is started."""
        return Place(vault or {}, self.sandbox.http_url, self.sandbox.sip_address)

    def store(self, method: Method) -> tuple[VaultClient, VaultStore]:
        """A client of this OpenBao that logs in by `method`, to be closed, and the documents seen through it."""
        assert self.vault is not None  # noqa: S101  # the caller started one
        connection = Connection(self.vault.address)
        client = VaultClient(connection, method, clock=self._clock, randomness=self._randomness, meter=NullMeter())
        return client, VaultStore(client, MOUNT, STATE_PREFIX)

    def _vault_section(self) -> Mapping[str, Any]:
        assert self.vault is not None  # noqa: S101  # the caller started one
        role = self.vault.rotator_login().role_id
        auth = {"method": "approle", "role_id": role, "secret_id": {"env": SECRET_ID}}
        return {"address": self.vault.address, "auth": auth, "mount": MOUNT, "state_prefix": STATE_PREFIX}

    def _made(self) -> tuple[SimulatedApi, ...]:
        """The simulated providers, their accounts, and in them the credentials that are there from the beginning."""
        by_provider: dict[Any, dict[str, Account]] = {}
        for row in self.rows:
            held = by_provider.setdefault(row.simulate, {})
            self.accounts[row.login] = held.setdefault(row.login, Account(row.login, self._token(), self._clock))
        apis = {simulate: simulate(held.values(), self._clock) for simulate, held in by_provider.items()}
        for row in self.rows:
            for username in (name for role in row.roles for name in role.usernames):
                password = generate(PasswordRules(), self._randomness.choice)
                row.seed(apis[row.simulate], self.accounts[row.login], username, password)
        return tuple(apis.values())

    def _token(self) -> Secret:
        return Secret("".join(self._randomness.choice(_TOKEN_CHARACTERS) for _ in range(_TOKEN_LENGTH)))


def write_configuration(path: Path, document: Mapping[str, Any], head: str = "") -> None:
    """Writes a configuration as YAML under the comment `head`."""
    text = io.StringIO()
    yaml = YAML()
    yaml.default_flow_style = False
    yaml.indent(mapping=2, sequence=4, offset=2)
    yaml.dump(dict(document), text)
    path.write_text(head + text.getvalue())
