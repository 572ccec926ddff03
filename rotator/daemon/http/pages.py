"""What the endpoint answers. It changes nothing."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from threading import Lock
from typing import Any
from urllib.parse import parse_qs

import structlog

from rotator.core.secret import Secret
from rotator.observe.health import Health, HealthReport
from rotator.observe.metrics import CONTENT_TYPE
from rotator.observe.status_query import StatusQuery, StatusQueryError, parse
from rotator.observe.style import STYLE_SOURCE

POLICY = "default-src 'none'; base-uri 'none'; frame-ancestors 'none'"
"""What a browser may do with an answer: nothing but show it."""
_JSON = "application/json; charset=utf-8"
_HTML = "text/html; charset=utf-8"
_STYLED = (("Content-Security-Policy", f"{POLICY}; style-src {STYLE_SOURCE}; form-action 'self'"),)
_CHALLENGES = (("WWW-Authenticate", 'Bearer realm="rotator"'), ("WWW-Authenticate", 'Basic realm="rotator"'))
_log = structlog.stdlib.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class EndpointRequest:
    """What was asked for. It has no body: nothing here reads one."""

    method: str
    path: str
    query: str
    token: Secret | None  # of `Authorization: Bearer`, or the password of `Basic`


@dataclass(frozen=True, slots=True)
class EndpointAnswer:
    """The answer to a request."""

    status: int
    body: bytes
    kind: str = _JSON
    headers: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class PageForPeople:
    """A page of HTML, and the status that it is answered with."""

    status: int
    html: str


def refusal(status: int, error: str, headers: tuple[tuple[str, str], ...] = ()) -> EndpointAnswer:
    """Returns an answer that says what is wrong, in words."""
    return EndpointAnswer(status, _body({"error": error}), headers=headers)


class Pages:
    """/metrics, /status and the pages for people, for those who have the token if there is one."""

    def __init__(
        self,
        metrics: Callable[[], bytes],
        status: Callable[[StatusQuery], Mapping[str, Any]],
        people: Callable[[str, str], PageForPeople | None],
        token: Callable[[], Secret | None],
    ) -> None:
        """Wires the pages.

        Args:
            metrics: returns the text of /metrics.
            status: returns the page of /status that a query asks for, quickly and without leaving the process.
            people: returns the page for people with a path and a query, or None, as quickly.
            token: returns what every request has to bear now; None: nothing.
        """
        self._token, self._people = token, people
        self._pages: dict[str, Callable[[str], EndpointAnswer]] = {
            "/metrics": lambda _: EndpointAnswer(200, metrics(), CONTENT_TYPE),
            "/status": lambda query: EndpointAnswer(200, _body(status(parse(parse_qs(query, keep_blank_values=True))))),
        }

    def __call__(self, request: EndpointRequest) -> EndpointAnswer:
        """Returns the answer. Who lacks the token does not even learn which pages there are."""
        wanted = self._token()
        if wanted is not None and request.token != wanted:  # compares in constant time
            why = "missing" if request.token is None else "not the right one"
            how = "send it as 'Authorization: Bearer TOKEN', or as the password that a browser asks for"
            return refusal(401, f"the token is {why}: {how}", _CHALLENGES)
        return _answer(self._pages, request, self._people)


class Probes:
    """/healthz and /readyz, for anybody. They say yes or no; the log says why when the answer becomes a no."""

    def __init__(self, health: Health) -> None:
        self._lock = Lock()
        self._failing: set[str] = set()
        self._pages: dict[str, Callable[[str], EndpointAnswer]] = {
            "/healthz": lambda _: self._report("not alive", health.live()),
            "/readyz": lambda _: self._report("not ready", health.ready()),
        }

    def __call__(self, request: EndpointRequest) -> EndpointAnswer:
        """Returns the answer."""
        return _answer(self._pages, request, lambda *_: None)

    def _report(self, problem: str, report: HealthReport) -> EndpointAnswer:
        with self._lock:
            is_new = not report.ok and problem not in self._failing
            (self._failing.discard if report.ok else self._failing.add)(problem)
        if is_new:
            _log.warning(problem, reasons=list(report.reasons))
        return EndpointAnswer(200 if report.ok else 503, _body({"ok": report.ok}))


def _answer(
    pages: Mapping[str, Callable[[str], EndpointAnswer]],
    request: EndpointRequest,
    people: Callable[[str, str], PageForPeople | None],
) -> EndpointAnswer:
    if request.method not in ("GET", "HEAD"):
        return refusal(405, "this endpoint is read-only: use GET or HEAD", (("Allow", "GET, HEAD"),))
    page = pages.get(request.path)
    try:
        if page is not None:
            return page(request.query)
        for_people = people(request.path, request.query)
    except StatusQueryError as error:
        return refusal(400, str(error))
    except Exception:  # noqa: BLE001 - one failing page must not bring down the others or the process
        _log.exception("a page could not be rendered", path=request.path)
        return refusal(500, "this page could not be rendered; the log says why")
    if for_people is None:
        return EndpointAnswer(404, _body({"error": "no such page", "pages": sorted(pages)}))
    return EndpointAnswer(for_people.status, for_people.html.encode(), _HTML, _STYLED)


def _body(document: Mapping[str, Any]) -> bytes:
    return (json.dumps(document, allow_nan=False) + "\n").encode()
