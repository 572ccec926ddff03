"""How a fleet begins with real daemons: a budget for a day, over restarts; and a canary that fails."""

import json
from itertools import pairwise
from types import SimpleNamespace

from polling import eventually

from rotator.core.secret import Secret
from rotator.core.waves import canaries

PASSWORD = Secret("initial-Passw0rd!")
NAMES = [f"wave{number}" for number in range(12)]


def begin_with(environment, **first) -> None:
    """Configures a fleet of a dozen, in place, that begins so."""
    for name in NAMES:
        environment.account.create("credential", name, PASSWORD)
    one = {"strategy": "in-place"}
    targets = [one | {"name": name, "credential": {"username": name}, "path": f"sip/{name}"} for name in NAMES]
    document = json.loads(environment.configure(targets).read_text())
    document["policies"]["fast"] |= {"every": "360d", "first": first}
    environment.config.write_text(json.dumps(document))


def rotated(environment) -> set[str]:
    return {name for name in NAMES if environment.rotations(name)}


def due(environment, names) -> list:
    return sorted(environment.state(name).next_rotation for name in names)


def test_a_days_budget_holds_over_a_restart_and_no_request_waits_for_it(environment):
    begin_with(environment, per_day=20)
    daemon = environment.start()
    eventually(lambda: all(environment.state(name).next_rotation for name in NAMES), "each has a due time")
    eventually(lambda: len(rotated(environment)) == 2, "a tenth of the budget is due at once")
    others = set(NAMES) - rotated(environment)
    slots = due(environment, others)
    gaps = [(later - earlier).total_seconds() for earlier, later in pairwise(slots)]
    assert all(abs(gap - 86_400 / 18) < 1 for gap in gaps), gaps
    assert daemon.stop() == 0

    asked = min(others)
    again = environment.start()
    environment.run_rotator("rotate", asked)

    assert rotated(environment) == set(NAMES) - others | {asked}
    assert set(due(environment, others - {asked})) < set(slots), "no slot was drawn again"
    assert json.loads(again.get("/status"))["summary"]["targets"] == len(NAMES)


def test_nobody_follows_a_canary_that_fails_and_its_mending_is_enough(environment):
    begin_with(environment, canary=1, wait="5m")
    [target] = canaries([SimpleNamespace(name=name) for name in NAMES], 1)
    environment.sandbox.faults.plan("error", verb="update", times=None)
    daemon = environment.start()

    def held() -> set[str]:
        rows = json.loads(daemon.get("/status"))["targets"]
        return {row["name"] for row in rows if "canary" in str(row)}

    eventually(lambda: environment.state(target).failures >= 3, "the canary fails")
    assert rotated(environment) == set()
    environment.sandbox.faults.clear()
    eventually(lambda: rotated(environment) == {target}, "the canary is rotated once it can be")
    eventually(lambda: held() >= set(NAMES) - {target}, "the others wait until it was verified")
