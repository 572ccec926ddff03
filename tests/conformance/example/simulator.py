"""The API of a door intercom, simulated."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from flask import Blueprint, Response, request

from rotator.core.secret import Secret
from rotator_simulator.account import NotFound, SimulatedAccount, SimulatedCredential, UsernameTaken
from rotator_simulator.simulated_api import Responses, SimulatedApi, View, verb

USER = "user"


@dataclass(frozen=True, slots=True)
class IntercomReadings:
    """The pages of a made-up provider leave nothing open."""


class IntercomResponses(Responses[IntercomReadings]):
    """The intercom's responses."""

    def error(self, status: int, retry_after: int | None) -> Response:
        response = self.json(status, {"error": {"code": "INTERCOM_ERROR"}})
        if retry_after is not None:
            response.headers["Retry-After"] = str(retry_after)
        return response


class IntercomApi(SimulatedApi[IntercomReadings]):
    """The users of one intercom."""

    name = "intercom"

    def __init__(self, accounts: Iterable[SimulatedAccount]) -> None:
        super().__init__(accounts, IntercomResponses(IntercomReadings()))

    def call(self) -> tuple[str, str]:
        return self.accounts[0].name, verb()

    def blueprint(self) -> Blueprint:
        routes = Blueprint(self.name, __name__)
        for method, rule, endpoint, view in (
            ("GET", "/intercom/users", "list_users", self._list),
            ("POST", "/intercom/users", "create_user", self._create),
            ("PATCH", "/intercom/users/<identity>", "update_user", self._update),
            ("DELETE", "/intercom/users/<identity>", "delete_user", self._delete),
        ):
            routes.add_url_rule(rule, endpoint, self._authorized(view), methods=[method])
        return routes

    def _authorized(self, view: View) -> View:
        def respond(**ids: str) -> Response:
            if Secret(request.headers.get("X-Api-Key", "")) != self.accounts[0].token:
                return self.error(401, None)
            try:
                return view(self.accounts[0], self._responses.body() or {}, **ids)
            except NotFound:
                return self.error(404, None)
            except UsernameTaken:
                return self.error(409, None)

        return respond

    def _list(self, account: SimulatedAccount, _: dict[str, Any]) -> Response:
        return self._responses.json(200, {"users": [_written(user) for user in account.credentials(USER)]})

    def _create(self, account: SimulatedAccount, body: dict[str, Any]) -> Response:
        user = account.create(USER, body["username"], Secret(body["password"]))
        return self._responses.json(201, _written(user))

    def _update(self, account: SimulatedAccount, body: dict[str, Any], identity: str) -> Response:
        password = Secret(body["password"]) if body.get("password") else None
        user = account.update(USER, identity, password=password, enabled=body["enabled"])
        return self._responses.json(200, _written(user))

    def _delete(self, account: SimulatedAccount, _: dict[str, Any], identity: str) -> Response:
        account.delete(USER, identity, disconnect=True)
        return Response(status=204)


def _written(user: SimulatedCredential) -> dict[str, Any]:
    return {"id": user.id, "username": user.username, "enabled": user.enabled}
