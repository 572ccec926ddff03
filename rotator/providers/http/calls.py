"""A call to a provider: one method's requests under one deadline, each repeated only if that is safe.

If no connection was made, any request is tried again. After a lost answer or a 429, a request is repeated only if
sending it twice has the same effect as sending it once.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any, Protocol, TypeAlias
from urllib.parse import quote

from tenacity import RetryCallState, Retrying, retry_if_result

from rotator.core.answers import Retry, Unknown, Wait
from rotator.core.secret import Secret
from rotator.ports import Clock
from rotator.providers.http.bodies import BodyReader, WholeBody
from rotator.providers.http.rate_limit import slept
from rotator.providers.http.replies import HttpReply

_TRIES = 4
_FIRST_WAIT = 0.5  # seconds before the second try, doubled after each further one
_LONGEST_WAIT = 5.0  # seconds between two tries after answers 429 that name no time
_BUSY = (502, 503, 504)  # worth another try within the call, if the request is repeatable
PATIENCE = 30.0
"""Seconds that a call waits for the account's pace, in addition to its own time."""


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """One request. `Secret`s in `body` are revealed only while it is sent."""

    verb: str  # the label of its metrics, such as `create` or `list`
    method: str
    path: str  # below the base URL, built with `path()`
    query: Mapping[str, str | int] = field(default_factory=dict)
    body: Mapping[str, Any] | None = field(default=None, repr=False)
    form: Mapping[str, str] | None = None  # sent as a form, in place of `body`
    headers: Mapping[str, Secret] = field(default_factory=dict, repr=False)  # in addition to the account's
    repeatable: bool = True  # False: sending it twice could act twice
    reader: Callable[[], BodyReader] = WholeBody  # reads the body of an answer; called for each try


@dataclass(frozen=True, slots=True)
class LostTry:
    """A try without a complete answer."""

    message: str
    outcome: str | None  # for the meter; None: nothing was sent, so nothing is counted
    sent: bool  # False: the provider certainly never got it
    again: bool = True  # worth another try at once
    why: Wait = Wait.UNREACHABLE
    after: timedelta | None = None  # how long to wait, if that is known


Try: TypeAlias = HttpReply | LostTry


def path(*segments: str, end: str = "") -> str:
    """Joins segments into a path, each percent-encoded; `end` is "/" if the API requires it.

    Raises:
        ValueError: a segment is empty, or `.` or `..`, which would lead to another resource.
    """
    if any(segment in ("", ".", "..") for segment in segments):
        raise ValueError("a segment of a path is empty or leads elsewhere")
    return "/" + "/".join(quote(segment, safe="") for segment in segments) + end


class Sender(Protocol):
    """The part of `Http` that sends a single request, when it is its turn."""

    def wait_for_turn(self, within: float) -> LostTry | None:
        """Waits for the account's pace, at most `within` seconds. Returns what to say if no turn comes."""
        ...

    def try_once(self, request: HttpRequest, deadline: float) -> Try:
        """Sends `request` once, before `deadline` on the scale of `Clock.monotonic`."""
        ...


class HttpCall:
    """The requests of one method of a provider, under one deadline."""

    def __init__(self, sender: Sender, clock: Clock, deadline: float, patience: float = PATIENCE) -> None:
        """`patience` is how many seconds it waits for the account's pace, by which the deadline moves."""
        self._sender, self._clock, self._deadline, self._patience = sender, clock, deadline, patience

    @property
    def left(self) -> float:
        """Returns the seconds until the deadline, never less than zero."""
        return max(self._deadline - self._clock.monotonic(), 0.0)

    def send(self, request: HttpRequest) -> HttpReply | Retry | Unknown:
        """Sends a request; more than once only if that is safe and the time allows it.

        Returns:
            HttpReply: any answer, errors included; `uncertain` if an earlier try was lost.
            Retry: the request was certainly never sent.
            Unknown: the request was or may have been sent, without a complete answer.

        Raises:
            ReadOnlyViolation: the request is not a GET, and the connection is read-only.
        """
        tries: list[Try] = []

        def one_more() -> Try:
            tries.append(self._in_turn(request))
            while request.repeatable and _was_too_early(tries[-1]) and self._paused(tries):
                again = self._in_turn(request)
                if isinstance(again, LostTry) and again.why is Wait.RATE_LIMITED:
                    break
                tries.append(again)
            return tries[-1]

        with suppress(_Stopping):
            first = [one_more()]
            if _worth_repeating(request, first[0]):
                self._retrying(request)(lambda: first.pop() if first else one_more())
        return _conclusion(request, tries)

    def _retrying(self, request: HttpRequest) -> Retrying:
        """Returns what tries a request again. Made only for that: it costs more than reading most answers."""
        return Retrying(
            retry=retry_if_result(lambda tried: _worth_repeating(request, tried)),
            wait=_wait,
            stop=lambda state: state.attempt_number >= _TRIES or state.upcoming_sleep >= self.left,
            sleep=self._sleep,
            retry_error_callback=lambda state: state.outcome,
        )

    def _in_turn(self, request: HttpRequest) -> Try:
        """Sends the request once when it is its turn. That wait is no part of the call's time."""
        began = self._clock.monotonic()
        lost = self._sender.wait_for_turn(self._patience)
        waited = self._clock.monotonic() - began
        self._patience, self._deadline = self._patience - waited, self._deadline + waited
        return lost or self._sender.try_once(request, self._deadline)

    def _paused(self, tries: Sequence[Try]) -> bool:
        """Waits after a 429 that names no time, longer after each; False if the patience does not suffice."""
        last = tries[-1]
        if isinstance(last, HttpReply) and last.after is not None:
            return True  # the pace waits for it
        seconds = min(_FIRST_WAIT * 2.0 ** (len(tries) - 1), _LONGEST_WAIT)
        if seconds > self._patience:
            return False
        self._patience, self._deadline = self._patience - seconds, self._deadline + seconds
        self._sleep(seconds)
        return True

    def _sleep(self, seconds: float) -> None:
        if not slept(self._clock, seconds):
            raise _Stopping


class _Stopping(Exception):
    """The process must stop: no further try."""


def _was_too_early(tried: Try) -> bool:
    return isinstance(tried, HttpReply) and tried.status == 429


def _wait(state: RetryCallState) -> float:
    doubled = _FIRST_WAIT * 2.0 ** (state.attempt_number - 1)
    tried = state.outcome.result() if state.outcome is not None else None
    asked = tried.after if isinstance(tried, HttpReply) else None
    return max(doubled, asked.total_seconds()) if asked is not None else doubled


def _worth_repeating(request: HttpRequest, tried: Try) -> bool:
    if isinstance(tried, LostTry):
        return tried.again and (request.repeatable or not tried.sent)
    return request.repeatable and tried.status in _BUSY


def _conclusion(request: HttpRequest, tries: Sequence[Try]) -> HttpReply | Retry | Unknown:
    """Interprets all tries together. A write that may have acted once stays uncertain, whatever followed."""
    last = tries[-1]
    uncertain = request.method != "GET" and any(_may_have_acted(tried) for tried in tries[:-1])
    if isinstance(last, HttpReply):
        return replace(last, uncertain=uncertain)
    if last.sent:
        return Unknown(last.message)
    if uncertain:
        return Unknown(f"{last.message}; an earlier try of the same request got no answer and may have acted")
    return Retry(last.why, last.message, last.after)


def _may_have_acted(tried: Try) -> bool:
    return tried.sent if isinstance(tried, LostTry) else tried.status != 429
