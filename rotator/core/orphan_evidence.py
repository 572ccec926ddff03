"""Which credentials rotations have created, by the records of the audit. Pure.

A name alone shows nothing: a person may choose one like it, and another installation makes the same. The audit's
records are keyed, so only this installation made what they tell of.
"""

from collections import defaultdict
from collections.abc import Collection

from rotator.core.audit_chain import AuditRecord
from rotator.core.audit_words import AuditOutcome, AuditVerb
from rotator.core.selection import ListedCredential

_CREATING = frozenset({AuditVerb.CREATE, AuditVerb.COMPLETE})
_MAY_HAVE = frozenset({AuditOutcome.DONE, AuditOutcome.UNKNOWN, AuditOutcome.RETRY})


class MadeCredentials:
    """Takes the records of an audit, in any order, and tells for which target a credential was created."""

    def __init__(self) -> None:
        """Begins with none."""
        self._by_username: dict[tuple[str, str], str] = {}  # the target, by account and username
        self._by_attempt: dict[tuple[str, str], str] = {}  # likewise, by account and attempt
        self._ids: defaultdict[tuple[str, str], set[str]] = defaultdict(set)  # by account and username
        self._deleted: set[tuple[str, str]] = set()  # accounts and ids
        self._renamed: dict[str, str] = {}  # the new name by the old one
        self._given_up: set[str] = set()  # targets of which somebody gave something up

    def take(self, record: AuditRecord) -> None:
        """Takes one authentic record."""
        verb, target, facts = record["verb"], record["target"], record["facts"]
        account, username, identity = (str(facts.get(name) or "") for name in ("account", "username", "credential"))
        if username and identity:
            self._ids[account, username.casefold()].add(identity)
        if verb in _CREATING and record["outcome"] in _MAY_HAVE:
            if username:
                self._by_username[account, username.casefold()] = target
            if facts.get("attempt"):
                self._by_attempt[account, str(facts["attempt"])] = target
        elif verb == AuditVerb.DELETE and record["outcome"] == AuditOutcome.DONE:
            self._deleted.add((account, identity))
        elif verb == AuditVerb.RENAME and record["outcome"] == AuditOutcome.DONE:
            self._renamed[str(facts.get("renamed_from"))] = target
        elif verb == AuditVerb.GIVE_UP:
            self._given_up.add(target)

    def target_of(self, accounts: Collection[str], entry: ListedCredential) -> str | None:
        """Returns the present name of the target that a listed credential was created for; None: of none that is known.

        None also if somebody may use it: it was deleted and created again, perhaps with another id, or somebody has
        given up what a target of that name had.
        """
        for account in accounts:
            by_attempt = self._by_attempt.get((account, entry.attempt)) if entry.attempt is not None else None
            target = by_attempt or self._by_username.get((account, entry.username.casefold()))
            if target is not None:
                return self._present(target) if self._is_the_same(account, entry) else None
        return None

    def _is_the_same(self, account: str, entry: ListedCredential) -> bool:
        ids = self._ids.get((account, entry.username.casefold()), {entry.id})
        return entry.id in ids and (account, entry.id) not in self._deleted

    def _present(self, target: str) -> str | None:
        names = [target]
        while names[-1] in self._renamed:
            names.append(self._renamed[names[-1]])
            if names[-1] in names[:-1]:
                return None  # there and back: nobody knows which of the targets of a name is meant
        return None if self._given_up.intersection(names) else names[-1]
