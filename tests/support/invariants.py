"""What must hold at every boundary and at rest (design, section 6), whatever the provider, for any number of targets.

What is asserted rests on what the provider simulation holds and on what stands in Vault, and never on what the engine
believes: an overlap, say, is timed from the moment when the consumer document changed.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from interleaving import BoundaryInvariants
from simulated_accounts import LAG, ProviderAccount, SimulatedHarness, StoredCredential

from rotator.core.audit_words import AuditOutcome, AuditVerb
from rotator.core.consumer_document import ConsumerDocument
from rotator.core.model import Credential, Ended, Ending, Strategy, Target, TargetState
from rotator.core.secret import Secret

POINTED_BACK = timedelta(seconds=LAG.old)


@dataclass(frozen=True)
class OwedOverlap:
    """A replaced credential that devices may still use."""

    username: str
    password: Secret
    until: datetime


class TargetInvariants(BoundaryInvariants):
    """What must hold for one target."""

    harness: SimulatedHarness

    def __init__(self, harness: SimulatedHarness, target: Target, apart: timedelta, overlap: timedelta) -> None:
        super().__init__(harness, overlapping=True, apart=apart)
        self.target, self._overlap = target, overlap
        self.paths = [target.path]  # that the target has or had, the present one last
        self._handed_out: dict[str, tuple[int, str | None, Secret | None]] = {}  # by path
        self.broken_by_people: dict[str, int] = {}  # by path, the version whose credential people touched
        self._touched: list[tuple[str | None, Secret | None]] = []  # the same, as they may be moved to another path
        self._owed: dict[str, OwedOverlap] = {}
        self._detached: list[tuple[Credential, datetime]] = []  # what trunks were pointed to, and until when
        self._ended: tuple[Ended, ...] = ()  # what no log-in had shown to be refused before

    @property
    def state(self) -> TargetState | None:
        versioned = self.harness.store.states.get(self.target.name)
        return versioned.state if versioned else None

    @property
    def consumer(self) -> ConsumerDocument | None:
        return self.harness.store.consumers.get(self.target.path)

    def change(self, target: Target) -> None:
        """It has another name or path from here on."""
        self.target = target
        self.paths = [*(path for path in self.paths if path != target.path), target.path]

    @property
    def documents(self) -> dict[str, ConsumerDocument]:
        """What devices may read, by path."""
        found = {path: self.harness.store.consumers.get(path) for path in self.paths}
        return {path: one for path, one in found.items() if one is not None and one.exists and not one.withdrawn}

    def accepts(self, username: str | None, password: Secret | None) -> bool:
        return any(one.accepts(username, password) for one in self.harness.accounts.values())

    def __call__(self, label: str) -> None:
        state = self.state
        now = self.harness.clock.now()
        # Once it has elapsed by the wall clock it is over, even if that is set back.
        self._owed = {name: one for name, one in self._owed.items() if one.until > now}
        self._something_is_accepted(state, label)
        self._one_attempt(state, label)
        self._overlaps_last(state, label)
        self._evidence_is_true(state, label)

    def _evidence_is_true(self, state: TargetState | None, label: str) -> None:
        before, self._ended = self._ended, state.ended if state is not None else ()
        for one in shown_refused(before, state):
            account = self.harness.accounts[one.credential.account]
            dead = not account.accepts(one.credential.username, one.credential.password)
            assert dead, f"evidence says that {one.credential.username} is refused, and it is accepted, {label}"

    def _guard(self, name: str) -> None:
        """`InvariantChecker` compares what is disabled and deleted with the documents, for all targets at once."""

    def forget_overlaps(self) -> None:
        """People have ended one themselves, or hand out something else: what is owed begins anew."""
        self._owed.clear()
        self.broken_by_people = {path: self._read(path)[0] for path in self.paths}
        # What they ended before they deleted its document may be handed out at another path. A registrar follows late.
        stored = [one for _, _, one in self.harness.all_credentials() if one.enabled]
        there = [(one.username, one.password) for one in stored]
        ended = [one for one in self._touched if one not in there]
        self._touched = [*ended, *(self._read(path)[1:] for path in self.paths)]
        self._handed_out = {path: self._read(path) for path in self.paths}

    def _read(self, path: str) -> tuple[int, str | None, Secret | None]:
        document = self.harness.store.consumers.get(path)
        return (document.version, document.username, document.password) if document else (0, None, None)

    def owes_overlap_to(self, username: str) -> bool:
        """True where devices may still use a replaced credential."""
        return username in self._owed

    def _something_is_accepted(self, state: TargetState | None, label: str) -> None:
        attempt = state.attempt if state else None
        refused = [
            document
            for path, document in self.documents.items()
            if document.version > self.broken_by_people.get(path, 0)
            and (document.username, document.password) not in self._touched
            and not self.accepts(document.username, document.password)
        ]
        kept = [entry.credential for entry in (state.ledger if state else ()) if entry.ending is Ending.FORGET]
        # In place, the document at a former path follows the one at the present path; two that took turns may be set
        # in place by now.
        in_place = self.target.strategy is Strategy.IN_PLACE or bool(kept)
        if not refused or (in_place and len(refused) < len(self.documents)):
            return
        if attempt is not None and attempt.strategy is Strategy.IN_PLACE:
            kept.append(attempt.staged)
        # The same holds where a trunk lets in only what it names; devices follow late when it is pointed back.
        if attempt is not None and attempt.detaches:
            self._detached = [(attempt.staged, self.harness.clock.now() + POINTED_BACK)]
        kept += [one for one, until in self._detached if until > self.harness.clock.now()]
        # In place there is one password and no overlap; but Vault holds it at every moment.
        stored = any(self.accepts(one.username, one.password) for one in kept)
        assert stored, f"what is published is not accepted, {label}"

    def _overlaps_last(self, state: TargetState | None, label: str) -> None:
        attempt = state.attempt if state else None
        emergency = attempt is not None and attempt.compromised
        if emergency:
            self._owed.clear()
        for path in self.paths:
            self._follow(path, emergency=emergency)
        for promised in self._owed.values():
            assert self.accepts(promised.username, promised.password), f"cut off within the overlap, {label}"

    def _follow(self, path: str, *, emergency: bool) -> None:
        now, before = self._read(path), self._handed_out.get(path, (0, None, None))
        if now == before:
            return
        version, username, password = before
        attached_only = any(one.attached_only for one in self.harness.accounts.values())  # there is no overlap then
        untouched = version > self.broken_by_people.get(path, 0) and before[1:] not in self._touched
        # A document that is withdrawn has had its overlap; what is handed out at the other path is owed one from there.
        withdrawn = now[1] is None and any(self._read(other)[1] == username for other in self.paths if other != path)
        # What people broke is in nobody's use.
        owed = not emergency and not attached_only and untouched and not withdrawn
        if username is not None and password is not None and username != now[1] and owed:
            self._owed[username] = self._owed_overlap(username, password)
        self._owed.pop(now[1] or "", None)
        self._handed_out[path] = now

    def _owed_overlap(self, username: str, password: Secret) -> OwedOverlap:
        return OwedOverlap(username, password, self.harness.clock.now() + self._overlap - self._apart)


def shown_refused(before: tuple[Ended, ...], state: TargetState | None) -> Iterator[Ended]:
    """Yields what the state says now was shown to be refused, and did not say before."""
    last = state.last_end if state is not None else None
    if state is None or last is None or last.refused_at is None:
        return
    for one in before:
        if one not in state.ended and (one.credential.username, one.at) == (last.username, last.at):
            yield one


class InvariantChecker:
    """Checks a harness: called at every boundary, and `at_rest` when everything has come to rest."""

    def __init__(
        self,
        harness: SimulatedHarness,
        targets: tuple[Target, ...] | None = None,
        *,
        apart: timedelta = timedelta(),
        overlap: timedelta | None = None,
    ) -> None:
        """Begins to watch.

        Args:
            apart: by how much the clocks of the processes differ.
            overlap: the shortest one that any policy of the run has; None: the target's.
        """
        self.harness = harness
        self.targets = targets or (harness.target,)
        self._each = [TargetInvariants(harness, one, apart, overlap or one.policy.overlap) for one in self.targets]
        self._before = self._snapshot()
        self._states = self._documents()
        self.boundaries = 0
        self._passwords: set[str] = set()

    def __call__(self, label: str) -> None:
        self.boundaries += 1
        for one in self._each:
            one(label)
        now, states = self._snapshot(), self._documents()
        if now != self._before or states != self._states:
            self._check_changes(now, (*self._states, *states), label)
            for key, (account, stored) in now.items():
                given_up = key[0] in self.harness.unconfigured
                known = given_up or key[1] in account.initial or names_credential(states, key, stored)
                assert known, f"an orphan: no document names {stored.username}, {label}"
            self._passwords |= {
                one.password.reveal() for state in states for one in _all_named(state) if one and one.password
            }
        self._before, self._states = now, states

    def after_people(self, target: Target | None = None) -> None:
        """Takes what people have just done for given; they may have broken what one target hands out."""
        self._before, self._states = self._snapshot(), self._documents()
        for one in self._each:
            if one.target.name == (target and target.name):
                one.forget_overlaps()

    def changed(self, old: str, target: Target) -> None:
        """The target that was called `old` has the name and the path of `target` from here on."""
        for one in self._each:
            if one.target.name == old:
                one.change(target)

    def at_rest(self, where: object, closed: frozenset[str] = frozenset()) -> None:
        """What must hold when nothing is due and nothing goes wrong any more; `closed`: accounts that are gone."""
        self(f"at rest after {where}")
        published: set[str | None] = set()
        for one in self._each:
            state = one.state
            assert state is not None, f"no state document, {where}"
            assert state.attempt is None, f"an attempt stays open, {where}: {state.last_error}"
            assert state.request is None, f"a request stays, {where}: {state.last_error}"
            assert state.ledger == (), f"the ledger is not empty, {where}: {[e.note for e in state.ledger]}"
            assert state.published is not None, where
            assert one.consumer is not None, where
            assert one.accepts(one.consumer.username, one.consumer.password), f"published and refused, {where}"
            assert list(one.documents) == [one.target.path], f"a document at a former path stays, {where}"
            published.add(state.published.id)
        theirs = {identity for account in self.harness.accounts.values() for identity in account.bystanders}
        assert self._named() <= {*published, *theirs}, f"a trunk names another one, {where}"
        self._no_orphan_at_rest(published, where, closed)
        self._no_password_told(where)

    def _no_password_told(self, where: object) -> None:
        """No password that any document ever held is in the audit, or in what is told of an error."""
        assert self._passwords, where
        told = [repr(self.harness.audit.records), *(one.state.last_error for one in self._each if one.state)]
        assert not any(password in text for password in self._passwords for text in told), (
            f"a password was told, {where}"
        )

    def _no_orphan_at_rest(self, published: set[str | None], where: object, closed: frozenset[str]) -> None:
        kept = published | {one.state.standby.id for one in self._each if one.state and one.state.standby}
        records = self.harness.audit.records
        done = [one for one in records if one.verb is AuditVerb.OVERWRITE and one.outcome is AuditOutcome.DONE]
        overwritten = {one.facts.get("credential") for one in done}  # with a password that nobody knows
        for account, identity, stored in self.harness.all_credentials():
            if account in (self.harness.accounts[name] for name in closed):
                continue
            # Theirs, or never adopted.
            if identity in account.bystanders or account.initial.get(identity) == stored:
                continue
            assert identity in kept or identity in account.initial, f"an orphan: {stored.username}, {where}"
            ended = not stored.enabled or identity in overwritten
            assert ended or identity in published, f"{stored.username} is left enabled, {where}"

    def _check_changes(self, now: "ProviderSnapshot", states: tuple[TargetState, ...], label: str) -> None:
        for key, (account, before) in self._before.items():
            _, after = now.get(key, (account, None))
            if after == before:
                continue
            assert key[1] not in account.bystanders, f"somebody else's credential was touched, {label}"
            if before.enabled and not (after and after.enabled):
                self._check_ending(key, before, states, label)
            ended = after is None or (before.enabled and not after.enabled) or after.password != before.password
            early = ended and any(one.owes_overlap_to(before.username) for one in self._each)
            assert not early, f"{before.username} was ended before its overlap, {label}"
            if after and before.password != after.password:
                assert may_be_set(states, key, before), f"{before.username} was set without a document, {label}"

    def _check_ending(
        self, key: "CredentialKey", stored: StoredCredential, states: tuple[TargetState, ...], label: str
    ) -> None:
        assert is_in_ledger(states, key, stored), f"{stored.username} was ended, and no ledger names it, {label}"
        emergency = any(entry.compromised for one in self._each if one.state for entry in one.state.ledger)
        assert emergency or key[1] not in self._named(), f"a trunk still named it, {label}"
        for one in self._each:
            published = one.state.published if one.state else None
            assert not denotes(published, key, stored), f"what is published was ended, {label}"
            out = [(document.username, document.password) for document in one.documents.values()]
            assert (stored.username, stored.password) not in out, f"what is handed out was ended, {label}"

    def _named(self) -> set[str | None]:
        """What trunks name, where they are shown; not where people delete what is named, or move the target away."""
        hidden = ("trunks_status", 403) in self.harness.setup.readings
        return set() if hidden or len(self.harness.accounts) > 1 else self.harness.provider.named_by_trunks()

    def _snapshot(self) -> "ProviderSnapshot":
        return {
            (name, identity): (account, stored)
            for name, account in self.harness.accounts.items()
            for identity, stored in account.stored_credentials().items()
        }

    def _documents(self) -> tuple[TargetState, ...]:
        return tuple(versioned.state for versioned in self.harness.store.states.values())


CredentialKey = tuple[str, str]  # of the account, and of the credential in it
ProviderSnapshot = dict[CredentialKey, tuple[ProviderAccount, StoredCredential]]


def denotes(credential: Credential | None, key: CredentialKey, stored: StoredCredential) -> bool:
    if credential is None or credential.account != key[0]:
        return False
    if credential.id is not None:
        return credential.id == key[1]
    by_attempt = credential.attempt is not None and credential.attempt in stored.note
    return by_attempt or (bool(credential.username) and credential.username == stored.username)


def is_in_ledger(states: tuple[TargetState, ...], key: CredentialKey, stored: StoredCredential) -> bool:
    return any(denotes(entry.credential, key, stored) for state in states for entry in state.ledger)


def may_be_set(states: tuple[TargetState, ...], key: CredentialKey, stored: StoredCredential) -> bool:
    attempts = [state.attempt for state in states if state.attempt is not None]
    concerned = (one for attempt in attempts for one in (attempt.staged, attempt.predecessor))
    return any(denotes(one, key, stored) for one in concerned) or is_in_ledger(states, key, stored)


def names_credential(states: tuple[TargetState, ...], key: CredentialKey, stored: StoredCredential) -> bool:
    return any(denotes(one, key, stored) for state in states for one in _all_named(state))


def _all_named(state: TargetState) -> Iterator[Credential | None]:
    yield from (state.published, state.standby)
    if state.attempt is not None:
        yield from (state.attempt.staged, state.attempt.predecessor)
    yield from (entry.credential for entry in state.ledger)
