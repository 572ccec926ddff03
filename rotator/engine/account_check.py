"""A check of an account: what it shows by reading, and by the life of a scratch credential. For `check-provider`."""

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, replace

from rotator.core import evidence as known
from rotator.core.answers import Done
from rotator.core.evidence import AccountEvidence, AssumptionResult, Scratch
from rotator.core.exchanges import ProviderExchange
from rotator.core.model import Credential, Target, is_same_name
from rotator.core.secret import Secret
from rotator.engine import account_reading
from rotator.engine.account_reading import AccountReading
from rotator.engine.check_results import CheckResults, CheckStopped
from rotator.engine.conflicts import repeat_on_conflict
from rotator.engine.provider_caller import message_of
from rotator.engine.scratch_ground import Ground
from rotator.engine.scratch_life import ScratchLife
from rotator.ports import Audit, Clock, Provider, Randomness, Store

BY_WRITING = (
    known.CREATES,
    known.FINDS,
    known.LOGS_IN,
    known.WRONG_REFUSED,
    known.UNATTACHED,
    known.SETS,
    known.NEW_LOGS_IN,
    known.OLD_REFUSED,
    known.SETS_AGAIN,
    known.LONGER,
    known.EXPIRES,
    known.LIFTS_END,
    known.DISABLES,
    known.DISABLED_REFUSED,
    known.ENABLES,
    known.ENABLED_LOGS_IN,
    known.DELETES,
    known.DELETED_REFUSED,
    known.DELETES_AGAIN,
    known.PROPAGATES,
)
"""What the life of a scratch credential shows, or could."""


class CheckImpossible(Exception):
    """The check cannot be made so; the message says what to do instead."""


@dataclass(frozen=True, slots=True)
class CheckReport:
    """What a check has shown, and what it could not clean up."""

    account: str
    results: tuple[AssumptionResult, ...]  # of this run
    evidence: AccountEvidence  # with what earlier runs have shown
    exchanges: tuple[ProviderExchange, ...]
    left: tuple[str, ...]  # scratch credentials that are still there, and why


class AccountCheck:
    """Checks one account."""

    def __init__(
        self,
        account: str,
        key: str,
        provider: Provider,
        targets: Sequence[Target],
        *,
        store: Store,
        clock: Clock,
        randomness: Randomness,
        audit: Audit,
        holder: str,
        version: str,
        learn: Callable[[Secret | None], None] = lambda _: None,
        users: Callable[[], Sequence[Target]] | None = None,
        names: Collection[str] = (),
        going_on: Callable[[str], None] = lambda _: None,
    ) -> None:
        """Prepares a check without connecting.

        Args:
            account: its name in the configuration.
            key: of its evidence document.
            targets: those that use it.
            holder: names this process.
            version: of rotator, for the evidence.
            learn: is told of every password.
            users: returns every target that may use a credential of the account, also by another name of it, and those
                that were removed; by default `targets`.
            names: all names of the account in the configuration.
            going_on: is told the key of each assumption before its result is added. If it raises CheckStopped, the
                check ends as if the process must stop.
        """
        self._users, self._names = users or (lambda: targets), frozenset({account, *names})
        self._account, self._provider, self._targets, self._version = account, provider, targets, version
        self._store, self._clock, self._randomness, self._learn = store, clock, randomness, learn
        self._results = CheckResults(clock, going_on)
        self._ground = Ground(account, key, provider, store, clock, randomness, audit, holder)

    def find_expendable(self, name: str) -> Credential:
        """Returns the credential with this id or username. Raises CheckImpossible, also if anybody may use it."""
        asked = [Credential(self._account, "", name), Credential(self._account, name)]
        answers = [self._provider.find(one) for one in asked]
        found = [one for answer in answers if isinstance(answer, Done) for one in answer.value]
        if not found:
            why = "; ".join(message_of(one) for one in answers if not isinstance(one, Done))
            raise CheckImpossible(f"{self._account} has no {name!r}" + (f": {why}" if why else ""))
        for target in self._users():
            named = target.account in self._names and target.names(found[0].username)
            if named or any(self._is_one(each, found[0]) for each in self._used_by(target)):
                raise CheckImpossible(f"{found[0].username} is not expendable: target {target.name} uses it")
        self._learn(found[0].password)
        return found[0]

    def _used_by(self, target: Target) -> Iterator[Credential]:
        state = self._store.read_state(target.name).state
        yield from (one.credential for one in state.ledger)
        yield from (one for one in (state.published, state.standby) if one is not None)
        if state.attempt is not None:
            yield state.attempt.staged

    def _is_one(self, one: Credential, other: Credential) -> bool:
        same = one.id is not None and one.id == other.id
        return one.account in self._names and (same or is_same_name(one.username, other.username))

    @property
    def left_behind(self) -> tuple[Scratch, ...]:
        """What an earlier check has left, or another one works on. Raises StoreError."""
        return self._ground.read().scratch

    def read(self, by: str) -> CheckReport:
        """Checks what reading shows, and keeps it. Raises StoreError, CheckStopped: nothing is kept."""
        reached = AccountReading(self._account, self._provider, self._clock, self._results).read(self._targets)
        self._ground.read()
        return self._kept(by, account_reading.COVERED if reached else (), ())

    def write(self, by: str, living: tuple[str, ...], expendable: str | None = None) -> CheckReport:
        """Cleans up what an earlier check left, and checks everything.

        Raises StoreError, CheckRuns and CheckImpossible. CheckStopped: the process must stop; what was made is deleted
        if possible.

        Args:
            by: who asked for it.
            living: the holders of the processes that live.
            expendable: for kinds that cannot be created: the id or username of the one whose password may be changed.
        """
        self._ground.take(living)
        life = ScratchLife(self._provider, self._clock, self._randomness, self._results, self._ground, self._learn)
        try:
            self._ground.clean_up(life.tried)
            reached = self._check_everything(life, expendable)
            left = self._ground.clean_up(life.tried)
        except CheckStopped:
            self._ground.clean_up(lambda call: call())
            raise
        forms = (one.key for one in self._provider.first_forms.values())
        covered = (*account_reading.COVERED, *(one.key for one in BY_WRITING), *forms)
        written_at = self._clock.now() if reached else self._ground.evidence.written_at
        self._ground.write(replace(self._ground.evidence, holder="", written_at=written_at))
        return self._kept(by, covered if reached else (), tuple(left))

    def _check_everything(self, life: ScratchLife, expendable: str | None) -> bool:
        """Returns False if nothing can be asked of the account: that takes nothing back that was shown before."""
        reading = AccountReading(self._account, self._provider, self._clock, self._results)
        if not reading.read(self._targets):
            return False
        if expendable is not None:  # looked up after the cleaning: an earlier check may have set its password back
            life.work_on(self._ground.keep_expendable(self.find_expendable(expendable)))
        else:
            life.live(next(iter(reading.found), None), self._neighbour(reading.found), reading.trunk)
        return True

    def _neighbour(self, found: Sequence[Credential]) -> Credential | None:
        """Returns a published credential that something at the provider names: devices log in with it."""
        if not self._provider.capabilities.attaches:
            return None
        published = [self._store.read_state(target.name).state.published for target in self._targets]
        here = [one for one in published if one is not None and one.account == self._account and one.password]
        answer = self._provider.attachments([*found, *here])
        named = {one.credential_id for one in answer.value} if isinstance(answer, Done) else set()
        return next((one for one in here if one.id in named), None)

    def _kept(self, by: str, covered: Sequence[str], left: tuple[str, ...]) -> CheckReport:
        results = self._results.all

        def keep() -> AccountEvidence:
            evidence = self._ground.read().with_results(results, covered)
            self._ground.write(replace(evidence, checked_at=self._clock.now(), checked_by=by, rotator=self._version))
            return self._ground.evidence

        evidence = repeat_on_conflict(keep, self._clock)
        return CheckReport(self._account, results, evidence, tuple(self._results.exchanges), left)
