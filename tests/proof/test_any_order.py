"""Anything in any order: two processes, step by step, on two targets at two accounts, while everything around them
fails, is reconfigured and has its clocks set. Hypothesis looks for the order that breaks a promise.
"""

from contextlib import suppress
from dataclasses import replace
from datetime import timedelta

import pytest
from engine_harness import DAY
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test
from interleaving import Interleaving, Process
from invariants import InvariantChecker
from lagging_standby import StandbyStore
from process_variants import SkewedClock
from simulated_accounts import SETUPS, RequestFault, Setup, SimulatedHarness

from rotator.core.model import Purpose, Request, Strategy, Target
from rotator.core.schedule import Every
from rotator.ports import Conflict, StoreDenied, StoreUnavailable

SKEWS = (timedelta(), timedelta(minutes=-10), timedelta(minutes=10))
REST = 25 * DAY
# The others cannot end what they leave behind, or have to be granted access by hand where they come to.
_MOVES = {"vobiz", "telnyx"}
WHO = st.integers(0, 1)


class AnyOrder(RuleBasedStateMachine):
    """Two processes, a command line, an operator, and bad luck."""

    def __init__(self, setup: Setup) -> None:
        super().__init__()
        self.setup = setup
        self.harness = SimulatedHarness(setup, ("one", "two"))
        self.harness.store = StandbyStore()
        self.targets = {name: setup.target(name=name) for name in ("office", "lobby")}
        if setup.adopts:
            self.harness.add_everywhere("lobby")
        self.checker = InvariantChecker(
            self.harness, tuple(self.targets.values()), apart=SKEWS[2] - SKEWS[1], overlap=DAY
        )
        self.turns = Interleaving(self.harness, self.checker)
        self.harness.watch_with(self.turns.turns)
        self.client = self.harness.engine()
        self.set_back = 0

    @initialize(skews=st.tuples(st.sampled_from(SKEWS), st.sampled_from(SKEWS)))
    def begin(self, skews: tuple[timedelta, timedelta]) -> None:
        self.skews = skews
        self.configured = [dict(self.targets), dict(self.targets)]
        self.pair = [self._process(who) for who in (0, 1)]

    def _process(self, who: int) -> Process:
        engine = self.harness.engine(SkewedClock(self.harness, self.skews[who]))

        def looks() -> None:
            for _ in range(2):
                for target in tuple(self.configured[who].values()):
                    engine.look(target)

        return self.turns.start(looks)

    # -- what the processes do

    @rule(who=WHO, number=st.integers(1, 15))
    def step(self, who: int, number: int) -> None:
        for _ in range(number):
            if self.pair[who].ended:
                self.pair[who] = self._process(who)
            self.pair[who].step()

    @rule(who=WHO)
    def crash(self, who: int) -> None:
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
        name=st.sampled_from(["office", "lobby"]),
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

    @rule(who=WHO, name=st.sampled_from(["office", "lobby"]))
    def target_is_removed(self, who: int, name: str) -> None:
        self.configured[who].pop(name, None)

    @rule(who=WHO)
    def configuration_is_loaded(self, who: int) -> None:
        self.configured[who] = dict(self.targets)

    @rule(days=st.sampled_from([30, 90]), overlap=st.sampled_from([DAY, 2 * DAY]))
    def policy_is_changed(self, days: int, overlap: timedelta) -> None:
        policy = replace(self.targets["office"].policy, schedule=Every(days * DAY), overlap=overlap)
        self.targets = {name: replace(target, policy=policy) for name, target in self.targets.items()}

    @rule(name=st.sampled_from(["office", "lobby"]), strategy=st.sampled_from(Strategy))
    def strategy_is_changed(self, name: str, strategy: Strategy) -> None:
        if any(one.kind == self.setup.kind and one.strategy is strategy for one in SETUPS):
            self._change(name, self.setup.target(self.targets[name].account, name, strategy))

    @precondition(lambda self: self.setup.kind in _MOVES)
    @rule(name=st.sampled_from(["office", "lobby"]), account=st.sampled_from(["one", "two"]))
    def target_is_moved(self, name: str, account: str) -> None:
        self._change(name, replace(self.targets[name], account=account))

    def _change(self, name: str, target: Target) -> None:
        self.targets[name] = replace(target, policy=self.targets[name].policy)

    # -- what goes wrong

    @rule(
        fault=st.sampled_from(RequestFault), times=st.sampled_from([1, 4, 9]), account=st.sampled_from(["one", "two"])
    )
    def provider_fails(self, fault: RequestFault, times: int, account: str) -> None:
        self.harness.accounts[account].transport.faults += [fault] * times

    @rule(account=st.sampled_from(["one", "two"]), number=st.integers(0, 7))
    def call_is_active(self, account: str, number: int) -> None:
        self.harness.accounts[account].start_call_on(number)

    @rule(account=st.sampled_from(["one", "two"]))
    def provider_recovers(self, account: str) -> None:
        self.harness.accounts[account].clear_faults()

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

    @rule(reads=st.integers(1, 4))
    def a_standby_lags(self, reads: int) -> None:
        self.harness.store.stale_reads = reads

    @rule(name=st.sampled_from(["office", "lobby"]), may=st.booleans())
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

    # -- the end

    def teardown(self) -> None:
        try:
            if hasattr(self, "pair"):
                self.harness.clear_faults()
                self.turns.finish()
                self._come_to_rest()
        finally:
            self.turns.end()

    def _come_to_rest(self) -> None:
        self.harness.cut_at(0, self.checker)
        self.harness.store.unpublishable.clear()
        self.harness.store.stale_reads = 0
        engine = self.harness.engine()
        for _ in range(2):
            for target in self.targets.values():
                # Nothing becomes due any more, so that the end is at rest.
                self.harness.target = replace(target, policy=replace(target.policy, schedule=Every(3650 * DAY)))
                self.harness.settle(engine, REST)
        self.checker.at_rest("anything")


@pytest.mark.parametrize("setup", SETUPS, ids=str)
def test_no_order_of_events_breaks_a_promise(setup, count_run, long_run):
    """The promises are asserted at every boundary of every run, and when all has come to rest."""

    def machine() -> AnyOrder:
        count_run(setup.kind, setup.strategy.value, "anything in any order, two processes")
        return AnyOrder(setup)

    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=300 if long_run else 20,
            stateful_step_count=60 if long_run else 40,
            phases=(Phase.generate,),
            suppress_health_check=list(HealthCheck),
        ),
    )
