"""What can be asked over HTTP whether devices still use a replaced credential: a Prometheus, or a check of your own."""

import math
from typing import Any
from urllib.parse import quote

from rotator.core.answers import Answer, Done, Unknown
from rotator.core.usage_rules import Usage
from rotator.ports import UsageQuestion
from rotator.providers.http.calls import HttpRequest
from rotator.providers.http.client import Http
from rotator.providers.http.replies import HttpReply, failure

_WITHIN = 10.0  # seconds for one question, with retries: a worker waits for it


class PrometheusSource:
    """An expression in PromQL: above zero, devices use the credential; zero, none does.

    An empty result says neither: it is also that of an exporter that is down.
    """

    def __init__(self, http: Http, query: str) -> None:
        """Takes the server, and the expression with `{username}` and `{name}` in it."""
        self._http, self._query = http, query

    def ask(self, question: UsageQuestion) -> Answer[Usage]:
        """Evaluates the expression now (HTTP API, Instant queries)."""
        query = _filled(self._query, question, _in_string)
        asked = HttpRequest("usage", "GET", "/api/v1/query", query={"query": query})
        reply = self._http.call(_WITHIN).send(asked)
        if not isinstance(reply, HttpReply):
            return reply
        if not reply.ok:
            return failure(reply)
        values = _values(reply.body)
        if values is None:
            return Unknown("the result of the query is neither an instant vector nor a scalar")
        if not values:
            return Unknown("the result of the query is empty, which is no zero")
        total = sum(values)
        if any(math.isnan(value) or value < 0 for value in values):
            return Unknown("the result of the query is not a number of devices")
        return Done(Usage(in_use=total > 0, evidence=f"the query says {total:g}"))


class HttpCheckSource:
    """An address that answers `{"in_use": true}` or `{"in_use": false}`."""

    def __init__(self, http: Http, template: str) -> None:
        """Takes the server, and the rest of the URL with `{username}` and `{name}` in it."""
        self._http, self._template = http, template

    def ask(self, question: UsageQuestion) -> Answer[Usage]:
        """Sends one GET. Every other answer than these two means that it cannot say, whatever its status."""
        path = _filled(self._template, question, lambda text: quote(text, safe=""))
        reply = self._http.call(_WITHIN).send(HttpRequest("usage", "GET", path))
        if not isinstance(reply, HttpReply):
            return reply
        if not reply.ok:
            return failure(reply)
        said = reply.body.get("in_use") if isinstance(reply.body, dict) else None
        if not isinstance(said, bool):
            return Unknown('the answer is not {"in_use": true} or {"in_use": false}')
        return Done(Usage(in_use=said, evidence="it says yes" if said else "it says no"))


def _filled(template: str, question: UsageQuestion, written: Any) -> str:
    filled = template.replace("{name}", str(written(question.target)))
    return filled.replace("{username}", str(written(question.credential.username)))


def _in_string(text: str) -> str:
    """Writes a text as part of a string in PromQL."""
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _values(body: Any) -> list[float] | None:
    """Reads the values of an instant vector or of a scalar; None if it is neither."""
    data = body.get("data") if isinstance(body, dict) and body.get("status") == "success" else None
    kind, result = (data.get("resultType"), data.get("result")) if isinstance(data, dict) else (None, None)
    if kind not in ("vector", "scalar") or not isinstance(result, list):
        return None
    pairs: list[Any] = (
        [result] if kind == "scalar" else [one.get("value") if isinstance(one, dict) else None for one in result]
    )
    try:
        return [float(pair[1]) for pair in pairs]
    except (TypeError, ValueError, IndexError, KeyError):
        return None
