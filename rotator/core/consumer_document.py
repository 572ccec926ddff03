"""The consumer document: what devices read, and what it hands out."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from rotator.core.model import Credential, is_same_name
from rotator.core.secret import Secret


@dataclass(frozen=True, slots=True)
class ConsumerDocument:
    """The document that devices read. Its fields are None if it is missing, deleted or not of our form."""

    version: int  # for check-and-set; 0 if nothing was ever written
    exists: bool
    username: str | None = None
    password: Secret | None = None
    credential_id: str | None = None
    attempt: str | None = None
    rotated_at: datetime | None = None
    written_at: datetime | None = None  # this version, by Vault's clock
    deleted: bool = False  # it existed, and its latest version was deleted or destroyed
    ends_at: datetime | None = None  # Vault deletes it by itself then (`delete_version_after`)
    remedy: str = ""  # the command in Vault that restores it, or that takes its end away
    withdrawn: bool = False  # rotator took the credential out of it, because the target left this path
    host: str = ""
    realm: str = ""
    kept: Mapping[str, object] = field(default_factory=dict, repr=False)  # the keys of people, which every write keeps

    @property
    def hands_out_nothing(self) -> bool:
        """True if there is nothing in it to overwrite: it never existed, or was withdrawn."""
        return self.withdrawn or not (self.exists or self.deleted)

    def names(self, credential: Credential) -> bool:
        """True if this document contains exactly `credential`."""
        return (
            self.exists
            and credential.password is not None
            and self.username == credential.username
            and self.password == credential.password
            and self.credential_id == credential.id
        )

    def concerns(self, credential: Credential) -> bool:
        """True if this document contains `credential`, with any password."""
        if not self.exists:
            return False
        if self.credential_id is not None and credential.id is not None:
            return self.credential_id == credential.id
        return bool(credential.username) and is_same_name(self.username, credential.username)
