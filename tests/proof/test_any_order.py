"""Anything in any order: two processes, step by step, on two targets at two accounts, while everything around them
fails, is reconfigured, has its clocks set and is changed by people. Hypothesis looks for the order that breaks a
promise.
"""

from collections import Counter
from collections.abc import Callable, Collection
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from functools import wraps
from typing import Any

import pytest
from engine_harness import DAY
from hypothesis import HealthCheck, Phase, settings, stateful
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, run_state_machine_as_test
from interleaving import Interleaving, Process
from invariants import InvariantChecker
from lagging_standby import StandbyStore
from process_variants import SkewedClock
from simulated_accounts import SETUPS, ProviderAccount, RequestFault, Setup, SimulatedHarness

from rotator.core.adoption import AdoptionImpossible, KnownToOperator
from rotator.core.audit_words import AuditVerb
from rotator.core.backoff import Backoff
from rotator.core.holding import Hold
from rotator.core.model import Purpose, Request, Strategy, Target
from rotator.core.origin import Origin
from rotator.core.removal import RemovalImpossible, after_forgetting
from rotator.core.schedule import Every
from rotator.core.secret import Secret
from rotator.observe.target_words import BLOCKED
from rotator.ports import Conflict, StoreDenied, StoreError, StoreUnavailable

SKEWS = (timedelta(), timedelta(minutes=-10), timedelta(minutes=10))
DAYS_OFF = (timedelta(hours=26), -timedelta(hours=26), 40 * DAY, -40 * DAY)
REST = 25 * DAY
VERIFIED_EVERY = 3 * DAY
# The others cannot end what they leave behind, or have to be granted access by hand where they come to.
_MOVES = {"vobiz", "telnyx"}
_WITH_IDENTITY = {"vobiz", "vobiz-endpoint", "apinizer"}  # of Telnyx, nothing but the key names the account
WHO = st.integers(0, 1)
NAME = st.sampled_from(["office", "lobby"])
ACCOUNT = st.sampled_from(["one", "two"])
_STEPS = st.integers(0, 8)


def rule(**arguments: Any) -> Callable[[Callable[..., None]], Any]:
    """A rule of the machine that counts how often it fires. After each of them both processes go on for a while.

    Otherwise the share of their steps would shrink with every rule that is added, and an event matters amid their work.
    """

    def decorate(function: Callable[..., None]) -> Any:
        @wraps(function)
        def counted(self: "AnyOrder", then: tuple[int, int], **drawn: Any) -> None:
            self.fired[function.__name__] += 1
            function(self, **drawn)
            for who, number in enumerate(then):
                self.go_on(who, number)

        return stateful.rule(**arguments, then=st.tuples(_STEPS, _STEPS))(counted)

    return decorate


def _verified(target: Target) -> Target:
    return replace(target, policy=replace(target.policy, verify=VERIFIED_EVERY))


def _by_hand(account: ProviderAccount, identity: str, how: str) -> None:
    stored = account.stored_credentials()[identity]
    is_theirs = account.initial.get(identity) == stored  # nobody has adopted it: what they make of it stays theirs
    if how == "disable":
        account.person_changes(identity, enabled=False)
    elif how == "set":
        account.person_changes(identity, password=Secret("Typed1$by-hand"))
    else:
        account.person_changes(identity, delete=True)
        account.initial.pop(identity, None)
        # What is deleted at Apinizer takes its grants with it; only a person can say which they were.
        if account.kind == "apinizer" or (how == "create again" and account.kind != "telnyx"):
            _create_by_hand(account, stored.username)
    if is_theirs and how in ("disable", "set"):
        account.initial[identity] = account.stored_credentials()[identity]


def _create_by_hand(account: ProviderAccount, username: str) -> None:
    before = dict(account.initial)
    account.add(username)
    account.initial = before | {
        identity: stored for identity, stored in account.stored_credentials().items() if stored.username == username
    }


def _mend_by_hand(account: ProviderAccount, username: str) -> None:
    """In place, nothing can be created, and some providers do not let rotator enable what was disabled."""
    there = {stored.username: identity for identity, stored in account.stored_credentials().items()}
    if username not in there:
        _create_by_hand(account, username)
    else:
        account.person_changes(there[username], enabled=True)


class AnyOrder(RuleBasedStateMachine):
    """Two processes, a command line, an operator, and bad luck."""

    def __init__(self, setup: Setup, fired: Counter[str]) -> None:
        super().__init__()
        self.setup, self.fired = setup, fired
        self.harness = SimulatedHarness(setup, ("one", "two"))
        self.harness.store = StandbyStore(self.harness.clock)
        limits = self.harness.limits
        self.harness.limits = replace(limits, backoff=Backoff(limits.backoff.base, timedelta(hours=6)))
        self.targets = {name: _verified(setup.target(name=name)) for name in ("office", "lobby")}
        if setup.adopts:
            self.harness.add_everywhere("lobby")
        self.checker = InvariantChecker(
            self.harness, tuple(self.targets.values()), apart=SKEWS[2] - SKEWS[1], overlap=DAY
        )
        self.turns = Interleaving(self.harness, self.checker)
        self.harness.watch_with(self.turns.turns)
        self.client = self.harness.engine()
        self.set_back = 0
        self.touched: set[str] = set()  # by people's hands
        self.keys: dict[str, str] = {}  # by account, the one whose key the next process gets instead
        self.closed: set[str] = set()  # accounts that never come back
        self.renaming: dict[str, tuple[str, str]] = {}  # renames that were begun and not ended

    @initialize(skews=st.tuples(st.sampled_from(SKEWS), st.sampled_from(SKEWS)), folds=st.booleans())
    def begin(self, skews: tuple[timedelta, timedelta], folds: bool) -> None:
        """Two processes, at accounts of a provider that keeps usernames in lower case, or does not."""
        self.skews = skews
        for account in self.harness.accounts.values():
            account.account.folds_case = folds
        if folds:
            self.fired["a provider that folds case"] += 1
        self.configured = [dict(self.targets), dict(self.targets)]
        self.pair = [self._process(who) for who in (0, 1)]

    def _process(self, who: int) -> Process:
        engine = self.harness.engine(SkewedClock(self.harness, self.skews[who]), keys=self.keys)

        def looks() -> None:
            for _ in range(2):
                for target in tuple(self.configured[who].values()):
                    engine.look(target)

        return self.turns.start(looks)

    # -- what the processes do

    def go_on(self, who: int, number: int) -> None:
        """Takes a process across so many boundaries, into its next looks if these end."""
        self.fired["boundaries"] += number
        for _ in range(number):
            if self.pair[who].ended:
                self.pair[who] = self._process(who)
            self.pair[who].step()

    @rule(who=WHO)
    def crash(self, who: int) -> None:
        self._restart(who)

    def _restart(self, who: int) -> None:
        self.pair[who].kill()
        self.pair[who] = self._process(who)

    @rule(seconds=st.sampled_from([1, 5, 15, 70]))
    def time_passes(self, seconds: int) -> None:
        self.turns.pass_time(timedelta(seconds=seconds))

    @rule(hours=st.sampled_from([1, 25, 24 * 8, 24 * 91]))
    def long_time_passes(self, hours: int) -> None:
        self.turns.finish()
        self.harness.clock.advance(timedelta(hours=hours))

    # -- what people ask for

    @rule(
        name=NAME,
        purpose=st.sampled_from(Purpose),
        compromised=st.booleans(),
        take_over=st.booleans(),
    )
    def ask(self, name: str, purpose: Purpose, compromised: bool, take_over: bool) -> None:
        rotate = purpose is Purpose.ROTATE
        flags = {"compromised": compromised and rotate, "take_over": take_over and rotate}
        request = Request(purpose, "tester", "because", self.harness.clock.now(), **flags)
        with suppress(Conflict, StoreUnavailable, StoreDenied):  # said to whoever asked
            self.client.request(self.targets[name], request)

    @rule(who=WHO, name=NAME)
    def target_is_removed(self, who: int, name: str) -> None:
        self.configured[who].pop(name, None)

    @rule(who=WHO)
    def configuration_is_loaded(self, who: int) -> None:
        self.configured[who] = dict(self.targets)

    @rule(days=st.sampled_from([30, 90]), overlap=st.sampled_from([DAY, 2 * DAY]))
    def policy_is_changed(self, days: int, overlap: timedelta) -> None:
        policy = replace(self.targets["office"].policy, schedule=Every(days * DAY), overlap=overlap)
        self.targets = {name: replace(target, policy=policy) for name, target in self.targets.items()}

    @rule(name=NAME, strategy=st.sampled_from(Strategy))
    def strategy_is_changed(self, name: str, strategy: Strategy) -> None:
        if any(one.kind == self.setup.kind and one.strategy is strategy for one in SETUPS):
            self._change(name, self.setup.target(self.targets[name].account, name, strategy))

    @precondition(lambda self: self.setup.kind in _MOVES)
    @rule(name=NAME, account=ACCOUNT)
    def target_is_moved(self, name: str, account: str) -> None:
        self._change(name, replace(self.targets[name], account=account))

    def _change(self, name: str, target: Target) -> None:
        now = self.targets[name]
        self.targets[name] = replace(target, name=now.name, path=now.path, policy=now.policy)

    @rule(name=NAME)
    def target_is_renamed(self, name: str) -> None:
        """The processes have the new name from when they load their configuration again."""
        old = self.targets[name].name
        self._rename(name, *self.renaming.get(name, (old, f"{name}-2" if old == name else name)))

    def _rename(self, name: str, old: str, new: str) -> None:
        self.renaming[name] = old, new
        try:
            moved = self.client.removal.rename(old, new, origin=Origin("tester", "because"))
        except RemovalImpossible:
            del self.renaming[name]
            return
        except StoreError:
            return
        if not isinstance(moved, Hold):
            del self.renaming[name]
            self.targets[name] = replace(self.targets[name], name=new)
            self.checker.changed(old, self.targets[name])

    @rule(name=NAME)
    def path_is_changed(self, name: str) -> None:
        """The processes publish at the new path as well from when they load their configuration again."""
        target, path = self.targets[name], f"sip/{name}"
        self.targets[name] = replace(target, path=path if target.path != path else f"{path}/new")
        self.checker.changed(target.name, self.targets[name])

    @rule(name=NAME)
    def attempt_is_given_up(self, name: str) -> None:
        self._give_up(name)

    def _give_up(self, name: str) -> None:
        versioned = self.harness.store.states.get(self.targets[name].name)
        attempt = versioned.state.attempt if versioned is not None else None
        if attempt is not None:
            with suppress(StoreError):
                self.client.abandon(self.targets[name], attempt.id, Origin("tester", "because"))

    @rule(name=NAME)
    def target_is_adopted(self, name: str) -> None:
        with suppress(StoreError, AdoptionImpossible):
            plan = self.client.plan_adoption(self.targets[name], KnownToOperator())
            self.touched.add(name)  # if only the state document can be written, the command has to be repeated
            self.client.adopt(self.targets[name], KnownToOperator(), plan, Origin("tester", "because"))

    # -- what goes wrong

    def _all_are_published(self) -> bool:
        states = [self.harness.store.states.get(target.name) for target in self.targets.values()]
        return all(one is not None and one.state.published is not None for one in states)

    @precondition(lambda self: self.setup.kind in _WITH_IDENTITY and self._all_are_published())
    @rule(who=WHO)
    def keys_are_mixed_up(self, who: int) -> None:
        """A process starts with the keys of the two accounts exchanged; before a first rotation nobody could tell."""
        self.keys = {"one": "two", "two": "one"}
        self._restart(who)

    @rule()
    def keys_are_right(self) -> None:
        self.keys = {}
        for who in (0, 1):
            self._restart(who)

    @precondition(lambda self: self.setup.kind in _MOVES and not self.closed)
    @rule(account=ACCOUNT)
    def account_is_closed(self, account: str) -> None:
        self.closed.add(account)
        self._obey_closing()

    def _obey_closing(self) -> None:
        for account in self.closed:
            self.harness.accounts[account].transport.faults.clear()
            self.harness.accounts[account].transport.plan = lambda _: RequestFault.UNAUTHORIZED

    @rule(fault=st.sampled_from(RequestFault), times=st.sampled_from([1, 4, 9]), account=ACCOUNT)
    def provider_fails(self, fault: RequestFault, times: int, account: str) -> None:
        if account not in self.closed:
            self.harness.accounts[account].transport.faults += [fault] * times

    @rule(account=ACCOUNT, number=st.integers(0, 7))
    def call_is_active(self, account: str, number: int) -> None:
        self.harness.accounts[account].start_call_on(number)

    @rule(account=ACCOUNT)
    def provider_recovers(self, account: str) -> None:
        self.harness.accounts[account].clear_faults()
        self._obey_closing()

    @rule(
        error=st.sampled_from(
            [StoreUnavailable("sealed"), StoreDenied("the token has expired"), Conflict("a standby")]
        ),
        times=st.integers(1, 6),
    )
    def vault_fails(self, error: Exception, times: int) -> None:
        self.harness.store.failing += [error] * times

    @rule(times=st.integers(1, 2))
    def vault_loses_answers(self, times: int) -> None:
        self.harness.store.losing += [StoreUnavailable("the answer was lost")] * times

    @rule(reads=st.lists(st.booleans(), min_size=1, max_size=5))
    def a_standby_lags(self, reads: list[bool]) -> None:
        self.harness.store.lags = reads

    @rule(name=NAME, may=st.booleans())
    def rights_are_changed(self, name: str, may: bool) -> None:
        paths = self.harness.store.unpublishable
        (paths.discard if may else paths.add)(self.targets[name].path)

    @rule(jump=st.sampled_from([timedelta(minutes=20), timedelta(hours=30), 40 * DAY]))
    def clocks_are_set_ahead(self, jump: timedelta) -> None:
        self.harness.clock.jump(jump)

    @precondition(lambda self: self.set_back < 3)
    @rule(jump=st.sampled_from([timedelta(minutes=20), timedelta(hours=30)]))
    def clocks_are_set_back(self, jump: timedelta) -> None:
        self.set_back += 1
        self.harness.clock.jump(-jump)

    @rule(who=WHO, off=st.sampled_from(DAYS_OFF))
    def one_clock_is_days_off(self, who: int, off: timedelta) -> None:
        """Vault's is right then: nobody could tell if both were wrong."""
        self.harness.store.ahead = timedelta()
        self.skews = (off, self.skews[1]) if who == 0 else (self.skews[0], off)
        self._restart(who)

    @rule(off=st.sampled_from(DAYS_OFF))
    def vaults_clock_is_days_off(self, off: timedelta) -> None:
        self._set_clocks_right()
        self.harness.store.ahead = off

    @rule()
    def clocks_are_right(self) -> None:
        self._set_clocks_right()

    def _set_clocks_right(self) -> None:
        self.harness.store.ahead = timedelta()
        self.skews = (timedelta(), timedelta())
        for who in (0, 1):
            self._restart(who)

    @rule(account=ACCOUNT, method=st.sampled_from(["DELETE", "PUT", "PATCH", "POST"]))
    def one_verb_is_forbidden(self, account: str, method: str) -> None:
        self.harness.accounts[account].transport.plan = lambda request: (
            RequestFault.FORBIDDEN if request.method == method else None
        )
        self._obey_closing()

    # -- what people do by hand

    @rule(name=NAME, how=st.sampled_from(["delete", "disable", "set", "create again"]))
    def person_changes_at_provider(self, name: str, how: str) -> None:
        consumer = self.harness.store.consumers.get(self.targets[name].path)
        stored = [
            (account, identity)
            for account, identity, one in self.harness.all_credentials()
            if consumer is not None and one.username == consumer.username
        ]
        for account, identity in stored[:1]:
            _by_hand(account, identity, how)
            self._people_acted(name)

    @precondition(lambda self: self.setup.kind == "vobiz")
    @rule(account=ACCOUNT, trunk=st.integers(0, 3), number=st.integers(0, 5))
    def person_points_a_trunk(self, account: str, trunk: int, number: int) -> None:
        """A trunk names any credential of the account: one that is published, replaced, staged, or somebody else's."""
        there = self.harness.accounts[account]
        trunks, credentials = there.api.trunks.of(there.account), list(there.stored_credentials())
        there.api.trunks.point(trunks[trunk % len(trunks)].id, credentials[number % len(credentials)])
        for name in self.targets:
            self._people_acted(name)

    @rule(name=NAME, how=st.sampled_from(["roll back", "edit", "respell", "delete", "restore"]))
    def person_changes_at_vault(self, name: str, how: str) -> None:
        store, path = self.harness.store, self.targets[name].path
        consumer = store.consumers.get(path)
        if consumer is None:
            return
        if how == "restore" and consumer.deleted:
            store.undelete(path)
        elif how == "delete" and consumer.exists:
            store.delete(path)
        elif how == "edit" and consumer.exists:
            store.tamper(path, f"{name}typed")
        elif how == "respell" and consumer.exists:
            store.tamper(path, (consumer.username or "").upper())
        elif how == "roll back" and consumer.exists and consumer.version > 1 and not store._earlier[path][-1].deleted:
            store.roll_back(path)
        self._people_acted(name)

    def _people_acted(self, name: str) -> None:
        self.touched.add(name)
        self.checker.after_people(self.targets[name])

    # -- the end

    def teardown(self) -> None:
        try:
            if hasattr(self, "pair"):
                states = [versioned.state for versioned in self.harness.store.states.values()]
                self.fired["rotations that ended"] += sum(state.counts.succeeded for state in states)
                self.turns.finish()
                self._judge_as_it_is()
                self._operator_ends_what_shows()
                self._come_to_rest()
        finally:
            self.turns.end()

    def _judge_as_it_is(self) -> None:
        """No fault is lifted and no target put back: what is wrong has to show."""
        self.harness.cut_at(0, self.checker)
        engine = self.harness.engine(keys=self.keys)
        for target in self.targets.values():
            self.harness.target = target
            look = self.harness.settle(engine, VERIFIED_EVERY + DAY, most=2000)
            consumer, state = self.harness.store.consumers.get(target.path), look.state
            if state is None or (consumer is None and state.published is None):
                continue
            if consumer is not None and self._accepts(consumer.username, consumer.password):
                continue
            refused = state.verification is not None and not state.verification.accepted
            blocked = look.hold is not None and look.hold.reason in BLOCKED
            told = refused or blocked or state.failures or state.verify_failures or engine.throttles.open_circuits()
            assert told, f"{target.name} is cut off, and nothing shows it: {look.hold}"

    def _accepts(self, username: str | None, password: Secret | None) -> bool:
        return any(account.accepts(username, password) for account in self.harness.accounts.values())

    def _operator_ends_what_shows(self) -> None:
        """The accounts are well again, but for those that are closed: somebody takes them out of the configuration,
        moves their targets, and runs the command for each target that people changed by hand.
        """
        self.harness.clear_faults()
        self.keys = {}
        self.harness.store.ahead = timedelta()
        self.harness.store.unpublishable.clear()
        self.harness.store.lags = []
        for _ in range(3):  # the claim of a process that died in between has to end first
            for name, names in list(self.renaming.items()):
                self._rename(name, *names)
            self.harness.clock.advance(self.harness.limits.claim)
        assert not self.renaming, f"a rename cannot be ended: {self.renaming}"
        self._leave_closed_accounts()
        for name in sorted(self.touched):
            target = self.targets[name]
            consumer = self.harness.store.consumers.get(target.path)
            if consumer is not None and consumer.deleted:
                self.harness.store.undelete(target.path)
            if target.strategy is Strategy.IN_PLACE:
                _mend_by_hand(self.harness.accounts[target.account], self._set_in_place(target))
                self._point_trunks_back(target)
            self.checker.after_people(target)
            self.client.request(
                target, Request(Purpose.ROTATE, "tester", "mend", self.harness.clock.now(), take_over=True)
            )

    def _set_in_place(self, target: Target) -> str:
        """The username whose password is set: the configured one, or what was published by another strategy before."""
        versioned = self.harness.store.states.get(target.name)
        published = versioned.state.published if versioned is not None else None
        return published.username if published is not None else target.usernames[0]

    def _point_trunks_back(self, target: Target) -> None:
        """Does what the status asks for: in place no trunk is pointed anywhere, and one may name what was replaced."""
        versioned, there = self.harness.store.states.get(target.name), self.harness.accounts[target.account]
        if self.setup.kind != "vobiz" or versioned is None or versioned.state.published is None:
            return
        replaced = {entry.credential.id for entry in versioned.state.ledger}
        for trunk in there.api.trunks.of(there.account):
            if trunk.credential in replaced:
                there.api.trunks.point(trunk.id, versioned.state.published.id)

    def _leave_closed_accounts(self) -> None:
        for name, target in self.targets.items() if self.closed else ():
            if target.account in self.closed:
                (other,) = self.harness.accounts.keys() - self.closed
                self._change(name, replace(target, account=other))
                self.touched.add(name)
        self.harness.unconfigured |= self.closed
        self.client = self.harness.engine()
        left = self.harness.accounts.keys() - self.closed
        for target in self.targets.values() if self.closed else ():
            self._give_up(next(name for name, one in self.targets.items() if one is target))
            self._forget_what_is_out_of_reach(target, left)

    def _forget_what_is_out_of_reach(self, target: Target, left: Collection[str]) -> None:
        self.client.removal.change(
            target.name,
            lambda state: after_forgetting(state, left, configured=True),
            AuditVerb.GIVE_UP,
            origin=Origin("tester", "closed"),
        )

    def _come_to_rest(self) -> None:
        engine = self.harness.engine()
        for _ in range(2):
            for target in self.targets.values():
                # Nothing becomes due any more, so that the end is at rest.
                self.harness.target = replace(target, policy=replace(target.policy, schedule=Every(3650 * DAY)))
                self.harness.settle(engine, REST)
                if self.closed:
                    self._forget_what_is_out_of_reach(target, self.harness.accounts.keys() - self.closed)
        self.checker.at_rest("anything", frozenset(self.closed))


@pytest.mark.parametrize("setup", SETUPS, ids=str)
def test_no_order_of_events_breaks_a_promise(setup, count_run, long_run):
    """The promises are asserted at every boundary of every run, and when all has come to rest."""

    fired: Counter[str] = Counter()

    def machine() -> AnyOrder:
        count_run(setup.kind, setup.strategy.value, "anything in any order, two processes")
        return AnyOrder(setup, fired)

    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=300 if long_run else 20,
            stateful_step_count=60 if long_run else 40,
            phases=(Phase.generate,),
            suppress_health_check=list(HealthCheck),
        ),
    )
    for name, times in fired.items():
        count_run(setup.kind, "a rule", name.replace("_", " "), times)
