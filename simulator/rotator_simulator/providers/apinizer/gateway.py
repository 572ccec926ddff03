"""The simulated Apinizer's gateway: one address for each environment, which knows what was deployed there.

`/gateway/<environment>/<API proxy>` takes HTTP Basic or a token; `/gateway/<environment>/credential/token` issues one.
"""

import base64
import binascii
import itertools
from collections.abc import Collection
from typing import Protocol

from flask import Blueprint, Response, jsonify, request

from rotator.core.secret import Secret
from rotator_simulator.providers.apinizer.common import ApinizerReadings, Deployed


class DataPlane(Protocol):
    """What the gateway asks: `ApinizerApi`."""

    @property
    def readings(self) -> ApinizerReadings:
        """The readings in force."""
        ...

    def known(self, environment: str, username: str, password: Secret) -> Deployed | None:
        """What an environment knows of a username, where this is its password and it may be used."""
        ...

    def may(self, known: Deployed, proxy: str) -> bool:
        """True where access to the proxy was granted."""
        ...


class GatewayRoutes:
    """The routes of the data plane."""

    def __init__(self, plane: DataPlane, environments: Collection[str], proxies: Collection[str]) -> None:
        """Makes them; nothing was issued yet."""
        self._plane, self._environments, self._proxies = plane, environments, proxies
        self._tokens: dict[tuple[str, str], tuple[str, Deployed]] = {}  # by environment and token
        self._numbers = itertools.count(1)

    def add_to(self, routes: Blueprint, verb: str) -> None:
        """Adds them to a blueprint; their names begin with `verb`."""
        base = "/gateway/<environment>"
        routes.add_url_rule(f"{base}/credential/token", f"{verb}_token", self._issue, methods=["POST"])
        routes.add_url_rule(f"{base}/<proxy>", f"{verb}_proxy", self._proxy, methods=["GET"])

    def _proxy(self, environment: str, proxy: str) -> Response:
        if environment not in self._environments or proxy not in self._proxies:
            return _said(404, "API Proxy is not found")
        if not self._plane.readings.proxies_ask:
            return jsonify(proxy=proxy)
        known = self._by_token(environment) or self._by_password(environment)
        if known is None:
            return _said(401, "Authentication failed")
        return jsonify(proxy=proxy) if self._plane.may(known, proxy) else _said(403, "Access denied")

    def _by_password(self, environment: str) -> Deployed | None:
        given = _basic()
        return self._plane.known(environment, *given) if given is not None else None

    def _by_token(self, environment: str) -> Deployed | None:
        token = request.headers.get("Authorization", "").removeprefix("Bearer ")
        found = self._tokens.get((environment, token))
        return found[1] if found is not None else None

    def _issue(self, environment: str) -> Response:
        header, form = "Authorization" in request.headers, "client_id" in request.form
        if request.form.get("grant_type") != "client_credentials":
            return _refused(400, "unsupported_grant_type")
        if header and form:
            return _refused(400, "invalid_request")
        given = (request.form["client_id"], Secret(request.form.get("client_secret", ""))) if form else _basic()
        known = None if given is None else self._plane.known(environment, *given)
        if given is None or known is None:
            return _refused(401, "invalid_client")
        if self._plane.readings.delete_previous:
            for key in [key for key, (owner, _) in self._tokens.items() if owner == given[0] and key[0] == environment]:
                del self._tokens[key]
        token = f"token-{next(self._numbers)}-of-{given[0]}"
        self._tokens[environment, token] = (given[0], known)
        return jsonify(access_token=token, token_type="Bearer", expires_in=3600)  # noqa: S106 - a word of OAuth


def _basic() -> tuple[str, Secret] | None:
    scheme, _, encoded = request.headers.get("Authorization", "").partition(" ")
    try:
        username, colon, password = base64.b64decode(encoded, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return None
    return (username, Secret(password)) if scheme == "Basic" and colon else None


def _said(status: int, text: str) -> Response:
    answer = jsonify(fault={"message": text})
    answer.status_code = status
    return answer


def _refused(status: int, error: str) -> Response:
    answer = jsonify(error=error)
    answer.status_code = status
    return answer
