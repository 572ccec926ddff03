"""The API of a door intercom, simulated."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from flask import Blueprint, Response, jsonify, request

from rotator.core.secret import Secret
from rotator_simulator.account import Account, Missing, Record, Taken
from rotator_simulator.simulated_api import Simulation

USER = "user"


@dataclass(frozen=True, slots=True)
class IntercomReadings:
    """Nothing is left open by the pages of a made-up provider."""


@dataclass
class _Answers:
    readings: IntercomReadings

    def error(self, status: int, retry_after: int | None) -> Response:
        answer = jsonify(error={"code": "INTERCOM_ERROR", "message": "no"})
        answer.status_code = status
        if retry_after is not None:
            answer.headers["Retry-After"] = str(retry_after)
        return answer


class IntercomApi(Simulation[IntercomReadings]):
    """The users of one intercom."""

    name = "intercom"

    def __init__(self, accounts: Iterable[Account]) -> None:
        super().__init__(accounts, _Answers(IntercomReadings()))

    def realms(self) -> Mapping[str, Account]:
        return {}

    def call(self) -> tuple[str, str]:
        return self.accounts[0].name, (request.endpoint or "").rpartition(".")[2].partition("_")[0]

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

    def _authorized(self, view: Any) -> Any:
        def answer(**ids: str) -> Response:
            if Secret(request.headers.get("X-Api-Key", "")) != self.accounts[0].token:
                return self.error(401, None)
            try:
                return view(self.accounts[0], **ids)
            except Missing:
                return self.error(404, None)
            except Taken:
                return self.error(409, None)

        return answer

    def _list(self, account: Account) -> Response:
        return jsonify(users=[_shown(record) for record in account.records(USER)])

    def _create(self, account: Account) -> Response:
        body = request.get_json()
        answer = jsonify(_shown(account.create(USER, body["username"], Secret(body["password"]))))
        answer.status_code = 201
        return answer

    def _update(self, account: Account, identity: str) -> Response:
        body = request.get_json()
        password = Secret(body["password"]) if body.get("password") else None
        return jsonify(_shown(account.update(USER, identity, password=password, enabled=body["enabled"])))

    def _delete(self, account: Account, identity: str) -> Response:
        account.delete(USER, identity, disconnect=True)
        return Response(status=204)


def _shown(record: Record) -> dict[str, Any]:
    return {"id": record.id, "username": record.username, "enabled": record.enabled}
