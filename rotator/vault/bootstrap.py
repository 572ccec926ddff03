"""The first start of an embedded server: initialised, configured, and its root token given back.

It can be interrupted at any point and begun again, except between Vault's answer to the initialisation and the file
that holds it; then there is nothing in the server yet that could be lost.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests

from rotator.core.secret import Secret
from rotator.vault.auth import AppRole
from rotator.vault.policy import consumer_policy, rotator_policy
from rotator.vault.process import EmbeddedError

_ROOT = "root-token"
_ROLES = ("rotator", "consumer")
_README = """\
This directory is rotator's own OpenBao server. Whoever can read it can read every password in it: keep it private.

  seal.key            opens the server at each start; without it the data is lost. Back it up apart from raft/.
  recovery-key        makes a new root token (bao operator generate-root); rotator never needs it.
  rotator-*-id        with these rotator logs in (AppRole).
  consumer-*-id       with these devices may read the published passwords, and nothing else.
  raft/               the data, encrypted under seal.key.
  server.log          what the server says; it holds no secrets.

The root token was revoked when everything had been set up.
"""


@dataclass(frozen=True, slots=True)
class Plan:
    """What is set up in the server.

    Attributes:
        mount: of the KV v2 secrets engine.
        state_prefix: where the state documents are, below the mount.
        consumer_paths: where rotator may write consumer documents, below the mount; they may end in `*`.
    """

    mount: str = "secret"
    state_prefix: str = "rotator/state"
    consumer_paths: tuple[str, ...] = ("*",)


class Admin:
    """The few administrative requests, under the root token. Raises EmbeddedError for every answer but success."""

    def __init__(self, address: str, root: Secret | None = None) -> None:
        self._address = address
        self._root = root
        self._session = requests.Session()
        self._session.trust_env = False  # the server is on this machine: no proxy

    def call(self, verb: str, path: str, body: Mapping[str, Any] | None = None, also: int = 200) -> dict[str, Any]:
        """Sends one request; `also` is one more status that counts as success."""
        headers = {} if self._root is None else {"X-Vault-Token": self._root.reveal()}
        url = f"{self._address}/v1/{path}"
        try:
            answer = self._session.request(verb, url, json=body, headers=headers, timeout=30, allow_redirects=False)
            found = answer.json() if answer.content else {}
        except requests.RequestException as error:
            raise EmbeddedError(f"the embedded server does not answer at {path} ({type(error).__name__})") from None
        if answer.status_code not in {200, 204, also}:
            raise EmbeddedError(f"the embedded server answers {answer.status_code} at {path}")
        return found if isinstance(found, dict) else {}

    def health(self) -> int:
        """The status code of /sys/health: 200 ready, 501 not initialised, 503 sealed; 0 where nothing answers yet."""
        try:
            return self._session.get(f"{self._address}/v1/sys/health", timeout=5).status_code
        except requests.RequestException:
            return 0

    def close(self) -> None:
        """Closes its connections."""
        self._session.close()


def initialise(address: str, directory: Path) -> None:
    """Makes the server's keys, and keeps the recovery key and the root token in files."""
    admin = Admin(address)
    made = admin.call("PUT", "sys/init", {"recovery_shares": 1, "recovery_threshold": 1})
    admin.close()
    write_private(directory / "README", _README.encode())
    write_private(directory / "recovery-key", made["recovery_keys"][0].encode())
    write_private(directory / _ROOT, made["root_token"].encode())


def configure(address: str, directory: Path, plan: Plan) -> Secret | None:
    """Sets up what `plan` says, where that was not finished, and returns the root token; None when there is none."""
    file = directory / _ROOT
    if not file.exists():
        if not all((directory / f"{role}-secret-id").exists() for role in _ROLES):
            raise EmbeddedError(f"the first start in {directory} was cut off before it held anything: remove it")
        return None
    root = Secret(file.read_text())
    if not _complete(directory):
        _set_up(Admin(address, root), directory, plan)
    return root


def revoke_root(address: str, directory: Path, root: Secret) -> None:
    """Gives the root token back, and then forgets it."""
    admin = Admin(address, root)
    # 403: it was revoked before, and only the file was left.
    admin.call("POST", "auth/token/revoke-self", also=403)
    admin.close()
    (directory / _ROOT).unlink()


def credentials(directory: Path, role: str) -> AppRole:
    """How `role`, "rotator" or "consumer", logs in."""
    role_id = (directory / f"{role}-role-id").read_text()
    return AppRole(role_id, Secret((directory / f"{role}-secret-id").read_text()))


def write_private(path: Path, content: bytes) -> None:
    """Writes a file that only its owner can read, wholly or not at all."""
    draft = path.with_name(path.name + ".new")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)


def _complete(directory: Path) -> bool:
    # The consumer's secret id is the last file that `_set_up` writes.
    return (directory / f"{_ROLES[-1]}-secret-id").exists()


def _set_up(admin: Admin, directory: Path, plan: Plan) -> None:
    # 400: it is there already, from a start that was cut off.
    admin.call("POST", f"sys/mounts/{plan.mount}", {"type": "kv", "options": {"version": "2"}}, also=400)
    admin.call("POST", "sys/auth/approle", {"type": "approle"}, also=400)
    policies = {
        "rotator": rotator_policy(plan.mount, plan.state_prefix, plan.consumer_paths),
        "consumer": consumer_policy(plan.mount, plan.state_prefix, plan.consumer_paths),
    }
    for role in _ROLES:
        admin.call("PUT", f"sys/policies/acl/{role}", {"policy": policies[role]})
        terms = {"token_policies": [role], "token_no_default_policy": True, "token_ttl": "1h", "token_max_ttl": "24h"}
        admin.call("POST", f"auth/approle/role/{role}", terms)
        role_id = admin.call("GET", f"auth/approle/role/{role}/role-id")["data"]["role_id"]
        secret_id = admin.call("POST", f"auth/approle/role/{role}/secret-id")["data"]["secret_id"]
        write_private(directory / f"{role}-role-id", role_id.encode())
        write_private(directory / f"{role}-secret-id", secret_id.encode())
    admin.close()
