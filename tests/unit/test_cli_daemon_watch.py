"""`rotate` and `undo` beside a daemon: who carries a request out, what watching costs, and when it ends."""

import json
from collections import Counter
from dataclasses import replace
from datetime import timedelta
from typing import Any, NoReturn

import pytest
from command_on_harness import CommandOnHarness, HarnessDaemon
from engine_harness import IN_PLACE, REPLACE, EngineHarness

from rotator.cli.exits import Exit
from rotator.cli.options import Output
from rotator.cli.rotate import HowToAct
from rotator.core.bell import Bell, Ringing
from rotator.core.facts import Facts
from rotator.core.model import Purpose, Request, Target, TargetState
from rotator.core.processes import Role
from rotator.ports import StoreDenied, StoreUnavailable
from rotator.testing import FakeFault


def targets(number: int, like: Target = IN_PLACE) -> list[Target]:
    return [
        replace(like, name=f"t{each:04}", usernames=(f"user{each:04}",), path=f"sip/t{each:04}")
        for each in range(number)
    ]


class World(EngineHarness):
    """Some targets at one account, and how often each kind of read was made."""

    def __init__(self, number: int = 3, like: Target = IN_PLACE) -> None:
        super().__init__(like)
        self.targets = targets(number, like)
        self.reads = Counter[str]()
        for target in self.targets:
            self.provider.add(target.usernames[0])
        for name in ("read_state", "read_consumer", "read_bell"):
            self._count(name)

    def _count(self, name: str) -> None:
        original = getattr(self.store, name)

        def counted(*arguments: Any) -> Any:
            self.reads[name] += 1
            return original(*arguments)

        setattr(self.store, name, counted)

    def works(self, target: Target) -> bool:
        document = self.store.read_consumer(target.path)
        return bool(self.provider.accepts(document.username, document.password))


def rows(capsys) -> dict[str, dict]:
    return {row["name"]: row for row in json.loads(capsys.readouterr().out)["targets"]}


def test_a_living_daemon_carries_it_out(capsys):
    world = World()
    command = CommandOnHarness(world)
    with HarnessDaemon(world, world.targets).running() as daemon:
        assert command.run(world.targets) == Exit.DONE
        assert command.composition.holder not in world.store.processes.living(world.clock.now())
    found = rows(capsys)
    assert {(row["result"], row["elsewhere"]) for row in found.values()} == {("rotated", True)}
    assert all(world.works(target) for target in world.targets)
    assert daemon.looks == 3
    assert found["t0000"]["published"]["username"] == "user0000"
    assert command.seen_states, "the redactor learns every password"


def test_without_a_daemon_it_works_by_itself(capsys):
    world = World()
    assert CommandOnHarness(world).run(world.targets) == Exit.DONE
    assert {(row["result"], row["elsewhere"]) for row in rows(capsys).values()} == {("rotated", False)}
    assert world.store.bell.number == 0, "nobody is there to hear it"


def test_a_document_of_the_living_that_cannot_be_used_stops_nobody(capsys):
    world = World()

    def denied(*_: object) -> NoReturn:
        raise StoreDenied("the token may not write rotator/state/_processes")

    world.store.write_processes = denied
    assert CommandOnHarness(world).run(world.targets, compromised=True) == Exit.DONE
    printed = capsys.readouterr()
    assert "cannot tell whether a daemon lives, so this process does the work: the token may not write" in printed.err
    assert {row["result"] for row in json.loads(printed.out)["targets"]} == {"rotated"}


def test_here_means_here_even_if_a_daemon_lives(capsys):
    world = World()
    command = CommandOnHarness(world)
    with HarnessDaemon(world, world.targets).running() as daemon:
        assert command.run(world.targets, how=HowToAct(here=True)) == Exit.DONE
        assert daemon.looks == 0
    assert {(row["result"], row["elsewhere"]) for row in rows(capsys).values()} == {("rotated", False)}
    rung = [(ring.kind, ring.by, name) for ring in world.store.bell.rings for name in ring.targets]
    names = [target.name for target in world.targets]
    assert sorted(rung) == sorted((Ringing.CHANGED, "command", name) for name in names), "the daemon learns of it"


def test_while_it_runs_it_is_a_living_command():
    world, seen = World(), []
    command = CommandOnHarness(world)
    world.provider.slow_to_accept = 4
    look = lambda: bool(seen.append(world.store.processes.living(world.clock.now(), Role.COMMAND))) or True  # noqa: E731
    with world.clock.repeat(timedelta(seconds=1), look):
        assert command.run(world.targets) == Exit.DONE
    assert set(seen) == {("command",)}


@pytest.mark.unmeasured
@pytest.mark.parametrize("announces", [True, False])
def test_watching_many_costs_a_read_or_two_for_each_whether_it_is_announced_or_not(announces):
    world = World(400)
    command = CommandOnHarness(world)
    with HarnessDaemon(world, world.targets, at_once=20).running() as daemon:
        daemon.silent = not announces
        began = world.clock.now()
        world.reads.clear()
        assert command.run(world.targets) == Exit.DONE
    took = (world.clock.now() - began).total_seconds()
    assert took < 80, "it ends soon after the daemon, which needs 40 s"
    by_daemon = 400  # one for its look at each; the command writes each request after another
    rest = world.reads["read_state"] - by_daemon - 400
    assert rest <= 400 + 20 * took
    assert world.reads["read_bell"] < 3 * took + 10


@pytest.mark.parametrize("compromised", [False, True])
def test_what_no_daemon_has_heard_of_is_rung_for_again(capsys, compromised):
    """A Vault that did not answer: the requests were written, and the daemon's sweep was minutes away."""
    world = World()
    command, written, broken_until = (
        CommandOnHarness(world),
        world.store.write_bell,
        world.clock.now() + timedelta(seconds=10),
    )

    def sometimes(bell: Bell) -> None:
        if world.clock.now() < broken_until and bell.rings[-1].by == "command":
            raise StoreUnavailable("it does not answer")
        written(bell)

    world.store.write_bell = sometimes
    with HarnessDaemon(world, world.targets).running():
        assert command.run(world.targets, compromised=compromised) == Exit.DONE
    printed = capsys.readouterr()
    assert "the daemon looks at its next sweep, not at once: it does not answer" in printed.err
    assert {row["result"] for row in json.loads(printed.out)["targets"]} == {"rotated"}
    kinds = {ring.kind for ring in world.store.bell.rings if ring.by == "command"}
    assert kinds == {Ringing.EMERGENCY if compromised else Ringing.ASKED}


def test_reading_what_is_not_announced_is_bounded_for_each_second():
    world = World(500)
    command = CommandOnHarness(world)
    lame = HarnessDaemon(world, [])
    with lame.running():
        world.reads.clear()
        assert command.run(world.targets) == Exit.FAILED
    seconds = 500  # more than the patience
    assert world.reads["read_state"] < 2 * 20 * seconds


def test_a_daemon_that_does_not_begin_is_not_waited_for_for_ever(capsys):
    world = World()
    with HarnessDaemon(world, []).running():
        began = world.clock.now()
        assert CommandOnHarness(world).run(world.targets) == Exit.FAILED
    assert timedelta(minutes=3) < world.clock.now() - began < timedelta(minutes=6)
    row = rows(capsys)["t0000"]
    assert row["result"] == "waiting"
    assert "does its configuration have this target?" in row["message"]
    assert "the request stays in Vault" in row["message"]
    assert world.store.states["t0000"].state.request is not None


def test_what_ends_between_two_reads_of_the_watch_is_no_failure(capsys, monkeypatch):
    world = World(1)
    command = CommandOnHarness(world)
    (target,) = world.targets
    other, facts = world.engine(), command.components.engine.facts

    def rotated_meanwhile(looked_at: Target) -> Facts:
        other.look(looked_at)
        return facts(looked_at)

    monkeypatch.setattr(command.components.engine, "facts", rotated_meanwhile)
    with HarnessDaemon(world, []).running():
        assert command.run(world.targets) == Exit.DONE
    assert world.works(target)
    assert rows(capsys)["t0000"]["result"] == "rotated"


def test_a_slow_pace_is_no_standstill():
    """One target in two minutes: none waits longer than the patience for the account to move."""
    world = World(6)
    daemon = HarnessDaemon(world, world.targets, at_once=0)

    def one_more() -> bool:
        daemon.at_once = 1
        daemon._work()
        daemon.at_once = 0
        return True

    with daemon.running(), world.clock.repeat(timedelta(minutes=2), one_more):
        began = world.clock.now()
        assert CommandOnHarness(world).run(world.targets) == Exit.DONE
    assert world.clock.now() - began >= timedelta(minutes=12)


def test_a_failure_is_told_as_by_the_command_itself(capsys):
    world = World(2, REPLACE)
    world.provider.faults["create"] = [FakeFault.UNAUTHORIZED] * 9
    with HarnessDaemon(world, world.targets).running():
        assert CommandOnHarness(world).run(world.targets[:1]) == Exit.FAILED
    row = rows(capsys)["t0000"]
    assert (row["result"], row["elsewhere"]) == ("failed", False)
    assert row["message"] == (
        "the API key was refused; the attempt stays open: "
        "a daemon, or this command again, retries with the same password"
    )


def test_a_document_of_somebody_else_is_named_with_the_way_out(capsys):
    world = World(1, REPLACE)
    world.store.tamper("sip/t0000", "mine")
    with HarnessDaemon(world, world.targets).running():
        assert CommandOnHarness(world).run(world.targets) == Exit.FAILED
    assert "rotator rotate t0000 --take-over" in rows(capsys)["t0000"]["message"]


def test_an_emergency_rings_as_one_and_is_done_when_the_old_one_is_refused(capsys):
    world = World(1, REPLACE)
    with HarnessDaemon(world, world.targets).running():
        assert CommandOnHarness(world).run(world.targets) == Exit.DONE
        old = world.store.read_consumer("sip/t0000")
        assert CommandOnHarness(world).run(world.targets, compromised=True) == Exit.DONE
    assert not world.provider.accepts(old.username, old.password)
    assert Ringing.EMERGENCY in {ring.kind for ring in world.store.bell.rings}


def test_an_emergency_that_ended_nothing_is_a_failure_with_a_daemon_too(capsys):
    world = World(1, REPLACE)
    world.provider.credentials.clear()
    with HarnessDaemon(world, world.targets).running():
        assert CommandOnHarness(world).run(world.targets, compromised=True) == Exit.FAILED
    assert rows(capsys)["t0000"]["message"].startswith("rotated, but no credential was there to be ended")


def test_an_undo_is_carried_out_by_the_daemon(capsys):
    world = World(1, REPLACE)
    with HarnessDaemon(world, world.targets).running():
        for _ in range(2):
            assert CommandOnHarness(world).run(world.targets) == Exit.DONE
        assert CommandOnHarness(world).run(world.targets, Purpose.UNDO) == Exit.DONE
    assert world.store.states["t0000"].state.counts.undone == 1


def test_a_daemon_that_dies_is_noticed_and_the_command_goes_on(capsys):
    world = World(40)
    command = CommandOnHarness(world)
    with HarnessDaemon(world, world.targets, at_once=5).running() as daemon:
        dies = iter([False] * 10 + [True] * 10**6)

        def maybe_die() -> bool:
            if next(dies):
                daemon.die()
                return False
            return True

        with world.clock.repeat(timedelta(seconds=1), maybe_die):
            began = world.clock.now()
            assert command.run(world.targets, output=Output.JSON) == Exit.DONE
    assert timedelta(seconds=20) < world.clock.now() - began < timedelta(seconds=60)
    printed = capsys.readouterr()
    where = Counter(row["elsewhere"] for row in json.loads(printed.out)["targets"])
    assert min(where[True], where[False]) > 0
    assert sum(where.values()) == 40
    assert "no daemon lives any more: this process goes on with" in printed.err
    assert all(world.store.states[target.name].state.counts.succeeded == 1 for target in world.targets)


@pytest.mark.parametrize(("away", "renews"), [(11, 18), (11, 25), (23, 36)])
def test_a_daemon_that_vault_did_not_answer_either_is_not_taken_for_dead(capsys, away, renews):
    """The command renews its entry at once when Vault is back, the daemon some seconds later: `renews`."""
    world = World(1)
    command, daemon = CommandOnHarness(world), HarnessDaemon(world, world.targets, at_once=0)
    daemon.presence.renew()
    began, renew = world.clock.monotonic(), command.components.presence.renew

    def renew_unless_away() -> None:
        if 1 < world.clock.monotonic() - began < away:
            raise StoreUnavailable("Vault does not answer")
        renew()

    def daemon_is_back() -> bool:
        daemon.presence.renew()
        daemon.at_once = 1
        return daemon._work()

    command.components.presence.renew = renew_unless_away
    with world.clock.repeat(timedelta(seconds=renews), daemon_is_back):
        assert command.run(world.targets) == Exit.DONE
    printed = capsys.readouterr()
    assert [row["elsewhere"] for row in json.loads(printed.out)["targets"]] == [True], printed.err
    assert "no daemon lives any more" not in printed.err


def test_ctrl_c_ends_the_watching_and_leaves_the_work(capsys):
    world = World(40)
    command = CommandOnHarness(world)
    with HarnessDaemon(world, world.targets, at_once=5).running():
        calls = iter([False] * 5 + [True] * 10**6)
        with world.clock.repeat(timedelta(seconds=1), lambda: not (next(calls) and command.stop.set())):
            assert command.run(world.targets) == Exit.STOPPED
        printed = capsys.readouterr()
        left = [row for row in json.loads(printed.out)["targets"] if row["result"] == "interrupted"]
        assert 0 < len(left) < 40
        assert f"the requests stay in Vault ({len(left)} left), and the daemon carries them out" in printed.err
        world.clock.advance(timedelta(seconds=60))
    assert all(world.store.states[target.name].state.counts.succeeded == 1 for target in world.targets)


def test_ctrl_c_with_many_left_is_told_in_some_lines_and_not_in_one_for_each(capsys):
    world = World(150)
    command = CommandOnHarness(world)
    with HarnessDaemon(world, []).running(), world.clock.repeat(timedelta(seconds=5), lambda: bool(command.stop.set())):
        assert command.run(world.targets) == Exit.STOPPED
    printed = capsys.readouterr()
    assert "the requests stay in Vault (150 left), and the daemon carries them out" in printed.err
    assert len(printed.err.splitlines()) < 10


def test_ctrl_c_while_requests_are_written_asks_for_no_more_and_rings_for_those(capsys):
    world = World(5)
    command = CommandOnHarness(world)
    original, written = world.store.write_state, []

    def write_state(state: TargetState, version: int) -> int:
        written.append(state.target)
        if len(written) == 3:
            command.stop.set()
        return original(state, version)

    world.store.write_state = write_state
    daemon = HarnessDaemon(world, world.targets)
    with daemon.running():
        assert command.run(world.targets) == Exit.STOPPED
        printed = capsys.readouterr()
        world.clock.advance(timedelta(seconds=10))
    assert "the requests stay in Vault (3 left)" in printed.err
    assert "not asked for: 2 targets" in printed.err
    assert sorted(daemon.harness.store.states) == ["t0000", "t0001", "t0002"]
    assert all(world.store.states[name].state.counts.succeeded == 1 for name in sorted(world.store.states))


def test_a_vault_that_stays_away_is_said_and_nobody_is_taken_for_dead(capsys):
    world = World(2)
    command = CommandOnHarness(world)
    calls = iter(range(10**6))

    def away(*arguments):
        raise StoreUnavailable("Vault is sealed")

    def seal() -> bool:
        if next(calls) == 2:
            for name in ("read_state", "read_bell", "read_processes", "write_processes"):
                setattr(world.store, name, away)
        return True

    lame = HarnessDaemon(world, [])
    lame.presence.renew()
    with world.clock.repeat(timedelta(seconds=1), seal):
        assert command.run(world.targets) == Exit.VAULT
    row = rows(capsys)["t0000"]
    assert (row["result"], row["message"]) == ("vault", "Vault is sealed; the request stays in Vault")


def test_no_wait_only_writes_and_rings(capsys):
    world = World()
    assert CommandOnHarness(world).run(world.targets, how=HowToAct(wait=False)) == Exit.DONE
    printed = capsys.readouterr()
    assert {row["result"] for row in json.loads(printed.out)["targets"]} == {"requested"}
    assert "no daemon lives now: the requests wait in Vault until one runs" in printed.err
    assert world.store.bell.rung_since(0) == {"t0000", "t0001", "t0002"}


def test_a_table_of_many_shows_what_went_wrong_and_the_numbers(capsys):
    world = World(150)
    world.provider.faults["set_password"] = [FakeFault.UNAUTHORIZED]
    assert CommandOnHarness(world).run(world.targets, output=Output.TABLE) == Exit.FAILED
    printed = capsys.readouterr()
    lines = printed.out.splitlines()
    assert "failed" in lines[2]
    assert "150 targets: 149 rotated, 1 failed; 100 are shown, --output json has all" in printed.out
    assert len(lines) < 110
    assert printed.err.count("t0") < 10, "a line for each only where there are few"


def test_an_undo_that_meets_a_waiting_emergency_is_refused_and_says_what_withdraws_it(capsys):
    world = World(1, REPLACE)
    target = world.targets[0]
    engine = world.engine()
    for _ in range(2):
        engine.request(target, Request(Purpose.ROTATE, "ann", "because", world.clock.now()))
        engine.look(target)
    engine.request(target, Request(Purpose.ROTATE, "ann", "leaked", world.clock.now(), compromised=True))
    assert CommandOnHarness(world).run([target], Purpose.UNDO) == Exit.FAILED
    row = rows(capsys)["t0000"]
    assert row["result"] == "failed"
    assert row["message"].startswith("nothing can be undone: the emergency that ann has requested")
    assert "rotator abandon t0000" in row["message"]
    assert world.store.read_state("t0000").state.request.compromised
