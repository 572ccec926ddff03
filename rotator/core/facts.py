"""The facts about a target at one moment: everything that a decision may depend on."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from rotator.core.canaries import CanaryVerdict
from rotator.core.circuit import ProviderVerb
from rotator.core.clocks import Clocks
from rotator.core.consumer_document import ConsumerDocument
from rotator.core.freezes import Freezes
from rotator.core.model import Capabilities, Credential, LedgerEntry, Target, TargetState, is_same_name
from rotator.core.strategy_evidence import StrategyEvidence


@dataclass(frozen=True, slots=True)
class Facts:
    """Gathered by the engine, judged by `decide`."""

    target: Target
    capabilities: Mapping[str, Capabilities]  # by provider account
    state: TargetState
    consumer: ConsumerDocument
    holds_claim: bool  # this process holds the claim, long enough to renew it during an effect
    other_claim_remaining: timedelta  # how long to respect another process's claim
    now: datetime  # by this machine's clock; `clocks` has Vault's as well
    lookups: Mapping[str, tuple[Credential, ...]] = field(default_factory=dict)  # made in this look, by `lookup_key`
    open_circuits: Mapping[str, datetime] = field(default_factory=dict)  # by account: when the next call may go out
    shut_verbs: Mapping[tuple[str, ProviderVerb], datetime] = field(default_factory=dict)  # likewise, for one verb
    log_ins_rest_until: Mapping[str, datetime] = field(default_factory=dict)  # by account: too many were wrong
    log_ins_settle_in: Mapping[str, timedelta] = field(default_factory=dict)  # likewise: a change takes so long
    ended_turns: Mapping[str, datetime] = field(default_factory=dict)  # by account: when what was ended may be tried
    retirements_left: int = 1  # how many this minute's cap still allows
    unproved_accounts: frozenset[str] = frozenset()  # accounts with too many passwords set in place and not accepted
    proving_accounts: frozenset[str] = frozenset()  # accounts without room for another password that is not proved yet
    waiting_targets: int = 0  # how many wait for room at the target's account
    paced: Mapping[str, datetime] = field(default_factory=dict)  # by account: when its pace allows the next request
    unsettled: bool = False  # in this look, no log-in showed which password of the open attempt is in force
    vault_now: datetime | None = None  # by Vault's clock; None: the same
    identities: Mapping[str, str] = field(default_factory=dict)  # by account: how the provider knows it, if it does
    account_keys: Mapping[str, str] = field(default_factory=dict)  # by account: shared by all names of the same one
    state_deleted: bool = False  # the latest version of the state document was deleted: `state` is a fresh one
    state_ends_at: datetime | None = None  # Vault deletes the state document by itself then
    state_remedy: str = ""  # the command in Vault against either
    refused_targets: int = 0  # of the published credential's account, as this process has seen: this one counts
    refused_for: timedelta = timedelta()  # how long this process has seen that what is published is refused
    account_vouched_for: bool = True  # since then this process has seen another credential of the account accepted
    other_documents: Mapping[str, ConsumerDocument] = field(default_factory=dict)  # at paths that the target leaves
    canary: CanaryVerdict | None = None  # of a target that was never rotated; None: no canary goes before it
    evidence: StrategyEvidence | None = None  # of the target's strategy at its account; None: not asked for
    freezes: Freezes = field(default_factory=Freezes)  # what holds changes now
    former_name: str = ""  # a target that is not configured any more, whose state names this target's path
    # What time alone triggers is due by `clocks.earliest`; a period begins at `clocks.latest`.
    clocks: Clocks = field(init=False)  # both, made once: nearly every check asks for them

    def __post_init__(self) -> None:
        object.__setattr__(self, "clocks", Clocks(self.now, self.vault_now or self.now))

    @property
    def consumer_document_is_ours(self) -> bool:
        """True if the consumer document contains what was last published, or if neither exists."""
        if self.state.published is None:
            return self.consumer.hands_out_nothing
        return self.consumer.names(self.state.published)

    def is_protected(self, credential: Credential) -> bool:
        """True if a credential must not be touched: it is published, staged, or in the consumer document."""
        in_use = any(
            is_same_credential(other, credential) or self.is_under_another_name(other, credential)
            for other in self._in_use()
        )
        return in_use or self.hands_out(credential)

    def is_under_another_name(self, one: Credential, other: Credential) -> bool:
        """True if both are the same credential, at accounts whose two names in the configuration mean the same one."""
        keys = [self.account_keys.get(each.account, each.account) for each in (one, other)]
        return one.account != other.account and keys[0] == keys[1] and one.id is not None and one.id == other.id

    def hands_out(self, credential: Credential) -> bool:
        """True if devices may read `credential` in one of the target's consumer documents, with any password."""
        return any(self._hands_out(document, credential) for document in self.documents)

    def _hands_out(self, document: ConsumerDocument, credential: Credential) -> bool:
        # A document names no account, and another account may have the same username and id. What we wrote is known.
        written = next((known for known in self._in_use() if document.names(known)), None)
        return document.concerns(credential) if written is None else is_same_credential(written, credential)

    def _in_use(self) -> tuple[Credential, ...]:
        attempt = self.state.attempt
        kept = (self.state.published, attempt.staged if attempt else None)
        return tuple(credential for credential in kept if credential is not None)

    @property
    def documents(self) -> tuple[ConsumerDocument, ...]:
        """Every consumer document that devices of this target may read."""
        return (self.consumer, *self.other_documents.values())

    def document_at(self, path: str) -> ConsumerDocument:
        """Returns the consumer document at a path that the target uses, leaves or has left."""
        return self.consumer if path == self.target.path else self.other_documents[path]

    @property
    def only_ends(self) -> bool:
        """True if the target was removed or retired: an open attempt and the ledger end, and nothing new begins."""
        return self.target.removed or self.state.retired_at is not None


def has_other_identity(facts: Facts, credential: Credential) -> bool:
    """True if the configuration's name for its account now means another account at the provider."""
    identity = facts.identities.get(credential.account)
    return bool(identity and credential.identity) and identity != credential.identity


def lookup_key(wanted: Credential) -> str:
    """Returns the key of a look-up: by id, else by username, else by the attempt that created the credential."""
    return f"{wanted.account}/{wanted.id or wanted.username or wanted.attempt}"


def is_same_credential(one: Credential, other: Credential) -> bool:
    """True if both are the same credential at the provider, whatever their passwords."""
    if one.account != other.account or (one.identity and other.identity and one.identity != other.identity):
        return False
    if one.id is not None and other.id is not None:
        return one.id == other.id
    if one.username and other.username:
        return is_same_name(one.username, other.username)
    # After a lost create only the attempt is known, and a listing may show several credentials for it.
    return one.id is None and other.id is None and one.attempt is not None and one.attempt == other.attempt


def ledger_entry_of(state: TargetState, credential: Credential) -> LedgerEntry | None:
    """Returns the ledger entry of `credential`, if there is one."""
    return next((entry for entry in state.ledger if is_same_credential(entry.credential, credential)), None)
