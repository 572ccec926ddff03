"""OpenBao's own answer to the same task: static roles of its database engine, with a real PostgreSQL.

    python static_roles.py MOUNT ROTATIONS WORKERS

has so many threads ask OpenBao to rotate one role each. OpenBao then sets a password in PostgreSQL and stores it; it
proves nothing, keeps no predecessor, and two rotations that meet are its caller's concern.
"""

import json
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from threading import Event
from typing import Any

from hvac.adapters import JSONAdapter

from rotator.daemon.clock import SystemClock
from rotator.vault.transport import Connection, VaultSession

_USER, _PASSWORD = "bench", "bench-postgres"
_CONNECTIONS = 32  # of OpenBao to PostgreSQL; its default of 4 would be slower
_LIMIT = 60.0


def find_postgres() -> Path | None:
    """Returns the folder with PostgreSQL's programs; None if it is not installed."""
    found = shutil.which("initdb")
    candidates = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), reverse=True)
    return Path(found).resolve().parent if found else candidates[0].parent if candidates else None


class Latency:
    """Passes connections on to a port. Each piece that the client sends arrives so many seconds later."""

    def __init__(self, port: int, seconds: float) -> None:
        self._port, self._seconds = port, seconds
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listening.getsockname()[1])
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            client, _ = self._listening.accept()
            server = socket.create_connection(("127.0.0.1", self._port))
            for one in (client, server):
                one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=self._pass, args=(client, server, True), daemon=True).start()
            threading.Thread(target=self._pass, args=(server, client, False), daemon=True).start()

    def _pass(self, source: socket.socket, to: socket.socket, late: bool) -> None:
        try:
            while piece := source.recv(65536):
                if late:
                    time.sleep(self._seconds)
                to.sendall(piece)
        except OSError:
            pass
        to.close()


@contextmanager
def static_roles(vault: str, root: str, roles: int, latency: float) -> Iterator[str]:
    """Starts PostgreSQL, and configures that many roles in OpenBao at the address `vault`; yields their mount.

    PostgreSQL must be installed.

    `latency`: how many seconds each request to PostgreSQL takes to arrive.
    """
    programs = find_postgres()
    assert programs is not None
    with ExitStack() as ends:
        # A folder of its own: PostgreSQL refuses to be root, and whoever it is then may not look into ours.
        folder = Path(ends.enter_context(tempfile.TemporaryDirectory(prefix="rotator-bench-")))
        data, password = folder / "data", folder / "password"
        password.write_text(_PASSWORD)
        demoted: dict[str, Any] = {}
        if os.getuid() == 0:
            account = pwd.getpwnam("postgres")
            demoted = {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}
            for each in (folder, password):
                os.chown(each, account.pw_uid, account.pw_gid)
        quiet: dict[str, Any] = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "cwd": "/", **demoted}
        login = ["-U", _USER, "--auth=scram-sha-256", f"--pwfile={password}"]
        subprocess.run([programs / "initdb", "-D", data, *login], check=True, **quiet)
        port = ends.enter_context(_postgres(programs, data, quiet, roles))
        if latency:
            port = Latency(port, latency).port
        yield _configure(vault, root, port, roles)


@contextmanager
def _postgres(programs: Path, data: Path, quiet: dict[str, Any], roles: int) -> Iterator[int]:
    """Runs PostgreSQL with a user for each role; its port."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    options = ["-c", "listen_addresses=127.0.0.1", "-c", f"port={port}", "-c", f"unix_socket_directories={data}"]
    server = subprocess.Popen([programs / "postgres", "-D", data, *options], **quiet)
    try:
        psql = [str(programs / "psql"), "-h", "127.0.0.1", "-p", str(port), "-U", _USER, "-q", "-v", "ON_ERROR_STOP=1"]
        users = "".join(f"CREATE ROLE phone{number} LOGIN PASSWORD 'x';\n" for number in range(roles))
        environment = {**os.environ, "PGPASSWORD": _PASSWORD}
        end = time.monotonic() + _LIMIT

        def create_users() -> bool:
            made = subprocess.run(
                [*psql, "postgres"], input=users.encode(), env=environment, capture_output=True, check=False
            )
            return made.returncode == 0

        while not create_users():
            if time.monotonic() > end:
                raise RuntimeError("PostgreSQL did not start")
            time.sleep(0.1)
        yield port
    finally:
        server.send_signal(signal.SIGINT)  # its fast shutdown: it waits for no client
        server.wait(_LIMIT)


def _configure(vault: str, root: str, port: int, roles: int) -> str:
    mount = f"database-{port}"

    def call(path: str, body: dict[str, Any]) -> None:
        headers = {"X-Vault-Token": root, "Content-Type": "application/json"}
        url = f"{vault}/v1/{path}"
        urllib.request.urlopen(urllib.request.Request(url, json.dumps(body).encode(), headers)).read()

    call(f"sys/mounts/{mount}", {"type": "database"})
    names = [f"phone{number}" for number in range(roles)]
    database = {
        "plugin_name": "postgresql-database-plugin",
        "allowed_roles": ["*"],
        "connection_url": f"postgresql://{{{{username}}}}:{{{{password}}}}@127.0.0.1:{port}/postgres?sslmode=disable",
        "username": _USER,
        "password": _PASSWORD,
        "max_open_connections": _CONNECTIONS,
        "max_idle_connections": _CONNECTIONS,
    }
    call(f"{mount}/config/postgres", database)

    def create(name: str) -> None:
        role = {"db_name": "postgres", "username": name, "rotation_period": "8640h"}
        call(f"{mount}/static-roles/{name}", role)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(create, names))
    return mount


def main() -> None:
    """Rotates."""
    mount, rotations, workers = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    vault = os.environ["BENCH_VAULT"]
    session = VaultSession(Connection(vault, timeout=60.0), SystemClock(Event()))
    adapter = JSONAdapter(base_uri=vault, token=os.environ["BENCH_TOKEN"], session=session, timeout=60)
    with ThreadPoolExecutor(workers) as pool:
        list(pool.map(lambda number: adapter.post(f"/v1/{mount}/rotate-role/phone{number}"), range(rotations)))


if __name__ == "__main__":
    main()
