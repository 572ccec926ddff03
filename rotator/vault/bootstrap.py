"""The first start of an embedded server: initialises and configures it, then revokes the root token.

It may be interrupted anywhere and repeated, except between the answer to the initialisation and the file that stores
it; at that point the server contains no data to lose.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rotator.core.secret import Secret
from rotator.ports import Clock, StoreError
from rotator.vault.auth import AppRole
from rotator.vault.policy import consumer_policy, rotator_policy
from rotator.vault.process import EmbeddedError
from rotator.vault.transport import Connection, VaultSession

_TIMEOUT = 30.0  # seconds for one administrative request
_ROOT = "root-token"
_ROLES = ("rotator", "consumer")
_README = """\
The data of rotator's embedded OpenBao server. Whoever can read this directory can read every password: keep it private.

  seal.key            unseals the server at each start; without it the data is lost. Back it up separately from raft/.
  recovery-key        creates a new root token (bao operator generate-root); rotator never needs it.
  rotator-*-id        log rotator in (AppRole).
  consumer-*-id       log a device in, which may read the published passwords and nothing else.
  raft/               the data, encrypted with seal.key.
  server.log          the server's output, which contains no secrets.

The root token was revoked after the setup.
"""


@dataclass(frozen=True, slots=True)
class ServerSetup:
    """The content of a new server.

    Attributes:
        mount: of the KV v2 secrets engine.
        state_prefix: of the state documents, below the mount.
        consumer_paths: of the consumer documents that rotator may write, below the mount; they may end in `*`.
    """

    mount: str = "secret"
    state_prefix: str = "rotator/state"
    consumer_paths: tuple[str, ...] = ("*",)


class VaultAdmin:
    """Sends the few administrative requests. Raises EmbeddedError for every answer except success."""

    def __init__(self, address: str, clock: Clock, root: Secret | None = None) -> None:
        self.root = root
        self._address = address
        self._session = VaultSession(Connection(address, timeout=_TIMEOUT), clock)

    def call(self, verb: str, path: str, body: Mapping[str, Any] | None = None, also: int = 200) -> dict[str, Any]:
        """Sends one request, with the root token if there is one; `also` is a further status that means success."""
        headers = {} if self.root is None else {"X-Vault-Token": self.root.reveal()}
        url = f"{self._address}/v1/{path}"
        try:
            answer = self._session.request(
                verb, url, json=body, headers=headers, timeout=_TIMEOUT, allow_redirects=False
            )
            document = answer.json() if answer.content else {}
        except (StoreError, ValueError) as error:
            raise EmbeddedError(f"the embedded server did not answer {path} ({type(error).__name__})") from None
        if answer.status_code not in {200, 204, also}:
            raise EmbeddedError(f"the embedded server answered {answer.status_code} to {path}")
        return document

    def health(self) -> int:
        """Returns the status of /sys/health: 200 ready, 501 not initialised, 503 sealed; 0 if nothing answers yet."""
        try:
            return self._session.request("GET", f"{self._address}/v1/sys/health", timeout=5).status_code
        except StoreError:
            return 0

    def close(self) -> None:
        """Closes its connections."""
        self._session.close()


def initialise(admin: VaultAdmin, directory: Path) -> None:
    """Creates the server's keys and the root token, and stores the recovery key and the token in files."""
    keys = admin.call("PUT", "sys/init", {"recovery_shares": 1, "recovery_threshold": 1})
    write_private(directory / "README", _README.encode())
    write_private(directory / "recovery-key", keys["recovery_keys"][0].encode())
    write_private(directory / _ROOT, keys["root_token"].encode())


def configure(admin: VaultAdmin, directory: Path, setup: ServerSetup) -> None:
    """Gives `admin` the root token and creates everything in `setup`, unless an earlier start has finished that."""
    # The consumer's secret id is the last file that `_set_up` writes.
    complete = (directory / f"{_ROLES[-1]}-secret-id").exists()
    file = directory / _ROOT
    if file.exists():
        admin.root = Secret(file.read_text())
        if not complete:
            _set_up(admin, directory, setup)
    elif not complete:
        raise EmbeddedError(f"the first start in {directory} was interrupted before it wrote any data: remove it")


def revoke_root(admin: VaultAdmin, directory: Path) -> None:
    """Revokes the root token, then removes its file."""
    # 403: the token was already revoked, and only the file was left.
    admin.call("POST", "auth/token/revoke-self", also=403)
    (directory / _ROOT).unlink()


def credentials(directory: Path, role: str) -> AppRole:
    """Returns the login of `role`, "rotator" or "consumer"."""
    role_id = (directory / f"{role}-role-id").read_text()
    return AppRole(role_id, Secret((directory / f"{role}-secret-id").read_text()))


def write_private(path: Path, content: bytes) -> None:
    """Writes a file that only its owner can read, atomically."""
    draft = path.with_name(path.name + ".new")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)


def _set_up(admin: VaultAdmin, directory: Path, setup: ServerSetup) -> None:
    # 400: it already exists, from an interrupted start.
    admin.call("POST", f"sys/mounts/{setup.mount}", {"type": "kv", "options": {"version": "2"}}, also=400)
    admin.call("POST", "sys/auth/approle", {"type": "approle"}, also=400)
    policies = {
        "rotator": rotator_policy(setup.mount, setup.state_prefix, setup.consumer_paths),
        "consumer": consumer_policy(setup.mount, setup.state_prefix, setup.consumer_paths),
    }
    for role in _ROLES:
        admin.call("PUT", f"sys/policies/acl/{role}", {"policy": policies[role]})
        terms = {"token_policies": [role], "token_no_default_policy": True, "token_ttl": "1h", "token_max_ttl": "24h"}
        admin.call("POST", f"auth/approle/role/{role}", terms)
        role_id = admin.call("GET", f"auth/approle/role/{role}/role-id")["data"]["role_id"]
        secret_id = admin.call("POST", f"auth/approle/role/{role}/secret-id")["data"]["secret_id"]
        write_private(directory / f"{role}-role-id", role_id.encode())
        write_private(directory / f"{role}-secret-id", secret_id.encode())
