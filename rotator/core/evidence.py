"""What was shown at a provider account of the assumptions that rotations rest on: `rotator check-provider`.

No page of a provider settles all of them, and two accounts of one provider may differ. So they are tried at the
account, on a scratch credential, and what came of it is kept in Vault, where plans and rotations look.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import Enum

from rotator.core.discrepancies import DiscrepancyKind
from rotator.core.model import Credential


class Shown(Enum):
    """What was shown of an assumption."""

    HOLDS = "holds"
    DOES_NOT = "does not"
    NOT_SHOWN = "not shown"


@dataclass(frozen=True, slots=True)
class Assumption:
    """Something that rotations take for granted."""

    key: str
    text: str


# Shown by reading.
CONNECTS = Assumption("connects", "the API can be reached")
KEY = Assumption("key", "the API key is accepted")
CLOCK = Assumption("clock", "the provider's clock and this machine's agree")
LISTS = Assumption("lists", "the whole listing can be read")
GETS = Assumption("gets", "a single credential can be asked for by its id")
USERNAMES = Assumption("usernames", "the account has the username of each target, in the same letter case")
SHOWS_PASSWORDS = Assumption("shows-passwords", "passwords are shown, and not masked")
SHOWS_ATTACHMENTS = Assumption("shows-attachments", "the account shows its trunks")
TRUNK_ASKS = Assumption("trunk-asks", "the domain of a trunk asks for a password")
SHOWS_USAGE = Assumption("shows-usage", "the account says whether devices are logged in")
ANSWERS = Assumption("answers", "each answer comes in time")
# Shown by the life of a scratch credential.
CREATES = Assumption("creates", "a credential can be created")
FINDS = Assumption("finds", "a new credential is found again")
LOGS_IN = Assumption("logs-in", "a log-in with the right password is let in")
WRONG_REFUSED = Assumption("wrong-refused", "a log-in with a wrong password is refused")
UNATTACHED = Assumption("unattached", "a credential that no trunk names is let in")
SETS = Assumption("sets-password", "a password can be set")
NEW_LOGS_IN = Assumption("new-logs-in", "a log-in with a password that was set is let in")
OLD_REFUSED = Assumption("old-refused", "after that, a log-in with the old password is refused")
SETS_AGAIN = Assumption("sets-again", "the same password can be set again")
LONGER = Assumption("longer-passwords", "longer passwords than the documented ones are taken")
EXPIRES = Assumption("expires", "an end in the future is taken")
LIFTS_END = Assumption("lifts-end", "that end can be taken away again")
DISABLES = Assumption("disables", "a credential can be disabled")
DISABLED_REFUSED = Assumption("disabled-refused", "after that, a log-in is refused")
ENABLES = Assumption("enables", "a disabled credential can be enabled again")
ENABLED_LOGS_IN = Assumption("enabled-logs-in", "after that, a log-in is let in")
DELETES = Assumption("deletes", "a credential can be deleted")
DELETED_REFUSED = Assumption("deleted-refused", "after that, a log-in is refused")
DELETES_AGAIN = Assumption("deletes-again", "deleting it again shows that it is gone")
PROPAGATES = Assumption("propagates", "changes are in force within the configured `propagation`")


@dataclass(frozen=True, slots=True)
class AssumptionResult:
    """What was shown of one assumption, when, and by what. It contains no value from the account."""

    key: str
    text: str
    shown: Shown
    evidence: str
    at: datetime
    seconds: float | None = None  # how long it took: an answer, or until a change was in force


@dataclass(frozen=True, slots=True)
class Scratch:
    """A credential that a check works on, written down before it does."""

    credential: Credential  # with its password only if that will be set back
    since: datetime
    expendable: bool = False  # the operator named it: it is not deleted, and its password is set back if it is known


@dataclass(frozen=True, slots=True)
class FoundCredentials:
    """How many discrepancies of one kind the last reconciliation found."""

    kind: DiscrepancyKind
    number: int


@dataclass(frozen=True, slots=True)
class AccountEvidence:
    """What is known of an account: a document in Vault."""

    version: int = 0
    results: tuple[AssumptionResult, ...] = ()
    scratch: tuple[Scratch, ...] = ()  # what a check that was killed left behind, or works on
    holder: str = ""  # the process that works on the scratch
    checked_at: datetime | None = None
    checked_by: str = ""
    rotator: str = ""  # its version
    written_at: datetime | None = None  # when the whole life of a scratch credential was last tried
    reconciled_at: datetime | None = None  # when its whole listing was last compared with the documents
    reconciled: tuple[FoundCredentials, ...] = ()  # what was found then

    def result(self, assumption: Assumption) -> AssumptionResult | None:
        """Returns what was shown of an assumption; None if it was never looked at."""
        return next((one for one in self.results if one.key == assumption.key), None)

    def shown(self, assumption: Assumption) -> Shown:
        """Returns what was shown of an assumption."""
        found = self.result(assumption)
        return found.shown if found is not None else Shown.NOT_SHOWN

    def with_results(self, results: Sequence[AssumptionResult], covered: Iterable[str]) -> "AccountEvidence":
        """Returns the document with new results in place of what is known of the assumptions with these keys."""
        replaced = {*covered, *(one.key for one in results)}
        kept = tuple(one for one in self.results if one.key not in replaced)
        return replace(self, results=(*kept, *results))

    def with_scratch(self, scratch: Scratch) -> "AccountEvidence":
        """Returns the document with this scratch credential, in place of what it says of the same one."""
        return replace(self, scratch=(*self._others(scratch), scratch))

    def without_scratch(self, scratch: Scratch) -> "AccountEvidence":
        """Returns the document without this scratch credential: nothing is left of it."""
        return replace(self, scratch=self._others(scratch))

    def _others(self, scratch: Scratch) -> tuple[Scratch, ...]:
        return tuple(one for one in self.scratch if one.credential.attempt != scratch.credential.attempt)
