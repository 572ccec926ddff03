"""Years of a fleet: people, providers, clocks, faults, configuration; nothing is lifted.

    python tests/support/fleet_years.py --seeds 1000-1049 --processes 2

simulates fifty years (`.ci/run`: a hundred). A failure prints the seed, the shortest history found, and the command
that replays it.
"""

import subprocess
import sys
from collections import Counter
from contextlib import nullcontext
from dataclasses import replace
from datetime import timedelta
from itertools import product
from pathlib import Path
from threading import Event

import pytest
from engine_harness import DAY
from fleet_accounts import registrar_in_process
from fleet_events import EVENTS, FleetEvent, draw_events
from fleet_judge import SETTLED, PromiseBroken
from fleet_world import FleetWorld
from fleet_years import Lives, main, run_fleet, shortest
from simulated_accounts import LAG, STANDING, registrar

from rotator.core import continuation, retirement, staging
from rotator.core.model import Credential
from rotator.core.secret import Secret
from rotator.daemon.clock import SystemClock
from rotator.providers.sip import register
from rotator.providers.sip.links import SipRoute
from rotator.providers.sip.register import RegisterResult
from rotator.testing.clock import START
from rotator_simulator.account import Propagation

NEW = Secret("Chang3d$there")
_MODULE = Path(__file__).parents[1] / "support" / "fleet_years.py"


@pytest.mark.timeout(900)  # most of it for the shortest history of a failure
def test_a_fleet_keeps_every_promise_for_a_year(count_run):
    """Every effect is judged at once, and every target at the end of each quarter."""
    run = run_fleet(1, Lives())
    for kind, times in sorted(run.happened.items()):
        count_run("fleet", "years", kind.replace("_", " "), times)
    if run.broken is not None:
        pytest.fail(shortest(run).report(), pytrace=False)
    count_run("fleet", "years", "simulated years of 100 targets")


def test_what_somebody_restores_of_a_target_that_has_ended_is_his_own():
    """Seed 17: long after a retirement its document was rolled back. No process looks there; `rotate` begins anew."""
    months = [("target_retired", 1), ("document_rolled_back", 5)]
    events = [FleetEvent(30 * month * DAY, kind, "phone03", kind) for kind, month in months]
    assert run_fleet(17, Lives(targets=4), events).broken is None


def test_what_somebody_restored_is_not_our_doing_when_the_target_begins_anew():
    """Denser years, seed 12: retired, but still configured, since the command had no answer."""
    acts = [(29.99999, "vault_loses_an_answer"), (30, "target_retired")]
    acts += [(60, "document_rolled_back"), (80, "take_over_asked")]
    events = [FleetEvent(day * DAY, kind, "phone03", kind) for day, kind in acts]
    assert run_fleet(1, Lives(0.5, 8), events).broken is None


def test_the_letters_of_a_username_that_somebody_made_again_are_corrected_as_the_message_says():
    """Denser years, seed 9: until then no rotation begins, and an emergency waits as well."""
    lives = Lives(0.75, 40, 4.0)
    acts = ("credential_created_again", "compromised")
    events = [one for one in lives.events(9) if one.kind == "operator_attends" or one.kind in acts]
    events = [one for one in events if one.kind == "operator_attends" or one.target == "phone33"]
    assert run_fleet(9, lives, events).broken is None


def test_letters_are_not_corrected_of_a_username_that_the_target_had_before_its_strategy_changed():
    """Seed 1373: the last error is of the time when it had two, and its second one is nobody's any more."""
    acts = ("credential_created_again", "rotation_asked", "account_moved", "strategy_changed")
    drawn = Lives().events(1373)
    events = [one for one in drawn if one.kind == "operator_attends" or (one.target == "phone72" and one.kind in acts)]
    assert run_fleet(1373, Lives(), events).broken is None


_VOBIZ_A_IS_LOST = (30, "account_never_comes_back", "4")  # the seed decides which account it is
_LEFT = (_VOBIZ_A_IS_LOST, (31, "operator_attends", "a"))
HISTORIES = {
    # Seeds 44, 65 and 153. What is given up at an account that is lost is not ended: its devices are let in as before.
    "what is given up is handed out": (*_LEFT, (40, "document_rolled_back", "b"), (41, "operator_attends", "c")),
    # Seed 55. The command had given it up, and only its answer was lost.
    "the answer is lost that something is given up": (
        *_LEFT, (39.99, "vault_loses_an_answer", "b"), (40, "operator_attends", "c"), (42, "rotation_asked", "d"),
    ),
    # Seed 127. No process looked at what had been retired: a daemon would have found it within ten minutes.
    "the answer is lost that something is retired": (
        (60, "target_removed", "a"), (87.799, "vault_loses_an_answer", "b"), (87.8, "operator_attends", "c"),
    ),
    # Seed 127 as well: with the state of a removed target, what it has published is given up.
    "what is published is given up": (
        (20, "target_removed", "a"), (21, "configuration_reloaded", "b"), *_LEFT, (33, "operator_attends", "c"),
    ),
}  # fmt: skip
"""By what happens: day, kind and seed of each event."""


@pytest.mark.parametrize("history", HISTORIES.values(), ids=HISTORIES)
def test_what_somebody_gives_up_or_retires_is_neither_refused_nor_forgotten(history):
    """The world or its judge had it wrong."""
    about = {"operator_attends": "phone01"}  # the other target is judged only by what a process finds
    events = [FleetEvent(day * DAY, kind, about.get(kind, "phone00"), seed) for day, kind, seed in history]
    assert run_fleet(1, Lives(0.5, 8), events).broken is None


def test_what_leaked_is_owed_no_overlap_at_a_path_that_its_target_leaves():
    """The document there follows when the emergency is over, and the judge took that for a rotation."""
    acts = [("path_moved", 20.0), ("configuration_reloaded", 20.1), ("compromised", 20.5)]
    events = [FleetEvent(day * DAY, kind, "phone03", "a") for kind, day in acts]
    assert run_fleet(1, Lives(0.25, 8), events).broken is None


@pytest.mark.parametrize("known", [False, True])
def test_what_people_end_moments_before_it_is_published_could_not_be_known(known):
    """Seed 56: it was deleted 1.4 s before it was proved, and the registrar had not heard of it yet."""
    world = FleetWorld(1, 1)
    target, process, home = world.targets["phone00"], world.processes[0], world.accounts["vobiz-a"]
    with registrar_in_process(world.lag):
        world.run_until(START + DAY)
        world.acting = (process, target)
        home.person_creates("staged", STANDING)
        identity = next(reversed(home.stored))
        world.acting = None
        home.person_changes(identity, delete=True)
        world.clock.advance(SETTLED if known else timedelta(seconds=1))
        world.acting = (process, target)
        staged = Credential("vobiz-a", "staged", identity, STANDING)
        world.store.write_consumer(target.path, staged, world.clock.now(), world.store.read_consumer(target.path))
    with pytest.raises(PromiseBroken, match="published: phone00: staged") if known else nullcontext():
        world.judge.after_look(target, None)


@pytest.mark.parametrize("account", ["vobiz-a", "telnyx-a"])
@pytest.mark.parametrize("lag", [Propagation(), LAG], ids=["no lag", "lag"])
def test_a_log_in_without_messages_is_answered_as_one_with_them(account, lag):
    """What is let in, what is not yet, what was just now, what never was, what is disabled; with no password at all."""
    home = FleetWorld(1, 0).accounts[account]
    home.person_creates("anna", STANDING)
    home.person_creates("bert", STANDING)
    home.clock.advance(DAY)
    anna, bert = list(home.stored)[-2:]
    home.person_changes(anna, password=NEW)
    home.person_changes(bert, enabled=False)
    route = SipRoute(registrar().address, "udp", None)
    domain = f"{account}.sip.telnyx.com" if account == "telnyx-a" else None

    def answered(with_messages: bool) -> list[RegisterResult]:
        without = nullcontext() if with_messages else registrar_in_process(lag)
        with pytest.MonkeyPatch.context() as patch, without:
            patch.setattr(registrar(), "options", replace(registrar().options, propagation=lag))
            return [
                register.register(route, username, password, clock=SystemClock(Event()), domain=domain)
                for username, password in product(("anna", "bert", "nobody"), (STANDING, NEW, None))
            ]

    seen = []
    for _ in range(3):  # before the new password is accepted, and until after the old one is not
        seen += answered(with_messages=True)
        assert answered(with_messages=False) == seen[-9:]
        home.clock.advance(timedelta(seconds=2.5))
    assert {one.status for one in seen} == {200, 401, 403}


def test_every_kind_of_event_is_drawn():
    """A kind that never comes would be a rule that nobody checks. The rarest one comes every other year."""
    names = [f"phone{number:02d}" for number in range(100)]
    drawn = {event.kind for seed in range(1, 11) for event in draw_events(seed, 1.0, names)}
    assert drawn == EVENTS.keys()


def test_people_do_as_much_as_is_asked_and_everything_else_happens_as_often():
    """The operator comes every other week, however many targets there are."""
    names = [f"phone{number:02d}" for number in range(40)]

    def times(people: float, targets: list[str]) -> Counter[str]:
        return Counter(event.kind for seed in range(20) for event in draw_events(seed, 1.0, targets, people))

    usual, dense, few = times(1.0, names), times(4.0, names), times(1.0, names[:4])
    for kind in ("rotation_asked", "document_respelt", "paused", "path_moved"):
        assert dense[kind] == pytest.approx(4 * usual[kind], rel=0.35)
    by_itself = {kind for kind in usual if kind.startswith(("account_fails", "process", "vault", "clock", "standby"))}
    assert {kind: dense[kind] for kind in by_itself} == {kind: usual[kind] for kind in by_itself}
    visits = [one["operator_attends"] for one in (usual, dense, few)]
    assert visits == pytest.approx([20 * 26] * 3, rel=0.1)


_SHORT = ("--years", "0.1", "--targets", "24", "--whole")


def _scanned(*arguments: str, salt: str = "1") -> list[str]:
    return subprocess.run(
        [sys.executable, _MODULE, *_SHORT, *arguments],
        env={"PYTHONHASHSEED": salt},
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()


def test_a_seed_makes_the_same_years_in_every_process():
    """Also where hashes differ: no order of a set decides anything."""
    one, other = ({line.partition(" CPU; ")[2] for line in _scanned("--seeds", "3", salt=salt)} for salt in "12")
    assert one == other
    assert len(one) == 2  # the seed and the summary, which has no such part


def test_many_seeds_are_simulated_by_many_processes_and_taken_up_again(tmp_path):
    """What has a line is not simulated again; a line that was cut off is."""
    results = tmp_path / "results"
    arguments = ("--results", str(results))
    *lines, summary = _scanned("--seeds", "3-5", "--processes", "2", *arguments)
    assert sorted(line.partition(":")[0] for line in lines) == ["seed 3", "seed 4", "seed 5"]
    assert summary.startswith("0.3 years, ")
    assert summary.endswith("; 0 of 3 seeds broke a promise")
    kept = results.read_text(encoding="utf-8")
    assert kept.splitlines() == lines
    results.write_text(kept[:-20], encoding="utf-8")
    again, summary = _scanned("--seeds", "3-5", *arguments)
    assert again.partition(":")[0] == lines[-1].partition(":")[0]
    assert summary.startswith("0.3 years, ")
    denser, summary = _scanned("--seeds", "3", "--people", "2", *arguments)
    assert denser.startswith("seed 3: --years 0.1 --targets 24 --people 2: ")
    assert summary.startswith("0.1 years, ")


def test_a_seed_that_breaks_a_promise_is_told_and_kept(tmp_path, monkeypatch, capsys):
    """And the command fails, also when it is given the results again."""
    for module in (continuation, retirement, staging):
        monkeypatch.setattr(module, "foreign_document_hold", lambda facts: None)
    results = tmp_path / "results"
    arguments = ["--seeds", "1", "--years", "0.25", "--targets", "24", "--whole", "--results", str(results)]
    arguments += ["--without", "paused,resumed"]
    assert main(arguments) == 1
    line, report, *_, again, summary = capsys.readouterr().out.splitlines()
    assert "; broken: overwritten: phone" in line
    assert report.startswith("seed 1: overwritten: phone")
    replay = (
        "python tests/support/fleet_years.py --seeds 1 --years 0.25 --targets 24 --people 1 --without paused,resumed"
    )
    assert again == replay
    assert summary.endswith("; 1 of 1 seeds broke a promise")
    assert main(arguments) == 1
    assert len(capsys.readouterr().out.splitlines()) == 1
