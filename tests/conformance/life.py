"""The whole life of a target at one kind of credential by one strategy, and what crossed the socket at each step.

The real engine, the real adapter, the simulated provider on sockets; time is the test's. What is noted here is what the
table in docs/lifecycle.md shows.
"""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from typing import Any

from kinds import ALL
from place import FIRST, Place
from row import Row
from world import ALTERNATING, DAY, IN_PLACE, REPLACE, World

from rotator.core.answers import Done
from rotator.core.model import Capabilities, Credential, Purpose
from rotator.core.secret import Secret
from rotator_simulator.http_server import RecordedExchange

TARGETS = {target.strategy.value: target for target in (REPLACE, ALTERNATING, IN_PLACE)}
MINUTE = timedelta(minutes=1)
STEPS = ("stage", "apply", "prove", "publish", "expire", "disable", "delete", "undo", "late undo", "compromised")
GAP = "- (gap)"
_VERBS = ("find", "create", "complete", "set_password", "enable", "expire", "disable", "delete", "prove")
_TOLD = ("username", "password", "expires_at")
_MOST_NAMED = 3
_STAGED = {"replace": "username and password", "alternating": "password of the idle one", "in-place": "password"}


@dataclass(frozen=True)
class Noted:
    """One call of the engine, and what was sent for it."""

    verb: str
    requests: tuple[str, ...]
    said: str  # of a proof: how


class Recorder:
    """A provider that notes what it is asked and what it sends."""

    def __init__(self, inner: Any, seen: list[str], accepts: Callable[[Credential], bool]) -> None:
        self._inner, self._seen, self._accepts = inner, seen, accepts
        self.points: Any = None  # the world's; what is cut elsewhere is not cut here
        self.noted: list[Noted] = []

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._inner, name)
        return self._noting(name, found) if name in _VERBS else found

    def accepts(self, username: str, password: Secret) -> bool:
        return self._accepts(Credential("prod", username, password=password))

    def _noting(self, verb: str, ask: Callable[..., Any]) -> Callable[..., Any]:
        def noting(*given: Any) -> Any:
            first = len(self._seen)
            answer = ask(*given)
            said = answer.value.method if isinstance(answer, Done) and verb == "prove" else ""
            self.noted.append(Noted(verb, tuple(self._seen[first:]), said.partition(" by ")[0]))
            return answer

        return noting


class Life(World):
    """A target at a simulated account."""

    old: tuple[Any, ...]  # what was handed out before the rotation that is looked at

    def __init__(self, row: Row, strategy: str) -> None:
        super().__init__(TARGETS[strategy])
        self.row, self.strategy = row, strategy
        self.seen: list[str] = []
        self.place = Place(row, clock=self.clock, watch=self._watch)
        self.steps: dict[str, str] = {}

    @property
    def can(self) -> Capabilities:
        return self.provider.capabilities

    def _watch(self, exchange: RecordedExchange) -> None:
        self.seen.append(_told(self.row, self.place, exchange))

    def open(self) -> None:
        """The configured credentials are there before us, and one that is not ours."""
        self.provider = Recorder(self.place.open(proves=True), self.seen, self.place.accepts)
        for username in (*self.target.usernames, "bystander"):
            self.place.add(username)
        self.process = self.engine()

    @contextmanager
    def step(self) -> Iterator[list[Noted]]:
        """Collects what is asked of the provider meanwhile."""
        first = len(self.provider.noted)
        noted: list[Noted] = []
        yield noted
        noted += self.provider.noted[first:]

    def rotate(self, **flags: bool) -> None:
        """One rotation on demand, to its publication."""
        self.request(self.process, **flags)
        self.until_rotated(self.process)
        assert self.published_works

    def undo(self) -> None:
        self.request(self.process, Purpose.UNDO)
        for _ in range(10):
            self.process.look(self.target)
            self.clock.advance(timedelta(seconds=11))

    def handed_out(self) -> tuple[Any, ...]:
        return self.consumer.username, self.consumer.password

    def works(self, handed_out: tuple[Any, ...]) -> bool:
        return self.provider.accepts(*handed_out)

    def dropped(self) -> str:
        """Why the last wish was not carried out."""
        return str(next(r.facts["reason"] for r in reversed(self.audit.records) if r.verb == "drop"))

    def at_rest(self) -> None:
        """Nothing is left but what is published, and the other one of two that take turns."""
        self.settle(self.process, 20 * DAY, most=2000)
        assert self.state.ledger == ()
        assert self.state.attempt is None
        assert self.published_works
        ours = [record for record in self.place.records() if record.username != "bystander"]
        alive = [one.username for one in ours if one.enabled and not self.place.account.has_ended(one)]
        assert alive == [self.consumer.username]
        assert len(ours) == (2 if self.strategy == "alternating" else 1)


def _told(row: Row, place: Place, exchange: RecordedExchange) -> str:
    """A request in words: no value but true and false, no id and no username."""
    names = {name for happened in place.account.history() for name in (happened.id, happened.username)}
    parts = exchange.path.removeprefix(row.path).split("/")
    path = "/".join("{id}" if part in names else part for part in parts)
    return f"{exchange.method} {path}{_body(exchange)} {exchange.status}"


def _body(exchange: RecordedExchange) -> str:
    if not exchange.body:
        return ""
    given = json.loads(exchange.body)
    told = [name for name in given if name in _TOLD]
    told += [f"{name}={str(value).lower()}" for name, value in given.items() if isinstance(value, bool)]
    others = [name for name, value in given.items() if name not in _TOLD and not isinstance(value, bool)]
    told += others if len(others) <= _MOST_NAMED else [f"{len(others)} more"]
    return f" {{{', '.join(told)}}}"


def _cell(noted: list[Noted], *verbs: str) -> str:
    """The requests of these verbs, each once."""
    wanted = [request for one in noted if one.verb in verbs for request in one.requests]
    return "; ".join(f"`{request}`" for request in dict.fromkeys(wanted))


@cache
def lived(kind: str, strategy: str) -> dict[str, str]:
    """Lives the whole life, asserts at each step what must be so, and returns what happened at each."""
    life = Life(ALL[kind], strategy)
    with life.place:
        life.open()
        _first(life)
        _rotation(life)
        _retirement(life)
        _undo(life)
        _late_undo(life)
        _compromised(life)
        life.at_rest()
        assert life.place.accepts(Credential("prod", "bystander", password=FIRST))
    assert set(life.steps) == set(STEPS)
    return life.steps


def _first(life: Life) -> None:
    life.until_rotated(life.process)
    assert life.published_works
    life.at_rest()


def _rotation(life: Life) -> None:
    staged: list[Credential] = []

    def watch(label: str) -> None:
        attempt = life.state.attempt if life.store.states else None
        if label == "after write state" and attempt is not None and not staged:
            staged.append(attempt.staged)
            assert {one.verb for one in life.provider.noted[before:]} <= {"find"}  # the provider has not heard of it
        if life.consumer.exists and label.startswith(("before w", "after w")):
            in_force = life.published_works or (life.strategy == "in-place" and life.state.attempt is not None)
            assert in_force, label

    old, before = life.handed_out(), len(life.provider.noted)
    life.cut_at(0, watch)
    with life.step() as noted:
        life.rotate()
    life.cut_at(0)
    made_there = "the attempt's name, with which the provider makes both"
    life.steps["stage"] = f"{_STAGED[life.strategy] if staged[0].password else made_there}: into Vault"
    assert (staged[0].password is None) is life.can.generates_password
    life.steps["apply"] = _cell(noted, "create", "complete", "set_password")
    proofs = [one.said for one in noted if one.verb == "prove" and one.said]
    life.steps["prove"] = "; ".join(dict.fromkeys(proofs))
    assert life.steps["apply"]
    assert life.steps["prove"]
    changes = life.handed_out()[0] != old[0]
    assert changes is (life.strategy != "in-place")
    life.steps["publish"] = "another username and password" if changes else "another password, same username"
    assert life.works(old) is changes  # the overlap
    with life.step() as told:
        life.settle(life.process, MINUTE)
    expiring = _cell([*noted, *told], "expire")
    assert bool(expiring) is (life.can.expires and changes)
    life.steps["expire"] = expiring or GAP
    life.old = old


def _retirement(life: Life) -> None:
    old = life.old
    with life.step() as noted:
        life.settle(life.process, DAY - 3 * MINUTE)
        assert life.works(old) is (life.strategy != "in-place")
        life.settle(life.process, 5 * MINUTE)
    assert not life.works(old)
    overlapping = life.strategy != "in-place"
    life.steps["disable"] = _cell(noted, "disable") if overlapping else "- (replaced: nothing is left to disable)"
    assert life.steps["disable"]
    with life.step() as noted:
        life.settle(life.process, 8 * DAY)
    deleted = _cell(noted, "delete")
    assert bool(deleted) is (life.strategy == "replace")
    forgotten = {"alternating": "stands by; its password is forgotten", "in-place": "its password is forgotten"}
    life.steps["delete"] = deleted or forgotten[life.strategy]
    assert life.state.ledger == ()


def _undo(life: Life) -> None:
    old = life.handed_out()
    life.rotate()
    with life.step() as noted:
        life.undo()
    assert life.handed_out() == old
    assert life.published_works
    life.steps["undo"] = f"{_cell(noted, 'enable', 'set_password')}; published again"
    life.at_rest()


def _late_undo(life: Life) -> None:
    old = life.handed_out()
    life.rotate()
    new = life.handed_out()
    life.settle(life.process, DAY + 5 * MINUTE)
    with life.step() as noted:
        life.undo()
    possible = life.can.re_enables or life.strategy == "in-place"
    assert life.handed_out() == (old if possible else new)
    assert life.published_works
    done = f"{_cell(noted, 'enable', 'set_password')}; published again"
    life.steps["late undo"] = done if possible else f"refused: {life.dropped().rpartition(': ')[2]}"
    life.at_rest()


def _compromised(life: Life) -> None:
    old = life.handed_out()
    with life.step() as noted:
        life.rotate(compromised=True)
        life.settle(life.process, MINUTE)
    assert not life.works(old)
    assert life.state.ledger == ()
    ended = _cell(noted, "disable", "delete")
    assert bool(ended) is (life.strategy != "in-place")
    life.steps["compromised"] = f"at once: {ended}" if ended else "at once: the old password is dead and forgotten"
