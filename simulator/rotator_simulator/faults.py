"""Faults that a simulated provider commits on purpose: planned, repeatable, counted.

A plan says on which calls (account and verb), which fault, and how often: the next `times` calls, for ever, or with a
probability drawn from a seed, so that the same run can be had again. The plans are asked in the order in which they
were made; every delay that applies adds up, and the first other fault that applies is the one that happens.
"""

import random
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, Literal
from urllib.parse import parse_qsl, urlencode

from flask import Blueprint, Response, request

from rotator_simulator.readings import adjusted

EVERYTHING = "*"
REGISTER = "register"
"""The registrar's verb. `*` does not cover it: devices register all the time and would use every plan up."""
GATEWAY = "gateway"
"""The verb of requests to the data plane of a simulated API gateway. `*` does not cover it, for the same reason."""
VERBS = (EVERYTHING, "create", "list", "get", "update", "delete", "grants", "grant", "revoke", REGISTER, GATEWAY)
ELSEWHERE = "/_sandbox/elsewhere"
"""Where a redirect leads: whoever follows it is counted there."""
SPOILT = "rotator_simulator.spoilt"
"""The key in the WSGI environment of the list into which a fault that spoils an answer is put for the server."""
_HUGE = 10_000_000


class Kind(Enum):
    """What goes wrong."""

    DELAY = "delay"  # a right answer, late
    STATUS = "status"  # an error status in the provider's own words; 429 and 503 may carry Retry-After
    RESET = "reset"  # the connection is reset instead of an answer
    SILENCE = "silence"  # the connection stays open and nothing is ever said
    HALF = "half"  # half of the body, then the connection is closed
    DRIP = "drip"  # the body comes byte by byte
    HTML = "html"  # a web page where JSON should be
    EMPTY = "empty"  # no body where JSON should be
    HUGE = "huge"  # a body of 10 MB
    REDIRECT = "redirect"  # 307 to another address
    REPEAT = "repeat"  # whichever page is asked for, the first one is answered
    STIR = "stir"  # a right answer, and then the listing changes
    DEPLOYMENT = "deployment"  # accepted, and not deployed: Apinizer's environments only


ON_THE_WIRE = frozenset({Kind.RESET, Kind.SILENCE, Kind.HALF, Kind.DRIP})
"""What only the server can do, since it has the socket."""


_OF_LISTINGS = frozenset({Kind.REPEAT, Kind.STIR})
"""What cannot happen to another call."""
_ANSWERED = _OF_LISTINGS | {Kind.DEPLOYMENT}
"""What the answer is the provider's own of."""
_PAGED_BY = ("offset", "page[number]")
"""What says in a query which page is asked for, at any of the providers."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One way to fail."""

    kind: Kind
    committed: bool = False  # what was asked for is carried out, and only the answer suffers
    status: int = 200
    seconds: float = 0.0  # of a delay, of a silence, or between the bytes of a drip
    retry_after: int | None = None  # in seconds
    deployment: Literal["partial", "null", "empty"] = "partial"  # how it is told that it was not deployed
    environment: str = ""  # to which one it is not deployed; the last one unless it is named


CATALOGUE: Mapping[str, Fault] = {
    "latency": Fault(Kind.DELAY, seconds=0.5),
    "late-answer": Fault(Kind.DELAY, committed=True, seconds=0.5),
    "rate-limited": Fault(Kind.STATUS, status=429, retry_after=2),
    "unavailable": Fault(Kind.STATUS, status=503),
    "error": Fault(Kind.STATUS, status=500),
    "error-after-commit": Fault(Kind.STATUS, status=500, committed=True),
    "unauthorized": Fault(Kind.STATUS, status=401),
    "forbidden": Fault(Kind.STATUS, status=403),
    "reset": Fault(Kind.RESET),
    "lost-answer": Fault(Kind.RESET, committed=True),
    "silence": Fault(Kind.SILENCE, seconds=3600),
    "silence-after-commit": Fault(Kind.SILENCE, committed=True, seconds=3600),
    "half-body": Fault(Kind.HALF, committed=True),
    "drip": Fault(Kind.DRIP, committed=True, seconds=1),
    "html": Fault(Kind.HTML),
    "html-after-commit": Fault(Kind.HTML, committed=True),
    "empty": Fault(Kind.EMPTY),
    "empty-after-commit": Fault(Kind.EMPTY, committed=True),
    "huge": Fault(Kind.HUGE),
    "redirect": Fault(Kind.REDIRECT, status=307),
    "repeated-page": Fault(Kind.REPEAT, committed=True),
    "changing-listing": Fault(Kind.STIR, committed=True),
    "partial-deployment": Fault(Kind.DEPLOYMENT, committed=True),
    "null-deployment": Fault(Kind.DEPLOYMENT, committed=True, deployment="null"),
    "empty-deployment": Fault(Kind.DEPLOYMENT, committed=True, deployment="empty"),
}
"""The faults by the names that `/_sandbox/faults` and the tests use."""


class Plan:
    """One planned fault and how often it has happened."""

    def __init__(
        self, fault: Fault, *, account: str, verb: str, times: int | None, probability: float, seed: int
    ) -> None:
        self.fault = fault
        self.account = account
        self.verb = verb
        self.left = times
        self.fired = 0
        self._probability = probability
        self._random = random.Random(seed)  # noqa: S311 - repeatable on purpose

    def applies(self, account: str, verb: str) -> bool:
        """True where the fault is to happen on this call; counts it."""
        meant = self.verb == verb or (self.verb == EVERYTHING and verb not in (REGISTER, GATEWAY))
        meant = meant and (verb == "list" or self.fault.kind not in _OF_LISTINGS)
        concerned = meant and self.account in (EVERYTHING, account)
        if not concerned or self.left == 0 or self._random.random() >= self._probability:
            return False
        self.left = None if self.left is None else self.left - 1
        self.fired += 1
        return True


class Faults:
    """The planned faults of one sandbox."""

    def __init__(self) -> None:
        """Makes it without plans: nothing goes wrong."""
        self._lock = threading.Lock()
        self._plans: list[Plan] = []

    def plan(
        self,
        fault: Fault | str,
        *,
        verb: str = EVERYTHING,
        account: str = EVERYTHING,
        times: int | None = 1,
        probability: float = 1.0,
        seed: int = 0,
    ) -> Plan:
        """Plans a fault and returns the plan, whose `fired` counts.

        Args:
            fault: a `Fault`, or its name in `CATALOGUE`.
            verb: one of `VERBS`; `register` is the registrar's and takes only silences and statuses.
            account: the provider account's name, or `*`.
            times: how many calls it hits; None: every one from now on.
            probability: of hitting a call that it concerns.
            seed: of the draws for `probability`.

        Raises:
            ValueError: a name that is not in the catalogue, a verb that there is not, numbers that mean nothing.
        """
        fault = named(fault) if isinstance(fault, str) else fault
        if verb not in VERBS:
            raise ValueError(f"there is no verb {verb!r}; there are {', '.join(VERBS)}")
        if verb == REGISTER and fault.kind not in (Kind.SILENCE, Kind.STATUS):
            raise ValueError("the registrar can be silent or answer a status, nothing else")
        if (times is not None and times < 1) or not 0 < probability <= 1:
            raise ValueError("times is 1 or more, or null for ever; probability is above 0 and at most 1")
        planned = Plan(fault, account=account, verb=verb, times=times, probability=probability, seed=seed)
        with self._lock:
            self._plans.append(planned)
        return planned

    def plans(self) -> tuple[Plan, ...]:
        """Every plan, used up or not."""
        with self._lock:
            return tuple(self._plans)

    def clear(self) -> None:
        """Forgets every plan: nothing goes wrong from now on."""
        with self._lock:
            self._plans.clear()

    def draw(self, account: str, verb: str) -> tuple[Fault, ...]:
        """What is to happen on this call: every delay that applies, and at most one other fault."""
        drawn: list[Fault] = []
        with self._lock:
            for plan in self._plans:
                settled = any(fault.kind is not Kind.DELAY for fault in drawn)
                if (plan.fault.kind is Kind.DELAY or not settled) and plan.applies(account, verb):
                    drawn.append(plan.fault)
        return tuple(drawn)


ErrorBody = Callable[[int, int | None], Response]
"""Makes a provider's own error answer from a status and the seconds to wait (or None)."""


def install(
    blueprint: Blueprint,
    faults: Faults,
    *,
    call: Callable[[], tuple[str, str]],
    error: ErrorBody,
    wait: Callable[[float], object],
    stir: Callable[[str], None],
) -> None:
    """Lets the faults happen on every route of a provider's blueprint.

    Args:
        blueprint: the provider's routes.
        faults: the plans.
        call: names the account and the verb of the request at hand.
        error: makes the provider's own error answer.
        wait: waits so many seconds, less when the server stops.
        stir: changes what an account's listing shows.
    """

    @blueprint.before_request
    def before() -> Response | None:
        drawn = faults.draw(*call())
        request.environ[_DRAWN] = drawn
        wait(_delay(drawn, committed=False))
        spoilt = _other(drawn)
        if spoilt is not None and spoilt.kind is Kind.REPEAT:
            _ask_for_first_page()
        return None if spoilt is None or spoilt.committed else _spoil(spoilt, _made_up(), error)

    @blueprint.after_request
    def after(answer: Response) -> Response:
        drawn: tuple[Fault, ...] = request.environ.get(_DRAWN, ())
        wait(_delay(drawn, committed=True))
        spoilt = _other(drawn)
        if spoilt is not None and spoilt.kind is Kind.STIR:
            stir(call()[0])
        kept = spoilt is None or not spoilt.committed or spoilt.kind in _ANSWERED
        return answer if spoilt is None or kept else _spoil(spoilt, answer, error)


_DRAWN = "rotator_simulator.drawn"


def _ask_for_first_page() -> None:
    # Before anybody has looked at the query.
    asked = [(name, value) for name, value in parse_qsl(request.query_string.decode()) if name not in _PAGED_BY]
    request.environ["QUERY_STRING"] = urlencode(asked)
    request.query_string = request.environ["QUERY_STRING"].encode()


def deployment_fault() -> Fault | None:
    """How the Flask request at hand is to fail to be deployed; None where it is not."""
    spoilt = _other(request.environ.get(_DRAWN, ()))
    return spoilt if spoilt is not None and spoilt.kind is Kind.DEPLOYMENT else None


def _delay(drawn: Iterable[Fault], *, committed: bool) -> float:
    return sum(fault.seconds for fault in drawn if fault.kind is Kind.DELAY and fault.committed is committed)


def _other(drawn: Iterable[Fault]) -> Fault | None:
    return next((fault for fault in drawn if fault.kind is not Kind.DELAY), None)


def _made_up() -> Response:
    # What half of, or a drip of, an answer to a request that was never carried out is cut from.
    return Response('{"message": "never carried out"}', mimetype="application/json")


def _spoil(fault: Fault, answer: Response, error: ErrorBody) -> Response:
    request.environ[SPOILT].append(fault)
    if fault.kind in ON_THE_WIRE:
        return answer
    if fault.kind is Kind.STATUS:
        return error(fault.status, fault.retry_after)
    if fault.kind is Kind.HTML:
        return Response("<html><body><h1>Welcome to our portal</h1></body></html>", fault.status, mimetype="text/html")
    if fault.kind is Kind.HUGE:
        return Response('{"padding": "' + "x" * _HUGE + '"}', fault.status, mimetype="application/json")
    if fault.kind is Kind.REDIRECT:
        return Response(status=fault.status, headers={"Location": request.host_url.rstrip("/") + ELSEWHERE})
    return Response(status=fault.status, mimetype="application/json")


def named(name: str, **changes: Any) -> Fault:
    """The catalogue's fault `name` with some fields changed.

    Raises:
        ValueError: no such fault, no such field, or a value that it does not take; the message says what there is.
    """
    if name not in CATALOGUE:
        raise ValueError(f"there is no fault {name!r}; there are {', '.join(CATALOGUE)}")
    return adjusted(CATALOGUE[name], changes)
