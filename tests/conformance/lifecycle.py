"""The whole lifecycle of a target at one kind of credential by one strategy, and what crossed the socket at each step.

The real engine, the real adapter, the simulated provider on sockets; time is the test's. What is noted here is what the
table in docs/lifecycle.md shows.
"""

import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from typing import Any

from account_under_test import FIRST, AccountUnderTest
from engine_harness import ALTERNATING, DAY, IN_PLACE, REPLACE, EngineHarness
from kind_description import KindDescription
from kinds import ALL

from rotator.core.answers import Done
from rotator.core.model import Capabilities, Credential, Purpose
from rotator.core.secret import Secret
from rotator_simulator.http_server import RecordedExchange

TARGETS = {target.strategy.value: target for target in (REPLACE, ALTERNATING, IN_PLACE)}
MINUTE = timedelta(minutes=1)
STEPS = (
    "stage",
    "apply",
    "attach",
    "prove",
    "publish",
    "expire",
    "disable",
    "delete",
    "undo",
    "late undo",
    "compromised",
)
GAP = "- (gap)"
_UUID = re.compile("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_VERBS = (
    "find",
    "create",
    "complete",
    "set_password",
    "enable",
    "attachments",
    "attach",
    "expire",
    "disable",
    "delete",
    "prove",
)
_NAMED_FIELDS = ("username", "password", "expires_at")
_MOST_NAMED = 3
_STAGED = {"replace": "username and password", "alternating": "password of the idle one", "in-place": "password"}


@dataclass(frozen=True)
class RecordedCall:
    """One call of the engine, and what was sent for it."""

    verb: str
    requests: tuple[str, ...]
    said: str  # of a proof: how


class RecordingProvider:
    """A provider that notes what it is asked and what it sends."""

    def __init__(self, inner: Any, seen: list[str], accepts: Callable[[Credential], bool]) -> None:
        self._inner, self._seen, self._accepts = inner, seen, accepts
        self.points: Any = None  # the harness's; what is cut elsewhere is not cut here
        self.calls: list[RecordedCall] = []

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._inner, name)
        return self._recording(name, found) if name in _VERBS else found

    def accepts(self, username: str, password: Secret) -> bool:
        return self._accepts(Credential("prod", username, password=password))

    def _recording(self, verb: str, ask: Callable[..., Any]) -> Callable[..., Any]:
        def recorded(*given: Any) -> Any:
            first = len(self._seen)
            answer = ask(*given)
            said = answer.value.method if isinstance(answer, Done) and verb == "prove" else ""
            self.calls.append(RecordedCall(verb, tuple(self._seen[first:]), said.partition(" by ")[0]))
            return answer

        return recorded


class Lifecycle(EngineHarness):
    """A target at a simulated account."""

    provider: RecordingProvider
    old: tuple[Any, ...]  # what was handed out before the rotation that is looked at

    def __init__(self, description: KindDescription, strategy: str) -> None:
        super().__init__(TARGETS[strategy])
        self.description, self.strategy = description, strategy
        self.seen: list[str] = []
        self.account = AccountUnderTest(description, clock=self.clock, watch=self._watch)
        self.steps: dict[str, str] = {}

    @property
    def can(self) -> Capabilities:
        return self.account.provider.capabilities

    def _watch(self, exchange: RecordedExchange) -> None:
        self.seen.append(_request_in_words(self.description, self.account, exchange))

    def open(self) -> None:
        """The configured credentials are there before us, and one that is not ours."""
        self.provider = RecordingProvider(self.account.open_provider(proves=True), self.seen, self.account.accepts)
        for username in (*self.target.usernames, "bystander"):
            added = self.account.add(username)
            if self.description.attach is not None and username == self.target.usernames[0]:
                self.description.attach(self.account, added)
        self.process = self.engine()

    @contextmanager
    def step(self) -> Iterator[list[RecordedCall]]:
        """Collects what is asked of the provider meanwhile."""
        first = len(self.provider.calls)
        noted: list[RecordedCall] = []
        yield noted
        noted += self.provider.calls[first:]

    def rotate(self, *, compromised: bool = False) -> None:
        """One rotation on demand, to its publication."""
        self.request(self.process, compromised=compromised)
        self.until_rotated(self.process)
        assert self.published_works

    def undo(self) -> None:
        self.request(self.process, Purpose.UNDO)
        for _ in range(10):
            self.process.look(self.target)
            self.clock.advance(timedelta(seconds=11))

    def published_pair(self) -> tuple[Any, ...]:
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
        ours = [record for record in self.account.records() if record.username != "bystander"]
        alive = [one.username for one in ours if one.enabled and not self.account.simulated.has_ended(one)]
        assert alive == [self.consumer.username]
        assert len(ours) == (2 if self.strategy == "alternating" else 1)


def _request_in_words(description: KindDescription, account: AccountUnderTest, exchange: RecordedExchange) -> str:
    """A request in words: no value but true and false, no id and no username."""
    names = {name for happened in account.simulated.history() for name in (happened.id, happened.username)}
    parts = exchange.path.removeprefix(description.path).split("/")
    path = "/".join("{id}" if part in names or _UUID.fullmatch(part) else part for part in parts)
    return f"{exchange.method} {path}{_body(exchange)} {exchange.status}"


def _body(exchange: RecordedExchange) -> str:
    if not exchange.body:
        return ""
    given = json.loads(exchange.body)
    told = [name for name in given if name in _NAMED_FIELDS]
    told += [f"{name}={str(value).lower()}" for name, value in given.items() if isinstance(value, bool)]
    others = [name for name, value in given.items() if name not in _NAMED_FIELDS and not isinstance(value, bool)]
    told += others if len(others) <= _MOST_NAMED else [f"{len(others)} more"]
    return f" {{{', '.join(told)}}}"


def _cell(noted: list[RecordedCall], *verbs: str) -> str:
    """The requests of these verbs, each once."""
    wanted = [request for one in noted if one.verb in verbs for request in one.requests]
    return "; ".join(f"`{request}`" for request in dict.fromkeys(wanted))


@cache
def lifecycle_steps(kind: str, strategy: str) -> dict[str, str]:
    """Runs the whole lifecycle, asserts at each step what must be so, and returns what happened at each."""
    lifecycle = Lifecycle(ALL[kind], strategy)
    with lifecycle.account:
        lifecycle.open()
        _first(lifecycle)
        _rotation(lifecycle)
        _retirement(lifecycle)
        _undo(lifecycle)
        _late_undo(lifecycle)
        _compromised(lifecycle)
        lifecycle.at_rest()
        assert lifecycle.account.accepts(Credential("prod", "bystander", password=FIRST))
    assert set(lifecycle.steps) == set(STEPS)
    return lifecycle.steps


def _first(lifecycle: Lifecycle) -> None:
    lifecycle.until_rotated(lifecycle.process)
    assert lifecycle.published_works
    lifecycle.at_rest()


def _rotation(lifecycle: Lifecycle) -> None:
    staged: list[Credential] = []

    def watch(label: str) -> None:
        attempt = lifecycle.state.attempt if lifecycle.store.states else None
        if label == "after write state" and attempt is not None and not staged:
            staged.append(attempt.staged)
            heard = {one.verb for one in lifecycle.provider.calls[before:]}
            assert heard <= {"find", "prove"}  # not of the new password; the present one may have been proved
        if lifecycle.consumer.exists and label.startswith(("before w", "after w")):
            in_force = lifecycle.published_works or (
                lifecycle.strategy == "in-place" and lifecycle.state.attempt is not None
            )
            assert in_force, label

    old, before = lifecycle.published_pair(), len(lifecycle.provider.calls)
    lifecycle.cut_at(0, watch)
    with lifecycle.step() as noted:
        lifecycle.rotate()
    lifecycle.cut_at(0)
    made_there = "the attempt's name, with which the provider makes both"
    lifecycle.steps["stage"] = f"{_STAGED[lifecycle.strategy] if staged[0].password else made_there}: into Vault"
    assert (staged[0].password is None) is lifecycle.can.generates_password
    lifecycle.steps["apply"] = _cell(noted, "create", "complete", "set_password")
    attached = _cell(noted, "attachments", "attach")
    assert bool(attached) is (lifecycle.can.attaches and lifecycle.strategy != "in-place")
    lifecycle.steps["attach"] = attached or ("- (it stays)" if lifecycle.can.attaches else GAP)
    proofs = [one.said for one in noted if one.verb == "prove" and one.said]
    lifecycle.steps["prove"] = "; ".join(dict.fromkeys(proofs))
    assert lifecycle.steps["apply"]
    assert lifecycle.steps["prove"]
    changes = lifecycle.published_pair()[0] != old[0]
    assert changes is (lifecycle.strategy != "in-place")
    lifecycle.steps["publish"] = "another username and password" if changes else "another password, same username"
    assert lifecycle.works(old) is changes  # the overlap
    with lifecycle.step() as told:
        lifecycle.settle(lifecycle.process, MINUTE)
    expiring = _cell([*noted, *told], "expire")
    assert bool(expiring) is (lifecycle.can.expires and changes)
    lifecycle.steps["expire"] = expiring or GAP
    lifecycle.old = old


def _retirement(lifecycle: Lifecycle) -> None:
    old = lifecycle.old
    with lifecycle.step() as noted:
        lifecycle.settle(lifecycle.process, DAY - 3 * MINUTE)
        assert lifecycle.works(old) is (lifecycle.strategy != "in-place")
        lifecycle.settle(lifecycle.process, 5 * MINUTE)
    assert not lifecycle.works(old)
    overlapping = lifecycle.strategy != "in-place"
    lifecycle.steps["disable"] = (
        _cell(noted, "attachments", "disable") if overlapping else "- (replaced: nothing is left to disable)"
    )
    assert lifecycle.steps["disable"]
    with lifecycle.step() as noted:
        lifecycle.settle(lifecycle.process, 8 * DAY)
    deleted = _cell(noted, "delete")
    assert bool(deleted) is (lifecycle.strategy == "replace")
    forgotten = {"alternating": "stands by; its password is forgotten", "in-place": "its password is forgotten"}
    lifecycle.steps["delete"] = deleted or forgotten[lifecycle.strategy]
    assert lifecycle.state.ledger == ()


def _undo(lifecycle: Lifecycle) -> None:
    old = lifecycle.published_pair()
    lifecycle.rotate()
    with lifecycle.step() as noted:
        lifecycle.undo()
    assert lifecycle.published_pair() == old
    assert lifecycle.published_works
    lifecycle.steps["undo"] = f"{_cell(noted, 'enable', 'set_password', 'attach')}; published again"
    lifecycle.at_rest()


def _late_undo(lifecycle: Lifecycle) -> None:
    old = lifecycle.published_pair()
    lifecycle.rotate()
    new = lifecycle.published_pair()
    lifecycle.settle(lifecycle.process, DAY + 5 * MINUTE)
    with lifecycle.step() as noted:
        lifecycle.undo()
    possible = lifecycle.can.re_enables or lifecycle.strategy == "in-place"
    assert lifecycle.published_pair() == (old if possible else new)
    assert lifecycle.published_works
    done = f"{_cell(noted, 'enable', 'set_password', 'attach')}; published again"
    lifecycle.steps["late undo"] = done if possible else f"refused: {lifecycle.dropped().rpartition(': ')[2]}"
    lifecycle.at_rest()


def _compromised(lifecycle: Lifecycle) -> None:
    old = lifecycle.published_pair()
    with lifecycle.step() as noted:
        lifecycle.rotate(compromised=True)
        lifecycle.settle(lifecycle.process, MINUTE)
    assert not lifecycle.works(old)
    assert lifecycle.state.ledger == ()
    ended = _cell(noted, "disable", "delete")
    assert bool(ended) is (lifecycle.strategy != "in-place")
    lifecycle.steps["compromised"] = f"at once: {ended}" if ended else "at once: the old password is dead and forgotten"
