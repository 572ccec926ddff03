"""The first start of an embedded server: initialises and configures it, then revokes the root token.

It may be interrupted anywhere and repeated, except between the answer to the initialisation and the file that stores
it; at that point the server contains no data to lose.
"""

from pathlib import Path

from rotator.core.secret import Secret
from rotator.vault.admin import VaultAdmin
from rotator.vault.files import write_private
from rotator.vault.logins import KEEPER, ServerSetup, set_up
from rotator.vault.process import EmbeddedError

_ROOT = "root-token"
_README = """\
The data of rotator's embedded OpenBao server. Whoever can read this directory can read every password: keep it private.

  seal.key            unseals the server at each start; without it the data is lost. Back it up separately from raft/.
  recovery-key        creates a new root token (bao operator generate-root); rotator never needs it.
  ca.pem              the authority of the server's certificate, which devices need to verify it; no secret.
  server.pem          the server's certificate; server-key.pem is its key.
  rotator-*-id        log rotator in (AppRole); the secret id is replaced at each start and each day, and ends after
                      three days.
  logins-*-id         make these and the devices' logins; the secret id is replaced each month, and ends after a year.
  raft/               the data, encrypted with seal.key.
  server.log          the server's output, which contains no secrets.

The root token was revoked after the setup. The logins of devices: rotator device-login --help
"""


def initialise(admin: VaultAdmin, directory: Path) -> None:
    """Creates the server's keys and the root token, and stores the recovery key and the token in files."""
    keys = admin.call("PUT", "sys/init", {"recovery_shares": 1, "recovery_threshold": 1})
    write_private(directory / "README", _README.encode())
    write_private(directory / "recovery-key", keys["recovery_keys"][0].encode())
    write_private(directory / _ROOT, keys["root_token"].encode())


def configure(admin: VaultAdmin, directory: Path, setup: ServerSetup) -> None:
    """Gives `admin` the root token and creates everything in `setup`, unless an earlier start has finished that."""
    # The keeper's secret id is the last file that `set_up` writes.
    complete = (directory / f"{KEEPER}-secret-id").exists()
    file = directory / _ROOT
    if file.exists():
        admin.token = Secret(file.read_text())
        if not complete:
            set_up(admin, directory, setup)
    elif not complete:
        raise EmbeddedError(f"the first start in {directory} was interrupted before it wrote any data: remove it")


def revoke_root(admin: VaultAdmin, directory: Path) -> None:
    """Revokes the root token, then removes its file."""
    # 403: the token was already revoked, and only the file was left.
    admin.call("POST", "auth/token/revoke-self", also=403)
    admin.token = None
    (directory / _ROOT).unlink()
