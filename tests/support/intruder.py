"""Another user of the machine, who looks for whatever an embedded server gives away while it starts.

`Intruder` runs this file as a process of its own, which becomes that user. Until its standard input ends, it reads what
it can of every process that is new, and of a folder; it asks whatever listens on a port for all that is given without
a login. At every other server that begins, it takes the port before the server does, and takes down what it is told.
"""

import http.client
import json
import os
import select
import socket
import ssl
import subprocess
import sys
import time
from collections import Counter
from contextlib import closing, suppress
from pathlib import Path
from typing import Any, Self

import trustme

NOBODY = 65534
_OF_A_PROCESS = ("cmdline", "environ", "status", "maps", "mem", "auxv", "io", "stack", "fd", "cwd", "root", "task")
_PAGES = (
    *("health", "seal-status", "init", "leader", "metrics", "host-info", "pprof/cmdline", "pprof/heap", "replication"),
    *("internal/ui/mounts", "generate-root/attempt", "rekey/init", "config/state/sanitized", "in-flight-req", "mounts"),
)
_HOLD = 5.0  # seconds for which it keeps the port at most


class Intruder:
    """The process, for a test. A context manager."""

    def __init__(self, port: int, folder: Path) -> None:
        self._command = [sys.executable, __file__, str(port), str(folder)]
        self.report: dict[str, Any] = {}

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == "ready\n"
        return self

    def __exit__(self, *_: object) -> None:
        out = self._process.communicate(timeout=60)[0]
        self.report = json.loads(out) if out else {}

    @property
    def read(self) -> str:
        """All that it has read anywhere."""
        return "\n".join(self.report["read"])


class _Search:
    def __init__(self, port: int, folder: Path, tls: ssl.SSLContext) -> None:
        self.port, self.folder, self.tls = port, folder, tls
        self.known = set(_processes())
        self.servers: set[str] = set()
        self.read: set[str] = set()
        self.heard: list[str] = []
        self.counts: Counter[str] = Counter()
        self.trusting = ssl._create_unverified_context()

    def look(self) -> None:
        """One look at everything."""
        self.counts["looks"] += 1
        new = [name for name in _processes() if name not in self.known]
        for process in new:
            for name in _OF_A_PROCESS:
                self.take(Path("/proc", process, name))
            self.meet(process)
        for place in (self.folder, *self.folder.glob("*"), *self.folder.glob("*/*")):
            self.take(place)
        self.ask()

    def meet(self, process: str) -> None:
        """Takes the port from every other server that begins."""
        command = Path("/proc", process, "cmdline")
        with suppress(OSError):
            if b"server.hcl" in command.read_bytes() and process not in self.servers:
                self.servers.add(process)
                if len(self.servers) % 2:
                    self.listen(command)

    def listen(self, while_there: Path) -> None:
        with suppress(OSError), socket.create_server(("127.0.0.1", self.port)) as listener:
            self.counts["taken"] += 1
            end = time.monotonic() + _HOLD
            while time.monotonic() < end and while_there.exists():
                if not select.select([listener], [], [], 0.05)[0]:
                    continue
                self.counts["connected to"] += 1
                link, _ = listener.accept()
                link.settimeout(2)
                with suppress(OSError), link:
                    self.heard_in_clear(link.recv(4096, socket.MSG_PEEK))
                    with self.tls.wrap_socket(link, server_side=True) as secured:
                        self.heard.append(secured.recv(65536).decode("latin-1"))

    def heard_in_clear(self, data: bytes) -> None:
        self.read.add(data.decode("latin-1"))

    def take(self, place: Path) -> None:
        try:
            if place.is_symlink():
                self.read.add(str(place.readlink()))
            elif place.is_dir():
                self.read.update(each.name for each in place.iterdir())
            else:
                with place.open("rb") as file:
                    self.read.add(file.read(65536).decode("latin-1"))
        except PermissionError:
            self.counts[f"refused {place.name}"] += 1
        except OSError:  # it has ended, or is none of these
            self.counts["gone"] += 1

    def ask(self) -> None:
        """Asks whatever listens on the port."""
        with suppress(OSError, http.client.HTTPException):
            for page in _PAGES:
                self.page("GET", f"/v1/sys/{page}")
            self.page("POST", "/v1/auth/approle/login", {"role_id": "rotator", "secret_id": ""})

    def page(self, method: str, path: str, body: Any = None) -> None:
        connection = http.client.HTTPSConnection("127.0.0.1", self.port, timeout=2, context=self.trusting)
        with closing(connection):
            connection.request(method, path, None if body is None else json.dumps(body))
            answer = connection.getresponse()
            content = answer.read(65536)
        self.counts["answers"] += 1
        self.read.add(content.decode("latin-1"))


def _processes() -> list[str]:
    return [each.name for each in Path("/proc").iterdir() if each.name.isdigit()]


def main() -> None:
    port, folder = sys.argv[1:]
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("127.0.0.1", "localhost").configure_cert(tls)
    "".encode("idna")  # what the library imports when it connects, which the other user may not be able to read
    os.setgroups([])
    os.setgid(NOBODY)
    os.setuid(NOBODY)
    search = _Search(int(port), Path(folder), tls)
    print("ready", flush=True)
    while not select.select([sys.stdin], [], [], 0.01)[0]:
        search.look()
    print(json.dumps({"read": sorted(search.read), "heard": search.heard, "counts": search.counts}))


if __name__ == "__main__":
    main()
