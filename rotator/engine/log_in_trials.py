"""Tries log-ins with a scratch credential: what is let in, what is refused, and after how long.

Wrong log-ins are few: a registrar may lock out the address that they come from. A life makes about six.
"""

from dataclasses import dataclass

from rotator.core import evidence as known
from rotator.core.answers import Done
from rotator.core.evidence import Assumption
from rotator.core.log_ins import is_wrong
from rotator.core.model import Credential
from rotator.engine.check_results import CheckResults
from rotator.engine.provider_caller import message_of
from rotator.ports import Clock, Provider

_FIRST_PAUSE = 1.0  # seconds; doubled after each try, so that a change within 30 s takes six of them


@dataclass(frozen=True, slots=True)
class Trial:
    """What came of waiting for a log-in to be let in, or refused."""

    accepted: bool | None  # by the last try; None: nobody tried the password
    seconds: float  # from the change until that was seen
    words: str


class LogInTrials:
    """Tries log-ins, and judges by them."""

    def __init__(self, provider: Provider, clock: Clock, results: CheckResults) -> None:
        """Prepares without a request."""
        self._provider, self._clock, self._results = provider, clock, results
        self._window = provider.capabilities.propagation.total_seconds()
        self._hopeless = False  # a right log-in was refused: no further one is tried, and none shows anything
        self.trusted = False
        """A right log-in was let in, so that one that is refused shows something."""

    def accepts(self, credential: Credential) -> bool | None:
        """Returns whether a log-in is let in within the propagation time; None if nobody tries the password."""
        return self._until(credential, accepted=True).accepted

    def expect_accepted(self, assumption: Assumption, credential: Credential) -> None:
        """Judges that a log-in is let in."""
        if self._hopeless:
            self._skip(assumption)
            return
        trial = self._until(credential, accepted=True)
        self._judge(assumption, trial, wanted=True)
        self.trusted |= trial.accepted is True
        self._hopeless = not self.trusted

    def expect_refused(self, assumption: Assumption, credential: Credential) -> None:
        """Judges that a log-in is refused. Without one that was let in before, that shows nothing."""
        if self.trusted:
            self._judge(assumption, self._until(credential, accepted=False), wanted=False)
        else:
            self._skip(assumption)

    def expect_wrong_refused(self, wrong: Credential) -> None:
        """Judges that a password that was never set is refused: else a log-in proves nothing."""
        if self._results.shown(known.WRONG_REFUSED) is not None:
            return
        if self.trusted:
            self._judge(known.WRONG_REFUSED, self._once(wrong, 0.0), wanted=False)
        else:
            self._skip(known.WRONG_REFUSED)

    def _skip(self, assumption: Assumption) -> None:
        if self._results.shown(assumption) is None:
            self._results.not_shown(assumption, "no log-in was let in before")

    def _until(self, credential: Credential, *, accepted: bool) -> Trial:
        """Tries until the log-in is let in, or refused, or the propagation time ends."""
        began, pause = self._clock.monotonic(), _FIRST_PAUSE
        while True:
            trial = self._once(credential, self._clock.monotonic() - began)
            left = self._window - (self._clock.monotonic() - began)
            if trial.accepted is accepted or left <= 0 or not self._provider.capabilities.proof.tries_password:
                return trial
            self._results.wait(min(pause, left))
            pause *= 2

    def _once(self, credential: Credential, seconds: float) -> Trial:
        if not self._provider.capabilities.proof.tries_password:
            return Trial(None, seconds, "no log-in is configured that tries a password")
        with self._results.watching():
            answer = self._provider.log_in(credential)
        if isinstance(answer, Done):
            return Trial(accepted=True, seconds=seconds, words=answer.value.method)
        return Trial(accepted=False if is_wrong(answer) else None, seconds=seconds, words=message_of(answer))

    def _judge(self, assumption: Assumption, trial: Trial, *, wanted: bool) -> None:
        if trial.accepted is None:
            self._results.not_shown(assumption, trial.words)
        elif trial.accepted is wanted:
            said = f"{'let in' if wanted else 'refused'} within {trial.seconds:.1f} s"
            self._results.holds(assumption, f"{said}: {trial.words}", trial.seconds)
            self._results.add_change(trial.seconds)
        else:
            words = "refused" if wanted else "still let in"
            self._results.does_not(assumption, f"{words} after {trial.seconds:.1f} s: {trial.words}", trial.seconds)
