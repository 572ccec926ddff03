"""A fleet, its processes and everything around them, on one queue of events. Deterministic: one seed makes everything.

Time passes only between two events and where a call waits, so that an idle year costs nothing. Processes do not
interleave inside an effect (`test_any_order` does that); they crash there, and answers are lost there.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from hashlib import sha256
from itertools import count
from random import Random
from typing import TypeVar
from zlib import crc32

from engine_harness import DAY
from few_targets import fleet_documents
from fleet_accounts import CredentialChange, FleetAccount, account_names, fleet_account
from fleet_agenda import Agenda
from fleet_judge import FleetJudge
from fleet_processes import LIMITS, POLICIES, Countdown, FleetProcess, OffsetClock
from fleet_vault import FleetStore
from simulated_accounts import LAG, STANDING

from rotator.core.actions import Step
from rotator.core.adoption import AdoptionImpossible
from rotator.core.holding import Hold, HoldReason
from rotator.core.left_over import left_over
from rotator.core.model import Phase, Policy, Request, Strategy, Target
from rotator.core.removal import RemovalImpossible
from rotator.engine import Engine, FormerNames, Look, Outcome, Pacing
from rotator.ports import StoreError
from rotator.testing import Crash, FakeClock, FakeRandomness, MemoryAudit
from rotator.testing.clock import START
from rotator_simulator.account import Propagation

SWEEP = 60 * DAY  # every process looks at every target this often, whatever the last look said
_SWEEP_WITH_WRONG_CLOCKS = 30 * DAY
_TAKE_OVER = timedelta(seconds=20)  # from the end of a process until another one does its work
_FOLDS_CASE = 0.3  # of the accounts: usernames are kept in lower case
_NEW_PAIRS = 0.5  # of those that alternate: the second username is not there yet
_STRAYS = 0.1  # of the looks, done by a process that the target does not belong to
_OPEN = timedelta(minutes=10)  # until the next look at a target on which something is under way
T = TypeVar("T")
_FRUITS = {Step.CLOSE, Step.UNDO, Step.DISABLE, Step.DELETE}


@dataclass(frozen=True)
class HistoryLine:
    """One thing that happened."""

    at: datetime
    target: str  # empty: it concerns no one target
    text: str

    def __str__(self) -> str:
        return f"{str(self.at)[:19]}  {self.target:8} {self.text}"


def _is_until_window(look: Look) -> bool:
    """True if it waits for its window, which is not to be missed because of what was in vain before."""
    return look.hold is not None and look.hold.reason is HoldReason.OUTSIDE_WINDOW


class FleetWorld:
    """Accounts, Vault, targets, processes and the queue."""

    def __init__(
        self,
        seed: int,
        targets: int = 100,
        processes: int | None = None,
        policies: Sequence[Policy] = POLICIES,
        begin: datetime = START,
    ) -> None:
        rng = Random(f"{seed} world")
        self.seed = seed
        self.policies = {policy.name: policy for policy in policies}  # as the configuration file has them now
        self.lag = rng.choice((Propagation(), LAG))
        self.clock = FakeClock()
        self.clock.advance(begin - START)
        self.judge = FleetJudge(self)
        self.store = FleetStore(self.clock, self.judge.after_publish)
        self.points = self.store.points = Countdown()
        self.luck = Random(f"{seed} luck")
        self.audit = MemoryAudit()
        self.history: list[HistoryLine] = []
        self._trace = sha256()
        self.looks = 0
        self.acting: tuple[FleetProcess | None, Target] | None = None  # who works on what; None: a command
        self._holders = count(1)
        self.agenda = Agenda()
        self.accounts = {name: self._account(name, rng) for name in account_names(targets)}
        self.identities = {  # the name of each account by how its provider knows it
            identity: key
            for key, one in self.accounts.items()
            if not key.startswith("telnyx")  # it does not say which account a key belongs to
            and (identity := one.identity)
        }
        self.had_another_key = False
        self.targets: dict[str, Target] = {}  # as the configuration file has them now
        names = list(self.accounts)
        for number in range(targets):
            self._add_target(f"phone{number:02d}", names[number % len(names)], rng)
        self.removed: dict[str, Target] = {}  # from the configuration, and may come back
        self.given_up: set[str] = set()  # accounts that the configuration does not have any more
        self.processes = [self._process(f"process-{number}") for number in range(processes or rng.choice((2, 3)))]
        for process in self.processes:
            self.plan_all(process)

    def _account(self, name: str, rng: Random) -> FleetAccount:
        made = fleet_account(name, self.clock, rng, self._changed)
        made.provider.points = self.points
        made.provider.account.folds_case = Random(f"{self.seed} {name} letters").random() < _FOLDS_CASE
        return made

    def _changed(self, change: CredentialChange) -> None:
        self.judge.after_change(change)

    def _add_target(self, name: str, account: str, rng: Random) -> None:
        home = self.accounts[account]
        strategy = rng.choice(home.strategies)
        is_pair = strategy is Strategy.ALTERNATING
        usernames: tuple[str, ...] = (name, f"{name}b") if is_pair else (name,)
        new = is_pair and Random(f"{self.seed} {name} letters").random() < _NEW_PAIRS
        if new:
            usernames = name, f"{name}B"  # rotator creates it, in whatever letters the provider keeps it
        if home.provider.kind == "telnyx":
            usernames = ()
        there = usernames[:1] if new else usernames
        for username in there:
            home.person_creates(username, STANDING)
        policy = rng.choice(list(self.policies.values()))
        self.targets[name] = Target(name, account, strategy, usernames, f"sip/{name}", policy, new=new)
        self.judge.begin(self.targets[name], there)

    # -- processes

    def _process(self, name: str) -> FleetProcess:
        clock = OffsetClock(self.clock)
        return FleetProcess(name, clock, self._engine(name, clock, {}), dict(self.targets))

    def _engine(self, name: str, clock: OffsetClock, keys: Mapping[str, str]) -> Engine:
        configured = {key: keys.get(key, key) for key in self.accounts if key not in self.given_up}
        randomness = FakeRandomness(self.luck.randrange(1 << 30))
        return Engine(
            store=self.store,
            providers={key: self.accounts[meant].adapter(clock, randomness) for key, meant in configured.items()},
            clock=clock,
            randomness=randomness,
            audit=self.audit,
            holder=f"{name}-{next(self._holders)}",
            limits=LIMITS,
            observe=lambda target, state: None,
            stopping=lambda: False,
            pacing=Pacing(configured),
            documents=fleet_documents(self.store, clock, former_names=FormerNames(self.store, frozenset(self.targets))),
        )

    def restart(self, process: FleetProcess, after: timedelta) -> None:
        """A process ends, and begins again with the configuration of now."""
        process.down_until = self.clock.now() + after
        self.reload(process, anew=True)

    def reload(self, process: FleetProcess, *, anew: bool = False) -> None:
        """A process reads the configuration again. A look at a target that is as before would find nothing new."""
        before, process.targets = process.targets, dict(self.targets)
        if anew or before != process.targets:
            process.engine = self._engine(process.name, process.clock, process.keys)
        for name in {**before, **self.targets}:
            if self.targets.get(name) != before.get(name):
                self.agenda.plan(self.processes.index(process), name, self.clock.now() + timedelta(seconds=1))

    def plan_all(self, process: FleetProcess) -> None:
        """A process looks at every target again."""
        number = self.processes.index(process)
        start = max(self.clock.now(), process.down_until or self.clock.now())
        for name in self.judge.targets:
            self.agenda.plan_anew(number, name, start + timedelta(seconds=60 * self.luck.random()))

    def look_at_all(self) -> None:
        """Every target is looked at again, each by one process."""
        for name in self.judge.targets:
            self._plan_soon(self.luck.randrange(len(self.processes)), name)

    def wake(self, name: str) -> None:
        """Something happened to a target: every process notices at its next poll."""
        for number in range(len(self.processes)):
            self._plan_soon(number, name)

    def _plan_soon(self, number: int, name: str) -> None:
        self.agenda.plan_anew(number, name, self.clock.now() + timedelta(seconds=1 + 60 * self.luck.random()))

    # -- time

    def later(self, after: timedelta, act: Callable[[], object]) -> None:
        """Something happens by itself after a while."""
        self.agenda.act_at(self.clock.now() + after, act)

    def run_until(self, end: datetime) -> None:
        """Runs everything that is due before `end`."""
        while (due := self.agenda.next_before(end)) is not None:
            if due.at > self.clock.now():
                self.clock.advance(due.at - self.clock.now())
            if due.act is None:
                self._look(due.number, due.name, from_memory=due.from_memory)
            else:
                due.act()
        if end > self.clock.now():
            self.clock.advance(end - self.clock.now())

    def _look(self, number: int, name: str, *, from_memory: bool) -> None:
        process = self.processes[number]
        target = process.targets.get(name) or self._left_over(name)
        if target is None:
            return
        if process.down_until is not None and self.clock.now() < process.down_until:
            self.agenda.plan(number, name, process.down_until + timedelta(seconds=60 * self.luck.random()))
            for other in self.live():  # something may be due
                self.agenda.plan(self.processes.index(other), name, self.clock.now() + _TAKE_OVER, only_earlier=True)
            return
        self.looks += 1
        lags = any(self.store.lags)
        self.points.left = process.crash_after
        self.acting = (process, target)
        look = None
        try:
            look = process.engine.look(target, fresh=not from_memory)
        except Crash as crash:
            self.note(name, f"{process.name} dies, {' '.join(str(crash).split()[:2])}; {crash}")
            self.restart(process, timedelta(seconds=10 + 600 * self.luck.random()))
            self.wake(name)
        finally:
            self.acting, process.crash_after, self.points.left = None, self.points.left, 0
        if look is not None:
            self._after_look(number, look, from_memory=from_memory)
        if lags and (look is None or look.outcome is not Outcome.VAULT):
            self._plan_soon(number, name)  # it did not see what is there; a daemon's sweep comes by within minutes
        self.judge.after_look(target, look)

    def _left_over(self, name: str) -> Target | None:
        """What is left of a target that a process does not have in its configuration."""
        versioned = self.store.states.get(name)
        return left_over(versioned.state, self.policies) if versioned is not None and not versioned.deleted else None

    def _version(self, name: str) -> int:
        current = self.store.states.get(name)
        return current.version if current else 0

    def _after_look(self, number: int, look: Look, *, from_memory: bool) -> None:
        process, name, now = self.processes[number], look.target, self.clock.now()
        if look.steps:
            self.note(name, f"{process.name}: {' '.join(look.steps)}: {look.outcome.value}; {look.message}")
        wrong = process.clock.offset or self.store.ahead
        sweep = now + (_SWEEP_WITH_WRONG_CLOCKS if wrong else SWEEP) * (0.75 + 0.5 * self.luck.random())
        following = sweep if look.next_look is None else min(look.next_look - process.clock.offset, sweep)
        fruitful = self._is_applied(look) or bool(_FRUITS & set(look.steps)) or _is_until_window(look)
        pause = self.agenda.pause_after(number, name, fruitful=fruitful)
        open_state = look.state if look.state is not None and (look.state.attempt or look.state.request) else None
        decides_the_same = from_memory and not look.steps and look.next_look is not None  # until then
        if open_state is not None and not decides_the_same:
            following = min(following, now + _OPEN)
        following = max(following, now + pause)
        if look.outcome is Outcome.VAULT and self.store.unavailable_until is not None:
            following = max(following, self.store.unavailable_until + timedelta(seconds=60 * self.luck.random()))
        self._divide(number, name, following, sweep)

    def _is_applied(self, look: Look) -> bool:
        """True if something was put into force: whether it is accepted, which devices may wait for, is soon asked."""
        attempt = look.state.attempt if look.state is not None else None
        return Step.APPLY in look.steps and attempt is not None and attempt.phase is Phase.APPLIED

    def _divide(self, number: int, name: str, following: datetime, sweep: datetime) -> None:
        """What is due is done by the process to which the target belongs, now and then by another; each sweeps.

        Whoever takes it over has been told of what others wrote, and reads it before it does anything.
        """
        owner = crc32(name.encode()) % len(self.processes)
        if self.luck.random() < _STRAYS:
            owner = self.luck.randrange(len(self.processes))
        here = owner == number
        if not here:
            self.agenda.plan(number, name, sweep)
        self.agenda.plan(owner, name, following, only_earlier=not here, from_memory=here and following < sweep)

    def note(self, target: str, text: str) -> None:
        """Keeps one line of history, and adds what was done to the trace: a message may name a port or an id."""
        line = HistoryLine(self.clock.now(), target, text)
        self._trace.update(str(line).partition(";")[0].encode())
        self.history.append(line)

    @property
    def trace(self) -> str:
        """A hash of everything that happened so far."""
        return self._trace.hexdigest()

    # -- what people ask rotator for

    def request(self, name: str, request: Request) -> bool:
        """Somebody asks for something, with the command line; False if Vault did not store it, whatever it answered."""
        version, target = self._version(name), self.targets[name]
        self.command(target, lambda engine: engine.request(target, request))
        self.wake(name)
        return self._version(name) != version

    def command(self, target: Target, act: Callable[[Engine], T], dies_at: int = 0) -> T | Hold | None:
        """Somebody runs a command, in a process of its own; None if it could not be carried out.

        Args:
            dies_at: the boundary at which the process dies; 0: none.
        """
        engine = self._engine("command", OffsetClock(self.clock), {})
        self.acting, self.points.left = (None, target), dies_at
        try:
            return act(engine)
        except (Crash, StoreError, RemovalImpossible, AdoptionImpossible):
            return None
        finally:
            self.acting, self.points.left = None, 0
            self.judge.raise_broken()

    def change_target(self, name: str, **changes: object) -> None:
        """Somebody edits a target in the configuration file; each process reads it at its next reload."""
        self.targets[name] = replace(self.targets[name], **changes)  # type: ignore[arg-type]

    def remove_target(self, name: str) -> Target:
        """Somebody takes a target out of the configuration file."""
        self.judge.targets[name].removed_since = self.clock.now()
        return self.targets.pop(name)

    def add_target(self, target: Target) -> None:
        """Somebody adds a target to the configuration file."""
        self.judge.targets[target.name].removed_since = None
        self.targets[target.name] = replace(target, policy=self.policies[target.policy.name])

    def change_policy(self, policy: Policy) -> None:
        """Somebody edits a policy in the configuration file."""
        self.policies[policy.name] = policy
        for name, target in self.targets.items():
            if target.policy.name == policy.name:
                self.change_target(name, policy=policy)

    def live(self) -> Iterable[FleetProcess]:
        """The processes that run now."""
        now = self.clock.now()
        return [one for one in self.processes if one.down_until is None or one.down_until <= now]
