"""How many requests each part of a life takes: to the provider, and to a real OpenBao, as the daemon looks."""

from collections import Counter
from dataclasses import astuple, dataclass, replace
from datetime import timedelta
from functools import cache

from engine_harness import DAY
from kind_description import KindDescription
from kinds import ALL
from lifecycle import Lifecycle
from openbao_server import Bao

from rotator.core.consumer_document import ConsumerDocument
from rotator.engine import Outcome
from rotator.testing import CrashPoints
from rotator_simulator.http_server import RecordedExchange

PARTS = ("first rotation", "rotation", "retirement")
_WRITES = {"write_state", "write_consumer"}


@dataclass(frozen=True)
class RequestCount:
    """What one part of a life took."""

    provider: int
    reads: int  # of Vault
    writes: int
    others: int  # the rights, asked for every five minutes, and the number of versions, set once for each target

    def __str__(self) -> str:
        return f"{self.provider} / {self.reads} + {self.writes}"

    def __add__(self, other: "RequestCount") -> "RequestCount":
        mine, others = astuple(self), astuple(other)
        return RequestCount(*(one + two for one, two in zip(mine, others, strict=True)))


class CountedLife(Lifecycle):
    """A life whose documents are in a real Vault. Looks begin with what is in memory, as the daemon's do."""

    def __init__(self, bao: Bao, description: KindDescription, strategy: str) -> None:
        super().__init__(description, strategy)
        self.target = replace(self.target, path=f"counted/{description.kind}-{strategy}")
        self.sent: list[str] = []
        self.vault = bao.client(prefix=f"counted/{description.kind}-{strategy}")
        self._told: Counter[str] = Counter()
        self.store = _TimedStore(self)  # type: ignore[assignment]

    def _watch(self, exchange: RecordedExchange) -> None:
        if exchange.path.startswith(self.description.path):  # a gateway that tries a password is no API
            self.sent.append(f"{exchange.method} {exchange.path}")

    def come_to_rest(self, until: timedelta) -> None:
        """Looks whenever the last look said so, until `until` has passed."""
        end = self.clock.now() + until
        while self.clock.now() < end:
            following = self.process.look(self.target, fresh=False).next_look or end
            self.clock.advance(max(min(following, end) - self.clock.now(), timedelta(seconds=1)))
        self.process.look(self.target, fresh=False)

    def rotate_when_due(self) -> None:
        """One look, which rotates."""
        look = self.process.look(self.target, fresh=False)
        assert look.outcome is Outcome.ROTATED, look

    def counted(self) -> RequestCount:
        """What was sent since this was asked last."""
        told = Counter(operation for operation, _ in self.vault.meter.requests)
        new = told - self._told
        self._told = told
        new.pop("look_up", None)  # of the token, once
        new.pop("read_pauses", None)  # once a minute and after a ring, by what hears the bell, for all targets together
        reads = sum(number for operation, number in new.items() if operation.startswith("read_"))
        writes = sum(number for operation, number in new.items() if operation in _WRITES)
        provider, self.sent[:] = len(self.sent), []
        return RequestCount(provider, reads, writes, new.total() - reads - writes)


class _TimedStore:
    """The store of a life, whose Vault has the time of the test's clock."""

    def __init__(self, life: CountedLife) -> None:
        self._life = life
        self.points = CrashPoints()

    def __getattr__(self, name: str) -> object:
        return getattr(self._life.vault.store, name)

    def now(self) -> object:
        return self._life.clock.now()

    @property
    def consumers(self) -> dict[str, ConsumerDocument]:
        return {}


@cache
def requests_of_a_life(bao: Bao, kind: str, strategy: str) -> dict[str, RequestCount]:
    """Returns the requests of each part: the first rotation, a later one, and the end of what it replaced."""
    life = CountedLife(bao, ALL[kind], strategy)
    with life.account:
        life.open()
        counted = {}
        life.rotate_when_due()
        counted["first rotation"] = life.counted()
        life.come_to_rest(60 * DAY)
        life.clock.advance(40 * DAY)
        life.counted()
        life.rotate_when_due()
        counted["rotation"] = life.counted()
        life.come_to_rest(40 * DAY)
        counted["retirement"] = life.counted()
    return counted
