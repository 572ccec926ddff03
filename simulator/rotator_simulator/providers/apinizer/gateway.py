"""The simulated Apinizer's gateway: one address for each environment, with the credentials deployed there.

`/gateway/<environment>/<API proxy>` accepts HTTP Basic or a token;
`/gateway/<environment>/credential/token` issues tokens.
"""

import base64
import binascii
import itertools
from collections.abc import Collection
from typing import Protocol

from flask import Blueprint, Response, jsonify, request

from rotator.core.secret import Secret
from rotator_simulator.providers.apinizer.common import ApinizerReadings, DeployedCredential


class DataPlane(Protocol):
    """The part of `ApinizerApi` that the gateway needs."""

    @property
    def readings(self) -> ApinizerReadings:
        """The current readings."""
        ...

    def log_in(self, environment: str, username: str, password: Secret) -> DeployedCredential | None:
        """Returns the credential if an environment accepts this username and password."""
        ...

    def may_call(self, credential: DeployedCredential, proxy: str) -> bool:
        """Returns True if access to the proxy was granted."""
        ...


class GatewayRoutes:
    """The routes of the data plane."""

    def __init__(self, plane: DataPlane, environments: Collection[str], proxies: Collection[str]) -> None:
        """Starts without any token."""
        self._plane, self._environments, self._proxies = plane, environments, proxies
        self._tokens: dict[tuple[str, str], tuple[str, DeployedCredential]] = {}  # by environment and token
        self._numbers = itertools.count(1)

    def add_to(self, routes: Blueprint, verb: str) -> None:
        """Adds the routes to a blueprint; their names begin with `verb`."""
        base = "/gateway/<environment>"
        routes.add_url_rule(f"{base}/credential/token", f"{verb}_token", self._issue, methods=["POST"])
        routes.add_url_rule(f"{base}/<proxy>", f"{verb}_proxy", self._proxy, methods=["GET"])

    def _proxy(self, environment: str, proxy: str) -> Response:
        if environment not in self._environments or proxy not in self._proxies:
            return _fault(404, "API Proxy is not found")
        if not self._plane.readings.proxies_ask:
            return jsonify(proxy=proxy)
        credential = self._by_token(environment) or self._by_password(environment)
        if credential is None:
            return _fault(401, "Authentication failed")
        return jsonify(proxy=proxy) if self._plane.may_call(credential, proxy) else _fault(403, "Access denied")

    def _by_password(self, environment: str) -> DeployedCredential | None:
        login = _basic()
        return self._plane.log_in(environment, *login) if login is not None else None

    def _by_token(self, environment: str) -> DeployedCredential | None:
        token = request.headers.get("Authorization", "").removeprefix("Bearer ")
        issued = self._tokens.get((environment, token))
        return issued[1] if issued is not None else None

    def _issue(self, environment: str) -> Response:
        header, form = "Authorization" in request.headers, "client_id" in request.form
        if request.form.get("grant_type") != "client_credentials":
            return _oauth_error(400, "unsupported_grant_type")
        if header and form:
            return _oauth_error(400, "invalid_request")
        login = (request.form["client_id"], Secret(request.form.get("client_secret", ""))) if form else _basic()
        credential = None if login is None else self._plane.log_in(environment, *login)
        if login is None or credential is None:
            return _oauth_error(401, "invalid_client")
        if self._plane.readings.delete_previous:
            for key in [key for key, (owner, _) in self._tokens.items() if owner == login[0] and key[0] == environment]:
                del self._tokens[key]
        token = f"token-{next(self._numbers)}-of-{login[0]}"
        self._tokens[environment, token] = (login[0], credential)
        return jsonify(access_token=token, token_type="Bearer", expires_in=3600)  # noqa: S106 - a term of OAuth


def _basic() -> tuple[str, Secret] | None:
    scheme, _, encoded = request.headers.get("Authorization", "").partition(" ")
    try:
        username, colon, password = base64.b64decode(encoded, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return None
    return (username, Secret(password)) if scheme == "Basic" and colon else None


def _fault(status: int, text: str) -> Response:
    answer = jsonify(fault={"message": text})
    answer.status_code = status
    return answer


def _oauth_error(status: int, error: str) -> Response:
    answer = jsonify(error=error)
    answer.status_code = status
    return answer
