"""`rotator device-login`: the logins of devices at an embedded Vault."""

import os
from collections.abc import Sequence
from datetime import timedelta
from fnmatch import fnmatchcase
from pathlib import Path
from threading import Event

from rotator.cli.exits import CommandError, Exit
from rotator.cli.printing import print_lines
from rotator.daemon.composition import Composition
from rotator.settings import Settings
from rotator.settings.vault import EmbeddedVaultSettings
from rotator.vault.embedded import EmbeddedVault
from rotator.vault.files import write_private
from rotator.vault.logins import devices, remove_device


def list_logins(config: Path) -> Exit:
    """Prints the names of the logins."""
    with _open(config) as composition, composition.embedded.keeper() as admin:
        print_lines(*devices(admin))
    return Exit.DONE


def end_login(config: Path, name: str) -> Exit:
    """Ends a login."""
    with _open(config) as composition, composition.embedded.keeper() as admin:
        if not remove_device(admin, name):
            raise CommandError(f"there is no login {name}: rotator device-login lists them")
    print_lines(f"{name} can no longer log in or read anything")
    return Exit.DONE


def make_login(config: Path, name: str, paths: Sequence[str], lifetime: timedelta, folder: Path) -> Exit:
    """Makes a login, or makes another secret id for it, and writes what the device needs into `folder`."""
    with _open(config) as composition:
        for path in paths:
            _check_path(composition.settings, path)
        _write(composition.embedded, name, paths, lifetime, folder)
        address = composition.embedded.address
    print_lines(
        f"{name} may read {', '.join(paths)}. Its secret id ends after {lifetime.days} days; run this again before.",
        f"{folder}/role-id, secret-id and ca.pem are for its Vault Agent (AppRole), with VAULT_ADDR={address}",
    )
    return Exit.DONE


def _write(server: EmbeddedVault, name: str, paths: Sequence[str], lifetime: timedelta, folder: Path) -> None:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        login = server.device_login(name, paths, lifetime)
        write_private(folder / "role-id", login.role_id.encode())
        write_private(folder / "secret-id", login.current_secret_id().reveal().encode())
        write_private(folder / "ca.pem", server.ca_file.read_bytes())
    except OSError as error:
        raise CommandError(f"{folder} is unusable ({error.strerror}): give another --directory") from None


def _check_path(settings: Settings, path: str) -> None:
    """Refuses a path at which something else than consumer documents can be read."""
    prefix = settings.vault.state_prefix
    if f"{path}/".startswith(f"{prefix}/") or any(fnmatchcase(key, path) for key in settings.keys_in_vault.values()):
        what = "contains what only rotator may read: state documents, or the key of an account or a hook"
        raise CommandError(f"--path {path} {what}; name consumer documents, such as 'sip/*'", Exit.USAGE)


def _open(config: Path) -> Composition:
    composition = Composition(config, os.environ, Event(), read_only=True, quiet=True)
    if not isinstance(composition.settings.vault, EmbeddedVaultSettings):
        what = "this is for an embedded Vault; at any other, its administrator makes logins"
        raise CommandError(what, Exit.USAGE)
    return composition
