"""`rotator sandbox`: the demo's environment without the demo, and a directory with a configuration for it."""

from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from shlex import quote
from types import TracebackType
from typing import Self

from rotator.core.secret import Secret
from rotator.ports import Clock, Randomness
from rotator.settings.http import HttpSettings
from rotator.vault.files import write_private
from rotator_simulator.environment import MOUNT, PolicyTimes, SimulatedEnvironment, write_configuration

_FIRST_LINE = "# Written by `rotator sandbox`"
_HEADER = f"""{_FIRST_LINE}, which overwrites it at every start: copy it to keep your changes.
# The secrets that it refers to are in the file `env` next to it.
"""
# Rotations are as rare as in a real policy, and grace periods are short enough to wait for.
_TIMES = PolicyTimes(every=90 * 24 * 3600, overlap=60, quarantine=60)
_EMBEDDED_VAULT = {"embedded": {"data_dir": "vault-data", "port": 8200}}
_EXAMPLE = "office-phone"  # the target in the instructions


class SandboxError(Exception):
    """The sandbox cannot start; the message says what to change."""


class Sandbox:
    """A context manager that serves from entry to exit. The directory stays."""

    def __init__(
        self,
        clock: Clock,
        randomness: Randomness,
        folder: Path,
        *,
        vault: bool = True,
        http_port: int = 0,
        sip_port: int = 0,
        sips_port: int = 0,
    ) -> None:
        """Prepares the sandbox without starting it. `folder` is for config.yaml and env; port 0 takes any free port."""
        self._environment = SimulatedEnvironment(
            clock, randomness, vault=vault, http_port=http_port, sip_port=sip_port, sips_port=sips_port
        )
        # Absolute: the instructions are for another terminal, possibly in another directory.
        self._folder, self._ports = folder.absolute(), (http_port, sip_port, sips_port)
        self._exit = ExitStack()

    def __enter__(self) -> Self:
        """Starts everything and writes the files.

        Raises:
            SandboxError: a port is in use, or the directory is unusable.
            EmbeddedError: OpenBao is not installed, or does not start.
        """
        self._create_folder()
        with ExitStack() as undo:
            try:
                undo.enter_context(self._environment)
            except OSError as error:
                http, sip, sips = self._ports
                raise SandboxError(
                    f"port {http}, {sip} (UDP and TCP) or {sips} is not available on 127.0.0.1 ({error.strerror}): "
                    "choose others with --port, --sip-port and --sips-port (0 takes a free one)"
                ) from None
            self._write_files()
            self._exit = undo.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._exit.close()

    def instructions(self) -> list[str]:
        """Returns the addresses, and commands to try."""
        environment, url = self._environment, self._environment.server.http_url
        tls, plain = environment.server.sips_address, environment.server.sip_address
        config, env = quote(str(self._folder / "config.yaml")), quote(str(self._folder / "env"))
        target = next(one for one in environment.targets if one.name == _EXAMPLE)
        account, username = environment.account_of(_EXAMPLE).name, target.usernames[0]
        # The token goes through a pipe, since a process list would show an argument.
        authorized = "printf 'X-Auth-Token: %s' \"$VOBIZ_AUTH_TOKEN\" | curl -s -H @-"
        return [
            f"Simulated providers   {url} (accounts: {', '.join(environment.accounts)})",
            f"SIP registrar         {tls} (TLS), {plain} (UDP, TCP)",
            f"OpenBao               {environment.vault.address if environment.has_vault else 'started by rotator run'}",
            f"Configuration         {config}",
            f"Secrets               {env} (only you can read it)",
            "",
            "In another terminal:",
            f"  set -a; . {env}; set +a",
            f"  export ROTATOR_CONFIG={config}",
            "  rotator check-config",
            *self._rotation_commands(target.path),
            f"While rotator run goes on, a browser shows the fleet at http://{HttpSettings().listen}/",
            "",
            "Show the simulated credentials, their history, and the registrations:",
            f"  curl -s {url}/_sandbox/state",
            "Delete a credential, as somebody at the provider's console might (ID is in that state):",
            f"  {authorized} -H 'X-Auth-ID: {account}' -X DELETE {url}/api/v1/Account/{account}/credentials/ID",
            "Lose the answer to the next create, although it is carried out:",
            *_post(f"{url}/_sandbox/faults", '{"fault": "lost-answer", "verb": "create"}'),
            "Answer the next two updates with 429; remove all faults:",
            *_post(
                f"{url}/_sandbox/faults", '{"fault": "rate-limited", "verb": "update", "times": 2, "retry_after": 5}'
            ),
            f"  curl -s -X DELETE {url}/_sandbox/faults",
            "Start a call, which keeps its credential from being deleted; end it (CALL is in the first answer):",
            *_post(f"{url}/_sandbox/calls", f'{{"account": "{account}", "username": "{username}"}}'),
            f"  curl -s -X DELETE {url}/_sandbox/calls/CALL",
            "",
            "Ctrl-C ends the sandbox and discards every rotation.",
        ]

    def _rotation_commands(self, path: str) -> list[str]:
        if not self._environment.has_vault:
            return ["  rotator run"]
        # The token goes through a pipe, since a process list would show an argument.
        curl = 'printf \'X-Vault-Token: %s\' "$VAULT_TOKEN" | curl -s --cacert "$VAULT_CACERT" -H @-'
        read = f"{curl} $VAULT_ADDR/v1/{MOUNT}/data/{path}"
        commands = [f"rotator plan {_EXAMPLE}", f"rotator rotate {_EXAMPLE}", "rotator status", read, "rotator run"]
        return [f"  {command}" for command in commands]

    def _create_folder(self) -> None:
        """Creates the directory; refuses one with a configuration that the sandbox did not write."""
        config = self._folder / "config.yaml"
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            foreign = config.exists() and not config.read_text(errors="replace").startswith(_FIRST_LINE)
        except OSError as error:
            raise self._unusable(error) from None
        if foreign:
            raise SandboxError(f"{config} was not written by the sandbox: choose another directory with --dir")

    def _write_files(self) -> None:
        vault = None if self._environment.has_vault else _EMBEDDED_VAULT
        variables = "".join(f"{name}={quote(value.reveal())}\n" for name, value in self._variables().items())
        try:
            write_private(self._folder / "env", variables.encode())
            write_configuration(self._folder / "config.yaml", self._environment.configuration(_TIMES, vault), _HEADER)
        except OSError as error:
            raise self._unusable(error) from None

    def _unusable(self, error: OSError) -> SandboxError:
        return SandboxError(f"{self._folder} is unusable ({error.strerror}): choose another directory with --dir")

    def _variables(self) -> Mapping[str, Secret]:
        if not self._environment.has_vault:
            return self._environment.secrets()
        vault = self._environment.vault  # its variables are for curl and bao; rotator does not read them
        own = {
            "VAULT_ADDR": Secret(vault.address),
            "VAULT_CACERT": Secret(str(vault.ca_file)),
            "VAULT_TOKEN": vault.root_token,
        }
        return {**self._environment.secrets(), **own}


def _post(url: str, body: str) -> list[str]:
    return [f"  curl -s {url} -H 'Content-Type: application/json' \\", f"    -d '{body}'"]
