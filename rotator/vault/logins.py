"""The logins of an embedded server: AppRoles whose secret ids end, and are made anew before that.

`rotator` logs in as "rotator", `logins` below makes the ids, and each device or group of devices has one of its own.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from rotator.core.secret import Secret
from rotator.ports import Clock
from rotator.vault.admin import VaultAdmin
from rotator.vault.auth import AppRole
from rotator.vault.files import write_private
from rotator.vault.policy import LOGINS_POLICY, consumer_policy, rotator_policy

ROTATOR, KEEPER = "rotator", "logins"
"""The roles of rotator itself, and of whoever makes the ids of all others."""
_DEVICE = "device-"  # begins the names of the devices' roles and policies
_LIFETIMES = {ROTATOR: timedelta(days=3), KEEPER: timedelta(days=365)}  # of a secret id
_RENEWED = {ROTATOR: timedelta(), KEEPER: timedelta(days=30)}  # the age at which a start or a day replaces one


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


def set_up(admin: VaultAdmin, directory: Path, setup: ServerSetup) -> None:
    """Creates the mount, and the roles with their first ids, as root. May be repeated."""
    # 400: it already exists, from an interrupted start.
    admin.call("POST", f"sys/mounts/{setup.mount}", {"type": "kv", "options": {"version": "2"}}, also=400)
    admin.call("POST", "sys/auth/approle", {"type": "approle"}, also=400)
    own = rotator_policy(setup.mount, setup.state_prefix, setup.consumer_paths)
    for role, policy in ((ROTATOR, own), (KEEPER, LOGINS_POLICY)):
        _write_role(admin, role, policy, _LIFETIMES[role])
        write_private(directory / f"{role}-role-id", _role_id(admin, role).encode())
        _write_secret_id(admin, directory, role)


def credentials(directory: Path, role: str) -> AppRole:
    """Returns the login of `role`, whose secret id is read at every login."""
    return AppRole((directory / f"{role}-role-id").read_text(), directory / f"{role}-secret-id")


def renew(admin: VaultAdmin, directory: Path, clock: Clock) -> None:
    """Replaces the secret ids that are due. The replaced ones go on until they end by themselves. As the keeper."""
    for role, age in _RENEWED.items():
        written = (directory / f"{role}-secret-id").stat().st_mtime
        if clock.now().timestamp() - written >= age.total_seconds():
            _write_secret_id(admin, directory, role)


def write_device(
    admin: VaultAdmin, setup: ServerSetup, name: str, paths: Sequence[str], lifetime: timedelta
) -> AppRole:
    """Makes the login of a device or a group, or makes another secret id for it and replaces its paths. As the keeper.

    Args:
        admin: logged in as the keeper, or as root.
        setup: what the server was set up with.
        name: letters, digits, `-`, `_` and `.`.
        paths: what it may read, below the mount; they may end in `*`.
        lifetime: of the secret id.
    """
    role = _DEVICE + name
    _write_role(admin, role, consumer_policy(setup.mount, setup.state_prefix, paths), lifetime)
    return AppRole(_role_id(admin, role), _secret_id(admin, role))


def remove_device(admin: VaultAdmin, name: str) -> bool:
    """Ends a login: its ids at once, and its tokens, which lose their policy. Returns False if there is none."""
    there = name in devices(admin)
    admin.call("DELETE", f"auth/approle/role/{_DEVICE}{name}")
    admin.call("DELETE", f"sys/policies/acl/{_DEVICE}{name}")
    return there


def devices(admin: VaultAdmin) -> tuple[str, ...]:
    """Returns the names of the devices' logins."""
    roles = admin.call("LIST", "auth/approle/role")["data"]["keys"]
    return tuple(sorted(role.removeprefix(_DEVICE) for role in roles if role.startswith(_DEVICE)))


def _write_role(admin: VaultAdmin, role: str, policy: str, lifetime: timedelta) -> None:
    admin.call("PUT", f"sys/policies/acl/{role}", {"policy": policy})
    terms = {
        "token_policies": [role],
        "token_no_default_policy": True,
        "token_ttl": "1h",
        "token_max_ttl": "24h",
        "secret_id_ttl": f"{lifetime.total_seconds():.0f}s",
    }
    admin.call("POST", f"auth/approle/role/{role}", terms)


def _role_id(admin: VaultAdmin, role: str) -> str:
    return str(admin.call("GET", f"auth/approle/role/{role}/role-id")["data"]["role_id"])


def _secret_id(admin: VaultAdmin, role: str) -> Secret:
    return Secret(admin.call("POST", f"auth/approle/role/{role}/secret-id")["data"]["secret_id"])


def _write_secret_id(admin: VaultAdmin, directory: Path, role: str) -> None:
    write_private(directory / f"{role}-secret-id", _secret_id(admin, role).reveal().encode())
