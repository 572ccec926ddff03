"""A cluster of three OpenBao servers with raft storage, whose leader can be killed, sealed and brought back."""

import contextlib
import secrets
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from threading import Event
from typing import Any

import requests
from free_ports import free_port
from openbao_server import VaultAccess
from polling import eventually

from rotator.core.secret import Secret
from rotator.daemon.clock import SystemClock
from rotator.vault.auth import AppRole, Method, Token
from rotator.vault.process import find_server

_READY = 90.0  # seconds that a cluster may take to start or to heal, on a loaded machine
_CONFIG = """\
{standby}
storage "raft" {{
  path = "{folder}/raft"
  node_id = "{name}"
  performance_multiplier = 1
{joins}
}}
listener "tcp" {{
  address         = "127.0.0.1:{port}"
  cluster_address = "127.0.0.1:{cluster_port}"
  tls_disable     = true
}}
seal "static" {{
  current_key_id = "1"
  current_key    = "file://{key}"
}}
api_addr     = "http://127.0.0.1:{port}"
cluster_addr = "https://127.0.0.1:{cluster_port}"
log_level    = "warn"
"""


class RaftNode:
    """One server. It keeps its folder and its ports over restarts."""

    def __init__(self, folder: Path, config: str, port: int) -> None:
        self.folder = folder
        self.address = f"http://127.0.0.1:{port}"
        folder.mkdir()
        (folder / "raft").mkdir()
        (folder / "server.hcl").write_text(config)
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [str(find_server()), "server", f"-config={self.folder}/server.hcl"],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={"HOME": str(self.folder)},
            )

    def kill(self) -> None:
        """SIGKILL: as if the machine had lost its power."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def health(self) -> int:
        """200: the leader; 429: a standby; 503: sealed; 501: not initialised; 0: no answer."""
        try:
            return requests.get(f"{self.address}/v1/sys/health", timeout=2).status_code
        except requests.RequestException:
            return 0


class RaftCluster:
    """Stands in for `Bao` in a `DaemonEnvironment`: requests as root go to the leader, clients to a standby."""

    def __init__(self, nodes: list[RaftNode]) -> None:
        self.nodes = nodes
        self.root = Secret("")
        self._recovery_key = ""

    def initialise(self) -> None:
        """Makes the first node the leader, lets the others join, and makes a mount and AppRole."""
        first = self.nodes[0]
        first.start()
        eventually(lambda: first.health() == 501, "the first node answers", _READY)
        made = self._at(first, "PUT", "sys/init", {"recovery_shares": 1, "recovery_threshold": 1})
        self.root, self._recovery_key = Secret(made["root_token"]), made["recovery_keys"][0]
        eventually(lambda: first.health() == 200, "the first node leads", _READY)
        # A follower may vote, and so take the place of a killed leader, only after this time (10 s unless it is set).
        self.call("POST", "sys/storage/raft/autopilot/configuration", {"server_stabilization_time": "1s"})
        for node in self.nodes[1:]:
            node.start()
        self.wait_until_whole()
        self.call("POST", "sys/mounts/secret", {"type": "kv", "options": {"version": "2"}})
        self.call("POST", "sys/auth/approle", {"type": "approle"})
        # A fresh KV v2 mount upgrades itself for a moment, and says so with a 400.
        eventually(self._mount_works, "the mount is there", _READY)

    def call(self, verb: str, path: str, body: dict[str, Any] | None = None, also: int = 200) -> dict[str, Any]:
        """A request as root to whoever leads now; again while nobody does. `also`: a further status that is success."""
        end = time.monotonic() + _READY
        while True:
            try:
                return self._at(self.leader(), verb, path, body, also)
            except requests.RequestException:
                if time.monotonic() > end:
                    raise
                time.sleep(0.05)

    def policy(self, name: str, text: str) -> str:
        """Writes a policy, and returns its name."""
        self.call("PUT", f"sys/policies/acl/{name}", {"policy": text})
        return name

    def app_role(self, policy: str) -> AppRole:
        """A login under one policy."""
        role = "auth/approle/role/rotator"
        self.call("POST", role, {"token_policies": [policy], "token_no_default_policy": True})
        role_id = self.call("GET", f"{role}/role-id")["data"]["role_id"]
        secret_id = self.call("POST", f"{role}/secret-id")["data"]["secret_id"]
        login = {"role_id": role_id, "secret_id": secret_id}
        for node in self.nodes:  # a standby learns of a role later
            eventually(partial(self._logs_in, node, login), "the role is known everywhere", _READY)
        return AppRole(role_id, Secret(secret_id))

    @property
    def address(self) -> str:
        """Of a node that follows now."""
        return self.standbys()[0].address

    def client(self, method: Method | None = None, address: str = "", **options: Any) -> VaultAccess:
        """A client, by default under the root token, at a standby."""
        # A clock that really sleeps: a standby's stale answer takes real time to become a fresh one.
        options = {"clock": SystemClock(Event()), **options}
        return VaultAccess(method or Token(self.root), address or self.address, **options)

    def leader(self) -> RaftNode:
        """The node that leads now; waits for one."""
        return eventually(lambda: _leading(self.nodes), "somebody leads", _READY)

    def successor(self, lost: RaftNode) -> RaftNode:
        """The node that leads now instead of `lost`; waits for one."""
        others = [node for node in self.nodes if node is not lost]
        return eventually(lambda: _leading(others), "another one leads", _READY)

    def standbys(self) -> list[RaftNode]:
        """The nodes that follow now."""
        return [node for node in self.nodes if node.health() == 429]

    def wait_until_whole(self) -> None:
        """Until one leads, all others follow it, and each of them may vote."""
        eventually(
            lambda: sorted(node.health() for node in self.nodes) == [200, 429, 429], "the cluster is whole", _READY
        )
        eventually(lambda: self._voters() == len(self.nodes), "each node may vote", _READY)

    def seal(self, node: RaftNode) -> None:
        self._at(node, "PUT", "sys/seal")

    def unseal(self, node: RaftNode) -> None:
        """A sealed server with a static seal is opened by starting it again."""
        node.kill()
        node.start()

    def _logs_in(self, node: RaftNode, login: dict[str, str]) -> bool:
        with contextlib.suppress(requests.RequestException):
            return bool(self._at(node, "POST", "auth/approle/login", login))
        return False

    def _voters(self) -> int:
        members = self.call("GET", "sys/storage/raft/configuration")["data"]["config"]["servers"]
        return sum(member["voter"] for member in members)

    def _mount_works(self) -> bool:
        with contextlib.suppress(requests.RequestException):
            for node in self.nodes:
                self._at(node, "GET", "secret/config")
            return True
        return False

    def _at(
        self, node: RaftNode, verb: str, path: str, body: dict[str, Any] | None = None, also: int = 200
    ) -> dict[str, Any]:
        headers = {"X-Vault-Token": self.root.reveal()} if self.root else {}
        answer = requests.request(verb, f"{node.address}/v1/{path}", json=body, headers=headers, timeout=10)
        if answer.status_code != also:
            answer.raise_for_status()
        found = answer.json() if answer.content else {}
        return found if isinstance(found, dict) else {}


def _leading(nodes: list[RaftNode]) -> RaftNode | None:
    return next((node for node in nodes if node.health() == 200), None)


@contextmanager
def running_raft_cluster(folder: Path, *, standby_reads: bool) -> Iterator[RaftCluster]:
    """Three nodes. `standby_reads`: what OpenBao does unless `disable_standby_reads` is set."""
    key = folder / "seal.key"
    key.write_bytes(secrets.token_bytes(32))
    apis, clusters = ([free_port() for _ in range(3)] for _ in range(2))
    nodes = []
    for number in range(3):
        joins = "".join(
            f'  retry_join {{ leader_api_addr = "http://127.0.0.1:{apis[other]}" }}\n'
            for other in range(3)
            if other != number
        )
        text = _CONFIG.format(
            standby="" if standby_reads else "disable_standby_reads = true",
            folder=folder / f"node-{number}",
            name=f"node-{number}",
            joins=joins,
            port=apis[number],
            cluster_port=clusters[number],
            key=key,
        )
        nodes.append(RaftNode(folder / f"node-{number}", text, apis[number]))
    cluster = RaftCluster(nodes)
    try:
        cluster.initialise()
        yield cluster
    finally:
        for node in nodes:
            node.kill()
