"""What a check of an account has seen and shown so far."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from statistics import median

from rotator.core import evidence as known
from rotator.core.evidence import Assumption, AssumptionResult, Shown
from rotator.core.exchanges import ProviderExchange, outcomes
from rotator.ports import WITNESS, Clock

_SHORT = 0.9  # of a wait: it was ended early
_IN_TIME = 10.0  # seconds: of silence, after which a request counts as lost
_NO_WORD = (429, 500, 502, 503, 504)  # statuses that say nothing about the form of a request


class CheckStopped(Exception):
    """The process must stop: no further step."""


class CheckResults:
    """Collects results, and what the requests behind them looked like."""

    def __init__(self, clock: Clock, going_on: Callable[[str], None] = lambda _: None) -> None:
        """Begins with none.

        Args:
            going_on: is told the key of each assumption before its result is added. It may raise CheckStopped.
        """
        self._clock, self._going_on = clock, going_on
        self.exchanges: list[ProviderExchange] = []
        self._results: dict[str, AssumptionResult] = {}
        self._slowest_change: float | None = None

    def wait(self, seconds: float) -> None:
        """Waits. Raises CheckStopped if the process must stop."""
        began = self._clock.monotonic()
        self._clock.sleep(seconds)
        if self._clock.monotonic() - began < seconds * _SHORT:
            raise CheckStopped

    @contextmanager
    def watching(self) -> Iterator[list[ProviderExchange]]:
        """Collects what this thread's requests inside the block look like."""
        seen: list[ProviderExchange] = []

        def take(one: ProviderExchange) -> None:
            seen.append(one)
            self.exchanges.append(one)

        token = WITNESS.set(take)
        try:
            yield seen
        finally:
            WITNESS.reset(token)

    def add(self, assumption: Assumption, shown: Shown, evidence: str, seconds: float | None = None) -> None:
        """Adds a result, in place of one for the same assumption. Raises CheckStopped."""
        self._going_on(assumption.key)
        at, rounded = self._clock.now(), None if seconds is None else round(seconds, 3)
        self._results[assumption.key] = AssumptionResult(assumption.key, assumption.text, shown, evidence, at, rounded)

    def holds(self, assumption: Assumption, evidence: str, seconds: float | None = None) -> None:
        """Adds that an assumption holds."""
        self.add(assumption, Shown.HOLDS, evidence, seconds)

    def does_not(self, assumption: Assumption, evidence: str, seconds: float | None = None) -> None:
        """Adds that an assumption does not hold."""
        self.add(assumption, Shown.DOES_NOT, evidence, seconds)

    def not_shown(self, assumption: Assumption, evidence: str) -> None:
        """Adds that nothing was shown of an assumption."""
        self.add(assumption, Shown.NOT_SHOWN, evidence)

    def add_change(self, seconds: float) -> None:
        """Takes note of how long it took until a change was in force."""
        self._slowest_change = max(self._slowest_change or 0.0, seconds)

    def shown(self, assumption: Assumption) -> Shown | None:
        """Returns what was shown of an assumption so far; None if it was not looked at."""
        found = self._results.get(assumption.key)
        return found.shown if found is not None else None

    def add_form(
        self, assumption: Assumption | None, verb: str, seen: Sequence[ProviderExchange], *, alone: bool = False
    ) -> None:
        """Adds whether the first form of a request was enough; another one follows if it was not.

        Args:
            alone: nothing may follow, not even a look at what was changed.
        """
        if assumption is None:
            return
        forms = [one for one in seen if one.verb == verb and one.status is not None and one.status not in _NO_WORD]
        if not forms:
            self.not_shown(assumption, "no such request was answered")
        elif len(forms) == 1 and forms[0].ok and not (alone and seen[-1] is not forms[0]):
            self.holds(assumption, outcomes(forms))
        else:
            self.does_not(assumption, outcomes(seen[seen.index(forms[0]) :]))

    @property
    def all(self) -> tuple[AssumptionResult, ...]:
        """Every result, in the order in which it was added, and how long changes and answers took."""
        if self._slowest_change is not None:
            words = f"{self._slowest_change:.1f} s at the most"
            self.holds(known.PROPAGATES, words, self._slowest_change)
        sent = [one for one in self.exchanges if not one.is_sip]
        timed = [one.seconds for one in sent]
        if timed and all(one.status is None for one in sent):
            self.not_shown(known.ANSWERS, "no answer came")
        elif timed:
            slowest = max(timed)
            words = f"{len(timed)} requests: median {median(timed):.2f} s, slowest {slowest:.2f} s"
            shown = Shown.HOLDS if slowest < _IN_TIME else Shown.DOES_NOT
            self.add(known.ANSWERS, shown, words, median(timed))
        return tuple(self._results.values())
