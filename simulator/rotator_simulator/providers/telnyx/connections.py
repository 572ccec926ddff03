"""Telnyx credential connections: SIP trunks with one username and password (Telnyx, Credential connections)."""

import re
from typing import Any

from flask import Response, request

from rotator.core.secret import Secret
from rotator_simulator.account import SimulatedAccount, SimulatedCredential, UsernameTaken
from rotator_simulator.providers.telnyx.common import TelnyxResponses, matches
from rotator_simulator.simulated_api import View

KIND = "connection"
_USERS = "telephony"  # the kind of the credentials that belong to a connection
_USERNAME = re.compile(r"(?=.{0,4}[A-Za-z])[A-Za-z0-9]{4,32}")


class ConnectionRoutes:
    """The routes of the five verbs."""

    def __init__(self, responses: TelnyxResponses) -> None:
        """Takes the builder of responses, which knows the current readings."""
        self._responses = responses

    def routes(self) -> tuple[tuple[str, str, str, View], ...]:
        """Returns the method, path, name (its first word is the verb) and view of each route."""
        return (
            ("POST", "credential_connections", "create_connection", self._create),
            ("GET", "credential_connections", "list_connections", self._list),
            ("GET", "credential_connections/<identity>", "get_connection", self._get),
            ("PATCH", "credential_connections/<identity>", "update_connection", self._update),
            ("DELETE", "credential_connections/<identity>", "delete_connection", self._delete),
        )

    def _create(self, account: SimulatedAccount) -> Response:
        body = self._responses.body() or {}
        missing = [name for name in ("user_name", "password", "connection_name") if not body.get(name)]
        problem = _problem(body) or (f"{', '.join(missing)} required" if missing else None)
        if problem:
            return self._responses.error(422, None, problem)
        extra = {"connection_name": str(body["connection_name"])}
        number = str(1_494_404_757_140_276_705 + len(account.history()))
        try:
            credential = account.create(KIND, body["user_name"], Secret(body["password"]), extra, identity=number)
        except UsernameTaken:
            return self._responses.error(422, None, "user_name is taken")
        return self._responses.data(201, self._as_json(credential, changed=True))

    def _list(self, account: SimulatedAccount) -> Response:
        contains = request.args.get("filter[connection_name][contains]")
        if contains is not None and len(contains) < 3:
            return self._responses.error(400, None, "at least three characters")
        items = [
            self._as_json(credential)
            for credential in account.listed(KIND, self._responses.readings.order)
            if matches(contains, str(credential.extra["connection_name"]), "contains")
        ]
        return self._responses.page(items, default=250)

    def _get(self, account: SimulatedAccount, identity: str) -> Response:
        return self._responses.data(200, self._as_json(account.get(KIND, identity)))

    def _update(self, account: SimulatedAccount, identity: str) -> Response:
        body = self._responses.body() or {}
        credential = account.get(KIND, identity)
        problem = _problem(body)
        if body.get("user_name", credential.username) != credential.username:
            problem = "the simulator does not change a user_name"
        if problem:
            return self._responses.error(422, None, problem)
        secret = Secret(body["password"]) if "password" in body else None
        active: bool | None = body.get("active")
        extra = {name: body[name] for name in ("connection_name",) if name in body}
        changes = secret is not None and secret != credential.password
        credential = account.update(KIND, credential.id, password=secret, enabled=active, extra=extra)
        if active is not None:
            # The whole connection, with every credential that belongs to it.
            for one in account.credentials(_USERS):
                if one.extra["connection_id"] == credential.id:
                    account.update(_USERS, one.id, enabled=active)
        return self._responses.data(200, self._as_json(credential, changed=changes))

    def _delete(self, account: SimulatedAccount, identity: str) -> Response:
        item = self._as_json(account.get(KIND, identity))
        account.delete(KIND, identity, disconnect=True)
        return self._responses.data(200, item)  # with the password

    def _as_json(self, credential: SimulatedCredential, *, changed: bool = False) -> dict[str, Any]:
        return {
            "id": credential.id,
            "record_type": "credential_connection",
            "active": credential.enabled,
            "user_name": credential.username,
            "password": self._responses.password(credential, "connections", changed=changed),
            "connection_name": credential.extra["connection_name"],
            "created_at": self._responses.stamp(credential.created),
            "updated_at": self._responses.stamp(credential.updated),
        }


def _problem(body: dict[str, Any]) -> str | None:
    """Returns why a body is refused; None if it is accepted."""
    username, password = body.get("user_name", "good"), body.get("password", "good-enough")
    if not isinstance(username, str) or not _USERNAME.fullmatch(username):
        return "user_name must have 4 to 32 letters and digits, a letter among the first five"
    if not isinstance(password, str) or not 8 <= len(password) <= 128:
        return "password must have 8 to 128 characters"
    return None if isinstance(body.get("active", True), bool) else "active must be true or false"
