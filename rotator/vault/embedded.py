"""An embedded OpenBao server: in memory for the demo and tests, or persistent and self-unsealing."""

import contextlib
import os
import secrets
import socket
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Self

from rotator.core.secret import Secret
from rotator.ports import Clock
from rotator.vault import logins
from rotator.vault.admin import TIMEOUT, VaultAdmin
from rotator.vault.auth import AppRole
from rotator.vault.bootstrap import configure, initialise, revoke_root
from rotator.vault.files import write_private
from rotator.vault.process import EmbeddedError, ServerProcess, find_server, in_use, lock
from rotator.vault.transport import Connection

_RENEW_EVERY = 86400.0  # seconds between two looks whether a login is due
_RETRY_AFTER = 60.0  # seconds after one that failed
_READY_PATIENCE = 60.0  # seconds; a start takes one or two
_STEP = 0.02
_SERVER_FILES = {"seal.key", "raft"}  # one of them is in every directory that was used before
_IGNORED_FILES = {"lock", "lost+found"}  # `in_use` creates the first, and a new volume contains the second
_LOG_LIMIT = 1024 * 1024  # bytes; a longer log is rotated at the next start

_CONFIG = """\
{storage}
listener "tcp" {{
  address         = "127.0.0.1:{port}"
  cluster_address = "127.0.0.1:{cluster_port}"
  tls_cert_file   = "{directory}/server.pem"
  tls_key_file    = "{directory}/server-key.pem"
}}
seal "static" {{
  current_key_id = "1"
  current_key    = "file://{directory}/seal.key"
}}
api_addr     = "https://127.0.0.1:{port}"
cluster_addr = "https://127.0.0.1:{cluster_port}"
log_level    = "warn"
"""
_RAFT = 'storage "raft" {{\n  path = "{directory}/raft"\n  node_id = "rotator"\n  performance_multiplier = 1\n}}'


class EmbeddedVault:
    """OpenBao on the loopback interface, with the mount, the policies and the logins of `ServerSetup`.

    It ends with `stop` or with this process, however that ends. A context manager. Nothing is told to whatever listens
    at the address until it has shown the server's certificate, whose key never leaves the directory.
    """

    def __init__(
        self, data_dir: Path | None, clock: Clock, setup: logins.ServerSetup | None = None, port: int = 0
    ) -> None:
        """Prepares the server without starting it.

        Args:
            data_dir: contains all data; None keeps it in memory until `stop`.
            clock: for waiting.
            setup: created at the first start; later starts change nothing.
            port: of the API on 127.0.0.1; 0 takes any free port.
        """
        self._data_dir = data_dir
        self._clock = clock
        self._setup = setup or logins.ServerSetup()
        self._port = port
        self._exit = contextlib.ExitStack()
        self._directory = Path()
        self._process: ServerProcess | None = None
        self._address = ""
        self._renew_at = 0.0
        self._root: Secret | None = None

    @property
    def address(self) -> str:
        """The address of the API, once started."""
        return self._address

    @property
    def ca_file(self) -> Path:
        """The authority of the server's certificate: whoever talks to the server trusts this one and no other."""
        return self._directory / "ca.pem"

    @property
    def connection(self) -> Connection:
        """The connection of a client, once started."""
        return Connection(self._address, ca_file=self.ca_file)

    @property
    def log_file(self) -> Path:
        """The server's output, which contains no secrets."""
        return self._directory / "server.log"

    @property
    def pid(self) -> int:
        """The server's process id, once started."""
        assert self._process is not None  # noqa: S101  # documented
        return self._process.pid

    def running(self) -> bool:
        """Returns False if this object started the server and it has ended."""
        return self._process is None or self._process.running()

    @property
    def root_token(self) -> Secret:
        """The root token of a server in memory. Raises EmbeddedError for a persistent one, which has revoked it."""
        if self._root is None:
            raise EmbeddedError("a persistent server has no root token: create one with the recovery key")
        return self._root

    def rotator_login(self) -> AppRole:
        """Returns the login of `rotator`, whose secret id is read at every login."""
        return logins.credentials(self._directory, logins.ROTATOR)

    def renew_logins(self) -> None:
        """Replaces, once a day, the secret ids that are due. Raises EmbeddedError; then the next call after a minute
        tries again.
        """
        now = self._clock.monotonic()
        if self._process is not None and now >= self._renew_at:
            self._renew_at = now + _RETRY_AFTER
            with self.keeper() as admin:
                logins.renew(admin, self._directory, self._clock)
            self._renew_at = now + _RENEW_EVERY

    def device_login(self, name: str, paths: Sequence[str], lifetime: timedelta) -> AppRole:
        """Makes a login that reads `paths`; see `write_device`. Raises EmbeddedError."""
        with self.keeper() as admin:
            return logins.write_device(admin, self._setup, name, paths, lifetime)

    @contextlib.contextmanager
    def keeper(self) -> Iterator[VaultAdmin]:
        """Logs in, for the block, as whoever may make and end logins. Raises EmbeddedError."""
        admin = self._admin()
        try:
            with admin.logged_in(logins.credentials(self._directory, logins.KEEPER)):
                yield admin
        finally:
            admin.close()

    def attach(self) -> bool:
        """Uses another process's server on the same directory and port; returns False if there is none."""
        if self._data_dir is None or not in_use(self._data_dir):
            return False
        self._directory, self._address = self._data_dir.absolute(), f"https://127.0.0.1:{self._port}"
        return True

    def start(self) -> Self:
        """Starts the server; returns once it is unsealed and set up. Raises EmbeddedError."""
        with contextlib.ExitStack() as undo:
            self._exit = undo
            self._directory = self._prepared()
            lock_file = undo.enter_context(lock(self._directory, self._clock))
            self._write_config()
            command = [str(find_server()), "server", f"-config={self._directory}/server.hcl"]
            # OpenBao needs HOME. It gets nothing else, because our environment may contain API keys.
            environment = {"HOME": str(self._directory)}
            self._process = ServerProcess(command, self.log_file, lock_file, environment)
            undo.callback(self._process.stop)
            self._make_ready()
            self._exit = undo.pop_all()
        return self

    def stop(self) -> None:
        """Stops the server, by force if it takes more than ten seconds. A server in memory leaves nothing behind."""
        self._exit.close()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _prepared(self) -> Path:
        if self._data_dir is None:
            return Path(self._exit.enter_context(tempfile.TemporaryDirectory(prefix="rotator-vault-")))
        try:
            self._data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
            if self._data_dir.stat().st_uid != os.geteuid():
                raise EmbeddedError(
                    f"data_dir {self._data_dir} belongs to another user, who could read it: use your own"
                )
            names = {entry.name for entry in self._data_dir.iterdir()}
            if names - _IGNORED_FILES and not names & _SERVER_FILES:
                raise EmbeddedError(f"data_dir {self._data_dir} contains other files: use an empty directory")
            self._data_dir.chmod(0o700)
        except OSError as error:
            raise EmbeddedError(f"data_dir {self._data_dir} is unusable: {error.strerror}") from None
        return self._data_dir.absolute()

    def _write_config(self) -> None:
        directory = self._directory
        if any(character in str(directory) for character in '"\\${}\n'):
            raise EmbeddedError(
                f"data_dir {directory} contains a character that OpenBao's configuration cannot express: rename it"
            )
        _make_certificate(directory, self._clock)
        _make_key(directory / "seal.key", fresh=not (directory / "raft").exists())
        port, cluster_port = _free_ports(self._port)
        storage = 'storage "inmem" {}'
        if self._data_dir is not None:
            (directory / "raft").mkdir(mode=0o700, exist_ok=True)
            storage = _RAFT.format(directory=directory)
        text = _CONFIG.format(storage=storage, port=port, cluster_port=cluster_port, directory=directory)
        (directory / "server.hcl").write_text(text)
        if self.log_file.exists() and self.log_file.stat().st_size > _LOG_LIMIT:
            self.log_file.replace(directory / "server.log.1")
        self._address = f"https://127.0.0.1:{port}"

    def _make_ready(self) -> None:
        admin = self._admin()
        self._exit.callback(admin.close)
        # 503: initialised by an earlier start, and unsealing itself.
        if self._wait_for(admin, {200, 501, 503}) == 501:
            initialise(admin, self._directory)
        self._wait_for(admin, {200})
        configure(admin, self._directory, self._setup)
        if self._data_dir is None:
            self._root = admin.token
        elif admin.token is not None:
            revoke_root(admin, self._directory)
        self._renew_at = self._clock.monotonic()
        self.renew_logins()

    def _admin(self) -> VaultAdmin:
        return VaultAdmin(replace(self.connection, timeout=TIMEOUT), self._clock)

    def _wait_for(self, admin: VaultAdmin, wanted: set[int]) -> int:
        assert self._process is not None  # noqa: S101  # the process was started
        end = self._clock.monotonic() + _READY_PATIENCE
        while (status := admin.health()) not in wanted:
            if not self._process.running():
                raise EmbeddedError(f"the embedded server ended while it was starting{self._log_hint()}")
            if self._clock.monotonic() > end:
                raise EmbeddedError(f"the embedded server is not ready after {_READY_PATIENCE:g} s{self._log_hint()}")
            self._clock.sleep(_STEP)
        return status

    def _log_hint(self) -> str:
        """Returns the log's path, or its last line if the server is in memory, since that directory will be removed."""
        if self._data_dir is not None:
            return f": see {self.log_file}"
        lines = self.log_file.read_text(errors="replace").strip().splitlines()
        return f": {lines[-1]}" if lines else ""


def _make_certificate(directory: Path, clock: Clock) -> None:
    try:
        from rotator.vault.certificates import ensure_certificate  # noqa: PLC0415 - only with the extra `embedded`
    except ImportError:
        raise EmbeddedError("cryptography is not installed: docs/operations.md says how, under Install") from None
    ensure_certificate(directory, clock.now())


def _make_key(path: Path, *, fresh: bool) -> None:
    """Creates the key that unseals the server at each start. Raises EmbeddedError if there is data but no key."""
    if path.exists():
        return
    if not fresh:
        raise EmbeddedError(f"{path} is missing, and without it the data cannot be read: restore it from a backup")
    write_private(path, secrets.token_bytes(32))


def _free_ports(port: int) -> tuple[int, int]:
    """Returns a port for the API and one for the cluster. Raises EmbeddedError if `port` is not available."""
    with socket.socket() as api, socket.socket() as cluster:
        # A lingering connection from the last run must not block the port.
        api.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            api.bind(("127.0.0.1", port))
        except OSError as error:
            raise EmbeddedError(f"port {port} on 127.0.0.1 is not available: {error.strerror}") from None
        cluster.bind(("127.0.0.1", 0))
        return api.getsockname()[1], cluster.getsockname()[1]
