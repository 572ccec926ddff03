"""What is wrong in a simulated fleet at rest, and whether anybody was told: no fault is lifted before this."""

from collections.abc import Iterator
from datetime import timedelta

from engine_harness import DAY
from fleet_judge import OUTAGE, JudgedTarget, PromiseBroken
from fleet_processes import VERIFIED_EVERY
from fleet_world import FleetWorld

from rotator.observe.target_figures import overdue
from rotator.observe.target_words import BLOCKED

_FAILING = 3  # RotatorTargetFailing
_LONG = 3 * DAY  # that something may be wrong before somebody has to know of it
_UNSEEN = VERIFIED_EVERY + _LONG  # what people break at the provider is found by the next verification


def alarms(world: FleetWorld, watched: JudgedTarget) -> list[str]:
    """What an alert would tell of a target now."""
    state, now = world.judge.state(watched.name), world.clock.now()
    told = []
    if state.failures >= _FAILING:
        told.append("RotatorTargetFailing")
    if state.attempt is not None and now - state.attempt.started_at > timedelta(hours=1):
        told.append("RotatorAttemptStaysOpen")
    if any(overdue(entry, now) for entry in state.ledger):
        told.append("RotatorRetirementOverdue")
    hold = watched.look.hold if watched.look is not None else None
    if hold is not None and hold.reason in BLOCKED:
        told.append(f"RotatorTargetBlocked {BLOCKED[hold.reason]}")
    if state.verification is not None and not state.verification.accepted:
        told.append("verification refused")
    open_circuits = {account for process in world.live() for account in process.engine.throttles.open_circuits()}
    told += [f"RotatorCircuitOpen {account}" for account in sorted(watched.accounts & open_circuits)]
    return told


def wrongs(world: FleetWorld, watched: JudgedTarget) -> Iterator[str]:
    """Whatever has been wrong with a target for long enough that somebody has to know."""
    now, judge = world.clock.now(), world.judge
    calm = max((world.accounts[name].troubled_until or now - 30 * DAY for name in watched.accounts), default=now)

    def long_since(since: timedelta, at: object) -> bool:
        return isinstance(at, type(now)) and now - max(at, min(calm, now)) > since

    if watched.refused_since is not None and long_since(_UNSEEN, watched.refused_since):
        yield "what is handed out is refused"
    if watched.open_attempt is not None and long_since(_LONG, watched.open_attempt[1]):
        yield "an attempt stays open"
    for username, password, since in watched.compromised:
        if judge.accepts(watched, username, password) and long_since(_LONG, since):
            yield f"{username} is compromised and accepted"
    state = judge.state(watched.name)
    for entry in state.ledger:
        if now - max(entry.ends_at, min(calm, now)) > 10 * DAY:
            yield f"{entry.label} is not retired"
    if state.request is not None and long_since(_LONG, state.request.at):
        yield "a request stays"


def judge_at_rest(world: FleetWorld) -> None:
    """Judges every configured target as it is, faults and all.

    Raises:
        PromiseBroken: something is wrong, and no alert's metric shows it.
    """
    for name in world.targets:
        watched = world.judge.targets[name]
        world.judge.settle(watched, by_us=False)
        out = watched.refused_since
        shown = alarms(world, watched)
        for wrong in wrongs(world, watched):
            if not shown:
                raise PromiseBroken("not shown", name, wrong)
        if out is not None and watched.refused_by_us and not shown and world.clock.now() - out > OUTAGE:
            raise PromiseBroken("outage", name, f"devices are refused since {out:%Y-%m-%d %H:%M}")
