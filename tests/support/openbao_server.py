"""A real OpenBao for tests, a clock that can be moved, a meter that remembers, and a proxy that breaks things."""

import http.client
import json
import secrets
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Self

import requests
from free_ports import free_port
from polling import eventually

from rotator.core.secret import Secret
from rotator.testing import FakeRandomness
from rotator.vault.admin import VaultAdmin
from rotator.vault.audit_store import VaultAuditStore
from rotator.vault.auth import AppRole, Method, Token
from rotator.vault.bootstrap import initialise
from rotator.vault.client import VaultClient
from rotator.vault.process import ServerProcess, find_server
from rotator.vault.store import VaultStore
from rotator.vault.transport import Connection

LIMIT = 60.0  # seconds that one request of a test may take


class SkippingClock:
    """Real time, which a test can move ahead. A sleep is short, whatever was asked, and the rest is skipped."""

    def __init__(self) -> None:
        self.ahead = 0.0

    def now(self) -> datetime:
        return datetime.now(UTC) + timedelta(seconds=self.ahead)

    def monotonic(self) -> float:
        return time.monotonic() + self.ahead

    def sleep(self, seconds: float) -> None:
        time.sleep(min(seconds, 0.01))
        self.ahead += max(seconds - 0.01, 0.0)


@dataclass
class CountingMeter:
    """Remembers every request to Vault as (operation, outcome)."""

    requests: list[tuple[str, str]] = field(default_factory=list)

    def provider_request(self, account: str, verb: str, outcome: str, seconds: float) -> None:
        raise AssertionError("no provider here")

    def vault_request(self, operation: str, outcome: str, seconds: float) -> None:
        self.requests.append((operation, outcome))

    def count(self, operation: str, outcome: str) -> int:
        return self.requests.count((operation, outcome))


class Bao:
    """An OpenBao in memory and what tests do to it as root."""

    def __init__(self, address: str, root: VaultAdmin, recovery_key: str) -> None:
        assert root.token is not None
        self.address, self.root, self.recovery_key = address, root, recovery_key
        self.root_token: Secret = root.token
        self.roles = 0

    def call(self, verb: str, path: str, body: dict[str, Any] | None = None, also: int = 200) -> dict[str, Any]:
        """A request as root."""
        return self.root.call(verb, path, body, also)

    def policy(self, name: str, text: str) -> str:
        self.call("PUT", f"sys/policies/acl/{name}", {"policy": text})
        return name

    def token(self, policies: list[str], ttl: str = "1h", **more: Any) -> Secret:
        made = self.call("POST", "auth/token/create", {"policies": policies, "ttl": ttl, **more})
        return Secret(made["auth"]["client_token"])

    def app_role(self, policy: str, **terms: Any) -> AppRole:
        """A new AppRole; `terms` such as token_ttl."""
        self.roles += 1
        role = f"auth/approle/role/test-{self.roles}"
        self.call("POST", role, {"token_policies": [policy], "token_no_default_policy": True, **terms})
        role_id = self.call("GET", f"{role}/role-id")["data"]["role_id"]
        return AppRole(role_id, Secret(self.call("POST", f"{role}/secret-id")["data"]["secret_id"]))

    def wrap(self, path: str, body: dict[str, Any] | None = None) -> Secret:
        """Posts to `path` and asks for the answer inside a wrapping token."""
        headers = {"X-Vault-Token": self.root_token.reveal(), "X-Vault-Wrap-TTL": "5m"}
        made = requests.post(f"{self.address}/v1/{path}", json=body or {}, headers=headers, timeout=LIMIT)
        return Secret(made.json()["wrap_info"]["token"])

    def seal(self) -> None:
        self.call("PUT", "sys/seal")

    def unseal(self) -> None:
        VaultAdmin(Connection(self.address), SkippingClock()).call("PUT", "sys/unseal", {"key": self.recovery_key})

    def client(self, method: Method | None = None, address: str = "", **options: Any) -> "VaultAccess":
        """A client, by default under the root token."""
        return VaultAccess(method or Token(self.root_token), address or self.address, **options)


class VaultAccess:
    """A client with its clock, its meter and a store."""

    def __init__(
        self,
        method: Method,
        address: str,
        mount: str = "secret",
        clock: Any = None,
        prefix: str = "rotator/state",
        **connection: Any,
    ) -> None:
        self.clock = clock or SkippingClock()
        self.meter = CountingMeter()
        self.client = VaultClient(
            Connection(address, **connection), method, clock=self.clock, randomness=FakeRandomness(), meter=self.meter
        )
        self.store = VaultStore(self.client, mount, prefix)
        self.audit = VaultAuditStore(self.client, mount, prefix, FakeRandomness())


_CONFIG = """\
storage "inmem" {{}}
listener "tcp" {{
  address         = "127.0.0.1:{port}"
  cluster_address = "127.0.0.1:{cluster_port}"
  tls_disable     = true
}}
seal "static" {{
  current_key_id = "1"
  current_key    = "file://{folder}/seal.key"
}}
api_addr  = "http://127.0.0.1:{port}"
log_level = "warn"
"""


@contextmanager
def running_bao() -> Iterator[Bao]:
    """An OpenBao in memory with the mount `secret` and AppRoles; without TLS, for the proxies of the tests."""
    with TemporaryDirectory(prefix="rotator-bao-") as name, ExitStack() as undo:
        folder, port = Path(name), free_port()
        (folder / "seal.key").write_bytes(secrets.token_bytes(32))
        (folder / "server.hcl").write_text(_CONFIG.format(port=port, cluster_port=free_port(), folder=folder))
        lock_file = undo.enter_context((folder / "lock").open("wb"))
        command = [str(find_server()), "server", f"-config={folder}/server.hcl"]
        process = ServerProcess(command, folder / "server.log", lock_file, {"HOME": name})
        undo.callback(process.stop)
        address = f"http://127.0.0.1:{port}"
        admin = VaultAdmin(Connection(address), SkippingClock())
        undo.callback(admin.close)
        eventually(lambda: admin.health() == 501, "OpenBao answers")
        initialise(admin, folder)
        eventually(lambda: admin.health() == 200, "OpenBao is unsealed")
        admin.token = Secret((folder / "root-token").read_text())
        admin.call("POST", "sys/mounts/secret", {"type": "kv", "options": {"version": "2"}})
        admin.call("POST", "sys/auth/approle", {"type": "approle"})
        yield Bao(address, admin, (folder / "recovery-key").read_text())


@dataclass(frozen=True)
class ProxiedExchange:
    """A request at the proxy and Vault's answer to it."""

    verb: str
    path: str
    status: int
    body: bytes


DROP = "drop"  # the request was carried out; the connection breaks without an answer
Tamper = Callable[[ProxiedExchange], "ProxiedExchange | bytes | str"]


class TamperingProxy:
    """A reverse proxy. `tamper` sees each answer and returns what to do: an answer, raw bytes to send, or DROP."""

    def __init__(self, address: str) -> None:
        self.upstream = address.removeprefix("http://")
        self.tamper: Tamper = lambda seen: seen
        self.seen: list[ProxiedExchange] = []
        proxy = self

        class ProxyHandler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_any(self) -> None:
                proxy.handle(self)

            do_GET = do_POST = do_PUT = do_LIST = handle_any  # noqa: N815

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), ProxyHandler)
        self._server.daemon_threads = True
        self.address = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def count(self, verb: str, part: str) -> int:
        return sum(seen.verb == verb and part in seen.path for seen in self.seen)

    def handle(self, request: BaseHTTPRequestHandler) -> None:
        body = request.rfile.read(int(request.headers.get("Content-Length", 0)))
        upstream = http.client.HTTPConnection(self.upstream, timeout=LIMIT)
        headers = {name: value for name, value in request.headers.items() if name.lower() != "host"}
        upstream.request(request.command, request.path, body, headers)
        answer = upstream.getresponse()
        seen = ProxiedExchange(request.command, request.path, answer.status, answer.read())
        upstream.close()
        self.seen.append(seen)
        self._reply(request, self.tamper(seen))

    def _reply(self, request: BaseHTTPRequestHandler, reply: "ProxiedExchange | bytes | str") -> None:
        if isinstance(reply, ProxiedExchange):
            request.send_response(reply.status)
            request.send_header("Content-Type", "application/json")
            request.send_header("Content-Length", str(len(reply.body)))
            request.end_headers()
            request.wfile.write(reply.body)
            return
        if isinstance(reply, bytes):
            request.wfile.write(reply)
        request.close_connection = True
        request.connection.shutdown(socket.SHUT_RDWR)


def with_answer(seen: ProxiedExchange, status: int, body: Any) -> ProxiedExchange:
    """The same request with another answer."""
    return ProxiedExchange(seen.verb, seen.path, status, json.dumps(body).encode())


class FirstMatches:
    """True the first `times` times that `condition` holds."""

    def __init__(self, condition: Callable[[ProxiedExchange], bool], times: int = 1) -> None:
        self._condition = condition
        self._left = times

    def __call__(self, seen: ProxiedExchange) -> bool:
        if self._left and self._condition(seen):
            self._left -= 1
            return True
        return False
