"""`rotator sandbox`: the demo's surroundings without the demo, and a folder with all that one needs to try by hand."""

from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from shlex import quote
from types import TracebackType
from typing import Self

from rotator.core.secret import Secret
from rotator.ports import Clock, Randomness
from rotator.vault.bootstrap import write_private
from rotator_simulator.demo.environment import MOUNT, Site, write_configuration
from rotator_simulator.demo.targets import ROWS, Pace

_MARK = "# Written by `rotator sandbox`"
_HEAD = (
    _MARK
    + """, anew at each of its starts. It holds no secret: they are in the file `env` beside it.
# Copy it to keep your changes.
"""
)
# Days of a real policy, but grace periods that one can wait for.
_PACE = Pace(every=90 * 24 * 3600, overlap=60, quarantine=60)
_OWN_VAULT = {"embedded": {"data_dir": "vault-data", "port": 8200}}


class WorkshopError(Exception):
    """It cannot be opened; the message says what to change."""


class Workshop:
    """A context manager: serves from entry to exit; the folder stays."""

    def __init__(
        self,
        clock: Clock,
        randomness: Randomness,
        folder: Path,
        *,
        vault: bool = True,
        http_port: int = 0,
        sip_port: int = 0,
    ) -> None:
        """Prepares it. `folder` receives config.yaml and env; a port of 0 takes a free one."""
        self._site = Site(clock, randomness, rows=ROWS, vault=vault, http_port=http_port, sip_port=sip_port)
        self._folder, self._ports = folder, (http_port, sip_port)
        self._exit = ExitStack()

    @property
    def site(self) -> Site:
        """What is served."""
        return self._site

    def __enter__(self) -> Self:
        """Starts, and writes the files.

        Raises:
            WorkshopError: a port is taken, or the folder cannot be used.
            EmbeddedError: OpenBao is not installed, or does not start.
        """
        self._check_folder()
        with ExitStack() as undo:
            try:
                undo.enter_context(self._site)
            except OSError as error:
                tcp, udp = self._ports
                raise WorkshopError(
                    f"TCP port {tcp} or UDP port {udp} of 127.0.0.1 cannot be had: {error.strerror}; give others with "
                    "--port and --sip-port (0 takes a free one)"
                ) from None
            self._write()
            self._exit = undo.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._exit.close()

    def instructions(self) -> list[str]:
        """What there is, and what to type next."""
        config, env = quote(str(self._folder / "config.yaml")), quote(str(self._folder / "env"))
        row, role = ROWS[0], ROWS[0].roles[0]
        url = self._site.sandbox.http_url
        return [
            f"Simulated providers   {url} (accounts: {', '.join(self._site.accounts)})",
            f"SIP registrar         {self._site.sandbox.sip_address} (UDP)",
            f"OpenBao               {self._site.vault.address if self._site.vault else 'none: rotator run brings one'}",
            f"Configuration         {config}",
            f"Its secrets           {env} (readable by you alone)",
            "",
            "In another terminal:",
            f"  set -a; . {env}; set +a",
            f"  export ROTATOR_CONFIG={config}",
            "  rotator check-config",
            "  rotator plan",
            *self._rotating(role.name, role.path),
            "",
            "What the simulated providers hold, what happened there, and who registered:",
            f"  curl -s {url}/_sandbox/state",
            "The next create is carried out, and its answer lost:",
            *_post(f"{url}/_sandbox/faults", '{"fault": "lost-answer", "verb": "create"}'),
            "The next two updates are answered 429, and all is well again:",
            *_post(
                f"{url}/_sandbox/faults", '{"fault": "rate-limited", "verb": "update", "times": 2, "retry_after": 5}'
            ),
            f"  curl -s -X DELETE {url}/_sandbox/faults",
            "A call that holds a credential, so that it cannot be deleted, and the call's end (CALL is in the answer):",
            *_post(f"{url}/_sandbox/calls", f'{{"account": "{row.login}", "username": "{role.usernames[0]}"}}'),
            f"  curl -s -X DELETE {url}/_sandbox/calls/CALL",
            "",
            "Ctrl-C ends it; what was rotated is forgotten then.",
        ]

    def _rotating(self, target: str, path: str) -> list[str]:
        if self._site.vault is None:
            return ["  rotator run"]
        # The token goes through a pipe, so that no process list shows it.
        read = f"printf 'X-Vault-Token: %s' \"$VAULT_TOKEN\" | curl -s -H @- $VAULT_ADDR/v1/{MOUNT}/data/{path}"
        return [f"  rotator rotate {target}", "  rotator status", f"  {read}", "  rotator run"]

    def _check_folder(self) -> None:
        """Makes the folder, unless a configuration that is not ours is in it."""
        config = self._folder / "config.yaml"
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            foreign = config.exists() and not config.read_text(errors="replace").startswith(_MARK)
        except OSError as error:
            raise WorkshopError(f"{self._folder} cannot be used: {error.strerror}; name another with --dir") from None
        if foreign:
            raise WorkshopError(f"{config} was not written by the sandbox: name another folder with --dir")

    def _write(self) -> None:
        try:
            write_private(self._folder / "env", _environment_file(self._environment()).encode())
            section = _OWN_VAULT if self._site.vault is None else None
            write_configuration(self._folder / "config.yaml", self._site.configuration(_PACE, section), _HEAD)
        except OSError as error:
            raise WorkshopError(f"{self._folder} cannot be used: {error.strerror}; name another with --dir") from None

    def _environment(self) -> Mapping[str, Secret]:
        found = dict(self._site.environment())
        if self._site.vault is not None:  # for curl and bao; rotator does not look at them
            found |= {"VAULT_ADDR": Secret(self._site.vault.address), "VAULT_TOKEN": self._site.vault.root_token}
        return found


def _environment_file(environment: Mapping[str, Secret]) -> str:
    return "".join(f"{name}={quote(value.reveal())}\n" for name, value in environment.items())


def _post(url: str, body: str) -> list[str]:
    return [f"  curl -s {url} -H 'Content-Type: application/json' \\", f"    -d '{body}'"]
