"""Faults that a simulated provider commits on purpose: planned, repeatable and counted.

A plan names the calls (by account and verb), the fault, and how often it happens: on the next `times` calls, for ever,
or with a probability, drawn from a seed to make a run repeatable. Plans apply in the order in which they were added.
All delays that apply add up; of the other faults only the first one happens.
"""

import random
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, Literal
from urllib.parse import parse_qsl, urlencode

from flask import Blueprint, Response, request

from rotator_simulator.rate_limits import RateLimits
from rotator_simulator.readings import with_changes
from rotator_simulator.simulated_api import SimulatedApi

EVERYTHING = "*"
REGISTER = "register"
"""The registrar's verb. `*` leaves it out: devices register all the time and would use up every plan."""
GATEWAY = "gateway"
"""The verb of requests to a simulated API gateway. `*` leaves it out, for the same reason."""
VERBS = (
    EVERYTHING,
    "create",
    "list",
    "get",
    "update",
    "delete",
    "usage",
    "grants",
    "grant",
    "revoke",
    REGISTER,
    GATEWAY,
)
REDIRECT_TARGET = "/_sandbox/elsewhere"
"""The target of every redirect, which counts the clients that follow it."""
INJECTED = "rotator_simulator.injected"
"""The key in the WSGI environment of the list of faults that replaced the response, for the HTTP server."""
_HUGE = 10_000_000


class FaultKind(Enum):
    """A kind of fault."""

    DELAY = "delay"  # a correct response, late
    STATUS = "status"  # the provider's own error response; 429 and 503 may carry Retry-After
    RESET = "reset"  # the connection is reset instead of a response
    SILENCE = "silence"  # the connection stays open without a response
    HALF = "half"  # half of the body, then the connection is closed
    DRIP = "drip"  # the body comes byte by byte
    HTML = "html"  # a web page instead of JSON
    EMPTY = "empty"  # no body instead of JSON
    HUGE = "huge"  # a body of 10 MB
    REDIRECT = "redirect"  # 307 to another address
    REPEATED_PAGE = "repeated-page"  # every page of a listing is the first one
    CHANGING_LISTING = "changing-listing"  # a correct response, after which the listing changes
    DEPLOYMENT = "deployment"  # accepted, but not deployed to an environment (Apinizer only)


ON_THE_WIRE = frozenset({FaultKind.RESET, FaultKind.SILENCE, FaultKind.HALF, FaultKind.DRIP})
"""The faults that the HTTP server carries out, since it has the socket."""
_OF_LISTINGS = frozenset({FaultKind.REPEATED_PAGE, FaultKind.CHANGING_LISTING})
_RIGHT_RESPONSE = _OF_LISTINGS | {FaultKind.DEPLOYMENT}
"""The faults that leave the provider's own response in place."""
_PAGE_PARAMETERS = ("offset", "page[number]")
"""The query parameters of all providers that select a page."""


@dataclass(frozen=True, slots=True)
class SimulatedFault:
    """One way to fail."""

    kind: FaultKind
    committed: bool = False  # the request is carried out, and only the response is affected
    status: int = 200
    seconds: float = 0.0  # of a delay, of a silence, or between the bytes of a drip
    retry_after: int | None = None  # in seconds
    deployment: Literal["partial", "null", "empty"] = "partial"  # how the response reports a failed deployment
    environment: str = ""  # the one that the deployment misses; empty: the last one


CATALOGUE: Mapping[str, SimulatedFault] = {
    "latency": SimulatedFault(FaultKind.DELAY, seconds=0.5),
    "late-answer": SimulatedFault(FaultKind.DELAY, committed=True, seconds=0.5),
    "rate-limited": SimulatedFault(FaultKind.STATUS, status=429, retry_after=2),
    "unavailable": SimulatedFault(FaultKind.STATUS, status=503),
    "error": SimulatedFault(FaultKind.STATUS, status=500),
    "error-after-commit": SimulatedFault(FaultKind.STATUS, status=500, committed=True),
    "unauthorized": SimulatedFault(FaultKind.STATUS, status=401),
    "forbidden": SimulatedFault(FaultKind.STATUS, status=403),
    "reset": SimulatedFault(FaultKind.RESET),
    "lost-answer": SimulatedFault(FaultKind.RESET, committed=True),
    "silence": SimulatedFault(FaultKind.SILENCE, seconds=3600),
    "silence-after-commit": SimulatedFault(FaultKind.SILENCE, committed=True, seconds=3600),
    "half-body": SimulatedFault(FaultKind.HALF, committed=True),
    "drip": SimulatedFault(FaultKind.DRIP, committed=True, seconds=1),
    "html": SimulatedFault(FaultKind.HTML),
    "html-after-commit": SimulatedFault(FaultKind.HTML, committed=True),
    "empty": SimulatedFault(FaultKind.EMPTY),
    "empty-after-commit": SimulatedFault(FaultKind.EMPTY, committed=True),
    "huge": SimulatedFault(FaultKind.HUGE),
    "redirect": SimulatedFault(FaultKind.REDIRECT, status=307),
    "repeated-page": SimulatedFault(FaultKind.REPEATED_PAGE, committed=True),
    "changing-listing": SimulatedFault(FaultKind.CHANGING_LISTING, committed=True),
    "partial-deployment": SimulatedFault(FaultKind.DEPLOYMENT, committed=True),
    "null-deployment": SimulatedFault(FaultKind.DEPLOYMENT, committed=True, deployment="null"),
    "empty-deployment": SimulatedFault(FaultKind.DEPLOYMENT, committed=True, deployment="empty"),
}
"""The faults by their names in `/_sandbox/faults`."""


class PlannedFault:
    """One planned fault and how often it has happened."""

    def __init__(
        self, fault: SimulatedFault, *, account: str, verb: str, times: int | None, probability: float, seed: int
    ) -> None:
        self.fault = fault
        self.account = account
        self.verb = verb
        self.left = times
        self.fired = 0
        self._probability = probability
        self._random = random.Random(seed)  # noqa: S311 - repeatable on purpose

    def applies(self, account: str, verb: str) -> bool:
        """Returns True if the fault happens on this call, and counts it."""
        matches = self.verb == verb or (self.verb == EVERYTHING and verb not in (REGISTER, GATEWAY))
        matches = matches and (verb == "list" or self.fault.kind not in _OF_LISTINGS)
        matches = matches and self.account in (EVERYTHING, account)
        if not matches or self.left == 0 or self._random.random() >= self._probability:
            return False
        self.left = None if self.left is None else self.left - 1
        self.fired += 1
        return True


class FaultInjector:
    """The planned faults of one simulator."""

    def __init__(self) -> None:
        """Starts without plans: nothing goes wrong."""
        self._lock = threading.Lock()
        self._plans: list[PlannedFault] = []

    def plan(
        self,
        fault: SimulatedFault | str,
        *,
        verb: str = EVERYTHING,
        account: str = EVERYTHING,
        times: int | None = 1,
        probability: float = 1.0,
        seed: int = 0,
    ) -> PlannedFault:
        """Plans a fault and returns the plan, whose `fired` counts.

        Args:
            fault: a `SimulatedFault`, or its name in `CATALOGUE`.
            verb: one of `VERBS`; `register` takes only silences and statuses.
            account: the provider account's name, or `*`.
            times: how many calls it affects; None: every call from now on.
            probability: of affecting a matching call.
            seed: of the draws for `probability`.

        Raises:
            ValueError: an unknown fault or verb, or a number out of range.
        """
        fault = fault_named(fault) if isinstance(fault, str) else fault
        if verb not in VERBS:
            raise ValueError(f"there is no verb {verb!r}; use one of {', '.join(VERBS)}")
        if verb == REGISTER and fault.kind not in (FaultKind.SILENCE, FaultKind.STATUS):
            raise ValueError("the registrar takes only the kinds silence and status")
        if (times is not None and times < 1) or not 0 < probability <= 1:
            raise ValueError("times must be 1 or more, or null for ever; probability must be above 0 and at most 1")
        planned = PlannedFault(fault, account=account, verb=verb, times=times, probability=probability, seed=seed)
        with self._lock:
            self._plans.append(planned)
        return planned

    def plans(self) -> tuple[PlannedFault, ...]:
        """Returns every plan, used up or not."""
        with self._lock:
            return tuple(self._plans)

    def clear(self) -> None:
        """Removes every plan: nothing goes wrong from now on."""
        with self._lock:
            self._plans.clear()

    def draw(self, account: str, verb: str) -> tuple[SimulatedFault, ...]:
        """Returns the faults of this call: every delay that applies, and at most one other fault."""
        drawn: list[SimulatedFault] = []
        with self._lock:
            for plan in self._plans:
                settled = any(fault.kind is not FaultKind.DELAY for fault in drawn)
                if (plan.fault.kind is FaultKind.DELAY or not settled) and plan.applies(account, verb):
                    drawn.append(plan.fault)
        return tuple(drawn)


def install(
    routes: Blueprint,
    injector: FaultInjector,
    limits: RateLimits,
    api: SimulatedApi[Any],
    wait: Callable[[float], object],
) -> None:
    """Injects the planned faults into every route of a provider's API, and keeps the accounts' rate limits.

    `wait` returns early if the server stops.
    """

    @routes.before_request
    def before() -> Response | None:
        asked = limits.refusal(api.call()[0]) if api.call()[1] != GATEWAY else None
        if asked is not None:
            request.environ[_DRAWN] = ()
            return api.error(429, asked)
        drawn = injector.draw(*api.call())
        request.environ[_DRAWN] = drawn
        wait(_delay(drawn, committed=False))
        fault = _other(drawn)
        if fault is not None and fault.kind is FaultKind.REPEATED_PAGE:
            _ask_for_first_page()
        if fault is None or fault.committed:
            return None
        never_sent = Response('{"message": "never carried out"}', mimetype="application/json")
        return _inject(fault, never_sent, api)

    @routes.after_request
    def after(response: Response) -> Response:
        drawn: tuple[SimulatedFault, ...] = request.environ.get(_DRAWN, ())
        wait(_delay(drawn, committed=True))
        fault = _other(drawn)
        if fault is not None and fault.kind is FaultKind.CHANGING_LISTING:
            api.change_listing(api.call()[0])
        if fault is None or not fault.committed or fault.kind in _RIGHT_RESPONSE:
            return response
        return _inject(fault, response, api)


_DRAWN = "rotator_simulator.drawn"


def _ask_for_first_page() -> None:
    # Nothing has parsed the query yet.
    kept = [(name, value) for name, value in parse_qsl(request.query_string.decode()) if name not in _PAGE_PARAMETERS]
    request.environ["QUERY_STRING"] = urlencode(kept)
    request.query_string = request.environ["QUERY_STRING"].encode()


def deployment_fault() -> SimulatedFault | None:
    """Returns the deployment fault of the current Flask request, if any."""
    fault = _other(request.environ.get(_DRAWN, ()))
    return fault if fault is not None and fault.kind is FaultKind.DEPLOYMENT else None


def _delay(drawn: Iterable[SimulatedFault], *, committed: bool) -> float:
    return sum(fault.seconds for fault in drawn if fault.kind is FaultKind.DELAY and fault.committed is committed)


def _other(drawn: Iterable[SimulatedFault]) -> SimulatedFault | None:
    return next((fault for fault in drawn if fault.kind is not FaultKind.DELAY), None)


def _inject(fault: SimulatedFault, response: Response, api: SimulatedApi[Any]) -> Response:
    request.environ[INJECTED].append(fault)
    if fault.kind in ON_THE_WIRE:
        return response
    if fault.kind is FaultKind.STATUS:
        return api.error(fault.status, fault.retry_after)
    if fault.kind is FaultKind.HTML:
        return Response("<html><body><h1>Welcome to our portal</h1></body></html>", fault.status, mimetype="text/html")
    if fault.kind is FaultKind.HUGE:
        return Response('{"padding": "' + "x" * _HUGE + '"}', fault.status, mimetype="application/json")
    if fault.kind is FaultKind.REDIRECT:
        return Response(status=fault.status, headers={"Location": request.host_url.rstrip("/") + REDIRECT_TARGET})
    return Response(status=fault.status, mimetype="application/json")


def fault_named(name: str, **changes: Any) -> SimulatedFault:
    """Returns the fault `name` of the catalogue with some fields changed.

    Raises:
        ValueError: the fault, a field or a value is invalid; the message lists the valid ones.
    """
    if name not in CATALOGUE:
        raise ValueError(f"there is no fault {name!r}; use one of {', '.join(CATALOGUE)}")
    return with_changes(CATALOGUE[name], changes)
